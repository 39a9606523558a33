"""PatternNet and PatternAttribution, with any signal estimator.

Reference: Kindermans et al. 2018.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from keras import ops

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.walking import Backward, WalkedNetwork
from innexplain.arguments import check_choice
from innexplain.composites import Composite, Row, is_linear, kind_is, pattern_composite
from innexplain.errors import ArgumentError, NotFittedError
from innexplain.graph import kinds
from innexplain.graph.step import Graph, Step
from innexplain.graph.trace import trace
from innexplain.network import Network, Options, Request, Result, Rows
from innexplain.numerics import accumulation_dtype
from innexplain.patterns import ESTIMATORS, PatternComputer, Patterns
from innexplain.patterns.sites import Site, find_sites
from innexplain.rules import FilterSignal, Gradient, IdentitySignal, PatternSignal, Rule, Unfitted, Z


@dataclass(frozen=True, eq=False)
class Pattern(Backward):
    """The signal that the network sees, or what it contributes: patterns in the place of kernels.

    Patterns are given, or fitted by `fit`.

    Args:
        patterns: what `PatternComputer` fitted for this model; `None` to call `fit` later.
        estimator: `"S_a+-"` (default: two-component), `"S_a"` (linear), `"S_w"` (filter), `"S_x"` (identity).
        head: `"two-component"` (default) or `"linear"`, which takes a for layers without a ReLU behind them.
            Two components need a-; where patterns were fitted without, a+ stands in for it, also at outputs
            that are not above zero, and nothing is said.
    """

    reference: ClassVar[str] = "Kindermans et al. 2018"
    attribution: ClassVar[bool] = False

    patterns: Patterns | None = None
    estimator: str = "S_a+-"
    head: str = "two-component"

    def __post_init__(self) -> None:
        check_choice("estimator", self.estimator, ESTIMATORS)
        check_choice("head", self.head, ("two-component", "linear"))
        if not (self.patterns is None or isinstance(self.patterns, Patterns)):
            raise ArgumentError(
                "patterns must be what PatternComputer(model).fit(dataset) returns, or Patterns.load. "
                f"Received: {type(self.patterns).__name__}"
            )
        if self.patterns is not None and self.pattern_types:
            self._require_types(self.patterns)

    @property
    def needs_fit(self) -> bool:
        """Whether it asks for patterns and has none."""
        return self.patterns is None and bool(self.pattern_types)

    @property
    def pattern_types(self) -> tuple[str, ...]:
        """The types of patterns that the estimator asks for."""
        types = ESTIMATORS[self.estimator]
        return (*types, "linear") if self.head == "linear" and types and "linear" not in types else types

    def composite(self) -> Composite:
        """The rows without patterns: what can be said before there is a graph."""
        return self._composite((Row(_has_kernel, Unfitted()),))

    def _composite(self, linear: tuple[Row, ...]) -> Composite:
        return pattern_composite(self.name, (*linear, Row(_is_scale, Gradient())))

    def network(self, model: Any, options: Options) -> Network:
        """See `Method.network`."""
        if self.needs_fit:
            return super().network(model, options)
        if self.patterns is not None and self.pattern_types:
            self.patterns.require(trace(model))
        graph = super().network(model, replace(options, check_only=True)).graph
        return WalkedNetwork(model, options, self, self._composite(self._fitted(graph)))

    def attribute(self, network: Any, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """See `Method.attribute`."""
        if self.needs_fit:
            raise NotFittedError(
                f"{self.name} needs patterns and has none yet. Call its fit(dataset) with training data "
                "first, or create it with patterns=PatternComputer(model, "
                f"{list(self.pattern_types)}).fit(dataset). Analyzers around it, such as smoothgrad, take it "
                "as an object: analyzer=the_fitted_one."
            )
        return super().attribute(network, rows, data, request)

    def _require_types(self, patterns: Patterns) -> None:
        """All that the estimator asks for, but for a-, which a+ stands in for."""
        found = patterns.pattern_types
        if not set(self.pattern_types) - {"relu.negative"} <= set(found):
            raise ArgumentError(
                f"estimator={self.estimator!r} with head={self.head!r} needs patterns of the types "
                f"{list(self.pattern_types)}. Received: patterns of the types {list(found)}. Fit them with "
                f"PatternComputer(model, {list(self.pattern_types)}), or choose another estimator."
            )

    def _fitted(self, graph: Graph) -> tuple[Row, ...]:
        consumers = graph.consumers()
        rows = []
        for site in find_sites(graph):
            gated = all(_ends_in_relu(gate, consumers) for _, gate in site.calls)
            rows.append(Row(_is_call(site), self._rule(site, gated)))
        return tuple(rows)

    def _rule(self, site: Site, gated: bool) -> Rule:
        if self.estimator == "S_x":
            return Z() if self.attribution else IdentitySignal()
        if self.estimator == "S_w":
            return FilterSignal(self.attribution, site.neurons.kernel_axes)
        if self.estimator == "S_a" or (self.head == "linear" and not gated):
            return PatternSignal(self.attribution, self._tensor(site, "linear"))
        positive = self._tensor(site, "relu")
        if gated or self.patterns is None or "relu.negative" not in self.patterns.pattern_types:
            return PatternSignal(self.attribution, positive)
        return PatternSignal(self.attribution, positive, self._tensor(site, "relu.negative"))

    def _tensor(self, site: Site, pattern_type: str) -> Any:
        """Outside the compiled function, so that it holds the pattern by reference and not as text."""
        pattern = (self.patterns or Patterns({}, {}, {})).of_site(site.key, pattern_type)
        return ops.convert_to_tensor(pattern, accumulation_dtype(site.part.layer.variable_dtype))


@dataclass(frozen=True, eq=False)
class PatternNet(Pattern):
    """PatternNet: the signal that the network sees, `S(x)` of every layer down to the input.

    The backward pass of the gradient with every kernel w replaced by the pattern a, started from the logit.

    Args:
        patterns, estimator, head: see `Pattern`.
    """

    meaning: ClassVar[str] = "signal"


@dataclass(frozen=True, eq=False)
class PatternAttribution(Pattern):
    """PatternAttribution: how much each part of the signal contributes to the score.

    As PatternNet, with kernels `w * a`, element by element.  With `estimator="S_x"` it is LRP's z rule, with
    `"S_w"` the w^2 rule, gated as the gradient.

    Args:
        patterns, estimator, head: see `Pattern`.
    """

    attribution: ClassVar[bool] = True


class PatternAnalyzer(Analyzer):
    """An analyzer whose patterns are fitted on data."""

    method: Pattern

    @property
    def patterns(self) -> Patterns | None:
        """The patterns, if there are any."""
        return self.method.patterns

    def fit(self, dataset: Any, progress: bool = True, batch_size: int = 32) -> PatternAnalyzer:
        """Fit the patterns that the estimator needs; see `PatternComputer.fit`.

        Returns:
            The analyzer itself, ready to `analyze`.
        """
        types = self.method.pattern_types
        if types:
            computer = PatternComputer(self.model, types, output=self.options.output)
            fitted = replace(self.method, patterns=computer.fit(dataset, progress, batch_size))
            self._bind(self.model, fitted, self.options)
        return self


def _has_kernel(step: Step) -> bool:
    return is_linear(step) and step.kind != kinds.SCALE


_is_scale = kind_is(kinds.SCALE)


def _is_call(site: Site) -> Any:
    steps = {(id(step.operation), step.part, step.call) for step, _ in site.calls}
    return lambda step: (id(step.operation), step.part, step.call) in steps


def _ends_in_relu(slot: int, consumers: dict[int, list[Step]]) -> bool:
    """Whether all that reads a slot is a ReLU, which gates it."""
    found = consumers.get(slot, [])
    return bool(found) and all(step.kind == kinds.RELU for step in found)


PATTERN_METHODS: dict[str, Pattern] = {
    "pattern.net": PatternNet(),
    "pattern.attribution": PatternAttribution(),
}
