"""Results on disk while a comparison runs: what is there already is not computed again."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from innexplain.evaluators.predictions import Predict
from innexplain.plots.saving import make_folder, replacing

__all__ = ["Store", "file_name", "fingerprint", "model_fingerprint"]

_DIGEST = 32  # characters of a fingerprint
_PROBED = 8  # samples that tell one function from another


class Store:
    """Arrays by name in a folder, each with a fingerprint of what it was computed from.

    A part is written whole or not at all.  It starts with the fingerprint and a digest of the rest, which
    holds the arrays: so nothing of a damaged file is ever looked into.

    Args:
        folder: where files go, made at once; `None` keeps nothing.

    Raises:
        OutputPathError: the folder cannot be made.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        if folder is not None:
            make_folder(folder)

    def get(self, name: str, key: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays of a name: read if they are there and of this key, else computed and written.

        Files that are damaged, or were computed from something else, are computed anew.
        """
        if self.folder is None:
            return compute()
        path = self.folder / f"{name}.part"
        found = _read(path, key)
        if found is None:
            found = compute()
            _write(path, key, found)
        return found


def _read(path: Path, key: str) -> dict[str, np.ndarray] | None:
    try:
        content = memoryview(path.read_bytes())
    except OSError:
        return None
    head, body = content[: 2 * _DIGEST], content[2 * _DIGEST :]
    if head != (key + _digest(body)).encode():
        return None
    with np.load(io.BytesIO(body), allow_pickle=False) as file:
        return {field: file[field] for field in file.files}


def _write(path: Path, key: str, arrays: dict[str, np.ndarray]) -> None:
    stream = io.BytesIO()
    fields: dict[str, Any] = {**arrays}
    np.savez(stream, **fields)
    body = stream.getbuffer()
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write((key + _digest(body)).encode())
        file.write(body)


def _digest(*chunks: bytes | memoryview) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST // 2)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def file_name(label: str) -> str:
    """A label as part of a file name, different for different labels.

    >>> file_name("lrp.epsilon"), file_name("norm 2") == file_name("norm_2")
    ('lrp.epsilon', False)
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", label)[:60].strip(".")
    # Not every file system tells names apart that differ only in case.
    return plain if plain == label.lower() else f"{plain}-{fingerprint(label)[:8]}"


def fingerprint(*parts: Any) -> str:
    """A digest of arrays and of anything with a telling `repr`.

    >>> fingerprint(np.zeros(2), "a") == fingerprint(np.zeros(2), "b")
    False
    """
    chunks = []
    for part in parts:
        if isinstance(part, np.ndarray):
            chunks += [f"{part.dtype}{part.shape}".encode(), np.ascontiguousarray(part).tobytes()]
        else:
            chunks.append(repr(part).encode() + b"\n")
    return _digest(*chunks)


def model_fingerprint(model: Any, predict: Predict, x: np.ndarray) -> str:
    """A digest of a Keras model's layers and weights; of any other function, of what it answers."""
    weights: list[Any] = []
    config = type(model).__name__
    if isinstance(model, keras.Model):
        weights = [keras.ops.convert_to_numpy(w) for w in model.weights]
        try:
            config = json.dumps(keras.saving.serialize_keras_object(model), sort_keys=True, default=str)
            return fingerprint(config, *weights)
        except (NotImplementedError, TypeError, ValueError):  # a subclassed model without a config
            pass
    # Answers to x alone may be saturated: networks that differ answer ones and zeros alike.
    some = x[:_PROBED]
    shuffled = np.random.default_rng(0).permuted(some.reshape(len(some), -1), axis=1).reshape(some.shape)
    return fingerprint(config, *weights, *(np.round(predict(part), 5) for part in (some, shuffled)))
