"""Some samples of a batch at a time, or some rows of one: what a step of a fit holds stays small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import tensorflow as tf

from innexplain.patterns.blocks import Block
from innexplain.patterns.sites import Site

Tensor = Any

#: How many numbers a part has at most, those of a convolution in float64, which cuts out patches, counted as
#: often as weights see them.
_MOST_VALUES = 2**20
#: How often inputs and outputs are held besides, in float64.
_COPIES = 8
#: Over how many positions float32 sums at once: over more, it loses digits.
_MOST_POSITIONS = 2**12


@dataclass(frozen=True, eq=False)
class Call:
    """What one call of a site gives in a batch, or in a part of one.

    Args:
        x: the input; what `Site.padded` gives in a part.
        z: the output of the linear part.
        gate: what the sign of each output is taken of.
        present: 1 for every sample that is there, (samples,).
    """

    x: Tensor
    z: Tensor
    gate: Tensor
    present: Tensor


@dataclass(frozen=True)
class Rows:
    """Which rows of a padded input the rows of an output see.

    Args:
        axis: along which rows lie.
        reach: how many rows of the input one of the output sees, those between them counted.
        stride: by how many rows of the input one of the output is further on.
    """

    axis: int
    reach: int = 1
    stride: int = 1

    def of_output(self, samples: slice, rows: slice) -> tuple[slice, ...]:
        """Where some rows of some samples of the output are."""
        return (samples, *[slice(None)] * (self.axis - 1), rows)

    def of_input(self, samples: slice, rows: slice) -> tuple[slice, ...]:
        """Where the input is that these rows of the output see.

        >>> Rows(1, reach=3, stride=2).of_input(slice(None), slice(1, 3))
        (slice(None, None, None), slice(2, 7, None))
        """
        last = (rows.stop - 1) * self.stride
        return self.of_output(samples, slice(rows.start * self.stride, last + self.reach))


def rows_of(site: Site, rank: int) -> Rows | None:
    """The rows of what a site reads and gives, of a rank; `None` where samples are not cut.

    >>> import keras
    >>> from innexplain.patterns import PatternComputer
    >>> conv = keras.layers.Conv2D(2, 3, strides=2, dilation_rate=1)
    >>> site, = PatternComputer(keras.Sequential([keras.Input((8, 8, 3)), conv])).sites
    >>> rows_of(site, 4)
    Rows(axis=1, reach=3, stride=2)
    """
    part, inputs = site.part, site.inputs
    if rank < 3 or inputs is None or getattr(part.layer, "equation", None) is not None:
        return None
    axis = 2 if part.bias_axis == 1 else 1
    if not hasattr(part.layer, "kernel_size") or part.name == "pointwise":
        return Rows(axis)
    size, dilation = part.layer.kernel_size[0], part.layer.dilation_rate
    rate = dilation if isinstance(dilation, int) else dilation[0]
    return Rows(axis, (size - 1) * rate + 1, part.layer.strides[0])


def in_parts(
    function: Callable[[Call], list[Tensor]],
    block: Block,
    call: Call,
    shapes: Sequence[Sequence[int]],
    dtype: str,
) -> list[Tensor]:
    """The sums over a batch of what a function gives of its parts.

    Args:
        function: gives one sum of each shape.
        block: where the batch was seen.
        call: the batch.
        shapes: of the sums.
        dtype: in which the function sums.
    """
    if is_row(call):
        return function(call)
    rows = rows_of(block.site, len(call.z.shape))
    samples, length, each = _sizes(block, call, rows, dtype)
    count, strips = tf.shape(call.x)[0], -(-length // each)

    def body(i: Tensor, *sums: Tensor) -> tuple[Tensor, ...]:
        start, row = i // strips * samples, i % strips * each
        own = slice(start, tf.minimum(start + samples, count))
        x, at = block.site.padded(call.x[own]), tuple[slice, ...]((own,))
        if rows and not (isinstance(strips, int) and strips == 1):  # all rows need not be cut out
            strip = slice(row, tf.minimum(row + each, length))
            x, at = x[rows.of_input(slice(None), strip)], rows.of_output(own, strip)
        z = call.z[at]
        part = Call(x, z, z if call.gate is call.z else call.gate[at], call.present[own])
        return (i + 1, *[one + other for one, other in zip(sums, function(part), strict=True)])

    # Zeros that are known as such are folded into constants, several of each, which stay in memory.
    zero = tf.cast(tf.minimum(count, 0), dtype)
    start = (0, *[tf.fill(shape, zero) for shape in shapes])
    last = -(-count // samples) * strips
    return list(tf.while_loop(lambda i, *_: i < last, body, start, parallel_iterations=1)[1:])


def is_row(call: Call) -> bool:
    """Whether a sample is one row of inputs and of outputs: all of a batch are then taken at once."""
    return len(call.x.shape) == 2 and len(call.z.shape) == 2


def _sizes(block: Block, call: Call, rows: Rows | None, dtype: str) -> tuple[Any, Any, Any]:
    """How many samples a part has, how many rows a sample, and of these a part: tensors for any size."""
    static = not any(None in t.shape[1:] for t in (call.x, call.z))
    least, most = (min, max) if static else (tf.minimum, tf.maximum)
    (x, _), (z, length) = (_lengths(t, rows, static) for t in (call.x, call.z))
    positions, values = most(z // block.neurons.count, 1), most(_COPIES * most(x, z), 1)
    if dtype == "float64":
        values = most(values, positions * (prod(block.shape) // block.neurons.count))
        samples, each = _MOST_VALUES // values, _MOST_VALUES * length // values
    else:
        samples = least(_MOST_VALUES // values, _MOST_POSITIONS // positions)
        each = _MOST_POSITIONS * length // positions
    found = most(samples, 1), length, least(most(each, 1), length)
    return found if static else tuple(tf.cast(v, tf.int32) for v in found)


def _lengths(t: Tensor, rows: Rows | None, static: bool) -> tuple[Any, Any]:
    """How many numbers and how many rows a sample has; of any size in 64 bits, which products need."""
    if static:
        return prod(t.shape[1:]), t.shape[rows.axis] if rows else 1
    shape = tf.shape(t, tf.int64)
    return tf.reduce_prod(shape[1:]), shape[rows.axis] if rows else tf.constant(1, tf.int64)
