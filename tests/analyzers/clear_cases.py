"""Small networks for the tests of CLEAR."""

import functools

import keras
import keras.layers as L

import innexplain
from tests.zoo import randomise

from . import rng

SHAPE = (8, 8, 2)


def create(model, **kwargs):
    return innexplain.create_analyzer("clear", model, **kwargs)


def data(n=3, shape=SHAPE):
    return rng(1).normal(size=(n, *shape)).astype("float32")


def body():
    return [
        L.Conv2D(5, 3, activation="relu", name="first"),
        L.MaxPooling2D(2),
        L.Conv2D(4, 2, name="last"),
    ]


def through(layers, x):
    for layer in layers:
        x = layer(x)
    return x


def averaged():
    """Global averages of the last convolution's channels are the scores."""
    x = keras.Input(SHAPE)
    return randomise(keras.Model(x, L.GlobalAveragePooling2D()(through(body(), x))), 2)


shared = functools.cache(averaged)  # for tests that leave its weights alone
