"""Model files: loaded safely, and asked what kind of image they take."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from innexplain.cli.quiet import quiet_keras
from innexplain.errors import ModelError, UnreadableFileError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_WAY_OUT = "Save one with `model.save('model.keras')`."
# What Keras raises for files it cannot make a model of: broken, unsafe, or with unknown classes.
_LOADING = (ValueError, TypeError, KeyError, OSError, ImportError, RuntimeError, AttributeError)


@dataclass(frozen=True)
class ImageInput:
    """The image a model asks for; height or width None means any.

    Args:
        height: Pixels, or None.
        width: Pixels, or None.
        channels: 1 (grey) or 3 (RGB).
        channel_axis: -1 (channels last) or 0 (channels first), of one image.
        dtype: Name of the input's dtype.
        batch: The fixed number of images in a call, or None.
    """

    height: int | None
    width: int | None
    channels: int
    channel_axis: int
    dtype: str
    batch: int | None = None

    @property
    def fixed_size(self) -> bool:
        """Whether every image has the same shape."""
        return self.height is not None and self.width is not None


def check_model_file(path: str) -> None:
    """Refuse, without importing Keras, what cannot be a saved Keras model.

    Raises:
        UnreadableFileError: If the file is missing, a folder, or neither .keras nor HDF5 inside.
    """
    file = Path(path)
    if not file.exists():
        raise UnreadableFileError(f"Model {path}: there is no such file.")
    if file.is_dir():
        raise UnreadableFileError(f"Model {path}: expected a .keras or .h5 file, not a folder.")
    if file.suffix.lower() not in (".keras", ".h5", ".hdf5"):
        received = file.suffix or "no suffix"
        raise UnreadableFileError(
            f"Model {path}: expected a .keras or .h5 file, received {received!r}. {_WAY_OUT}"
        )
    try:
        with open(file, "rb") as stream:
            hdf5 = stream.read(len(_HDF5)) == _HDF5
        archive = zipfile.is_zipfile(file)
    except OSError as error:
        raise UnreadableFileError(f"Model {path}: {error.strerror or error}.") from error
    if not (archive if file.suffix.lower() == ".keras" else hdf5):
        raise UnreadableFileError(f"Model {path}: the file is not a saved Keras model. {_WAY_OUT}")


def load_model(path: str) -> Any:
    """The model of a .keras or .h5 file, not compiled; code inside the file is never run.

    Raises:
        UnreadableFileError: If Keras cannot load it.
    """
    keras = quiet_keras()
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except _LOADING as error:
        raise UnreadableFileError(
            f"Model {path}: Keras cannot load it: {_first_sentences(error)} If it has classes or "
            "functions of your own, load it in Python and call innexplain.create_analyzer."
        ) from error
    if not isinstance(model, keras.Model):
        raise UnreadableFileError(f"Model {path}: holds a {type(model).__name__}, no keras.Model.")
    return model


def _first_sentences(error: BaseException, limit: int = 250) -> str:
    """What Keras says, without the advice on its own options that follows.

    >>> _first_sentences(ValueError("It is broken. " + "Read this. " * 40), limit=30)
    'It is broken. Read this.'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    kept = ""
    for sentence in text.split(". "):
        longer = f"{kept} {sentence}".strip().rstrip(".") + "."
        if kept and len(longer) > limit:
            break
        kept = longer
    return kept if len(kept) <= limit else kept[: limit - 3].rstrip() + "..."


def image_input(model: Any) -> ImageInput:
    """What the single image input of a model looks like.

    Raises:
        ModelError: If it has several inputs, or one that is no image of 1 or 3 channels.
    """
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in inputs) or "none known"
        raise ModelError(
            "This command explains models with one image input, shape (batch, height, width, "
            f"channels); this one's inputs: {shapes}. For other models use "
            "innexplain.create_analyzer in Python."
        )
    batch, *shape = inputs[0].shape
    axis = _channel_axis(model, shape)
    height, width = shape[:2] if axis == -1 else shape[1:]
    dtype = str(getattr(inputs[0], "dtype", "float32"))
    return ImageInput(height, width, shape[axis], axis, dtype, batch)


def _channel_axis(model: Any, shape: list[int | None]) -> int:
    fitting = [axis for axis in (-1, 0) if shape[axis] in (1, 3)]
    if not fitting:
        raise ModelError(
            "This command explains models of images with 1 or 3 channels; this one's input has "
            f"shape {(None, *shape)}. For other models use innexplain.create_analyzer in Python."
        )
    if len(fitting) == 2:  # such as (3, 32, 3): the layers know
        layers = getattr(model, "_flatten_layers", lambda: model.layers)()
        formats = [getattr(layer, "data_format", None) for layer in layers]
        return 0 if "channels_first" in formats else -1
    return fitting[0]


def output_units(model: Any) -> int:
    """The number of units of the model's single output.

    Raises:
        ModelError: If it has several outputs, or one with more axes than (batch, units).
    """
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "outputs", None) or []]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] is None:
        raise ModelError(
            "This command explains models with one output of shape (batch, classes); this one's "
            f"outputs: {shapes}. For others use innexplain.create_analyzer(..., output=...)."
        )
    return int(shapes[0][1])
