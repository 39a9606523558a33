"""One sweep forwards, and from there one sweep backwards for every class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from innexplain.backward.model import BackwardModel
from innexplain.graph.canonical import Canonical
from innexplain.graph.class_maps import ClassMaps
from innexplain.graph.kinds import ACTIVATION, OPAQUE, RELU, SCALE, SUM, WRAPPER
from innexplain.graph.step import Entry, Step
from innexplain.graph.view import forward_values
from innexplain.numerics import accumulation_dtype, widen
from innexplain.rules import Rule
from innexplain.targets import MAX, Target

Tensor = Any

# What looks at one element at a time.
_BY_ELEMENT = (RELU, ACTIVATION, SUM, SCALE)

#: What may be done with the channels of a location.
REDUCTIONS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "sum": lambda r, axis: ops.sum(r, axis=axis),
    "max": lambda r, axis: ops.max(r, axis=axis),
    "norm": lambda r, axis: ops.sqrt(ops.sum(ops.square(r), axis=axis)),
}


class ClassSweeps(BackwardModel):
    """A backward model that starts from the map of each class in turn: the per-kernel mask.

    `R(x|c) = G_1 U_1 ... G_L^c z_L`: of the tensor z_L all but the channel of class c is masked, and what
    is left goes backwards through the rules.

    Args:
        model, canonical, rules, target: as for `BackwardModel`.
        start: the tensor z_L.
        reduction: what is done with channels, one of `REDUCTIONS`.

    Reference: Kumar et al. 2017 (CLEAR), equation 3.
    """

    def __init__(
        self,
        model: keras.Model,
        canonical: Canonical,
        rules: Mapping[int, Rule],
        target: Target,
        start: ClassMaps,
        reduction: str = "sum",
    ) -> None:
        super().__init__(model, canonical, rules, target)
        self.start = start
        self.reduction = reduction

    def score(self, x: Sequence[Tensor], target: Tensor) -> dict[str, Any]:
        """The activation of every class, without a backward pass; `target` as for `sweeps`."""
        values = forward_values(self.canonical.graph, x)
        return self._chosen(self._activations(values), target)

    def sweeps(self, x: Sequence[Tensor], classes: Tensor, together: int) -> dict[str, Any]:
        """The response of several classes.

        Args:
            x: one tensor an entry of the graph, n rows.
            classes: (n, k); -1 throughout a row asks for its k most activated classes.
            together: how many classes go backwards in one sweep, as further rows.

        Returns:
            `relevance`, one tensor an explained entry, (n, k, *spatial); `classes` (n, k); the `score` (n,)
            and `neuron` (n,) of the first of them; and the most activated class of all, `predicted` (n,),
            with its activation, `best` (n,).
        """
        values = forward_values(self.canonical.graph, x)
        answer = self._chosen(self._activations(values), classes)
        with keras.StatelessScope():
            many = {slot: _repeated(value, together) for slot, value in values.items()}
            # What steps give forwards is not used a second time, and so is not computed.
            layers = self.backward_layers
            pullbacks = [None if layer.rule is None else layer.forward(dict(many)) for layer in layers]
            sweep = partial(self._sweep, pullbacks, many)
            answer["relevance"] = _grouped(sweep, answer["classes"], together, self._signature())
        return answer

    @property
    def repeatable(self) -> bool:
        """Whether rows may be repeated: samples are the first axis of every tensor, of any number.

        An operation that may fold other axes into that of the samples, as `ops.reshape(x, (-1, 64))` may,
        counts as one that does.
        """
        graph = self.canonical.graph
        shapes = [value.shape for value in graph.values.values()]
        return all(shape and shape[0] is None for shape in shapes) and all(map(_keeps_samples, graph.steps))

    def _signature(self) -> list[Any]:
        """What a sweep gives."""
        ranks = [len(e.value.shape) - _has_channels(e) for e in self.canonical.graph.explained]
        types = [accumulation_dtype(e.value.dtype) for e in self.canonical.graph.explained]
        return [tf.TensorSpec([None] * rank, dtype) for rank, dtype in zip(ranks, types, strict=True)]

    def _activations(self, values: dict[int, Tensor]) -> Tensor:
        """The score of each class, (n, classes); of the channels of a layer, the mean of each map."""
        scores = widen(values[self.canonical.exit.slot])
        if self.start.scored:
            return ops.reshape(scores, (-1, self.start.count))
        z = widen(values[self.start.slot])
        axis = self.start.axis % len(z.shape)
        positions = [a for a in range(1, len(z.shape)) if a != axis]
        return ops.mean(z, axis=positions) if positions else z

    def _chosen(self, activations: Tensor, classes: Tensor) -> dict[str, Any]:
        best, predicted = ops.top_k(activations, classes.shape[1])
        predicted = ops.cast(predicted, classes.dtype)
        chosen = ops.where(classes == MAX, predicted, classes)
        own = ops.take_along_axis(activations, chosen, axis=1)
        return {
            "score": own[:, 0],
            "neuron": chosen[:, 0],
            "classes": chosen,
            "activations": own,
            "predicted": predicted[:, 0],
            "best": best[:, 0],
        }

    def _sweep(self, pullbacks: Sequence[Any], many: dict[int, Tensor], classes: Tensor) -> list[Tensor]:
        """The response of one class a row."""
        z = widen(many[self.start.slot])
        axis = self.start.axis % len(z.shape)
        mask = ops.one_hot(ops.reshape(classes, (-1,)), self.start.count, dtype=z.dtype)
        mask = ops.reshape(
            mask, (-1, *(self.start.count if a == axis else 1 for a in range(1, len(z.shape))))
        )
        if self.start.counted is not None:  # the scores are means over these positions alone
            counted = ops.cast(many[self.start.counted], z.dtype)
            mask = mask * ops.expand_dims(counted, axis)
        found = self.fold(pullbacks, many, {self.start.slot: z * mask})
        return [reduce_channels(found[e.slot], e, self.reduction) for e in self.canonical.graph.explained]


def _keeps_samples(step: Step) -> bool:
    """Whether an operation is known to leave the axis of samples alone; the layers of Keras do."""
    if isinstance(step.operation, keras.layers.Layer):
        return step.kind not in (OPAQUE, WRAPPER)
    return step.kind in _BY_ELEMENT or step.traits.keeps_samples


def _repeated(value: Tensor, times: int) -> Tensor:
    """Every row several times over."""
    if times == 1:
        return value
    mask = getattr(value, "_keras_mask", None)
    value = ops.repeat(value, times, axis=0)
    if mask is not None:
        value._keras_mask = ops.repeat(mask, times, axis=0)
    return value


def _grouped(
    sweep: Callable[[Tensor], list[Tensor]], classes: Tensor, together: int, signature: Sequence[Any]
) -> list[Tensor]:
    """Sweep over the classes of every row, some of them together, one group after the other."""
    n, k = ops.shape(classes)[0], int(classes.shape[1])
    groups = -(-k // together)
    padding = [classes[:, -1:]] * (groups * together - k)
    filled = ops.reshape(ops.concatenate([classes, *padding], axis=1), (n, groups, together))
    if groups == 1:
        found = [r[None] for r in sweep(filled[:, 0])]
    else:
        turns = ops.transpose(filled, (1, 0, 2))
        # One after the other, so that memory is that of one group.
        found = tf.map_fn(sweep, turns, fn_output_signature=list(signature), parallel_iterations=1)
    return [_by_sample(r, groups, together)[:, :k] for r in found]


def _by_sample(r: Tensor, groups: int, together: int) -> Tensor:
    """(groups, n * together, ...) as (n, groups * together, ...)."""
    rest = ops.shape(r)[2:]
    split = ops.reshape(r, (groups, -1, together, *rest))
    order = (1, 0, *range(2, len(split.shape)))
    return ops.reshape(ops.transpose(split, order), (-1, groups * together, *rest))


def reduce_channels(r: Tensor, entry: Entry, reduction: str) -> Tensor:
    """One number a location, where an entry has channels and the map has them still."""
    if not _has_channels(entry) or len(r.shape) < len(entry.value.shape):
        return r
    return REDUCTIONS[reduction](r, int(entry.channel_axis or 0))


def _has_channels(entry: Entry) -> bool:
    return len(entry.value.shape) > 2 and entry.channel_axis is not None
