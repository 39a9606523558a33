"""The data that a model is read into: frozen steps in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from innexplain.errors import AddressError, nearest
from innexplain.graph.kinds import Kind
from innexplain.graph.linear import LinearPart

Tensor = Any
Path = tuple[str, ...]


@dataclass(frozen=True)
class Value:
    """What is known of a tensor before any data flow: shape with `None` for unknown, and dtype."""

    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Facts:
    """What a step's place in the graph tells.

    Args:
        first: a kernel step with none before it: it touches an input.
        last: belongs to the last layer with a kernel.
        index: the layer's number from the input on, layers that only move values not counted.
        nonnegative: whether no input can be below zero.
        gates: the inputs of a product that weigh the remaining one.
        keeps_zero: a step without kernel or sum that takes zeros, and only them, to zeros: relevance in
            proportion to its output is in proportion to its input.
        rectifies: whether its output is zero wherever its input is not above zero.
    """

    first: bool = False
    last: bool = False
    index: int | None = None
    nonnegative: bool = False
    gates: frozenset[int] = frozenset()
    keeps_zero: bool = False
    rectifies: bool = False


@dataclass(frozen=True, eq=False)
class Step:
    """One call of one operation, or one part of it (linear part, activation).

    Args:
        operation: the Keras layer or operation of the user's model.
        path: names from the outermost model inwards, such as `("base", "conv5")`.
        inputs: slots of the tensors it reads, each once.
        outputs: slots of the tensors it writes.
        function: what is run: takes one tensor an input, returns a list, one tensor an output.
        traits: what is known of what it does, a record of `innexplain.graph.kinds`.
        part: `""` for the whole operation, else `"linear"`, `"depthwise"`, `"activation"` ...
        call: how many earlier calls of the same operation there are in the graph (shared layers).
        linear: the linear part, where the step is one.
        facts: what its place in the graph tells; filled in by `canonical`.
    """

    operation: Any
    path: Path
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    function: Callable[..., list[Tensor]]
    traits: Kind
    part: str = ""
    call: int = 0
    linear: LinearPart | None = None
    facts: Facts = Facts()

    @property
    def kind(self) -> str:
        """Its backward meaning, one of the strings of `innexplain.graph.kinds`."""
        return self.traits.meaning

    @property
    def applied(self) -> Any:
        """The function or layer behind `activation=`, or the operation itself: what `traits` tell of."""
        applied = self.operation.activation if self.part == "activation" else self.operation
        while isinstance(applied, keras.layers.Activation):
            applied = applied.activation
        return applied

    @property
    def type_name(self) -> str:
        """The class name of the operation."""
        return type(self.operation).__name__

    @property
    def label(self) -> str:
        """The class name, with the name of the activation for a layer's activation part."""
        if self.part in ("", "linear"):
            return self.type_name
        detail = self.part
        if self.part == "activation":
            function = self.operation.activation
            detail = getattr(function, "__name__", type(function).__name__)
        return f"{self.type_name} ({detail})"

    def __str__(self) -> str:
        call = f" (call {self.call + 1})" if self.call else ""
        part = f" [{self.part}]" if self.part else ""
        return "/".join(self.path) + call + part


@dataclass(frozen=True)
class Entry:
    """Where data enter: a model input, or the output of an embedding that stands in for one.

    Args:
        slot: the slot that the data fill.
        name: name of the model input.
        value: shape and dtype asked for.
        origin: index of the model input that it belongs to.
        explained: whether relevance is collected here.
        embedding: the step that turns the model input into this entry's value, if any.
        channel_axis: the axis that holds channels in entries of rank 3 and more; `None` if none does.
    """

    slot: int
    name: str
    value: Value
    origin: int
    explained: bool
    embedding: Step | None = None
    channel_axis: int | None = -1


@dataclass(frozen=True)
class Exit:
    """One output of the model."""

    slot: int
    name: str


@dataclass(frozen=True, eq=False)
class Graph:
    """A model as a list of steps.

    Args:
        steps: in an order in which they can run.
        entries: the model's inputs, flat, in Keras's order; then embeddings' outputs, where lifted.
        exits: the model's outputs, flat.
        values: shape and dtype of every slot, where known.
        input_structure: the structure in which the model takes its inputs, with indices as leaves.
        opaque: whether the model has no graph that can be read (a subclassed model).
    """

    steps: tuple[Step, ...]
    entries: tuple[Entry, ...]
    exits: tuple[Exit, ...]
    values: Mapping[int, Value] = field(default_factory=dict)
    input_structure: Any = 0
    opaque: bool = False

    @property
    def explained(self) -> list[Entry]:
        """Where relevance is collected."""
        return [e for e in self.entries if e.explained]

    def with_steps(self, steps: Sequence[Step]) -> Graph:
        """The same graph with other steps."""
        return replace(self, steps=tuple(steps))

    def find(self, address: Any) -> list[Step]:
        """All steps at an address: an operation, a path tuple, or a name that is unique.

        Raises:
            AddressError: nothing answers to the address, or a name stands at several paths.
        """
        if isinstance(address, str):
            paths = sorted({s.path for s in self.steps if s.path[-1] == address})
            if len(paths) > 1:
                raise AddressError(
                    f"The name {address!r} stands at several paths: {paths}. "
                    "Give the layer object or one of these path tuples."
                )
            found = [s for s in self.steps if s.path[-1] == address]
        elif isinstance(address, tuple):
            found = [s for s in self.steps if s.path == address]
        else:
            found = [s for s in self.steps if s.operation is address]
        if not found:
            raise AddressError(self._not_found(address))
        return found

    def _not_found(self, address: Any) -> str:
        names = [s.path[-1] for s in self.steps]
        last = address[-1] if isinstance(address, tuple) and address else address
        return (
            f"No step of the model answers to {address!r}. Expected a layer object of this model, its "
            "name, or a path tuple such as ('base', 'conv5')." + nearest(last, names)
        )

    def producers(self) -> dict[int, Step]:
        """Which step writes a slot."""
        return {slot: step for step in self.steps for slot in step.outputs}

    def consumers(self) -> dict[int, list[Step]]:
        """Which steps read a slot."""
        answer: dict[int, list[Step]] = {}
        for step in self.steps:
            for slot in step.inputs:
                answer.setdefault(slot, []).append(step)
        return answer

    def ancestors(self, *slots: int) -> Graph:
        """The graph without the steps that none of the slots depends on."""
        needed, kept = set(slots), []
        for step in reversed(self.steps):
            if needed.intersection(step.outputs):
                kept.append(step)
                needed.update(step.inputs)
        return self.with_steps(kept[::-1])

    def active(self, start: int | None = None) -> set[int]:
        """The slots through which a change of an explained entry, or of one slot, reaches on, by a float."""
        reached = {e.slot for e in self.explained} if start is None else {start}
        for step in self.steps:
            if reached.intersection(step.inputs):
                reached.update(s for s in step.outputs if self._carries(s))
        return reached

    def _carries(self, slot: int) -> bool:
        value = self.values.get(slot)
        return value is None or "float" in value.dtype
