"""How a step runs: the user's own operation, in inference mode, with nothing written to it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from numbers import Integral
from typing import Any

import keras
from keras import ops, tree

from innexplain.errors import ArgumentError

Tensor = Any
Function = Callable[..., list[Tensor]]


def run_operation(operation: Any, args: Any, kwargs: Any, inputs: Sequence[int], slot_type: Any) -> Function:
    """A function of the step's tensors that repeats a recorded call of an operation.

    Whatever `training` was recorded, the call runs in inference mode.
    """
    kwargs = dict(kwargs)
    kwargs.pop("training", None)
    if _takes_training(operation):
        kwargs["training"] = False
    position = {slot: i for i, slot in enumerate(inputs)}

    def function(*tensors: Tensor) -> list[Tensor]:
        def fill(argument: Any) -> Any:
            if isinstance(argument, slot_type):
                return tensors[position[argument.index]]
            return argument

        filled_args, filled_kwargs = tree.map_structure(fill, (args, kwargs))
        with _kept_losses(operation):
            return tree.flatten(operation(*filled_args, **filled_kwargs))

    return function


def run_opaque(model: Any, structure: Any, output: Any = None) -> Function:
    """A function that calls a model as a whole, on its tensors in the structure that it takes.

    How many outputs the model gives is known once it is called, and so is whether `output` is one of them.
    """
    training = {"training": False} if _takes_training(model) else {}

    def function(*tensors: Tensor) -> list[Tensor]:
        with _kept_losses(model):
            found = tree.flatten(model(tree.pack_sequence_as(structure, tensors), **training))
        index: Any = 0 if output is None and len(found) == 1 else output
        if not isinstance(index, Integral) or not 0 <= int(index) < len(found):
            raise ArgumentError(
                f"{model.name!r} gives {len(found)} output(s): output= must be an index between 0 and "
                f"{len(found) - 1}. Received: output={output!r}"
            )
        return [found[index]]

    return function


@contextlib.contextmanager
def _kept_losses(operation: Any) -> Iterator[None]:
    """Keras forgets a layer's activity losses when the layer is called: leave them as they were."""
    layers = operation._flatten_layers() if isinstance(operation, keras.layers.Layer) else ()
    kept = [(layer._losses, list(layer._losses)) for layer in layers if layer._losses]
    try:
        yield
    finally:
        for losses, before in kept:
            losses[:] = before


def run_linear(part: Any) -> Function:
    """A function that runs a linear part in the compute dtype of its layer."""

    def function(x: Tensor) -> list[Tensor]:
        z = part.own(ops.cast(x, part.layer.compute_dtype))
        return [carry_mask(x, z)]

    return function


def run_activation(activation: Any) -> Function:
    """A function that runs what stands behind a layer's `activation=`."""

    def function(z: Tensor) -> list[Tensor]:
        return [carry_mask(z, activation(z))]

    return function


def cast_step_function(dtype: Any) -> Function:
    """A function that casts, keeping the mask."""
    return lambda x: [carry_mask(x, ops.cast(x, dtype))]


def carry_mask(source: Tensor, target: Tensor) -> Tensor:
    """Hand a Keras mask on, as a layer that supports masking does."""
    mask = getattr(source, "_keras_mask", None)
    if mask is not None and target is not source:
        target._keras_mask = mask
    return target


def _takes_training(operation: Any) -> bool:
    if not isinstance(operation, keras.layers.Layer):
        return False
    return "training" in inspect.signature(operation.call).parameters
