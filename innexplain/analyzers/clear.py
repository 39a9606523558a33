"""CLEAR: which class does each location speak for?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from innexplain.analyzers.base import EMPTY_DATASET, Analyzer, chunks, float_dtype, join_batches
from innexplain.analyzers.clear_checks import TOP_K, check_classes, check_included, check_response
from innexplain.analyzers.clear_core import ClearCore
from innexplain.analyzers.clear_maps import ClearMaps
from innexplain.analyzers.core import Options, Request, Result, Rows
from innexplain.arguments import check_choice, check_count
from innexplain.backward import REDUCTIONS, reduce_channels
from innexplain.composites import Assignment
from innexplain.errors import ArgumentError, InputError
from innexplain.graph.inputs import batches_of, is_dataset
from innexplain.numerics import accumulation_dtype, narrow
from innexplain.targets import MAX, IndexTarget, MaxActivation

__all__ = ["DECONVOLUTION", "Clear", "clear"]

DECONVOLUTION = "deconvolution"


class Clear(Analyzer):
    """The response of every class at every location, and the class that dominates there.

    Args:
        core: the model, made ready.
        classes: which classes; `None` for the `top_k` most activated ones of each sample.
        top_k: how many.
        analyzer: what makes the class maps; `None` for CLEAR's own deconvolution.

    `analyze` gives the dominant response, or with `neuron_selection_mode="index"` the response of the class
    that is asked for; `maps` gives all.

    Example:
        >>> import keras, numpy, innexplain
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(3, 3),
        ...     keras.layers.GlobalAveragePooling2D(), keras.layers.Activation("softmax")])
        >>> maps = innexplain.create_analyzer("clear", model).maps(numpy.ones((2, 8, 8, 1)))
        >>> maps.response.shape, maps.dominant_class.shape, maps.classes.tolist()
        ((2, 8, 8, 3), (2, 8, 8), [[0, 1, 2], [0, 1, 2]])
    """

    name = "clear"
    core: ClearCore

    def __init__(
        self, core: ClearCore, classes: Sequence[int] | None, top_k: int, analyzer: Analyzer | None = None
    ) -> None:
        super().__init__(core)
        if not isinstance(core.target, IndexTarget):
            raise ArgumentError(
                "clear explains single classes: neuron_selection_mode must be 'max_activation' or 'index'. "
                f"Received: neuron_selection_mode={core.options.neuron_selection_mode!r}"
            )
        self.classes = check_classes(classes, top_k, core.start.count)
        self.top_k = min(top_k, core.start.count) if self.classes is None else len(self.classes)
        self.analyzer = analyzer

    @property
    def assignments(self) -> list[Assignment]:
        """Every step that responses pass through, with its rule."""
        return self.core.assignments if self.analyzer is None else self.analyzer.assignments

    @property
    def rows_per_sample(self) -> int:  # type: ignore[override]
        """Rows of model calls that one sample costs."""
        own = 1 if self.analyzer is None else self.analyzer.rows_per_sample
        return own * (1 if self.asked_for_one else self.top_k)

    @property
    def asked_for_one(self) -> bool:
        """Whether `analyze` gives the response of one class, the one asked for, and not the dominant one."""
        return not isinstance(self.core.target, MaxActivation)

    def explain(self, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """Explain rows, see `Analyzer.explain`: the dominant response, or that of the class asked for."""
        if np.any(data >= self.core.start.count):
            raise ArgumentError(
                f"neuron_selection must lie between 0 and {self.core.start.count - 1}: there are "
                f"{self.core.start.count} classes. Received: {int(data.max())}"
            )
        parts = []
        for part in self._responses(rows, self._wanted(data), request):
            responses = self._by_origin(part.maps)
            dominant = {origin: r.max(axis=1) for origin, r in responses.items()}
            # Tokens with two embeddings have two entries and one map: it stands in the first.
            zeros = [np.zeros_like(dominant[e.origin]) for e in self.core.explained]
            part.maps = [dominant.pop(e.origin, z) for e, z in zip(self.core.explained, zeros, strict=True)]
            parts.append(part)
        result = Result.join(parts)
        told = result.details
        asked = data != MAX
        result.neuron = np.where(asked, result.neuron, told["predicted"])
        result.score = np.where(asked, result.score, told["best"])
        return result

    @property
    def starts_at(self) -> str:
        """The step that gives the class maps, as a path: behind it, all but one of them is masked."""
        producers = self.core.canonical.graph.producers()
        return str(producers.get(self.core.start.slot, "the input"))

    def maps(self, x: Any, batch_size: int = 32, progress: bool = False, include: Any = None) -> Any:
        """The response of every class, and the class that dominates at each location.

        Args:
            x: as for `analyze`.
            batch_size: the most rows in one call of the model, classes counted. Answers do not depend on it.
            progress: whether to show a progress bar.
            include: a class, or one a sample, to be compared in any case: the true one, for instance.  It
                takes the place of the least activated one where it is not among the classes looked at.

        Returns:
            `ClearMaps`, in float32, or float64 for inputs of float64; of several inputs, one each in x's
            structure.

        Raises:
            InputError: x does not fit the model, or holds NaN or infinity.
            ArgumentError: another argument is out of range.
        """
        check_count("batch_size", batch_size)
        if is_dataset(x):
            return self._maps_of_dataset(x, batch_size, progress, include)
        arrays, leaves, repack = self.core.read(x)
        rows = self.core.rows(arrays)
        request = Request(batch_size)
        if progress:
            bar = keras.utils.Progbar(len(rows[0]) * self.rows_per_sample, unit_name="row")
            request = replace(request, tick=bar.add)
        chosen = self._chosen(len(rows[0]))
        if include is not None:
            chosen = self._including(include, rows, chosen, batch_size)
        result = Result.join(list(self._responses(rows, chosen, request)))
        responses = self._by_origin(result.maps)
        classes = result.details["classes"].astype("int64")
        answer = []
        for index, leaf in enumerate(leaves):  # no comprehension: a warning points at the caller's line
            answer.append(self._class_maps(responses, index, leaf, classes))
        return repack(answer)

    def _maps_of_dataset(self, dataset: Any, batch_size: int, progress: bool, include: Any) -> Any:
        if np.ndim(include) > 0:
            raise ArgumentError("include must be one class for all samples of a dataset. Received: a list")
        found = [self.maps(batch, batch_size, progress, include) for batch in batches_of(dataset)]
        if not found:
            raise InputError(EMPTY_DATASET)
        return join_batches(found)

    def _including(self, include: Any, rows: Rows, chosen: np.ndarray, batch_size: int) -> np.ndarray:
        """Chosen classes with others among them."""
        asked = check_included(include, len(chosen), self.core.start.count)
        told = self.core.score(rows, chosen, batch_size).details
        chosen = told["classes"].copy()
        missing = np.flatnonzero(~np.any(chosen == asked[:, None], axis=1))
        chosen[missing, told["activations"][missing].argmin(axis=1)] = asked[missing]
        return chosen

    def _class_maps(
        self, responses: dict[int, np.ndarray], index: int, leaf: Any, classes: np.ndarray
    ) -> ClearMaps:
        """The answer for one model input."""
        shape = (*classes.shape, *np.shape(leaf)[1:])
        response = responses.get(index, np.zeros(shape))  # a boolean mask: nothing to attribute to
        # Not in half precision: a large response is beyond it, and small ones would be equal.
        dtype = np.dtype(accumulation_dtype(float_dtype(leaf)))
        maps = ClearMaps.of(np.moveaxis(narrow(response, dtype), 1, -1), classes)
        self._tell_silent(maps.response, stacklevel=4)
        return maps

    def _wanted(self, data: np.ndarray) -> np.ndarray:
        """The classes to look at, (n, k): the one that is asked for, or those chosen at creation."""
        return data[:, None] if np.all(data != MAX) else self._chosen(len(data))

    def _chosen(self, n: int) -> np.ndarray:
        own = (MAX,) * self.top_k if self.classes is None else self.classes
        return np.tile(np.asarray(own, "int32"), (n, 1))

    def _responses(self, rows: Rows, classes: np.ndarray, request: Request) -> Iterator[Result]:
        """The response of each class (n, k, *spatial) by entry, for a few samples at a time."""
        size = max(1, request.batch_size // classes.shape[1])
        for part in chunks(len(classes), size):
            block = [row[part] for row in rows]
            if self.analyzer is None:
                yield self.core.sweeps(block, classes[part], request.batch_size)
                request.tick(classes[part].size)
            else:
                yield self._of_analyzer(self.analyzer, block, classes[part], request)

    def _of_analyzer(self, analyzer: Analyzer, rows: Rows, classes: np.ndarray, request: Request) -> Result:
        """The maps of another method for each class: the samples are rows once a class."""
        result = self.core.score(rows, classes, request.batch_size)
        n, k = classes.shape
        many = [np.repeat(row, k, axis=0) for row in rows]
        found = analyzer.explain(many, result.details["classes"].ravel(), replace(request, record=None))
        for entry, maps in zip(self.core.explained, found.maps, strict=True):
            flat = np.asarray(reduce_channels(maps, entry, self.core.reduction))
            result.maps.append(flat.reshape(n, k, *flat.shape[1:]))
        return result

    def _by_origin(self, maps: Rows) -> dict[int, np.ndarray]:
        """By model input, the sum over the entries that belong to it."""
        found: dict[int, np.ndarray] = {}
        for entry, response in zip(self.core.explained, maps, strict=True):
            found[entry.origin] = found[entry.origin] + response if entry.origin in found else response
        return found


def clear(
    model: Any,
    options: Options,
    *,
    classes: Sequence[int] | None = None,
    top_k: int = TOP_K,
    layer: Any = None,
    response: Analyzer | str = DECONVOLUTION,
    rectify: bool = False,
    channel_reduction: str = "sum",
) -> Analyzer:
    """CLEAR: the response of every class at every location, and the class that dominates there.

    `R(x|c) = G_1 U_1 ... G_{L-1} U_{L-1} G_L^c z_L`: of the maps z_L before the global average pooling that
    of class c is kept, all others are masked, and it is projected down through transposed filters and
    max-pool switches.  Of networks that end in dense layers, z_L are the class scores.  `analyze` gives
    `max_c R(x|c)`, without the channel axis; `analyzer.maps(x)` gives all of it, see `Clear.maps`.

    Args:
        classes: the classes to compare, as the model numbers them; `None` (default) for all, or the `top_k`
            most activated ones of each sample where there are more.
        top_k: how many, default 10.  Any other number above that of the classes is an error.
        layer: the layer whose channels stand for classes (its name, path or the layer), where it is
            another than the last.
        response: `"deconvolution"` (default), or the name of another analyzer or one made for this model:
            its map for class c is `R(x|c)`.
        rectify: whether ReLUs rectify what goes down, as in the deconvnet; equation 3 has no
            rectification (default).
        channel_reduction: what is done with the channels of a location: `"sum"` (default), `"max"`, or
            `"norm"`, the Euclidean one.

    Reference: Kumar et al. 2017, equations 3 to 5.
    """
    check_choice("channel_reduction", channel_reduction, REDUCTIONS)
    if not isinstance(rectify, bool):
        raise ArgumentError(f"rectify must be True or False. Received: rectify={rectify!r}")
    analyzer = response if isinstance(response, Analyzer) else None
    if analyzer is not None:
        check_response(analyzer, layer, rectify)
        options = replace(
            analyzer.core.options,
            neuron_selection_mode=options.neuron_selection_mode,
            check_only=options.check_only,
        )
    if layer is not None and options.output is not None:
        raise ArgumentError(
            "layer= says which layer's channels are classes, and output= which output is explained: give one "
            f"of them. Received: layer={layer!r}, output={options.output!r}"
        )
    core = ClearCore(model, options, None if analyzer else rectify, layer, channel_reduction)
    return Clear(core, classes, top_k, analyzer)
