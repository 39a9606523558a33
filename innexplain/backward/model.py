"""The network that explains: forwards through the user's layers, then backwards through rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from innexplain.backward.layer import BackwardLayer, Record
from innexplain.errors import ArgumentError
from innexplain.graph.canonical import Canonical
from innexplain.graph.step import Graph
from innexplain.numerics import positive, sum_samples, vjp, widen
from innexplain.rules import Rule
from innexplain.targets import Target

Tensor = Any


class BackwardModel(keras.Model):
    """A model of the user's layers whose output is relevance at its entries.

    `call` runs every step forwards, recording what its rule needs, seeds the explained output, and folds
    over the steps backwards; where a tensor was used several times, relevance is added up.  The weights
    are the user's own variables, and which neuron is explained is an input, so that one trace serves
    every class.

    Args:
        model: the user's model, whose weights are used.
        canonical: its graph in canonical form.
        rules: the rule of each step that relevance passes through, by the step's id.
        target: which part of the output is explained.
        seed: `"one"` starts from the derivative of the score by the output, as gradients do;
            `"score"` multiplies it by the output, as relevance methods do; `"positive_score"` also
            clips it at zero.
        keep: a slot at which relevance stops: it is what is asked for, and no rule is needed below it.
    """

    def __init__(
        self,
        model: keras.Model,
        canonical: Canonical,
        rules: Mapping[int, Rule],
        target: Target,
        seed: str = "one",
        keep: int | None = None,
    ) -> None:
        super().__init__(name="backward_model")
        self.source = model
        self.canonical = canonical
        self.target = target
        self.seed = seed
        self.keep = keep
        self.backward_layers = _backward_layers(canonical.graph, rules, keep)
        self.built = True

    def call(self, x: Sequence[Tensor], target: Tensor, record: Record | None = None) -> dict[str, Any]:
        """Explain a batch.

        Args:
            x: one tensor an entry of the graph.
            target: the target's data, one row a sample.
            record: filled with what happens in between, if given.

        Returns:
            A dict with `relevance` (a list, one tensor an explained entry), `score`, `neuron` and
            `started`, what relevance sums to where it starts, (n,).  With `keep`, `relevance` is that at
            the slot, and `value` what the slot holds.
        """
        entries = self.canonical.graph.entries
        with keras.StatelessScope():
            values = {e.slot: v for e, v in zip(entries, x, strict=True)}
            pullbacks = [layer.forward(values) for layer in self.backward_layers]
            output = values[self.canonical.exit.slot]
            score, neuron, seed = self._seed(output, target)
            relevance = self.fold(pullbacks, values, {self.canonical.exit.slot: seed}, record)
        answer = {"score": score, "neuron": neuron, "started": sum_samples(seed)}
        if self.keep is not None:
            return {**answer, "relevance": [relevance[self.keep]], "value": [widen(values[self.keep])]}
        return {**answer, "relevance": [relevance[e.slot] for e in self.canonical.graph.explained]}

    def recorded(self, x: Sequence[Tensor], target: Tensor, slots: Sequence[int]) -> dict[str, Any]:
        """`call`, with the sums after every step, what biases absorbed, and relevance at some slots."""
        record = Record(frozenset(slots))
        answer = self.call(x, target, record)
        kept = {str(slot): r for slot, r in record.kept.items()}
        return {**answer, "sums": record.sums, "absorbed": record.absorbed, "layers": kept}

    def _seed(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output = widen(output)
        neuron: list[Tensor] = []

        def scored(z: Tensor) -> list[Tensor]:
            score, index = self.target.score(z, target)
            neuron.append(index)
            return [score]

        (score,), pullback = vjp(scored, output)
        (seed,) = pullback([ops.ones_like(score)])
        if seed is None:
            raise ArgumentError(
                "The score of a callable neuron_selection_mode must depend on the outputs by a derivative. "
                "Received: one without, such as an argmax or a constant."
            )
        if self.seed != "one":
            seed = seed * output
        return score, neuron[0], positive(seed) if self.seed == "positive_score" else seed

    def fold(
        self,
        pullbacks: Sequence[Any],
        values: dict[int, Tensor],
        seeds: dict[int, Tensor],
        record: Record | None = None,
    ) -> dict[int, Tensor]:
        """Go backwards from relevance at some slots; that of the entries is among what is returned.

        Args:
            pullbacks: one a backward layer, `None` where nothing goes through.
            values: the tensors of the forward pass, by slot.
            seeds: what relevance starts from, by slot.
            record: filled with what happens in between, if given.
        """
        relevance = dict(seeds)
        for layer, pullback in zip(reversed(self.backward_layers), reversed(pullbacks), strict=True):
            if pullback is not None:
                layer.backward(pullback, relevance, values, record)
        if record is not None:
            for slot in record.wanted.difference(record.kept):
                record.kept[slot] = self._arrived(slot, relevance, values)
        ends = [e.slot for e in self.canonical.graph.explained] if self.keep is None else [self.keep]
        return {**relevance, **{slot: self._arrived(slot, relevance, values) for slot in ends}}

    def _arrived(self, slot: int, relevance: dict[int, Tensor], values: dict[int, Tensor]) -> Tensor:
        """The relevance of a slot, zero where none came."""
        found = relevance.get(slot)
        return ops.zeros_like(widen(values[slot])) if found is None else found


def _backward_layers(graph: Graph, rules: Mapping[int, Rule], keep: int | None) -> tuple[BackwardLayer, ...]:
    active = graph.active(keep)
    return tuple(
        BackwardLayer(step, rules.get(id(step)), frozenset(active.intersection(step.inputs)))
        for step in graph.steps
    )
