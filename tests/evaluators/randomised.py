"""What the tests of evaluators share: a network to randomise, and an analyzer that is watched."""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers as L

import innexplain
from tests import zoo

SHAPE = (10, 9, 2)
X = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype("float32")


def network(dtype: str | None = None) -> keras.Model:
    """Convolutions in a nested model, batch norm, a layer that is used twice."""
    inner_x = keras.Input(SHAPE)
    y = L.BatchNormalization(name="norm", dtype=dtype)(L.Conv2D(6, 3, name="conv", dtype=dtype)(inner_x))
    inner = keras.Model(inner_x, L.ReLU()(y), name="base")
    x = keras.Input(SHAPE)
    y = L.Flatten()(inner(x))
    twice = L.Dense(12, activation="tanh", name="twice", dtype=dtype)
    y = twice(twice(L.Dense(12, activation="tanh", name="first", dtype=dtype)(y)))
    return zoo.randomise(keras.Model(x, L.Dense(4, activation="softmax", name="out", dtype=dtype)(y)))


LAYERS = ("out", "twice", "first", "base/norm", "base/conv")


def bits(model: keras.Model) -> list[bytes]:
    return [np.array(keras.ops.convert_to_numpy(v)).tobytes() for v in model.variables]


def watched(model: keras.Model, action: Callable[[], None], **kwargs) -> innexplain.Analyzer:
    """An analyzer that does something whenever it explains."""
    analyzer = innexplain.create_analyzer("gradient", model, **kwargs)
    attribute, analyzer.neurons = analyzer.attribute, []

    def watching(rows, data, request):
        action()
        result = attribute(rows, data, request)
        analyzer.neurons.append(result.neuron)
        return result

    analyzer.attribute = watching
    return analyzer
