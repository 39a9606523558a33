"""How good a signal estimator is: whether anything about a neuron's output is left in the distractor."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from innexplain.arguments import check_choice, check_count, check_seed
from innexplain.console import table_lines
from innexplain.errors import ArgumentError, InnexplainWarning, InputError
from innexplain.patterns.computer import PatternComputer
from innexplain.patterns.estimators import ESTIMATORS, Weights, directions
from innexplain.patterns.feeding import batches_in
from innexplain.patterns.patterns import Patterns
from innexplain.patterns.regression import unexplained
from innexplain.patterns.sites import Site

_LEFT_OUT = "not measured: its neurons look at different inputs, or its kernel numbers them otherwise"
_FIELDS_AN_INPUT, _FIELDS_MORE = 2, 10  # receptive fields that each half has to have
QUALITY_ESTIMATORS = ("random", "S_w", "S_a", "S_a+-")


@dataclass(frozen=True)
class QualityResult:
    """rho of every estimator in every layer.

    Args:
        layers: the layers, from input to output.
        rho: by estimator, a list of arrays, one a layer, one number a neuron that was looked at; NaN where
            there were too few receptive fields to judge a layer.
        left_out: layers that were not measured, and why.
    """

    layers: tuple[str, ...]
    rho: dict[str, list[np.ndarray]]
    left_out: dict[str, str]

    def means(self) -> dict[str, np.ndarray]:
        """The mean over neurons, (layers,), by estimator."""
        return {name: np.array([r.mean() for r in found]) for name, found in self.rho.items()}

    def __str__(self) -> str:
        means = self.means().values()
        rows = [[layer, *(f"{m[i]:.3f}" for m in means)] for i, layer in enumerate(self.layers)]
        lines = table_lines(["layer", *self.rho], rows)
        return "\n".join([*lines, *(f"{k}: {v}" for k, v in self.left_out.items())])


def quality(
    model: Any,
    dataset: Any,
    patterns: Patterns,
    estimators: Sequence[str] = QUALITY_ESTIMATORS,
    *,
    samples: int = 4000,
    neurons: int = 32,
    seed: int = 0,
    batch_size: int = 32,
) -> QualityResult:
    """rho(S) of signal estimators, layer by layer, on data that the patterns were not fitted on.

        rho(S) = 1 - max_v corr[v^T d, y],   d = x - S(x)

    1: nothing that is left tells about the neuron's output.  v is found by least squares on one half of the
    samples, by conjugate gradients, which need no covariance matrix; the correlation is that of the other
    half.  The identity estimator leaves no d, so that its rho is not defined.

    Least squares through fewer receptive fields than a neuron has inputs fits anything, and tells nothing of
    the other half: rho would be near 1 for every estimator.  A layer needs `2 (2 inputs + 10)` of them, else
    its rho is NaN; with few more than that, rho is still too high, and several times as many are better.
    Dense layers have one receptive field a sample, convolutions one a position.

    Args:
        model: the model that the patterns belong to.
        dataset: held-out data, as for `PatternComputer.fit`.
        patterns: fitted; with the types that the estimators need.
        estimators: of `"random"` (the floor), `"S_w"`, `"S_a"`, `"S_a+-"`.
        samples: how many receptive fields of a layer are looked at, at random places.
        neurons: how many neurons of a layer, at random; all where there are fewer.
        seed: of these choices.
        batch_size: of an array.

    Raises:
        ArgumentError: an argument is out of range, or a type of patterns was not fitted.
        InputError: the data do not fit the model, or are too few for every layer.

    Warns:
        InnexplainWarning: the data are too few for some layers, which are named.

    Reference: Kindermans et al. 2018, section 4, equation 2 and figure 4.
    """
    names = [check_choice("estimators", e, QUALITY_ESTIMATORS) for e in estimators]
    _check_types(names, patterns)
    check_count("samples", samples, 10)
    check_count("neurons", neurons)
    rng = np.random.default_rng(check_seed(seed))
    computer = PatternComputer(model)
    measured = [s for s in computer.sites if _is_plain(s)]
    left_out = {s.key: _LEFT_OUT for s in computer.sites if not _is_plain(s)}
    fields = _receptive_fields(computer, measured, dataset, samples, batch_size, rng)
    scarce = [field.is_scarce for field in fields]
    if any(scarce):
        text = _scarcity(measured, fields, samples)
        if all(scarce):
            raise InputError(f"rho can be judged in no layer: {text}")
        warnings.warn(f"rho is NaN, since it cannot be judged, in {text}", InnexplainWarning, stacklevel=2)
    rho: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for site, field in zip(measured, fields, strict=True):
        chosen = _weights(computer, site, patterns, neurons, rng)
        for name in names:
            rho[name].append(_rho(field, chosen, name, seed))
    return QualityResult(tuple(s.key for s in measured), rho, left_out)


def _check_types(names: Sequence[str], patterns: Patterns) -> None:
    for name in names:
        missing = [t for t in ESTIMATORS.get(name, ()) if t not in patterns.pattern_types]
        if missing:
            raise ArgumentError(
                f"The estimator {name!r} needs patterns of the type {missing[0]!r}; those given have "
                f"{', '.join(patterns.pattern_types)}. Fit with PatternComputer(model, pattern_type=[...])."
            )


def _is_plain(site: Site) -> bool:
    """Whether all neurons of a layer look at the same inputs, and receptive fields can be cut out."""
    part = site.part
    grouped = part.in_axes is None
    return part.out_axes == (len(site.kernel_shape) - 1,) and not grouped


@dataclass(frozen=True)
class _Fields:
    """The receptive fields of a site.

    Args:
        x: (fields, inputs).
        seen: how many samples they were taken from.
        places: how many there are in each sample.
    """

    x: np.ndarray
    seen: int
    places: int

    @property
    def needed(self) -> int:
        """How many it takes: in each half enough that least squares cannot fit anything whatever."""
        return 2 * (_FIELDS_AN_INPUT * self.x.shape[1] + _FIELDS_MORE)

    @property
    def is_scarce(self) -> bool:
        return len(self.x) < self.needed

    def samples_missing(self, kept: int) -> int:
        """How many more samples it takes, where at most `kept` receptive fields are looked at."""
        if kept < self.needed:
            return max(0, -(-self.needed // self.places) - self.seen)
        return -(-(self.needed - len(self.x)) // self.places)


def _scarcity(sites: list[Site], fields: list[_Fields], samples: int) -> str:
    """Which layers have too few receptive fields, and what to give."""
    few = [(site, field) for site, field in zip(sites, fields, strict=True) if field.is_scarce]
    layers = ", ".join(
        f"{s.key!r} ({f.x.shape[1]} inputs): {len(f.x)} of {f.needed} receptive fields" for s, f in few
    )
    missing = max(field.samples_missing(samples) for _, field in few)
    needed = max(field.needed for _, field in few)
    ways = [f"at least {missing} more samples"] if missing else []
    ways += [f"samples={needed}"] if samples < needed else []
    return f"{layers}. Least squares through fewer fits anything. Give {' and '.join(ways)}."


def _rho(field: _Fields, neurons: Weights, estimator: str, seed: int) -> np.ndarray:
    if field.is_scarce:
        return np.full(neurons.w.shape[1], np.nan)
    above, below = directions(estimator, neurons, seed)
    half = len(field.x) // 2
    return 1 - unexplained(field.x[:half], field.x[half:], neurons, above, below)


def _receptive_fields(
    computer: PatternComputer, sites: list[Site], dataset: Any, samples: int, batch_size: int, rng: Any
) -> list[_Fields]:
    """For every site receptive fields, taken evenly over the batches."""
    batches, length = batches_in(dataset, batch_size)
    if length is None:  # it has to be known, so that every batch gives its share
        batches = list(batches)
        length = len(batches)
    most = max(1, -(-samples // max(length, 1)))
    slots = [site.calls[0][0].inputs[0] for site in sites]
    kept: list[list[np.ndarray]] = [[] for _ in sites]
    places, seen = [0] * len(sites), 0
    for rows in map(computer.rows, batches):
        seen += len(rows[0])
        inputs = computer.network.values(rows, slots, len(rows[0]))
        for i, (site, x) in enumerate(zip(sites, inputs, strict=True)):
            part, places[i] = _cut(site, x, most, rng)
            kept[i].append(part)
    if not all(kept):
        raise InputError("The dataset is empty: there is nothing to measure on.")
    found = (np.concatenate(parts)[:samples].astype("float64") for parts in kept)
    return [_Fields(x, seen, p) for x, p in zip(found, places, strict=True)]


def _cut(site: Site, x: np.ndarray, most: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Up to `most` receptive fields of a batch, at places drawn anew for each image; and how many it has."""
    if len(site.kernel_shape) == 2:
        flat = x.reshape(-1, x.shape[-1])
        return flat[rng.permutation(len(flat))[:most]], len(flat) // len(x)
    shape = site.kernel_shape[:-1]
    size = int(np.prod(shape))
    # Convolved with a kernel that copies, an image becomes its receptive fields.
    copying = ops.convert_to_tensor(np.eye(size, dtype=x.dtype).reshape(*shape, size))
    parts, each = [], max(1, -(-most // len(x)))
    for image in x:
        fields = ops.convert_to_numpy(site.part.apply(ops.convert_to_tensor(image[None]), copying))
        axis = 1 if site.part.bias_axis == 1 else -1
        flat = np.moveaxis(fields, axis, -1).reshape(-1, size)
        parts.append(flat[rng.permutation(len(flat))[:each]])
    return np.concatenate(parts)[:most], len(flat)


def _weights(
    computer: PatternComputer, site: Site, patterns: Patterns, neurons: int, rng: np.random.Generator
) -> Weights:
    kernel, bias = computer.weights(site)
    chosen = np.sort(rng.permutation(kernel.shape[-1])[:neurons])

    def columns(array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, array.shape[-1])[:, chosen]

    found = {t: columns(patterns.of_site(site.key, t)) for t in patterns.pattern_types}
    return Weights(columns(kernel), bias[chosen], found)
