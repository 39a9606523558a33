"""A model, or any predict function, made ready to be asked: rows in, scores, outputs and values out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from innexplain.errors import ArgumentError, InputError
from innexplain.graph.canonical import Canonical, canonical
from innexplain.graph.functions import OnArrays, function_graph, name_of, opaque_graph
from innexplain.graph.inputs import check_arrays, flatten_inputs, rows_of
from innexplain.graph.step import Entry, Graph
from innexplain.graph.trace import trace
from innexplain.graph.view import forward_values
from innexplain.network.results import Given, Options, Result, Rows, float_dtype
from innexplain.network.running import Runner, naming_failures
from innexplain.numerics import narrow, widen
from innexplain.targets import IndexTarget, make_target

Tensor = Any


class Network:
    """A model, or any predict function, made ready to be asked; made by `Network.of`.

    Args:
        model: a built Keras model, or a function from an array to an array of outputs (n, ...).
        options: which output and neuron are explained.
        folded: whether batch norms and paddings are folded into the linear parts beside them.
    """

    #: Every step that relevance passes through, with its rule: none in a network that is only asked.
    assignments: Sequence[Any] = ()

    def __init__(self, model: Any, options: Options, folded: bool = False) -> None:
        self.model = model
        self.options = options
        self.folded = folded
        self._take(self._graph())

    @classmethod
    def of(cls, model: Any, options: Options | None = None, folded: bool = False) -> Network:
        """The network of a model or a function; a network is handed on as it is.

        Raises:
            ModelError: it is no Keras model and no function, or was never built.
            ArgumentError: an option is out of range.

        >>> Network.of(lambda x: x * 2.0).outputs([np.ones((2, 3))], batch_size=1)[0].tolist()
        [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]
        """
        return model if isinstance(model, cls) else cls(model, options or Options(), folded)

    @property
    def name(self) -> str:
        """What messages call it."""
        return name_of(self.model)

    @property
    def is_function(self) -> bool:
        """Whether it is a function, which can be called and tells nothing else."""
        return not isinstance(self.model, keras.Model)

    @property
    def graph(self) -> Graph:
        """The canonical graph of the explained output."""
        return self.canonical.graph

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Where data enter."""
        return self.graph.entries

    @property
    def inputs(self) -> list[Entry]:
        """The model's own inputs."""
        return [e for e in self.entries if e.embedding is None]

    @property
    def explained(self) -> list[Entry]:
        """Where relevance is collected."""
        return self.graph.explained

    def _graph(self, x: Any = 0) -> Graph:
        if self.is_function:
            return function_graph(self.model, x, self.options.output)
        graph = trace(self.model)
        return opaque_graph(self.model, x, self.options.output) if graph.opaque else graph

    def _take(self, graph: Graph) -> None:
        """Start from a graph as traced."""
        self.traced = graph
        self._use(canonical(graph, self.options.output, self.options.pre_softmax, self.folded))

    def _use(self, ready: Canonical) -> None:
        """Take a canonical graph on; networks that know more than to be asked start here."""
        self.canonical = ready
        self.target = make_target(self.options.neuron_selection_mode, ready.binary, ready.stripped)
        self.runner = Runner(self.name, _fixed_rows(ready.graph), compiles=not self.is_function)

    def read(self, x: Any) -> Given:
        """Check x, which is an array, or several in a structure.

        Raises:
            InputError: x does not fit the model.
        """
        if self.graph.opaque and not tree.flatten(x):
            raise InputError(f"x is empty: there is no sample to explain. Received: {x!r}")
        self._fit_opaque(x)
        leaves, repack = flatten_inputs(x, self.graph)
        return Given(check_arrays(leaves, self.inputs), leaves, repack)

    def _fit_opaque(self, x: Any) -> None:
        """A model without a graph takes its inputs as the data come, in structure and dtype."""
        if self.graph.opaque:
            graph = self._graph(x)
            known = self.traced
            if (graph.input_structure, graph.values) != (known.input_structure, known.values):
                self._take(graph)

    def rows(self, arrays: Rows) -> Rows:
        """One array an entry: the model's inputs, and the embeddings that stand in for tokens."""
        return rows_of(arrays, self.entries)

    def take(self, rows: Rows, explained: Rows) -> Rows:
        """Rows with the explained entries replaced."""
        given = iter(explained)
        return [next(given) if e.explained else row for row, e in zip(rows, self.entries, strict=True)]

    def of_explained(self, rows: Rows) -> Rows:
        """The rows of explained entries."""
        return [row for row, e in zip(rows, self.entries, strict=True) if e.explained]

    def mirror(self, maps: Rows, given: Given) -> list[np.ndarray | None]:
        """The answer for each model input, from the maps of entries; `None` where nothing is explained.

        It has the shape of what was given, and its dtype where that is a float; tokens get a score each, or
        all their maps side by side.
        """
        return [self._mirror(maps, index, leaf) for index, leaf in enumerate(given.leaves)]

    def _mirror(self, maps: Rows, index: int, leaf: Any) -> np.ndarray | None:
        pairs = zip(maps, self.explained, strict=True)
        own = [(m, e.embedding is not None) for m, e in pairs if e.origin == index]
        if not own:
            return None
        found = [m for m, _ in own]
        answer = self._token_scores(found, leaf) if any(embedded for _, embedded in own) else found[0]
        return narrow(answer, float_dtype(leaf))

    def _token_scores(self, maps: Rows, leaf: Any) -> np.ndarray:
        """One score a token, or the maps of all embeddings of a token side by side."""
        if maps[0].ndim == np.ndim(leaf):
            return np.sum(maps, axis=0)
        joined = np.concatenate(maps, axis=-1)
        return joined if self.options.embedding_map else joined.sum(axis=-1)

    def slots(self, layers: Sequence[Any]) -> dict[str, int]:
        """The slots that steps give their output in, by the name of the step."""
        # Of each call of a layer, the last step gives the layer's output.
        lasts = [{step.call: step for step in self.graph.find(address)} for address in layers]
        return {str(step): step.outputs[0] for calls in lasts for step in calls.values()}

    def output_shape(self, arrays: Rows) -> tuple[int, ...]:
        """The shape of the explained output, without the batch axis."""
        slot = self.canonical.exit.slot
        value = self.graph.values.get(slot)
        if value is not None and None not in value.shape[1:]:
            return tuple(int(d) for d in value.shape[1:] if d is not None)
        first = self.rows([a[: self.runner.fixed or 1] for a in arrays])
        with naming_failures(self.name, arrays):
            values = forward_values(self.graph, [ops.convert_to_tensor(a) for a in first])
        return tuple(values[slot].shape[1:])

    def outputs(self, arrays: Rows, batch_size: int) -> Rows:
        """The model's own outputs, head and all, one array an output: it is called as a whole."""
        structure = self.graph.input_structure
        call = OnArrays(self.model) if self.is_function else partial(self.model, training=False)

        def whole(*x: Tensor) -> list[Tensor]:
            return tree.flatten(call(tree.map_structure(lambda index: x[index], structure)))

        return self.runner.ask("outputs", whole, arrays, batch_size)

    def values(self, rows: Rows, slots: Sequence[int], batch_size: int) -> Rows:
        """The tensors of some slots, half precision widened."""

        def found(*x: Tensor) -> list[Tensor]:
            values = forward_values(self.graph, x)
            return [widen(values[slot]) for slot in slots]

        return self.runner.ask(("values", *slots), found, rows, batch_size)

    def score(self, rows: Rows, data: np.ndarray, batch_size: int) -> Result:
        """Go forwards only; the result has no maps."""
        return self.run("score", self._score, rows, data, batch_size)

    def _score(self, x: Sequence[Tensor], target: Tensor) -> dict[str, Any]:
        values = forward_values(self.graph, x)
        score, neuron = self.target.score(widen(values[self.canonical.exit.slot]), target)
        return {"score": score, "neuron": neuron}

    def resolve(self, rows: Rows, data: np.ndarray, batch_size: int) -> tuple[Result, np.ndarray]:
        """The scores of the rows, and target data that hold on to the neurons explained there.

        Methods that look at changed copies of a sample must explain the neuron of the sample itself.
        """
        result = self.score(rows, data, batch_size)
        return result, self.held(result, data)

    def held(self, result: Result, data: np.ndarray) -> np.ndarray:
        """Target data for the neurons that were explained in a result."""
        return result.neuron if isinstance(self.target, IndexTarget) else data

    def run(
        self,
        key: Hashable,
        function: Callable[[Sequence[Tensor], Tensor], dict[str, Any]],
        rows: Rows,
        data: np.ndarray,
        batch_size: int,
    ) -> Result:
        """What a function of rows and target data gives, a dict with `score` and `neuron` in it."""
        answer = self.runner.ask(key, lambda *x: function(x[:-1], x[-1]), rows, batch_size, data)
        if len(answer["score"]) != len(data):
            raise ArgumentError(
                "neuron_selection_mode must give one score per sample, a sum over everything but the first "
                f"axis. Received: {len(answer['score'])} scores for {len(data)} samples."
            )
        maps = answer.pop("relevance", [])
        return Result(maps, answer.pop("score"), answer.pop("neuron"), details=answer)


def _fixed_rows(graph: Graph) -> int | None:
    """The number of rows that the model insists on, if it does (`keras.Input(batch_size=...)`)."""
    sizes = [e.value.shape[0] for e in graph.entries if e.value.shape and e.value.shape[0]]
    return sizes[0] if sizes else None
