"""A step together with its rule: one layer of the backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from keras import ops

from innexplain.errors import UnsupportedLayerError
from innexplain.graph.step import Step
from innexplain.numerics import accumulation_dtype, is_float, sum_samples
from innexplain.rules import Rule
from innexplain.rules.base import Pullback

Tensor = Any


@dataclass
class Record:
    """What a backward pass leaves behind for the reader.

    Args:
        wanted: slots whose relevance is kept.
        kept: relevance at these slots.
        sums: by step, the relevance that leaves it towards the input, summed, (n,).
        absorbed: by step, what its bias and epsilon keep, and what nothing could be found to share, (n,).
    """

    wanted: frozenset[int] = frozenset()
    kept: dict[int, Tensor] = field(default_factory=dict)
    sums: dict[str, Tensor] = field(default_factory=dict)
    absorbed: dict[str, Tensor] = field(default_factory=dict)

    def add(
        self,
        step: Step,
        arriving: Sequence[Tensor | None],
        leaving: Sequence[Tensor],
        dropped: Sequence[Tensor],
        pullback: Pullback,
    ) -> None:
        """Note what went through one step; what is dropped belongs to constants and truth values."""
        for slot, r in zip(step.outputs, arriving, strict=True):
            if slot in self.wanted and r is not None:
                self.kept[slot] = r
        if leaving:
            self.sums[str(step)] = reduce(ops.add, map(sum_samples, leaving))
        absorbed = getattr(pullback, "absorbed", None)
        if absorbed is not None:
            self.absorbed[str(step)] = reduce(ops.add, map(sum_samples, dropped), absorbed(arriving))


@dataclass(frozen=True)
class BackwardLayer:
    """Runs a step forwards and maps relevance backwards through it.

    Args:
        step: what runs.
        rule: how relevance goes back; `None` where no relevance has to, so that nothing is recorded.
        active: the input slots that lead on to something explained.
    """

    step: Step
    rule: Rule | None
    active: frozenset[int]

    def forward(self, values: dict[int, Tensor]) -> Pullback | None:
        """Run the step on the tensors in `values`, add what it gives, return its pullback."""
        inputs = [values[slot] for slot in self.step.inputs]
        if self.rule is None:
            values.update(zip(self.step.outputs, self.step.function(*inputs), strict=True))
            return None
        outputs, pullback = self.rule.forward(self.step, *inputs)
        values.update(zip(self.step.outputs, outputs, strict=True))
        return pullback

    def backward(
        self,
        pullback: Pullback,
        relevance: dict[int, Tensor],
        values: dict[int, Tensor],
        record: Record | None = None,
    ) -> None:
        """Take the relevance of the outputs out of `relevance`, add that of the inputs."""
        arriving = [relevance.pop(slot, None) for slot in self.step.outputs]
        if all(r is None for r in arriving):
            return
        leaving = [
            (slot, r) for slot, r in zip(self.step.inputs, pullback(arriving), strict=True) if r is not None
        ]
        # Relevance has the precision of its value; layers may cast what they are given.
        passed = {
            slot: ops.cast(r, accumulation_dtype(values[slot].dtype))
            for slot, r in leaving
            if slot in self.active
        }
        for slot, r in passed.items():
            relevance[slot] = relevance[slot] + r if slot in relevance else r
        if record is not None:
            dropped = [r for slot, r in leaving if slot not in self.active]
            record.add(self.step, arriving, list(passed.values()), dropped, pullback)
        if not passed and all(is_float(values[slot].dtype) for slot in self.active):
            raise UnsupportedLayerError(
                f"{self.step} ({self.step.type_name}) passes no derivative on: everything before it "
                "would get zero. Replace it by differentiable operations, give it a rule of its own "
                f"with rules={{{self.step.path!r}: rule}}, or explain the part of the model behind it."
            )
