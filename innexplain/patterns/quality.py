"""How good a signal estimator is: whether anything about a neuron's output is left in the distractor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from innexplain.arguments import check_choice, check_count, check_seed
from innexplain.errors import ArgumentError, InputError
from innexplain.numerics import compiled_rows, widen
from innexplain.patterns.computer import PatternComputer
from innexplain.patterns.estimators import ESTIMATORS, Weights, directions
from innexplain.patterns.feeding import batches_in
from innexplain.patterns.patterns import Patterns
from innexplain.patterns.regression import unexplained
from innexplain.patterns.sites import Site

__all__ = ["QUALITY_ESTIMATORS", "QualityResult", "quality"]

_LEFT_OUT = "not measured: its neurons look at different inputs, or its kernel numbers them otherwise"
QUALITY_ESTIMATORS = ("random", "S_w", "S_a", "S_a+-")


@dataclass(frozen=True)
class QualityResult:
    """rho of every estimator in every layer.

    Args:
        layers: the layers, from input to output.
        rho: by estimator, a list of arrays, one a layer, one number a neuron that was looked at.
        left_out: layers that were not measured, and why.
    """

    layers: tuple[str, ...]
    rho: dict[str, list[np.ndarray]]
    left_out: dict[str, str]

    def means(self) -> dict[str, np.ndarray]:
        """The mean over neurons, (layers,), by estimator."""
        return {name: np.array([r.mean() for r in found]) for name, found in self.rho.items()}

    def __str__(self) -> str:
        header = f"{'layer':40}" + "".join(f"{name:>10}" for name in self.rho)
        means = self.means()
        rows = [
            f"{layer:40}" + "".join(f"{means[name][i]:>10.3f}" for name in self.rho)
            for i, layer in enumerate(self.layers)
        ]
        return "\n".join([header, *rows, *(f"{k}: {v}" for k, v in self.left_out.items())])


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
        InputError: the data do not fit the model.

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
    rho: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for site, x in zip(measured, fields, strict=True):
        chosen = _weights(computer, site, patterns, neurons, rng)
        half = len(x) // 2
        for name in names:
            above, below = directions(name, chosen, seed)
            rho[name].append(1 - unexplained(x[:half], x[half:], chosen, above, below))
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


def _receptive_fields(
    computer: PatternComputer, sites: list[Site], dataset: Any, samples: int, batch_size: int, rng: Any
) -> list[np.ndarray]:
    """For every site receptive fields (samples, inputs), taken evenly over the batches."""
    batches, length = batches_in(dataset, batch_size)
    if length is None:  # it has to be known, so that every batch gives its share
        batches = list(batches)
        length = len(batches)
    most = max(1, -(-samples // max(length, 1)))
    run = compiled_rows(lambda *rows: _inputs_of(computer, sites, rows))
    kept: list[list[np.ndarray]] = [[] for _ in sites]
    for rows in map(computer.rows, batches):
        for i, (site, x) in enumerate(zip(sites, run(rows), strict=True)):
            kept[i].append(_cut(site, x, most, rng))
    if not all(kept):
        raise InputError("The dataset is empty: there is nothing to measure on.")
    return [np.concatenate(parts)[:samples].astype("float64") for parts in kept]


def _inputs_of(computer: PatternComputer, sites: list[Site], rows: Sequence[Any]) -> list[Any]:
    graph = computer.graph
    with keras.StatelessScope():
        values = {e.slot: v for e, v in zip(graph.entries, rows, strict=True)}
        for step in graph.steps:
            outputs = step.function(*[values[slot] for slot in step.inputs])
            values.update(zip(step.outputs, outputs, strict=True))
    return [widen(values[site.calls[0][0].inputs[0]]) for site in sites]


def _cut(site: Site, x: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Up to `most` receptive fields of a batch, one position of an image each time."""
    if len(site.kernel_shape) == 2:
        flat = x.reshape(-1, x.shape[-1])
        return flat[rng.permutation(len(flat))[:most]]
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
    return np.concatenate(parts)[:most]


def _weights(
    computer: PatternComputer, site: Site, patterns: Patterns, neurons: int, rng: np.random.Generator
) -> Weights:
    kernel, bias = computer.weights(site)
    chosen = np.sort(rng.permutation(kernel.shape[-1])[:neurons])

    def columns(array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, array.shape[-1])[:, chosen]

    found = {t: columns(patterns.of_site(site.key, t)) for t in patterns.pattern_types}
    return Weights(columns(kernel), bias[chosen], found)
