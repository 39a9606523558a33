"""What every explanation should beat: the input itself, and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from innexplain.analyzers.method import Method
from innexplain.arguments import check_seed
from innexplain.network import Network, Request, Result, Rows
from innexplain.randomness import sample_rng


@dataclass(frozen=True, eq=False)
class _Baseline(Method):
    """A method that only asks the network for its score."""

    needs: ClassVar[str] = "calls"

    @property
    def backwards(self) -> bool:
        """Nothing goes backwards."""
        return False


@dataclass(frozen=True, eq=False)
class Input(_Baseline):
    """The input as its own map: shows what a method adds to the picture."""

    meaning: ClassVar[str] = "signal"

    def attribute(self, network: Network, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """See `Method.attribute`."""
        result = network.score(rows, data, request.batch_size)
        result.maps = network.of_explained(rows)
        request.tick(len(data))
        return result


@dataclass(frozen=True, eq=False)
class Random(_Baseline):
    """Standard normal noise in the shape of the input: the floor of every comparison.

    Args:
        seed: an int; the noise depends on it and on the sample, not on the batch.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_seed(self.seed))

    def attribute(self, network: Network, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """See `Method.attribute`."""
        result = network.score(rows, data, request.batch_size)
        explained = network.of_explained(rows)
        noise = [
            [rng.standard_normal(row.shape[1:]) for row in explained]
            for rng in (sample_rng(self.seed, rows, i) for i in range(len(data)))
        ]
        result.maps = [
            np.stack(column).astype(row.dtype)
            for column, row in zip(zip(*noise, strict=True), explained, strict=True)
        ]
        request.tick(len(data))
        return result
