"""What CLEAR tells of a batch besides one map: the response of every class."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from innexplain.analyzers.base import EMPTY_DATASET, Analyzer, join_batches
from innexplain.analyzers.clear import Clear
from innexplain.analyzers.clear_network import ClearNetwork
from innexplain.arguments import check_count
from innexplain.class_maps import ClearMaps
from innexplain.errors import ArgumentError, InputError
from innexplain.graph.inputs import batches_of, is_dataset
from innexplain.network import Request, Result, Rows, float_dtype
from innexplain.numerics import accumulation_dtype, narrow


class ClearAnalyzer(Analyzer):
    """The response of every class at every location, and the class that dominates there.

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

    method: Clear
    network: ClearNetwork

    @property
    def starts_at(self) -> str:
        """The step that gives the class maps, as a path: behind it, all but one of them is masked."""
        return str(self.network.graph.producers().get(self.network.start.slot, "the input"))

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
        given = self.network.read(x)
        rows = self.network.rows(given.arrays)
        request = Request(batch_size)
        if progress:
            bar = keras.utils.Progbar(len(rows[0]) * self.rows_per_sample, unit_name="row")
            request = replace(request, tick=bar.add)
        chosen = np.tile(self.method.compared_classes(self.network), (len(rows[0]), 1))
        if include is not None:
            chosen = self._including(include, rows, chosen, batch_size)
        result = Result.join(list(self.method.responses(self.network, rows, chosen, request)))
        responses = self.network.by_origin(result.maps)
        classes = result.details["classes"].astype("int64")
        answer = []
        for index, leaf in enumerate(given.leaves):  # no comprehension: a warning points at the caller's line
            answer.append(self._class_maps(responses, index, leaf, classes))
        return given.repack(answer)

    def _maps_of_dataset(self, dataset: Any, batch_size: int, progress: bool, include: Any) -> Any:
        if np.ndim(include) > 0:
            raise ArgumentError("include must be one class for all samples of a dataset. Received: a list")
        found = [self.maps(batch, batch_size, progress, include) for batch in batches_of(dataset)]
        if not found:
            raise InputError(EMPTY_DATASET)
        return join_batches(found)

    def _including(self, include: Any, rows: Rows, chosen: np.ndarray, batch_size: int) -> np.ndarray:
        """Chosen classes with others among them."""
        asked = _check_included(include, len(chosen), self.network.start.count)
        told = self.network.score(rows, chosen, batch_size).details
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
        self._tell_silent([maps.response], stacklevel=4)
        return maps


def _check_included(include: Any, n: int, count: int) -> np.ndarray:
    """The class to be compared in any case, one a sample: int32 (n,)."""
    given = np.asarray(include)
    fits = given.dtype.kind in "iu" and given.shape in ((), (n,))
    if not fits or np.any(given < 0) or np.any(given >= count):
        raise ArgumentError(
            f"include must be a class between 0 and {count - 1}, or one for each of the {n} samples. "
            f"Received: include={include!r}"
        )
    return np.broadcast_to(given.astype("int32"), (n,))
