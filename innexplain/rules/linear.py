"""One generic backward for every rule of layer-wise relevance propagation on a linear part.

A rule says which groups of contributions there are.  A group has terms `x_t, w_t`, a bias `b`, and a weight
`c`; its share of the relevance is

    R_i += c * sum_t x_t,i * sum_j w_t,ij * R_j / (sum_t sum_i' x_t,i' w_t,i'j + b_j)

and the bias takes `c * sum_j b_j R_j / (...)` with it, which is what `absorbed` tells.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import Any, ClassVar

from keras import ops

from innexplain.graph.linear import LinearPart
from innexplain.graph.run import carry_mask
from innexplain.graph.step import Step
from innexplain.numerics import (
    divide_by_positive,
    late,
    negative,
    positive,
    safe_divide,
    stabilise,
    sum_samples,
    vjp,
)
from innexplain.rules.base import Pullback, Rule

Tensor = Any
Terms = tuple[tuple[Tensor, Tensor], ...]

# Up to here, convolutions take about as long for twice as many channels of the input.
_FEW_CHANNELS = 8


@dataclass(frozen=True, eq=False)
class Group:
    """Contributions that share relevance among themselves.

    Args:
        terms: pairs of an input and a kernel.
        bias: what else belongs to the denominator.
        weight: the factor of the group.
        epsilon: pushes the denominator away from zero.
        sign: 1 or -1 if only outputs with `z >= 0` or `z < 0` take part, 0 for all.
        positive: whether relevance arrives at positive outputs alone, and there the denominator is at least
            the output: its quotient needs no care then.
        complement: a group named before this one that has the negative contributions and the negative part of
            the bias, where this one has all else and is `positive`.  What it leaves of the output is the
            denominator then; that saves a map, and no digits cancel.
    """

    terms: tuple[tuple[Tensor, Tensor], ...]
    bias: Tensor | None = None
    weight: float = 1.0
    epsilon: float = 0.0
    sign: int = 0
    positive: bool = False
    complement: Group | None = None


@dataclass(frozen=True, eq=False)
class Quotient:
    """What a group makes of relevance.

    Args:
        r: the relevance that the group shares, without its weight.
        z: the sum of its contributions and the bias.
        s: `r / (z + epsilon sign(z))`.
        pulls: the pullback of each term.
    """

    r: Tensor
    z: Tensor
    s: Tensor
    pulls: Sequence[Pullback]


class Linear:
    """A linear part at work on an input: what rules build their groups from.

    Args:
        part: the linear part.
        x: the input, in the accumulation dtype.
        nonnegative: whether x is known to hold nothing below zero.
    """

    def __init__(self, part: LinearPart, x: Tensor, nonnegative: bool) -> None:
        self.part = part
        self.x = x
        self.nonnegative = nonnegative
        self.kernel, self.bias = part.weights(x)
        (self.z,), self._pull = vjp(lambda v: [part.direct(v)], x)

    @cached_property
    def total(self) -> Tensor:
        """`z` with the bias."""
        return self.z if self.bias is None else self.z + self.bias

    @cached_property
    def x_parts(self) -> tuple[Tensor, Tensor | None]:
        """`max(x, 0)` and `min(x, 0)`; `None` for a part that is known to be zero."""
        return (self.x, None) if self.nonnegative else (positive(self.x), negative(self.x))

    @cached_property
    def kernel_parts(self) -> tuple[Tensor, Tensor]:
        """`max(w, 0)` and `min(w, 0)`."""
        return positive(self.kernel), negative(self.kernel)

    @cached_property
    def bias_parts(self) -> tuple[Tensor | None, Tensor | None]:
        """`max(b, 0)` and `min(b, 0)`."""
        return (None, None) if self.bias is None else (positive(self.bias), negative(self.bias))

    def pairs(self, with_positive: Tensor, with_negative: Tensor) -> Terms:
        """Terms that meet positive inputs with one kernel and negative inputs with another."""
        above, below = self.x_parts
        if below is None:
            return ((above, with_positive),)
        return self.beside((above, below), (with_positive, with_negative))

    def beside(self, xs: Sequence[Tensor], kernels: Sequence[Tensor]) -> Terms:
        """Terms of inputs and kernels; of few channels, a single one that has them side by side.

        Of a convolution of three channels, the derivative takes as long as of one of six.
        """
        axes = self.part.joining_axes
        if axes is None or self.x.shape[axes[0]] > _FEW_CHANNELS:
            return tuple(zip(xs, kernels, strict=True))
        return ((ops.concatenate(xs, axes[0]), ops.concatenate(kernels, axes[1])),)

    def quotients(self, groups: Sequence[Group], r: Tensor) -> list[Quotient]:
        """What each group makes of the relevance that arrives."""
        found: dict[Group | None, Quotient] = {}
        for group in groups:
            found[group] = self._quotient(group, r, found.get(group.complement))
        return list(found.values())

    def _quotient(self, group: Group, r: Tensor, complement: Quotient | None) -> Quotient:
        values, pulls = zip(*[self._map(x, kernel, r) for x, kernel in group.terms], strict=True)
        if complement is None:
            z = reduce(ops.add, values)
            z = z if group.bias is None else z + group.bias
        else:
            z = positive(self.total) - complement.z  # what the ReLU gives is in memory anyway
        if group.sign:
            chosen = self.total >= 0 if group.sign > 0 else self.total < 0
            r = ops.where(chosen, r, ops.zeros_like(r))
        if group.positive:
            return Quotient(r, z, divide_by_positive(r, z, group.epsilon), pulls)
        # A large output may owe all to a bias that is left out here: layer after layer that would overflow.
        partial = group.bias is None and self.bias is not None
        return Quotient(r, z, safe_divide(r, z, group.epsilon, bounded=partial), pulls)

    def _map(self, x: Tensor, kernel: Tensor, r: Tensor) -> tuple[Tensor, Any]:
        if x is self.x and kernel is self.kernel:
            return self.z, self._pull
        part = self.part
        (value,), pull = vjp(lambda v: [part.apply(v, kernel)], late(x, r))
        return value, pull

    def collect(self, groups: Sequence[Group], quotients: Sequence[Quotient]) -> Tensor:
        """The relevance of the input: `x` times what comes back of the quotients, over all terms."""
        xs: dict[int, Tensor] = {}
        sums: dict[int, Tensor] = {}
        for group, quotient in zip(groups, quotients, strict=True):
            for (x, _), pull in zip(group.terms, quotient.pulls, strict=True):
                xs[id(x)] = x
                sums[id(x)] = _add(sums.get(id(x)), group.weight, pull([quotient.s])[0])
        return reduce(ops.add, [self._folded(x * sums[key]) for key, x in xs.items()])

    def _folded(self, share: Tensor) -> Tensor:
        """The sum over terms that lie side by side."""
        axes = self.part.joining_axes
        count = 1 if axes is None else share.shape[axes[0]] // self.x.shape[axes[0]]
        return share if axes is None or count == 1 else reduce(ops.add, ops.split(share, count, axes[0]))


def _add(to: Tensor | None, weight: float, x: Tensor) -> Tensor:
    """`to + weight x`, without a product by one or minus one."""
    if to is not None and weight == -1:
        return to - x
    x = x if weight == 1 else weight * x
    return x if to is None else to + x


@dataclass(frozen=True, eq=False)
class LinearPullback:
    """How relevance goes back through a linear part, and how much of it the bias keeps."""

    rule: LinearRule
    linear: Linear

    def __call__(self, relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The relevance of the input."""
        r: Tensor = relevances[0]
        groups = self.rule.groups(self.linear)
        return [self.linear.collect(groups, self.linear.quotients(groups, r))]

    def absorbed(self, relevances: Sequence[Tensor | None]) -> Tensor:
        """The relevance that goes no further, one number a sample.

        Biases and epsilon take their share of the denominator; where no contribution has the sign that a
        group asks for, nothing can be handed on.
        """
        r: Tensor = relevances[0]
        kept: Tensor = 0.0
        groups = self.rule.groups(self.linear)
        for group, q in zip(groups, self.linear.quotients(groups, r), strict=True):
            push = stabilise(q.z, group.epsilon) - q.z
            unshared = ops.where(ops.equal(q.z + push, 0), q.r, ops.zeros_like(q.r))
            own = q.s * push if group.bias is None else q.s * (push + group.bias)
            kept = kept + group.weight * sum_samples(own + unshared)
        return kept


