"""What every explanation should beat: the input itself, and noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.core import Core, Options, Request, Result, Rows
from innexplain.arguments import check_seed
from innexplain.randomness import sample_rng

__all__ = ["Input", "Random"]


class Input(Analyzer):
    """The input as its own map: shows what a method adds to the picture."""

    name = "input"

    def __init__(self, model: Any, options: Options) -> None:
        super().__init__(Core(model, options, composite=None))

    def explain(self, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """Explain rows, see `Analyzer.explain`."""
        result = self.core.score(rows, data, request.batch_size)
        result.maps = self.core.of_explained(rows)
        request.tick(len(data))
        return result


class Random(Analyzer):
    """Standard normal noise in the shape of the input: the floor of every comparison.

    Args:
        seed: an int; the noise depends on it and on the sample, not on the batch.
    """

    name = "random"

    def __init__(self, model: Any, options: Options, *, seed: int = 0) -> None:
        super().__init__(Core(model, options, composite=None))
        self.seed = check_seed(seed)

    def explain(self, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """Explain rows, see `Analyzer.explain`."""
        result = self.core.score(rows, data, request.batch_size)
        explained = self.core.of_explained(rows)
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
