"""Read a Keras model into a `Graph`: nested and shared models flattened, every call one step.

This file is the only one that walks Keras's own graph (`_keras_history`, `_inbound_nodes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import tree

from innexplain.errors import GraphError, ModelError
from innexplain.graph.classify import TENSOR, kind_of
from innexplain.graph.functions import opaque_graph
from innexplain.graph.kinds import MASK, OPERATIONS
from innexplain.graph.run import cast_step_function, run_operation
from innexplain.graph.step import Entry, Exit, Graph, Path, Step, Value


@dataclass(frozen=True)
class Slot:
    """Stands for a tensor among the recorded arguments of a call."""

    index: int


def trace(model: Any) -> Graph:
    """Read a model.

    Args:
        model: a built Keras model: Functional, Sequential, nested to any depth, or subclassed. A
            subclassed model has no graph and becomes one opaque step.

    Returns:
        The graph; slots are numbered in the order in which tensors are written.

    Raises:
        ModelError: the object is no Keras model, or was never built.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="out")])
    >>> [step.path for step in trace(model).steps]
    [('out',)]
    """
    graph = getattr(model, "innexplain_graph", None)
    if isinstance(graph, Graph):
        return graph
    _check_model(model)
    functional = as_functional(model)
    return _Tracer().whole(functional) if functional is not None else opaque_graph(model)


def _check_model(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise ModelError(
            f"Expected a keras.Model. Received: {model!r} (of type {type(model).__name__}). Load a "
            "saved model with keras.models.load_model, or build one from layers with keras.Model."
        )
    if not model.built:
        raise ModelError(
            f"The model {model.name!r} was never built: it has no weights and no input shape yet. "
            "Give it a keras.Input, call model.build(input_shape), or call it once on data."
        )


def as_functional(operation: Any) -> Any | None:
    """The Functional model behind an operation, or `None` if it has no graph of its own.

    A class that overrides `call` does something that its graph does not tell, and has none.
    """
    if not isinstance(operation, keras.Model):
        return None
    if isinstance(operation, keras.Sequential):
        inner = getattr(operation, "_functional", None)
        return inner if type(operation).call is keras.Sequential.call else None
    functional = _functional_class()
    if isinstance(operation, functional) and type(operation).call is functional.call:
        return operation
    return None


def _functional_class() -> Any:
    from keras.src.models.functional import Functional

    return Functional


class _Tracer:
    """Numbers tensors and collects steps while it walks a model."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.values: dict[int, Value] = {}
        self.calls: dict[int, int] = {}
        self.masks: dict[int, set[int]] = {}

    def whole(self, model: Any) -> Graph:
        """The graph of the outermost model."""
        inputs = [self.new(t) for t in model.inputs]
        outputs = self.inline(model, inputs, ())
        names = _output_names(model)
        entries = tuple(
            Entry(slot, _input_name(t), self.values[slot], i, explained=True)
            for i, (slot, t) in enumerate(zip(inputs, model.inputs, strict=True))
        )
        exits = tuple(Exit(slot, name) for slot, name in zip(outputs, names, strict=True))
        return Graph(self.marked(outputs), entries, exits, self.values, _input_structure(model))

    def marked(self, outputs: Sequence[int]) -> tuple[Step, ...]:
        """The steps, with those whose results are used as masks and for nothing else told apart."""
        needed, steps = set(outputs), []
        for step in reversed(self.steps):
            if needed.intersection(step.outputs):
                needed.update(set(step.inputs) - self.masks.get(step.outputs[0], set()))
            else:
                step = replace(step, traits=replace(step.traits, meaning=MASK))
            steps.append(step)
        return tuple(reversed(steps))

    def new(self, tensor: Any) -> int:
        """A fresh slot for a symbolic tensor."""
        slot = len(self.values)
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        self.values[slot] = Value(tuple(tensor.shape), dtype)
        return slot

    def inline(self, model: Any, inputs: Sequence[int], path: Path) -> list[int]:
        """Add the steps of a model whose inputs stand in the given slots; return output slots."""
        slots = {id(t): slot for t, slot in zip(model.inputs, inputs, strict=True)}
        for node in _ordered_nodes(model.inputs, model.outputs):
            self.add(node, slots, path)
        return [slots[id(t)] for t in model.outputs]

    def add(self, node: Any, slots: dict[int, int], path: Path) -> None:
        """Add the steps of one call, and the slots of its outputs."""
        operation = node.operation
        inner = as_functional(operation)
        inputs = self.nested_inputs(inner, node, slots, path) if inner is not None else None
        if inner is not None and inputs is not None:
            outputs = self.inline(inner, inputs, (*path, operation.name))
        else:
            outputs = self.call(node, slots, path)
        slots.update({id(t): slot for t, slot in zip(node.outputs, outputs, strict=True)})

    def call(self, node: Any, slots: dict[int, int], path: Path) -> list[int]:
        """Add the step of a call that is not taken apart."""
        operation = node.operation
        args, kwargs = node.arguments.convert(
            lambda a: Slot(slots[id(a)]) if isinstance(a, keras.KerasTensor) else a
        )
        flat = tree.flatten((args, kwargs))
        inputs = tuple(dict.fromkeys(a.index for a in flat if isinstance(a, Slot)))
        outputs = [self.new(t) for t in node.outputs]
        self.masks[outputs[0]] = self.only_masks(args, kwargs, inputs)
        call = self.calls.get(id(operation), 0)
        self.calls[id(operation)] = call + 1
        self.steps.append(
            Step(
                operation=operation,
                path=(*path, operation.name),
                inputs=inputs,
                outputs=tuple(outputs),
                function=run_operation(operation, args, kwargs, inputs, Slot),
                traits=kind_of(operation, [TENSOR if isinstance(a, Slot) else a for a in flat]),
                call=call,
            )
        )
        return outputs

    def only_masks(self, args: Any, kwargs: dict[str, Any], inputs: Sequence[int]) -> set[int]:
        """The inputs of a call that are truth values given as `mask=`, `attention_mask=` and the like."""
        others = {name: value for name, value in kwargs.items() if not name.endswith("mask")}
        used = {a.index for a in tree.flatten((args, others)) if isinstance(a, Slot)}
        return {slot for slot in inputs if slot not in used and "float" not in self.values[slot].dtype}

    def nested_inputs(self, inner: Any, node: Any, slots: dict[int, int], path: Path) -> list[int] | None:
        """The slots that fill a nested model's inputs; `None` if it cannot be flattened."""
        tensors = _match_inputs(inner, node)
        if tensors is None or len(tensors) != len(inner.inputs):
            return None
        if any(len(t.shape) != len(i.shape) for t, i in zip(tensors, inner.inputs, strict=True)):
            return None  # Keras would add or drop an axis on the way in
        return [
            self.cast(slots[id(t)], t, wanted, (*path, node.operation.name))
            for t, wanted in zip(tensors, inner.inputs, strict=True)
        ]

    def cast(self, slot: int, tensor: Any, wanted: Any, path: Path) -> int:
        """A nested model casts what it is given to the dtype of its own input."""
        if tensor.dtype == wanted.dtype:
            return slot
        operation = wanted._keras_history.operation
        output = self.new(wanted)
        function = cast_step_function(wanted.dtype)
        name = (*path, operation.name)
        self.steps.append(Step(operation, name, (slot,), (output,), function, OPERATIONS["Cast"], "cast"))
        return output


