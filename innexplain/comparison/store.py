"""Results on disk while a comparison runs: what is there already is not computed again."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from innexplain.plots.saving import replacing

__all__ = ["Store", "fingerprint", "model_fingerprint"]


class Store:
    """Arrays by name in a folder, each with a fingerprint of what it was computed from.

    Args:
        folder: where files go, made when the first one is written; `None` keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, name: str, key: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays of a name: read if they are there and of this key, else computed and written.

        Files that are damaged, or were computed from something else, are computed anew.
        """
        found = self._read(name, key)
        if found is None:
            found = compute()
            self._write(name, key, found)
        return found

    def _path(self, name: str) -> Path:
        return Path(self.folder or ".") / f"{name}.npz"

    def _read(self, name: str, key: str) -> dict[str, np.ndarray] | None:
        if self.folder is None:
            return None
        try:
            with np.load(self._path(name), allow_pickle=False) as file:
                arrays = {field: file[field] for field in file.files}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return arrays if str(arrays.pop("key", "")) == key else None

    def _write(self, name: str, key: str, arrays: dict[str, np.ndarray]) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self._path(name)) as temporary, open(temporary, "wb") as stream:
            fields: dict[str, Any] = {"key": np.array(key), **arrays}
            np.savez(stream, **fields)


def fingerprint(*parts: Any) -> str:
    """A digest of arrays and of anything with a telling `str`.

    >>> fingerprint(np.zeros(2), "a") == fingerprint(np.zeros(2), "b")
    False
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


def model_fingerprint(model: Any, outputs: np.ndarray) -> str:
    """A digest of a Keras model's layers and weights; of any other function, of what it answers."""
    if not isinstance(model, keras.Model):
        return fingerprint(np.round(outputs, 6))
    try:
        config = json.dumps(keras.saving.serialize_keras_object(model), sort_keys=True, default=str)
    except (NotImplementedError, TypeError, ValueError):  # a subclassed model without a config
        config = type(model).__name__
    return fingerprint(config, *[keras.ops.convert_to_numpy(w) for w in model.weights])
