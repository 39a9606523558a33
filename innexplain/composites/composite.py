"""Which step gets which rule: ordered rows, first match wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from innexplain.composites.lightening import lightened
from innexplain.composites.predicates import Predicate
from innexplain.composites.registered import Registered, registered_rule
from innexplain.errors import (
    ArgumentError,
    NothingOverriddenError,
    UnknownNameError,
    UnsupportedLayerError,
    nearest,
)
from innexplain.graph.kinds import DISCRETE, EMBEDDING, MASK
from innexplain.graph.step import Graph, Step
from innexplain.rules import Gradient, Pass, Rule

Rules = Mapping[Any, Any] | Sequence[tuple[Any, Any]] | None


@dataclass(frozen=True)
class Refuse:
    """Stands in a row in place of a rule: the method has none for such a step, and why.

    Args:
        reason: what stands in the way.
        final: whether no rule and no other method could help, since nothing arrives at the step.
    """

    reason: str
    final: bool = False


@dataclass(frozen=True)
class Row:
    """A condition on a step, and the rule for steps that meet it."""

    predicate: Predicate
    rule: Rule | Refuse


@dataclass(frozen=True)
class Assignment:
    """A step and what a composite decided for it."""

    step: Step
    rule: Rule | Refuse

    @property
    def supported(self) -> bool:
        """Whether the step has a rule."""
        return isinstance(self.rule, Rule)


def check_unsupported(unsupported: Any) -> None:
    """Raise if it says nothing of what becomes of layers without a rule."""
    if unsupported not in ("error", "gradient"):
        raise ArgumentError(
            f"unsupported must be 'error' or 'gradient'. Received: unsupported={unsupported!r}"
        )


def _predicate(graph: Graph, address: Any) -> Predicate:
    """What an address of `rules=` means: a type, a condition on a step, or steps of the graph."""
    if isinstance(address, type):
        return lambda step: isinstance(step.operation, address)
    if callable(address) and not isinstance(address, keras.Operation):
        return address
    found = {id(step) for step in graph.find(address)}
    return lambda step: id(step) in found


def _dead_end(assignment: Assignment) -> Assignment:
    """What an assignment becomes where a step passes no floats on, and no other path leads to the output."""
    reason = "it passes no floats on, so nothing with a derivative leads from it to the output"
    return Assignment(assignment.step, Refuse(reason, final=True))


def _leads_through(rule: Rule, step: Step) -> bool:
    """Whether a rule known by name brings something back through a step."""
    if step.kind in (DISCRETE, EMBEDDING):
        return step.kind == DISCRETE and isinstance(rule, Pass)
    return rule.suits(step)


@dataclass(frozen=True)
class Composite:
    """A method as an ordered list of rows.

    Args:
        name: the analyzer's name, for messages.
        rows: tried in order; a step that meets none is refused.
        named: what the rule names of `rules=` and `register_rule` mean in this method.
        overrides: the class of rule that the method is about; a model without one is an error.
        seed: what relevance starts from, see `BackwardModel`.
        relevance: whether what travels is relevance, the sum of which is kept.
        folded: whether batch norms and paddings are folded into the linear parts beside them; always so for
            relevance.
        until: the largest layer number that the rows speak of, to be checked against the model.
    """

    name: str
    rows: tuple[Row, ...]
    named: Mapping[str, Rule] = field(default_factory=lambda: {"gradient": Gradient()})
    overrides: type[Rule] | None = None
    seed: str = "one"
    relevance: bool = False
    folded: bool = False
    until: int | None = None

    def prepend(self, rows: Sequence[Row]) -> Composite:
        """The same method with further rows tried first."""
        return replace(self, rows=(*rows, *self.rows))

    def assign(
        self, graph: Graph, rules: Rules = None, unsupported: str = "error", keep: int | None = None
    ) -> list[Assignment]:
        """Decide for every step that relevance passes through, in the graph's order.

        Args:
            graph: a canonical graph.
            rules: the caller's own rows: layer object, type, name, path tuple or condition -> rule or
                name of a rule; a dict, or a list of pairs.
            unsupported: `"error"` leaves refusals, `"gradient"` puts the gradient in their place.
            keep: the slot at which relevance stops; of the entries, if there is none.

        Raises:
            AddressError: an address in `rules` matches nothing.
            ArgumentError: a rule in `rules` is none, or suits none of the steps that it is given for; the
                model has fewer layers than the rows speak of.
        """
        check_unsupported(unsupported)
        self._check_until(graph)
        active = graph.active(keep)
        steps = [s for s in graph.steps if active.intersection(s.inputs) and s.kind != MASK]
        own = self._own_rows(graph, steps, rules)
        answer = [Assignment(step, self._decide(step, own)) for step in steps]
        if not any(e.slot in active for e in graph.exits):
            answer = [a if active.intersection(a.step.outputs) else _dead_end(a) for a in answer]
        if unsupported == "gradient":
            answer = [Assignment(a.step, Gradient()) if _helped(a.rule) else a for a in answer]
        exits = {e.slot for e in graph.exits}
        starts = exits if self.seed == "one" else set()
        return lightened(answer, starts, exits)

    def require(self, assignments: list[Assignment]) -> None:
        """Raise if a step is refused, or if nothing is overridden where that is the method's point."""
        refused = [a for a in assignments if not a.supported]
        if refused:
            raise UnsupportedLayerError(self._refusal(refused))
        if self.overrides and not any(isinstance(a.rule, self.overrides) for a in assignments):
            raise NothingOverriddenError(
                f"{self.name} replaces the backward pass of ReLUs, and this model has none between the "
                "explained output and the input; the result would be the plain gradient. Use "
                "'gradient', or name your own ReLU-like layers with rules={layer: 'relu'}."
            )

    def _check_until(self, graph: Graph) -> None:
        last = max((s.facts.index for s in graph.steps if s.facts.index is not None), default=-1)
        if self.until is not None and self.until > last:
            raise ArgumentError(
                f"until_layer_idx must be the number of a layer, from 0 at the input to {last} in this model "
                f"(layers that only move values have none). Received: until_layer_idx={self.until}"
            )

    def _own_rows(self, graph: Graph, steps: Sequence[Step], rules: Rules) -> list[Row]:
        pairs = list(rules.items()) if isinstance(rules, Mapping) else list(rules or ())
        rows = []
        for pair in pairs:
            if not (isinstance(pair, tuple) and len(pair) == 2):
                raise ArgumentError(
                    "rules must be a dict address -> rule, or a list of pairs (address, rule). "
                    f"Received: {pair!r}"
                )
            row = Row(_predicate(graph, pair[0]), self.resolve(pair[1]))
            self._require_suited(row, pair, [step for step in steps if row.predicate(step)])
            rows.append(row)
        return rows

    def _require_suited(self, row: Row, pair: tuple[Any, Any], steps: Sequence[Step]) -> None:
        """Raise if a row of the caller's meets steps, and its rule is meant for none of them."""
        if steps and not any(isinstance(row.rule, Rule) and row.rule.suits(step) for step in steps):
            shown = ", ".join(f"{step} ({step.type_name}, of kind {step.kind!r})" for step in steps[:5])
            names = sorted({name for step in steps for name in self._names_for(step)})
            raise ArgumentError(
                f"{self.name} cannot use this rule of rules=: it is not meant for {shown}. Expected "
                f"{_one_of(names)}. Received: {{{pair[0]!r}: {pair[1]!r}}}"
            )

    def _names_for(self, step: Step) -> list[str]:
        """The rule names that can work for a step."""
        return sorted(name for name, rule in self.named.items() if _leads_through(rule, step))

    def _decide(self, step: Step, own: list[Row]) -> Rule | Refuse:
        registered = registered_rule(step.operation)
        for row in (*own, *self._registered_rows(registered), *self.rows):
            if isinstance(row.rule, Refuse) and row.predicate(step):
                return replace(row.rule, reason=row.rule.reason + self._unused(registered))
            if isinstance(row.rule, Rule) and row.predicate(step) and row.rule.suits(step):
                return row.rule
        return Refuse(f"no rule for steps of kind {step.kind!r}" + self._unused(registered))

    def _registered_rows(self, registered: Registered | None) -> list[Row]:
        """A row for what is registered; none for a name that only other methods know."""
        if registered is None or (isinstance(registered.rule, str) and registered.rule not in self.named):
            return []
        return [Row(lambda step: True, self.resolve(registered.rule))]

    def _unused(self, registered: Registered | None) -> str:
        """What a refusal tells of a registered rule: it was looked at, and could not be used."""
        if registered is None:
            return ""
        owner = registered.layer_type.__name__
        return f" ({registered.rule!r}, registered for {owner}, is no rule for it in {self.name})"

    def resolve(self, rule: Any) -> Rule:
        """The rule that a name or object stands for in this method."""
        if isinstance(rule, Rule):
            return rule
        if isinstance(rule, str) and rule in self.named:
            return self.named[rule]
        if isinstance(rule, str):
            raise UnknownNameError(
                f"A rule of {self.name} must be one of {sorted(self.named)} or a Rule object. "
                f"Received: {rule!r}." + nearest(rule, self.named)
            )
        raise ArgumentError(
            f"A rule must be one of the names {sorted(self.named)} or an instance of "
            f"innexplain.rules.Rule. Received: {rule!r}"
        )

    def _refusal(self, refused: list[Assignment]) -> str:
        shown = refused[:5]
        lines = [f"{a.step} ({a.step.type_name}): {a.rule.reason}" for a in shown]  # type: ignore[union-attr]
        more = f"\n  and {len(refused) - 5} more" if len(refused) > 5 else ""
        return (
            f"{self.name} does not support {len(refused)} of the model's layers:\n  "
            + "\n  ".join(lines) + more
            + f"\n{self._ways_out(refused)} innexplain.check_model lists every layer."
        )  # fmt: skip

    def _ways_out(self, refused: list[Assignment]) -> str:
        if any(_is_final(a.rule) for a in refused):
            return (
                "No rule helps, and no other analyzer that goes backwards. Way out: explain the part of the "
                "model that begins where floats do; for tokens, keras.Model(embedding.output, model.output)."
            )
        first = refused[0].step
        ways = (
            f"Ways out: rules={{{first.path!r}: rule}} with {_one_of(self._names_for(first))}; "
            f"innexplain.register_rule({first.type_name}, rule) for every model; "
        )
        if not all(_leads_through(Gradient(), a.step) for a in refused):
            return ways + "or explain the part of the model behind it."
        return ways + (
            "unsupported='gradient' to take the gradient in all of them; or another analyzer "
            "('gradient' supports the most)."
        )


def _one_of(names: Sequence[str]) -> str:
    return f"a rule of {list(names)} or your own" if names else "a rule of your own"


def _is_final(rule: Rule | Refuse) -> bool:
    return isinstance(rule, Refuse) and rule.final


def _helped(rule: Rule | Refuse) -> bool:
    """Whether `unsupported="gradient"` changes it."""
    return isinstance(rule, Refuse) and not rule.final
