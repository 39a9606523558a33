"""The evaluators that `compare` knows by name; each hands its settings to a function of `evaluators/`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import keras
import numpy as np

from innexplain import plots
from innexplain.arguments import check_choice, check_count, check_number
from innexplain.comparison.evaluator import Evaluator, Findings, Picture, Subject
from innexplain.errors import ArgumentError
from innexplain.evaluators import (
    entropy,
    gini,
    jpeg_size,
    max_sensitivity,
    parameter_randomisation,
    png_size,
    region_perturbation,
    strong_features,
)
from innexplain.evaluators.arrays import spatial_maps
from innexplain.evaluators.perturbation import ORDERS, PerturbationResult, count_steps
from innexplain.evaluators.randomisation import MODES
from innexplain.regions import Grid, spatial_shape
from innexplain.samplers import Sampler
from innexplain.samplers.base import check_sampler
from innexplain.samplers.simple import check_values

_ALL = (
    "All {} regions were replaced in the end, where every order leaves the same picture: fewer steps tell "
    "methods apart better."
)
_ABOVE = "AOPC - random"  # the curve that is drawn
_BETTER = {"morf": "higher", "lerf": "lower", "random": ""}


@dataclass(frozen=True)
class RegionPerturbation(Evaluator):
    """AOPC, see `innexplain.evaluators.region_perturbation`; the random order is computed only once.

    Args:
        region_size: edge of a region; `None` (default) for 9 in inputs of 100 pixels and more, and about a
            tenth of the shorter side in smaller ones.
        steps: how many regions are replaced; `None` (default) for 100, or all where there are fewer.  Where
            all are, every order ends alike and a map gains little: choose well below their number.
        order, sampler, repeats: as there.
    """

    name = "region_perturbation"
    columns: ClassVar[dict[str, str]] = {"AOPC": "higher", "AOPC - random": "higher"}
    reading = (
        "AOPC: how far the score falls, on average over the steps, while region after region is replaced, "
        "those that a map ranks highest first (order 'lerf': lowest first). AOPC - random: how much further "
        "than by chance; where the highest go first, a map below zero is worse than none."
    )
    region_size: Any = None
    steps: int | None = None
    order: str = "morf"
    sampler: Sampler | None = None
    repeats: int = 10

    def __post_init__(self) -> None:
        check_choice("order", self.order, ORDERS)
        check_count("repeats", self.repeats)
        if self.sampler is not None:
            check_sampler("sampler", self.sampler)
        # Least relevant first, a good map keeps the score up; the order of chance says nothing on maps.
        better = dict.fromkeys(self.columns, _BETTER[self.order])
        object.__setattr__(self, "columns", better)

    def fitted(self, x: np.ndarray, y: np.ndarray | None, channel_axis: int | None) -> RegionPerturbation:
        """With a region size that suits the inputs, and a word for the report if every region is replaced."""
        shape = spatial_shape(x.shape[1:], channel_axis)
        size = self.region_size
        if size is None:
            size = 9 if min(shape) >= 100 else max(1, round(min(shape) / 10))
        regions = len(Grid(shape, size))
        chosen = replace(self, region_size=size)
        if count_steps(self.steps, regions) == regions:
            object.__setattr__(chosen, "reading", f"{self.reading} {_ALL.format(regions)}")
        return chosen

    def evaluate(self, subject: Subject) -> Findings:
        """See `Evaluator.evaluate`."""
        earlier = None
        if subject.baseline is not None:
            random = subject.baseline.curves["random"]
            earlier = PerturbationResult(random, random, "random")
        found = region_perturbation(
            subject.predict,
            subject.x,
            subject.maps,
            region_size=self.region_size,
            steps=self.steps,
            order=self.order,
            sampler=self.sampler,
            repeats=self.repeats,
            target=subject.target,
            seed=subject.seed,
            batch_size=subject.batch_size,
            progress=subject.progress,
            baseline=earlier,
            channel_axis=subject.channel_axis,
        )
        above = found.aopc_per_image_minus_random
        return Findings(
            {"AOPC": found.aopc_per_image[:, -1], "AOPC - random": above[:, -1]},
            {"scores": found.scores, "random": found.random_scores, _ABOVE: above},
        )

    def picture(self, found: dict[str, Findings]) -> Picture:
        """The curves of all methods, as in figure 4 of Samek et al. 2017."""
        above = {label: findings.curves[_ABOVE] for label, findings in found.items()}
        n = len(next(iter(above.values())))
        title = f"Does the score fall faster than by chance? Mean over {n} image{'s' if n > 1 else ''}"
        labels = {"xlabel": "regions replaced", "ylabel": "AOPC minus AOPC of random order", "title": title}
        return Picture(
            "curves",
            lambda: plots.curves(above, **labels),
            "AOPC minus that of the random order over the number of regions replaced",
            "Mean over images, with the standard error as a band. At zero, a map is as good as chance.",
        )


@dataclass(frozen=True)
class Complexity(Evaluator):
    """File sizes of the rendered map, entropy of its histogram, Gini sparseness."""

    name = "complexity"
    columns: ClassVar[dict[str, str]] = {
        "PNG bytes": "lower", "JPEG bytes": "lower", "entropy, bits": "lower", "Gini": "higher",
    }  # fmt: skip
    reading = "Bytes, entropy, Gini: how simple a map is, which says nothing about whether it is right."

    def evaluate(self, subject: Subject) -> Findings:
        """See `Evaluator.evaluate`."""
        maps = spatial_maps(subject.maps, subject.x, subject.channel_axis)
        measures = (png_size, jpeg_size, entropy, gini)
        found = [measure(maps, channels=False) for measure in measures]
        return Findings(dict(zip(self.columns, found, strict=True)))

    def picture(self, found: dict[str, Findings]) -> Picture:
        """Box plots of all methods, as in figure 5 of Samek et al. 2017."""
        values = {c: {label: f.values[c] for label, f in found.items()} for c in self.columns}
        return Picture(
            "complexity",
            lambda: plots.boxes(values, title="How complex are the maps?"),
            "Box plots of the complexity of the maps",
            "A box spans the middle half of the images, its line is the median.",
        )


@dataclass(frozen=True)
class Completeness(Evaluator):
    """How far the sum of a map is from what the method promises; no number where it promises none."""

    name = "completeness"
    columns: ClassVar[dict[str, str]] = {"|gap|": "lower"}
    reading = "|gap|: how far the sum of a map is from what the method promises; none is a dash."

    def evaluate(self, subject: Subject) -> Findings:
        """See `Evaluator.evaluate`."""
        return Findings() if subject.gap is None else Findings({"|gap|": np.abs(subject.gap)})


@dataclass(frozen=True)
class MaxSensitivity(Evaluator):
    """How much a map changes when the input hardly does; no number for maps that were given.

    Args:
        radius, samples: see `innexplain.evaluators.max_sensitivity`.
    """

    name = "max_sensitivity"
    columns: ClassVar[dict[str, str]] = {"max-sensitivity": "lower"}
    reading = "Max-sensitivity: how far noise that hardly changes an image moves its map, over its length."
    radius: float = 0.02
    samples: int = 10

    def __post_init__(self) -> None:
        check_number("radius", self.radius, low=0)
        check_count("samples", self.samples)

    def evaluate(self, subject: Subject) -> Findings:
        """See `Evaluator.evaluate`."""
        if subject.analyzer is None:
            return Findings()
        found = max_sensitivity(
            subject.analyzer,
            subject.x,
            subject.maps,
            radius=self.radius,
            samples=self.samples,
            seed=subject.seed,
            batch_size=subject.batch_size,
            neuron_selection=subject.neuron_selection,
        )
        return Findings({"max-sensitivity": found})


@dataclass(frozen=True)
class Randomisation(Evaluator):
    """How alike the map stays when layers are randomised; no number for maps that were given, or functions.

    Args:
        mode: `"cascading"` (default): when all of them are; `"independent"`: the mean over one at a time.
    """

    name = "randomisation"
    columns: ClassVar[dict[str, str]] = {
        "rank corr., randomised": "lower",
        "SSIM, randomised": "lower",
    }
    reading = (
        "Rank correlation and SSIM, randomised: how alike a map stays when the network's weights are "
        "replaced by noise. What stays alike does not tell what the network has learnt."
    )
    mode: str = "cascading"

    def __post_init__(self) -> None:
        check_choice("mode", self.mode, MODES)

    def evaluate(self, subject: Subject) -> Findings:
        """See `Evaluator.evaluate`."""
        if subject.analyzer is None or not isinstance(subject.model, keras.Model):
            return Findings()
        found = parameter_randomisation(
            subject.model,
            subject.x,
            subject.analyzer,
            mode=self.mode,
            seed=subject.seed,
            neuron_selection=subject.neuron_selection,
            batch_size=subject.batch_size,
            progress=subject.progress,
        )
        columns = zip(self.columns, (found.rank_correlation, found.ssim), strict=True)
        if self.mode == "cascading":
            return Findings({name: values[-1] for name, values in columns})
        return Findings({name: values.mean(axis=0) for name, values in columns})


@dataclass(frozen=True)
class StrongFeatures(Evaluator):
    """Accuracy on whole inputs, with only and without what a map marks as strong; needs labels.

    Args:
        threshold, fill: see `innexplain.evaluators.strong_features`.
    """

    name = "strong_features"
    columns: ClassVar[dict[str, str]] = {"accuracy": "", "only strong": "higher", "without strong": "lower"}
    reading = (
        "Accuracy: on whole images; only strong: with nothing but what a map marks as strong; without "
        "strong: with that replaced."
    )
    threshold: float = 0.5
    fill: Any = 0.0

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold, low=0, high=1)
        if not isinstance(self.fill, Sampler):
            check_values("fill", self.fill)

    def fitted(self, x: np.ndarray, y: np.ndarray | None, channel_axis: int | None) -> StrongFeatures:
        """Itself, if there are labels."""
        if y is None:
            raise ArgumentError(
                "The evaluator 'strong_features' measures accuracy, which needs labels: give y=, one class "
                "index a sample, or leave it out."
            )
        return self

    def evaluate(self, subject: Subject) -> Findings:
        """See `Evaluator.evaluate`."""
        found = strong_features(
            subject.predict,
            subject.x,
            subject.maps,
            subject.y,
            threshold=self.threshold,
            fill=self.fill,
            seed=subject.seed,
            batch_size=subject.batch_size,
            channel_axis=subject.channel_axis,
        )
        columns = (found.full, found.only_strong, found.without_strong)
        return Findings({name: c.astype("float64") for name, c in zip(self.columns, columns, strict=True)})
