"""A model made ready to be explained class by class."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from innexplain.analyzers.core import Core, Options, Result, Rows
from innexplain.backward import ClassSweeps
from innexplain.composites import GRADIENT, clear_composite
from innexplain.errors import ArgumentError, ModelError, UnsupportedLayerError
from innexplain.graph.canonical import Canonical
from innexplain.graph.class_maps import ClassMaps, class_maps, maps_of_layer
from innexplain.graph.trace import trace

__all__ = ["ClearCore"]


class ClearCore(Core):
    """A model made ready to be explained class by class.

    Args:
        model, options: as for `Core`.
        rectify: whether ReLUs rectify; `None` where another analyzer makes the maps.
        layer: the layer whose channels are classes; `None` finds them.
        reduction: what is done with channels.
    """

    start: ClassMaps

    def __init__(
        self, model: Any, options: Options, rectify: bool | None, layer: Any = None, reduction: str = "sum"
    ) -> None:
        self.layer = layer
        self.reduction = reduction
        if layer is not None:
            options = replace(options, output=_checked_layer(model, layer))
        composite = replace(GRADIENT, name="clear") if rectify is None else clear_composite(rectify)
        super().__init__(model, options, composite, graph_needed=True)

    def _use(self, ready: Canonical) -> None:
        find = class_maps if self.layer is None else maps_of_layer
        start = find(ready.graph, ready.exit.slot)
        if start is None or start.count < 2:
            raise ModelError(_no_classes(ready, start))
        self.start = start
        try:
            super()._use(ready)
        except UnsupportedLayerError as error:
            raise UnsupportedLayerError(
                f"{error} Or take the class maps from a method that supports them: response='lrp.epsilon', "
                "or response='gradient'."
            ) from None

    @cached_property
    def backward(self) -> ClassSweeps:
        """The compiled network that explains; made when first needed."""
        return ClassSweeps(
            self.model, self.canonical, self.assignments, self.target, self.start, self.reduction
        )

    def sweeps(self, rows: Rows, classes: np.ndarray, batch_size: int) -> Result:
        """The response of each of k classes (n, k), at most `batch_size` rows at a time."""
        k = classes.shape[1]
        together = min(k, batch_size) if self.backward.repeatable else 1
        together = -(-k // -(-k // together))  # groups of even size
        return self._run("sweeps", rows, classes, max(1, batch_size // together), (together,))

    def score(self, rows: Rows, data: np.ndarray, batch_size: int) -> Result:
        """Go forwards only; `data` are classes, one or several a row, as for `sweeps`."""
        return super().score(rows, data.reshape(len(data), -1), batch_size)

    def held(self, result: Result, data: np.ndarray) -> np.ndarray:
        """Of changed copies of a sample, too, the same classes are compared."""
        return data


def _checked_layer(model: Any, layer: Any) -> Any:
    """A layer, if it can be found; messages of outputs would not help."""
    if isinstance(layer, int):
        raise ArgumentError(
            f"layer must be a layer of the model, its name or its path. Received: layer={layer!r}. Give "
            f"model.layers[{layer!r}]."
        )
    graph = trace(model)
    if not graph.opaque:
        graph.find(layer)
    return layer


def _no_classes(ready: Canonical, start: ClassMaps | None) -> str:
    value = ready.graph.values.get(ready.exit.slot)
    shape = value.shape if value is not None else "of unknown shape"
    return (
        f"clear compares classes, and the output {ready.exit.name!r} {shape} "
        + ("holds one number." if start else "does not hold one number a class.")
        + " Expected two classes or more, on the last axis. Name the layer whose channels stand for classes "
        "with layer=, or use an analyzer that explains single scores, such as 'gradient' or 'lrp.epsilon'."
    )
