"""The sums that patterns are made of, gathered in one forward pass without cutting out patches.

`sum_n patch_n v_n` is the gradient of `<f(x, K), v>` with respect to the kernel K, for any linear map f.
Sums are float64 variables; within a batch, float32 sums are taken about a reference, so that little cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from innexplain.graph.inputs import flatten_inputs
from innexplain.graph.step import Graph, Step
from innexplain.numerics import cast_like, late, vjp, widen
from innexplain.patterns.sites import Site

__all__ = ["GROUPS", "Sums"]

Tensor = Any
Arrays = dict[str, np.ndarray]

#: Which outputs of a neuron count: the positive ones, the others, all.
GROUPS = ("positive", "negative", "all")
_SAMPLES = "samples|every|n"


class Sums:
    """Running sums over batches, for every site and group.

    For a group with indicator g these are, each about the reference c of its neuron,
    `n = sum g`, `y = sum g (y - c)`, `yy = sum g (y - c)^2` by neuron, and `x = sum g x`,
    `xy = sum g x (y - c)` by weight.  Created under a `tf.distribute.Strategy`, every replica has sums of
    its own, which are added when they are read.

    Args:
        graph: the canonical graph.
        sites: where sums are gathered.
        groups: which of `GROUPS`.
    """

    def __init__(self, graph: Graph, sites: Sequence[Site], groups: Sequence[str]) -> None:
        self.graph = graph
        self.sites = list(sites)
        self.groups = tuple(groups)
        self.strategy = tf.distribute.get_strategy()
        self.references: dict[str, np.ndarray] | None = None
        self.variables = {
            name: tf.Variable(
                tf.zeros(shape, tf.float64), trainable=False, name="sum",
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.SUM,
            )
            for name, shape in self._shapes().items()
        }  # fmt: skip
        self._gather = tf.function(self._gather_batch, autograph=False, reduce_retracing=True)
        self._means = tf.function(self._first_sums, autograph=False, reduce_retracing=True)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {_SAMPLES: ()}
        for site in self.sites:
            for group in self.groups:
                for name in ("n", "y", "yy"):
                    shapes[f"{site.key}|{group}|{name}"] = (site.neurons.count,)
                for name in ("x", "xy"):
                    shapes[f"{site.key}|{group}|{name}"] = site.kernel_shape
            shapes[f"{site.key}|every|n"] = shapes[f"{site.key}|every|y"] = (site.neurons.count,)
        return shapes

    @property
    def several(self) -> bool:
        """Whether there are several replicas."""
        return bool(self.strategy.num_replicas_in_sync > 1)

    @property
    def samples(self) -> int:
        """How many samples were added."""
        return int(self._total(self.variables[_SAMPLES]))

    def spread(self, rows: Sequence[np.ndarray]) -> list[Tensor]:
        """A batch as tensors, of which every replica gets its share."""
        if not self.several:
            return [ops.convert_to_tensor(row) for row in rows]
        own = self.strategy.experimental_distribute_values_from_function
        step = self.strategy.num_replicas_in_sync
        return [
            own(lambda at, row=row: tf.constant(row[at.replica_id_in_sync_group :: step])) for row in rows
        ]

    def distributed(self, dataset: Any) -> Any:
        """The inputs of a data set, sharded by the strategy: one set of tensors an entry and replica."""
        entries = self.graph.entries

        def inputs(*element: Any) -> tuple[Tensor, ...]:
            leaves, _ = flatten_inputs(element[0], self.graph)
            return tuple(tf.cast(x, e.value.dtype) for x, e in zip(leaves, entries, strict=True))

        return self.strategy.experimental_distribute_dataset(dataset.map(inputs))

    def add(self, rows: Any) -> None:
        """Add a batch: one tensor an entry of the graph, or under a strategy one set a replica."""
        if self.references is None:
            found = self.strategy.run(self._means, args=(rows,))
            sums = {k: self._reduce(v) for k, v in found.items()}
            keys = [k.removesuffix("|n") for k in sums if k.endswith("|n")]
            means = {k: sums[f"{k}|y"] / np.maximum(sums[f"{k}|n"], 1.0) for k in keys}
            self.references = {k: v.astype("float32") for k, v in means.items()}
        references = {k: tf.constant(v) for k, v in self.references.items()}
        self.strategy.run(self._gather, args=(rows, references))

    def _reduce(self, value: Any) -> np.ndarray:
        return np.asarray(self.strategy.reduce("SUM", value, axis=None), "float64")

    def read(self, start: str = "") -> Arrays:
        """The sums over all replicas, and the references; of names with a certain start, or all."""
        found = {k: self._total(v) for k, v in self.variables.items() if k.startswith(start)}
        references = {f"{k}|c": v for k, v in (self.references or {}).items()}
        return {**found, **{k: v for k, v in references.items() if k.startswith(start)}}

    def _total(self, variable: Any) -> np.ndarray:
        if self.several:
            return np.asarray(self.strategy.reduce("SUM", variable, axis=None))
        return np.asarray(variable)

    def write(self, arrays: Arrays) -> None:
        """Go on from sums that were read earlier."""
        self.references = {k.removesuffix("|c"): v for k, v in arrays.items() if k.endswith("|c")} or None
        for name, variable in self.variables.items():
            variable.assign(arrays[name])

    def _first_sums(self, rows: Sequence[Tensor]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        rows, present = self._never_none(rows)
        for site, _step, _x, z, gate in self._at_work(rows):
            for group in self.groups:
                mask = _mask(group, gate) * _along_samples(present, z)
                for name, value in (("n", mask), ("y", mask * z)):
                    key = f"{site.key}|{group}|{name}"
                    total = site.neurons.sum_positions(value)
                    found[key] = found[key] + total if key in found else total
        return found

    def _gather_batch(self, rows: Sequence[Tensor], references: dict[str, Tensor]) -> None:
        rows, present = self._never_none(rows)
        self.variables[_SAMPLES].assign_add(ops.sum(ops.cast(present, "float64")))
        last = None
        for site, step, x, z, gate in self._at_work(rows):
            rank, here = len(z.shape), _along_samples(present, z)
            (_,), pull = _by_kernel(step, x)
            for group in self.groups:
                mask = _mask(group, gate) * here
                c = cast_like(references[f"{site.key}|{group}"], z)
                v = mask * (z - site.neurons.along_output(c, rank))
                for name, value in (("n", mask), ("y", v), ("yy", v * v)):
                    self._add(site, group, name, site.neurons.sum_positions(value))
                for name, value in (("x", mask), ("xy", v)):
                    # One after the other: each is as large as the kernel.
                    last = pull([value if last is None else late(value, last)])[0]
                    self._add(site, group, name, last)
            self._add(site, "every", "n", site.neurons.sum_positions(ops.ones_like(z) * here))
            self._add(site, "every", "y", site.neurons.sum_positions(z * here))

    def _add(self, site: Site, group: str, name: str, value: Tensor) -> None:
        self.variables[f"{site.key}|{group}|{name}"].assign_add(ops.cast(value, "float64"))

    def _never_none(self, rows: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """The rows, and 1 for each; a replica without any gets one of zeros, marked 0.

        The last batch may leave a replica empty, and convolutions of no image go wrong.
        """
        rows = [tf.convert_to_tensor(row) for row in rows]
        count = tf.shape(rows[0])[0]
        present = tf.cast(tf.range(tf.maximum(count, 1)) < count, tf.float32)
        if not self.several:
            return rows, present
        more = tf.maximum(1 - count, 0)
        widths = [[[0, more], *[[0, 0]] * (len(row.shape) - 1)] for row in rows]
        return [tf.pad(row, w) for row, w in zip(rows, widths, strict=True)], present

    def _at_work(self, rows: Sequence[Tensor]) -> Any:
        """Run the graph; every call of every site with its input, output and gate."""
        graph = self.graph
        calls = [(site, step, gate) for site in self.sites for step, gate in site.calls]
        with keras.StatelessScope():
            values = {e.slot: v for e, v in zip(graph.entries, rows, strict=True)}
            for step in graph.steps:
                outputs = step.function(*[values[slot] for slot in step.inputs])
                values.update(zip(step.outputs, outputs, strict=True))
            for site, step, gate in calls:
                x, z = site.part.wide(values[step.inputs[0]]), widen(values[step.outputs[0]])
                yield site, step, x, z, widen(values[gate])


def _by_kernel(step: Step, x: Tensor) -> Any:
    """The linear map as a function of its kernel."""
    part = step.linear
    if part is None:
        raise TypeError(f"{step} has no linear part")
    return vjp(lambda kernel: [part.apply(x, kernel)], part.kernel(x.dtype))


def _along_samples(present: Tensor, z: Tensor) -> Tensor:
    return ops.reshape(ops.cast(present, z.dtype), (-1, *[1] * (len(z.shape) - 1)))


def _mask(group: str, gate: Tensor) -> Tensor:
    if group == "all":
        return ops.ones_like(gate)
    return ops.cast(gate > 0 if group == "positive" else gate <= 0, gate.dtype)
