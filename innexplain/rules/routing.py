"""How relevance goes through steps without a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from keras import ops

from innexplain.graph.kinds import SCALE, SUM
from innexplain.graph.step import Step
from innexplain.numerics import (
    cast_like,
    divide_by_positive,
    is_float,
    negative,
    positive,
    safe_divide,
    sum_samples,
    vjp,
    widen,
)
from innexplain.rules.base import Pullback, Rule

Tensor = Any

# A sum this small against the size of what it adds up is little more than rounding errors.
_CANCELLED = 1e-4


def _cancels(z: Tensor, size: Tensor) -> Tensor:
    """Where contributions of a summed size cancel in z, or are all zero: none can take its share."""
    return ops.abs(z) <= _CANCELLED * ops.abs(size)


@dataclass(frozen=True, eq=False)
class _Accounted:
    """A pullback that also tells what arrives and does not leave."""

    pull: Pullback

    def __call__(self, relevances: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        return self.pull(relevances)

    def absorbed(self, relevances: Sequence[Tensor | None]) -> Tensor:
        """The relevance that goes no further, one number a sample."""
        r: Tensor = relevances[0]
        leaving = [-sum_samples(g) for g in self.pull(relevances) if g is not None]
        return reduce(ops.add, leaving, sum_samples(r))


def _wide_vjp(step: Step, inputs: Sequence[Tensor]) -> tuple[list[Tensor], Pullback, list[Tensor]]:
    """The step's outputs and its pullback, with inputs and arithmetic in the accumulation dtype."""
    outputs, pullback = vjp(step.function, *inputs)
    return outputs, pullback, [widen(x) for x in inputs]


@dataclass(frozen=True)
class Pass(Rule):
    """Relevance goes on unchanged: activations, normalisations with their statistics held constant.

    `y_i = s_i x_i + t_i` has one contribution an output, so that every rule that shares relevance among
    contributions hands all of it on.  Where input and output differ in shape (broadcasting), the
    contributions that are summed share it in proportion.
    """

    def suits(self, step: Step) -> bool:
        """Not the linear part of a layer, whose outputs have many contributions."""
        return step.linear is None or step.kind == SCALE

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step; tell the signal from masks and constants by its being the first input."""
        outputs = step.function(*inputs)
        if tuple(outputs[0].shape)[1:] == tuple(inputs[0].shape)[1:]:
            rest = [None] * (len(inputs) - 1)
            return outputs, lambda relevances: [relevances[0], *rest]
        return Shares().forward(step, *inputs)


@dataclass(frozen=True)
class Follow(Rule):
    """Relevance follows values that are moved: `R_in = (dy/dx)^T R`, with derivatives of one or zero.

    What arrives at padded values, which are no input, goes no further, and the record tells how much.
    """

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step under a tape."""
        outputs, pull = vjp(step.function, *inputs)
        return outputs, _Accounted(pull)


@dataclass(frozen=True)
class Shares(Rule):
    """`R_i = c_i / (sum_i' c_i' + epsilon sign) R` with `c_i` what each input contributes to an output.

    Args:
        epsilon: pushes the sum away from zero.
        equal: whether relevance may come to sums that are zero.  Where every contribution is zero, shares
            are equal, so that rules that do not look at values (flat, w^2) lose nothing; where
            contributions cancel, nothing is passed on.
        rectified: whether relevance comes to positive sums alone, since a ReLU follows.
    """

    epsilon: float = 1e-7
    equal: bool = True
    rectified: bool = False

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step under a tape; it is linear in its inputs."""
        outputs, pull, wide = _wide_vjp(step, inputs)
        z = widen(outputs[0])

        def in_proportion(relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
            divide = divide_by_positive if self.rectified else safe_divide
            shared = pull([divide(relevances[0], z, self.epsilon)])
            return [None if g is None else x * g for x, g in zip(wide, shared, strict=True)]

        if not self.equal:
            return outputs, _Accounted(in_proportion)
        weight, pull_equal, size = _equal(step, inputs, z)

        def pullback(relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
            r: Tensor = relevances[0]
            zero = ops.zeros_like(r)
            equal = pull_equal([safe_divide(ops.where(ops.equal(size, 0), r, zero), weight)])
            shared = in_proportion([ops.where(_cancels(z, size), zero, r)])
            return [None if s is None else s + e for s, e in zip(shared, equal, strict=True)]

        return outputs, _Accounted(pullback)


def _equal(step: Step, inputs: Sequence[Tensor], z: Tensor) -> tuple[Tensor, Pullback, Tensor]:
    """What equal shares need: the number of shares, their pullback, and the size of contributions."""
    sizes = [ops.abs(widen(x)) for x in inputs]
    if step.kind == SUM:
        (size,), pull = vjp(lambda *xs: [sum(cast_like(x, z) for x in xs)], *sizes)
        return ops.convert_to_tensor(float(len(inputs)), dtype=z.dtype), pull, size
    (size,), pull = vjp(step.function, *sizes)
    (count,) = step.function(*[ops.ones_like(s) for s in sizes])
    return widen(count), pull, widen(size)


@dataclass(frozen=True)
class PositiveShares(Rule):
    """Only inputs that contribute positively get relevance: `R_i = c_i+ / sum_i' c_i'+ R`.

    Where none does, nothing is passed on, and the record tells how much that was.  For methods whose
    relevance must not become negative.
    """

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step; its positive and negative halves are linear."""
        outputs, pull, wide = _wide_vjp(step, inputs)
        halves = [(positive(x), negative(x)) for x in wide]

        # Signs of the coefficients: Subtract takes, Add gives.
        ones = pull([ops.ones_like(y) for y in outputs])
        chosen = [p if g is None else ops.where(g >= 0, p, n) for (p, n), g in zip(halves, ones, strict=True)]
        total = widen(step.function(*chosen)[0])

        def pullback(relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
            shared = pull([safe_divide(relevances[0], total)])
            return [None if g is None else c * g for c, g in zip(chosen, shared, strict=True)]

        return outputs, _Accounted(pullback)


@dataclass(frozen=True)
class Gate(Rule):
    """A product of a signal and gates: the gates are constants, relevance follows the signal.

    Squeeze-and-excitation, swish written as `x * sigmoid(x)`, attention weights times values, a signal
    divided by a gate.  Where the product also sums (`Dot`) and what it adds up cancels, nothing is passed on.

    Args:
        epsilon: pushes the denominator away from zero where the product also sums.
    """

    epsilon: float = 1e-7

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step as a linear map of its signal."""
        position = next(i for i, slot in enumerate(step.inputs) if slot not in step.facts.gates)
        signal = inputs[position]

        def of_signal(x: Tensor) -> list[Tensor]:
            return step.function(*inputs[:position], x, *inputs[position + 1 :])

        outputs, pull = vjp(of_signal, signal)
        same = tuple(outputs[0].shape)[1:] == tuple(signal.shape)[1:]
        alone = same and step.traits.elementwise
        z = widen(outputs[0])
        sizes = [] if alone else [ops.abs(x) if is_float(x.dtype) else x for x in inputs]
        size = z if alone else widen(step.function(*sizes)[0])

        def of_relevance(r: Tensor) -> Tensor:
            if alone:
                return r
            taken = ops.where(_cancels(z, size), ops.zeros_like(r), r)
            return widen(signal) * pull([safe_divide(taken, z, self.epsilon)])[0]

        def pullback(relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
            shares: list[Tensor | None] = [None] * len(inputs)
            shares[position] = of_relevance(relevances[0])
            return shares

        return outputs, _Accounted(pullback)
