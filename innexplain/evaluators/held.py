"""Explaining the same neurons again and again, while the input or the network changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.analyzers import Analyzer, create_analyzer
from innexplain.errors import ArgumentError, InputError, ModelError
from innexplain.evaluators.arrays import spatial_maps
from innexplain.graph.step import Entry
from innexplain.network import Request, chunks, name_of
from innexplain.targets import MAX, IndexTarget


def analyzer_of(model: Any, analyzer: Any) -> Analyzer:
    """The analyzer of a model, by its name or as it is.

    Raises:
        ArgumentError: it is neither, or explains another model.
    """
    if isinstance(analyzer, str):
        return create_analyzer(analyzer, model, neuron_selection_mode="index")
    if not isinstance(analyzer, Analyzer):
        raise ArgumentError(
            "analyzer must be the name of an analyzer, or one that create_analyzer made of the model. "
            f"Received: analyzer={analyzer!r}"
        )
    if analyzer.model is not model:
        raise ArgumentError(
            f"analyzer explains another model ({analyzer.network.name!r}) than the one given "
            f"({name_of(model)!r}). Make it with create_analyzer({analyzer.name!r}, model)."
        )
    return analyzer


@dataclass(frozen=True)
class Held:
    """An analyzer with the neurons that it explained at first, one a sample.

    Args:
        analyzer: of a model with one input.
        x: that input, checked, (n, ...).
        data: the target's data for these neurons, (n, ...).
        batch_size: the most rows in one call of the model.
    """

    analyzer: Analyzer
    x: np.ndarray
    data: np.ndarray
    batch_size: int

    def maps(self, x: np.ndarray, samples: np.ndarray, spatial: bool = False) -> np.ndarray:
        """The maps of inputs that were made of some samples.

        Args:
            x: inputs (rows, ...).
            samples: the sample that each was made of, (rows,).
            spatial: whether channels are summed; else maps are as the analyzer gives them.
        """
        network, request = self.analyzer.network, Request(self.batch_size)
        parts = []
        for part in chunks(len(x), self.batch_size):
            rows = network.rows(network.read(x[part]).arrays)  # anew each time: embeddings may have changed
            maps = self.analyzer.attribute(rows, self.data[samples[part]], request).maps
            if not all(np.isfinite(m).all() for m in maps):
                raise InputError(
                    f"{self.analyzer.name} gives NaN or infinity: the network overflows on this input, or "
                    "with these (random) weights."
                )
            if spatial:
                found = zip(maps, network.of_explained(rows), network.explained, strict=True)
                maps = [_spatial(*columns) for columns in found]
            # What several embeddings of the same tokens get adds up.
            parts.append(maps[0] if len(maps) == 1 else np.sum(maps, axis=0))
        return np.concatenate(parts)

    def now(self) -> np.ndarray:
        """The maps of the samples themselves with the weights of this moment, channels summed."""
        return self.maps(self.x, np.arange(len(self.x)), spatial=True)


def hold(analyzer: Analyzer, x: Any, batch_size: int, neuron_selection: Any = None) -> Held:
    """Hold on to the neurons that an analyzer explains of x: the predicted ones where none are given.

    Raises:
        ModelError: the model has several inputs.
        InputError: x does not fit the model.
        ArgumentError: `neuron_selection` does not fit the analyzer.
    """
    network = analyzer.network
    if len(network.inputs) != 1:
        raise ModelError(
            f"Maps of one input are compared; {network.name!r} takes {len(network.inputs)}. Give a model "
            "of the one to look at, with the others fixed inside."
        )
    (array,) = network.read(x).arrays
    if neuron_selection is None and isinstance(network.target, IndexTarget):
        data = np.full(len(array), MAX, "int32")
    else:
        data = network.target.data(neuron_selection, len(array), network.output_shape([array]))
    held = [
        network.resolve(network.rows([array[part]]), data[part], batch_size)[1]
        for part in chunks(len(array), batch_size)
    ]
    return Held(analyzer, array, np.concatenate(held), batch_size)


def _spatial(maps: np.ndarray, row: np.ndarray, entry: Entry) -> np.ndarray:
    axis = {None: None, -1: -1, 1: 0}[entry.channel_axis]
    return spatial_maps(maps, row, axis)
