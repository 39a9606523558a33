"""What a step can know of its place in the graph: first, last, signs of its input, gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from innexplain.graph.kinds import (
    ACTIVATION,
    KERNEL,
    MEAN,
    PRODUCT,
    RELU,
    ROUTE,
    SCALE,
    SUM,
    WINNER,
    keras_type,
)  # fmt: skip
from innexplain.graph.step import Facts, Graph, Step

__all__ = ["annotate"]

# Non-linearities whose value lies between two bounds: what they compute may gate a signal.
_BOUNDED = ("sigmoid", "hard_sigmoid", "softmax", "tanh", "hard_tanh", "hardsigmoid", "hardtanh")
_NEVER_NEGATIVE = (
    "sigmoid",
    "hard_sigmoid",
    "softmax",
    "softplus",
    "exponential",
    "exp",
    "square",
    "relu6",
)


def annotate(graph: Graph) -> Graph:
    """The graph with the facts of every step filled in."""
    active = graph.active()
    signs = _nonnegative(graph)
    bounded = [_squashed(graph, capped_relu) for capped_relu in (False, True)]
    firsts = _touch_entries(graph)
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
        )
        steps.append(replace(step, facts=facts))
    return graph.with_steps(steps)


def _counts(step: Step) -> bool:
    """Whether a step counts as a layer when layers are numbered: not what only moves values."""
    return step.kind != ROUTE


def _touch_entries(graph: Graph) -> set[int]:
    """The kernel steps that nothing with a kernel stands before."""
    fresh = {e.slot for e in graph.entries if e.explained}
    firsts = set()
    for step in graph.steps:
        if not fresh.intersection(step.inputs):
            continue
        if step.kind == KERNEL:
            firsts.add(id(step))
        else:
            fresh.update(step.outputs)
    return firsts


def _name(step: Step) -> str:
    """The lower-case name of the function that an activation step applies."""
    function = getattr(step.operation, "activation", None)
    if step.part == "activation" or (function is not None and step.kind in (RELU, ACTIVATION)):
        return str(getattr(function, "__name__", type(function).__name__)).lower()
    return step.type_name.lower()


def _is_plain_relu(step: Step) -> bool:
    name = _name(step)
    if name in ("leaky_relu", "leakyrelu"):
        return False
    slope = getattr(step.operation, "negative_slope", 0) or 0
    threshold = getattr(step.operation, "threshold", 0) or 0
    return float(slope) == 0 and float(threshold) >= 0


def _nonnegative(graph: Graph) -> set[int]:
    """The slots whose values are never below zero, whatever the input."""
    known: set[int] = set()
    for step in graph.steps:
        if step.kind == RELU:
            positive = _is_plain_relu(step)
        elif step.kind == ACTIVATION:
            positive = _name(step) in _NEVER_NEGATIVE
        elif step.kind in (WINNER, MEAN, ROUTE) or _adds_or_multiplies(step):
            positive = bool(step.inputs) and known.issuperset(step.inputs) and _keeps_sign(step)
        else:
            positive = False
        if positive:
            known.update(step.outputs)
    return known


def _adds_or_multiplies(step: Step) -> bool:
    return step.kind in (SUM, PRODUCT) and step.type_name in ("Add", "Average", "Multiply")


def _keeps_sign(step: Step) -> bool:
    """Interpolation may overshoot, and raw operations may be padded with anything."""
    base = keras_type(step.operation)
    if base is None:
        return step.type_name in (
            "Add",
            "Max",
            "Mean",
            "Sum",
            "Concatenate",
            "Reshape",
            "Transpose",
        )
    overshoots = getattr(step.operation, "interpolation", "nearest") not in ("nearest", "bilinear")
    return not overshoots and not base.__name__.startswith("Random")


def _squashed(graph: Graph, capped_relu: bool) -> set[int]:
    """The slots that hold the output of a bounded non-linearity, moved or scaled by constants.

    A capped ReLU is one in hard sigmoids, and a plain activation elsewhere.
    """
    known: set[int] = set()
    for step in graph.steps:
        passes = step.kind in (ROUTE, SCALE) and bool(step.inputs) and known.issuperset(step.inputs)
        squashes = step.kind == ACTIVATION and _name(step) in _BOUNDED
        capped = getattr(step.operation, "max_value", None) is not None or _name(step) == "relu6"
        if passes or squashes or (capped_relu and step.kind == RELU and capped):
            known.update(step.outputs)
    return known


def _gates(step: Step, bounded: Sequence[set[int]], active: set[int]) -> frozenset[int]:
    """The inputs of a product that only weigh the one signal; empty if that cannot be told."""
    if step.kind == PRODUCT:
        for known in bounded:
            gates = frozenset(s for s in step.inputs if s in known or s not in active)
            if len(gates) == len(step.inputs) - 1:
                return gates
    return frozenset()
