"""Which output is explained: maps of classes, inner layers, outputs by index, name, layer and path."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import innexplain
from innexplain.errors import ArgumentError
from tests.zoo import randomise
from tests.zoo.models import MODELS

from . import (
    assert_alike,
    assert_different,
    create,
    each_analyzer,
    rng,
    silent_maps_allowed,
    some_analyzers,
    tape_gradient,
)

ignore_silent = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")


@ignore_silent
@some_analyzers
def test_spatial_output(name):
    """A number, a position and one-hot weights of a segmentation are the same choice."""
    case = MODELS["u_net"]
    model, x = case.build(), case.inputs(2, rng())
    shape, position = model.output_shape[1:], (3, 4, 1)
    index = int(np.ravel_multi_index(position, shape))
    weights = np.zeros(shape)
    weights[position] = 1
    by_index = create(name, model, neuron_selection_mode="index")
    expected = by_index.analyze(x, index)
    assert_alike(by_index.analyze(x, position), expected, 0)
    assert_alike(by_index.analyze(x, [index, index]), expected, 0)
    by_weights = create(name, model, neuron_selection_mode="weights")
    assert_alike(by_weights.analyze(x, weights), expected)
    info = create(name, model).analyze(x, return_info=True)[1]
    logits = innexplain.model_wo_softmax(model)(x).numpy().reshape(2, -1)
    np.testing.assert_array_equal(info["neuron"], logits.argmax(-1))
    if name == "gradient":
        view = innexplain.model_wo_softmax(model)
        assert_alike(expected, tape_gradient(view, x, lambda y: y[:, 3, 4, 1]))
        assert np.abs(expected).argmax() != 0


def test_a_position_outside_the_output():
    case = MODELS["u_net"]
    analyzer = create("gradient", case.build(), neuron_selection_mode="index")
    for position in ((8, 0, 0), (0, 0), (0.5, 0, 0)):
        with pytest.raises(ArgumentError, match=r"position in the output of shape \(8, 8, 3\)"):
            analyzer.analyze(case.inputs(2, rng()), position)


def nested():
    x = keras.Input((6,))
    inner = keras.Model(x, L.Dense(5, activation="relu", name="hidden")(x), name="base")
    outer = keras.Input((6,))
    y = L.Dense(4, activation="relu", name="middle")(inner(outer))
    heads = [L.Dense(3, activation="softmax", name="first")(y), L.Dense(2, name="second")(y)]
    return randomise(keras.Model(outer, heads, name="whole"), 1)


@ignore_silent
@each_analyzer
def test_output_by_index_name_layer_and_path(name):
    model, x = nested(), rng().normal(size=(3, 6)).astype("float32")
    groups = [
        (1, -1, np.int64(1), "second", model.get_layer("second"), ("second",)),
        ("hidden", ("base", "hidden"), model.get_layer("base").get_layer("hidden")),
    ]
    for group in groups:
        first, *others = [
            create(name, model, output=output, neuron_selection_mode="all").core.canonical.exit.slot
            for output in group
        ]
        assert {first} == set(others)
    analyzer = create(name, model, output=("base", "hidden"), neuron_selection_mode="all")
    assert analyzer.analyze(x).any()
    if name == "gradient":
        assert_alike(
            analyzer.analyze(x), tape_gradient(model.get_layer("base"), x, lambda y: tf.reduce_sum(y, -1))
        )


def test_a_hidden_output_keeps_its_softmax():
    """Only what the model ends in is a head; a softmax inside is a layer like others."""
    x = keras.Input((4,))
    y = L.Dense(3, activation="softmax", name="gate")(x)
    model = randomise(keras.Model(x, L.Dense(2)(y)))
    data = rng().normal(size=(2, 4)).astype("float32")
    maps = create("gradient", model, output="gate", neuron_selection_mode="index").analyze(data, 0)
    gate = keras.Model(x, y)
    assert_alike(maps, tape_gradient(gate, data, lambda p: p[:, 0]))
    with silent_maps_allowed():
        stripped = create("gradient", gate, neuron_selection_mode="index").analyze(data, 0)
    assert_different(maps, stripped)


def test_dict_outputs_go_by_their_keys():
    x = keras.Input((4,))
    model = randomise(keras.Model(x, {"z": L.Dense(2)(x), "b": L.Dense(3)(x)}))
    data = rng().normal(size=(2, 4)).astype("float32")
    for key in ("z", "b"):
        maps = create("gradient", model, output=key, neuron_selection_mode="index").analyze(data, 1)
        truth = tape_gradient(model, data, lambda y, key=key: tf.gather(y[key], 1, axis=1))
        assert_alike(maps, truth)
