"""Run analyzers and evaluators against each other."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from innexplain.analyzers import Analyzer, create_analyzer
from innexplain.arguments import check_count, check_seed
from innexplain.comparison.evaluations import Evaluator, Findings, Subject, make_evaluators
from innexplain.comparison.result import Comparison, Entry
from innexplain.comparison.store import Store, fingerprint, model_fingerprint
from innexplain.console import write
from innexplain.errors import ArgumentError, InnexplainError
from innexplain.evaluators.arrays import check_inputs, check_labels, spatial_maps
from innexplain.evaluators.predictions import predict_all, predictor, watch

__all__ = ["DEFAULT_ANALYZERS", "compare"]

#: What is compared if the caller names nothing: the methods of Samek et al. 2017 and common others.
DEFAULT_ANALYZERS = (
    "lrp.epsilon",
    "lrp.alpha_2_beta_1",
    "lrp.sequential_preset_a",
    "deconvnet",
    "guided_backprop",
    "sensitivity",
    "input_t_gradient",
    "integrated_gradients",
    "random",
)


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
    channel_axis: int = -1,
) -> Comparison:
    """Which heatmap can be believed: explain x with several analyzers and judge them all alike.

    Every analyzer explains the same class of a sample, and every evaluator meets the same noise. An
    analyzer that refuses the model is listed with its reason and does not stop the others.

    Args:
        model: a Keras model with one input and one output; with maps in place of analyzers any function
            from inputs to outputs (n, classes).
        x: inputs (n, ...).
        analyzers: a list of names and instances, or a dict from labels to names, instances or arrays of
            maps that were computed elsewhere. An instance explains what it was made for. Default: nine
            common ones.
        evaluators: a list of names or instances of classes of `innexplain.comparison`: "region_perturbation",
            "complexity", "completeness" (these by default), "max_sensitivity", "randomisation",
            "strong_features".
        y: true classes (n,), for evaluators that need them.
        target: the class to explain and to watch: `None` for the predicted one, an int, or one a sample.
        folder: where to keep what is computed: a later call with the same arguments goes on from there.
        seed: of all noise.
        batch_size: the most rows in one call of the model.
        progress: whether to tell what is being done, with progress bars.
        channel_axis: of one sample, -1 (default) or 0.

    Returns:
        A `Comparison`: table, curves, pictures, report.

    Raises:
        InputError: x, y or given maps do not fit each other.
        ArgumentError: another argument is out of range; every analyzer refused.

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
    chosen = make_evaluators(evaluators, x, labels, channel_axis)
    methods = _methods(analyzers)
    outputs = predict_all(predictor(model), x, batch_size)
    if callable(target):
        raise ArgumentError("target must be None, an int, or one int a sample. Received: a callable")
    classes = watch(outputs, target).classes
    store = Store(None if folder is None else Path(folder))
    base = Subject(model, x, x, y=labels, target=classes, seed=check_seed(seed), batch_size=batch_size,
                   progress=progress, channel_axis=channel_axis)  # fmt: skip
    runner = _Runner(base, chosen, store, model_fingerprint(model, outputs))
    entries = [runner.run(label, method) for label, method in methods.items()]
    if all(entry.refusal for entry in entries):
        raise ArgumentError(
            "Every analyzer refused the model: " + "; ".join(f"{e.label}: {e.refusal}" for e in entries)
        )
    return Comparison(x, outputs, classes, labels, chosen, tuple(entries), channel_axis)


