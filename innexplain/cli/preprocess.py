"""From pixels 0 to 255 to the values a network was trained on, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from innexplain.cli.models import ImageInput
from innexplain.cli.quiet import quiet_keras
from innexplain.errors import ArgumentError, UnknownNameError, nearest

SIMPLE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda pixels: pixels,
    "0-1": lambda pixels: pixels / 255.0,
    "-1-1": lambda pixels: pixels / 127.5 - 1.0,
}


def preprocess_names() -> tuple[str, ...]:
    """`none`, `0-1`, `-1-1`, and every module of keras.applications that preprocesses."""
    applications = quiet_keras().applications
    modules = (name for name in dir(applications) if name != "imagenet_utils")
    own = [name for name in modules if hasattr(getattr(applications, name), "preprocess_input")]
    return (*SIMPLE, *own)


def check_preprocess(name: str) -> None:
    """Refuse a name that stands for no preprocessing.

    Raises:
        UnknownNameError: It names the nearest one and all others.
    """
    if name in SIMPLE:
        return
    names = preprocess_names()
    if name not in names:
        raise UnknownNameError(
            f"--preprocess: there is no preprocessing {name!r}.{nearest(name, names)} "
            f"Expected one of: {', '.join(names)}."
        )


def preprocessing(name: str, asked: ImageInput) -> Callable[[np.ndarray], np.ndarray]:
    """The function from a batch of uint8 pixels to the model's input.

    Args:
        name: One of `preprocess_names()`.
        asked: The model's input.

    Raises:
        ArgumentError: If a preprocessing of keras.applications meets a model of grey images.
    """
    dtype = asked.dtype if asked.dtype.startswith("float") else "float32"
    if name in SIMPLE:
        return lambda pixels: SIMPLE[name](pixels.astype("float64")).astype(dtype)
    if asked.channels != 3:
        raise ArgumentError(
            f"--preprocess: {name} is made for RGB images, but the model takes {asked.channels} "
            f"channel. Expected one of: {', '.join(SIMPLE)}."
        )
    function = getattr(quiet_keras().applications, name).preprocess_input
    layout = "channels_last" if asked.channel_axis == -1 else "channels_first"
    # A fresh float array: some of these functions write into the one they are given.
    return lambda pixels: np.asarray(function(pixels.astype("float32"), data_format=layout), dtype=dtype)