def _match_inputs(inner: Any, node: Any) -> list[Any] | None:
    """The symbolic tensors of a call of a model, in the order of the model's inputs."""
    args = node.arguments.args
    given = args[0] if args else node.arguments.kwargs.get("inputs")
    structure = inner._inputs_struct
    if isinstance(given, dict) and not isinstance(structure, dict):
        names = [t.name for t in inner.inputs]
        if not set(names) <= set(given):
            return None
        given = [given[name] for name in names]
    flat = tree.flatten(given)
    return flat if all(isinstance(t, keras.KerasTensor) for t in flat) else None


def _ordered_nodes(inputs: Sequence[Any], outputs: Sequence[Any]) -> list[Any]:
    """The calls between inputs and outputs, each after those that it depends on."""
    known = {id(t) for t in inputs}
    order: list[Any] = []
    done: set[int] = set()
    stack = [(_node_of(t), False) for t in reversed(outputs) if id(t) not in known]
    while stack:
        node, expanded = stack.pop()
        if id(node) in done:
            continue
        if expanded:
            done.add(id(node))
            order.append(node)
            continue
        stack.append((node, True))
        for tensor in reversed(node.arguments.keras_tensors):
            if id(tensor) not in known:
                stack.append((_node_of(tensor), False))
    return order


def _node_of(tensor: Any) -> Any:
    history = getattr(tensor, "_keras_history", None)
    if history is None or history.operation is None:
        raise GraphError(
            f"The tensor {tensor!r} is computed from nothing: it belongs to no layer. Build the model "
            "with keras.Model(inputs, outputs) from keras.Input tensors."
        )
    return history.operation._inbound_nodes[history.node_index]


def _input_structure(model: Any) -> Any:
    order = iter(range(len(model.inputs)))
    return tree.map_structure(lambda _: next(order), model._inputs_struct)


def _output_names(model: Any) -> list[str]:
    structure = model._outputs_struct
    if isinstance(structure, dict) and len(structure) == len(model.outputs):
        return [str(key) for key in sorted(structure)]
    return list(getattr(model, "output_names", [t.name for t in model.outputs]))


def _input_name(tensor: Any) -> str:
    """The name the user gave to an input; Keras keeps the one it made up elsewhere."""
    operation = tensor._keras_history.operation
    return str(operation.name if operation is not None else tensor.name)
