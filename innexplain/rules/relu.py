"""The ReLU of the signal methods; every other step of theirs is the gradient.

Reference: Samek et al. 2017, section II-B; Zeiler and Fergus 2014; Springenberg et al. 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from innexplain.errors import ArgumentError
from innexplain.graph.step import Step
from innexplain.numerics import vjp
from innexplain.rules.base import Pullback, Rule

Tensor = Any


def _positive(relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if r is None else ops.relu(r) for r in relevances]


@dataclass(frozen=True)
class ReLURule(Rule):
    """A rule that takes the place of a ReLU's derivative; of a layer, it is meant for the activation."""

    def suits(self, step: Step) -> bool:
        """Not the linear part of a layer."""
        return step.linear is None


@dataclass(frozen=True)
class DeconvReLU(ReLURule):
    """`R_in = max(R, 0)`; what the ReLU did on the way forwards does not gate.

    Reference: Zeiler and Fergus 2014.
    """

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step and rectify what comes back."""
        outputs = step.function(*inputs)
        before, after = tuple(inputs[0].shape)[1:], tuple(outputs[0].shape)[1:]
        if before != after:
            raise ArgumentError(
                f"{step} ({step.type_name}) was declared a ReLU, and a ReLU keeps the shape of its input. "
                f"Received: {before} in, {after} out. Give it the rule 'gradient' or one of your own."
            )
        return outputs, _positive


@dataclass(frozen=True)
class GuidedReLU(ReLURule):
    """`R_in = max(R, 0) f'(z)`, which is `max(R, 0) 1[z > 0]` for the plain ReLU.

    For a ReLU with a slope below zero, a cap or a threshold, `f'` is the slope, 0 above the cap, and 0
    below the threshold.  Reference: Springenberg et al. 2015.
    """

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step under a tape and rectify before the derivative."""
        outputs, pullback = vjp(step.function, *inputs)
        return outputs, lambda relevances: pullback(_positive(relevances))
