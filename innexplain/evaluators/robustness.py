"""Is a map steady under small noise, and does it sum to what its method promises?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from innexplain.analyzers import Analyzer
from innexplain.arguments import check_count, check_number, check_seed
from innexplain.errors import ArgumentError, InputError
from innexplain.evaluators.arrays import check_inputs
from innexplain.evaluators.held import hold
from innexplain.graph.inputs import batches_of, is_dataset
from innexplain.network import chunks
from innexplain.randomness import sample_rng

_PURPOSE = 2  # of the random numbers: not those of region perturbation

Explain = Callable[[np.ndarray, np.ndarray], np.ndarray]


def max_sensitivity(
    explain: Any,
    x: Any,
    attributions: Any = None,
    *,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
    batch_size: int = 32,
    norm: Any = 2,
    neuron_selection: Any = None,
) -> np.ndarray:
    """How far small noise on the input moves the map: `max_e || A(x + e) - A(x) || / || A(x) ||`.

    Every value of e is uniform in `[-radius, radius]` times the range (max - min) of the sample.  The noise
    depends on the seed and the sample, not on the batch.  An analyzer explains the neuron of the sample
    itself in all its copies.

    Args:
        explain: an analyzer, or any function from inputs (rows, ...) to attributions (rows, ...).
        x: inputs (n, ...); whole numbers are taken as float32.
        attributions: `A(x)`, where it is known already; default: it is computed.
        radius: of the noise, as a fraction of the sample's range; default 0.02.
        samples: how many noisy copies of each input are tried, default 10.
        seed: of the noise.
        batch_size: the most rows in one call of `explain`.
        norm: 1, 2 (default) or `numpy.inf`, over all values of a map.
        neuron_selection: of an analyzer, as `analyze` takes it; default: the predicted neuron.

    Returns:
        float64 array (n,).  A map of zeros gives 0 if it stays so, else infinity.

    Raises:
        InputError: x or the attributions are no finite arrays that fit.
        ArgumentError: another argument is out of range.

    Example:
        >>> import numpy as np
        >>> x = np.array([[0.0, 1.0]])
        >>> max_sensitivity(lambda x: np.ones_like(x), x).tolist()
        [0.0]

    Reference: Yeh et al. 2019, definition 1.
    """
    x = check_inputs(x)
    x = x if x.dtype.kind == "f" else x.astype("float32")
    check_number("radius", radius, low=0)
    check_count("samples", samples)
    check_seed(seed)
    check_count("batch_size", batch_size)
    if norm not in (1, 2, np.inf):
        raise ArgumentError(f"norm must be 1, 2 or numpy.inf. Received: norm={norm!r}")
    maps_of = _explainer(explain, x, batch_size, neuron_selection)
    original = _original(attributions, maps_of, x, batch_size)
    largest = np.zeros(len(x))
    for part in chunks(len(x) * samples, batch_size):
        rows, numbers = np.divmod(np.arange(part.start, part.stop), samples)
        noisy = np.stack([_noisy(x, i, k, radius, seed) for i, k in zip(rows, numbers, strict=True)])
        maps = maps_of(noisy, rows)
        if maps.shape[1:] != original.shape[1:]:
            raise InputError(
                "attributions must be those that explain gives, one map a sample of shape "
                f"{maps.shape[1:]}. Received: {original.shape}"
            )
        distances = np.linalg.norm(_flat(maps) - _flat(original[rows]), norm, axis=1)
        np.maximum.at(largest, rows, distances)
    lengths = np.linalg.norm(_flat(original), norm, axis=1)
    without = np.where(largest == 0, 0.0, np.inf)
    return np.divide(largest, lengths, out=without, where=lengths > 0)


def completeness_gap(
    analyzer: Analyzer, x: Any, batch_size: int = 32, *, neuron_selection: Any = None
) -> np.ndarray:
    """What is missing from the sum that a method promises, sample by sample: `promised - sum R`.

    LRP methods promise the explained score, path methods its difference to the baseline's.

    Args:
        analyzer: one whose method makes such a promise.
        x: inputs as `analyze` takes them, or a batched `tf.data.Dataset`, which is read batch by batch
            and of which only the gaps are kept.
        batch_size: the most rows in one call of the model.
        neuron_selection: as `analyze` takes it; for a data set one that holds for all samples.

    Returns:
        Array (n,), in the units of the score.

    Raises:
        ArgumentError: the method promises no sum, or an argument is out of range.
        InputError: x does not fit the model, or is empty.

    Example:
        >>> import keras, numpy as np, innexplain
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh")])
        >>> analyzer = innexplain.create_analyzer("integrated_gradients", model)
        >>> bool(np.abs(completeness_gap(analyzer, np.arange(8.0).reshape(2, 4))).max() < 1e-3)
        True

    Reference: Sundararajan et al. 2017, proposition 1; Bach et al. 2015, equation 2.
    """
    if not isinstance(analyzer, Analyzer):
        raise ArgumentError(
            f"analyzer must be one that create_analyzer made. Received: {type(analyzer).__name__}"
        )
    gaps = []
    for batch in batches_of(x) if is_dataset(x) else [x]:
        _, info = analyzer.analyze(batch, neuron_selection, batch_size=batch_size, return_info=True)
        if info["gap"] is None:
            raise ArgumentError(
                f"{analyzer.name} promises no sum, so there is no gap to tell. Use a method that does, such "
                "as integrated_gradients or one of lrp.*."
            )
        gaps.append(info["gap"])
    if not gaps:
        raise InputError("The dataset is empty: there is no sample to explain.")
    return np.concatenate(gaps)


def _explainer(explain: Any, x: np.ndarray, batch_size: int, neuron_selection: Any) -> Explain:
    """A function from inputs, and the sample that each is made of, to maps."""
    if isinstance(explain, Analyzer):
        return hold(explain, x, batch_size, neuron_selection).maps
    if not callable(explain):
        raise ArgumentError(
            "explain must be an analyzer, or a function from inputs to attributions. "
            f"Received: explain={explain!r}"
        )
    if neuron_selection is not None:
        raise ArgumentError(
            "neuron_selection is for analyzers; a function chooses itself what it explains. "
            f"Received: neuron_selection={neuron_selection!r}"
        )
    return lambda rows, samples: _checked(explain(rows), len(rows))


def _original(attributions: Any, maps_of: Explain, x: np.ndarray, batch_size: int) -> np.ndarray:
    if attributions is not None:
        return _checked(attributions, len(x))
    parts = [maps_of(x[part].copy(), np.arange(len(x))[part]) for part in chunks(len(x), batch_size)]
    return np.concatenate(parts)


def _checked(maps: Any, n: int) -> np.ndarray:
    array = check_inputs(maps, "attributions")
    if len(array) != n:
        raise InputError(f"attributions must be {n} maps, one a sample. Received: shape {array.shape}")
    return array


def _noisy(x: np.ndarray, sample: int, number: int, radius: float, seed: int) -> np.ndarray:
    rng = sample_rng(seed, [x], sample, number, _PURPOSE)
    row = x[sample]
    return (row + radius * np.ptp(row) * rng.uniform(-1, 1, row.shape)).astype(x.dtype)


def _flat(maps: np.ndarray) -> np.ndarray:
    return maps.reshape(len(maps), -1).astype("float64")
