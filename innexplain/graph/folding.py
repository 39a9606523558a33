"""Fold batch norms and zero paddings into the linear part next to them.

A batch norm at inference is `s * z + t`.  Behind a linear part it scales the kernel's output channels and
shifts the bias; before one it scales the input channels, and the shift becomes a bias that differs at the
border where zeros are padded.  Rules then see one linear map, whose output is what the network goes on with;
a batch norm that nothing can take up becomes a linear part of its own, with one weight a channel.
The user's variables are read at each call and never changed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from innexplain.graph.linear import LinearPart
from innexplain.graph.run import run_linear
from innexplain.graph.step import Graph, Step, Value

Tensor = Any


def fold(graph: Graph) -> Graph:
    """The graph with zero paddings, then batch norms, folded wherever they touch a linear part alone."""
    graph = _fold_all(graph, _is_padding, None)
    graph = _fold_all(graph, _is_norm, _behind)
    return graph.with_steps([_diagonal(step) if _is_norm(step) else step for step in graph.steps])


def norm_coefficients(layer: Any, dtype: Any) -> tuple[Tensor, Tensor]:
    """A batch norm's `s = gamma / sqrt(var + epsilon)` and `t = beta - s mean`."""
    variance = ops.cast(layer.moving_variance, dtype)
    scale = 1 / ops.sqrt(variance + layer.epsilon)  # some processors only estimate rsqrt
    if layer.scale:
        scale = scale * ops.cast(layer.gamma, dtype)
    shift = -scale * ops.cast(layer.moving_mean, dtype)
    if layer.center:
        shift = shift + ops.cast(layer.beta, dtype)
    return scale, shift


def _is_padding(step: Step) -> bool:
    """Whether a step pads zeros: operations may pad with anything."""
    return step.traits.pads and isinstance(step.operation, keras.layers.Layer) and not step.part


def _is_norm(step: Step) -> bool:
    return step.traits.batch_norm and not step.part and len(step.inputs) == 1  # without a mask


def _fold_all(graph: Graph, foldable: Any, behind: Any) -> Graph:
    """Fold one step at a time until none is left that can be."""
    done = False
    while not done:
        done = True
        producers, consumers = graph.producers(), graph.consumers()
        exits = {e.slot for e in graph.exits}
        for step in filter(foldable, graph.steps):
            before = producers.get(step.inputs[0])
            after = consumers.get(step.outputs[0], [])
            part = None
            if behind and before and _alone(before, consumers, exits):
                part, first, last = behind(before, step, graph.values.get(step.outputs[0])), before, step
            if part is None and _alone(step, consumers, exits):
                part, first, last = _ahead(step, after[0]), step, after[0]
            if part is not None:
                graph, done = _merge(graph, first, last, part), False
                break
    return graph


def _alone(step: Step, consumers: dict[int, list[Step]], exits: set[int]) -> bool:
    return len(consumers.get(step.outputs[0], [])) == 1 and step.outputs[0] not in exits


def _merge(graph: Graph, first: Step, last: Step, part: LinearPart) -> Graph:
    """Two steps in a row become one, in the place of the second."""
    owner = first if first.linear is not None else last
    merged = replace(owner, inputs=first.inputs, outputs=last.outputs, function=run_linear(part), linear=part)
    return graph.with_steps([merged if s is last else s for s in graph.steps if s is not first])


def _behind(before: Step, norm: Step, value: Value | None) -> LinearPart | None:
    """The linear part with the batch norm behind it folded in, if that is possible."""
    part = before.linear
    if part is None or part.out_axes is None or not _same_axis(norm, part):
        return None
    layer = norm.operation
    adjust = (*part.adjust, _scale_outputs(part, layer))
    adjusted = replace(part, adjust=adjust, norms=(*part.norms, layer), direct_map=None)
    if part.direct_map is None and _larger(value, part):
        return replace(adjusted, direct_map=lambda x: part.apply(x, adjusted.weights(x)[0]))

    def direct(x: Tensor) -> Tensor:
        z = part.direct(x)
        return z * part.over_channels(norm_coefficients(layer, x.dtype)[0], len(z.shape))

    return replace(adjusted, direct_map=direct)


