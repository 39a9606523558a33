"""From sums to patterns: the formulas of Kindermans et al. 2018, in float64."""

from __future__ import annotations

import numpy as np

from innexplain.patterns.neurons import Neurons

__all__ = ["merged", "pattern"]

Arrays = dict[str, np.ndarray]

# Below this share of the mean square, a variance is rounding: the neuron gives one value only.
_NO_VARIANCE = 1e-10


def pattern(sums: Arrays, neurons: Neurons, kernel: np.ndarray, mean_y: np.ndarray | None) -> np.ndarray:
    """`a = (E[x y] - E[x] E[y]) / (w^T E[x y] - w^T E[x] E[y])` by neuron, in the kernel's shape.

    A neuron that never fires in the group, or gives one value only, has the pattern zero.

    Args:
        sums: `n`, `y`, `yy`, `x`, `xy` about the reference `c`, of one group.
        neurons: the neurons of the linear part.
        kernel: its weights.
        mean_y: what stands for E[y], by neuron; `None` for the mean over the group.
    """
    rank = kernel.ndim
    n = np.maximum(sums["n"], 1.0)
    own_mean = sums["y"] / n  # about c, as all that follows
    mean = own_mean if mean_y is None else mean_y - sums["c"]
    wide_n, wide_mean = (neurons.along_kernel(v, rank) for v in (n, mean))
    covariance = sums["xy"] / wide_n
    covariance -= sums["x"] * (wide_mean / wide_n)
    divisor = neurons.sum_weights(kernel * covariance)
    square = sums["yy"] / n + (own_mean + sums["c"]) ** 2
    fires = (sums["n"] > 0) & (np.abs(divisor) > _NO_VARIANCE * square)
    scale = np.where(fires, 1 / np.where(fires, divisor, 1.0), 0.0)
    covariance *= neurons.along_kernel(scale, rank)
    return covariance


def merged(one: Arrays, other: Arrays, neurons: dict[str, Neurons]) -> Arrays:
    """The sums of two fits as those of one, about the references of the first.

    Args:
        one, other: what `Sums.read` gave.
        neurons: by site.
    """
    answer = {k: v + other[k] for k, v in one.items() if k.rsplit("|", 1)[1] in ("n", "x")}
    for name, reference in one.items():
        stem, _, what = name.rpartition("|")
        if what != "c":
            continue
        n, x, y = (other[f"{stem}|{k}"] for k in ("n", "x", "y"))
        shift = other[name].astype("float64") - reference.astype("float64")
        rank = x.ndim
        along = neurons[stem.rpartition("|")[0]].along_kernel(shift, rank)
        answer[f"{stem}|y"] = one[f"{stem}|y"] + y + shift * n
        answer[f"{stem}|yy"] = one[f"{stem}|yy"] + other[f"{stem}|yy"] + 2 * shift * y + shift**2 * n
        answer[f"{stem}|xy"] = one[f"{stem}|xy"] + other[f"{stem}|xy"] + along * x
        answer[name] = reference
    for name, value in one.items():
        if "|every|" in name:
            answer[name] = value + other[name]
    return answer
