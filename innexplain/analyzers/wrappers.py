"""Analyzers around a model or another analyzer, as classes to be called."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.choosing import method_of


class _Around(Analyzer):
    """An analyzer around another one, which hands its network on: nothing is compiled twice."""

    def _around(self, given: Any, name: str, settings: dict[str, Any]) -> None:
        """Take a model, which means the gradient of it, or an analyzer."""
        inner = given if isinstance(given, Analyzer) else Analyzer(given, method_of("gradient"))
        method = replace(method_of(name), **{"analyzer": inner, **settings})
        self._bind(inner.model, method, inner.options, inner.network)


class SmoothGrad(_Around):
    """The mean map over noisy copies of the input, see `create_analyzer("smoothgrad", model)`.

    Args:
        analyzer: any analyzer that goes backwards, or a model, which means the gradient of it.
        augment_by_n: number of copies.
        noise_scale: sigma as a fraction of the range (max - min) of the sample.
        seed: an int; same seed, same answer.

    Raises:
        ArgumentError: an argument is out of range.

    Reference: Smilkov et al. 2017.

    Example:
        >>> import keras, numpy, innexplain
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh")])
        >>> innexplain.SmoothGrad(model, augment_by_n=8).analyze(numpy.arange(4.0)[None]).shape
        (1, 4)
    """

    def __init__(
        self, analyzer: Any, augment_by_n: int = 64, noise_scale: float = 0.15, seed: int = 0
    ) -> None:
        settings = {"augment_by_n": augment_by_n, "noise_scale": noise_scale, "seed": seed}
        self._around(analyzer, "smoothgrad", settings)


class IntegratedGradients(_Around):
    """The gradient integrated from a baseline, see `create_analyzer("integrated_gradients", model)`.

    Args:
        analyzer: one that gives a derivative or acts like one, or a model, which means its gradient.
        steps: number of points on the path.
        baseline: x0: a number, an array of one sample's shape, or a list of these, one an input.
        rule: `"midpoint"` (default), `"trapezoid"` or `"gauss_legendre"`.

    Raises:
        ArgumentError: an argument is out of range, or the analyzer gives no derivative.

    Reference: Sundararajan et al. 2017.

    Example:
        >>> import keras, numpy, innexplain
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh")])
        >>> analyzer = innexplain.IntegratedGradients(model)
        >>> heatmap, info = analyzer.analyze(numpy.arange(4.0)[None], return_info=True)
        >>> bool(abs(info["gap"]) < 1e-3)
        True
    """

    def __init__(self, analyzer: Any, steps: int = 64, baseline: Any = 0, rule: str = "midpoint") -> None:
        settings = {"steps": steps, "baseline": baseline, "rule": rule}
        self._around(analyzer, "integrated_gradients", settings)