def _larger(value: Value | None, part: LinearPart) -> bool:
    """Whether an output has more values than the kernel, so that scaling the kernel is less work."""
    if value is None or None in value.shape[1:]:
        return False
    kernel = getattr(part.layer, part.kernel_name)
    return math.prod(d for d in value.shape[1:] if d) > math.prod(kernel.shape)


def _ahead(step: Step, after: Step) -> LinearPart | None:
    """The linear part with the padding or batch norm ahead of it folded in, if that is possible."""
    part = after.linear
    if part is None:
        return None
    if _is_padding(step):
        return _padded(part, step.operation)  # paddings come first: no map to wrap yet
    if part.in_axes is None or not _same_axis(step, part):
        return None
    layer = step.operation

    def direct(x: Tensor) -> Tensor:
        return part.direct(x * part.over_channels(norm_coefficients(layer, x.dtype)[0], len(x.shape)))

    adjust = (*part.adjust, _scale_inputs(part, layer))
    return replace(part, adjust=adjust, norms=(*part.norms, layer), direct_map=direct)


def _diagonal(norm: Step) -> Step:
    """A batch norm as the linear part `x * s + t`."""
    layer = norm.operation
    axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) else layer.axis

    def weights(x: Tensor, kernel: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        shape = [1] * len(x.shape)
        shape[axis] = -1
        scale, shift = norm_coefficients(layer, x.dtype)
        return ops.reshape(scale, shape), ops.reshape(shift, shape)

    part = LinearPart("diagonal", layer, ops.multiply, "moving_mean", None, adjust=(weights,))
    part = replace(part, direct_map=lambda x: x * part.weights(x)[0])
    return replace(norm, function=run_linear(part), linear=part)


def _same_axis(norm: Step, part: LinearPart) -> bool:
    """Whether a batch norm works on the channels of the linear part."""
    axis = norm.operation.axis
    axis = axis[0] if isinstance(axis, (list, tuple)) else axis
    rank = norm.operation.input_spec.ndim
    channels = part.bias_axis if part.bias_axis is not None else -1
    return rank is not None and axis % rank == channels % rank


def _padded(part: LinearPart, padding: keras.layers.Layer) -> LinearPart:
    own, pad = part.pad, padding.call  # called as a layer, it would round x to its own precision
    return replace(
        part,
        apply=lambda x, kernel: part.apply(pad(x), kernel),
        pad=pad if own is None else lambda x: own(pad(x)),
    )


def _along(vector: Tensor, axes: tuple[int, ...], kernel: Tensor) -> Tensor:
    """A vector over channels in a shape that broadcasts to the kernel's."""
    shape = [kernel.shape[i] if i in axes else 1 for i in range(len(kernel.shape))]
    return ops.reshape(vector, shape)


def _scale_outputs(part: LinearPart, norm: Any) -> Any:
    axes = part.out_axes or ()

    def change(x: Tensor, kernel: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        scale, shift = norm_coefficients(norm, x.dtype)
        wide_scale, wide_shift = (part.over_channels(v, len(x.shape)) for v in (scale, shift))
        kernel = kernel * _along(scale, axes, kernel)
        return kernel, wide_shift if bias is None else bias * wide_scale + wide_shift

    return change


def _scale_inputs(part: LinearPart, norm: Any) -> Any:
    axes = part.in_axes or ()

    def change(x: Tensor, kernel: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        scale, shift = norm_coefficients(norm, x.dtype)
        shifts = ops.zeros_like(x[:1]) + part.over_channels(shift, len(x.shape))
        moved = part.apply(shifts, kernel)  # zeros that are padded are not shifted
        kernel = kernel * _along(scale, axes, kernel)
        return kernel, moved if bias is None else bias + moved

    return change
