"""What a distractor still tells about an output: least squares for many neurons at once."""

from __future__ import annotations

import numpy as np

from innexplain.patterns.estimators import Weights

_RIDGE = 1e-6  # of the mean square of the distractor: directions of no variance get no weight
_STEPS = 200
_ENOUGH = 1e-8


class _Distractors:
    """`d = x - a y'` of every neuron, as a linear map that is never written out.

    With samples x (n, inputs) and a weight vector v a neuron, `d v = x v - y' (a . v)`, where a is that for
    neurons above or below zero; everything is centred over samples.
    """

    def __init__(self, x: np.ndarray, neurons: Weights, above: np.ndarray, below: np.ndarray) -> None:
        self.x = x
        product = x @ neurons.w
        fires = product + neurons.b > 0
        self.y = product - product.mean(axis=0)
        self.parts = ((above, product * fires), (below, product * ~fires))

    def times(self, v: np.ndarray) -> np.ndarray:
        """`d v` for every sample and neuron, (n, neurons), centred."""
        found = self.x @ v
        for a, product in self.parts:
            found = found - product * (a * v).sum(axis=0)
        return found - found.mean(axis=0)

    def transposed(self, r: np.ndarray) -> np.ndarray:
        """`d^T r`, (inputs, neurons)."""
        r = r - r.mean(axis=0)
        found = self.x.T @ r
        for a, product in self.parts:
            found = found - a * (product * r).sum(axis=0)
        return found


def unexplained(
    fit: np.ndarray, test: np.ndarray, neurons: Weights, above: np.ndarray, below: np.ndarray
) -> np.ndarray:
    """`max_v corr[v^T d, y]` of every neuron: v from the first samples, the correlation on the others.

    Args:
        fit, test: receptive fields, (n, inputs).
        neurons: their weights.
        above, below: the direction of the signal where a neuron is above zero, and where it is not.

    Returns:
        (neurons,), in [0, 1]; 0 where nothing varies.
    """
    v = _least_squares(_Distractors(fit, neurons, above, below))
    held_out = _Distractors(test, neurons, above, below)
    predicted, y = held_out.times(v), held_out.y
    norm = np.sqrt((predicted**2).sum(axis=0) * (y**2).sum(axis=0))
    correlation = (predicted * y).sum(axis=0) / np.where(norm > 0, norm, 1.0)
    # What is explained by less than rounding is a correlation of rounding.
    varies = (predicted**2).sum(axis=0) > _ENOUGH * (y**2).sum(axis=0)
    return np.where(varies, np.clip(correlation, 0.0, 1.0), 0.0)


def _least_squares(d: _Distractors) -> np.ndarray:
    """`argmin_v |d v - y|^2 + ridge |v|^2` by conjugate gradients, each neuron with steps of its own."""
    gradient = d.transposed(d.y)
    ridge = _RIDGE * (d.x**2).sum() / d.x.shape[1]
    v, direction = np.zeros_like(gradient), gradient
    size = start = (gradient**2).sum(axis=0)
    for _ in range(_STEPS):
        moved = d.transposed(d.times(direction)) + ridge * direction
        curve = (direction * moved).sum(axis=0)
        step = size / np.where(curve > 0, curve, np.inf)
        v = v + step * direction
        gradient = gradient - step * moved
        new = (gradient**2).sum(axis=0)
        if np.all(new <= _ENOUGH * start):
            break
        direction = gradient + new / np.where(size > 0, size, 1.0) * direction
        size = new
    return v
