"""A model made ready to be explained class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from innexplain.analyzers.method import Method
from innexplain.analyzers.walking import WalkedNetwork
from innexplain.backward import ClassSweeps
from innexplain.composites import Composite
from innexplain.errors import ArgumentError, ModelError, UnsupportedLayerError
from innexplain.graph.canonical import Canonical
from innexplain.graph.class_maps import ClassMaps, class_maps, maps_of_layer
from innexplain.graph.trace import trace
from innexplain.network import Network, Options, Result, Rows
from innexplain.targets import MaxActivation


class ClearNetwork(WalkedNetwork):
    """A model made ready to be explained class by class.

    Args:
        model, options, method, composite: as for `WalkedNetwork`.
        layer: the layer whose channels are classes; `None` finds them.
        reduction: what is done with channels.
        inner: the model made ready for the method that makes the class maps, if another one does.
    """

    start: ClassMaps

    def __init__(
        self,
        model: Any,
        options: Options,
        method: Method,
        composite: Composite,
        layer: Any = None,
        reduction: str = "sum",
        inner: Network | None = None,
    ) -> None:
        self.layer = layer
        self.reduction = reduction
        self.inner = inner
        if layer is not None:
            options = replace(options, output=_checked_layer(model, layer))
        super().__init__(model, options, method, composite)
        if inner is not None:
            self.assignments = list(inner.assignments)

    def _use(self, ready: Canonical) -> None:
        find = class_maps if self.layer is None else maps_of_layer
        start = None if ready.graph.opaque else find(ready.graph, ready.exit.slot)
        if not ready.graph.opaque and (start is None or start.count < 2):
            raise ModelError(_no_classes(ready, start))
        try:
            super()._use(ready)
        except UnsupportedLayerError as error:
            raise UnsupportedLayerError(
                f"{error} Or take the class maps from a method that supports them: response='lrp.epsilon', "
                "or response='gradient'."
            ) from None
        if start is not None:
            self.start = start

    def require(self) -> None:
        """Raise if the method that makes the class maps cannot explain the model."""
        if isinstance(self.inner, WalkedNetwork):
            self.inner.require()
        else:
            super().require()

    @property
    def asked_for_one(self) -> bool:
        """Whether the response of one class is explained, the one asked for, and not the dominant one."""
        return not isinstance(self.target, MaxActivation)

    def by_origin(self, maps: Rows) -> dict[int, np.ndarray]:
        """By model input, the sum over the entries that belong to it."""
        found: dict[int, np.ndarray] = {}
        for entry, response in zip(self.explained, maps, strict=True):
            found[entry.origin] = found[entry.origin] + response if entry.origin in found else response
        return found

    @cached_property
    def backward(self) -> ClassSweeps:
        """The model that goes backwards; made when first needed."""
        return ClassSweeps(self.model, self.canonical, self.rules, self.target, self.start, self.reduction)

    def sweeps(self, rows: Rows, classes: np.ndarray, batch_size: int) -> Result:
        """The response of each of k classes (n, k), at most `batch_size` rows at a time."""
        k = classes.shape[1]
        together = min(k, batch_size) if self.backward.repeatable else 1
        together = -(-k // -(-k // together))  # groups of even size
        sweeps = partial(self.backward.sweeps, together=together)
        return self.run(("sweeps", together), sweeps, rows, classes, max(1, batch_size // together))

    def score(self, rows: Rows, data: np.ndarray, batch_size: int) -> Result:
        """Go forwards only; `data` are classes, one or several a row, as for `sweeps`."""
        return super().score(rows, data.reshape(len(data), -1), batch_size)

    def _score(self, x: Sequence[Any], target: Any) -> dict[str, Any]:
        return self.backward.score(x, target)

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
