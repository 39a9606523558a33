"""Where a graph holds what it finds for each class: the maps before a global average, or the scores."""

from __future__ import annotations

from dataclasses import dataclass

from keras import ops

from innexplain.graph.head import hands_on
from innexplain.graph.kinds import MEAN, SCALE
from innexplain.graph.step import Graph, Step


@dataclass(frozen=True)
class ClassMaps:
    """A tensor with one map, or one number, a class.

    Args:
        slot: which tensor it is.
        axis: its axis that numbers classes, -1 or counted from 0.
        count: how many classes there are.
        scored: whether the graph ends in one score a class.
        counted: the slot that tells which positions the mean counts, where a mask leaves some out.
    """

    slot: int
    axis: int
    count: int
    scored: bool = True
    counted: int | None = None


def class_maps(graph: Graph, slot: int) -> ClassMaps | None:
    """The maps that are averaged into the scores at a slot, or the scores themselves.

    `None` where the tensor has several axes and no mean over positions makes one number a class of it,
    or where its size is not known.
    """
    producers = graph.producers()
    step = producers.get(slot)
    count = _count(graph, slot)
    while step is not None and (hands_on(step) or _scales_all(graph, step)):
        step = producers.get(step.inputs[0])
    if step is not None and step.kind == MEAN and count is not None:
        axis = _kept_axis(graph, step)
        if axis is not None and graph.values[step.inputs[0]].shape[axis] == count:
            slot, axis = _averaged_before(graph, producers, step.inputs[0], axis)
            return ClassMaps(slot, axis, count, counted=step.inputs[1] if len(step.inputs) > 1 else None)
    value = graph.values.get(slot)
    if value is None or len(value.shape) != 2 or count is None:
        return None
    return ClassMaps(slot, -1, count)


def maps_of_layer(graph: Graph, slot: int) -> ClassMaps | None:
    """A layer's own output, its channels as classes."""
    value = graph.values.get(slot)
    step = graph.producers().get(slot)
    first = getattr(step.operation, "data_format", None) == "channels_first" if step else False
    axis = 1 if first else -1
    if value is None or len(value.shape) < 2 or value.shape[axis] is None:
        return None
    return ClassMaps(slot, axis, int(value.shape[axis] or 0), scored=False)


def _averaged_before(graph: Graph, producers: dict[int, Step], slot: int, axis: int) -> tuple[int, int]:
    """Where maps that are averaged axis by axis have all of their positions still, and the class axis."""
    step = producers.get(slot)
    while step is not None and step.kind == MEAN and axis in (-1, len(graph.values[slot].shape) - 1):
        before = graph.values.get(step.inputs[0])
        rank = 0 if before is None else len(before.shape)
        gone = _averaged_axes(step, rank)
        if not gone or len(step.inputs) != 1 or gone & {0, rank - 1}:
            return slot, axis
        if rank - len(gone) != len(graph.values[slot].shape):
            return slot, axis
        slot, axis = step.inputs[0], -1
        step = producers.get(slot)
    return slot, axis


def _scales_all(graph: Graph, step: Step) -> bool:
    """Whether a step multiplies every class by one positive number, as a temperature does."""
    before, after = (graph.values.get(slots[0]) for slots in (step.inputs, step.outputs))
    if step.kind != SCALE or len(step.inputs) != 1 or step.linear is not None or before is None:
        return False
    shape = [d for d in before.shape[1:] if d is not None]
    if after is None or after.shape[1:] != before.shape[1:] or len(shape) + 1 != len(before.shape):
        return False
    zero, one = (
        ops.convert_to_numpy(
            ops.cast(step.function(ops.full((1, *shape), value, before.dtype))[0], "float32")
        )
        for value in (0, 1)
    )
    return bool(not zero.any() and one.min() > 0 and one.max() - one.min() <= 1e-6 * one.max())


def _count(graph: Graph, slot: int) -> int | None:
    """How many numbers a sample has at a slot, if only one axis has more than one."""
    value = graph.values.get(slot)
    sizes = [d for d in value.shape[1:] if d != 1] if value is not None else [None]
    if not sizes:
        return 1
    return int(sizes[0]) if len(sizes) == 1 and sizes[0] is not None else None


def _averaged_axes(step: Step, rank: int) -> set[int]:
    """The axes that a mean names, counted from 0; none where it names none, or the rank is not known."""
    axes = getattr(step.operation, "axis", None)
    named = axes if isinstance(axes, (tuple, list)) else [axes]
    return {a % rank for a in named if a is not None and rank}


def _kept_axis(graph: Graph, step: Step) -> int | None:
    """The one axis besides the samples that a mean does not run over; `None` if there is no such one.

    Inputs behind the first are masks of positions.
    """
    before, after = (graph.values.get(slots[0]) for slots in (step.inputs, step.outputs))
    masks = [graph.values.get(slot) for slot in step.inputs[1:]]
    if any(m is None or "float" in m.dtype for m in masks):
        return None
    if before is None or after is None or len(before.shape) < 3:
        return None
    rank = len(before.shape)
    gone = _averaged_axes(step, rank)
    if gone:
        kept = [a for a in range(1, rank) if a not in gone]
        return kept[0] if len(kept) == 1 and 0 not in gone else None
    axis = 1 if getattr(step.operation, "data_format", None) == "channels_first" else rank - 1
    rest = [d for a, d in enumerate(after.shape) if a not in (0, axis)] if len(after.shape) == rank else []
    return axis if all(d == 1 for d in rest) else None
