"""Analyzers to disk: settings as JSON, arrays as .npz, the model on request; nothing of it is code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras

from innexplain.analyzers.fingerprints import described
from innexplain.analyzers.method import Method
from innexplain.analyzers.plain import Writer
from innexplain.analyzers.portable import settings_apart
from innexplain.digests import digest
from innexplain.errors import ArgumentError, ModelError
from innexplain.files import write_arrays, write_json
from innexplain.folders import atomic_folder
from innexplain.network import Network

KIND = "an analyzer"
SETTINGS, ARRAYS, MODEL = "settings.json", "arrays.npz", "model.keras"


def save_analyzer(
    method: Method, network: Network, options: Any, folder: str | os.PathLike[str], include_model: bool
) -> Path:
    """See `Analyzer.save`."""
    if include_model and network.is_function:
        raise ArgumentError(
            f"include_model=True needs a Keras model, and {network.name!r} is a function. Leave it out, and "
            "give the function to load_analyzer."
        )
    notes, arrays = _written(method, network, options, Writer())
    with atomic_folder(folder, KIND) as temporary:
        write_json(temporary / SETTINGS, {**notes, "model": described(network.model)})
        write_arrays(temporary / ARRAYS, arrays)
        if include_model:
            _save_model(network.model, temporary / MODEL)
    return Path(folder)


def _save_model(model: keras.Model, path: Path) -> None:
    try:
        model.save(path)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ModelError(
            f"Keras cannot save the model {model.name!r}: {first_words(error)} Leave include_model out, and "
            "give the model to load_analyzer."
        ) from error


def first_words(error: Exception) -> str:
    """What Keras says at first; examples of code follow."""
    return " ".join(str(error).strip().split("\n\n")[0].split())


def settings_digest(method: Method, network: Network, options: Any) -> str | None:
    """A digest of all that an analyzer was made with but for its model; `None` if a function is part."""
    try:
        return digest(*_written(method, network, options, Writer(fixed=True)))
    except ArgumentError:
        return None


def _written(
    method: Method, network: Network, options: Any, writer: Writer
) -> tuple[dict[str, Any], dict[str, Any]]:
    own, shown = settings_apart(method, options, network.traced)
    notes = {
        "method": writer.plain(own, method.name),
        "options": {name: writer.plain(value, name) for name, value in shown.items()},
    }
    return notes, writer.arrays