@dataclass
class _Runner:
    """Explains and evaluates, one analyzer after the other; what is in the store is not done again."""

    base: Subject
    evaluators: tuple[Evaluator, ...]
    store: Store
    model_key: str

    def __post_init__(self) -> None:
        self.baselines: dict[str, Findings] = {}

    def run(self, label: str, method: Any) -> Entry:
        """One analyzer, with all evaluators."""
        self._tell(f"{label}: explaining")
        try:
            subject, seconds = self._explained(label, method)
        except InnexplainError as error:
            return Entry(label, refusal=" ".join(str(error).split()))
        findings = {e.name: self._evaluated(label, e, subject) for e in self.evaluators}
        return Entry(label, subject.maps, seconds, findings)

    def _explained(self, label: str, method: Any) -> tuple[Subject, float]:
        """The maps; those of an instance are made anew, since its settings cannot be read off."""
        if isinstance(method, np.ndarray):
            spatial_maps(method, self.base.x, self.base.channel_axis)
            return replace(self.base, maps=method), float("nan")
        analyzer = self._analyzer(method)
        key = fingerprint(self.model_key, self.base.x, self.base.target, method)
        store = self.store if isinstance(method, str) else Store(None)
        found = store.get(f"{_slug(label)}.maps", key, lambda: self._explain(analyzer))
        gap = found.get("gap")
        return replace(self.base, maps=found["maps"], gap=gap, analyzer=analyzer), float(found["seconds"])

    def _analyzer(self, method: Any) -> Analyzer:
        if isinstance(method, Analyzer):
            if method.model is not self.base.model:
                raise ArgumentError(
                    f"The analyzer {method.name!r} was made for another model. Make one for the model "
                    "that is compared on."
                )
            return method
        return create_analyzer(method, self.base.model, neuron_selection_mode="index")

    def _explain(self, analyzer: Analyzer) -> dict[str, np.ndarray]:
        base = self.base
        indexed = analyzer.core.options.neuron_selection_mode == "index"

        def analyze(rows: slice) -> Any:
            selection = base.target[rows] if indexed and base.target is not None else None
            return analyzer.analyze(base.x[rows], selection, base.batch_size, return_info=True)

        analyze(slice(0, 1))  # compiles
        start = time.perf_counter()
        maps, info = analyze(slice(None))
        seconds = (time.perf_counter() - start) / len(base.x)
        found = {"maps": maps, "seconds": np.array(seconds)}
        return found if info["gap"] is None else {**found, "gap": info["gap"]}

    def _evaluated(self, label: str, evaluator: Evaluator, subject: Subject) -> Findings:
        subject = replace(subject, baseline=self.baselines.get(evaluator.name))
        key = fingerprint(self.model_key, subject.x, subject.maps, subject.target, subject.y, subject.gap,
                          evaluator, subject.seed, label)  # fmt: skip

        def compute() -> dict[str, np.ndarray]:
            self._tell(f"{label}: {evaluator.name.replace('_', ' ')}")
            found = evaluator.evaluate(subject)
            values = {f"values/{name}": array for name, array in found.values.items()}
            return {**values, **{f"curves/{name}": array for name, array in found.curves.items()}}

        arrays = self.store.get(f"{_slug(label)}.{evaluator.name}", key, compute)
        split = {"values": {}, "curves": {}}  # type: dict[str, dict[str, np.ndarray]]
        for path, array in arrays.items():
            what, _, name = path.partition("/")
            split[what][name] = array
        findings = Findings(split["values"], split["curves"])
        self.baselines.setdefault(evaluator.name, findings)
        return findings

    def _tell(self, text: str) -> None:
        if self.base.progress:
            write(text)


def _methods(analyzers: Any) -> dict[str, Any]:
    """Labels and what makes the maps of each."""
    if analyzers is None:
        analyzers = DEFAULT_ANALYZERS
    if isinstance(analyzers, (str, Analyzer)):
        analyzers = [analyzers]
    if isinstance(analyzers, Mapping):
        found = dict(analyzers)
    else:
        found = {}
        for method in analyzers:
            found[_label(method, found)] = method
    for label, method in found.items():
        if not isinstance(method, (str, Analyzer, np.ndarray)) or not isinstance(label, str):
            raise ArgumentError(
                "analyzers must be a list of names and instances, or a dict from labels to names, instances "
                f"or arrays of maps. Received: {label!r}: {type(method).__name__}"
            )
    slugs = [_slug(label) for label in found]
    if not found or len(set(slugs)) < len(slugs):
        raise ArgumentError(f"analyzers must be several with labels of their own. Received: {list(found)}")
    return found


def _label(method: Any, taken: dict[str, Any]) -> str:
    """The name of an analyzer, numbered where it is taken: two instances may differ in their settings."""
    name = method if isinstance(method, str) else getattr(method, "name", type(method).__name__)
    label, number = name, 2
    while label in taken and not isinstance(method, str):
        label, number = f"{name} ({number})", number + 1
    if label in taken:
        raise ArgumentError(f"The analyzer {name!r} is named twice.")
    return label


def _slug(label: str) -> str:
    """A label as a file name."""
    return re.sub(r"[^\w.-]+", "_", label).strip("._") or "maps"
