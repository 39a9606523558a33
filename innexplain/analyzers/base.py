"""The analyzer: the loop around a method, the same for all of them."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from innexplain.analyzers.core import Core, Request, Result, Rows, total
from innexplain.arguments import check_count
from innexplain.composites import Assignment
from innexplain.errors import ArgumentError, InnexplainWarning, InputError
from innexplain.graph.inputs import batches_of, is_dataset
from innexplain.numerics import narrow
from innexplain.rules import ReLURule

__all__ = ["EMPTY_DATASET", "Analyzer", "chunks", "float_dtype", "join_batches"]


EMPTY_DATASET = "The dataset is empty: there is no sample to explain."


class Analyzer(ABC):
    """Explains a model's decisions; made by `innexplain.create_analyzer`.

    Args:
        core: the model, made ready for the method.
    """

    name = "analyzer"
    #: Rows of model calls that one sample costs; the progress bar counts them.
    rows_per_sample = 1
    needs_fit = False
    #: Whether the map is a derivative or acts like one, so that path methods may integrate it.
    gradient_like = False
    #: Whether `return_layers` can be told: the method goes backwards through the layers, once a sample.
    records_layers = False

    def __init__(self, core: Core) -> None:
        self.core = core

    def __repr__(self) -> str:
        return f"<innexplain analyzer {self.name!r} for model {self.model.name!r}>"

    @property
    def model(self) -> Any:
        """The user's model."""
        return self.core.model

    @property
    def assignments(self) -> list[Assignment]:
        """Every step that relevance passes through, with its rule."""
        return self.core.assignments

    @property
    def overridden(self) -> tuple[str, ...]:
        """The steps whose backward pass is not their derivative, as paths."""
        return tuple(str(a.step) for a in self.assignments if isinstance(a.rule, ReLURule))

    @abstractmethod
    def explain(self, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """Explain rows that are already checked.

        Args:
            rows: one array an entry of the graph.
            data: the target's data, one row a sample.
            request: how many rows at a time, and what to tell besides.
        """

    def analyze(
        self,
        x: Any,
        neuron_selection: Any = None,
        batch_size: int = 32,
        progress: bool = False,
        return_info: bool = False,
        return_layers: Sequence[Any] = (),
    ) -> Any:
        """Explain the model's decision on every sample of x.

        Args:
            x: an array (n, ...); a list, tuple or dict of arrays for several inputs; or a batched
                `tf.data.Dataset` of such inputs, with or without labels, which is read batch by batch.
                Integer tokens are explained at their embedding.
            neuron_selection: with mode `"index"` an int, or one int a sample (a tuple is a position in a
                spatial output); of one sigmoid unit, 1 or 0. With mode `"weights"` the weights.
            batch_size: the most rows in one call of the model, steps and noisy copies counted.
                Answers do not depend on it.
            progress: whether to show a progress bar.
            return_info: whether to return `(answer, info)`, with `info` a dict of arrays (n,):
                `"score"`, the explained score; `"neuron"`, the index of the explained neuron, or -1;
                `"sum"`, the sum of the attribution; `"gap"`, score minus the sum that the method
                promises, `None` if it promises nothing. Methods that go backwards add dicts by step:
                `"steps"`, the sum of what leaves each step towards the input; `"absorbed"`, what its
                bias and epsilon keep; and `"layers"`.
            return_layers: layers, names or paths of steps whose relevance `info["layers"]` holds, in the
                shape of their output (of a convolution with a folded batch norm, that of the batch
                norm); implies `return_info`. For analyzers that go backwards once a sample.

        Returns:
            numpy arrays in x's structure and shape, in x's dtype where that is a float, never
            normalised. Methods that are spatial by definition leave the channel axis out; token inputs
            get a score a token, or the whole map (n, tokens, dimensions) with `embedding_map=True`.

        Raises:
            InputError: x does not fit the model, or holds NaN or infinity.
            ArgumentError: another argument is out of range.

        Example:
            >>> import keras, numpy, innexplain
            >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
            >>> analyzer = innexplain.create_analyzer("gradient", model)
            >>> analyzer.analyze(numpy.ones((2, 4))).shape
            (2, 4)
        """
        check_count("batch_size", batch_size)
        kept = self._slots(return_layers)
        detailed = bool(return_info or kept)
        request = Request(batch_size, record=tuple(kept.values()) if detailed else None)
        analyze = self._analyze_dataset if is_dataset(x) else self._analyze_arrays
        answer, info = analyze(x, neuron_selection, request, progress)
        info["layers"] = {name: info["layers"][str(slot)] for name, slot in kept.items()}
        return (answer, info) if detailed else answer

    def _slots(self, return_layers: Any) -> dict[str, int]:
        """The slots that hold the relevance asked for, by the name of the step."""
        if isinstance(return_layers, str):
            raise ArgumentError(
                "return_layers must be a list of layers, names or paths. "
                f"Received: return_layers={return_layers!r}. Did you mean [{return_layers!r}]?"
            )
        if return_layers and not self.records_layers:
            raise ArgumentError(
                f"{self.name} has no relevance of layers to return. Leave return_layers out, or use an "
                "analyzer that goes backwards through the layers once: gradient, input_t_gradient, "
                "sensitivity, deconvnet, guided_backprop, or one of LRP, deep Taylor and patterns. "
                f"Received: return_layers={return_layers!r}"
            )
        return self.core.slots(return_layers)

    def _analyze_arrays(
        self, x: Any, selection: Any, request: Request, progress: bool, start: int | None = None
    ) -> tuple[Any, dict[str, Any]]:
        batch_size = request.batch_size
        arrays, leaves, repack = self.core.read(x)
        n, shape = len(arrays[0]), self.core.output_shape(arrays)
        if start is not None and self.core.target.per_sample(selection, shape):
            selection = self._share(selection, start, n, shape)
        data = self.core.target.data(selection, n, shape)
        bar = keras.utils.Progbar(n * self.rows_per_sample, unit_name="row") if progress else None
        request = replace(request, tick=bar.add) if bar else request
        parts = []
        for start in range(0, n, batch_size):
            block = [a[start : start + batch_size] for a in arrays]
            rows = self.core.rows(block)
            parts.append(self.explain(rows, data[start : start + batch_size], request))
        result = Result.join(parts)
        answer = []
        for index, leaf in enumerate(leaves):  # no comprehension: a warning points at the caller's line
            answer.append(self._mirror(result, index, leaf, n))
        return repack(answer), _info(result)

    def _share(self, selection: Any, start: int, n: int, shape: tuple[int, ...]) -> Any:
        """The entries of a selection for one batch of a dataset; with the first batch all are checked."""
        if len(selection) < start + n:
            _wrong_length(selection, f"at least {start + n}")
        if start == 0:
            self.core.target.data(selection, len(selection), shape)
        return selection[start : start + n]

    def _analyze_dataset(
        self, dataset: Any, selection: Any, request: Request, progress: bool
    ) -> tuple[Any, dict[str, Any]]:
        """Batch by batch, so that only the answer has to fit into memory."""
        bar = keras.utils.Progbar(_length(dataset), unit_name="batch") if progress else None
        answers, infos, done = [], [], 0
        for batch in batches_of(dataset):
            n = len(keras.tree.flatten(batch)[0])
            answer, info = self._analyze_arrays(batch, selection, request, False, start=done)
            answers.append(answer)
            infos.append(info)
            done += n
            if bar:
                bar.add(1)
        if not answers:
            raise InputError(EMPTY_DATASET)
        shape = self.core.output_shape(self.core.read(batch)[0])
        if self.core.target.per_sample(selection, shape) and len(selection) != done:
            _wrong_length(selection, str(done))
        return join_batches(answers), join_batches(infos)

    def _mirror(self, result: Result, index: int, leaf: Any, n: int) -> np.ndarray:
        """The answer for one model input, from the maps of the entries that belong to it."""
        entries = self.core.explained
        maps = [m for m, e in zip(result.maps, entries, strict=True) if e.origin == index]
        dtype = float_dtype(leaf)
        if not maps:  # a boolean mask: nothing to attribute to
            return np.zeros(np.shape(leaf), dtype)
        if any(e.embedding is not None for e in entries if e.origin == index):
            maps = [self._token_scores(maps, leaf)]
        answer = narrow(maps[0], dtype)
        self._tell_silent(answer, stacklevel=5)
        return answer

    def _tell_silent(self, maps: np.ndarray, stacklevel: int) -> None:
        """Warn of samples whose map is zero."""
        silent = ~np.any(maps.reshape(len(maps), -1), axis=1)
        if silent.any():
            warnings.warn(
                f"{self.name}: the map of {int(silent.sum())} of {len(maps)} samples is zero everywhere: the "
                "explained score does not depend on this input there (dead ReLUs, a saturated output, "
                "or an input that this output does not use).",
                InnexplainWarning,
                stacklevel=stacklevel,
            )

    def _token_scores(self, maps: list[np.ndarray], leaf: Any) -> np.ndarray:
        """One score a token, or the maps of all embeddings of a token side by side."""
        if maps[0].ndim == np.ndim(leaf):
            return np.sum(maps, axis=0)
        joined = np.concatenate(maps, axis=-1)
        return joined if self.core.options.embedding_map else joined.sum(axis=-1)


def _wrong_length(selection: Any, samples: str) -> None:
    raise ArgumentError(
        f"neuron_selection must have one entry per sample of the dataset, {samples}. "
        f"Received: {len(selection)}"
    )


def float_dtype(leaf: Any) -> np.dtype:
    """The dtype of the answer for an input."""
    dtype = np.asarray(leaf).dtype
    return dtype if dtype.kind == "f" else np.dtype("float32")


def _info(result: Result) -> dict[str, Any]:
    details = result.details
    return {
        "score": result.score,
        "neuron": result.neuron,
        "sum": total(result.maps),
        "gap": result.gap,
        "steps": details.get("sums", {}),
        "absorbed": details.get("absorbed", {}),
        "layers": details.get("layers", {}),
    }


def join_batches(batches: list[Any]) -> Any:
    """Arrays of successive batches in any structure as one."""
    try:
        return keras.tree.map_structure(
            lambda *column: None if column[0] is None else np.concatenate(column), *batches
        )
    except ValueError as error:
        raise InputError(
            "The batches of a dataset must have samples of one shape to be joined into one answer. "
            f"Received: {error}. Pad them to one length, or analyze batch by batch."
        ) from error


def _length(dataset: Any) -> int | None:
    length = int(dataset.cardinality())
    return length if length > 0 else None


def chunks(total: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` rows."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
