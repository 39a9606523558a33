"""Settings apart from their model: layers as paths; as plain values and arrays, for files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import keras
import numpy as np

import innexplain.layers as own_layers
from innexplain import rules, samplers
from innexplain.analyzers.method import METHODS, Method
from innexplain.composites.registered import registered_rules
from innexplain.errors import ArgumentError, UnreadableFileError, nearest
from innexplain.graph.step import Graph
from innexplain.patterns import Patterns
from innexplain.patterns.patterns import owners_of


@dataclass(frozen=True)
class LayerPath:
    """Stands for a layer of a model, whichever model that will be."""

    path: tuple[str, ...]


def apart(value: Any, graph: Graph) -> Any:
    """Settings with paths in place of the layers of a model.

    Raises:
        ArgumentError: a layer is none of the model's.
    """

    def leaf(x: Any) -> Any:
        if isinstance(x, Patterns):
            return replace(x, arrays={key: dict(found.items()) for key, found in x.arrays.items()}, owners={})
        return LayerPath(_path(x, graph)) if isinstance(x, keras.Operation) else x

    return _mapped(value, leaf)


def together(value: Any, graph: Graph) -> Any:
    """Settings with the layers of a model in place of paths.

    Raises:
        AddressError: the model has no such layer.
    """

    def leaf(x: Any) -> Any:
        if isinstance(x, Patterns):
            return replace(x, owners=owners_of(x.arrays, graph))
        return graph.find(x.path)[0].operation if isinstance(x, LayerPath) else x

    return _mapped(value, leaf)


def _path(layer: Any, graph: Graph) -> tuple[str, ...]:
    found = next((step.path for step in graph.steps if step.operation is layer), None)
    if found is None:
        raise ArgumentError(f"The layer {layer.name!r} in the settings is none of the model's.")
    return found


def _mapped(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """Containers and methods rebuilt with something else at their leaves."""
    if isinstance(value, Method):
        return replace(value, **{name: _mapped(v, leaf) for name, v in value.settings.items()})
    if isinstance(value, dict):
        return {_mapped(k, leaf): _mapped(v, leaf) for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_mapped(v, leaf) for v in value)
    return leaf(value)


class Writer:
    """Settings as what JSON holds, and arrays by name."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

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
        return self._marked(value, where)

    def _marked(self, value: Any, where: str) -> Any:
        """What JSON has no word for, as a dict whose first key says what it is."""
        if isinstance(value, list):
            return [self.plain(v, where) for v in value]
        if isinstance(value, tuple):
            return {"tuple": [self.plain(v, where) for v in value]}
        if isinstance(value, dict):
            return {"dict": [[self.plain(k, where), self.plain(v, where)] for k, v in value.items()]}
        if isinstance(value, LayerPath):
            return {"layer": list(value.path)}
        if isinstance(value, type):
            return {"class": value.__name__}
        if isinstance(value, Method):
            settings = {k: self.plain(v, f"{where}.{k}") for k, v in value.settings.items()}
            return {"method": value.name, "settings": settings}
        if isinstance(value, Patterns):
            return self._patterns(value)
        if hasattr(value, "__array__") and np.asarray(value).dtype.kind in "fiub":
            return self._array(np.asarray(value))
        if is_dataclass(value):
            own = {f.name: self.plain(getattr(value, f.name), where) for f in fields(value)}
            return {"object": type(value).__name__, "fields": own}
        raise ArgumentError(
            f"{where} holds {value!r}, and a file cannot hold code. Give settings that are names, numbers, "
            "arrays, layers or rules; or make the analyzer anew each time, with this function."
        )

    def _array(self, array: np.ndarray) -> dict[str, str]:
        name = f"array{len(self.arrays)}"
        self.arrays[name] = array
        return {"array": name}

    def _patterns(self, value: Patterns) -> dict[str, Any]:
        arrays = [[k, t, self._array(a)] for k, found in value.arrays.items() for t, a in found.items()]
        silent = {k: dict(v) for k, v in value.silent.items()}
        return {"patterns": arrays, "silent": silent, "prints": dict(value.prints)}


class Reader:
    """The other way: values from what `Writer` made of them.

    Args:
        arrays: by name.
        custom: classes of rules and layers, and methods, of the user's own, by name.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], custom: Mapping[str, Any]) -> None:
        self.arrays = arrays
        self.custom = custom

    def value(self, plain: Any) -> Any:
        """The value that was written.

        Raises:
            UnreadableFileError: it is of a class or method that is not known.
        """
        if isinstance(plain, list):
            return [self.value(v) for v in plain]
        if not isinstance(plain, dict):
            return plain
        kind = next(iter(plain))
        return getattr(self, f"_{kind}")(**plain)

    def _float(self, float: str) -> float:
        return math.inf if float == "inf" else -math.inf if float == "-inf" else math.nan

    def _dict(self, dict: list[Any]) -> Any:
        return {self.value(k): self.value(v) for k, v in dict}

    def _tuple(self, tuple: list[Any]) -> Any:
        return (*map(self.value, tuple),)

    def _layer(self, layer: list[str]) -> LayerPath:
        return LayerPath((*layer,))

    def _array(self, array: str) -> np.ndarray:
        return self.arrays[array]

    def _class(self, **plain: str) -> Any:
        return self._known(plain["class"], {**vars(keras.layers), **vars(own_layers)})

    def _object(self, object: str, fields: Mapping[str, Any]) -> Any:
        own = {name: getattr(module, name) for module in (rules, samplers) for name in module.__all__}
        registered = {type(rule).__name__: type(rule) for rule in registered_rules()}
        made = self._known(object, {**own, **registered})
        return made(**{name: self.value(v) for name, v in fields.items()})

    def _method(self, method: str, settings: Mapping[str, Any]) -> Method:
        found = self._known(method, METHODS)
        return replace(found, **{name: self.value(v) for name, v in settings.items()})

    def _patterns(self, patterns: list[Any], silent: Any, prints: Any) -> Patterns:
        arrays: dict[str, dict[str, np.ndarray]] = {}
        for key, pattern_type, array in patterns:
            arrays.setdefault(key, {})[pattern_type] = self.value(array)
        return Patterns(arrays, silent, prints)

    def _known(self, name: str, known: Mapping[str, Any]) -> Any:
        if name in self.custom:
            return self.custom[name]
        if name not in known:
            raise UnreadableFileError(
                f"The settings need {name!r}, which is none of the package's and is not registered here."
                f"{nearest(name, known)} Give it as custom_objects={{{name!r}: ...}}."
            )
        return known[name]
