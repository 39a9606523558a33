"""Settings as plain values and arrays, for files, and the other way.

What JSON has no word for is a dict of one key, which says what it is.  Classes and methods are told by their
name, and found again among those that are known: nothing is imported, and nothing is called but they.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import keras
import numpy as np

import innexplain.layers as own_layers
from innexplain import rules, samplers
from innexplain.analyzers.method import METHODS, Method
from innexplain.analyzers.portable import LayerPath
from innexplain.errors import ArgumentError, UnreadableFileError, nearest
from innexplain.patterns import Patterns

#: The package's own classes of settings, and the classes of layers that need not be given.
_OBJECTS = {name: getattr(module, name) for module in (rules, samplers) for name in module.__all__}
_LAYERS = {
    name: value
    for module in (keras.layers, own_layers)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, keras.layers.Layer)
}


class Writer:
    """Settings as what JSON holds, and arrays by name.

    Args:
        fixed: whether the fields that belong to the name of a method are told, too.
    """

    def __init__(self, fixed: bool = False) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._fixed = fixed

    def plain(self, value: Any, where: str) -> Any:
        """A value of a setting.

        Args:
            value: numbers, text, arrays, rules, methods, patterns, and containers of them.
            where: names the setting, for messages.

        Raises:
            ArgumentError: it is a function, or something else that cannot be told without code.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not math.isfinite(value):
            return {"float": str(value)}
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (list, range)):
            return [self.plain(v, where) for v in value]
        return self._marked(value, where)

    def _marked(self, value: Any, where: str) -> dict[str, Any]:
        if isinstance(value, tuple):
            return {"tuple": [self.plain(v, where) for v in value]}
        if isinstance(value, dict):
            return {"dict": [[self.plain(k, where), self.plain(v, where)] for k, v in value.items()]}
        if isinstance(value, LayerPath):
            return {"layer": list(value.path)}
        if isinstance(value, type) and issubclass(value, keras.Operation):
            return {"class": _told(value, _LAYERS)}
        if isinstance(value, Method):
            return {"method": self._method(value, where)}
        if isinstance(value, Patterns):
            return {"patterns": self._patterns(value)}
        if hasattr(value, "__array__") and np.asarray(value).dtype.kind in "fiub":
            return {"array": self._array(np.asarray(value))}
        if is_dataclass(value) and not isinstance(value, type):
            return {"object": [*_told(type(value), _OBJECTS), self._fields(value, where)]}
        raise ArgumentError(
            f"{where} holds {value!r}, and a file holds no code: only names, numbers, lists of them, arrays, "
            "layers and rules. Give one of these, or make the analyzer anew each time."
        )

    def _fields(self, value: Any, where: str) -> dict[str, Any]:
        is_one_itself = "__dataclass_fields__" in vars(type(value))
        if not is_one_itself and set(vars(value)) - {f.name for f in fields(value)}:
            raise ArgumentError(
                f"{where} holds {value!r}, which has settings that are no fields. Make its class, "
                f"{type(value).__name__}, a frozen dataclass."
            )
        return {f.name: self.plain(getattr(value, f.name), where) for f in fields(value) if f.init}

    def _method(self, method: Method, where: str) -> list[Any]:
        told = {f.name: getattr(method, f.name) for f in fields(method) if f.name not in ("name", "compared")}
        names = told if self._fixed else method.settings
        settings = {name: self.plain(told[name], f"{where}: {name}") for name in names}
        return [method.name, type(method).__name__, settings]

    def _array(self, array: np.ndarray) -> str:
        name = f"array{len(self.arrays)}"
        self.arrays[name] = array
        return name

    def _patterns(self, value: Patterns) -> list[Any]:
        arrays = [[k, t, self._array(a)] for k, found in value.arrays.items() for t, a in found.items()]
        return [arrays, {k: dict(v) for k, v in value.silent.items()}, dict(value.prints)]


def _told(kind: type, ours: Mapping[str, Any]) -> list[Any]:
    """The name of a class, and whether it is the package's, so that no other one can stand in for it."""
    return [kind.__name__, ours.get(kind.__name__) is kind]


class Reader:
    """The other way: values from what `Writer` made of them.

    Args:
        arrays: by name.
        known: classes and methods of the user's own, by name.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], known: Mapping[str, Any]) -> None:
        self.arrays = arrays
        self.known = known
        self._readers: dict[str, Callable[[Any], Any]] = {
            "float": float,
            "tuple": lambda items: tuple(map(self.value, items)),
            "dict": lambda items: {self.value(k): self.value(v) for k, v in items},
            "layer": lambda path: LayerPath(tuple(path)),
            "array": lambda name: self.arrays[name],
            "class": self._class,
            "object": self._object,
            "method": self._method,
            "patterns": self._patterns,
        }

    def value(self, plain: Any) -> Any:
        """The value that was written.

        Raises:
            UnreadableFileError: it needs a class or method that is not known.
            LookupError, TypeError, ValueError: no `Writer` wrote this.
        """
        if isinstance(plain, list):
            return [self.value(v) for v in plain]
        if not isinstance(plain, dict):
            return plain
        ((kind, content),) = plain.items()
        return self._readers[kind](content)

    def _class(self, content: Any) -> Any:
        name, is_ours = content
        return self._found(name, _LAYERS if is_ours else self.known, issubclass, keras.Operation)

    def _object(self, content: Any) -> Any:
        name, is_ours, plain = content
        made = self._found(name, _OBJECTS if is_ours else self.known, is_dataclass)
        return made(**{field: self.value(v) for field, v in plain.items()})

    def _method(self, content: Any) -> Method:
        name, kind, plain = content
        named = (self.known.get(name), METHODS.get(name))
        method = next((m for m in named if isinstance(m, Method) and type(m).__name__ == kind), None)
        if method is None:
            what = "rows of rules" if kind == "Composed" else f"a {kind}"
            received = "".join(f" Received: {m!r}" for m in named if m is not None)
            raise UnreadableFileError(
                f"it needs the method {name!r}, {what}, which is not known here. Call register_method, or "
                f"give it as custom_objects={{{name!r}: ...}}.{received}"
            )
        settings = {field: self.value(v) for field, v in plain.items()}
        if not set(settings) <= set(method.settings):
            raise ValueError(f"{name} has no settings {sorted(settings)}")
        return replace(method, name=name, **settings)

    def _patterns(self, content: Any) -> Patterns:
        told, silent, prints = content
        arrays: dict[str, dict[str, np.ndarray]] = {}
        for key, pattern_type, name in told:
            arrays.setdefault(key, {})[pattern_type] = self.arrays[name]
        return Patterns(arrays, dict(silent), dict(prints))

    def _found(self, name: str, known: Mapping[str, Any], fits: Callable[..., bool], *base: type) -> Any:
        found = known.get(name)
        if isinstance(found, type) and fits(found, *base):
            return found
        raise UnreadableFileError(
            f"it needs the class {name!r}, which is not known here.{nearest(name, known)} Give it as "
            f"custom_objects={{{name!r}: {name}}}."
        )
