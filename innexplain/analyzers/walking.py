"""Networks that are walked backwards, and methods that do it once a sample."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from innexplain.analyzers.method import FIXED, METHODS, Method, check_needs
from innexplain.backward import BackwardModel
from innexplain.composites import GRADIENT, Assignment, Composite
from innexplain.errors import UnknownNameError
from innexplain.graph.canonical import Canonical
from innexplain.graph.step import Entry
from innexplain.network import Network, Options, Request, Result, Rows, total
from innexplain.rules import Rule


class WalkedNetwork(Network):
    """A network with a rule for every step that relevance passes through.

    Args:
        model, options: as for `Network`.
        method: the method, for messages and for what it needs.
        composite: its rows.
        keep: a slot at which relevance stops; rules are asked for above it only.
    """

    assignments: list[Assignment]

    def __init__(
        self, model: Any, options: Options, method: Method, composite: Composite, keep: int | None = None
    ) -> None:
        self.method = method
        self.composite = composite
        self.keep = keep
        super().__init__(model, options, composite.relevance or composite.folded)

    def _use(self, ready: Canonical) -> None:
        super()._use(ready)
        check_needs(self.method, self)
        options = self.options
        self.assignments = self.composite.assign(ready.graph, options.rules, options.unsupported, self.keep)
        if not options.check_only:
            self.require()
        self.__dict__.pop("backward", None)

    def require(self) -> None:
        """Raise if the method cannot explain the model, see `Composite.require`."""
        whole = self.keep is None  # above a slot there may be nothing to override
        composite = self.composite if whole else replace(self.composite, overrides=None)
        composite.require(self.assignments)

    @property
    def rules(self) -> dict[int, Rule]:
        """The rule of each step, by the step's id."""
        return {id(a.step): a.rule for a in self.assignments if isinstance(a.rule, Rule)}

    @cached_property
    def backward(self) -> BackwardModel:
        """The model that goes backwards; made when first needed."""
        composite = self.composite
        return BackwardModel(self.model, self.canonical, self.rules, self.target, composite.seed, self.keep)

    def relevance(
        self, rows: Rows, data: np.ndarray, batch_size: int, slots: tuple[int, ...] | None = None
    ) -> Result:
        """Go forwards and backwards, at most `batch_size` rows at a time; record if slots are given."""
        if slots is None:
            return self.run("relevance", self.backward.call, rows, data, batch_size)
        recorded = partial(self.backward.recorded, slots=slots)
        return self.run(("recorded", *slots), recorded, rows, data, batch_size)


@dataclass(frozen=True, eq=False)
class Backward(Method):
    """One forward and one backward sweep, then `finish`."""

    records_layers: ClassVar[bool] = True

    @abstractmethod
    def composite(self) -> Composite:
        """The rows: which step gets which rule."""

    @property
    def gradient_like(self) -> bool:
        """Whether the map is a derivative or acts like one."""
        composite = self.composite()
        unfinished = type(self).finish is Backward.finish
        return composite.seed == "one" and not composite.relevance and unfinished

    def network(self, model: Any, options: Options) -> Network:
        """See `Method.network`."""
        return WalkedNetwork(model, options, self, replace(self.composite(), name=self.name))

    def finish(self, x: np.ndarray, r: np.ndarray, entry: Entry) -> np.ndarray:
        """The map of an entry, from what arrives there."""
        return r

    def attribute(self, network: Any, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """See `Method.attribute`."""
        composite = network.composite
        result: Result = network.relevance(rows, data, request.batch_size, request.record)
        request.tick(len(data))
        started = result.details.pop("started")
        if composite.relevance:
            # Of a callable, the score may differ from what starts, derivative times output: told as well.
            result.gap = (result.score if composite.seed == "score" else started) - total(result.maps)
        explained = zip(network.of_explained(rows), result.maps, network.explained, strict=True)
        result.maps = [self.finish(x, r, entry) for x, r, entry in explained]
        return result


@dataclass(frozen=True, eq=False)
class Composed(Backward):
    """A composite of a user's own as a method.

    Args:
        rows: the composite.
    """

    rows: Composite = field(default=GRADIENT, metadata=FIXED)

    def composite(self) -> Composite:
        """The rows that were given."""
        return self.rows

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Of a registered name, the name: rows hold functions, which `pickle` may not take along."""
        registered = METHODS.get(self.name)
        known = isinstance(registered, Composed) and registered.rows is self.rows
        return (_registered, (self.name,)) if known else super().__reduce_ex__(protocol)


def _registered(name: str) -> Method:
    if name not in METHODS:
        raise UnknownNameError(f"This process knows no method {name!r}. Call register_method here, too.")
    return METHODS[name]
