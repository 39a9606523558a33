"""What a rule is, and the two plainest ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from innexplain.graph.step import Step
from innexplain.numerics import accumulation_dtype, vjp

Tensor = Any
Pullback = Callable[[Sequence[Tensor | None]], Sequence[Tensor | None]]


@dataclass(frozen=True)
class Rule(ABC):
    """The backward mapping of one step.

    A rule runs its step forwards, so that it can keep what it needs, and gives back how relevance goes
    through the step.  Rules are frozen dataclasses: their fields are their settings, and two rules with
    equal settings are equal.
    """

    @property
    def name(self) -> str:
        """How tables name the rule."""
        return repr(self).removesuffix("()")

    def suits(self, step: Step) -> bool:
        """Whether the rule is meant for this part of a layer; all parts, unless a rule says otherwise."""
        return True

    @abstractmethod
    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step.

        Args:
            step: the step that has this rule.
            *inputs: its input tensors.

        Returns:
            `(outputs, pullback)`. `pullback(relevances)` takes one relevance an output (`None` where none
            arrives) and returns one relevance an input (`None` where none leaves).
        """


@dataclass(frozen=True)
class Gradient(Rule):
    """The derivative: `R_in = (dy/dx)^T R`.

    A linear part in half precision is pulled back in float32, so that small derivatives survive.

    >>> Gradient().name
    'Gradient'
    """

    def forward(self, step: Step, *inputs: Tensor) -> tuple[list[Tensor], Pullback]:
        """Run the step under a tape."""
        if step.linear is None or step.linear.layer.compute_dtype in ("float32", "float64"):
            return vjp(step.function, *inputs)
        wide = accumulation_dtype(inputs[0].dtype)
        own = step.linear.own
        _, pullback = vjp(lambda x: [own(x)], ops.cast(inputs[0], wide))
        return step.function(*inputs), pullback
