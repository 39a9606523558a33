"""Which numbers are subtracted from the input of a linear part before it is summed, and where they act.

A covariance does not change if all that a weight sees is moved by a constant, but float32 keeps many more
digits of numbers near zero.  One number a channel, its mean, does for all weights that see the channel, if
zeros that are padded are moved with the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from innexplain.graph.linear import LinearPart
from innexplain.patterns.neurons import placed

Tensor = Any


@dataclass(frozen=True, eq=False)
class Inputs:
    """The channels of a linear part's input: what its weights tell apart, apart from places.

    Args:
        part: the linear part.
        x_axes: axes of the input that number channels, batch axis counted or from the end; over the others
            a mean can be taken.
        kernel_axes: the same axes of the kernel.
        shape: their lengths in the input.
        summed: axes of the input over which a weight sees the sum.
        groups, neurons: of a grouped convolution.
    """

    part: LinearPart
    x_axes: tuple[int, ...]
    kernel_axes: tuple[int, ...]
    shape: tuple[int, ...]
    summed: tuple[int, ...] = ()
    groups: int = 1
    neurons: int = 1

    @property
    def count(self) -> int:
        """How many channels there are."""
        return int(np.prod(self.shape))

    def mean(self, x: Tensor, present: Tensor) -> Tensor:
        """The mean of every channel, (count,), over the samples that `present` (samples,) does not mark 0.

        It is 0 if there is none, and rounded to a fraction of the spread: inputs on a grid, as pixels
        are, then stay on one, and their sums are exact rather than rounded the same way again and again.
        """
        present = ops.cast(present, x.dtype)
        m = ops.matmul(present[None], self._by_channel(x))[0] / ops.maximum(ops.sum(present), 1)
        return _rounded(m, self._by_channel(abs(self.less(x[:1], m)))[0])

    def _by_channel(self, x: Tensor) -> Tensor:
        """The mean of every sample over places, (samples, count)."""
        rank = len(x.shape)
        own = [a % rank for a in self.x_axes]
        places = [a for a in range(1, rank) if a not in own]
        each = ops.mean(x, axis=places) if places else x
        return ops.reshape(self._in_order(each, own), (-1, self.count))

    @staticmethod
    def _in_order(each: Tensor, own: Sequence[int]) -> Tensor:
        order = [0, *(1 + sorted(own).index(a) for a in own)]
        return ops.transpose(each, order)

    def places(self, x: Tensor) -> Tensor:
        """Of how many places a weight sees the sum."""
        lengths = [ops.shape(x)[a] for a in self.summed]
        return ops.cast(ops.prod(ops.stack([1, *lengths])), "float64")

    def less(self, x: Tensor, m: Tensor) -> Tensor:
        """The input less a number a channel, (count,)."""
        return x - placed(m, self.shape, self.x_axes, len(x.shape))

    def along_kernel(self, m: Any, rank: int) -> Any:
        """Numbers (count,) in a shape that broadcasts against the kernel, of a rank."""
        if self.groups == 1:
            return placed(m, self.shape, self.kernel_axes, rank)
        # The neurons of a group follow each other along the last axis, and see that group's channels.
        own: Any = np if isinstance(m, np.ndarray) else ops
        each = own.reshape(m, (self.groups, -1))
        each = own.repeat(each, self.neurons // self.groups, axis=0)
        return placed(each, each.shape, (-1, -2), rank)


def _rounded(m: Tensor, spread: Tensor) -> Tensor:
    """Multiples of an eighth of the power of two below a spread; the numbers as they are where it is 0."""
    varies = spread > 0
    step = 2 ** (ops.floor(ops.log2(ops.where(varies, spread, ops.ones_like(spread)))) - 3)
    return ops.where(varies, ops.round(m / step) * step, m)


def inputs_of(part: LinearPart) -> Inputs | None:
    """The channels of a linear part's input.

    `None` for transposed convolutions, which put zeros between places: a weight does not see its channel's
    mean everywhere.

    >>> import keras
    >>> from innexplain.graph.linear import linear_parts
    >>> layer = keras.layers.Conv2D(6, 3, groups=2)
    >>> layer.build((None, 8, 8, 4))
    >>> inputs_of(linear_parts(layer)[0]).along_kernel(np.arange(4.0), 4)[0, 0]
    array([[0., 0., 0., 2., 2., 2.],
           [1., 1., 1., 3., 3., 3.]])
    """
    kernel_shape = tuple(getattr(part.layer, part.kernel_name).shape)
    equation = getattr(part.layer, "equation", None)
    if part.in_axes is None and equation is not None:
        return _of_einsum(part, equation, kernel_shape)
    if part.unpadded is None:
        return None
    groups = getattr(part.layer, "groups", 1)
    axis = part.in_axes[0] if part.in_axes else len(kernel_shape) - 2
    return Inputs(
        part, (1 if part.bias_axis == 1 else -1,), (axis,), (kernel_shape[axis] * groups,),
        (), groups, kernel_shape[-1],
    )  # fmt: skip


def _of_einsum(part: LinearPart, equation: str, kernel_shape: tuple[int, ...]) -> Inputs:
    """Labels of the input that the kernel has too number channels; those of the input alone are summed."""
    inputs, output = equation.replace(" ", "").split("->")
    x, kernel = inputs.split(",")
    dots = x.find("...")

    def axes(labels: list[str]) -> tuple[int, ...]:
        places = [x.index(label) for label in labels]
        return tuple(place - len(x) if 0 <= dots < place else place for place in places)

    own = [label for label in x[1:] if label in kernel and label != "."]
    summed = [label for label in x[1:] if label not in kernel + output]
    kernel_axes = tuple(kernel.index(label) for label in own)
    return Inputs(part, axes(own), kernel_axes, tuple(kernel_shape[a] for a in kernel_axes), axes(summed))
