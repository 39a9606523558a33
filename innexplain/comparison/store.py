"""Results on disk while a comparison runs: what is there already is not computed again."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
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
    """A digest of arrays, dataclasses, Keras models and layers, and containers of them, value by value.

    Of anything else the `repr` counts, which has to tell what there is to tell.

    >>> fingerprint(np.zeros(2), "a") == fingerprint(np.zeros(2), "b")
    False
    """
    return _digest(*(chunk for part in parts for chunk in _chunks(part)))


def _chunks(part: Any) -> list[bytes]:
    """What a digest is made of; each container has a digest of its own, so that nesting counts."""
    if is_dataclass(part) and not isinstance(part, type):
        return _labelled(part, *sorted(_settings(part).items()))
    if isinstance(part, dict):
        return _labelled(part, *sorted(fingerprint(key, value) for key, value in part.items()))
    if isinstance(part, (set, frozenset)):
        return _labelled(part, *sorted(map(fingerprint, part)))
    if isinstance(part, (list, tuple)):
        return _labelled(part, *part)
    if isinstance(part, keras.layers.Layer):
        weights = [keras.ops.convert_to_numpy(w) for w in part.weights]
        return _labelled(part, _config(part) or repr(part), *weights)
    if hasattr(part, "__array__") and not isinstance(part, type):
        return _array_chunks(np.asarray(part))
    return [repr(part).encode() + b"\n"]


def _labelled(part: Any, *content: Any) -> list[bytes]:
    kind = type(part)
    return [f"{kind.__module__}.{kind.__qualname__} {fingerprint(*content)}\n".encode()]


def _array_chunks(array: np.ndarray) -> list[bytes]:
    """Not the `repr`, which leaves out the middle of long arrays, and digits after the eighth."""
    head = f"{array.dtype}{array.shape}".encode()
    if array.dtype.hasobject:  # its bytes are addresses
        return [head, *_chunks(array.tolist())]
    return [head, np.ascontiguousarray(array).tobytes()]


def _settings(part: Any) -> dict[str, Any]:
    """The fields of a dataclass; of a subclass that is none itself, all its attributes."""
    found = {field.name: getattr(part, field.name) for field in fields(part)}
    is_one_itself = "__dataclass_fields__" in vars(type(part))
    return found if is_one_itself else {**getattr(part, "__dict__", {}), **found}


def _config(layer: Any) -> str | None:
    """The settings of a layer or model as text; `None` for a subclassed model that cannot tell them."""
    try:
        return json.dumps(keras.saving.serialize_keras_object(layer), sort_keys=True, default=str)
    except (NotImplementedError, TypeError, ValueError):
        return None


def model_fingerprint(model: Any, predict: Predict, x: np.ndarray) -> str:
    """A digest of a Keras model's layers and weights; of any other function, of what it answers."""
    is_model = isinstance(model, keras.Model)
    weights: list[Any] = [keras.ops.convert_to_numpy(w) for w in model.weights] if is_model else []
    config = _config(model) if is_model else None
    if config is not None:
        return fingerprint(config, *weights)
    # Answers to x alone may be saturated: networks that differ answer ones and zeros alike.
    some = x[:_PROBED]
    shuffled = np.random.default_rng(0).permuted(some.reshape(len(some), -1), axis=1).reshape(some.shape)
    answers = [np.round(predict(part), 5) for part in (some, shuffled)]
    return fingerprint(type(model).__name__, *weights, *answers)
