"""The three small networks that contract tests share, each built once a run, and data that fit them.

Their weights are nobody's to change.  With these seeds every method has something to say of every class: deep
Taylor needs positive scores, guided backprop a positive path.
"""

import functools

import keras
import numpy as np
from keras import layers as L

from tests.zoo import randomise, undisturbed_random_state

N = 4
CLASSES = np.arange(N) % 3
_RNG = np.random.default_rng(6)

IMAGES = _RNG.normal(size=(N, 6, 6, 2)).astype("float32")
# Small integers, so that every dtype holds them without rounding; none of a sample's are equal.
A, B = (_RNG.permuted(np.tile(row, (N, 1)), axis=1).astype("float32") for row in ([1, 2, 3, 5], [1, 2, 4]))
TOKENS = _RNG.integers(1, 9, (N, 7))
TOKENS[:, 5:] = 0  # padding
for _array in (IMAGES, A, B, TOKENS):
    _array.flags.writeable = False  # what analyzers are given they do not write to


def images_network(batch_size=None):
    """A new network of images: convolution, batch norm, a shortcut, max-pool, dropout, dense layers."""
    with undisturbed_random_state():
        x = keras.Input((6, 6, 2), batch_size=batch_size)
        y = L.ReLU()(L.BatchNormalization()(L.Conv2D(3, 3, padding="same")(x)))
        y = L.MaxPooling2D(2)(L.Add()([y, L.Conv2D(3, 1)(x)]))
        y = L.Dense(5, activation="relu")(L.Dropout(0.5)(L.Flatten()(y)))
        model = randomise(keras.Model(x, L.Dense(3, activation="softmax")(y)), 4)
    model.layers[-1].bias.assign([9.0, 8.0, 7.0])
    return model


@functools.cache
def images():
    """A convolutional network: (6, 6, 2) to three classes."""
    return images_network()


def _hidden(a, b):
    return L.Dense(6, activation="relu", name="hidden")(L.Concatenate(name="both")([a, b]))


def _inputs():
    return keras.Input((4,), name="a"), keras.Input((3,), name="b")


@functools.cache
def tables():
    """Two inputs, a nested model, two outputs: a softmax of three `classes`, and two `numbers`."""
    with undisturbed_random_state():
        a, b = _inputs()
        inner = _inputs()
        y = keras.Model(list(inner), _hidden(*inner), name="base")([a, b])
        heads = [L.Dense(3, "softmax", name="classes")(y), L.Dense(2, name="numbers")(y)]
        model = randomise(keras.Model([a, b], heads, name="tables"), 12)
    model.get_layer("classes").bias.assign([9.0, 8.0, 7.0])
    model.get_layer("numbers").bias.assign([7.0, 9.0])
    return model


@functools.cache
def inlined_tables():
    """`tables` without a model inside."""
    with undisturbed_random_state():
        a, b = _inputs()
        y = _hidden(a, b)
        heads = [L.Dense(3, "softmax", name="classes")(y), L.Dense(2, name="numbers")(y)]
        model = keras.Model([a, b], heads, name="tables")
    model.set_weights(tables().get_weights())
    return model


def token_network(dtype="int32"):
    """A new network of tokens: a masked embedding `embed`, its mean, dense layers, two logits."""
    with undisturbed_random_state():
        x = keras.Input((7,), dtype=dtype)
        y = L.GlobalAveragePooling1D()(L.Embedding(9, 4, mask_zero=True, name="embed")(x))
        return randomise(keras.Model(x, L.Dense(2)(L.Dense(5, activation="relu")(y))), 2)


@functools.cache
def tokens():
    """A network of seven tokens out of nine."""
    return token_network()
