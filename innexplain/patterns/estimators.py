"""Signal estimators: what part of a neuron's input is signal, `S(x)`, the rest being distractor.

Reference: Kindermans et al. 2018, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.arguments import check_choice

#: Signal estimators by name, with the types of patterns that each has to fit.
ESTIMATORS: dict[str, tuple[str, ...]] = {
    "S_x": (),
    "S_w": (),
    "S_a": ("linear",),
    "S_a+-": ("relu", "relu.negative"),
}


@dataclass(frozen=True, eq=False)
class Weights:
    """Some neurons of a linear part, a column each.

    Args:
        w: weights, (inputs, neurons).
        b: biases, (neurons,).
        patterns: fitted patterns of these neurons by type, each (inputs, neurons).
    """

    w: np.ndarray
    b: np.ndarray
    patterns: dict[str, np.ndarray]


def S_x(x: np.ndarray, neurons: Weights) -> np.ndarray:
    """The identity estimator `S(x) = x`: everything is signal; (samples, inputs, neurons).

    >>> import numpy as np
    >>> from innexplain.patterns import S_x, Weights
    >>> one = Weights(np.array([[1.0], [-1.0]]), np.zeros(1), {})
    >>> S_x(np.array([[3.0, 1.0]]), one)[..., 0].tolist()
    [[3.0, 1.0]]
    """
    return np.broadcast_to(x[..., None], (*x.shape, neurons.w.shape[1]))


def S_w(x: np.ndarray, neurons: Weights) -> np.ndarray:
    """The filter-based estimator `S(x) = w / (w^T w) w^T x`; (samples, inputs, neurons).

    >>> import numpy as np
    >>> from innexplain.patterns import S_w, Weights
    >>> one = Weights(np.array([[1.0], [-1.0]]), np.zeros(1), {})
    >>> S_w(np.array([[3.0, 1.0]]), one)[..., 0].tolist()
    [[1.0, -1.0]]
    """
    above, _ = directions("S_w", neurons)
    return above * (x @ neurons.w)[:, None]


def S_a(x: np.ndarray, neurons: Weights) -> np.ndarray:
    """The linear estimator `S(x) = a w^T x`, with `a = cov[x, y] / var[y]`; (samples, inputs, neurons).

    >>> import numpy as np
    >>> from innexplain.patterns import S_a, Weights
    >>> one = Weights(np.array([[1.0], [-1.0]]), np.zeros(1), {"linear": np.array([[1.0], [0.0]])})
    >>> S_a(np.array([[3.0, 1.0]]), one)[..., 0].tolist()
    [[2.0, 0.0]]
    """
    above, _ = directions("S_a", neurons)
    return above * (x @ neurons.w)[:, None]


def S_a_two_component(x: np.ndarray, neurons: Weights) -> np.ndarray:
    """The two-component estimator `S(x) = a+ w^T x` where `w^T x + b > 0`, else `a- w^T x`.

    >>> import numpy as np
    >>> from innexplain.patterns import S_a_two_component, Weights
    >>> fitted = {"relu": np.array([[1.0], [0.0]]), "relu.negative": np.array([[0.0], [-1.0]])}
    >>> one = Weights(np.array([[1.0], [-1.0]]), np.zeros(1), fitted)
    >>> S_a_two_component(np.array([[3.0, 1.0], [1.0, 3.0]]), one)[..., 0].tolist()
    [[2.0, 0.0], [-0.0, 2.0]]
    """
    above, below = directions("S_a+-", neurons)
    y = x @ neurons.w
    fires = (y + neurons.b > 0)[:, None]
    return np.where(fires, above, below) * y[:, None]


def directions(estimator: str, neurons: Weights, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What an estimator takes for the signal's direction, `a` of `S(x) = a w^T x`, each (inputs, neurons).

    Args:
        estimator: `"S_w"`, `"S_a"`, `"S_a+-"`, or `"random"`: a random direction with `w^T a = 1`.
        neurons: their weights and patterns.
        seed: of the random directions.

    Returns:
        For neurons above zero, and for the others.
    """
    check_choice("estimator", estimator, ("S_w", "S_a", "S_a+-", "random"))
    w = neurons.w
    if estimator == "S_a+-":
        return neurons.patterns["relu"], neurons.patterns["relu.negative"]
    if estimator == "S_a":
        return neurons.patterns["linear"], neurons.patterns["linear"]
    u: Any = w if estimator == "S_w" else np.random.default_rng(seed).standard_normal(w.shape)
    product = (w * u).sum(axis=0)
    a = u / np.where(product == 0, 1.0, product)
    return a, a
