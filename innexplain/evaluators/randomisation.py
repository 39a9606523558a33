"""Does a map depend on what the network has learnt?  Its weights are replaced by noise, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from innexplain.arguments import check_choice, check_count, check_seed
from innexplain.errors import ModelError
from innexplain.evaluators.held import analyzer_of, hold
from innexplain.evaluators.similarity import rank_correlation, ssim
from innexplain.graph import trace

#: Whether layers stay randomised while those below follow, or only one is at a time.
MODES = ("cascading", "independent")


@dataclass(frozen=True)
class RandomisationResult:
    """How much of the original maps is left with randomised layers, for n samples.

    Args:
        layers: names of the layers, from the output to the input; a name inside a nested model is its
            path, such as `"base/conv5"`.
        rank_correlation: Spearman's correlation with the original map, (layers, n).
        ssim: structural similarity to the original map, (layers, n).
        mode: `"cascading"` or `"independent"`.
    """

    layers: tuple[str, ...]
    rank_correlation: np.ndarray
    ssim: np.ndarray
    mode: str

    @property
    def mean_rank_correlation(self) -> np.ndarray:
        """The mean over the samples, (layers,)."""
        return self.rank_correlation.mean(axis=1)

    @property
    def mean_ssim(self) -> np.ndarray:
        """The mean over the samples, (layers,)."""
        return self.ssim.mean(axis=1)


def parameter_randomisation(
    model: keras.Model,
    x: Any,
    analyzer: Any,
    *,
    mode: str = "cascading",
    seed: int = 0,
    absolute: bool = True,
    neuron_selection: Any = None,
    batch_size: int = 32,
    progress: bool = False,
) -> RandomisationResult:
    """Randomise a network's layers from the output to the input, and compare maps with the original ones.

    A map that stays the same does not tell what the network has learnt.  The neuron that is explained is
    the same throughout: the one that the intact model predicts, unless another is chosen.

    Kernels (two axes and more) are drawn anew from a normal distribution with the trained kernel's mean and
    standard deviation.  Vectors (biases, the statistics and scales of normalisations) are shuffled, so that
    variances stay positive.  The model's own weights come back bit for bit, also after an interruption.

    Args:
        model: a Keras model with one input.  Layers are taken in the order of its graph, each with its own
            weights once; those of a subclassed part in the reverse order in which it made them.
        x: inputs (n, ...), as the model takes them.
        analyzer: the name of an analyzer, or one that was made of this very model.
        mode: `"cascading"` (default): layers stay randomised while those below follow; `"independent"`:
            one layer at a time.
        seed: of the random weights.
        absolute: whether `|R|` is compared (default) or R with its sign; channels are summed before.
        neuron_selection: another neuron than the predicted one: an int, or one int a sample; for an
            analyzer object what its `neuron_selection_mode` takes.
        batch_size: the most rows in one call of the model.
        progress: whether to show a progress bar.

    Returns:
        A `RandomisationResult`.

    Raises:
        ModelError: the model has no weights, or several inputs.
        InputError: x does not fit the model, or the random network overflows on it.
        ArgumentError: another argument is out of range, or the analyzer is of another model.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="out")])
        >>> found = parameter_randomisation(model, np.arange(8.0).reshape(2, 4), "input")
        >>> found.layers, found.mean_rank_correlation.tolist()
        (('out',), [1.0])

    Reference: Adebayo et al. 2018, section 3.
    """
    check_choice("mode", mode, MODES)
    check_seed(seed)
    check_count("batch_size", batch_size)
    made = analyzer_of(model, analyzer)
    layers = _weighted_layers(model, made.network.canonical.exit.slot)
    held = hold(made, x, batch_size, neuron_selection)
    original = held.now()
    bar = keras.utils.Progbar(len(layers), unit_name="layer") if progress else None
    correlations, similarities = [], []
    with _restored([v for _, variables in layers for v in variables]):
        for number, (_, variables) in enumerate(layers):
            with _restored(variables) if mode == "independent" else nullcontext():
                _randomise(variables, np.random.default_rng([seed, number]))
                maps = held.now()
            correlations.append(rank_correlation(original, maps, absolute, channels=False))
            similarities.append(ssim(original, maps, absolute, channels=False))
            if bar:
                bar.add(1)
    names = tuple(name for name, _ in layers)
    return RandomisationResult(names, np.stack(correlations), np.stack(similarities), mode)


Named = tuple[str, list[Any]]


def _weighted_layers(model: keras.Model, slot: int) -> list[Named]:
    """Layers above the explained output's inputs with the weights that no layer before them has."""
    graph = trace(model)
    steps = graph.steps if graph.opaque else graph.ancestors(slot).steps
    seen: set[int] = set()
    found = [named for step in reversed(steps) for named in _own(step.operation, step.path, seen)]
    if not found:
        raise ModelError(f"The model {model.name!r} has no weights to randomise.")
    return found


def _own(operation: Any, path: tuple[str, ...], seen: set[int]) -> Iterator[Named]:
    """An operation's weights that were not seen yet; of a subclassed model, layer by layer."""
    if isinstance(operation, keras.Model):
        for layer in reversed(operation.layers):
            yield from _own(layer, (*path, layer.name), seen)
    fresh = [v for v in getattr(operation, "weights", ()) if id(v) not in seen]
    seen.update(map(id, fresh))
    if fresh:
        yield "/".join(path), fresh


def _randomise(variables: Sequence[Any], rng: np.random.Generator) -> None:
    for variable in variables:
        values = np.array(keras.ops.convert_to_numpy(variable))
        # Those of rank 2 and more that must stay positive, or whole numbers, are shuffled as vectors are.
        drawn = values.ndim > 1 and "float" in variable.dtype and not variable.name.endswith("variance")
        if drawn:
            wide = values.astype("float64")
            fresh = rng.normal(wide.mean(), wide.std(), wide.shape)
        else:
            fresh = rng.permutation(values.ravel()).reshape(values.shape)
        variable.assign(fresh.astype(values.dtype))


@contextmanager
def _restored(variables: Sequence[Any]) -> Iterator[None]:
    """Put the values of variables back at the end, whatever ends it."""
    saved = [np.array(keras.ops.convert_to_numpy(v)) for v in variables]
    try:
        yield
    finally:
        for variable, values in zip(variables, saved, strict=True):
            variable.assign(values)
