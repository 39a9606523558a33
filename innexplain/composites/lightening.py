"""Which sums may spare themselves a look at what they add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from innexplain.graph.kinds import ROUTE, WINNER
from innexplain.graph.step import Step
from innexplain.rules import Gate, Gradient, Pass, PositiveShares, Shares
from innexplain.rules.linear import LinearRule
from innexplain.rules.routing import Follow


def lightened(assignments: Sequence[Any], starts: set[int], exits: set[int]) -> list[Any]:
    """Assignments, with lighter rules for sums at which relevance arrives in proportion to the sum.

    Nothing then arrives at a sum of zero, and little at one that nearly cancels.  Behind a rule that does
    not look at values (flat), a sigmoid or a shift, a sum has to watch for both.

    Args:
        assignments: steps with a rule each, in the graph's order; anything that is no rule may be among them.
        starts: the slots at which relevance starts whatever their value.
    """
    heedless, signed, answer = set(starts), set(exits), []
    for assignment in reversed(assignments):
        step, rule = assignment.step, assignment.rule
        heeded = heedless.isdisjoint(step.outputs)
        lighter = _lighter(rule, heeded, heeded and signed.isdisjoint(step.outputs))
        answer.append(replace(assignment, rule=lighter))
        if not _heeds(step, rule, heeded):
            heedless.update(step.inputs)
        if not (heeded and step.facts.rectifies and type(rule) in (Pass, Gradient)):
            signed.update(step.inputs)
    return answer[::-1]


def _lighter(rule: Any, heeded: bool, rectified: bool) -> Any:
    if heeded and type(rule) is Shares:
        return replace(rule, equal=False, rectified=rectified)
    return replace(rule, rectified=True) if rectified and _heeds_input(rule) else rule


def _heeds(step: Step, rule: Any, heeded: bool) -> bool:
    """Whether relevance leaves a step in proportion to its inputs, if it arrives so or not.

    Of rules that users derive from ours nothing is known.
    """
    if step.linear is not None:
        return _heeds_input(rule)
    if type(rule) is Pass:  # relevance stays at its place, which the value may not
        return heeded and step.facts.keeps_zero and step.kind not in (ROUTE, WINNER)
    if type(rule) in (Follow, Gradient):
        return heeded and step.facts.keeps_zero
    return heeded and type(rule) in (Gate, PositiveShares, Shares)


def _heeds_input(rule: Any) -> bool:
    """Whether the class of a rule says so itself."""
    return isinstance(rule, LinearRule) and vars(type(rule)).get("heeds_input", False)
