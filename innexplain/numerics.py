"""Numbers: accumulation precision and the vector-Jacobian product.

TensorFlow's tape lives here and nowhere below `backward/`: a rule asks for `vjp` and never sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

__all__ = ["vjp"]

Tensor = Any
Pullback = Callable[[Sequence[Tensor | None]], list[Tensor | None]]


def is_float(dtype: Any) -> bool:
    """Whether a dtype is a floating-point one.

    >>> is_float("bfloat16"), is_float("int32")
    (True, False)
    """
    return "float" in keras.backend.standardize_dtype(dtype)


def accumulation_dtype(dtype: Any) -> str:
    """The dtype in which relevance is summed: half precision is widened to float32.

    >>> accumulation_dtype("float16"), accumulation_dtype("float64")
    ('float32', 'float64')
    """
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"


def cast_like(x: Tensor, like: Tensor) -> Tensor:
    """`x` in the dtype of `like`; the same tensor where nothing has to change."""
    return x if x.dtype == like.dtype else keras.ops.cast(x, like.dtype)


def widen(x: Tensor) -> Tensor:
    """`x` in its accumulation dtype."""
    wide = accumulation_dtype(x.dtype)
    return x if keras.backend.standardize_dtype(x.dtype) == wide else keras.ops.cast(x, wide)


def positive(x: Tensor) -> Tensor:
    """`max(x, 0)`."""
    return keras.ops.relu(x)


def negative(x: Tensor) -> Tensor:
    """`min(x, 0)`."""
    return -keras.ops.relu(-x)


def stabilise(z: Tensor, epsilon: float) -> Tensor:
    """`z + epsilon sign(z)` with `sign(0) = 1`: pushed away from zero, never across it."""
    if epsilon == 0:
        return z
    push = keras.ops.convert_to_tensor(epsilon, dtype=z.dtype)
    return z + tf.where(z >= 0, push, -push)


def safe_divide(r: Tensor, z: Tensor, epsilon: float = 0.0, bounded: bool = False) -> Tensor:
    """`r / (z + epsilon sign(z))`, finite: 0 where the divisor is zero, bounded where it is nearly so.

    With an epsilon the quotient is bounded only on request, since it costs time: it is needed where `r`
    may be large although `z` is small, which it is not if `r` is a share of `z` itself.

    >>> x = keras.ops.convert_to_tensor([4.0, 0.0])
    >>> keras.ops.convert_to_numpy(safe_divide(x, x)).tolist()
    [1.0, 0.0]
    """
    if epsilon >= 1e-15 and not bounded:
        return r / stabilise(z, epsilon)
    bound = tf.constant(1e200 if keras.backend.standardize_dtype(z.dtype) == "float64" else 1e30, z.dtype)
    quotient = tf.math.divide_no_nan(r, stabilise(z, epsilon))
    # tf.clip_by_value goes over the tensor twice.
    return tf.raw_ops.ClipByValue(t=quotient, clip_value_min=-bound, clip_value_max=bound)


def divide_by_positive(r: Tensor, z: Tensor, epsilon: float = 0.0) -> Tensor:
    """`r / (z + epsilon)` for an `r` that is in proportion to some `max(y, 0)` with `y <= z`.

    The quotient is bounded then, and needs none of the cares of `safe_divide`.

    >>> r, z = keras.ops.convert_to_tensor([[2.0, 0.0], [4.0, 0.0]])
    >>> keras.ops.convert_to_numpy(divide_by_positive(r, z)).tolist()
    [0.5, 0.0]
    """
    if epsilon >= 1e-15:
        return r / (positive(z) + epsilon)
    return tf.math.divide_no_nan(r, positive(z) + epsilon if epsilon else z)


def sum_samples(x: Tensor) -> Tensor:
    """The sum over all axes but the first."""
    return keras.ops.sum(keras.ops.reshape(x, (keras.ops.shape(x)[0], -1)), axis=-1)


def late(x: Tensor, after: Tensor) -> Tensor:
    """`x`, but what is computed from it waits for `after`.

    Without this, the runtime would compute the backward pass's own forward maps as soon as it can, and
    hold all of them in memory until they are needed.
    """
    with tf.control_dependencies([after]):
        return tf.identity(x)


def narrow(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Cast a result to `dtype` without turning large finite numbers into infinity.

    >>> float(narrow(np.array([1e6]), np.dtype("float16"))[0])
    65504.0
    """
    if np.finfo(dtype).max < np.finfo(x.dtype).max:
        bound = float(np.finfo(dtype).max)
        x = np.clip(x, -bound, bound)
    return x.astype(dtype, copy=False)


