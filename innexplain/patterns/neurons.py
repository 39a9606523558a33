"""Which axes number the neurons of a linear part, in its kernel and in its output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from innexplain.graph.linear import LinearPart

Tensor = Any


@dataclass(frozen=True)
class Neurons:
    """The neurons of a linear part: one weight vector each.

    Args:
        kernel_axes: axes of the kernel that number neurons; the others hold a neuron's weights.
        z_axes: axes of the output, batch axis counted or from the end, that number neurons; a depthwise
            convolution has one for both of its kernel's axes. The others are positions, each a sample.
        shape: lengths of `kernel_axes`.
    """

    kernel_axes: tuple[int, ...]
    z_axes: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return int(np.prod(self.shape))

    def sum_positions(self, z: Tensor) -> Tensor:
        """The sum over samples and positions, one number a neuron, (count,)."""
        rank = len(z.shape)
        own = {a % rank for a in self.z_axes}
        axes = [a for a in range(rank) if a not in own]
        return ops.reshape(self._as_in_kernel(ops.sum(z, axis=axes), rank), (-1,))

    def along_output(self, values: Tensor, rank: int) -> Tensor:
        """Numbers (count,) in a shape that broadcasts against the output, of a rank."""
        return placed(values, (self.count,) if len(self.z_axes) == 1 else self.shape, self.z_axes, rank)

    def _as_in_kernel(self, sums: Tensor, rank: int) -> Tensor:
        """Sums with one axis an axis in `z_axes`, in the order in which the kernel has them."""
        if len(self.z_axes) == 1:
            return sums
        places = [a % rank for a in self.z_axes]
        return ops.transpose(sums, [sorted(places).index(a) for a in places])

    def along_kernel(self, values: Any, rank: int) -> Any:
        """Numbers (count,) in a shape that broadcasts against the kernel, of a rank."""
        return placed(values, self.shape, self.kernel_axes, rank)

    def sum_weights(self, kernel: Tensor) -> np.ndarray:
        """The sum over each neuron's weights, (count,), in float64."""
        axes = tuple(a for a in range(len(kernel.shape)) if a not in self.kernel_axes)
        return ops.convert_to_numpy(ops.sum(ops.cast(kernel, "float64"), axis=axes)).ravel()


def placed(values: Any, shape: Sequence[int], axes: Sequence[int], rank: int) -> Any:
    """Numbers of a shape along some axes, in that order, of a tensor of a rank; its other axes are 1 long.

    >>> placed(np.arange(6), (2, 3), (-1, 0), 4).shape
    (3, 1, 1, 2)
    """
    own: Any = np if isinstance(values, np.ndarray) else ops
    places = [a % rank for a in axes]
    lengths = dict(zip(places, shape, strict=True))
    if places != sorted(places):
        values = own.transpose(own.reshape(values, shape), np.argsort(places).tolist())
    return own.reshape(values, [lengths.get(a, 1) for a in range(rank)])


def neurons_of(part: LinearPart) -> Neurons:
    """The neurons of a linear part with a kernel.

    >>> import keras
    >>> from innexplain.graph.linear import linear_parts
    >>> layer = keras.layers.Conv2D(5, 3)
    >>> layer.build((None, 8, 8, 2))
    >>> neurons_of(linear_parts(layer)[0])
    Neurons(kernel_axes=(3,), z_axes=(-1,), shape=(5,))
    """
    kernel_shape = tuple(getattr(part.layer, part.kernel_name).shape)
    equation = getattr(part.layer, "equation", None)
    if part.out_axes is None and equation is not None:
        return _of_einsum(equation, kernel_shape)
    # Grouped convolutions name no out axes for batch norms to scale, but number neurons like others.
    kernel_axes = part.out_axes or (len(kernel_shape) - 1,)
    z_axis = 1 if part.bias_axis == 1 else -1
    return Neurons(kernel_axes, (z_axis,), tuple(kernel_shape[a] for a in kernel_axes))


def _of_einsum(equation: str, kernel_shape: tuple[int, ...]) -> Neurons:
    """Kernel axes whose label stands in the output number neurons."""
    inputs, output = equation.replace(" ", "").split("->")
    kernel = inputs.split(",")[1]
    axes = tuple(i for i, label in enumerate(kernel) if label in output)
    # Counted from the end behind dots, which hold any number of axes.
    dots = output.find("...")
    places = [output.index(kernel[a]) for a in axes]
    places = [p - len(output) if 0 <= dots < p else p for p in places]
    return Neurons(axes, tuple(places), tuple(kernel_shape[a] for a in axes))
