"""Parts of large sites, so that no step of a fit holds several copies of a large kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from keras import ops

from innexplain.numerics import late, vjp
from innexplain.patterns import digits
from innexplain.patterns.neurons import Neurons
from innexplain.patterns.sites import Site

Tensor = Any

#: How many weights a block has at most, if its kernel can be split.  Files of sums hold blocks: whoever
#: changes this has to name their kind anew.
MOST_WEIGHTS = 2**24
#: To how many weights a batch is added at a time, if a row of the kernel has no more.
_WEIGHTS_AT_A_TIME = 2**18
#: Up to how many neurons patches are cut out once for several sums.
_FEW_NEURONS = 128


@dataclass(frozen=True, eq=False)
class Block:
    """Some neurons of a site with all their weights.

    Args:
        key: of the site, and a number.
        site: the site.
        neurons: those in the block.
        place: where they lie along the first axis that numbers neurons; `None` for all of them.
    """

    key: str
    site: Site
    neurons: Neurons
    place: slice | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of this part of the kernel."""
        shape = list(self.site.kernel_shape)
        for axis, length in zip(self.neurons.kernel_axes, self.neurons.shape, strict=True):
            shape[axis] = length
        return tuple(shape)

    @property
    def layout(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """What is kept of its weights: see `digits.layout`."""
        return digits.layout(self.shape, self.site.like_axes, self.site.dtype)

    def kept(self, xy: Any, x: Any) -> dict[str, Any]:
        """Two float64 numbers a weight as they are kept: see `digits.kept`."""
        return digits.kept(xy, x, self.site.like_axes, self.site.dtype)

    @property
    def rows_at_a_time(self) -> int:
        """To how many rows of the kernel, along its first axis, a batch is added at once."""
        length = self.shape[0]
        if 0 in self.neurons.kernel_axes or prod(self.shape) <= _WEIGHTS_AT_A_TIME:
            return length
        return max(_WEIGHTS_AT_A_TIME * length // prod(self.shape), 1)

    def of_kernel(self, kernel: Any) -> Any:
        """This part of an array of the kernel's shape."""
        return kernel if self.place is None else _along(kernel, self.neurons.kernel_axes[0], self.place)

    def of_output(self, z: Tensor) -> Tensor:
        """This part of the output."""
        return z if self.place is None else _along(z, self.neurons.z_axes[0] % len(z.shape), self.place)

    def of_neurons(self, values: Any) -> Any:
        """This part of numbers (count,) by neuron."""
        if self.place is None:
            return values
        each = prod(self.neurons.shape[1:])
        return values[self.place.start * each : self.place.stop * each]

    def sum_fields(self, x: Tensor, *outputs: Tensor, rows: Tensor | None = None) -> list[Tensor]:
        """`sum_n field_n v_n` over samples and positions n: what each weight sees, times v of its neuron.

        It is the gradient of `<f(x, K), v>` with respect to the kernel K, for any linear map f.

        Args:
            x: the input; of a site whose input is centred, with its padding.
            outputs: numbers v by output of the block, once or several times.
            rows: how many channels x has, if not all that number the rows of the kernel.

        Returns:
            One sum each, in the shape of the block.
        """
        shape = list(self.shape) if rows is None else [rows, *self.shape[1:]]
        axis = self.neurons.kernel_axes[0] if self.neurons.kernel_axes else None
        if axis is None or self.neurons.count > _FEW_NEURONS or not _are_apart(self.site):
            sums: list[Tensor] = []
            for v in outputs:
                sums.append(self._gradient(x, late(v, sums[-1]) if sums else v, shape))
            return sums
        # Side by side, as if they were more neurons: a convolution cuts out patches once for all.
        z_axis = self.neurons.z_axes[0]
        shape[axis] *= len(outputs)
        joined = self._gradient(x, ops.concatenate(outputs, axis=z_axis), shape)
        return ops.split(joined, len(outputs), axis=axis)

    def _gradient(self, x: Tensor, v: Tensor, shape: Sequence[int]) -> Tensor:
        part = self.site.part
        f = part.unpadded if self.site.inputs and part.unpadded else part.apply
        # The weights themselves do not matter; zeros would be kept as constants.
        anywhere = ops.broadcast_to(ops.cast(ops.shape(x)[0], x.dtype), shape)
        _, pull = vjp(lambda kernel: [f(x, kernel)], anywhere)
        return pull([v])[0]


def blocks_of(sites: Sequence[Site]) -> list[Block]:
    """The blocks of all sites, in their order; small kernels, and those that cannot be split, are one."""
    return [block for site in sites for block in _split(site)]


def _split(site: Site) -> Iterator[Block]:
    own, weights = site.neurons, prod(site.kernel_shape)
    if weights <= MOST_WEIGHTS or not own.kernel_axes or not _are_apart(site):
        yield Block(f"{site.key}|0", site, own)
        return
    length = own.shape[0]
    size = _power_of_two(MOST_WEIGHTS * length // weights)
    for i, start in enumerate(range(0, length, size)):
        place = slice(start, min(start + size, length))
        neurons = replace(own, shape=(place.stop - start, *own.shape[1:]))
        yield Block(f"{site.key}|{i}", site, neurons, place)


def _are_apart(site: Site) -> bool:
    """Whether neurons that follow each other along the first axis that numbers them can be taken alone.

    Depthwise kernels have one output axis for two of their own; groups belong to parts of the input, and so
    do neurons along an axis that an EinsumDense finds in its input.
    """
    own, layer = site.neurons, site.part.layer
    inputs, _, rest = (getattr(layer, "equation", None) or "").replace(" ", "").partition(",")
    in_input = bool(rest) and rest[own.kernel_axes[0]] in inputs
    return len(own.z_axes) == len(own.kernel_axes) and getattr(layer, "groups", 1) == 1 and not in_input


def _power_of_two(most: int) -> int:
    """The largest one up to a number: blocks then begin at even places in memory."""
    return 1 << (max(most, 1).bit_length() - 1)


def _along(array: Any, axis: int, place: slice) -> Any:
    return array[(slice(None),) * axis + (place,)]
