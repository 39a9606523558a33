"""PatternNet and PatternAttribution, with any signal estimator.

Reference: Kindermans et al. 2018.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from innexplain.analyzers.backward import BackwardAnalyzer
from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.core import Core, Options, Request, Result, Rows
from innexplain.arguments import check_choice
from innexplain.composites import Composite, Row, is_linear, kind_is, pattern_composite
from innexplain.errors import ArgumentError, NotFittedError
from innexplain.graph import kinds
from innexplain.graph.step import Step
from innexplain.graph.trace import trace
from innexplain.numerics import accumulation_dtype
from innexplain.patterns import ESTIMATORS, PatternComputer, Patterns
from innexplain.patterns.sites import Site, find_sites
from innexplain.rules import FilterSignal, Gradient, IdentitySignal, PatternSignal, Rule, Unfitted, Z

__all__ = ["PATTERN_METHODS", "PatternAnalyzer"]


class PatternAnalyzer(BackwardAnalyzer):
    """A backward pass with patterns in the place of kernels; patterns are given, or fitted by `fit`.

    Args:
        model: the user's model.
        options: arguments of every analyzer.
        name: `"pattern.net"` or `"pattern.attribution"`.
        patterns: fitted for this model, if there are any.
        estimator: one of `ESTIMATORS`.
        head: `"two-component"` or `"linear"`, which takes a for layers without a ReLU behind them.  Two
            components need a-; where patterns were fitted without, a+ stands in for it, also at outputs
            that are not above zero, and nothing is said.
    """

    def __init__(
        self, model: Any, options: Options, name: str, patterns: Patterns | None, estimator: str, head: str
    ) -> None:
        self.estimator = check_choice("estimator", estimator, ESTIMATORS)
        self.head = check_choice("head", head, ("two-component", "linear"))
        self.options = options
        self.patterns: Patterns | None = None
        super().__init__(Core(model, options, _composite(name, self._unfitted()), graph_needed=True), name)
        if patterns is not None:
            self._use(patterns)
        elif not self._needed:
            self._use(Patterns({}, {}, {}))

    @property
    def needs_fit(self) -> bool:  # type: ignore[override]
        """Whether there are no patterns yet."""
        return self.patterns is None

    @property
    def _needed(self) -> tuple[str, ...]:
        """The types of patterns that the estimator asks for."""
        types = ESTIMATORS[self.estimator]
        return (*types, "linear") if self.head == "linear" and types and "linear" not in types else types

    def fit(self, dataset: Any, progress: bool = True, batch_size: int = 32) -> PatternAnalyzer:
        """Fit the patterns that the estimator needs; see `PatternComputer.fit`.

        Returns:
            The analyzer itself, ready to `analyze`.
        """
        if self._needed:
            computer = PatternComputer(self.model, self._needed, output=self.options.output)
            self._use(computer.fit(dataset, progress, batch_size))
        return self

    def explain(self, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """Explain rows, see `Analyzer.explain`."""
        if self.patterns is None:
            raise NotFittedError(
                f"{self.name} needs patterns and has none yet. Call its fit(dataset) with training data "
                "first, or create it with patterns=PatternComputer(model, "
                f"{list(self._needed)}).fit(dataset). Analyzers around it, such as smoothgrad, take it as "
                "an object: analyzer=the_fitted_one."
            )
        return super().explain(rows, data, request)

    def _use(self, patterns: Any) -> None:
        if not isinstance(patterns, Patterns):
            raise ArgumentError(
                "patterns must be what PatternComputer(model).fit(dataset) returns, or Patterns.load. "
                f"Received: {type(patterns).__name__}"
            )
        if self._needed:
            patterns.require(trace(self.model))
            self._require_types(patterns)
        self.patterns = patterns
        rows = self._fitted(patterns)
        self.core = Core(self.model, self.options, _composite(self.name, rows), graph_needed=True)

    def _require_types(self, patterns: Patterns) -> None:
        """All that the estimator asks for, but for a-, which a+ stands in for."""
        fitted = patterns.pattern_types
        if not set(self._needed) - {"relu.negative"} <= set(fitted):
            raise ArgumentError(
                f"estimator={self.estimator!r} with head={self.head!r} needs patterns of the types "
                f"{list(self._needed)}. Received: patterns of the types {list(fitted)}. Fit them with "
                f"PatternComputer(model, {list(self._needed)}), or choose another estimator."
            )

    def _unfitted(self) -> tuple[Row, ...]:
        return (Row(_has_kernel, Unfitted()),)

    def _fitted(self, patterns: Patterns) -> tuple[Row, ...]:
        graph = self.core.canonical.graph
        consumers = graph.consumers()
        rows = []
        for site in find_sites(graph):
            gated = all(_ends_in_relu(gate, consumers) for _, gate in site.calls)
            rule = self._rule(site, patterns, gated)
            rows.append(Row(_is_call(site), rule))
        return tuple(rows)

    def _rule(self, site: Site, patterns: Patterns, gated: bool) -> Rule:
        attribution = self.name == "pattern.attribution"
        if self.estimator == "S_x":
            return Z() if attribution else IdentitySignal()
        if self.estimator == "S_w":
            return FilterSignal(attribution, site.neurons.kernel_axes)
        if self.estimator == "S_a" or (self.head == "linear" and not gated):
            return PatternSignal(attribution, _tensor(patterns.of_site(site.key, "linear"), site))
        positive = _tensor(patterns.of_site(site.key, "relu"), site)
        if gated or "relu.negative" not in patterns.pattern_types:
            return PatternSignal(attribution, positive)
        return PatternSignal(
            attribution, positive, _tensor(patterns.of_site(site.key, "relu.negative"), site)
        )


def _tensor(pattern: np.ndarray, site: Site) -> Any:
    """Outside the compiled function, so that it holds the pattern by reference and not as text."""
    return ops.convert_to_tensor(pattern, accumulation_dtype(site.part.layer.variable_dtype))


def _composite(name: str, linear: tuple[Row, ...]) -> Composite:
    return pattern_composite(name, (*linear, Row(_is_scale, Gradient())))


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


def _net(
    model: Any,
    options: Options,
    *,
    patterns: Patterns | None = None,
    estimator: str = "S_a+-",
    head: str = "two-component",
) -> Analyzer:
    """PatternNet: the signal that the network sees, `S(x)` of every layer down to the input.

    The backward pass of the gradient with every kernel w replaced by the pattern a, started from the logit.

    Args:
        patterns: what `PatternComputer` fitted; `None` to call `fit` later.
        estimator: `"S_a+-"` (default: two-component), `"S_a"` (linear), `"S_w"` (filter), `"S_x"` (identity).
        head: `"linear"` takes a for layers without a ReLU behind them, `"two-component"` (default) a+ for
            outputs above zero and a- for the others (a+ for all if no a- was fitted).
    """
    return PatternAnalyzer(model, options, "pattern.net", patterns, estimator, head)


def _attribution(
    model: Any,
    options: Options,
    *,
    patterns: Patterns | None = None,
    estimator: str = "S_a+-",
    head: str = "two-component",
) -> Analyzer:
    """PatternAttribution: how much each part of the signal contributes to the score.

    As PatternNet, with kernels `w * a`, element by element.  With `estimator="S_x"` it is LRP's z rule, with
    `"S_w"` the w^2 rule, gated as the gradient.

    Args:
        patterns, estimator, head: as for `pattern.net`.
    """
    return PatternAnalyzer(model, options, "pattern.attribution", patterns, estimator, head)


PATTERN_METHODS = {"pattern.net": _net, "pattern.attribution": _attribution}
