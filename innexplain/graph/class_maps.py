"""Where a graph holds what it finds for each class: the maps before a global average, or the scores."""

from __future__ import annotations

from dataclasses import dataclass

from innexplain.graph.head import ONE_TO_ONE
from innexplain.graph.kinds import MEAN, ROUTE
from innexplain.graph.step import Graph, Step

__all__ = ["ClassMaps", "class_maps", "maps_of_layer"]


@dataclass(frozen=True)
class ClassMaps:
    """A tensor with one map, or one number, a class.

    Args:
        slot: which tensor it is.
        axis: its axis that numbers classes, -1 or counted from 0.
        count: how many classes there are.
    """

    slot: int
    axis: int
    count: int


def class_maps(graph: Graph, slot: int) -> ClassMaps | None:
    """The maps that are averaged into the scores at a slot, or the scores themselves.

    `None` where the tensor has several axes and no mean over positions makes one number a class of it,
    or where its size is not known.
    """
    producers = graph.producers()
    step = producers.get(slot)
    count = _count(graph, slot)
    while step is not None and _hands_on(step):
        step = producers.get(step.inputs[0])
    if step is not None and step.kind == MEAN and count is not None:
        axis = _kept_axis(graph, step)
        if axis is not None and graph.values[step.inputs[0]].shape[axis] == count:
            return ClassMaps(step.inputs[0], axis, count)
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
    return ClassMaps(slot, axis, int(value.shape[axis] or 0))


def _hands_on(step: Step) -> bool:
    """Whether a step gives the numbers that it is given, in their order."""
    known = step.part == "stripped head" or step.type_name in ONE_TO_ONE
    return known and step.kind == ROUTE and len(step.inputs) == 1


def _count(graph: Graph, slot: int) -> int | None:
    """How many numbers a sample has at a slot, if only one axis has more than one."""
    value = graph.values.get(slot)
    sizes = [d for d in value.shape[1:] if d != 1] if value is not None else [None]
    if not sizes:
        return 1
    return int(sizes[0]) if len(sizes) == 1 and sizes[0] is not None else None


def _kept_axis(graph: Graph, step: Step) -> int | None:
    """The one axis besides the samples that a mean does not run over; `None` if there is no such one."""
    before, after = (graph.values.get(slots[0]) for slots in (step.inputs, step.outputs))
    if len(step.inputs) != 1 or before is None or after is None or len(before.shape) < 3:
        return None
    rank = len(before.shape)
    averaged = getattr(step.operation, "axis", None)
    if averaged is not None:
        gone = {a % rank for a in (averaged if isinstance(averaged, (tuple, list)) else (averaged,))}
        kept = [a for a in range(1, rank) if a not in gone]
        return kept[0] if len(kept) == 1 and 0 not in gone else None
    axis = 1 if getattr(step.operation, "data_format", None) == "channels_first" else rank - 1
    rest = [d for a, d in enumerate(after.shape) if a not in (0, axis)] if len(after.shape) == rank else []
    return axis if all(d == 1 for d in rest) else None
