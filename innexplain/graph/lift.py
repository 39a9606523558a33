"""Inputs that are no floats: what is explained in their place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keras import ops

from innexplain.errors import GraphError, UnsupportedLayerError
from innexplain.graph.kinds import DISCRETE, EMBEDDING, MASK, ROUTE
from innexplain.graph.run import carry_mask
from innexplain.graph.step import Entry, Graph, Step, Value


def lift_integers(graph: Graph) -> Graph:
    """Give every integer input a float to be explained by.

    Token inputs, also of a model that takes them as floats, are explained at the output of their embedding,
    which becomes an entry of its own; other integer inputs (8-bit images) are fed as float32.
    """
    for index, entry in enumerate(graph.entries):
        if entry.embedding is not None:
            continue
        readers = _readers(graph.consumers(), entry.slot)
        embeddings = [s for s in readers if s.kind == EMBEDDING]
        if "float" in entry.value.dtype and not (readers and readers == embeddings):
            continue
        if embeddings:
            graph = _lift_embeddings(graph, index, embeddings)
        elif "int" in entry.value.dtype:
            graph = _as_floats(graph, index, readers)
        elif entry.value.dtype == "bool":
            graph = _not_explained(graph, index)
        elif entry.value.dtype == "string":
            readers_named = ", ".join(f"{s} ({s.type_name})" for s in readers)
            raise UnsupportedLayerError(
                f"The input {entry.name!r} takes text, which goes into {readers_named}: there is no number "
                "to attribute anything to. Explain the part of the model behind it instead."
            )
    return graph


def _as_floats(graph: Graph, index: int, readers: list[Step]) -> Graph:
    """The graph with an integer input fed as floats; what looks integers up still gets integers."""
    entries, entry = list(graph.entries), graph.entries[index]
    looked_up = [s for s in readers if s.kind == DISCRETE and entry.slot in s.inputs]
    wide = "float64" if readers and looked_up == readers else "float32"  # identifiers may be large
    entries[index] = replace(entry, value=Value(entry.value.shape, wide))
    known = {id(s) for s in looked_up}
    steps = [_of_integers(s, entry) if id(s) in known else s for s in graph.steps]
    return replace(graph, steps=tuple(steps), entries=tuple(entries))


def _of_integers(step: Step, entry: Entry) -> Step:
    at = step.inputs.index(entry.slot)

    def function(*tensors: Any) -> list[Any]:
        integers = ops.cast(tensors[at], entry.value.dtype)
        return step.function(*tensors[:at], integers, *tensors[at + 1 :])

    return replace(step, function=function)


def _readers(consumers: dict[int, list[Step]], slot: int) -> list[Step]:
    """What uses a slot, seen through the casts of nested models; masks do not count."""
    answer = []
    for step in consumers.get(slot, ()):
        if step.part == "cast":
            answer.extend(_readers(consumers, step.outputs[0]))
        elif step.kind != MASK:
            answer.append(step)
    return answer


def _not_explained(graph: Graph, index: int) -> Graph:
    entries = list(graph.entries)
    entries[index] = replace(entries[index], explained=False)
    return replace(graph, entries=tuple(entries))


def _lift_embeddings(graph: Graph, index: int, embeddings: list[Step]) -> Graph:
    graph = _not_explained(graph, index)
    fresh = max([*graph.values, *(s for step in graph.steps for s in step.outputs)]) + 1
    values, entries, steps = dict(graph.values), list(graph.entries), list(graph.steps)
    for number, step in enumerate(embeddings):
        slot = fresh + number
        value = graph.values[step.outputs[0]]
        if len(value.shape) != len(graph.entries[index].value.shape) + 1:
            raise GraphError(
                f"The embedding {step} does not give one vector a token: {value.shape}. Explain the "
                "sub-model behind it instead."
            )
        dtype = "float64" if value.dtype == "float64" else "float32"
        values[slot] = Value(value.shape, dtype)
        entries.append(Entry(slot, graph.entries[index].name, values[slot], index, True, embedding=step))
        steps[steps.index(step)] = replace(
            step, inputs=(step.inputs[0], slot), function=_stand_in(step),
            traits=replace(step.traits, meaning=ROUTE), part="given",
        )  # fmt: skip
    return replace(graph, steps=tuple(steps), entries=tuple(entries), values=values)


def _stand_in(step: Step) -> Any:
    """The step that hands a given embedding on, with the mask that the tokens ask for."""

    def function(tokens: Any, embedded: Any) -> list[Any]:
        mask = step.operation.compute_mask(tokens)
        if mask is None:
            return [carry_mask(tokens, embedded)]
        embedded = embedded + 0  # the mask must not stick to the caller's own tensor
        embedded._keras_mask = mask
        return [embedded]

    return function
