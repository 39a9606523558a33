"""What a step can know of its place in the graph: first, last, signs of its input, gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from innexplain.graph.kinds import (
    ACTIVATION,
    KERNEL,
    MEAN,
    NORMALIZE,
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

# Non-linearities that are near zero where their input is, and only a bounded factor away from it.
_ZERO_AT_ZERO = (
    "tanh", "hard_tanh", "hardtanh", "softsign", "erf", "expm1", "log1p", "sin", "square", "abs", "absolute",
    "elu", "selu", "celu", "prelu", "gelu", "silu", "swish", "hard_silu", "hardsilu", "hard_swish", "mish",
    "soft_shrink", "softshrink", "hard_shrink", "hardshrink", "tanh_shrink", "tanhshrink",
)  # fmt: skip
_PURE_SCALES = ("LayerScale", "Negative", "Multiply", "Divide", "TrueDivide", "DivideNoNan")
_NORMS_WITHOUT_SHIFT = (
    "RMSNormalization", "UnitNormalization", "LocalResponseNormalization", "Normalize", "RMSNorm",
)  # fmt: skip
_QUOTIENTS = ("Divide", "TrueDivide", "DivideNoNan")


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
            rectifies=step.kind == RELU and _is_plain_relu(step),
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
    fresh = {e.slot for e in graph.entries if e.explained}
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


def _applied(step: Step) -> Any:
    """What a non-linear step applies: the function or layer behind `activation=`, or the operation itself."""
    function = getattr(step.operation, "activation", None)
    if step.part != "activation" and (function is None or step.kind not in (RELU, ACTIVATION)):
        return step.operation
    while isinstance(function, keras.layers.Activation):
        function = function.activation
    return function


def _name(step: Step) -> str:
    """The lower-case name of the function that an activation step applies."""
    function = _applied(step)
    return str(getattr(function, "__name__", type(function).__name__)).lower()


def _setting(step: Step, name: str) -> float:
    """A number that a ReLU was made with, such as its slope; zero where it has none."""
    return float(getattr(_applied(step), name, 0) or 0)


def _is_plain_relu(step: Step) -> bool:
    name = _name(step)
    if name in ("leaky_relu", "leakyrelu"):
        return False
    return _setting(step, "negative_slope") == 0 and _setting(step, "threshold") >= 0


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
        capped = getattr(_applied(step), "max_value", None) is not None or _name(step) == "relu6"
        if passes or squashes or (capped_relu and step.kind == RELU and capped):
            known.update(step.outputs)
    return known


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
    if step.type_name in _QUOTIENTS:
        return step.inputs[0] not in gates  # signal / gate, not gate / signal
    normalises = getattr(step.operation, "normalize", False)  # cosines, by the layer Dot
    return step.type_name not in ("Power", "DotProductAttention") and not normalises


def _keeps_zero(step: Step) -> bool:
    """See `Facts`; `False` where it cannot be told."""
    if step.kind == RELU:
        return _setting(step, "negative_slope") == 0 or _setting(step, "threshold") == 0
    if step.kind == ACTIVATION:
        return _name(step) in _ZERO_AT_ZERO
    if step.kind == SCALE:
        unmoved = step.type_name == "Rescaling" and not np.any(step.operation.offset)
        return unmoved or step.type_name in _PURE_SCALES
    if step.kind == NORMALIZE:
        return step.type_name in _NORMS_WITHOUT_SHIFT
    blends = getattr(step.operation, "interpolation", "nearest") != "nearest"
    return step.kind in (ROUTE, WINNER) and not blends
