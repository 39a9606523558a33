"""Analyzers from disk: nothing in a folder is run, and nothing is imported by a name that stands in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.choosing import method_of
from innexplain.analyzers.fingerprints import check_same
from innexplain.analyzers.method import Method
from innexplain.analyzers.plain import Reader
from innexplain.analyzers.portable import graph_of, settings_together
from innexplain.analyzers.registry import analyzer_of
from innexplain.analyzers.saving import ARRAYS, KIND, MODEL, SETTINGS, first_words
from innexplain.composites import Composite
from innexplain.composites.registered import registered_classes
from innexplain.errors import ArgumentError, InnexplainError, ModelError, UnreadableFileError
from innexplain.files import read_arrays, read_json
from innexplain.folders import check_folder
from innexplain.graph.step import Graph
from innexplain.network import Options


def load_analyzer(
    folder: str | os.PathLike[str], model: Any = None, custom_objects: Mapping[str, Any] | None = None
) -> Analyzer:
    """The analyzer that `Analyzer.save` wrote: equal settings, equal maps.

    Nothing in the folder is run, and nothing is imported by a name that stands in it.

    Args:
        folder: what was saved.
        model: the model that it explains, with the same weights; not needed if it was saved with it.  A
            function has to be given again.
        custom_objects: classes of rules and layers, and methods or composites of your own, by name, where
            they are not registered; and what `keras.models.load_model` needs.

    Raises:
        UnreadableFileError: something is missing, damaged, of another kind or of a newer version, or needs a
            class or a method that is not known here.
        ModelError: the model is missing, or is another one.
        ArgumentError: `custom_objects` is no dict.

    Example:
        >>> import keras, numpy, tempfile, innexplain
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = innexplain.create_analyzer("smoothgrad", model, augment_by_n=8).save(folder + "/a")
        ...     analyzer = innexplain.load_analyzer(path, model)
        >>> analyzer.method.augment_by_n
        8
    """
    path = check_folder(folder, KIND)
    if not isinstance(custom_objects, (Mapping, type(None))):
        raise ArgumentError(
            "custom_objects must be a dict from names to classes, methods or composites. "
            f"Received: {custom_objects!r}"
        )
    custom = dict(custom_objects or {})
    notes = read_json(path / SETTINGS, KIND)
    arrays = read_arrays(path / ARRAYS, f"the arrays of {KIND}")
    with _damage(path / SETTINGS):
        about = dict(notes["model"])
        layers = about["layers"] if about["layers"] is None else list(about["layers"])
        about = {"name": about["name"], "type": about["type"], "layers": layers, "weights": about["weights"]}
    model = _saved_model(path, about, custom) if model is None else model
    graph = graph_of(model)
    check_same(model, about, path)
    with _damage(path / SETTINGS):
        reader = Reader(arrays, {**_classes(graph), **_methods(custom)})
        method = reader.value(notes["method"])
        options = {name: reader.value(value) for name, value in notes["options"].items()}
        known = isinstance(method, Method) and options.keys() == Options().shared.keys()
        if not known or not isinstance(options["neuron_selection_mode"], str):
            raise ValueError("these are no settings of an analyzer")
    method, given = settings_together(method, options, graph)
    return analyzer_of(model, method, given)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Tell of settings that no `Writer` wrote, or that need what is not here, whatever they end in."""
    try:
        yield
    except UnreadableFileError as error:
        raise UnreadableFileError(f"{path}: {error}") from error
    except (InnexplainError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableFileError(
            f"{path}: expected settings written by innexplain; it is damaged or something else ({error})."
        ) from error


def _classes(graph: Graph) -> dict[str, type]:
    """Classes of the user's own by name: those of the model's layers, and what is registered."""
    layers = [kind for step in graph.steps for kind in type(step.operation).__mro__]
    return {kind.__name__: kind for kind in (*layers, *registered_classes())}


def _methods(custom: Mapping[str, Any]) -> dict[str, Any]:
    """What a user gives by name, composites as methods."""
    return {name: method_of(v) if isinstance(v, Composite) else v for name, v in custom.items()}


def _saved_model(path: Path, notes: Mapping[str, Any], custom: Mapping[str, Any]) -> keras.Model:
    if not (path / MODEL).exists():
        kind, way = "model", "save(folder, include_model=True) writes it, too"
        if notes["layers"] is None:
            kind, way = "function", "No file holds one"
        raise ModelError(
            f"{path} holds no model. Give the {kind} that it explains, {notes['name']!r}: "
            f"load_analyzer(folder, model). {way}."
        )
    objects = {name: value for name, value in custom.items() if not isinstance(value, (Composite, Method))}
    try:
        return keras.models.load_model(path / MODEL, custom_objects=objects, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise UnreadableFileError(
            f"{path / MODEL}: Keras cannot load the model: {first_words(error)} Load it yourself, and "
            "give it as model=."
        ) from error
