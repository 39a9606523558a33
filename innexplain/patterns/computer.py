"""Fit patterns over a data set, in one pass."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from innexplain.arguments import check_choice
from innexplain.errors import ArgumentError, GraphError, InnexplainWarning, InputError, ModelError
from innexplain.files import read_record, write_record
from innexplain.graph.inputs import check_arrays, check_ends, is_dataset
from innexplain.graph.trace import trace
from innexplain.network import Network, Options
from innexplain.numerics import accumulation_dtype
from innexplain.patterns.blocks import blocks_of
from innexplain.patterns.feeding import batches_in
from innexplain.patterns.moments import EVERY, centre_of, merged, of_groups, scale
from innexplain.patterns.patterns import PATTERN_TYPES, Patterns, owners_of
from innexplain.patterns.scaled import Part, ScaledArrays
from innexplain.patterns.sites import PRECISIONS, Site, find_sites, fingerprints
from innexplain.patterns.sums import Sums

_GROUP = {"relu": "positive", "relu.negative": "negative", "linear": "all"}
_KIND = "sums of a fit of patterns, format 4"


class PatternComputer:
    """Fits patterns: what, in the input of each neuron, carries the signal that the neuron reports.

    For a neuron with `y = w^T x + b`, over all samples and positions,

        a+ = (E+[x y] - E+[x] E+[y]) / (w^T E+[x y] - w^T E+[x] E+[y])

    with E+ over those with y > 0 (`"relu"`), likewise a- over the others (`"relu.negative"`), and a over
    all (`"linear"`).  Batch norms are folded in first, so that w is the effective filter; of a
    convolution, x is the receptive field, and zeros that are padded count as zeros.

    Made inside the scope of a `tf.distribute.Strategy`, each replica sums its share of every batch, and
    the sums are brought together when they are read.  A `tf.data.Dataset` is then sharded as the strategy
    does it; of arrays and other iterables, every worker has to be given the same.

    Args:
        model: a Keras model with a graph of layers.
        pattern_type: one of `"relu"`, `"relu.negative"`, `"linear"`, or a list of them.
        mean_y: `"conditional"` takes E+[y] (default: the derivation in the paper), `"all"` the mean over
            all samples (the original code of PatternNet).
        output: of a model with several outputs, the one to be explained.
        precision: of the sums by weight of kernels of more than a million weights; those of others are
            float64. `"compensated"` is float32 and what that leaves out, in 9 bytes a weight: right to 1e-5,
            unless inputs form clusters more than 200 times as far apart as they are wide (with
            `mean_y="all"` 50 times). `"float64"` takes 16 bytes a weight, and more time. Default:
            compensated, and with `mean_y="all"` float64.

    Raises:
        ModelError: the model is none, has no graph, or no layer with a kernel.
        ArgumentError: another argument is out of range.

    Reference: Kindermans et al. 2018, equations 5 to 7.

    Example:
        >>> import keras, numpy
        >>> from innexplain.patterns import PatternComputer
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu")])
        >>> x = numpy.random.default_rng(0).normal(size=(100, 4))
        >>> patterns = PatternComputer(model).fit(x, progress=False)
        >>> w, a = model.layers[0].get_weights()[0], patterns.get(model.layers[0])
        >>> numpy.allclose((w * a).sum(0), 1)
        True
    """

    def __init__(
        self,
        model: Any,
        pattern_type: str | Sequence[str] = "relu",
        mean_y: str = "conditional",
        output: Any = None,
        precision: str | None = None,
    ) -> None:
        types = [pattern_type] if isinstance(pattern_type, str) else list(pattern_type)
        if not types:
            raise ArgumentError(f"pattern_type must be one or several of {PATTERN_TYPES}. Received: none")
        self.pattern_types = tuple(check_choice("pattern_type", t, PATTERN_TYPES) for t in types)
        self.mean_y = check_choice("mean_y", mean_y, ("conditional", "all"))
        usual = "float64" if mean_y == "all" else "compensated"
        self.precision = usual if precision is None else check_choice("precision", precision, PRECISIONS)
        self.model = model
        self.network = Network.of(model, Options(output=output), folded=True)
        self.graph = self.network.graph
        if self.graph.opaque:
            raise GraphError(
                f"Patterns belong to layers, and {self.network.name!r} ({type(model).__name__}) has no graph "
                "of layers to read: it is a subclassed model, or overrides call. Build it with the "
                "functional API or keras.Sequential."
            )
        self._traced = trace(model)
        self._prints = fingerprints(self._traced)
        self.sites: list[Site] = find_sites(self.graph, self.precision)
        if not self.sites:
            raise ModelError(f"{model.name!r} has no layer with a kernel: there is no pattern to fit.")
        self._sums = Sums(self.graph, blocks_of(self.sites), self._groups, mean_y == "all")

    @property
    def _groups(self) -> tuple[str, ...]:
        """The groups to sum over; all outputs are the positive and the negative ones together."""
        wanted = {_GROUP[t] for t in self.pattern_types}
        return tuple(sorted(wanted - {"all"} if len(wanted) == 3 else wanted))

    def fit(self, dataset: Any, progress: bool = True, batch_size: int = 32) -> Patterns:
        """Add a whole data set, and return the patterns.

        Args:
            dataset: a batched `tf.data.Dataset` or any iterable of batches, with or without labels; or an
                array of samples (of several inputs a tuple or dict of arrays).
            progress: whether to show a progress bar.
            batch_size: of an array.

        Interrupted, the sums so far stay in the computer: see `save`, and `partial_fit`.

        Raises:
            InputError: the data do not fit the model, or there are none.
        """
        if is_dataset(dataset) and self._sums.several and not self._embedded:
            check_ends(dataset)
            batches, length = self._sums.distributed(dataset), batches_in(dataset, batch_size)[1]
            add: Any = self._add_shares
        else:
            batches, length = batches_in(dataset, batch_size)
            add = self.partial_fit
        bar = keras.utils.Progbar(length, unit_name="batch")
        count = 0
        for count, batch in enumerate(batches, start=1):
            add(batch)
            if progress:
                bar.update(count, finalize=False)
        if progress and count:
            bar.update(count, finalize=True)
        return self.finalize()

    def partial_fit(self, batch: Any) -> PatternComputer:
        """Add one batch, in the structure of the model's inputs."""
        self._sums.add(self._sums.spread(self.rows(batch)))
        return self

    def rows(self, batch: Any) -> list[np.ndarray]:
        """A batch, checked: one array an entry of the graph."""
        return self.network.rows(self.network.read(batch).arrays)

    def _add_shares(self, batch: Any) -> None:
        """Add a batch that is spread over replicas already; some may have got nothing."""
        for share in self._sums.shares(batch):
            if len(share[0]):
                check_arrays(share, self.graph.entries)
        self._sums.add(batch)

    @property
    def samples(self) -> int:
        """How many samples were added so far."""
        return self._sums.samples

    @property
    def _embedded(self) -> bool:
        """Whether there are entries that the data do not fill themselves."""
        return any(e.embedding is not None for e in self.graph.entries)

    def finalize(self) -> Patterns:
        """The patterns of all that was added so far.

        Raises:
            InputError: nothing was added.
            ModelError: the model's weights changed in the meantime.

        Warns:
            InnexplainWarning: activations of the network are not finite on some sample; layers are named.
        """
        if not self.samples:
            raise InputError("There is nothing to make patterns of: no batch was added. Call fit(dataset).")
        current = fingerprints(self._traced)
        for path, digest in self._prints.items():
            if current[path] != digest:
                raise ModelError(
                    f"The weights of the layer {path!r} have changed since this PatternComputer was made: "
                    "its sums may be of several networks. Make another one when training is over."
                )
        arrays = {site.key: self._scaled(site) for site in self.sites}
        lost = [key for key, found in arrays.items() if not found.is_finite()]
        if lost:
            warnings.warn(
                f"Patterns are NaN in {', '.join(map(repr, lost))}: on some sample, activations of the "
                "network are infinite, NaN, or too large to be summed. Leave such samples out.",
                InnexplainWarning, stacklevel=2,
            )  # fmt: skip
        silent = {key: found.silent() for key, found in arrays.items()}
        return Patterns(arrays, silent, self._prints, owners_of(arrays, self._traced))

    def _scaled(self, site: Site) -> ScaledArrays:
        """The patterns of a site: its sums by weight, which are not copied, and a number a neuron."""
        kernel, _ = self._effective(site)
        parts: dict[str, list[Part]] = {t: [] for t in self.pattern_types}
        for block in self._sums.blocks_of(site):
            own = block.of_kernel(kernel)
            state = self._sums.read(block)
            centre = centre_of(state, block)
            for pattern_type, found in parts.items():
                group, mean = state.get(_GROUP[pattern_type]), None
                if group is None:
                    group = of_groups(state, block, ("positive", "negative"))
                if pattern_type != "linear" and EVERY in state:
                    mean = state[EVERY]["c"]
                found.append(Part(block, group, centre, *scale(group, block, own, centre, mean)))
        return ScaledArrays(parts)

    def weights(self, site: Site) -> tuple[np.ndarray, np.ndarray]:
        """The effective kernel of a site and, by neuron, its bias (at the centre, where it differs)."""
        kernel, bias = self._effective(site)
        if bias is None:
            return np.asarray(kernel, "float64"), np.zeros(site.neurons.count)
        wide = np.moveaxis(np.asarray(bias, "float64"), 1 if site.part.bias_axis == 1 else -1, -1)
        flat = wide.reshape(-1, wide.shape[-1])
        return np.asarray(kernel, "float64"), flat[len(flat) // 2]

    def _effective(self, site: Site) -> tuple[Any, Any]:
        return site.part.weights(self._blank_input(site))

    def _blank_input(self, site: Site) -> Any:
        """Zeros like a site's input; what batch norms do to weights does not depend on its size."""
        dtype = accumulation_dtype(site.part.layer.variable_dtype)
        value = self.graph.values.get(site.calls[0][0].inputs[0])
        if value is None:  # between the parts of a separable convolution, where only the rank counts
            return ops.zeros([1] * len(site.kernel_shape), dtype)
        return ops.zeros([1, *(d or 32 for d in value.shape[1:])], dtype)

    def merge(self, other: PatternComputer) -> PatternComputer:
        """Add what another computer of the same model and settings has summed.

        Raises:
            ArgumentError: it is of another model or has other settings.
        """
        if not isinstance(other, PatternComputer):
            raise ArgumentError(f"merge needs another PatternComputer. Received: {type(other).__name__}")
        theirs = other._notes()
        for name, ours in self._notes().items():
            if theirs[name] != ours:
                raise ArgumentError(
                    "merge needs two computers of one model, with the same settings. Received: one of "
                    f"{other.model.name!r}, whose {name} differ(s): {_differing(theirs[name], ours)}"
                )
        # All are read before any is written: the blocks of a site have one mean input.
        parts = {b.key: [sums.read(b) for sums in (self._sums, other._sums)] for b in self._sums.blocks}
        for block in self._sums.blocks:
            self._sums.write(block, merged(parts.pop(block.key), block))
        self._sums.write_samples(self.samples + other.samples)
        return self

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the sums so far, so that the fit can go on later; `.npz` without pickle."""
        return write_record(path, _KIND, self._notes(), self._sums.flat())

    def load(self, path: str | os.PathLike[str]) -> PatternComputer:
        """Go on from what `save` wrote; what was added to this computer before is dropped.

        Raises:
            UnreadableFileError: the file is missing, damaged, or something else.
            ModelError: it is of another model, other weights or other settings.
        """
        notes, arrays = read_record(path, _KIND)
        for name, ours in self._notes().items():
            if notes[name] != ours:
                raise ModelError(
                    f"{path}: belongs to another fit, whose {name} differ(s): {_differing(notes[name], ours)}"
                )
        self._sums.write_flat(arrays)
        return self

    def _notes(self) -> dict[str, Any]:
        return {
            "layers": dict(self._prints),
            "pattern_type": sorted(self.pattern_types),
            "mean_y": self.mean_y,
            "precision": self.precision,
        }


def _differing(theirs: Any, ours: Any) -> str:
    if not isinstance(ours, dict):
        return f"expected {ours!r}, received {theirs!r}"
    return next((repr(k) for k in {**ours, **theirs} if ours.get(k) != theirs.get(k)), "")
