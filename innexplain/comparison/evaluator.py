"""What an evaluator is for `compare`: settings, a name, columns, and a method that judges maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from innexplain.errors import ArgumentError
from innexplain.evaluators.predictions import Predict

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Subject:
    """The maps of one analyzer, with all that an evaluator may ask for.

    Args:
        model: the model, or the function that was given in its place.
        predict: a function from inputs (rows, ...) to outputs (rows, classes), compiled once for all.
        x: the inputs (n, ...).
        maps: the attributions, with channels or without.
        target: the explained class of each sample, (n,).
        analyzer: the analyzer; `None` where only its maps are known.
        gap: score minus promised sum (n,), where the analyzer promises one.
        y: true labels, if given.
        seed: of everything random.
        batch_size: the most rows in one call of the model.
        progress: whether to show a progress bar.
        baseline: earlier findings of the same evaluator, for what does not depend on the maps.
        channel_axis: of one sample, -1, 0 or `None`.
    """

    model: Any
    predict: Predict
    x: np.ndarray
    maps: np.ndarray
    target: np.ndarray
    analyzer: Any = None
    gap: np.ndarray | None = None
    y: np.ndarray | None = None
    seed: int = 0
    batch_size: int = 32
    progress: bool = False
    baseline: Findings | None = None
    channel_axis: int | None = -1

    @property
    def neuron_selection(self) -> np.ndarray | None:
        """What the analyzer has to be told so that it explains the class of every sample."""
        indexed = self.analyzer is not None and self.analyzer.options.neuron_selection_mode == "index"
        return self.target if indexed else None


@dataclass(frozen=True, eq=False)
class Findings:
    """What an evaluator found: arrays by name.

    Args:
        values: name of the column -> a number an image, (n,).
        curves: name -> a curve an image, (n, steps + 1).
    """

    values: dict[str, np.ndarray] = field(default_factory=dict)
    curves: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a comparison.

    Args:
        name: the stem of its file.
        draw: gives the matplotlib figure.
        shows: what is on it, for those who cannot see it; labels of methods are added.
        caption: how to read it.
    """

    name: str
    draw: Callable[[], Figure]
    shows: str
    caption: str


@dataclass(frozen=True)
class Evaluator(ABC):
    """One way to judge maps, with its settings as fields; frozen, so that equal settings give equal results.

    A subclass is a frozen dataclass, too: what is kept in a folder is recognised by the fields.  Arrays,
    Keras models, dataclasses, lists, tuples, sets and dicts count value by value, all else by its `repr`.
    """

    #: How `compare` and the command line call it.
    name: ClassVar[str] = ""
    #: Its columns, each with "higher", "lower" or "" for what is better.
    columns: ClassVar[dict[str, str]] = {}
    #: What its columns mean: a sentence or two for the report.
    reading: ClassVar[str] = ""

    def fitted(self, x: np.ndarray, y: np.ndarray | None, channel_axis: int | None) -> Evaluator:
        """The evaluator with settings that depend on the data filled in; raises for data it cannot judge."""
        return self

    @abstractmethod
    def evaluate(self, subject: Subject) -> Findings:
        """Judge the maps of one analyzer; a column that is left out shows as a dash."""

    def picture(self, found: dict[str, Findings]) -> Picture | None:
        """What the measure shows of all methods that it has findings of, by label; default: no picture."""
        return None


def check_findings(found: Any, evaluator: Evaluator, n: int) -> Findings:
    """The findings, if they have the shapes that table and pictures need.

    Raises:
        ArgumentError: they have not, or name a column that the evaluator does not announce.
    """
    said = f"The evaluator {evaluator.name!r} must give Findings"
    if not isinstance(found, Findings):
        raise ArgumentError(f"{said}. Received: {type(found).__name__}")
    values = {name: np.asarray(array) for name, array in found.values.items()}
    curves = {name: np.asarray(array) for name, array in found.curves.items()}
    unknown = [name for name in values if name not in evaluator.columns]
    if unknown:
        raise ArgumentError(f"{said} for its columns {list(evaluator.columns)}. Received: {unknown[0]!r}")
    for name, array in [*values.items(), *curves.items()]:
        rank = 1 if name in values and array is values[name] else 2
        if array.dtype.kind not in "fiub" or array.ndim != rank or len(array) != n:
            raise ArgumentError(
                f"{said}: numbers, one an image ({n},), or curves ({n}, steps + 1). "
                f"Received: {name!r} of dtype {array.dtype}, shape {array.shape}"
            )
    return Findings(values, curves)
