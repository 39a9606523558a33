"""From sums to patterns: the formulas of Kindermans et al. 2018, in float64.

What is summed of a site is arrays by group of samples and name.  By neuron there are the number of outputs
`n` and their mean `c`; by weight the mean input `x`, less that of the group `INPUT`, and the sum
`xy = sum x (y - c)`, which are kept as `digits.py` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from keras import ops

from innexplain.patterns import digits
from innexplain.patterns.blocks import Block

Arrays = dict[str, np.ndarray]
State = dict[str, Arrays]

#: The group of all samples, of which only the mean is needed.
EVERY = "every"
#: Not outputs of neurons but all inputs, by channel: how many samples, and their mean.
INPUT = "input"


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
    site, more = block.site, None
    sums_of = partial(_rows, block, sums)
    divisor = _total(block, lambda rows: _wide(kernel, rows) * digits.covariance(sums_of(rows)))
    # A standard deviation of two roundings of the mean is no variance: the neuron gives one value only.
    rounding = sums["n"] * (2 * np.finfo(site.layer_dtype).eps * sums["c"]) ** 2
    if reference is not None:
        more = sums["n"] * _gap(sums["c"], reference)
        centre = np.broadcast_to(centre, block.shape)
        apart = _total(block, lambda rows: _wide(kernel, rows) * digits.mean(sums_of(rows)))
        divisor = divisor + more * (apart + _total(block, lambda rows: _wide(kernel, rows) * centre[rows]))
        lost = _total(block, lambda rows: abs(_wide(kernel, rows)) * digits.rounding(sums_of(rows)))
        rounding = rounding + 4 * np.abs(more) * lost
    divisor = np.where(np.isfinite(divisor), divisor, np.nan)
    varies = (sums["n"] > 0) & ~(np.abs(divisor) <= rounding)  # so that NaN stays NaN
    factor = np.where(varies, 1 / np.where(varies, divisor, 1.0), 0.0)
    return factor, None if more is None else factor * more


def _total(block: Block, values: Callable[[slice], Any]) -> np.ndarray:
    """The sum by neuron of what a function gives of some rows of the kernel: less is held at once."""
    neurons, length = block.neurons, block.shape[0]
    step = length if 0 in neurons.kernel_axes else max(2**20 * length // prod(block.shape), 1)
    return np.add.reduce([neurons.sum_weights(values(slice(i, i + step))) for i in range(0, length, step)])


def _rows(block: Block, sums: Arrays, rows: slice) -> Arrays:
    return {name: sums[name][rows] for name in block.layout}


def _wide(kernel: Any, rows: slice) -> Any:
    """As a tensor, which finds a place in the memory that activations left."""
    return ops.cast(kernel[rows], "float64")


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
    return np.add(digits.mean(sums), centre)


def counted(state: State) -> State:
    """How many outputs there are and their sum, and the same of inputs: those of parts of the data add up."""
    return {g: {"n": f["n"], "y": f["n"] * f["c"]} for g, f in state.items()}


def means_in(total: State) -> State:
    """What `counted` gave, added up, as numbers and means."""
    return {g: {"n": f["n"], "c": f["y"] / np.where(f["n"] > 0, f["n"], 1.0)} for g, f in total.items()}


def about(means: State, state: State, block: Block) -> State:
    """The sums of x and of `x (y - c)` of a part, in float64, about the means of all: these add up, too.

    Nothing but differences of means comes in, so that no digit is lost where both lie far from zero
    (Chan, Golub and LeVeque 1983).
    """
    rank, along = len(block.shape), block.neurons.along_kernel
    apart, found = centre_of(state, block) - centre_of(means, block), {}
    for group, own in state.items():
        if "x" in own:
            x = along(own["n"], rank) * mean_input(own, apart)
            found[group] = {
                "x": x,
                "xy": digits.covariance(own) + along(own["c"] - means[group]["c"], rank) * x,
            }
    return found


def together(means: State, sums: State, block: Block) -> State:
    """What `about` gave, added up, as a state about these means."""
    state = {group: dict(own) for group, own in means.items()}
    for group, own in sums.items():
        n = block.neurons.along_kernel(means[group]["n"], len(block.shape))
        x = own["x"] / np.where(n > 0, n, 1.0)
        state[group] |= {name: np.asarray(part) for name, part in block.kept(own["xy"], x).items()}
    return state


def merged(states: Sequence[State], block: Block, add: Callable[..., Any] = lambda *own: sum(own)) -> State:
    """What is summed over parts of the data as what is summed over all of them.

    Args:
        states: of the parts.
        block: where they are of.
        add: gives the sum of one array a part.
    """
    own = [{g: {k: np.asarray(v) for k, v in f.items()} for g, f in state.items()} for state in states]
    means = means_in(mapped(add, *map(counted, own)))
    return together(means, mapped(add, *(about(means, state, block) for state in own)), block)


def of_groups(state: State, block: Block, groups: Sequence[str]) -> Arrays:
    """What is summed over several groups of samples as what is summed over one."""
    inputs = {INPUT: state[INPUT]} if INPUT in state else {}
    return merged([{**inputs, "all": state[group]} for group in groups], block)["all"]


def mapped(function: Callable[..., Any], *states: Mapping[str, Mapping[str, Any]]) -> State:
    """What a function gives for each array, of one state or of several."""
    return {g: {k: function(*(s[g][k] for s in states)) for k in own} for g, own in states[0].items()}
