"""Small networks for the tests of CLEAR."""

import keras.layers as L

import innexplain

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
