"""What a step can know of its place in the graph: first, last, signs of its input, gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from innexplain.graph.kinds import ACTIVATION, KERNEL, NORMALIZE, PRODUCT, RELU, ROUTE, SCALE, WINNER
from innexplain.graph.step import Facts, Graph, Step


def annotate(graph: Graph) -> Graph:
    """The graph with the facts of every step filled in."""
    active = graph.active()
    signs = _nonnegative(graph)
    bounded = [_squashed(graph, capped_relu) for capped_relu in (False, True)]
    firsts = _touch_entries(graph, active)
    layers = [s for s in graph.steps if _counts(s) and active.intersection(s.inputs)]
    index: dict[tuple[int, int], int] = {}
    for step in layers:
        index.setdefault((id(step.operation), step.call), len(index))
    kernels = [s for s in layers if s.kind == KERNEL]
    last = kernels[-1].operation if kernels else None
    steps = []
    for step in graph.steps:
        facts = Facts(
            first=id(step) in firsts,
            last=step.kind == KERNEL and step.operation is last,
            index=index.get((id(step.operation), step.call)),
            nonnegative=all(slot in signs for slot in step.inputs),
            gates=_gates(step, bounded, active),
            keeps_zero=_keeps_zero(step),
            rectifies=_is_plain_relu(step),
        )
        steps.append(replace(step, facts=facts))
    return graph.with_steps(steps)


def _counts(step: Step) -> bool:
    """Whether a step counts as a layer when layers are numbered: not what only moves values."""
    return step.kind != ROUTE


def _touch_entries(graph: Graph, active: set[int]) -> set[int]:
    """The kernel steps that nothing with a kernel stands before, on no way from an entry.

    A sum or concatenation of an entry with what a kernel computed is no entry any more.
    """
    fresh = {e.slot for e in graph.explained}
    firsts = set()
    for step in graph.steps:
        reads = active.intersection(step.inputs)
        if not reads or not fresh.issuperset(reads):
            continue
        if step.kind == KERNEL:
            firsts.add(id(step))
        else:
            fresh.update(step.outputs)
    return firsts


def _setting(step: Step, name: str, default: Any = 0) -> Any:
    """What a layer or operation was made with, such as its slope."""
    return getattr(step.applied, name, default) or default


def _is_plain_relu(step: Step) -> bool:
    if step.kind != RELU or step.traits.leaks:
        return False
    return _setting(step, "negative_slope") == 0 and _setting(step, "threshold") >= 0


def _nonnegative(graph: Graph) -> set[int]:
    """The slots whose values are never below zero, whatever the input."""
    known: set[int] = set()
    for step in graph.steps:
        kept = _keeps_sign(step) and bool(step.inputs) and known.issuperset(step.inputs)
        if kept or step.traits.never_negative or _is_plain_relu(step):
            known.update(step.outputs)
    return known


def _keeps_sign(step: Step) -> bool:
    """Interpolation may overshoot."""
    return step.traits.keeps_sign and _setting(step, "interpolation", "nearest") in ("nearest", "bilinear")


def _squashed(graph: Graph, capped_relu: bool) -> set[int]:
    """The slots that hold the output of a bounded non-linearity, moved or scaled by constants.

    A capped ReLU is one in hard sigmoids, and a plain activation elsewhere.
    """
    known: set[int] = set()
    for step in graph.steps:
        passes = step.kind in (ROUTE, SCALE) and bool(step.inputs) and known.issuperset(step.inputs)
        if passes or step.traits.bounded or (capped_relu and _is_capped(step)):
            known.update(step.outputs)
    return known


def _is_capped(step: Step) -> bool:
    return step.kind == RELU and (step.traits.capped or _setting(step, "max_value", None) is not None)


def _gates(step: Step, bounded: Sequence[set[int]], active: set[int]) -> frozenset[int]:
    """The inputs of a product that only weigh the one signal; empty if that cannot be told."""
    if step.kind == PRODUCT:
        for known in bounded:
            gates = frozenset(s for s in step.inputs if s in known or s not in active)
            if len(gates) == len(step.inputs) - 1 and _is_linear_without(step, gates):
                return gates
    return frozenset()


def _is_linear_without(step: Step, gates: frozenset[int]) -> bool:
    """Whether a product is linear in its one input that is no gate."""
    if step.traits.quotient:
        return step.inputs[0] not in gates  # signal / gate, not gate / signal
    return step.traits.gated and not _setting(step, "normalize", False)  # cosines, by the layer Dot


def _keeps_zero(step: Step) -> bool:
    """See `Facts`; `False` where it cannot be told."""
    if step.kind == RELU:
        return _setting(step, "negative_slope") == 0 or _setting(step, "threshold") == 0
    if step.kind in (ACTIVATION, SCALE, NORMALIZE):
        return step.traits.zero_at_zero and not np.any(getattr(step.applied, "offset", 0))
    return step.kind in (ROUTE, WINNER) and _setting(step, "interpolation", "nearest") == "nearest"
