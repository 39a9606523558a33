"""Conditions on a step, for the rows of a composite."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable

from innexplain.graph.step import Step

Predicate = Callable[[Step], bool]


def kind_is(*kinds: str) -> Predicate:
    """Steps of one of the kinds of `innexplain.graph.kinds`."""
    return lambda step: step.kind in kinds


def type_is(*types: type | str) -> Predicate:
    """Steps of layers of one of the classes, given as classes or by name."""
    names = tuple(t for t in types if isinstance(t, str))
    classes = tuple(t for t in types if not isinstance(t, str))
    return lambda step: isinstance(step.operation, classes) or step.type_name in names


def name_is(pattern: str) -> Predicate:
    """Steps whose layer's name fits a pattern such as `"block1_*"`."""
    return lambda step: fnmatch.fnmatchcase(step.path[-1], pattern)


def path_starts(*path: str) -> Predicate:
    """Steps inside a nested model: whose path begins with the given names."""
    return lambda step: step.path[: len(path)] == path


def index_between(low: int, high: int) -> Predicate:
    """Steps of the layers numbered `low` to `high`, both included.

    Layers are numbered from 0 at the input, in the order in which they run; layers that only move values
    (reshapes, paddings, dropout) have no number.
    """
    return lambda step: step.facts.index is not None and low <= step.facts.index <= high


def is_first(step: Step) -> bool:
    """Kernel steps with no other one between them and an input; there may be several."""
    return step.facts.first


def is_last(step: Step) -> bool:
    """The last layer with a kernel."""
    return step.facts.last


def is_linear(step: Step) -> bool:
    """Linear parts: of kernel layers, and batch norms that could not be folded into one."""
    return step.linear is not None
