"""One batch, added to the running sums of a site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import tensorflow as tf
from keras import ops

from innexplain.numerics import late
from innexplain.patterns.blocks import Block
from innexplain.patterns.moments import unit_of

__all__ = ["GROUPS", "add_neurons", "add_weights"]

Tensor = Any
Own = Sequence[tuple[Block, dict[str, Any]]]

#: Which outputs of a neuron count: the positive ones, the others, all.
GROUPS = ("positive", "negative", "all")
#: Up to how many values a sample all samples of a batch are taken at once, and how many values else.
_FEW_VALUES, _MOST_VALUES = 2**19, 2**22
#: The same of positions: over many more, sums in float32 lose digits.
_FEW_POSITIONS, _MOST_POSITIONS = 2**9, 2**16


def add_neurons(
    own: Own, tensors: Sequence[Tensor], group: str, given: Sequence[Tensor] | None
) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """Add a batch to the sums by neuron, about the mean so far or what is given.

    Args:
        own: the blocks of a site, each with the variables of the group.
        tensors: input, output, gate, and 1 for every sample that is there.
        group: one of `GROUPS`, or `moments.EVERY`.
        given: the first of the results for another group, whose mean is the reference of this one.

    Returns:
        The mean, in the precision of the outputs and in float64; and what the sums by weight need: what
        the samples so far move by, how many the batch has, and what the first mean leaves out.
    """
    neurons, dtype = own[0][0].site.neurons, tensors[1].dtype
    n, old = (tf.concat([state[k] for _, state in own], 0) for k in ("n", "c"))

    def sums_about(c: Tensor) -> list[Tensor]:
        def of_part(_x: Tensor, z: Tensor, gate: Tensor, present: Tensor) -> list[Tensor]:
            found = _values(group, z, gate, present, z - neurons.along_output(c, len(z.shape)))
            return [ops.cast(neurons.sum_positions(v), "float64") for v in found]

        return _in_parts(of_part, tensors, neurons.count)

    def mean_from(c: Tensor, y: Tensor) -> Tensor:
        wide = ops.cast(c, "float64")
        return wide + (n * (old - wide) + y) / ops.maximum(n + more, 1.0)

    start = ops.cast(old, dtype)
    y, more = sums_about(start)
    if given is None:
        near = ops.cast(mean_from(start, y), dtype)
        given = near, mean_from(near, sums_about(near)[0])  # of small numbers, and so exact
    near, c = given
    for block, state in own:
        state["n"].assign(block.of_neurons(n + more))
        state["c"].assign(block.of_neurons(c))
    return given, (n * (old - c), more, c - ops.cast(near, "float64"))


def add_weights(
    own: Own, tensors: Sequence[Tensor], group: str, c: Tensor, changes: Sequence[Tensor]
) -> Tensor:
    """Add a batch to the sums by weight, about the mean c; see `add_neurons`.

    Returns:
        Something that is there when all is done.
    """
    neurons, last = own[0][0].site.neurons, changes[0]

    def values(x: Tensor, z: Tensor, gate: Tensor, present: Tensor) -> list[Tensor]:
        about = z - neurons.along_output(c, len(z.shape))
        return [x, *_values(group, z, gate, present, about)]

    few = _are_few(tensors, neurons.count)
    tensors = values(*tensors) if few else tensors
    for block, state in own:
        with tf.control_dependencies([last]):

            def of_part(*part: Tensor, block: Block = block) -> list[Tensor]:
                x, v, ones = part if few else values(*part)
                products = block.sum_fields(x, block.of_output(v))
                return [products, block.sum_fields(x, late(block.of_output(ones), products))]

            found = of_part(*tensors) if few else _in_parts(of_part, tensors, neurons.count)
            last = _add_block(block, state, found, [block.of_neurons(v) for v in changes])
    return last


def _add_block(
    block: Block, state: dict[str, Any], found: Sequence[Tensor], changes: Sequence[Tensor]
) -> Tensor:
    products, fields = found
    moved, more, left = changes
    mean = tf.convert_to_tensor(state["x"])
    share = 1 / ops.maximum(state["n"], 1.0)
    moved, kept, left, share = (
        block.neurons.along_kernel(ops.cast(v, mean.dtype), len(block.shape))
        for v in (moved, more * share, left, share)
    )
    done = _add_exactly(state["xy"], state["low"], products - fields * left + mean * moved)
    change = fields * share - mean * kept
    with tf.control_dependencies([change, *done]):
        done = [state["x"].assign_add(change, read_value=False)]
    with tf.control_dependencies(done):
        return tf.identity(share)


def _add_exactly(total: Any, low: Any, value: Tensor) -> list[Any]:
    """`total (1 + unit low) += value`, with what a number of that precision leaves out (Knuth's two-sum)."""
    old, old_low = tf.convert_to_tensor(total), tf.convert_to_tensor(low)
    unit = unit_of(old.dtype.as_numpy_dtype)
    value = value + ops.cast(old_low, old.dtype) * (old * unit)
    new = old + value
    taken = new - old
    left = (old - (new - taken)) + (value - taken)
    parts = tf.math.divide_no_nan(left, new * unit)
    new_low = ops.cast(ops.clip(ops.round(parts), -127, 127), old_low.dtype)
    # Added in place: new variables would be strewn over the memory that activations need.
    with tf.control_dependencies([new_low]):
        return [
            total.assign_add(value, read_value=False),
            low.assign_add(new_low - old_low, read_value=False),
        ]


def _values(group: str, z: Tensor, gate: Tensor, present: Tensor, v: Tensor) -> list[Tensor]:
    """What v is, and 1, for the outputs of a group, and 0 for the others and those of padded samples."""
    here = tf.reshape(present > 0, (-1, *[1] * (len(z.shape) - 1)))
    if group == "positive":
        here &= gate > 0
    elif group == "negative":
        here &= gate <= 0
    else:
        here &= tf.ones_like(gate, tf.bool)
    return [tf.where(here, v, tf.zeros((), z.dtype)), late(ops.cast(here, z.dtype), v)]


def _are_few(tensors: Sequence[Tensor], neurons: int) -> bool:
    """Whether samples are so small that all of a batch can be taken at once."""
    if any(None in t.shape[1:] for t in tensors):
        return False
    values = [prod(t.shape[1:]) for t in tensors]
    return max(values) <= _FEW_VALUES and values[1] <= _FEW_POSITIONS * neurons


def _in_parts(function: Callable[..., list[Tensor]], tensors: Sequence[Tensor], neurons: int) -> list[Tensor]:
    """The sums of what a function gives for some samples at a time, so that what it needs stays small."""
    if _are_few(tensors, neurons):
        return function(*tensors)
    count = tf.shape(tensors[0])[0]
    each = tf.maximum(tf.stack([tf.size(t) for t in tensors]) // tf.maximum(count, 1), 1)
    positions = tf.maximum(each[1] // neurons, 1)
    step = tf.maximum(tf.minimum(_MOST_VALUES // tf.reduce_max(each), _MOST_POSITIONS // positions), 1)

    def body(start: Tensor, *sums: Tensor) -> tuple[Tensor, ...]:
        found = function(*[t[start : start + step] for t in tensors])
        return (start + step, *[one + other for one, other in zip(sums, found, strict=True)])

    first = function(*[t[:step] for t in tensors])
    loop = tf.while_loop(lambda start, *_: start < count, body, (step, *first), parallel_iterations=1)
    return list(loop[1:])
