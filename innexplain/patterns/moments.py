"""From sums to patterns: the formulas of Kindermans et al. 2018, in float64.

What is summed of a site is arrays by group of samples and name.  By neuron there are the number of outputs
`n` and their mean `c`; by weight the mean input `x`, less that of the group `INPUT`, and the sum
`xy = sum x (y - c)`.  What float32 leaves out of `xy` is in `low`, see `split`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from innexplain.patterns.blocks import Block

__all__ = [
    "EVERY", "INPUT", "about_means", "centre_of", "exact", "mapped", "mean_input", "merged", "plain", "scale",
    "split", "together", "unit_of",
]  # fmt: skip

Arrays = dict[str, np.ndarray]
State = dict[str, Arrays]

#: The group of all samples, of which only the mean is needed.
EVERY = "every"
#: Not outputs of neurons but all inputs, by channel: how many samples, and their mean.
INPUT = "input"


def unit_of(dtype: np.dtype) -> float:
    """What 1 in `low` stands for, as a share of the number: 1/128 of what is left out at most.

    >>> unit_of(np.dtype("float32")) == 2.0**-31
    True
    """
    return float(np.finfo(dtype).epsneg) / 128


def exact(sums: Mapping[str, Any]) -> np.ndarray:
    """`xy` with what is left out of it, in float64."""
    high = np.asarray(sums["xy"])
    found = np.multiply(sums["low"], unit_of(high.dtype), dtype="float64")
    found += 1  # in place: kernels are large
    found *= high
    return found


def split(values: np.ndarray, dtype: np.dtype) -> Arrays:
    """float64 numbers as `xy` in a dtype, and in `low` what that leaves out, in eight bits.

    >>> parts = split(np.array([1 + 1e-9]), np.dtype("float32"))
    >>> parts["low"].tolist(), float(abs(exact(parts) - (1 + 1e-9))[0]) < 2.0**-32
    ([2], True)
    """
    high = values.astype(dtype)
    left = np.divide(values - high, high, out=np.zeros_like(values), where=high != 0)
    return {"xy": high, "low": np.clip(np.rint(left / unit_of(dtype)), -127, 127).astype("int8")}


def scale(
    sums: Arrays, block: Block, kernel: Any, centre: Any, reference: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """What a neuron's `xy` and mean input are multiplied by to add up to its pattern.

    `xy` is `n (E[x y] - E[x] E[y])`, and the pattern is `xy / (w^T xy)`.  About another mean than its own,
    `xy` is more by `n E[x] (E[y] - mean)`.  A neuron that never fires in the group, or gives one value only,
    has the pattern zero.

    Args:
        sums: of one group.
        block: the neurons.
        kernel: their weights.
        centre: see `centre_of`.
        reference: the mean that is taken for E[y], by neuron (default: that of the group).

    Returns:
        Two factors by neuron; the second is `None` without a reference.
    """
    site, add = block.site, block.neurons.sum_weights
    # As tensors, which find a place in the memory that activations left.
    w, high, low = (ops.cast(v, "float64") for v in (kernel, sums["xy"], sums["low"]))
    divisor, more = add(w * high * (1 + low * unit_of(np.dtype(site.dtype)))), None
    # A standard deviation of two roundings of the mean is no variance: the neuron gives one value only.
    rounding = sums["n"] * (2 * np.finfo(site.layer_dtype).eps * sums["c"]) ** 2
    if reference is not None:
        more = sums["n"] * _gap(sums["c"], reference)
        x = ops.cast(sums["x"], "float64")
        divisor = divisor + more * add(w * (x + centre))
        rounding = rounding + 4 * np.finfo(site.dtype).eps * np.abs(more) * add(ops.abs(w * x))
    varies = (sums["n"] > 0) & (np.abs(divisor) > rounding)
    factor = np.where(varies, 1 / np.where(varies, divisor, 1.0), 0.0)
    return factor, None if more is None else factor * more


def _gap(c: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """How far two means are from each other; a few roundings are nothing."""
    gap = c - reference
    return np.where(np.abs(gap) > 16 * np.finfo("float64").eps * np.abs(c), gap, 0.0)


def centre_of(state: State, block: Block) -> Any:
    """What is subtracted from mean inputs, in a shape that broadcasts against the kernel."""
    inputs = block.site.inputs
    return 0.0 if inputs is None else inputs.along_kernel(np.asarray(state[INPUT]["c"]), len(block.shape))


def mean_input(sums: Arrays, centre: Any) -> np.ndarray:
    """The mean of what each weight sees, in float64."""
    return np.add(sums["x"], centre, dtype="float64")


def plain(state: State, block: Block) -> State:
    """The sums of `1, y, x, x y` themselves, in float64: those of parts of the data add up."""
    centre = centre_of(state, block)
    return {g: _plain({k: np.asarray(v) for k, v in f.items()}, block, centre) for g, f in state.items()}


def _plain(sums: Arrays, block: Block, centre: Any) -> Arrays:
    found = {"n": sums["n"], "y": sums["n"] * sums["c"]}
    if "x" in sums:
        n, c = (block.neurons.along_kernel(sums[k], len(block.shape)) for k in ("n", "c"))
        found["x"] = n * mean_input(sums, centre)
        found["xy"] = exact(sums) + c * found["x"]
    return found


def about_means(total: State, block: Block) -> State:
    """What `plain` gave, added up, as sums about means again."""
    state = {g: {"n": f["n"], "c": f["y"] / np.where(f["n"] > 0, f["n"], 1.0)} for g, f in total.items()}
    centre = centre_of(state, block)
    for group, found in total.items():
        if "x" in found:
            n, c = (block.neurons.along_kernel(state[group][k], len(block.shape)) for k in ("n", "c"))
            x = found["x"] / np.where(n > 0, n, 1.0) - centre
            products = split(found["xy"] - c * found["x"], np.dtype(block.site.dtype))
            state[group] |= {"x": x.astype(block.site.dtype), **products}
    return state


def merged(states: Sequence[State], block: Block) -> State:
    """What is summed over parts of the data as what is summed over all of them."""
    parts = [plain(state, block) for state in states]
    return about_means(mapped(lambda *own: sum(own), *parts), block)


def together(state: State, block: Block, groups: Sequence[str]) -> Arrays:
    """What is summed over several groups of samples as what is summed over one."""
    total = plain({g: f for g, f in state.items() if g in (INPUT, *groups)}, block)
    parts = [{"all": total.pop(group)} for group in groups]
    return about_means(total | mapped(lambda *own: sum(own), *parts), block)["all"]


def mapped(function: Callable[..., Any], *states: Mapping[str, Mapping[str, Any]]) -> State:
    """What a function gives for each array, of one state or of several."""
    return {g: {k: function(*(s[g][k] for s in states)) for k in own} for g, own in states[0].items()}
