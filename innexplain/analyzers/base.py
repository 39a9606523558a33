"""The analyzer: a method and a network together, and the loop around every method."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from innexplain.analyzers.method import Method, check_needs, listed_settings, names_where, same_setting
from innexplain.analyzers.portable import graph_of, settings_apart, settings_together
from innexplain.analyzers.saving import save_analyzer, settings_digest
from innexplain.arguments import check_count
from innexplain.composites import Assignment
from innexplain.errors import ArgumentError, InnexplainWarning, InputError
from innexplain.graph.inputs import batches_of, is_dataset
from innexplain.network import Network, Options, Request, Result, chunks, float_dtype, total
from innexplain.network.results import joined
from innexplain.rules import ReLURule

EMPTY_DATASET = "The dataset is empty: there is no sample to explain."


class Analyzer:
    """Explains a model's decisions; made by `innexplain.create_analyzer`.

    Args:
        model: the user's model.
        method: how it is explained.
        options: arguments of every analyzer.
        network: the model made ready for the method, where there is one already.
    """

    def __init__(
        self, model: Any, method: Method, options: Options | None = None, network: Network | None = None
    ) -> None:
        self._bind(model, method, options or Options(), network)

    def _bind(self, model: Any, method: Method, options: Options, network: Network | None = None) -> None:
        self.model = model
        self.method = method
        self.options = options
        if not isinstance(model, keras.Model):
            check_needs(method, Network.of(model))  # before all else, and under the outermost name
        self.network = method.network(model, options) if network is None else network

    def __repr__(self) -> str:
        settings = listed_settings({**self.method.changed(), **_changed(self.options)})
        return f"<innexplain analyzer {self.name!r} for model {self.network.name!r}{settings}>"

    @property
    def name(self) -> str:
        """The name of its method."""
        return self.method.name

    @property
    def needs_fit(self) -> bool:
        """Whether it has to see data before it can explain."""
        return self.method.needs_fit

    @property
    def rows_per_sample(self) -> int:
        """Rows of model calls that one sample costs; the progress bar counts them."""
        return self.method.rows_per_sample(self.network)

    @property
    def assignments(self) -> list[Assignment]:
        """Every step that relevance passes through, with its rule."""
        return list(self.network.assignments)

    @property
    def overridden(self) -> tuple[str, ...]:
        """The steps whose backward pass is not their derivative, as paths."""
        return tuple(str(a.step) for a in self.assignments if isinstance(a.rule, ReLURule))

    def attribute(self, rows: Any, data: np.ndarray, request: Request) -> Result:
        """Explain rows that are already checked, see `Method.attribute`."""
        return self.method.attribute(self.network, rows, data, request)

    def save(self, folder: str | os.PathLike[str], include_model: bool = False) -> Path:
        """Write a folder that `innexplain.load_analyzer` makes an equal analyzer of, in any process.

        Settings are written as JSON, arrays such as fitted patterns as `.npz` without pickle, layers as
        paths.

        Args:
            folder: written whole or not at all; one that an earlier `save` wrote is replaced.
            include_model: whether the model is written, too, as `.keras`.

        Returns:
            The folder.

        Raises:
            ArgumentError: a setting is a function, which no file can hold; it is named.
            OutputPathError: the folder cannot be written, or holds other files.
        """
        return save_analyzer(self.method, self.network, self.options, folder, include_model)

    @property
    def settings_digest(self) -> str | None:
        """A digest of all that it was made with but for its model; `None` if a function is part of it."""
        return settings_digest(self.method, self.network, self.options)

    def __reduce__(self) -> Any:
        """How `pickle` and `copy.deepcopy` make another one: from a model and settings, anew."""
        settings = settings_apart(self.method, self.options, self.network.traced)
        return _made_anew, (type(self), self.model, *settings)

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
        if return_layers and not self.method.records_layers:
            able = names_where(lambda m: m.records_layers and not m.name.startswith("lrp."))
            raise ArgumentError(
                f"{self.name} has no relevance of layers to return. Leave return_layers out, or use an "
                f"analyzer that goes backwards through the layers once: {', '.join(able)}. "
                f"Received: return_layers={return_layers!r}"
            )
        return self.network.slots(return_layers)

    def _analyze_arrays(
        self, x: Any, selection: Any, request: Request, progress: bool, start: int | None = None
    ) -> tuple[Any, dict[str, Any]]:
        given = self.network.read(x)
        arrays, target = given.arrays, self.network.target
        n, shape = len(arrays[0]), self.network.output_shape(arrays)
        if start is not None and target.per_sample(selection, shape):
            selection = self._share(selection, start, n, shape)
        data = target.data(selection, n, shape)
        bar = keras.utils.Progbar(n * self.rows_per_sample, unit_name="row") if progress else None
        request = replace(request, tick=bar.add) if bar else request
        parts = []
        for part in chunks(n, request.batch_size):
            rows = self.network.rows([a[part] for a in arrays])
            parts.append(self.attribute(rows, data[part], request))
        result = Result.join(parts)
        maps = self.network.mirror(result.maps, given)
        self._tell_silent(maps, stacklevel=4)
        # Of a boolean mask there is nothing to attribute to.
        pairs = zip(maps, given.leaves, strict=True)
        filled = [np.zeros(np.shape(x), float_dtype(x)) if m is None else m for m, x in pairs]
        return given.repack(filled), _info(result)

    def _share(self, selection: Any, start: int, n: int, shape: tuple[int, ...]) -> Any:
        """The entries of a selection for one batch of a dataset; with the first batch all are checked."""
        if len(selection) < start + n:
            _wrong_length(selection, f"at least {start + n}")
        if start == 0:
            self.network.target.data(selection, len(selection), shape)
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
        shape = self.network.output_shape(self.network.read(batch).arrays)
        if self.network.target.per_sample(selection, shape) and len(selection) != done:
            _wrong_length(selection, str(done))
        return join_batches(answers), join_batches(infos)

    def _tell_silent(self, found: Sequence[np.ndarray | None], stacklevel: int) -> None:
        """Warn of samples whose map is zero."""
        for maps in found:  # no comprehension: the warning points at the caller's line
            silent = np.zeros(0, bool) if maps is None else ~np.any(maps.reshape(len(maps), -1), axis=1)
            if silent.any():
                warnings.warn(
                    f"{self.name}: the map of {int(silent.sum())} of {len(silent)} samples is zero "
                    "everywhere: the explained score does not depend on this input there (dead ReLUs, a "
                    "saturated output, or an input that this output does not use).",
                    InnexplainWarning,
                    stacklevel=stacklevel,
                )


def _made_anew(kind: type[Analyzer], model: Any, method: Method, options: dict[str, Any]) -> Analyzer:
    analyzer = kind.__new__(kind)
    analyzer._bind(model, *settings_together(method, options, graph_of(model)))
    return analyzer


def _wrong_length(selection: Any, samples: str) -> None:
    raise ArgumentError(
        f"neuron_selection must have one entry per sample of the dataset, {samples}. "
        f"Received: {len(selection)}"
    )


def _changed(options: Options) -> dict[str, Any]:
    usual = Options()
    return {k: v for k, v in vars(options).items() if not same_setting(v, getattr(usual, k))}


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
        return joined(batches)
    except ValueError as error:
        raise InputError(
            "The batches of a dataset must have samples of one shape to be joined into one answer. "
            f"Received: {error}. Pad them to one length, or analyze batch by batch."
        ) from error


def _length(dataset: Any) -> int | None:
    length = int(dataset.cardinality())
    return length if length > 0 else None
