"""What every analyzer stands on: a model, what of it is explained, and rows in, relevance out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from keras import ops, tree

from innexplain.backward import BackwardModel, fixed_batch, naming_failures
from innexplain.composites import GRADIENT, Assignment, Composite
from innexplain.errors import GraphError
from innexplain.graph.canonical import Canonical, canonical
from innexplain.graph.inputs import check_arrays, flatten_inputs, rows_of
from innexplain.graph.step import Entry, Graph, Step
from innexplain.graph.trace import opaque_graph, trace
from innexplain.graph.view import run_forward
from innexplain.targets import IndexTarget, make_target

__all__ = ["Core", "Options", "Request", "Result", "Rows", "total"]

Rows = list[np.ndarray]


@dataclass(frozen=True)
class Options:
    """Arguments that every analyzer takes; `create_analyzer` documents them.

    `check_only` is `check_model`'s own: layers without a rule are kept, to be listed.
    """

    neuron_selection_mode: Any = "max_activation"
    output: Any = None
    pre_softmax: bool | str = "auto"
    rules: Any = None
    unsupported: str = "error"
    embedding_map: bool = False
    check_only: bool = False


@dataclass(frozen=True)
class Request:
    """How an analyzer is to work.

    Args:
        batch_size: the most rows in one call of the model.
        tick: to be called with the number of rows done.
        record: slots whose relevance is to be kept, where a record of the pass is wanted.
    """

    batch_size: int = 32
    tick: Callable[[int], None] = lambda rows: None
    record: tuple[int, ...] | None = None


@dataclass
class Result:
    """What a pass over some samples gives, one row a sample.

    Args:
        maps: one array an explained entry.
        score: the explained score.
        neuron: the explained neuron, -1 where there is no single one.
        gap: score minus what the attribution should sum to, for methods with such a promise.
        details: what a recorded pass tells besides: `sums` and `absorbed` by step, `layers` by slot;
            a sweep over classes `classes`, `predicted` and `best`, see `ClassSweeps.sweeps`.
    """

    maps: Rows
    score: np.ndarray
    neuron: np.ndarray
    gap: np.ndarray | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def join(parts: list[Result]) -> Result:
        """The results of successive batches as one."""
        columns = [vars(part) for part in parts]
        return parts[0] if len(parts) == 1 else Result(**tree.map_structure(_join, *columns))


def total(maps: Rows) -> np.ndarray:
    """The sum of an attribution over all inputs, one number a sample, in float64."""
    return sum((m.reshape(len(m), -1).sum(axis=1, dtype="float64") for m in maps), np.zeros(()))


def _join(*columns: Any) -> Any:
    return None if columns[0] is None else np.concatenate(columns)


class Core:
    """A model made ready for one method.

    Args:
        model: the user's model.
        options: which output and neuron are explained, and the caller's own rules.
        composite: the method's rows; `None` for methods that never go backwards.
        graph_needed: whether a model without a graph is refused.
    """

    def __init__(
        self,
        model: Any,
        options: Options,
        composite: Composite | None = GRADIENT,
        graph_needed: bool = False,
    ) -> None:
        self.model = model
        self.options = options
        self.composite = composite
        graph = trace(model)
        if graph.opaque and graph_needed:
            raise GraphError(_no_graph(composite.name if composite else "this method", model))
        self._use(self._canonical(opaque_graph(model, output=options.output) if graph.opaque else graph))

    def _canonical(self, graph: Graph) -> Canonical:
        folded = self.composite is not None and (self.composite.relevance or self.composite.folded)
        return canonical(graph, self.options.output, self.options.pre_softmax, folded)

    def _use(self, ready: Canonical) -> None:
        self.canonical = ready
        self.target = make_target(self.options.neuron_selection_mode, ready.binary, ready.stripped)
        self.assignments: list[Assignment] = []
        if self.composite is not None:
            options = self.options
            self.assignments = self.composite.assign(ready.graph, options.rules, options.unsupported)
            if not self.options.check_only:
                self.composite.require(self.assignments)
        self.__dict__.pop("backward", None)

    @cached_property
    def backward(self) -> BackwardModel:
        """The compiled network that explains; made when first needed."""
        seed = self.composite.seed if self.composite is not None else "one"
        return BackwardModel(self.model, self.canonical, self.assignments, self.target, seed)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Where data enter."""
        return self.canonical.graph.entries

    @property
    def inputs(self) -> list[Entry]:
        """The model's own inputs."""
        return [e for e in self.entries if e.embedding is None]

    @property
    def explained(self) -> list[Entry]:
        """Where relevance is collected."""
        return [e for e in self.entries if e.explained]

    def read(self, x: Any) -> tuple[Rows, list[Any], Any]:
        """Check x; return its arrays, one a model input, the leaves given, and how to repack."""
        self._fit_opaque(x)
        leaves, repack = flatten_inputs(x, self.canonical.graph)
        return check_arrays(leaves, self.inputs), leaves, repack

    def _fit_opaque(self, x: Any) -> None:
        """A model without a graph takes its inputs in whatever structure the data have."""
        if self.canonical.graph.opaque:
            graph = opaque_graph(self.model, x, self.options.output)
            if graph.input_structure != self.canonical.graph.input_structure:
                self._use(self._canonical(graph))

    def rows(self, arrays: Rows) -> Rows:
        """One array an entry: the model's inputs, and the embeddings that stand in for tokens."""
        return rows_of(arrays, self.entries)

    def take(self, rows: Rows, explained: Rows) -> Rows:
        """Rows with the explained entries replaced."""
        given = iter(explained)
        return [next(given) if e.explained else row for row, e in zip(rows, self.entries, strict=True)]

    def slots(self, layers: Sequence[Any]) -> dict[str, int]:
        """The slots that steps give their output in, by the name of the step."""
        found = [step for address in layers for step in self._last_parts(address)]
        return {str(step): step.outputs[0] for step in found}

    def _last_parts(self, address: Any) -> list[Step]:
        """Of each call at an address, the step that gives the layer's output."""
        calls = {step.call: step for step in self.canonical.graph.find(address)}
        return list(calls.values())

    def of_explained(self, rows: Rows) -> Rows:
        """The rows of explained entries."""
        return [row for row, e in zip(rows, self.entries, strict=True) if e.explained]

    def output_shape(self, arrays: Rows) -> tuple[int, ...]:
        """The shape of the explained output, without the batch axis."""
        slot = self.canonical.exit.slot
        value = self.canonical.graph.values.get(slot)
        if value is not None and None not in value.shape[1:]:
            return tuple(int(d) for d in value.shape[1:] if d is not None)
        rows = [ops.convert_to_tensor(a[: self._fixed or 1]) for a in self.rows(arrays)]
        graph = replace(self.canonical.graph, exits=(self.canonical.exit,))
        with naming_failures(self.model, arrays):
            return tuple(run_forward(graph, rows)[0].shape[1:])

    @property
    def _fixed(self) -> int | None:
        return fixed_batch(self.canonical.graph)

    def relevance(
        self, rows: Rows, data: np.ndarray, batch_size: int, slots: tuple[int, ...] | None = None
    ) -> Result:
        """Go forwards and backwards, at most `batch_size` rows at a time; record if slots are given."""
        return self._run("call" if slots is None else "recorded", rows, data, batch_size, slots or ())

    def score(self, rows: Rows, data: np.ndarray, batch_size: int) -> Result:
        """Go forwards only; the result has no maps."""
        return self._run("score", rows, data, batch_size)

    def resolve(self, rows: Rows, data: np.ndarray, batch_size: int) -> tuple[Result, np.ndarray]:
        """The scores of the rows, and target data that hold on to the neurons explained there.

        Methods that look at changed copies of a sample must explain the neuron of the sample itself.
        """
        result = self.score(rows, data, batch_size)
        return result, self.held(result, data)

    def held(self, result: Result, data: np.ndarray) -> np.ndarray:
        """Target data for the neurons that were explained in a result."""
        return result.neuron if isinstance(self.target, IndexTarget) else data

    def _run(
        self, what: str, rows: Rows, data: np.ndarray, batch_size: int, slots: tuple[int, ...] = ()
    ) -> Result:
        parts = []
        for block, block_data, n in self._blocks(rows, data, batch_size):
            answer = self.backward.run(what, block, block_data, slots)
            answer = tree.map_structure(lambda a, n=n: a[:n], answer)
            maps, score, neuron = (
                answer.pop("relevance", []),
                answer.pop("score"),
                answer.pop("neuron"),
            )
            parts.append(Result(maps, score, neuron, details=answer))
        return Result.join(parts)

    def _blocks(
        self, rows: Rows, data: np.ndarray, batch_size: int
    ) -> Iterator[tuple[Rows, np.ndarray, int]]:
        """Blocks of rows; a model with a fixed batch size gets just that many, the last row repeated."""
        size = self._fixed or batch_size
        for start in range(0, len(data), size):
            block = [a[start : start + size] for a in [*rows, data]]
            n = len(block[-1])
            if self._fixed and n < size:
                block = [np.concatenate([a, np.repeat(a[-1:], size - n, axis=0)]) for a in block]
            yield block[:-1], block[-1], n


def _no_graph(name: str, model: Any) -> str:
    return (
        f"{name} rewrites the layers of a model, and {model.name!r} "
        f"({type(model).__name__}) has no graph of layers to read: it is a subclassed model, or "
        "overrides call. Build it with the functional API or keras.Sequential, or use a method that only "
        "calls the model: gradient, sensitivity, input_t_gradient, integrated_gradients, smoothgrad."
    )
