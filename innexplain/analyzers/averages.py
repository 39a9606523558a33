"""Methods around other methods: the mean over noisy copies, the integral along a path."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from innexplain.analyzers.choosing import inner_method
from innexplain.analyzers.method import Method
from innexplain.arguments import check_count, check_number, check_seed
from innexplain.errors import ArgumentError
from innexplain.network import Network, Options, Request, Result, Rows, chunks, total
from innexplain.randomness import sample_rng


@dataclass(frozen=True, eq=False)
class Averaging(Method):
    """The weighted mean of another method's maps over changed copies of each sample.

    Copies are made when they are needed and summed at once, so that memory does not grow with their
    number.  All copies of a sample are explained for the neuron of the sample itself.
    """

    analyzer: Any = "gradient"

    def __post_init__(self) -> None:
        object.__setattr__(self, "analyzer", inner_method(self.analyzer))
        for word in ("meaning", "needs", "spatial"):  # those of the method inside
            object.__setattr__(self, word, getattr(self.analyzer, word))

    @property
    @abstractmethod
    def copies(self) -> int:
        """How many there are of each sample."""

    @abstractmethod
    def copy(self, network: Network, rows: Rows, sample: int, number: int) -> Rows:
        """The explained entries of one changed copy, without a batch axis."""

    def weight(self, number: int) -> float:
        """How much a copy counts; weights sum to one."""
        return 1 / self.copies

    def rows_per_sample(self, network: Network) -> int:
        """Those of every copy."""
        return self.copies * int(self.analyzer.rows_per_sample(network))

    def network(self, model: Any, options: Options) -> Network:
        """The model, made ready for the method inside."""
        return self.analyzer.network(model, options)

    def attribute(self, network: Network, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """See `Method.attribute`."""
        batch_size, request = request.batch_size, replace(request, record=None)
        result, data = network.resolve(rows, data, batch_size)
        sums: Rows = []
        for part in chunks(len(data) * self.copies, batch_size):
            samples, numbers = np.divmod(np.arange(part.start, part.stop), self.copies)
            changed = self._copies(network, rows, samples, numbers)
            block = self.analyzer.attribute(network, changed, data[samples], request)
            weights = np.array([self.weight(k) for k in numbers])
            sums = sums or [np.zeros((len(data), *m.shape[1:]), m.dtype) for m in block.maps]
            for summed, maps in zip(sums, block.maps, strict=True):
                for sample, weight, row in zip(samples, weights, maps, strict=True):
                    summed[sample] += row * weight.astype(row.dtype)
        result.maps = sums
        return result

    def _copies(self, network: Network, rows: Rows, samples: np.ndarray, numbers: np.ndarray) -> Rows:
        """Copies as rows; what is not explained (tokens, masks) is repeated as it is."""
        made = [self.copy(network, rows, i, k) for i, k in zip(samples, numbers, strict=True)]
        explained = [np.stack(column) for column in zip(*made, strict=True)]
        return network.take([row[samples] for row in rows], explained)


@dataclass(frozen=True, eq=False)
class Smoothing(Averaging):
    """The mean map over noisy copies of the input: `1/n sum_k A(x + e_k)`, `e_k ~ N(0, sigma^2)`.

    The noise of a copy depends on the seed, the sample and the copy's number, so that answers do not
    depend on `batch_size` or on the other samples of a batch.

    Args:
        analyzer: any analyzer that goes backwards; default `"gradient"`.
        augment_by_n: number of copies.
        noise_scale: sigma as a fraction of the range (max - min) of the sample.
        seed: an int; same seed, same answer.

    Reference: Smilkov et al. 2017.
    """

    reference: ClassVar[str] = "Smilkov et al. 2017"
    augment_by_n: int = 64
    noise_scale: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.analyzer.backwards:
            raise ArgumentError(
                "smoothgrad averages the maps of an analyzer that goes backwards through the model, and "
                f"{self.analyzer.name} does not. Use 'gradient', or another one that does."
            )
        check_count("augment_by_n", self.augment_by_n)
        check_seed(self.seed)
        check_number("noise_scale", self.noise_scale, low=0)

    @property
    def copies(self) -> int:
        """How many noisy copies there are."""
        return int(self.augment_by_n)

    @property
    def gradient_like(self) -> bool:
        """Whether the method inside is."""
        return bool(self.analyzer.gradient_like)

    def copy(self, network: Network, rows: Rows, sample: int, number: int) -> Rows:
        """The sample with noise added."""
        rng = sample_rng(self.seed, rows, sample, number)
        answer = []
        for row in network.of_explained(rows):
            x = row[sample]
            noise = rng.standard_normal(x.shape, x.dtype if x.dtype == "float64" else "float32")
            answer.append((x + float(self.noise_scale) * np.ptp(x) * noise).astype(x.dtype))
        return answer


@dataclass(frozen=True, eq=False)
class PathIntegral(Averaging):
    """The integral of the gradient along a straight path: `(x - x0) * int_0^1 dS(x0 + a (x - x0)) da`.

    Completeness: the attribution sums to `S(x) - S(x0)`; `return_info=True` tells the gap.

    Args:
        analyzer: the analyzer that is integrated; one that gives a derivative or acts like one.
        steps: number of points on the path.
        baseline: x0: a number, an array of one sample's shape, or a list of these, one an input.
        rule: `"midpoint"` (default), `"trapezoid"` or `"gauss_legendre"`.

    Reference: Sundararajan et al. 2017.
    """

    reference: ClassVar[str] = "Sundararajan et al. 2017"
    steps: int = 64
    baseline: Any = 0
    rule: str = "midpoint"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.analyzer.gradient_like:
            raise ArgumentError(
                "integrated_gradients integrates a derivative: gradient, deconvnet, guided_backprop, or "
                f"smoothgrad around one of them. Received: {self.analyzer.name}"
            )
        check_count("steps", self.steps, 2 if self.rule == "trapezoid" else 1)
        points, weights = _quadrature(self.rule, self.copies)
        object.__setattr__(self, "_points", points)
        object.__setattr__(self, "_weights", weights)

    @property
    def copies(self) -> int:
        """How many points there are on the path."""
        return int(self.steps)

    def copy(self, network: Network, rows: Rows, sample: int, number: int) -> Rows:
        """A point on the path."""
        explained = network.of_explained(rows)
        a = self._points[number]  # type: ignore[attr-defined]
        return [
            (x0[sample] + a * (x[sample] - x0[sample])).astype(x.dtype)
            for x, x0 in zip(explained, self._baselines(explained), strict=True)
        ]

    def weight(self, number: int) -> float:
        """The weight of the quadrature rule."""
        return float(self._weights[number])  # type: ignore[attr-defined]

    def attribute(self, network: Network, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """See `Method.attribute`; the gap costs one forward pass more."""
        result = super().attribute(network, rows, data, request)
        explained = network.of_explained(rows)
        baselines = self._baselines(explained)
        result.maps = [(x - x0) * m for x, x0, m in zip(explained, baselines, result.maps, strict=True)]
        held = network.held(result, data)
        start = network.score(network.take(rows, baselines), held, request.batch_size).score
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
