"""Analyzers on disk: settings as JSON, arrays as .npz, the model on request; nothing of it is code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.method import Method
from innexplain.analyzers.portable import Reader, Writer, apart, together
from innexplain.analyzers.registry import analyzer_of, method_from
from innexplain.digests import digest, digest_of_weights
from innexplain.errors import ArgumentError, ModelError, UnreadableFileError
from innexplain.files import read_arrays, read_json, write_arrays, write_json
from innexplain.folders import atomic_folder, check_folder
from innexplain.network import Network, Options, name_of

_KIND = "an analyzer"
_SETTINGS, _ARRAYS, _MODEL = "settings.json", "arrays.npz", "model.keras"


def save_analyzer(analyzer: Analyzer, folder: str | os.PathLike[str], include_model: bool) -> Path:
    """See `Analyzer.save`."""
    if include_model and analyzer.network.is_function:
        raise ArgumentError(
            f"include_model=True needs a Keras model, and {analyzer.network.name!r} is a function. Leave it "
            "out, and give the function to load_analyzer."
        )
    notes, arrays = _written(analyzer)
    with atomic_folder(folder, _KIND) as temporary:
        write_json(temporary / _SETTINGS, {**notes, "model": _described(analyzer.model)})
        write_arrays(temporary / _ARRAYS, arrays)
        if include_model:
            analyzer.model.save(temporary / _MODEL)
    return Path(folder)


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
            they are not registered.

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
    model = _model(path, model, custom, notes["model"])
    arrays = read_arrays(path / _ARRAYS, f"the arrays of {_KIND}")
    methods = {name: method_from(v) for name, v in custom.items() if not isinstance(v, type)}
    reader = Reader(arrays, {**custom, **methods})
    options = {name: reader.value(value) for name, value in notes["options"].items()}
    return _together(model, reader.value(notes["method"]), options)


def settings_digest(analyzer: Analyzer) -> str | None:
    """A digest of all that an analyzer was made with but for its model; `None` if a function is part."""
    try:
        return digest(*_written(analyzer))
    except ArgumentError:
        return None


def _written(analyzer: Analyzer) -> tuple[dict[str, Any], dict[str, Any]]:
    method, options = _apart(analyzer)
    writer = Writer()
    notes = {
        "method": writer.plain(method, analyzer.name),
        "options": {name: writer.plain(value, name) for name, value in options.items()},
    }
    return notes, writer.arrays


def _apart(analyzer: Analyzer) -> tuple[Method, dict[str, Any]]:
    """The settings of an analyzer apart from its model."""
    graph = analyzer.network.traced
    options = {k: v for k, v in vars(analyzer.options).items() if k != "check_only"}
    return apart(analyzer.method, graph), apart(options, graph)


def _together(model: Any, method: Method, options: dict[str, Any]) -> Analyzer:
    """An analyzer of a model from what `_apart` gives."""
    graph = Network.of(model).traced
    return analyzer_of(model, together(method, graph), Options(**together(options, graph)))


def reduced(analyzer: Analyzer) -> tuple[Any, ...]:
    """How `pickle` and `copy.deepcopy` make another one: from a model and settings, anew."""
    return _together, (analyzer.model, *_apart(analyzer))


def _described(model: Any) -> dict[str, Any]:
    is_model = isinstance(model, keras.Model)
    digest = digest_of_weights(model) if is_model else None
    return {"name": name_of(model), "type": type(model).__name__, "weights": digest}


def _model(path: Path, model: Any, custom: Mapping[str, Any], described: Mapping[str, Any]) -> Any:
    """The model that is given or was saved, if it is the one that was explained."""
    if model is None and not (path / _MODEL).exists():
        kind = "function" if described["weights"] is None else "model"
        raise ModelError(
            f"{path} holds no model. Give the {kind} that it explains, {described['name']!r}: "
            "load_analyzer(folder, model). save(folder, include_model=True) writes models, too."
        )
    if model is None:
        classes = {name: value for name, value in custom.items() if isinstance(value, type)}
        try:
            model = keras.models.load_model(
                path / _MODEL, custom_objects=classes, compile=False, safe_mode=True
            )
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise UnreadableFileError(
                f"{path / _MODEL}: Keras cannot load the model: {error}. Load it yourself, and give it "
                "as model=."
            ) from error
    found = _described(model)
    if found["weights"] != described["weights"]:
        raise ModelError(
            f"{path} explains the {described['type']} {described['name']!r}. Received: the {found['type']} "
            f"{found['name']!r}, with other weights. Load the weights that were explained, or make the "
            "analyzer anew with create_analyzer."
        )
    return model
