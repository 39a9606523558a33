"""Layer-wise relevance propagation, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from innexplain.arguments import check_count
from innexplain.composites.composite import Composite, Refuse, Row
from innexplain.composites.predicates import index_between, is_first, is_linear, kind_is
from innexplain.composites.presets import NO_DERIVATIVE
from innexplain.errors import ArgumentError
from innexplain.graph import kinds
from innexplain.graph.step import Step
from innexplain.rules import Bounded, Gate, Gradient, Pass, PositiveShares, Rule, Shares, Z
from innexplain.rules.lrp import RULE_NAMES
from innexplain.rules.routing import Follow


@dataclass(frozen=True)
class Placement:
    """Where a method departs from its main rows; each given by a rule or its name.

    Args:
        input_layer_rule: for the layers that touch an input; `(low, high)` means the bounded rule.
        until_layer_idx: up to and with this layer number, `until_layer_rule` is used.
        until_layer_rule: see there.
        bn_rule: for batch norms that could not be folded into a neighbour.
    """

    input_layer_rule: Any = None
    until_layer_idx: int | None = None
    until_layer_rule: Any = None
    bn_rule: Any = None

    def on(self, composite: Composite) -> Composite:
        """A composite with the rows of this placement before its own.

        Raises:
            ArgumentError: a rule is none, or `until_layer_idx` is no number of a layer; one too large is
                told when rows meet a graph.
        """
        if self.until_layer_idx is not None:
            composite = replace(composite, until=check_count("until_layer_idx", self.until_layer_idx, 0))
        return composite.prepend(self._rows(composite))

    def _rows(self, composite: Composite) -> tuple[Row, ...]:
        rows = []
        if self.input_layer_rule is not None:
            rows.append(Row(is_first, composite.resolve(_boxed(self.input_layer_rule))))
        if (self.until_layer_idx is None) != (self.until_layer_rule is None):
            raise ArgumentError(
                "until_layer_idx and until_layer_rule go together. Received: "
                f"until_layer_idx={self.until_layer_idx!r}, until_layer_rule={self.until_layer_rule!r}"
            )
        if self.until_layer_idx is not None:
            rule = composite.resolve(self.until_layer_rule)
            rows.append(Row(index_between(0, self.until_layer_idx), rule))
        if self.bn_rule is not None:
            rows.append(Row(_is_batch_norm, composite.resolve(self.bn_rule)))
        return tuple(rows)


def _is_batch_norm(step: Step) -> bool:
    return step.traits.batch_norm


def _boxed(rule: Any) -> Any:
    """A rule or its name as it is, a pair as the box rule."""
    if isinstance(rule, (str, Rule)):
        return rule
    if isinstance(rule, (tuple, list)) and len(rule) == 2:
        return Bounded(*rule)
    raise ArgumentError(
        "input_layer_rule must be a rule, its name, or a pair (low, high) for the box rule, each a number or "
        f"one number a channel. Received: input_layer_rule={rule!r}"
    )


def everywhere(rule: Rule) -> tuple[Row, ...]:
    """One rule for every layer with a kernel."""
    return (Row(is_linear, rule),)


def _is_dense(step: Step) -> bool:
    return is_linear(step) and step.traits.dense


def dense_and_rest(dense: Rule, rest: Rule) -> tuple[Row, ...]:
    """One rule for dense layers, another for convolutions."""
    return (Row(_is_dense, dense), Row(is_linear, rest))


def _is_norm(step: Step) -> bool:
    return is_linear(step) and step.kind == kinds.SCALE


def _norm_rule(linear: Sequence[Row]) -> Rule:
    """The rule for batch norms on their own: `s x / (s x + t)` of the relevance goes on.

    That is the z rule on one weight: relevance of rules that multiply by their input is proportional to
    the batch norm's output, and stays finite.  Rules that know no biases leave t out, and all of it goes on.
    """
    heed = any(getattr(row.rule, "bias", False) for row in linear)
    return Z() if heed else Pass()


def lrp_composite(
    name: str, linear: Sequence[Row], sums: Rule | None = None, seed: str = "score"
) -> Composite:
    """A method of relevance propagation.

    Args:
        name: the analyzer's name.
        linear: the rows for linear parts.
        sums: the rule where values are added or averaged.
        seed: what relevance starts from, see `BackwardModel`.

    Raises:
        ArgumentError: what is given for rows are none.
    """
    if isinstance(linear, Rule) or not all(isinstance(row, Row) for row in linear):
        raise ArgumentError(
            "lrp_composite needs rows, such as everywhere(rule), dense_and_rest(dense, rest) or "
            f"Row(condition, rule). Received: {linear!r}"
        )
    sums = Shares() if sums is None else sums
    rows = (
        *NO_DERIVATIVE,
        Row(kind_is(kinds.RECURRENT), Refuse("there is no rule for recurrent layers")),
        Row(kind_is(kinds.ATTENTION), Refuse("there is no rule for attention layers")),
        Row(kind_is(kinds.WRAPPER), Refuse("a wrapper hides what is inside it")),
        Row(kind_is(kinds.OPAQUE), Refuse("custom code: nothing is known of what it computes")),
        Row(_is_norm, _norm_rule(linear)),
        *linear,
        Row(kind_is(kinds.SUM, kinds.MEAN), sums),
        Row(kind_is(kinds.LINEAR), Shares()),
        Row(lambda step: step.traits.pads, Follow()),
        Row(kind_is(kinds.WINNER, kinds.ROUTE), Gradient()),
        Row(kind_is(kinds.SCALE, kinds.NORMALIZE, kinds.RELU, kinds.ACTIVATION), Pass()),
        Row(_is_gated, Gate()),
        Row(kind_is(kinds.PRODUCT), Refuse("neither a signal times nor a signal divided by gates (sigmoid)")),
    )
    return Composite(name, rows, named=RULE_NAMES, seed=seed, relevance=True)


def _is_gated(step: Step) -> bool:
    return step.kind == kinds.PRODUCT and bool(step.facts.gates)


def positive_composite(name: str, linear: Sequence[Row], seed: str) -> Composite:
    """A method whose relevance never becomes negative."""
    return lrp_composite(name, linear, PositiveShares(), seed)
