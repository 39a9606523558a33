"""Analyzers around other analyzers: the mean over noisy copies, the integral along a path."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from innexplain.analyzers.base import Analyzer, chunks
from innexplain.analyzers.core import Request, Result, Rows, total
from innexplain.arguments import check_count, check_seed
from innexplain.errors import ArgumentError
from innexplain.randomness import sample_rng

__all__ = ["IntegratedGradients", "SmoothGrad"]


class _Averaging(Analyzer):
    """The weighted mean of another analyzer's maps over changed copies of each sample.

    Copies are made when they are needed and summed at once, so that memory does not grow with their
    number.  All copies of a sample are explained for the neuron of the sample itself.
    """

    def __init__(self, analyzer: Analyzer, copies: int) -> None:
        super().__init__(analyzer.core)
        self.analyzer = analyzer
        self.copies = copies
        self.rows_per_sample = copies * analyzer.rows_per_sample

    @abstractmethod
    def copy(self, rows: Rows, sample: int, number: int) -> Rows:
        """The explained entries of one changed copy, without a batch axis."""

    @abstractmethod
    def weight(self, number: int) -> float:
        """How much a copy counts; weights sum to one."""

    def explain(self, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """Explain rows, see `Analyzer.explain`."""
        batch_size, request = request.batch_size, replace(request, record=None)
        result, data = self.core.resolve(rows, data, batch_size)
        sums: Rows = []
        for part in chunks(len(data) * self.copies, batch_size):
            samples, numbers = np.divmod(np.arange(part.start, part.stop), self.copies)
            changed = self._copies(rows, samples, numbers)
            block = self.analyzer.explain(changed, data[samples], request)
            weights = np.array([self.weight(k) for k in numbers])
            sums = sums or [np.zeros((len(data), *m.shape[1:]), m.dtype) for m in block.maps]
            for summed, maps in zip(sums, block.maps, strict=True):
                for sample, weight, row in zip(samples, weights, maps, strict=True):
                    summed[sample] += row * weight.astype(row.dtype)
        result.maps = sums
        return result

    def _copies(self, rows: Rows, samples: np.ndarray, numbers: np.ndarray) -> Rows:
        """Copies as rows; what is not explained (tokens, masks) is repeated as it is."""
        made = [self.copy(rows, i, k) for i, k in zip(samples, numbers, strict=True)]
        explained = [np.stack(column) for column in zip(*made, strict=True)]
        return self.core.take([row[samples] for row in rows], explained)


class SmoothGrad(_Averaging):
    """The mean map over noisy copies of the input: `1/n sum_k A(x + e_k)`, `e_k ~ N(0, sigma^2)`.

    The noise of a copy depends on the seed, the sample and the copy's number, so that answers do not
    depend on `batch_size` or on the other samples of a batch.

    Args:
        analyzer: any analyzer that goes backwards; default of `create_analyzer`: `"gradient"`.
        augment_by_n: number of copies.
        noise_scale: sigma as a fraction of the range (max - min) of the sample.
        seed: an int; same seed, same answer.

    Raises:
        ArgumentError: an argument is out of range.

    Reference: Smilkov et al. 2017.

    Example:
        >>> import keras, numpy, innexplain
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh")])
        >>> analyzer = innexplain.create_analyzer("smoothgrad", model, augment_by_n=8)
        >>> analyzer.analyze(numpy.arange(4.0)[None]).shape
        (1, 4)
    """

    name = "smoothgrad"

    def __init__(
        self, analyzer: Analyzer, augment_by_n: int = 64, noise_scale: float = 0.15, seed: int = 0
    ) -> None:
        if analyzer.core.composite is None:
            raise ArgumentError(
                "smoothgrad averages the maps of an analyzer that goes backwards through the model, and "
                f"{analyzer.name} does not. Use 'gradient', or another one that does."
            )
        super().__init__(analyzer, check_count("augment_by_n", augment_by_n))
        number = isinstance(noise_scale, Real) and not isinstance(noise_scale, bool)
        if not (number and 0 <= noise_scale < np.inf):
            raise ArgumentError(
                "noise_scale must be a finite number of at least 0, a fraction of the input's range. "
                f"Received: noise_scale={noise_scale!r}"
            )
        self.noise_scale = float(noise_scale)
        self.seed = check_seed(seed)
        self.gradient_like = analyzer.gradient_like

    def copy(self, rows: Rows, sample: int, number: int) -> Rows:
        """The sample with noise added."""
        rng = sample_rng(self.seed, rows, sample, number)
        answer = []
        for row in self.core.of_explained(rows):
            x = row[sample]
            noise = rng.standard_normal(x.shape, x.dtype if x.dtype == "float64" else "float32")
            answer.append((x + self.noise_scale * np.ptp(x) * noise).astype(x.dtype))
        return answer

    def weight(self, number: int) -> float:
        """Every copy counts the same."""
        return 1 / self.copies


class IntegratedGradients(_Averaging):
    """The integral of the gradient along a straight path: `(x - x0) * int_0^1 dS(x0 + a (x - x0)) da`.

    Completeness: the attribution sums to `S(x) - S(x0)`; `return_info=True` tells the gap.

    Args:
        analyzer: the analyzer that is integrated; one that gives a derivative or acts like one.
        steps: number of points on the path.
        baseline: x0: a number, an array of one sample's shape, or a list of these, one an input.
        rule: `"midpoint"` (default), `"trapezoid"` or `"gauss_legendre"`.

    Raises:
        ArgumentError: an argument is out of range, or the analyzer gives no derivative.

    Reference: Sundararajan et al. 2017.

    Example:
        >>> import keras, numpy, innexplain
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh")])
        >>> analyzer = innexplain.create_analyzer("integrated_gradients", model)
        >>> heatmap, info = analyzer.analyze(numpy.arange(4.0)[None], return_info=True)
        >>> bool(abs(info["gap"]) < 1e-3)
        True
    """

    name = "integrated_gradients"

    def __init__(
        self, analyzer: Analyzer, steps: int = 64, baseline: Any = 0, rule: str = "midpoint"
    ) -> None:
        if not analyzer.gradient_like:
            raise ArgumentError(
                "integrated_gradients integrates a derivative: gradient, deconvnet, guided_backprop, or "
                f"smoothgrad around one of them. Received: {analyzer.name}"
            )
        super().__init__(analyzer, check_count("steps", steps, 2 if rule == "trapezoid" else 1))
        self.baseline = baseline
        self.points, self.weights = _quadrature(rule, self.copies)

    def copy(self, rows: Rows, sample: int, number: int) -> Rows:
        """A point on the path."""
        explained = self.core.of_explained(rows)
        a = self.points[number]
        return [
            (x0[sample] + a * (x[sample] - x0[sample])).astype(x.dtype)
            for x, x0 in zip(explained, self._baselines(explained), strict=True)
        ]

    def weight(self, number: int) -> float:
        """The weight of the quadrature rule."""
        return float(self.weights[number])

    def explain(self, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """Explain rows, see `Analyzer.explain`; the gap costs one forward pass more."""
        result = super().explain(rows, data, request)
        explained = self.core.of_explained(rows)
        baselines = self._baselines(explained)
        result.maps = [(x - x0) * m for x, x0, m in zip(explained, baselines, result.maps, strict=True)]
        held = self.core.held(result, data)
        start = self.core.score(self.core.take(rows, baselines), held, request.batch_size).score
        result.gap = result.score - start - total(result.maps)
        return result

    def _baselines(self, explained: Rows) -> Rows:
        """One baseline an entry, broadcast to its rows (a view: nothing is copied)."""
        given = self.baseline
        if not isinstance(given, (list, tuple)) or (len(explained) == 1 and np.ndim(given) > 0):
            given = [given] * len(explained)
        if len(given) != len(explained):
            raise ArgumentError(
                f"baseline must be one value, or a list of {len(explained)}, one an explained input. "
                f"Received: {len(given)}"
            )
        return [_broadcast(x0, x) for x0, x in zip(given, explained, strict=True)]


def _broadcast(baseline: Any, x: np.ndarray) -> np.ndarray:
    try:
        value = np.asarray(baseline, x.dtype)
        fits = np.broadcast_shapes(value.shape, x.shape[1:]) == x.shape[1:]
    except (TypeError, ValueError):
        fits = False
    if not fits or not np.isfinite(value).all():
        raise ArgumentError(
            "baseline must be a finite number, or an array that fits one sample of shape "
            f"{x.shape[1:]}. Received: {type(baseline).__name__} of shape {np.shape(baseline)}"
        )
    return np.broadcast_to(value, x.shape)


def _quadrature(rule: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Points in [0, 1] and weights that sum to one."""
    if rule == "midpoint":
        return (np.arange(n) + 0.5) / n, np.full(n, 1 / n)
    if rule == "trapezoid":
        weights = np.full(n, 1 / (n - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, n), weights
    if rule == "gauss_legendre":
        points, weights = np.polynomial.legendre.leggauss(n)
        return (points + 1) / 2, weights / 2
    raise ArgumentError(f"rule must be 'midpoint', 'trapezoid' or 'gauss_legendre'. Received: rule={rule!r}")
