"""The sums that patterns are made of, gathered in one forward pass without cutting out patches.

They are sums about means.  Inputs are centred batch by batch, outputs by the mean so far, and the sums move
with both means: nothing large is rounded, and nothing large cancels.  Two numbers a weight are kept, the sum
of products and the mean input, in float64 or with fewer digits: see `digits.py` and `Site.dtype`.
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
from innexplain.patterns.blocks import Block
from innexplain.patterns.digits import covariance, mean
from innexplain.patterns.gathering import add_inputs, add_neurons, add_weights
from innexplain.patterns.moments import EVERY, INPUT, mapped, merged
from innexplain.patterns.parts import Call
from innexplain.patterns.sites import Site

Tensor = Any
Arrays = dict[str, np.ndarray]
State = dict[str, Arrays]

_BY_NEURON = ("n", "c")
_SAMPLES = "samples"


class Sums:
    """Running sums over batches, for every block and group, as `moments.py` names them.

    Created under a `tf.distribute.Strategy`, every replica has sums of its own.  They are added up over the
    replicas, by one all-reduce, when they are read.

    Args:
        graph: the canonical graph.
        blocks: where sums are gathered.
        groups: which of `GROUPS`.
        every: whether the mean over all samples is needed as well.
    """

    def __init__(self, graph: Graph, blocks: Sequence[Block], groups: Sequence[str], every: bool) -> None:
        self.graph = graph
        self.blocks = list(blocks)
        self.groups = tuple(groups)
        self.every = every
        self.strategy = tf.distribute.get_strategy()
        self._samples = _variable((), "float64")
        sites = dict.fromkeys(block.site for block in self.blocks)
        self._inputs = {site.key: self._of_inputs(site) for site in sites}
        self.variables = {block.key: self._variables(block) for block in self.blocks}
        self._compiled: dict[Any, Any] = {}
        self._gather = tf.function(self._gather_batch, autograph=False, reduce_retracing=True)

    def _variables(self, block: Block) -> dict[str, dict[str, Any]]:
        neurons = dict.fromkeys(_BY_NEURON, ((block.neurons.count,), "float64"))
        weights = block.layout
        if self.several and "low" in weights:
            # Workers cannot send each other int8, and the first sends its variables to the others.
            weights["low"] = (block.shape, "float16")
        every = {EVERY: {k: _variable(*v) for k, v in neurons.items()}} if self.every else {}
        found = {g: {k: _variable(*v) for k, v in {**neurons, **weights}.items()} for g in self.groups}
        return {**self._inputs[block.site.key], **every, **found}

    @staticmethod
    def _of_inputs(site: Site) -> dict[str, dict[str, Any]]:
        """The mean input is that of all blocks of a site."""
        if site.inputs is None:
            return {}
        return {INPUT: {"n": _variable((1,), "float64"), "c": _variable((site.inputs.count,), "float64")}}

    def blocks_of(self, site: Site) -> list[Block]:
        """Those of one site."""
        return [block for block in self.blocks if block.site is site]

    @property
    def several(self) -> bool:
        """Whether there are several replicas."""
        return bool(self.strategy.num_replicas_in_sync > 1)

    @property
    def samples(self) -> int:
        """How many samples were added."""
        own = self._samples
        return round(float(self.strategy.reduce("SUM", own, axis=None) if self.several else own))

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

    def shares(self, rows: Any) -> list[list[np.ndarray]]:
        """What each replica of this worker got of a batch: one array an entry."""
        own = [self.strategy.experimental_local_results(row) for row in rows]
        return [[np.asarray(row) for row in share] for share in zip(*own, strict=True)]

    def add(self, rows: Any) -> None:
        """Add a batch: one tensor an entry of the graph, or under a strategy one set a replica."""
        if self.several:
            self.strategy.run(self._gather, args=(rows,))
            return
        # The number of rows is left open, so that a last, smaller batch does not compile again.
        fixed = [e.value.shape[0] is not None for e in self.graph.entries]
        specs = [
            tf.TensorSpec(row.shape if own else (None, *row.shape[1:]), row.dtype)
            for own, row in zip(fixed, rows, strict=True)
        ]
        key = tuple(map(str, specs))
        if key not in self._compiled:
            self._compiled[key] = self._gather.get_concrete_function(specs)
        self._compiled[key](rows)

    def read(self, block: Block) -> State:
        """The sums of a block over all replicas, by group."""
        own = self.variables[block.key]
        if not self.several:
            return mapped(_seen, own)
        local = mapped(self.strategy.experimental_local_results, own)
        count = len(self.strategy.experimental_local_results(self._samples))
        replicas = [mapped(lambda v, i=i: v[i].numpy(), local) for i in range(count)]
        return merged(replicas, block, self._sum_over_replicas)

    def _sum_over_replicas(self, *own: np.ndarray) -> np.ndarray:
        """The sum of one array a replica, of which these are those of this worker."""
        left = iter(own)
        spread = self.strategy.experimental_distribute_values_from_function(
            lambda _: ops.convert_to_tensor(next(left))
        )
        return np.asarray(self.strategy.reduce("SUM", spread, axis=None))

    def write(self, block: Block, state: State) -> None:
        """Go on with a block from sums that were read earlier; every replica gets an equal share."""
        count = self.strategy.num_replicas_in_sync
        for group, own in self.variables[block.key].items():
            values = _share(state[group], block, count) if count > 1 else state[group]
            for name, variable in own.items():
                variable.assign(np.asarray(values[name]).astype(variable.dtype.as_numpy_dtype))

    def write_samples(self, samples: int) -> None:
        """Go on counting from a number."""
        self._samples.assign(samples / self.strategy.num_replicas_in_sync)

    def flat(self) -> Arrays:
        """All sums by one name each, for a file."""
        found = {_SAMPLES: np.array(self.samples)}
        for block in self.blocks:
            state = self.read(block)
            found.update({f"{block.key}|{g}|{k}": v for g, own in state.items() for k, v in own.items()})
        return found

    def write_flat(self, arrays: Arrays) -> None:
        """Go on from what `flat` gave."""
        for block in self.blocks:
            own = self.variables[block.key]
            self.write(block, {g: {k: arrays[f"{block.key}|{g}|{k}"] for k in v} for g, v in own.items()})
        self.write_samples(int(arrays[_SAMPLES]))

    def _gather_batch(self, rows: Sequence[Tensor]) -> None:
        """Run the graph, and add what each call of a site gives as soon as it and its gate are there."""
        rows, present = self._never_none(rows)
        self._samples.assign_add(ops.sum(ops.cast(present, "float64")))
        calls: dict[int, list[tuple[Site, Step]]] = {}
        for site in dict.fromkeys(block.site for block in self.blocks):
            for step, gate in site.calls:
                calls.setdefault(gate, []).append((site, step))
        values = {e.slot: v for e, v in zip(self.graph.entries, rows, strict=True)}
        last = present
        with keras.StatelessScope():
            for step in self.graph.steps:
                # One after the other: what a call of a site needs is let go of before the graph runs on.
                with tf.control_dependencies([last]):
                    outputs = step.function(*[values[slot] for slot in step.inputs])
                values.update(zip(step.outputs, outputs, strict=True))
                for slot in step.outputs:
                    for site, call in calls.get(slot, []):
                        x, z = site.seen(values[call.inputs[0]]), values[call.outputs[0]]
                        last = self._add_call(site, Call(x, z, values[slot], present), last)

    def _add_call(self, site: Site, call: Call, last: Tensor) -> Tensor:
        """Add what one call gives; returns something that is there when all is done."""
        blocks = self.blocks_of(site)
        with tf.control_dependencies([last]):
            inputs = add_inputs(site, self._inputs[site.key].get(INPUT, {}), call)
        for group in (*self.groups, *((EVERY,) if self.every else ())):
            own = [(block, self.variables[block.key][group]) for block in blocks]
            with tf.control_dependencies([last]):
                outputs = add_neurons(own, call, group)
            if group != EVERY:
                last = add_weights(own, call, group, inputs, outputs)
        return last

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


def _variable(shape: tuple[int, ...], dtype: str) -> Any:
    return tf.Variable(
        tf.zeros(shape, dtype), trainable=False, name="sum",
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )  # fmt: skip


def _share(sums: Arrays, block: Block, count: int) -> Arrays:
    """An equal share of the sums of a group: means stay what they are."""
    found = {**sums, "n": np.asarray(sums["n"]) / count}
    if "xy" not in sums:
        return found
    return {**found, **block.kept(covariance(sums) / count, mean(sums))}


def _seen(variable: Any) -> Any:
    """What a variable holds: small ones as an array, large ones as a tensor, which is not copied."""
    # It would be since rows were added to it; the next ones are added to a copy if this one is still held.
    tf.raw_ops.DisableCopyOnRead(resource=variable.handle)
    tensor = tf.convert_to_tensor(variable)
    return tensor if len(tensor.shape) > 1 else tensor.numpy()
