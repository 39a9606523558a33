"""Digests: what was computed from the same values is recognised, in any process and on any machine."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: Characters of a digest.
LENGTH = 32
_PIECE = 2**22  # bytes or numbers at once


def digest(*values: Any) -> str:
    """A digest of arrays, dataclasses, Keras models and layers, and containers of them, value by value.

    Of anything else the `repr` counts, which has to tell what there is to tell.

    >>> digest(np.zeros(2), "a") == digest(np.zeros(2), "b")
    False
    """
    return digest_of_bytes(chunk for value in values for chunk in _chunks(value))


def digest_of_bytes(chunks: Iterable[bytes | memoryview], length: int = LENGTH) -> str:
    """A digest of bytes, in hexadecimal."""
    found = hashlib.blake2b(digest_size=length // 2)
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def digest_of_file(path: Path) -> str:
    """A digest of a file's bytes."""
    with open(path, "rb") as stream:
        return digest_of_bytes(iter(lambda: stream.read(_PIECE), b""))


def digest_of_weights(layer: Any) -> str:
    """A digest of the weights of a Keras layer or model, whatever it is called and how it was compiled."""
    return digest_of_bytes(_weight_chunks(layer), 24)


def _chunks(value: Any) -> list[bytes]:
    """What a digest is made of; each container has a digest of its own, so that nesting counts."""
    if is_dataclass(value) and not isinstance(value, type):
        return _labelled(value, *sorted(_settings(value).items()))
    if isinstance(value, dict):
        return _labelled(value, *sorted(digest(key, item) for key, item in value.items()))
    if isinstance(value, (set, frozenset)):
        return _labelled(value, *sorted(map(digest, value)))
    if isinstance(value, (list, tuple)):
        return _labelled(value, *value)
    if is_layer(value):
        weights = [_keras().ops.convert_to_numpy(w) for w in value.weights]
        return _labelled(value, config_of(value) or repr(value), *weights)
    if hasattr(value, "__array__") and not isinstance(value, type):
        return _array_chunks(np.asarray(value))
    return [repr(value).encode() + b"\n"]


def _labelled(value: Any, *content: Any) -> list[bytes]:
    kind = type(value)
    return [f"{kind.__module__}.{kind.__qualname__} {digest(*content)}\n".encode()]


def _array_chunks(array: np.ndarray) -> list[bytes]:
    """Not the `repr`, which leaves out the middle of long arrays, and digits after the eighth."""
    head = f"{array.dtype}{array.shape}".encode()
    if array.dtype.hasobject:  # its bytes are addresses
        return [head, *_chunks(array.tolist())]
    return [head, np.ascontiguousarray(array).tobytes()]


def _settings(value: Any) -> dict[str, Any]:
    """The fields of a dataclass; of a subclass that is none itself, all its attributes."""
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    is_one_itself = "__dataclass_fields__" in vars(type(value))
    return found if is_one_itself else {**getattr(value, "__dict__", {}), **found}


def _keras() -> Any:
    """Keras, if it was imported: pictures and the command's help do without it, and nobody has a layer."""
    return sys.modules.get("keras")


def is_layer(value: Any) -> bool:
    """Whether something is a layer or model of Keras."""
    return "keras" in sys.modules and isinstance(value, _keras().layers.Layer)


def config_of(layer: Any) -> str | None:
    """The settings of a layer or model as text; `None` for a subclassed model that cannot tell them."""
    try:
        return json.dumps(_keras().saving.serialize_keras_object(layer), sort_keys=True, default=str)
    except (NotImplementedError, TypeError, ValueError):
        return None


def _weight_chunks(layer: Any) -> Iterator[bytes | memoryview]:
    keras = _keras()
    for weight in layer.weights:
        tensor = keras.ops.convert_to_tensor(weight)
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        # The state of a seed generator changes by itself, and is unsigned.
        if dtype == "bool" or dtype.startswith(("float", "bfloat", "int")):
            yield f"{tuple(tensor.shape)}".encode()
            flat = keras.ops.reshape(tensor, (-1,))
            for start in range(0, flat.shape[0], _PIECE):  # arrays are copies: a few megabytes at a time
                yield keras.ops.convert_to_numpy(flat[start : start + _PIECE]).view("uint8").data
