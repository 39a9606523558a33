"""How good is a network by its heatmaps?  Their AOPC, epoch by epoch, next to its accuracy."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from innexplain.analyzers import Analyzer, Method, create_analyzer
from innexplain.arguments import check_count
from innexplain.composites import Composite
from innexplain.errors import ArgumentError, nearest
from innexplain.evaluators.arrays import check_inputs
from innexplain.evaluators.perturbation import region_perturbation
from innexplain.evaluators.predictions import Predict, predictor
from innexplain.regions import Grid, spatial_shape

_OWN = ("model", "x", "attributions", "batch_size", "progress", "baseline")
_KEYWORDS = {
    name: parameter.default
    for name, parameter in inspect.signature(region_perturbation).parameters.items()
    if name not in _OWN
}


class NetworkQuality(keras.callbacks.Callback):
    """Records the AOPC of an analyzer's maps while a network is trained.

    Well-trained networks look at what matters in an image, so that their maps find it: no labels are needed
    to see a network improve.  The training itself is not disturbed: weights, optimizer and random states
    are the same with and without this callback.

    Args:
        x: inputs to explain, (n, ...), for instance a few dozen of the validation data.
        analyzer: the name of an analyzer, default `"lrp.epsilon"`, a `Method` or a `Composite`; made once of
            the model under training, whose weights it reads.
        every: an int: record every so many epochs (default 1: each); or the epochs to record.  Epochs
            count from 1, as Keras prints them.
        analyzer_arguments: for `create_analyzer`, a dict.
        batch_size: the most inputs in one call of the model, default 32.
        **perturbation: keywords of `region_perturbation`, such as `region_size` and `steps`.

    Raises:
        InputError: x is no finite array.
        ArgumentError: another argument is out of range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
        >>> model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> x, y = np.eye(4, dtype="float32"), np.array([0, 0, 1, 1])
        >>> quality = NetworkQuality(x, "gradient", region_size=1, repeats=1)
        >>> history = model.fit(x, y, epochs=2, validation_data=(x, y), callbacks=[quality], verbose=0)
        >>> [record["epoch"] for record in quality.history], "val_accuracy" in quality.history[0]
        ([1, 2], True)

    Reference: Samek et al. 2017, section IV-D and figure 7.
    """

    #: One dict a recorded epoch: `"epoch"`; `"aopc"` and `"aopc_minus_random"` after all steps; and what
    #: Keras logs, such as `"accuracy"` and `"val_accuracy"`.
    history: list[dict[str, float]]

    def __init__(
        self,
        x: Any,
        analyzer: Any = "lrp.epsilon",
        *,
        every: int | Iterable[int] = 1,
        analyzer_arguments: dict[str, Any] | None = None,
        batch_size: int = 32,
        **perturbation: Any,
    ) -> None:
        super().__init__()
        for name in perturbation:
            if name not in _KEYWORDS:
                raise ArgumentError(
                    f"NetworkQuality does not take {name!r}.{nearest(name, _KEYWORDS)} Keywords of "
                    f"region_perturbation: {', '.join(_KEYWORDS)}; those of the analyzer go into "
                    "analyzer_arguments={...}."
                )
        if not isinstance(analyzer, (str, Method, Composite)):
            raise ArgumentError(
                "analyzer must be a name, a Method or a Composite: the analyzer is made of the model under "
                f"training. Received: analyzer={analyzer!r}"
            )
        self.x = check_inputs(x)
        self.method = analyzer
        self.analyzer_arguments = dict(analyzer_arguments or {})
        whole = isinstance(every, (int, np.integer))
        self.every = check_count("every", every) if whole else _epochs(every)
        self.batch_size = check_count("batch_size", batch_size)
        self.perturbation = {**_KEYWORDS, **perturbation}
        shape = spatial_shape(self.x.shape[1:], self.perturbation["channel_axis"])
        Grid(shape, self.perturbation["region_size"])  # refuses regions that are larger than the inputs
        self.history = []
        self._analyzer: Analyzer | None = None
        self._predict: Predict | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start a new history, and refuse what cannot be explained before any time is spent."""
        self.history = []
        if self.model.built:
            self._ready()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record an epoch, if it is to be."""
        number = epoch + 1
        chosen = number % self.every == 0 if isinstance(self.every, int) else number in self.every
        if not chosen:
            return
        analyzer, predict = self._ready()
        maps = analyzer.analyze(self.x, batch_size=self.batch_size)
        found = region_perturbation(predict, self.x, maps, batch_size=self.batch_size, **self.perturbation)
        self.history.append(
            {
                **{name: float(value) for name, value in (logs or {}).items()},
                "epoch": number,
                "aopc": float(found.aopc[-1]),
                "aopc_minus_random": float(found.aopc_minus_random[-1]),
            }
        )

    def _ready(self) -> tuple[Analyzer, Predict]:
        """The analyzer and the predict function of the model, compiled once for all epochs."""
        if self._analyzer is None or self._predict is None or self._analyzer.model is not self.model:
            self._analyzer = create_analyzer(self.method, self.model, **self.analyzer_arguments)
            self._predict = predictor(self.model)
        return self._analyzer, self._predict


def _epochs(every: Any) -> frozenset[int]:
    try:
        return frozenset(check_count("every", epoch) for epoch in every)
    except TypeError:
        raise ArgumentError(
            f"every must be an int, or the epochs to record, counted from 1. Received: every={every!r}"
        ) from None
