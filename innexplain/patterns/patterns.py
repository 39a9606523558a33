"""Fitted patterns: looked up by layer, saved and loaded with a fingerprint of their model."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from innexplain.console import table_lines
from innexplain.errors import AddressError, ArgumentError, ModelError, nearest
from innexplain.files import read_record, write_record
from innexplain.graph.step import Graph
from innexplain.graph.trace import trace
from innexplain.patterns.sites import fingerprints

#: a+ (outputs above zero), a- (the others), a (all outputs).
PATTERN_TYPES = ("relu", "relu.negative", "linear")
_KIND = "patterns"


@dataclass(frozen=True, eq=False)
class Patterns:
    """The patterns of a model's layers, each of the kernel's shape; float32, or float64 of float64 layers.

    Args:
        arrays: by site (path and part, as text), then by pattern type.  Fresh from a fit, they share the
            memory of its sums, and an array is made anew whenever it is asked for.
        silent: how many neurons of a site have the pattern zero, by site and pattern type: they never
            fired, or gave one value only.
        prints: digests of the weights of the model's layers, by path.
        owners: weak references to the layers, by site, so that they can be looked up as objects.
    """

    arrays: Mapping[str, Mapping[str, np.ndarray]]
    silent: Mapping[str, Mapping[str, int]]
    prints: Mapping[str, str]
    owners: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """The paths of the layers, in the order in which they run."""
        return iter(dict.fromkeys(_path(key) for key in self.arrays))

    def __len__(self) -> int:
        return len(dict.fromkeys(_path(key) for key in self.arrays))

    @property
    def pattern_types(self) -> tuple[str, ...]:
        """Which types were fitted."""
        return tuple(next(iter(self.arrays.values()), {}))

    def get(self, layer: Any, pattern_type: str = "relu", part: str | None = None) -> np.ndarray:
        """The pattern of one layer, in its kernel's shape.

        Args:
            layer: a layer object, its name, or a path tuple such as `("base", "conv5")`.
            pattern_type: `"relu"` (a+, default), `"relu.negative"` (a-) or `"linear"` (a).
            part: `"depthwise"` or `"pointwise"`, of a separable convolution.

        Raises:
            AddressError: no layer, or several, answer to the address.
            ArgumentError: such patterns were not fitted.
        """
        return self.of_site(self._key(layer, part), pattern_type)

    def of_site(self, key: str, pattern_type: str) -> np.ndarray:
        """The pattern of a site, by its key."""
        if key not in self.arrays:
            raise ModelError(
                f"The layer {key!r} has no pattern: they were fitted for another output. Fit them with "
                "PatternComputer(model, output=...)."
            )
        found = self.arrays[key]
        if pattern_type not in found:
            raise ArgumentError(
                f"pattern_type must be one of the types that were fitted, {', '.join(map(repr, found))}. "
                f"Received: pattern_type={pattern_type!r}. Fit with "
                f"PatternComputer(model, pattern_type=[..., {pattern_type!r}])."
            )
        return found[pattern_type]

    def _key(self, layer: Any, part: str | None) -> str:
        own = f" [{part}]" if part else ""
        fitting = [k for k in self.arrays if self._answers(k, layer) and k.endswith(own)]
        if len(fitting) != 1:
            name = getattr(layer, "name", layer)
            known = [_path(k)[-1] for k in self.arrays]
            raise AddressError(
                f"{'No layer' if not fitting else 'More than one layer'} with patterns answers to {layer!r}. "
                "Expected a layer with a kernel, its name, or a path tuple such as ('base', 'conv5'), and "
                "part='depthwise' or 'pointwise' for a separable convolution."
                + (f" Found: {fitting}" if fitting else nearest(name, known))
            )
        return fitting[0]

    def _answers(self, key: str, layer: Any) -> bool:
        """Whether a site belongs to a layer, a name or a path."""
        if isinstance(layer, tuple):
            return _path(key) == layer
        if isinstance(layer, str):
            return _path(key)[-1] == layer
        if key in self.owners:
            return self.owners[key]() is layer
        return _path(key)[-1] == getattr(layer, "name", None)  # patterns put together by hand

    def report(self) -> str:
        """A table: layers, neurons, and how many of them have the pattern zero."""
        types = self.pattern_types
        rows = [[key, *(str(found[t]) for t in types)] for key, found in self.silent.items()]
        return "\n".join(table_lines(["layer", *(f"{t}: zero" for t in types)], rows))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file, `.npz` without pickle; see `load`.

        Raises:
            OutputPathError: it cannot be written.
        """
        notes = {"silent": {k: dict(v) for k, v in self.silent.items()}, "prints": dict(self.prints)}
        arrays = {f"{k}|{t}": a for k, found in self.arrays.items() for t, a in found.items()}
        return write_record(path, _KIND, notes, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: Any) -> Patterns:
        """Read what `save` wrote.

        Args:
            path: the file.
            model: the model that the patterns were fitted for, with the same weights.

        Raises:
            UnreadableFileError: the file is missing, damaged, or something else.
            ModelError: the model is another one; it says which layer differs.
        """
        notes, flat = read_record(path, _KIND)
        arrays: dict[str, dict[str, np.ndarray]] = {}
        for name, array in flat.items():
            key, _, pattern_type = name.rpartition("|")
            arrays.setdefault(key, {})[pattern_type] = array
        found = cls(arrays, notes["silent"], notes["prints"])
        graph = trace(model)
        found.require(graph)
        return replace(found, owners=owners_of(found.arrays, graph))

    def require(self, graph: Graph) -> None:
        """Refuse a model with other layers or weights than those of the fit.

        Raises:
            ModelError: it is another one; it says which layer differs.
        """
        current = fingerprints(graph)
        for path in self.prints:
            if path not in current:
                raise ModelError(
                    f"The patterns belong to another model: they know a layer {path!r}, which this model "
                    f"has not.{nearest(path, current)}"
                )
            if current[path] != self.prints[path]:
                raise ModelError(
                    f"The patterns belong to other weights: those of the layer {path!r} differ. Fit anew "
                    "with PatternComputer, or load the weights that the patterns were fitted for."
                )
        more = [path for path in current if path not in self.prints]
        if more:
            raise ModelError(f"The patterns belong to another model: they do not know the layer {more[0]!r}.")


def owners_of(keys: Iterable[str], graph: Graph) -> dict[str, Any]:
    """Weak references to the layers of sites, by site."""
    layers = {step.path: step.operation for step in graph.steps}
    return {key: weakref.ref(layers[_path(key)]) for key in keys}


def _path(key: str) -> tuple[str, ...]:
    return tuple(key.split(" [")[0].split(" (call")[0].split("/"))
