"""How relevance goes through steps without a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from innexplain.graph.kinds import SUM
from innexplain.graph.step import Step
from innexplain.numerics import (
    negative,
    positive,
    safe_divide,
    sum_samples,
    vjp,
    widen,
)
from innexplain.rules.base import Pullback, Rule

__all__ = ["Gate", "Pass", "PositiveShares", "Shares"]

Tensor = Any


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

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step; tell the signal from masks and constants by its being the first input."""
        outputs = step.function(*inputs)
        if tuple(outputs[0].shape)[1:] == tuple(inputs[0].shape)[1:]:
            rest = [None] * (len(inputs) - 1)
            return outputs, lambda relevances: [relevances[0], *rest]
        return Shares().forward(step, *inputs)


@dataclass(frozen=True)
class Shares(Rule):
    """`R_i = c_i / (sum_i' c_i' + epsilon sign) R` with `c_i` what each input contributes to an output.

    Args:
        epsilon: pushes the sum away from zero.
        equal: whether shares are equal where every contribution is zero, so that rules that do not look
            at values (flat, w^2) lose nothing.
    """

    epsilon: float = 1e-7
    equal: bool = True

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step under a tape; it is linear in its inputs."""
        outputs, pull, wide = _wide_vjp(step, inputs)
        z = widen(outputs[0])

        def in_proportion(relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
            shared = pull([safe_divide(relevances[0], z, self.epsilon)])
            return [None if g is None else x * g for x, g in zip(wide, shared, strict=True)]

        if not self.equal:
            return outputs, in_proportion
        weight, pull_equal, size = _equal(step, inputs)

        def pullback(relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
            r: Tensor = relevances[0]
            nothing = ops.cast(ops.equal(size, 0), r.dtype)
            equal = pull_equal([nothing * r / weight])
            shared = in_proportion([(1 - nothing) * r])
            return [None if s is None else s + e for s, e in zip(shared, equal, strict=True)]

        return outputs, pullback


def _equal(step: Step, inputs: Sequence[Tensor]) -> tuple[Any, Pullback, Tensor]:
    """What equal shares need: the number of shares, their pullback, and the size of contributions."""
    sizes = [ops.abs(widen(x)) for x in inputs]
    if step.kind == SUM:
        (size,), pull = vjp(lambda *xs: [sum(xs[1:], xs[0])], *sizes)
        return float(len(inputs)), pull, size
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
        return outputs, _PositivePullback(pull, chosen, total)


@dataclass(frozen=True, eq=False)
class _PositivePullback:
    """Hands relevance to positive contributions; tells what there was none for."""

    pull: Pullback
    chosen: list[Tensor]
    total: Tensor

    def __call__(self, relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
        r: Tensor = relevances[0]
        shared = self.pull([safe_divide(r, self.total)])
        return [None if g is None else c * g for c, g in zip(self.chosen, shared, strict=True)]

    def absorbed(self, relevances: Sequence[Tensor | None]) -> Tensor:
        r: Tensor = relevances[0]
        return sum_samples(ops.where(ops.equal(self.total, 0), r, ops.zeros_like(r)))


@dataclass(frozen=True)
class Gate(Rule):
    """A product of a signal and gates: the gates are constants, relevance follows the signal.

    Squeeze-and-excitation, swish written as `x * sigmoid(x)`, attention weights times values.

    Args:
        epsilon: pushes the denominator away from zero where the product also sums (`Dot`).
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

        def pullback(relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
            (r,) = relevances
            answer: list[Tensor | None] = [None] * len(inputs)
            if same and step.type_name == "Multiply":
                answer[position] = r
            else:
                share = safe_divide(r, widen(outputs[0]), self.epsilon)
                answer[position] = widen(signal) * pull([share])[0]
            return answer

        return outputs, pullback
