"""The network that explains: forwards through the user's layers, then backwards through rules."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from innexplain.backward.layer import BackwardLayer, Record
from innexplain.composites import Assignment
from innexplain.errors import ArgumentError, InnexplainError, InputError
from innexplain.graph.canonical import Canonical
from innexplain.graph.step import Graph
from innexplain.graph.view import forward_values
from innexplain.numerics import positive, sum_samples, vjp, widen
from innexplain.rules import Rule
from innexplain.targets import Target

__all__ = ["BackwardModel", "naming_failures"]

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
        assignments: the rule of each step that relevance passes through.
        target: which part of the output is explained.
        seed: `"one"` starts from the derivative of the score by the output, as gradients do;
            `"score"` multiplies it by the output, as relevance methods do; `"positive_score"` also
            clips it at zero.
    """

    def __init__(
        self,
        model: keras.Model,
        canonical: Canonical,
        assignments: Sequence[Assignment],
        target: Target,
        seed: str = "one",
    ) -> None:
        super().__init__(name="backward_model")
        self.source = model
        self.canonical = canonical
        self.target = target
        self.seed = seed
        self.backward_layers = _backward_layers(canonical.graph, assignments)
        self.traces = 0
        self._compiled: dict[Any, Any] = {}
        self.built = True

    def call(self, x: Sequence[Tensor], target: Tensor, record: Record | None = None) -> dict[str, Any]:
        """Explain a batch.

        Args:
            x: one tensor an entry of the graph.
            target: the target's data, one row a sample.
            record: filled with what happens in between, if given.

        Returns:
            A dict with `relevance` (a list, one tensor an explained entry), `score`, `neuron` and
            `started`, what relevance sums to where it starts, (n,).
        """
        entries = self.canonical.graph.entries
        with keras.StatelessScope():
            values = {e.slot: v for e, v in zip(entries, x, strict=True)}
            pullbacks = [layer.forward(values) for layer in self.backward_layers]
            output = values[self.canonical.exit.slot]
            score, neuron, seed = self._seed(output, target)
            relevance = self.fold(pullbacks, values, {self.canonical.exit.slot: seed}, record)
        return {
            "relevance": [relevance[e.slot] for e in entries if e.explained],
            "score": score,
            "neuron": neuron,
            "started": sum_samples(seed),
        }

    def score(self, x: Sequence[Tensor], target: Tensor) -> dict[str, Any]:
        """The score and the explained neuron alone, without a backward pass."""
        values = forward_values(self.canonical.graph, x)
        output = widen(values[self.canonical.exit.slot])
        score, neuron = self.target.score(output, target)
        return {"score": score, "neuron": neuron}

    def recorded(self, x: Sequence[Tensor], target: Tensor, slots: Sequence[int]) -> dict[str, Any]:
        """`call`, with the sums after every step, what biases absorbed, and relevance at some slots."""
        record = Record(frozenset(slots))
        answer = self.call(x, target, record)
        kept = {str(slot): r for slot, r in record.kept.items()}
        return {**answer, "sums": record.sums, "absorbed": record.absorbed, "layers": kept}

    def run(
        self, what: str, x: Sequence[np.ndarray], target: np.ndarray, slots: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        """Run `"call"`, `"score"`, `"recorded"` or what a subclass adds compiled, arrays in and arrays out.

        The number of rows is left open in the compiled function, so that a last, smaller batch does not
        compile again.
        """
        arrays = [*x, target]
        key = (what, slots, *((a.shape[1:], str(a.dtype)) for a in arrays))
        with naming_failures(self.source, x):
            if key not in self._compiled:
                self._compiled[key] = self._compile(what, arrays, slots)
            answer = self._compiled[key](*[tf.constant(a) for a in arrays])
        answer = tf.nest.map_structure(lambda t: t.numpy(), answer)
        if len(answer["score"]) != len(target):
            raise ArgumentError(
                "neuron_selection_mode must give one score per sample, a sum over everything but the first "
                f"axis. Received: {len(answer['score'])} scores for {len(target)} samples."
            )
        return answer

    def _compile(self, what: str, arrays: Sequence[np.ndarray], slots: tuple[int, ...]) -> Any:
        batch = None if fixed_batch(self.canonical.graph) is None else arrays[0].shape[0]
        specs = [tf.TensorSpec((batch, *a.shape[1:]), a.dtype) for a in arrays]
        method = self.method(what, slots)

        def function(*tensors: Tensor) -> dict[str, Any]:
            self.traces += 1
            return method(tensors[:-1], tensors[-1])

        return tf.function(function, autograph=False).get_concrete_function(*specs)

    def method(self, what: str, slots: tuple[int, ...]) -> Callable[[Sequence[Tensor], Tensor], Any]:
        """What `run` compiles for a name."""
        methods = {"call": self.call, "score": self.score}
        return methods.get(what, lambda x, target: self.recorded(x, target, slots))

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
                record.kept[slot] = relevance.get(slot, ops.zeros_like(widen(values[slot])))
        for entry in self.canonical.graph.entries:
            if entry.explained:
                wide = widen(values[entry.slot])
                found = relevance.get(entry.slot)
                relevance[entry.slot] = ops.zeros_like(wide) if found is None else found
        return relevance


@contextlib.contextmanager
def naming_failures(model: Any, x: Sequence[np.ndarray]) -> Iterator[None]:
    """Turn what Keras and TensorFlow say about data that a model cannot take into an `InputError`."""
    try:
        yield
    except InnexplainError:
        raise
    except (ValueError, tf.errors.OpError) as error:
        told = re.sub(r"\x1b\[\d+m", "", str(error))  # Keras sets parts in bold
        reason = next((line for line in told.splitlines()[1:] if line.strip()), told).strip()
        raise InputError(
            f"The model {model.name!r} fails on this input. Expected: data that the model itself can be "
            f"called on. Received: shape(s) {[a.shape for a in x]}, which gives {reason}"
        ) from error


def fixed_batch(graph: Graph) -> int | None:
    """The number of rows that the model insists on, if it does (`keras.Input(batch_size=...)`)."""
    sizes = [e.value.shape[0] for e in graph.entries if e.value.shape and e.value.shape[0]]
    return sizes[0] if sizes else None


def _backward_layers(graph: Graph, assignments: Sequence[Assignment]) -> tuple[BackwardLayer, ...]:
    rules = {id(a.step): a.rule for a in assignments if isinstance(a.rule, Rule)}
    active = graph.active()
    return tuple(
        BackwardLayer(step, rules.get(id(step)), frozenset(active.intersection(step.inputs)))
        for step in graph.steps
    )
