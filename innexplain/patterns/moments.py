"""From sums to patterns: the formulas of Kindermans et al. 2018, in float64.

The sums of a group of samples are arrays by name: by neuron how many there are, `n`, and the mean c that
stands for E[y]; by weight the mean input `x`, and `xy = sum x (y - c)`.  What float32 leaves out of `xy` is
in `low`, see `split`.
"""

from __future__ import annotations

import numpy as np

from innexplain.patterns.neurons import Neurons

__all__ = ["EVERY", "exact", "merged", "merged_groups", "scale", "split", "unit_of"]

Arrays = dict[str, np.ndarray]
State = dict[str, Arrays]

#: The group of all samples, of which only the mean is needed.
EVERY = "every"


def unit_of(dtype: np.dtype) -> float:
    """What 1 in `low` stands for, as a share of the number: 1/128 of what is left out at most.

    >>> unit_of(np.dtype("float32")) == 2.0**-31
    True
    """
    return float(np.finfo(dtype).epsneg) / 128


def exact(sums: Arrays) -> np.ndarray:
    """`xy` with what is left out of it, in float64."""
    unit = unit_of(sums["xy"].dtype)
    return sums["xy"] * (1 + sums["low"] * np.float64(unit))


def split(values: np.ndarray, dtype: np.dtype) -> Arrays:
    """float64 numbers as `xy` in a dtype, and in `low` what that leaves out, in eight bits.

    >>> parts = split(np.array([1 + 1e-9]), np.dtype("float32"))
    >>> parts["low"].tolist(), float(abs(exact(parts) - (1 + 1e-9))[0]) < 2.0**-32
    ([2], True)
    """
    high = values.astype(dtype)
    left = np.divide(values - high, high, out=np.zeros_like(values), where=high != 0)
    return {"xy": high, "low": np.clip(np.rint(left / unit_of(dtype)), -127, 127).astype("int8")}


def scale(sums: Arrays, neurons: Neurons, kernel: np.ndarray) -> np.ndarray:
    """What a neuron's `xy` is multiplied by to be its pattern, by neuron.

    `xy` is `n (E[x y] - E[x] E[y])`, and the pattern is `xy / (w^T xy)`.  A neuron that
    never fires in the group, or gives one value only, has the pattern zero.

    Args:
        sums: of one group.
        neurons: the neurons of the linear part.
        kernel: its weights.
    """
    products = np.multiply(kernel, sums["xy"])
    divisor = neurons.sum_weights(products)
    # A standard deviation of two roundings of the mean is no variance: the neuron gives one value only.
    rounding = 2 * np.finfo(products.dtype).eps * sums["c"]
    varies = (sums["n"] > 0) & (np.abs(divisor) > sums["n"] * rounding**2)
    return np.where(varies, 1 / np.where(varies, divisor, 1.0), 0.0)


def merged_groups(one: State, other: State, neurons: Neurons) -> State:
    """The sums of two fits, by group; a mean over all samples is the reference of every group."""
    common = merged(one[EVERY], other[EVERY], neurons)["c"] if EVERY in one else None
    return {group: merged(one[group], other[group], neurons, common) for group in one}


def merged(one: Arrays, other: Arrays, neurons: Neurons, c: np.ndarray | None = None) -> Arrays:
    """The sums of two groups as those of one, about the mean of all, or a given one."""
    parts = [{k: np.asarray(v) for k, v in p.items()} for p in (one, other)]
    n = parts[0]["n"] + parts[1]["n"]
    divisor = np.where(n > 0, n, 1.0)
    c = sum(p["n"] * p["c"] for p in parts) / divisor if c is None else c
    answer = {"n": n, "c": c}
    if "x" in one:
        rank, dtype = parts[0]["x"].ndim, parts[0]["x"].dtype
        inputs = [p["x"] * neurons.along_kernel(p["n"], rank) for p in parts]
        moved = (x * neurons.along_kernel(p["c"] - c, rank) for x, p in zip(inputs, parts, strict=True))
        answer["x"] = (sum(inputs) / neurons.along_kernel(divisor, rank)).astype(dtype)
        answer |= split(sum(map(exact, parts)) + sum(moved), dtype)
    return answer
