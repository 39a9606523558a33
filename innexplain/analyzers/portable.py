"""Settings apart from their model: layers as paths, and the other way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras

from innexplain.analyzers.method import Method
from innexplain.errors import ArgumentError
from innexplain.graph.functions import function_graph
from innexplain.graph.step import Graph
from innexplain.graph.trace import trace
from innexplain.network import Options
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
        ModelError: it is not the one that patterns were fitted for.
    """

    def leaf(x: Any) -> Any:
        if isinstance(x, Patterns):
            x.require(graph)
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


def settings_apart(method: Method, options: Options, graph: Graph) -> tuple[Method, dict[str, Any]]:
    """The settings of an analyzer apart from its model."""
    return apart(method, graph), apart(options.shared, graph)


def settings_together(method: Method, options: dict[str, Any], graph: Graph) -> tuple[Method, Options]:
    """The settings of an analyzer of a model, from what `settings_apart` gives."""
    return together(method, graph), Options(**together(options, graph))


def graph_of(model: Any) -> Graph:
    """A model's graph as traced; of a function, that of its call."""
    return trace(model) if isinstance(model, keras.Model) else function_graph(model)
