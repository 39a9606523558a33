"""Patterns that share the memory of the sums they are made of, until they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.patterns.blocks import Block
from innexplain.patterns.moments import Arrays, mean_input


@dataclass(frozen=True, eq=False)
class Part:
    """The patterns of a block: `xy` times a number a neuron, plus the mean input times another.

    Args:
        block: the neurons.
        sums: of one group, see `moments.py`.
        centre: what is subtracted from its mean input.
        factor, more: the numbers by neuron, as `moments.scale` gives them.
    """

    block: Block
    sums: Arrays
    centre: Any
    factor: np.ndarray
    more: np.ndarray | None

    def write(self, out: np.ndarray) -> None:
        """Write this part of an array of the kernel's shape."""
        own, neurons = self.block.of_kernel(out), self.block.neurons
        np.multiply(
            self.sums["xy"], neurons.along_kernel(self.factor, own.ndim), out=own, casting="same_kind"
        )
        if self.more is not None:
            own += neurons.along_kernel(self.more, own.ndim) * mean_input(self.sums, self.centre)


class ScaledArrays(Mapping[str, np.ndarray]):
    """The patterns of one site by type; an array is made whenever it is asked for.

    A pattern is made of sums by weight and one number a neuron.  The sums are those of the fit: they take no
    memory of their own unless the fit goes on, which leaves these as they are.

    Args:
        parts: for every type the parts that make up the kernel.
    """

    def __init__(self, parts: Mapping[str, list[Part]]) -> None:
        self._parts = dict(parts)

    def __getitem__(self, pattern_type: str) -> np.ndarray:
        parts = self._parts[pattern_type]
        array = np.empty(parts[0].block.site.kernel_shape, parts[0].block.site.layer_dtype)
        for part in parts:
            part.write(array)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def is_finite(self) -> bool:
        """Whether all activations of the network could be summed."""
        return all(np.isfinite(p.factor).all() for parts in self._parts.values() for p in parts)

    def silent(self) -> dict[str, int]:
        """How many neurons have the pattern zero, by type."""
        return {t: sum(int((p.factor == 0).sum()) for p in parts) for t, parts in self._parts.items()}
