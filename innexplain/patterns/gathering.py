"""One batch, added to the running sums of a site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Any

import tensorflow as tf
from keras import ops

from innexplain.numerics import late
from innexplain.patterns.blocks import Block
from innexplain.patterns.moments import unit_of
from innexplain.patterns.sites import Site

__all__ = ["GROUPS", "add_inputs", "add_neurons", "add_weights"]

Tensor = Any
Own = Sequence[tuple[Block, dict[str, Any]]]

#: Which outputs of a neuron count: the positive ones, the others, all.
GROUPS = ("positive", "negative", "all")
#: Up to how many values a sample all samples of a batch are taken at once, and how many values else.
_FEW_VALUES, _MOST_VALUES = 2**19, 2**22
#: Over how many positions products are summed at once: over more, sums in float32 lose digits.
_MOST_POSITIONS = 2**12


def add_inputs(site: Site, state: dict[str, Any], x: Tensor, present: Tensor) -> Sequence[Tensor]:
    """Add a batch to the mean of what weights see, by channel; nothing happens where inputs are not centred.

    Returns:
        The mean input of the batch by channel; and, of what weights see, in shapes that broadcast against the
        kernel how much more the mean before it is, how much less that after it, and the difference of these
        two, old less new.
    """
    centre = site.inputs
    if centre is None:
        return (tf.zeros((), site.dtype),) * 4
    m, old = centre.mean(x, present), tf.identity(state["c"])
    wide, more = ops.cast(m, "float64") * centre.places(x), ops.cast(ops.sum(present), "float64")
    n = state["n"] + more
    new = old + (wide - old) * tf.math.divide_no_nan(more, n)
    with tf.control_dependencies([old]):
        state["n"].assign(n)
        state["c"].assign(new)
    differences = (ops.cast(v, site.dtype) for v in (old - wide, wide - new, old - new))
    return ops.cast(m, site.dtype), *(centre.along_kernel(v, len(site.kernel_shape)) for v in differences)


def add_neurons(own: Own, tensors: Sequence[Tensor], group: str) -> tuple[Tensor, Tensor]:
    """Add a batch to the sums by neuron.

    Args:
        own: the blocks of a site, each with the variables of the group.
        tensors: input, output, gate, and 1 for every sample that is there.
        group: one of `GROUPS`, or `moments.EVERY`.

    Returns:
        The mean output, (count,), and in columns what the sums by weight need: what the samples so far move
        by, what the precision of the first leaves out of the mean, the samples' share, that of the batch, and
        1 by the number of all; these (count, 5) are in the precision of the sums.
    """
    site = own[0][0].site
    neurons = site.neurons
    n, old = (tf.concat([state[k] for _, state in own], 0) for k in ("n", "c"))

    def sums_about(c: Tensor) -> list[Tensor]:
        def of_part(_x: Tensor, z: Tensor, gate: Tensor, present: Tensor) -> list[Tensor]:
            z = ops.cast(z, site.dtype)
            found = _values(group, z, gate, present, z - neurons.along_output(c, len(z.shape)))
            return [ops.cast(neurons.sum_positions(v), "float64") for v in found]

        if _are_few(tensors):
            return of_part(*tensors)
        return _in_parts(of_part, tensors, neurons.count, (neurons.count,), "float64")

    def mean_from(c: Tensor, y: Tensor) -> Tensor:
        wide = ops.cast(c, "float64")
        return wide + tf.math.divide_no_nan(n * (old - wide) + y, n + more)

    start = ops.cast(old, site.dtype)
    y, more = sums_about(start)
    near = ops.cast(mean_from(start, y), site.dtype)
    c = mean_from(near, sums_about(near)[0])  # of small numbers, and so exact
    for block, state in own:
        state["n"].assign(block.of_neurons(n + more))
        state["c"].assign(block.of_neurons(c))
    each = tf.math.divide_no_nan(tf.ones_like(n), n + more)
    columns = [n * (old - c), c - tf.cast(near, "float64"), n * each, more * each, each]
    return near, tf.cast(tf.stack(columns, axis=1), site.dtype)


def add_weights(
    own: Own, tensors: Sequence[Tensor], group: str, inputs: Sequence[Tensor], outputs: tuple[Tensor, Tensor]
) -> Tensor:
    """Add a batch to the sums by weight.

    Args:
        own, tensors, group: as in `add_neurons`.
        inputs, outputs: what `add_inputs` and `add_neurons` gave.

    Returns:
        Something that is there when all is done.
    """
    site, (c, columns) = own[0][0].site, outputs
    neurons, last = site.neurons, columns

    def values(x: Tensor, z: Tensor, gate: Tensor, present: Tensor) -> list[Tensor]:
        x, z = (ops.cast(t, site.dtype) for t in (x, z))  # of some samples at a time
        about = z - neurons.along_output(c, len(z.shape))
        x = x if site.inputs is None else site.inputs.centred(x, inputs[0])
        return [x, *_values(group, z, gate, present, about)]

    few = _have_no_places(tensors)
    tensors = values(*tensors) if few else tensors
    for block, state in own:
        with tf.control_dependencies([last]):

            def of_part(*part: Tensor, block: Block = block) -> list[Tensor]:
                x, v, ones = part if few else values(*part)
                products = block.sum_fields(x, block.of_output(v))
                return [products, block.sum_fields(x, late(block.of_output(ones), products))]

            found = (
                of_part(*tensors)
                if few
                else _in_parts(of_part, tensors, neurons.count, block.shape, block.site.dtype)
            )
            last = _add_block(block, state, found, inputs[1:], block.of_neurons(columns))
    return last


def _add_block(
    block: Block, state: dict[str, Any], found: Sequence[Tensor], inputs: Sequence[Tensor], columns: Tensor
) -> Tensor:
    """Add what a batch gives, which is about its own mean input, while sums are about that of all batches."""
    (products, fields), (earlier, later, drift) = found, inputs
    rank = len(block.shape)
    moved, left, kept, share, each = (
        block.neurons.along_kernel(v, rank) for v in tf.unstack(columns, axis=1)
    )
    mean = tf.convert_to_tensor(state["x"])
    products = products - fields * left + (mean + earlier) * moved
    # One after the other, so that fewer arrays of the kernel's size are held at a time.
    with tf.control_dependencies(_add_exactly(state["xy"], state["low"], products)):
        mean = tf.convert_to_tensor(state["x"])
        change = fields * each + drift * kept + (later - mean) * share
    with tf.control_dependencies([change]):
        done = [state["x"].assign_add(change, read_value=False)]
    with tf.control_dependencies(done):
        return tf.identity(share)


def _add_exactly(total: Any, low: Any, value: Tensor) -> list[Any]:
    """`total (1 + unit low) += value`, with what a number of that precision leaves out (Knuth's two-sum)."""
    old, old_low = tf.convert_to_tensor(total), tf.convert_to_tensor(low)
    unit = unit_of(old.dtype.as_numpy_dtype)
    value = value + tf.cast(old_low, old.dtype) * (old * unit)
    new = old + value
    taken = new - old
    left = (old - (new - taken)) + (value - taken)
    parts = tf.math.divide_no_nan(left, new * unit)
    new_low = tf.cast(tf.clip_by_value(tf.round(parts), -127, 127), old_low.dtype)
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


def _are_few(tensors: Sequence[Tensor]) -> bool:
    """Whether samples are known to be so small that all of a batch can be held at once."""
    return all(None not in t.shape[1:] and prod(t.shape[1:]) <= _FEW_VALUES for t in tensors)


def _have_no_places(tensors: Sequence[Tensor]) -> bool:
    """Whether a sample is one row of inputs and of outputs: all of a batch are then taken at once."""
    return all(len(t.shape) <= 2 for t in tensors)


def _samples_at_a_time(tensors: Sequence[Tensor], neurons: int) -> Any:
    """How many samples a part has: a number, or a tensor if places are of any size."""
    static = not any(None in t.shape[1:] for t in tensors)
    least, most = (min, max) if static else (tf.minimum, tf.maximum)
    each = [prod(t.shape[1:]) if static else tf.size(t) // most(tf.shape(t)[0], 1) for t in tensors]
    positions = most(each[1] // neurons, 1)
    return most(least(_MOST_VALUES // most(reduce(most, each), 1), _MOST_POSITIONS // positions), 1)


def _in_parts(
    function: Callable[..., list[Tensor]],
    tensors: Sequence[Tensor],
    neurons: int,
    shape: Sequence[int],
    dtype: str,
) -> list[Tensor]:
    """The two sums that a function gives, of some samples at a time, so that what it needs stays small."""
    count, step = tf.shape(tensors[0])[0], _samples_at_a_time(tensors, neurons)

    def body(start: Tensor, *sums: Tensor) -> tuple[Tensor, ...]:
        found = function(*[t[start : start + step] for t in tensors])
        return (start + step, *[one + other for one, other in zip(sums, found, strict=True)])

    # Zeros that are known as such are folded into constants, several of each, which stay in memory.
    zeros = tf.fill(shape, tf.cast(tf.minimum(count, 0), dtype))
    start = (0, zeros, zeros)
    return list(tf.while_loop(lambda start, *_: start < count, body, start, parallel_iterations=1)[1:])