@dataclass(frozen=True)
class LinearRule(Rule):
    """A rule for linear parts, made of groups of contributions.

    Args:
        rectified: whether relevance arrives at positive outputs alone, since a ReLU follows; found in the
            graph, and spares work.
    """

    rectified: bool = field(default=False, kw_only=True, repr=False, compare=False)

    #: Whether relevance is in proportion to the input, which spares steps before it a distinction.  Each
    #: class has to say so itself: one that is derived from it may do something else.
    heeds_input: ClassVar[bool] = False

    def suits(self, step: Step) -> bool:
        """Linear parts only."""
        return step.linear is not None

    def sees_positive(self, linear: Linear, bias: bool) -> bool:
        """Whether relevance arrives at positive outputs alone, of which the rule knows the bias."""
        return self.rectified and (bias or linear.bias is None)

    @abstractmethod
    def groups(self, linear: Linear) -> list[Group]:
        """The groups among which relevance is shared."""

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the linear part once; its output serves the rule as well."""
        (x,) = inputs
        if step.linear is None:
            raise TypeError(f"{self.name} needs a linear part; {step} has none")
        linear = Linear(step.linear, step.linear.wide(x), step.facts.nonnegative)
        if linear.x is x:
            return [carry_mask(x, linear.total)], LinearPullback(self, linear)
        # The signs of the layer's own output, in half precision, are not quite those of `total`.
        return step.function(x), LinearPullback(replace(self, rectified=False), linear)
