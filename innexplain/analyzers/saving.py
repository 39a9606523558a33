"""Analyzers on disk: settings as JSON, arrays as .npz, the model on request; nothing of it is code."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.choosing import method_of
from innexplain.analyzers.fingerprints import check_same, described
from innexplain.analyzers.method import Method
from innexplain.analyzers.plain import Reader, Writer
from innexplain.analyzers.portable import apart, together
from innexplain.analyzers.registry import analyzer_of
from innexplain.composites import Composite, registered_classes
from innexplain.digests import digest
from innexplain.errors import ArgumentError, InnexplainError, ModelError, UnreadableFileError
from innexplain.files import read_arrays, read_json, write_arrays, write_json
from innexplain.folders import atomic_folder, check_folder
from innexplain.graph.functions import function_graph
from innexplain.graph.step import Graph
from innexplain.graph.trace import trace
from innexplain.network import Options

_KIND = "an analyzer"
_SETTINGS, _ARRAYS, _MODEL = "settings.json", "arrays.npz", "model.keras"


def save_analyzer(analyzer: Analyzer, folder: str | os.PathLike[str], include_model: bool) -> Path:
    """See `Analyzer.save`."""
    if include_model and analyzer.network.is_function:
        raise ArgumentError(
            f"include_model=True needs a Keras model, and {analyzer.network.name!r} is a function. Leave it "
            "out, and give the function to load_analyzer."
        )
    notes, arrays = _written(analyzer, Writer())
    with atomic_folder(folder, _KIND) as temporary:
        write_json(temporary / _SETTINGS, {**notes, "model": described(analyzer.model)})
        write_arrays(temporary / _ARRAYS, arrays)
        if include_model:
            _save_model(analyzer.model, temporary / _MODEL)
    return Path(folder)


def _save_model(model: keras.Model, path: Path) -> None:
    try:
        model.save(path)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ModelError(
            f"Keras cannot save the model {model.name!r}: {_first_words(error)} Leave include_model out, and "
            "give the model to load_analyzer."
        ) from error


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

    Example:
        >>> import keras, numpy, tempfile, innexplain
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = innexplain.create_analyzer("smoothgrad", model, augment_by_n=8).save(folder + "/a")
        ...     analyzer = innexplain.load_analyzer(path, model)
        >>> analyzer.method.augment_by_n
        8
    """
    path = check_folder(folder, _KIND)
    custom = dict(custom_objects or {})
    notes = read_json(path / _SETTINGS, _KIND)
    arrays = read_arrays(path / _ARRAYS, f"the arrays of {_KIND}")
    with _damage(path / _SETTINGS):
        about = dict(notes["model"])
        layers = about["layers"] if about["layers"] is None else list(about["layers"])
        about = {"name": about["name"], "type": about["type"], "layers": layers, "weights": about["weights"]}
    model = _saved_model(path, about, custom) if model is None else model
    check_same(model, about, path)
    graph = _graph(model)
    with _damage(path / _SETTINGS):
        reader = Reader(arrays, {**_classes(graph), **_methods(custom)})
        method = reader.value(notes["method"])
        options = {name: reader.value(value) for name, value in notes["options"].items()}
        known = isinstance(method, Method) and set(options) == set(_shown(Options()))
        if not known or not isinstance(options["neuron_selection_mode"], str):
            raise ValueError("these are no settings of an analyzer")
    return _together(model, method, options)


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


def settings_digest(analyzer: Analyzer) -> str | None:
    """A digest of all that an analyzer was made with but for its model; `None` if a function is part."""
    try:
        return digest(*_written(analyzer, Writer(fixed=True)))
    except ArgumentError:
        return None


def _written(analyzer: Analyzer, writer: Writer) -> tuple[dict[str, Any], dict[str, Any]]:
    method, options = _apart(analyzer)
    notes = {
        "method": writer.plain(method, analyzer.name),
        "options": {name: writer.plain(value, name) for name, value in options.items()},
    }
    return notes, writer.arrays


def _apart(analyzer: Analyzer) -> tuple[Method, dict[str, Any]]:
    """The settings of an analyzer apart from its model."""
    graph = analyzer.network.traced
    return apart(analyzer.method, graph), apart(_shown(analyzer.options), graph)


def _shown(options: Options) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name != "check_only"}


def _together(model: Any, method: Method, options: dict[str, Any]) -> Analyzer:
    """An analyzer of a model from what `_apart` gives."""
    graph = _graph(model)
    return analyzer_of(model, together(method, graph), Options(**together(options, graph)))


def reduced(analyzer: Analyzer) -> tuple[Any, ...]:
    """How `pickle` and `copy.deepcopy` make another one: from a model and settings, anew."""
    return _together, (analyzer.model, *_apart(analyzer))


def _graph(model: Any) -> Graph:
    return trace(model) if isinstance(model, keras.Model) else function_graph(model)


def _classes(graph: Graph) -> dict[str, type]:
    """Classes of the user's own by name: those of the model's layers, and what is registered."""
    layers = [kind for step in graph.steps for kind in type(step.operation).__mro__]
    return {kind.__name__: kind for kind in (*layers, *registered_classes())}


def _methods(custom: Mapping[str, Any]) -> dict[str, Any]:
    """What a user gives by name, composites as methods."""
    return {name: method_of(v) if isinstance(v, Composite) else v for name, v in custom.items()}


def _saved_model(path: Path, notes: Mapping[str, Any], custom: Mapping[str, Any]) -> keras.Model:
    if not (path / _MODEL).exists():
        kind = "function" if notes["layers"] is None else "model"
        raise ModelError(
            f"{path} holds no model. Give the {kind} that it explains, {notes['name']!r}: "
            "load_analyzer(folder, model). save(folder, include_model=True) writes models, too."
        )
    objects = {name: value for name, value in custom.items() if not isinstance(value, (Composite, Method))}
    try:
        return keras.models.load_model(path / _MODEL, custom_objects=objects, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise UnreadableFileError(
            f"{path / _MODEL}: Keras cannot load the model: {_first_words(error)} Load it yourself, and "
            "give it as model=."
        ) from error


def _first_words(error: Exception) -> str:
    """What Keras says at first; examples of code follow."""
    return " ".join(str(error).strip().split("\n\n")[0].split())
