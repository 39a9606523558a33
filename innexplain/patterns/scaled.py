"""Patterns that share the memory of the sums they are made of, until they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from innexplain.patterns.blocks import Block

__all__ = ["Part", "ScaledArrays"]

#: A block, numbers by weight, and what those of each neuron are multiplied by.
Part = tuple[Block, Any, np.ndarray]


class ScaledArrays(Mapping[str, np.ndarray]):
    """The patterns of one site by type; an array is made whenever it is asked for.

    A pattern is a sum by weight times one number a neuron.  The sums are those of the fit: they take no
    memory of their own unless the fit goes on, which leaves these as they are.

    Args:
        parts: for every type the parts that make up the kernel.
    """

    def __init__(self, parts: Mapping[str, list[Part]]) -> None:
        self._parts = dict(parts)

    def __getitem__(self, pattern_type: str) -> np.ndarray:
        site = self._parts[pattern_type][0][0].site
        array: np.ndarray | None = None
        for block, values, scale in self._parts[pattern_type]:
            numbers = np.asarray(values)
            if array is None:
                array = np.empty(site.kernel_shape, numbers.dtype)
            along = block.neurons.along_kernel(scale, numbers.ndim)
            np.multiply(numbers, along, out=block.of_kernel(array), casting="same_kind")
        if array is None:
            raise KeyError(pattern_type)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def silent(self) -> dict[str, int]:
        """How many neurons have the pattern zero, by type."""
        return {t: sum(int((s == 0).sum()) for _, _, s in parts) for t, parts in self._parts.items()}
