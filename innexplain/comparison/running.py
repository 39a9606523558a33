"""Run analyzers and evaluators against each other."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from innexplain.analyzers import Method, create_analyzer
from innexplain.analyzers.meanings import map_meaning
from innexplain.arguments import check_count, check_seed
from innexplain.comparison.choosing import check_methods, make_evaluators, name_methods
from innexplain.comparison.evaluator import Evaluator, Findings, Subject, check_findings
from innexplain.comparison.result import Comparison, Entry
from innexplain.console import write
from innexplain.digests import config_of, digest
from innexplain.errors import ArgumentError, InnexplainError, InnexplainWarning, OutputPathError
from innexplain.evaluators.arrays import check_classes, check_inputs, check_labels, spatial_maps
from innexplain.evaluators.predictions import Predict, predict_all, predictor, watch
from innexplain.folders import Parts, file_name

_PROBED = 8  # samples that tell one function from another


def compare(
    model: Any,
    x: Any,
    analyzers: Any = None,
    evaluators: Any = None,
    y: Any = None,
    *,
    target: Any = None,
    folder: str | os.PathLike[str] | None = None,
    seed: int = 0,
    batch_size: int = 32,
    progress: bool = False,
    channel_axis: int | None = -1,
) -> Comparison:
    """Which heatmap can be believed: explain x with several analyzers and judge them all alike.

    Every analyzer explains the same class of a sample, and every map meets the same noise.  An analyzer
    that refuses the model is listed with its reason and does not stop the others.

    Args:
        model: a Keras model with one input and one output; any function from inputs to outputs (n, classes),
            with methods that only call it, or maps in place of analyzers.
        x: inputs (n, ...).
        analyzers: a list of names and analyzers, or a dict from labels to names, analyzers, or arrays of
            maps that were computed elsewhere, with the channel axis of x or without.  A `Composite` or a
            `Method` may stand in place of a name.  An analyzer made with
            `neuron_selection_mode="index"` is told the class; others explain what they were made for.
            Default: nine common names.
        evaluators: a list of names or of objects of `innexplain.comparison`: "region_perturbation",
            "complexity", "completeness" (these by default), "max_sensitivity", "randomisation",
            "strong_features".
        y: true classes (n,), for evaluators that need them.
        target: the class to explain and to watch: `None` for the predicted one, an int, or one a sample.
        folder: where to keep what is computed: a later call with the same arguments goes on from there.
        seed: of the evaluators' noise.
        batch_size: the most rows in one call of the model; results do not depend on it.
        progress: whether to tell what is being done, with progress bars.
        channel_axis: of one sample, -1 (default), 0, or `None` where it has none (pictures of shape
            (n, height, width)).

    Returns:
        A `Comparison`: table, curves, pictures, report.

    Raises:
        InputError: x, y or given maps do not fit each other.
        ArgumentError: another argument is out of range, or every analyzer refused.
        OutputPathError: the folder cannot be written.

    Reference: Samek et al. 2017, section IV.

    Example:
        >>> import keras, numpy
        >>> model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(4, 3, activation="relu"),
        ...     keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, activation="softmax")])
        >>> x = numpy.random.default_rng(0).random((2, 6, 6, 1))
        >>> found = compare(model, x, ["gradient", "random"], ["complexity"])
        >>> list(found.maps)
        ['gradient', 'random']
    """
    x = check_inputs(x)
    labels = None if y is None else check_labels(y, len(x))
    check_count("batch_size", batch_size)
    check_seed(seed)
    if callable(target):
        raise ArgumentError("target must be None, an int, or one int a sample. Received: a function")
    chosen = make_evaluators(evaluators, x, labels, channel_axis)
    methods = name_methods(analyzers)
    predict = predictor(model)
    outputs = predict_all(predict, x, batch_size)
    classes = watch(outputs, target).classes
    check_methods(methods, model, x, classes, outputs.argmax(axis=1), channel_axis)
    if labels is not None and outputs.shape[1] > 1:
        check_classes(labels, outputs.shape[1])
    parts = Parts(None if folder is None else Path(folder))
    base = Subject(
        model, predict, x, x, classes, y=labels, seed=int(seed), batch_size=batch_size,
        progress=progress, channel_axis=channel_axis,
    )  # fmt: skip
    key = "" if folder is None else model_digest(model, predict, x)
    runner = _Runner(base, chosen, parts, key)
    entries = tuple(runner.run(label, method) for label, method in methods.items())
    if all(entry.refusal for entry in entries):
        raise ArgumentError(
            "Every analyzer refused the model: " + "; ".join(f"{e.label}: {e.refusal}" for e in entries)
        )
    return Comparison(x, outputs, classes, labels, chosen, entries, channel_axis, int(seed))


@dataclass
class _Runner:
    """Explains and evaluates, one analyzer after the other; what is in the store is not done again."""

    base: Subject
    evaluators: tuple[Evaluator, ...]
    parts: Parts
    model_key: str

    def __post_init__(self) -> None:
        self.baselines: dict[str, Findings] = {}

    def run(self, label: str, method: Any) -> Entry:
        """One analyzer, with all evaluators."""
        try:
            subject, seconds = self._explained(label, method)
        except OutputPathError:
            raise
        except InnexplainError as error:
            return Entry(label, refusal=" ".join(str(error).split()))
        findings = {e.name: self._evaluated(label, e, subject) for e in self.evaluators}
        meaning = map_meaning(label if isinstance(method, np.ndarray) else method)
        return Entry(label, subject.maps, seconds, findings, meaning=meaning)

    def _explained(self, label: str, method: Any) -> tuple[Subject, float]:
        """The maps; they are made anew where a function is among an analyzer's settings, as in rows."""
        if isinstance(method, np.ndarray):
            return replace(self.base, maps=method), float("nan")
        analyzer = method
        if isinstance(method, Method):
            analyzer = create_analyzer(method, self.base.model, neuron_selection_mode="index")
        subject = replace(self.base, analyzer=analyzer)
        settings = analyzer.settings_digest
        parts = Parts() if settings is None else self.parts
        key = digest(self.model_key, subject.x, subject.target, settings)
        found = parts.get(f"{file_name(label)}.maps", key, lambda: self._explain(label, subject))
        spatial_maps(found["maps"], subject.x, subject.channel_axis)  # raises if they do not fit x
        return replace(subject, maps=found["maps"], gap=found.get("gap")), float(found["seconds"])

    def _explain(self, label: str, subject: Subject) -> dict[str, np.ndarray]:
        self._tell(f"{label}: explaining")

        def analyze(rows: slice) -> Any:
            selection = subject.neuron_selection
            selection = None if selection is None else selection[rows]
            return subject.analyzer.analyze(subject.x[rows], selection, subject.batch_size, return_info=True)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InnexplainWarning)  # the second call says it
            analyze(slice(0, 1))  # compiles
        start = time.perf_counter()
        maps, info = analyze(slice(None))
        seconds = (time.perf_counter() - start) / len(subject.x)
        found = {"maps": maps, "seconds": np.array(seconds)}
        return found if info["gap"] is None else {**found, "gap": info["gap"]}

    def _evaluated(self, label: str, evaluator: Evaluator, subject: Subject) -> Findings:
        subject = replace(subject, baseline=self.baselines.get(evaluator.name))
        key = digest(
            self.model_key, subject.x, subject.maps, subject.target, subject.y, subject.gap, evaluator,
            subject.seed, subject.channel_axis, label,
        )  # fmt: skip

        def compute() -> dict[str, np.ndarray]:
            self._tell(f"{label}: {evaluator.name.replace('_', ' ')}")
            found = check_findings(evaluator.evaluate(subject), evaluator, len(subject.x))
            values = {f"values/{name}": array for name, array in found.values.items()}
            return {**values, **{f"curves/{name}": array for name, array in found.curves.items()}}

        arrays = self.parts.get(f"{file_name(label)}.{file_name(evaluator.name)}", key, compute)
        split: dict[str, dict[str, np.ndarray]] = {"values": {}, "curves": {}}
        for path, array in arrays.items():
            what, _, name = path.partition("/")
            split[what][name] = array
        findings = Findings(split["values"], split["curves"])
        self.baselines.setdefault(evaluator.name, findings)
        return findings

    def _tell(self, text: str) -> None:
        if self.base.progress:
            write(text)


def model_digest(model: Any, predict: Predict, x: np.ndarray) -> str:
    """A digest of a Keras model's layers and weights; of any other function, of what it answers."""
    config, weights = None, []
    if isinstance(model, keras.Model):
        config, weights = config_of(model), [keras.ops.convert_to_numpy(w) for w in model.weights]
    if config is not None:
        return digest(config, *weights)
    # Answers to x alone may be saturated: networks that differ answer ones and zeros alike.
    some = x[:_PROBED]
    shuffled = np.random.default_rng(0).permuted(some.reshape(len(some), -1), axis=1).reshape(some.shape)
    answers = [np.round(predict(part), 5) for part in (some, shuffled)]
    return digest(type(model).__name__, *weights, *answers)
