"""Fitted patterns: looked up by layer, saved and loaded with a fingerprint of their model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from innexplain.errors import AddressError, ArgumentError, ModelError, nearest
from innexplain.graph.canonical import canonical
from innexplain.graph.step import Graph
from innexplain.graph.trace import trace
from innexplain.patterns.sites import find_sites, fingerprints
from innexplain.patterns.store import load_arrays, save_arrays

__all__ = ["PATTERN_TYPES", "Patterns"]

#: a+ (outputs above zero), a- (the others), a (all outputs).
PATTERN_TYPES = ("relu", "relu.negative", "linear")
_KIND = "patterns"


@dataclass(frozen=True, eq=False)
class Patterns:
    """The patterns of a model's layers, each of the shape of the layer's kernel, in float64.

    Args:
        arrays: by site (path and part, as text), then by pattern type.
        silent: how many neurons of a site have the pattern zero, by site and pattern type: they never
            fired, or gave one value only.
        prints: digests of the weights of the model's layers, by path.
    """

    arrays: Mapping[str, Mapping[str, np.ndarray]]
    silent: Mapping[str, Mapping[str, int]]
    prints: Mapping[str, str]

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
        name = getattr(layer, "name", layer)
        if isinstance(name, tuple):
            fitting = [k for k in self.arrays if _path(k) == name and k.endswith(own)]
        else:
            fitting = [k for k in self.arrays if _path(k)[-1] == name and k.endswith(own)]
        if len(fitting) != 1:
            known = [_path(k)[-1] for k in self.arrays]
            raise AddressError(
                f"{'No layer' if not fitting else 'More than one layer'} with patterns answers to {layer!r}. "
                "Expected a layer with a kernel, its name, or a path tuple such as ('base', 'conv5'), and "
                "part='depthwise' or 'pointwise' for a separable convolution."
                + (f" Found: {fitting}" if fitting else nearest(name, known))
            )
        return fitting[0]

    def report(self) -> str:
        """A table: layers, neurons, and how many of them have the pattern zero."""
        types = self.pattern_types
        lines = [f"{'layer':40}" + "".join(f"{t + ': zero':>22}" for t in types)]
        for key, found in self.silent.items():
            lines.append(f"{key:40}" + "".join(f"{found[t]:>22}" for t in types))
        return "\n".join(lines)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file, `.npz` without pickle; see `load`.

        Raises:
            OutputPathError: it cannot be written.
        """
        notes = {"silent": {k: dict(v) for k, v in self.silent.items()}, "prints": dict(self.prints)}
        arrays = {f"{k}|{t}": a for k, found in self.arrays.items() for t, a in found.items()}
        return save_arrays(path, _KIND, notes, arrays)

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
        notes, flat = load_arrays(path, _KIND)
        arrays: dict[str, dict[str, np.ndarray]] = {}
        for name, array in flat.items():
            key, _, pattern_type = name.rpartition("|")
            arrays.setdefault(key, {})[pattern_type] = array
        found = cls(arrays, notes["silent"], notes["prints"])
        found.require(trace(model))
        return found

    def require(self, graph: Graph) -> None:
        """Refuse a model with other layers or weights than those of the fit."""
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
        missing = [s.key for s in find_sites(canonical(graph, folded=True).graph) if s.key not in self.arrays]
        if missing:
            raise ModelError(f"The patterns belong to another model: the layer {missing[0]!r} has none.")


def _path(key: str) -> tuple[str, ...]:
    return tuple(key.split(" [")[0].split(" (call")[0].split("/"))
