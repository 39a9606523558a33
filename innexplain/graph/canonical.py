"""Bring a graph into the form that rules rely on; the user's model is never touched.

After `canonical` no kernel step has an activation inside, the final softmax or sigmoid is gone (where asked
for), every entry is a float, and only steps that the explained output depends on are left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np

from innexplain.errors import ArgumentError, HeadError, UnknownNameError, nearest
from innexplain.graph.classify import activation_kind
from innexplain.graph.facts import annotate
from innexplain.graph.folding import fold
from innexplain.graph.head import find_head, taken_off
from innexplain.graph.kinds import KERNEL, NOTHING, OPAQUE
from innexplain.graph.lift import lift_integers
from innexplain.graph.linear import linear_parts
from innexplain.graph.run import run_activation, run_linear
from innexplain.graph.step import Entry, Exit, Graph, Step


@dataclass(frozen=True)
class Canonical:
    """A graph ready for rules.

    Args:
        graph: the canonical graph of one output.
        exit: the explained output.
        head: `"softmax"`, `"sigmoid"` or `None`: the last non-linearity of the user's model.
        stripped: whether the head was taken off.
    """

    graph: Graph
    exit: Exit
    head: str | None
    stripped: bool

    @property
    def binary(self) -> bool:
        """Whether one sigmoid unit stands for two classes."""
        shape = self.graph.values[self.exit.slot].shape if self.exit.slot in self.graph.values else ()
        return self.head == "sigmoid" and len(shape) == 2 and shape[1] == 1


def canonical(
    graph: Graph, output: Any = None, pre_softmax: bool | str = "auto", folded: bool = False
) -> Canonical:
    """Select an output and bring its graph into canonical form.

    Args:
        graph: as traced.
        output: index or name of an output, or any layer, name or path inside; `None` for the only one.
        pre_softmax: `True` takes a final softmax or sigmoid off and insists on finding one, `"auto"`
            takes it off where there is one, `False` leaves it.
        folded: whether batch norms and paddings are folded into the linear parts beside them.

    Raises:
        ArgumentError: the output is unknown or ambiguous, `pre_softmax` is no such value.
        HeadError: `pre_softmax=True` without a softmax or sigmoid.
    """
    if not (isinstance(pre_softmax, bool) or (isinstance(pre_softmax, str) and pre_softmax == "auto")):
        raise ArgumentError(
            f"pre_softmax must be 'auto', True or False. Received: pre_softmax={pre_softmax!r}"
        )
    exit_ = select_exit(graph, output)
    graph = split(graph.ancestors(exit_.slot))
    found = find_head(graph, exit_.slot) if exit_ in graph.exits else None
    head = found.traits.head if found is not None else None
    if pre_softmax is True and found is None:
        raise HeadError(_no_head(graph, exit_))
    stripped = found is not None and bool(pre_softmax)
    if found is not None:
        # A softmax that the caller wants explained is part of the score, not a layer to refuse.
        own = taken_off(found) if stripped else replace(found, part="head")
        graph = graph.with_steps([own if step is found else step for step in graph.steps])
    graph = lift_integers(graph).ancestors(exit_.slot)
    graph = replace(graph, exits=(exit_,))
    graph = annotate(fold(graph) if folded else graph)
    entries = tuple(replace(e, channel_axis=_channel_axis(graph, e)) for e in graph.entries)
    return Canonical(replace(graph, entries=entries), exit_, head, stripped)


def select_exit(graph: Graph, output: Any) -> Exit:
    """The exit that `output` names."""
    names = [e.name for e in graph.exits]
    if output is None:
        if len(graph.exits) == 1:
            return graph.exits[0]
        raise ArgumentError(
            f"The model has {len(names)} outputs. Say which one is explained with output=: an index, "
            f"one of the names {names}, or a layer."
        )
    if isinstance(output, (bool, np.bool_)):
        raise ArgumentError(f"output must be an index, a name or a layer. Received: output={output!r}")
    if isinstance(output, Integral):
        if graph.opaque:
            return graph.exits[0]  # its one step gives the output asked for
        if not 0 <= int(output) < len(names):
            raise ArgumentError(f"output must be between 0 and {len(names) - 1}. Received: output={output}")
        return graph.exits[int(output)]
    if isinstance(output, str) and names.count(output) > 1:
        raise ArgumentError(
            f"The name {output!r} stands for {names.count(output)} of the outputs {names}. Give an index."
        )
    if isinstance(output, str) and output in names:
        return graph.exits[names.index(output)]
    return _hidden_exit(graph, output, names)


def _hidden_exit(graph: Graph, output: Any, names: list[str]) -> Exit:
    if isinstance(output, str) and not any(s.path[-1] == output for s in graph.steps):
        inner = [s.path[-1] for s in graph.steps]
        raise UnknownNameError(
            f"output must name one of the outputs {names} or a layer of the model. "
            f"Received: output={output!r}." + nearest(output, names + inner)
        )
    steps = graph.find(output)
    slots = [slot for step in steps for slot in step.outputs]
    if len(slots) != 1:
        raise ArgumentError(
            f"{steps[0]} gives {len(slots)} tensors (several calls or several outputs), and one must "
            "be chosen. Explain a layer that is called once instead."
        )
    same = [e for e in graph.exits if e.slot == slots[0]]
    return same[0] if same else Exit(slots[0], str(steps[0]))


def split(graph: Graph) -> Graph:
    """Take kernel layers apart into their linear parts and their activation."""
    fresh = iter(range(max(graph.values, default=0) + 1, 10**9))
    return graph.with_steps([part for step in graph.steps for part in _parts(step, fresh)])


def _parts(step: Step, fresh: Iterator[int]) -> list[Step]:
    if step.kind != KERNEL or step.part:
        return [step]
    layer = step.operation
    linear = linear_parts(layer)
    if not linear or len(step.inputs) != 1:
        return [replace(step, traits=replace(step.traits, meaning=OPAQUE))]
    activation = getattr(layer, "activation", None)
    traits = activation_kind(activation)
    last = len(linear) - 1 if traits == NOTHING else None
    slot, steps = step.inputs[0], []
    for i, part in enumerate(linear):
        output = step.outputs[0] if i == last else next(fresh)
        own = replace(step, part=part.name, linear=part, function=run_linear(part))
        steps.append(replace(own, inputs=(slot,), outputs=(output,)))
        slot = output
    if last is None:
        function = run_activation(activation)
        steps.append(replace(step, inputs=(slot,), function=function, traits=traits, part="activation"))
    return steps


def _no_head(graph: Graph, exit_: Exit) -> str:
    last = graph.producers().get(exit_.slot)
    return (
        f"pre_softmax=True, but the output {exit_.name!r} does not end in a softmax or sigmoid: its "
        f"last step is {last} ({last.type_name if last else 'an input'}). Use pre_softmax='auto' or "
        "False to explain the output as it is."
    )


# Inputs of two axes that are flattened have channels if the last one is no longer than this.
_FLAT_CHANNELS = 4


def _channel_axis(graph: Graph, entry: Entry) -> int | None:
    """Where an entry has its channels: told by the first layer behind it that has a data format.

    An entry that is given a channel axis inside the model (`Reshape((28, 28, 1))`) has none itself, nor has
    a picture that is flattened (`Input((28, 28))`, `Flatten`).
    """
    shape = entry.value.shape
    rank = len(shape)
    origins = {entry.slot: tuple(range(rank))}  # which axis of the entry the axes of a tensor are
    for step in graph.steps:
        axes = next((origins[slot] for slot in step.inputs if slot in origins), None)
        if axes is None:
            continue
        value = graph.values.get(step.outputs[0])
        if value and len(value.shape) == rank + 1 and value.shape[-1] == 1 and rank > 2:
            return None
        if value and len(value.shape) == 2 and step.traits.reshapes and rank == 3:
            return -1 if (shape[-1] or 0) <= _FLAT_CHANNELS else None
        data_format = getattr(step.operation, "data_format", None)
        if data_format is not None and rank > 1:
            axis = axes[1 if data_format == "channels_first" else -1]
            return -1 if axis == rank - 1 else axis
        origins.update(dict.fromkeys(step.outputs, _moved(step, axes)))
    return -1


def _moved(step: Step, axes: tuple[int, ...]) -> tuple[int, ...]:
    """Axes behind an operation that may change their order; as they are, if there are others by now."""
    order = step.traits.axes(step.applied) if step.traits.axes else None
    return axes if order is None or len(order) != len(axes) else tuple(axes[d] for d in order)
