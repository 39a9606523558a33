"""The networks that are measured, images for them, and the gradient that a user would write by hand."""

import gc
from collections.abc import Callable
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

SIZE = 224


def network(name: str) -> tuple[keras.Model, keras.Model]:
    """A network of `keras.applications` with random weights: (up to the logits, with softmax).

    Both share their layers. The weights are drawn by NumPy: the initialisers of Keras leave copies behind
    in TensorFlow's allocator, which would hide what is measured.
    """
    rng = np.random.default_rng(0)

    def draw(self: object, shape: tuple, dtype: object = None) -> tf.Tensor:
        kernel = rng.standard_normal(shape, "float32")
        kernel *= np.float32(np.sqrt(2 / np.prod(shape[:-1])))
        return tf.convert_to_tensor(kernel)

    with mock.patch.object(keras.initializers.VarianceScaling, "__call__", draw):
        logits = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    gc.collect()
    return logits, keras.Model(logits.inputs, keras.layers.Softmax()(logits.output))


def small() -> keras.Model:
    """A convolutional network for images of 28 x 28, with random weights."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(20, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def images(batch: int) -> np.ndarray:
    """Random images, (batch, 224, 224, 3), float32."""
    return np.random.default_rng(1).standard_normal((batch, SIZE, SIZE, 3), "float32")


def hand_written_gradient(logits: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """The gradient of the largest logit: arrays in and out, compiled, nothing checked."""

    @tf.function
    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = tf.reduce_max(logits(x, training=False), axis=-1)
        return tape.gradient(score, x)

    return lambda x: gradient(tf.convert_to_tensor(x)).numpy()
