"""The backward mappings of PatternNet and PatternAttribution: a linear part with a kernel put in its place.

`a` is what a signal estimator takes for the direction of the signal: `S(x) = a w^T x`.

Reference: Kindermans et al. 2018, sections 3 to 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from innexplain.graph.step import Step
from innexplain.numerics import cast_like, late, safe_divide, vjp, widen
from innexplain.rules.base import Pullback, Rule

Tensor = Any


@dataclass(frozen=True, eq=False)
class SignalRule(Rule):
    """A rule for linear parts that sends R back through another kernel: `R_i = sum_j u_ij R_j`.

    Args:
        attribution: whether `u = w a` (PatternAttribution) instead of `u = a` (PatternNet).
    """

    attribution: bool = False

    @property
    def name(self) -> str:
        """How tables name the rule."""
        return f"{type(self).__name__}({'w * a' if self.attribution else 'a'})"

    def suits(self, step: Step) -> bool:
        """Linear parts only."""
        return step.linear is not None

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step; what goes back does not depend on how it would be differentiated."""
        (x,) = inputs
        outputs = step.function(x)
        z = widen(outputs[0])

        def pullback(relevances: Sequence[Tensor | None]) -> list[Tensor | None]:
            r: Tensor = relevances[0]
            return [self.back(step, _part(step).wide(x), z, r)]

        return outputs, pullback

    def back(self, step: Step, x: Tensor, z: Tensor, r: Tensor) -> Tensor:
        """What leaves the step towards its input."""
        raise NotImplementedError(f"{self.name} is no rule of its own")

    def through(self, step: Step, x: Tensor, r: Tensor, pattern: Tensor, kernel: Tensor) -> Tensor:
        """R through the linear map with the pattern, or kernel times pattern, in the kernel's place."""
        own = cast_like(pattern, kernel)
        chosen = kernel * own if self.attribution else own
        _, pull = vjp(lambda v: [_part(step).apply(v, chosen)], late(x, r))
        return pull([r])[0]


@dataclass(frozen=True, eq=False)
class PatternSignal(SignalRule):
    """`S_a` and `S_a+-`: fitted patterns.

    Args:
        positive: a+, or a; of the kernel's shape.
        negative: a-, for neurons with `z <= 0`; `None` takes the same for all.
    """

    positive: Tensor = None
    negative: Tensor | None = None

    def back(self, step: Step, x: Tensor, z: Tensor, r: Tensor) -> Tensor:
        """a+ where the neuron is above zero, a- elsewhere."""
        kernel = _part(step).weights(x)[0]
        if self.negative is None:
            return self.through(step, x, r, self.positive, kernel)
        above = ops.cast(z > 0, r.dtype)
        fires = self.through(step, x, r * above, self.positive, kernel)
        return fires + self.through(step, x, r * (1 - above), self.negative, kernel)


@dataclass(frozen=True, eq=False)
class FilterSignal(SignalRule):
    """`S_w`: the filter itself, `a = w / (w^T w)`.

    Args:
        neuron_axes: axes of the kernel that number neurons.
    """

    neuron_axes: tuple[int, ...] = (-1,)

    def back(self, step: Step, x: Tensor, z: Tensor, r: Tensor) -> Tensor:
        """The transposed filter, scaled."""
        kernel = _part(step).weights(x)[0]
        axes = [a for a in range(len(kernel.shape)) if a not in self.neuron_axes]
        square = ops.sum(kernel * kernel, axis=axes, keepdims=True)
        return self.through(step, x, r, safe_divide(kernel, square), kernel)


@dataclass(frozen=True, eq=False)
class IdentitySignal(SignalRule):
    """`S_x` of PatternNet: everything in the input is signal, whatever comes back."""

    def back(self, step: Step, x: Tensor, z: Tensor, r: Tensor) -> Tensor:
        """The input itself."""
        return x


@dataclass(frozen=True, eq=False)
class Unfitted(SignalRule):
    """Stands where patterns will be once they are fitted."""


def _part(step: Step) -> Any:
    if step.linear is None:
        raise TypeError(f"{step} has no linear part")
    return step.linear
