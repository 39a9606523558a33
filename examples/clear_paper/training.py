"""Trains a network, keeps it, and reads it again."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from innexplain.cli.models import check_model_file, load_model
from innexplain.errors import UnreadableFileError
from innexplain.files import atomic

__all__ = ["load", "predicted", "save", "train"]

BATCH = 64
PEAK_RATE = 3e-3


def train(model: keras.Model, x: np.ndarray, y: np.ndarray, epochs: int) -> None:
    """Adam with a rate that falls to zero, so that the run ends where it has settled.

    Of a model that begins with frozen layers, such as the body of VGG16, these run once and the rest is
    trained on what they give.

    Args:
        model: changed in place.
        x: images, as the model takes them.
        y: their classes.
        epochs: passes over the images.
    """
    frozen = sum(not layer.trainable for layer in model.layers)
    if frozen:
        body = keras.Model(model.inputs, model.layers[frozen - 1].output)
        x = body.predict(x, batch_size=16)
        model = _chain(x.shape[1:], model.layers[frozen:])
    steps = -(-len(x) // BATCH) * epochs
    rate = keras.optimizers.schedules.CosineDecay(PEAK_RATE, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=2)


def _chain(shape: tuple[int, ...], layers: list[keras.Layer]) -> keras.Model:
    """A model of layers that have been built, and share their weights with it."""
    start = x = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(start, x)


def predicted(model: keras.Model, x: np.ndarray, batch_size: int = BATCH) -> np.ndarray:
    """The class that the model sees in each image."""
    return model.predict(x, batch_size=batch_size, verbose=0).argmax(axis=1)


def save(model: keras.Model, path: Path) -> None:
    """Write the model, whole or not at all."""
    with atomic(path) as temporary:
        model.save(temporary)


def load(path: Path, like: keras.Model) -> keras.Model:
    """A model that was saved.

    Args:
        path: a file .keras.
        like: a model with the same inputs and outputs.

    Raises:
        UnreadableFileError: it is no model, or one of other inputs or outputs.
    """
    check_model_file(str(path))
    model = load_model(str(path))
    ends = [(m.input_shape, m.output_shape) for m in (model, like)]
    if ends[0] != ends[1]:
        raise UnreadableFileError(
            f"Model {path}: expected inputs {ends[1][0]} and outputs {ends[1][1]}. "
            f"Received: {ends[0][0]} and {ends[0][1]}."
        )
    return model
