"""The network of the demo: handwritten digits and a small all-convolutional classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.errors import MissingPackageError

_HELD_OUT = 450
_BATCH = 64
_PEAK_RATE = 3e-3


@dataclass(frozen=True)
class Digits:
    """Images (n, 8, 8, 1) in [0, 1] and their labels (n,), for training and held out."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def load_digits() -> Digits:
    """The digits of scikit-learn: 1347 to train with, 450 held out, always the same ones.

    Raises:
        MissingPackageError: If scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingPackageError(
            "The demo reads its images from scikit-learn, which is not installed. "
            "Install it with: pip install innexplain[demo]"
        ) from error
    found = datasets.load_digits()
    # In steps of 1/255, so that the same image read from a PNG file gives the same values.
    images = (np.rint(found.images * (255 / 16)) / 255).astype("float32")[..., None]
    labels = np.asarray(found.target)
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:-_HELD_OUT], order[-_HELD_OUT:]
    return Digits(images[train], labels[train], images[test], labels[test])


def build(keras: Any) -> Any:
    """Convolutions only: the last one has a kernel a class, whose maps are averaged.

    Args:
        keras: The module, imported by the caller when it was needed.
    """
    layers = keras.layers

    def convolution(filters: int) -> Any:
        return layers.Conv2D(filters, 3, padding="same", activation="relu")

    stack = [
        keras.Input((8, 8, 1), name="digit"),
        convolution(32),
        convolution(32),
        layers.MaxPooling2D(),
        convolution(64),
        convolution(64),
        layers.Conv2D(10, 1, name="classes"),
        layers.GlobalAveragePooling2D(),
        layers.Softmax(),
    ]
    return keras.Sequential(stack, name="digits")


def train(keras: Any, digits: Digits, epochs: int, seed: int) -> tuple[Any, float]:
    """Train the network with a progress bar; return it and its held-out accuracy.

    Args:
        keras: The module.
        digits: The images.
        epochs: Passes over the training images.
        seed: Of weights and order. It is set globally, as a command may do.
    """
    keras.utils.set_random_seed(seed)
    model = build(keras)
    steps = -(-len(digits.train_x) // _BATCH) * epochs
    # A rate that falls to zero ends every run, whatever its seed, where it has settled.
    rate = keras.optimizers.schedules.CosineDecay(_PEAK_RATE, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    bar = keras.utils.Progbar(epochs, stateful_metrics=["loss", "accuracy"], unit_name="epoch")

    def tick(epoch: int, logs: dict[str, float]) -> None:
        bar.update(epoch + 1, [(key, logs[key]) for key in ("loss", "accuracy")])

    model.fit(
        digits.train_x,
        digits.train_y,
        batch_size=_BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=tick)],
    )
    loss_and_accuracy = model.evaluate(digits.test_x, digits.test_y, verbose=0)
    return model, float(loss_and_accuracy[1])
