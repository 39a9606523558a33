"""The softmax or sigmoid that an output ends in: find it, and take it off."""

from __future__ import annotations

from dataclasses import replace

from innexplain.graph.kinds import NOTHING
from innexplain.graph.step import Exit, Graph, Step


def hands_on(step: Step) -> bool:
    """Whether a step gives the numbers that it is given, in their order."""
    return step.traits.keeps_order and len(step.inputs) == 1


def _tail(graph: Graph, slot: int) -> list[Step]:
    """The steps from the softmax or sigmoid that an output ends in to that output; none if there is none."""
    producers = graph.producers()
    step, tail = producers.get(slot), []
    while step is not None and step.traits.head is None:
        if not hands_on(step):
            return []
        tail.append(step)
        step = producers.get(step.inputs[0])
    return [] if step is None else [step, *reversed(tail)]


def find_head(graph: Graph, slot: int) -> Step | None:
    """The softmax or sigmoid step that an output ends in, seen through reshapes and the like."""
    tail = _tail(graph, slot)
    return tail[0] if tail else None


def taken_off(head: Step) -> Step:
    """A step in the place of a softmax or sigmoid that hands its input on."""
    return replace(head, inputs=head.inputs[:1], function=lambda z: [z], traits=NOTHING, part="stripped head")


def strip_output(graph: Graph, number: int) -> Graph:
    """The graph with the head of one output taken off; all other readers still get the softmax."""
    exit_ = graph.exits[number]
    tail = _tail(graph, exit_.slot)
    if not tail:
        return graph
    values = dict(graph.values)
    renamed: dict[int, int] = {}
    copies = []
    fresh = 1 + max(slot for step in graph.steps for slot in (*step.outputs, *step.inputs))
    for step in (taken_off(tail[0]), *tail[1:]):
        inputs = tuple(renamed.get(slot, slot) for slot in step.inputs)
        for slot in step.outputs:
            renamed[slot], fresh = fresh, fresh + 1
            if slot in values:
                values[renamed[slot]] = values[slot]
        copies.append(replace(step, inputs=inputs, outputs=tuple(renamed[s] for s in step.outputs)))
    exits = list(graph.exits)
    exits[number] = Exit(renamed[exit_.slot], exit_.name)
    graph = replace(graph, steps=(*graph.steps, *copies), exits=tuple(exits), values=values)
    return graph.ancestors(*(e.slot for e in exits))