def _distinct(inputs: Sequence[Tensor]) -> list[Tensor]:
    """Give every input its own tensor object, since the tape tells tensors apart by identity.

    Layers that do nothing at inference (dropout) hand their input on; without this, `Add()([x, dropout(x)])`
    would see one tensor twice and count its gradient twice.
    """
    seen: set[int] = set()
    answer = []
    for x in inputs:
        if id(x) in seen:
            mask = getattr(x, "_keras_mask", None)
            x = tf.identity(x)
            if mask is not None:
                x._keras_mask = mask
        seen.add(id(x))
        answer.append(x)
    return answer


def _half_scale(targets: Sequence[Tensor], seeds: Sequence[Tensor]) -> Tensor | None:
    """A power of two that brings cotangents into the narrow range of half precision; `None` elsewhere.

    The product is linear in them, so that they can be divided before and multiplied after: a derivative of
    1e-8 would otherwise become zero on its way through a layer that computes in float16.
    """
    if all(keras.backend.standardize_dtype(y.dtype) != "float16" for y in targets):
        return None
    largest = keras.ops.max(keras.ops.stack([keras.ops.max(keras.ops.abs(widen(r))) for r in seeds]))
    usable = keras.ops.logical_and(largest > 0, largest < float("inf"))
    exponent = keras.ops.floor(keras.ops.log2(keras.ops.where(usable, largest, 1.0)))
    return keras.ops.power(2.0, exponent)


def vjp(function: Callable[..., Sequence[Tensor]], *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
    """Run `function` and return its outputs with its vector-Jacobian product.

    Args:
        function: takes the inputs, returns a sequence of tensors.
        *inputs: tensors of any dtype; only floating-point ones are differentiated.

    Returns:
        `(outputs, pullback)`: `pullback(r)` takes one cotangent an output (`None` counts as zero) and
        returns one gradient an input, in the input's accumulation dtype; `None` where there is none.

    >>> outputs, pullback = vjp(lambda x: [x * x], keras.ops.convert_to_tensor([3.0]))
    >>> float(pullback([keras.ops.convert_to_tensor([1.0])])[0][0])
    6.0
    """
    inputs = tuple(_distinct(inputs))
    watched = [x for x in inputs if is_float(x.dtype)]
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        for x in watched:
            tape.watch(x)
        outputs = list(function(*inputs))

    def pullback(cotangents: Sequence[Tensor | None]) -> list[Tensor | None]:
        pairs = [
            (y, r) for y, r in zip(outputs, cotangents, strict=True) if r is not None and is_float(y.dtype)
        ]
        if not pairs or not watched:
            return [None] * len(inputs)
        targets, seeds = (list(column) for column in zip(*pairs, strict=True))
        scale = _half_scale(targets, seeds)
        if scale is not None:
            seeds = [widen(r) / scale for r in seeds]
        seeds = [cast_like(r, y) for y, r in zip(targets, seeds, strict=True)]
        found = iter(tape.gradient(targets, watched, output_gradients=seeds))
        gradients = [next(found) if is_float(x.dtype) else None for x in inputs]
        # Of a gather, TensorFlow gives slices and not a tensor.
        gradients = [tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in gradients]
        gradients = [None if g is None else widen(g) for g in gradients]
        return [g if g is None or scale is None else g * scale for g in gradients]

    return outputs, pullback
