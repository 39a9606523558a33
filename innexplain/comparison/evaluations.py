"""Evaluators as settings: what `compare` runs on the maps of every analyzer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from innexplain.errors import ArgumentError, UnknownNameError, nearest
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
from innexplain.evaluators.perturbation import PerturbationResult
from innexplain.regions import spatial_shape
from innexplain.samplers import Sampler

__all__ = [
    "Completeness",
    "Complexity",
    "Evaluator",
    "Findings",
    "MaxSensitivity",
    "Randomisation",
    "RegionPerturbation",
    "StrongFeatures",
    "Subject",
    "make_evaluators",
]  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """The maps of one analyzer, with all that an evaluator may ask for.

    Args:
        model: the model, or the predict function.
        x: the inputs (n, ...).
        maps: the attributions.
        analyzer: the analyzer; `None` where only its maps are known.
        gap: score minus promised sum (n,), where the analyzer promises one.
        target: the explained class of each sample (n,), or `None` where it is not known.
        y: true labels, if given.
        seed: of everything random.
        batch_size: the most rows in one call of the model.
        progress: whether to show a progress bar.
        baseline: earlier findings of the same evaluator, for what does not depend on the maps.
        channel_axis: of one sample, -1 or 0.
    """

    model: Any
    x: np.ndarray
    maps: np.ndarray
    analyzer: Any = None
    gap: np.ndarray | None = None
    target: np.ndarray | None = None
    y: np.ndarray | None = None
    seed: int = 0
    batch_size: int = 32
    progress: bool = False
    baseline: Findings | None = None
    channel_axis: int = -1


@dataclass(frozen=True)
class Findings:
    """What an evaluator found: arrays by name, a number an image (n,) or a curve an image (n, L + 1)."""

    values: dict[str, np.ndarray] = field(default_factory=dict)
    curves: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluator(ABC):
    """One way to judge maps, with its settings; frozen, so that equal settings give equal results."""

    #: How `compare` and the command line call it.
    name: ClassVar[str] = ""
    #: Its columns, each with "higher", "lower" or "" for what is better.
    columns: ClassVar[dict[str, str]] = {}

    def fitted(self, x: np.ndarray, y: np.ndarray | None, channel_axis: int) -> Evaluator:
        """The evaluator with settings that depend on the data filled in."""
        return self

    @abstractmethod
    def evaluate(self, subject: Subject) -> Findings:
        """Judge the maps of one analyzer."""


@dataclass(frozen=True)
class RegionPerturbation(Evaluator):
    """AOPC, see `innexplain.evaluators.region_perturbation`; the random order is computed only once.

    Args:
        region_size: edge of a region; `None` for 9 in inputs of 100 pixels and more, and about a tenth
            of the shorter side in smaller ones.
        steps, order, sampler, repeats: as there.
    """

    name = "region_perturbation"
    columns: ClassVar[dict[str, str]] = {"AOPC": "higher", "AOPC - random": "higher"}
    region_size: Any = None
    steps: int | None = None
    order: str = "morf"
    sampler: Sampler | None = None
    repeats: int = 10

    def fitted(self, x: np.ndarray, y: np.ndarray | None, channel_axis: int) -> RegionPerturbation:
        """With a region size that suits the inputs."""
        if self.region_size is not None:
            return self
        shortest = min(spatial_shape(x.shape[1:], channel_axis))
        return replace(self, region_size=9 if shortest >= 100 else max(1, round(shortest / 10)))

    def evaluate(self, subject: Subject) -> Findings:
        """See `Evaluator.evaluate`."""
        earlier = None
        if subject.baseline is not None:
            random = subject.baseline.curves["random"]
            earlier = PerturbationResult(random, random, "random")
        found = region_perturbation(
            subject.model,
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
            {"scores": found.scores, "random": found.random_scores, "AOPC - random": above},
        )


@dataclass(frozen=True)
class Complexity(Evaluator):
    """File sizes of the rendered map, entropy of its histogram, Gini sparseness."""

    name = "complexity"
    columns: ClassVar[dict[str, str]] = {
        "PNG bytes": "lower", "JPEG bytes": "lower", "entropy, bits": "lower", "Gini": "higher",
    }  # fmt: skip

    def evaluate(self, subject: Subject) -> Findings:
        """See `Evaluator.evaluate`."""
        maps = spatial_maps(subject.maps, subject.x, subject.channel_axis)
        found = (
            png_size(maps, channels=False),
            jpeg_size(maps, channels=False),
            entropy(maps, channels=False),
            gini(maps, channels=False),
        )
        return Findings(dict(zip(self.columns, found, strict=True)))


@dataclass(frozen=True)
class Completeness(Evaluator):
    """How far the sum of a map is from what the method promises; no number where it promises none."""

    name = "completeness"
    columns: ClassVar[dict[str, str]] = {"|gap|": "lower"}

    def evaluate(self, subject: Subject) -> Findings:
        """See `Evaluator.evaluate`."""
        return Findings() if subject.gap is None else Findings({"|gap|": np.abs(subject.gap)})


@dataclass(frozen=True)
class MaxSensitivity(Evaluator):
    """How much a map changes when the input hardly does.

    Args:
        radius, samples: see `innexplain.evaluators.max_sensitivity`.
    """

    name = "max_sensitivity"
    columns: ClassVar[dict[str, str]] = {"max-sensitivity": "lower"}
    radius: float = 0.02
    samples: int = 10

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
        )
        return Findings({"max-sensitivity": found})


@dataclass(frozen=True)
class Randomisation(Evaluator):
    """How alike the map stays when all layers are randomised: what depends on the model does not stay.

    Args:
        mode: `"cascading"` (default) or `"independent"`.
    """

    name = "randomisation"
    columns: ClassVar[dict[str, str]] = {
        "rank corr., randomised": "lower",
        "SSIM, randomised": "lower",
    }
    mode: str = "cascading"

    def evaluate(self, subject: Subject) -> Findings:
        """See `Evaluator.evaluate`."""
        if subject.analyzer is None:
            return Findings()
        found = parameter_randomisation(
            subject.model,
            subject.x,
            subject.analyzer,
            mode=self.mode,
            seed=subject.seed,
            batch_size=subject.batch_size,
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
    threshold: float = 0.5
    fill: Any = 0.0

    def fitted(self, x: np.ndarray, y: np.ndarray | None, channel_axis: int) -> StrongFeatures:
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
            subject.model,
            subject.x,
            subject.maps,
            subject.y,
            threshold=self.threshold,
            fill=self.fill,
            batch_size=subject.batch_size,
            channel_axis=subject.channel_axis,
        )
        columns = (found.full, found.only_strong, found.without_strong)
        return Findings({name: c.astype("float64") for name, c in zip(self.columns, columns, strict=True)})


_KINDS: dict[str, type[Evaluator]] = {
    kind.name: kind
    for kind in (RegionPerturbation, Complexity, Completeness, MaxSensitivity, Randomisation, StrongFeatures)
}


def make_evaluators(
    given: Any, x: np.ndarray, y: np.ndarray | None, channel_axis: int
) -> tuple[Evaluator, ...]:
    """Evaluators from names or instances, fitted to the data.

    Raises:
        UnknownNameError: no evaluator has such a name.
        ArgumentError: there is none, or two of one kind.
    """
    if given is None:
        given = ("region_perturbation", "complexity", "completeness")
    if isinstance(given, (str, Evaluator)):
        given = [given]
    made = [_make(item) for item in given]
    names = [e.name for e in made]
    if not made or len(set(names)) < len(names):
        raise ArgumentError(f"evaluators must be a list of different ones. Received: {names}")
    return tuple(e.fitted(x, y, channel_axis) for e in made)


def _make(item: Any) -> Evaluator:
    if isinstance(item, Evaluator):
        return item
    if not isinstance(item, str) or item not in _KINDS:
        raise UnknownNameError(
            f"There is no evaluator {item!r}.{nearest(item, _KINDS)} Expected one of "
            f"{', '.join(_KINDS)}, or an instance of a class of innexplain.comparison."
        )
    return _KINDS[item]()
