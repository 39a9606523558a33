"""Which layers count as first, how far `until_layer_idx` goes, and what a box may be."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

import innexplain
from innexplain.errors import ArgumentError, UnsupportedLayerError
from innexplain.rules import Bounded
from tests.zoo import randomise


def first_layers(model):
    analyzer = innexplain.create_analyzer("lrp.epsilon", model)
    return [a.step.path[-1] for a in analyzer.assignments if a.step.facts.first]


@pytest.mark.parametrize("mix", [layers.Add, layers.Concatenate, layers.Multiply, layers.Maximum])
def test_a_layer_that_sees_the_input_among_other_values_is_not_first(mix):
    x = keras.Input((6,))
    h = layers.Dense(6, activation="sigmoid", name="one")(x)
    model = keras.Model(x, layers.Dense(2, name="mixed")(mix()([layers.ReLU()(x), h])))
    assert first_layers(model) == ["one"]


def test_all_layers_that_see_nothing_but_inputs_are_first():
    x, other = keras.Input((6,)), keras.Input((6,))
    both = layers.Add()([x, layers.Rescaling(2.0)(other)])
    h = layers.Add()([layers.Dense(3, name="a")(both), layers.Dense(3, name="b")(x)])
    assert first_layers(keras.Model([x, other], layers.Dense(2, name="c")(h))) == ["a", "b"]


def test_bounded_deep_taylor_is_never_negative_behind_a_shortcut():
    x = keras.Input((6,))
    shortcut = layers.Add()([x, layers.Dense(6, activation="relu")(x)])
    model = randomise(keras.Model(x, layers.Dense(2)(layers.Dense(5, "relu")(shortcut))), 1)
    model.layers[-1].bias.assign([5.0, 5.0])  # deep Taylor starts from positive scores only
    values = np.random.default_rng(0).random((20, 6)).astype("float32")
    relevance = innexplain.create_analyzer("deep_taylor.bounded", model, low=0.0, high=1.0).analyze(values)
    assert relevance.min() >= -1e-7 * relevance.max() and relevance.max() > 0


def two_layers():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(2)])


@pytest.mark.parametrize("index", [2, 99, -1, 1.5, True, "1"])
def test_layer_numbers_that_do_not_exist_are_refused(index):
    with pytest.raises(ArgumentError, match=r"until_layer_idx must be .*Received: until_layer_idx="):
        innexplain.create_analyzer(
            "lrp.epsilon", two_layers(), until_layer_idx=index, until_layer_rule="Flat"
        )
    with pytest.raises(ArgumentError, match="until_layer_idx"):
        innexplain.create_analyzer(
            "lrp.sequential_preset_b_flat_until_idx", two_layers(), until_layer_idx=index
        )


def test_the_last_layer_number_and_numpy_numbers_are_accepted():
    analyzer = innexplain.create_analyzer(
        "lrp.epsilon", two_layers(), until_layer_idx=np.int64(1), until_layer_rule="Flat"
    )
    assert [a.rule.name for a in analyzer.assignments if a.step.linear is not None] == ["Flat", "Flat"]


@pytest.mark.compiled  # channels first, TensorFlow's CPU computes little one operation after the other
@pytest.mark.parametrize("layer", [layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D])
def test_box_of_one_number_a_channel_in_both_image_formats(layer):
    """The same network, channels first and last."""

    def build(image_format):
        shape = (3, 5, 5) if image_format == "channels_first" else (5, 5, 3)
        settings = {"data_format": image_format, "activation": "relu"}
        first = layer(3, **settings) if layer is layers.DepthwiseConv2D else layer(4, 3, **settings)
        pool = layers.GlobalMaxPooling2D(data_format=image_format)
        return randomise(keras.Sequential([keras.Input(shape), first, pool, layers.Dense(2)]), 0)

    box = ((-3.0, -2.0, -1.0), np.array([3, 2, 1]))
    x = np.random.default_rng(0).uniform(-1, 1, size=(2, 5, 5, 3)).astype("float32")
    try:
        build("channels_first")(np.moveaxis(x, -1, 1))
    except Exception as error:  # noqa: BLE001
        pytest.skip(f"TensorFlow's CPU cannot run this layer: {type(error).__name__}")
    last, first = (
        innexplain.create_analyzer("lrp.epsilon", build(f), input_layer_rule=box)
        for f in ("channels_last", "channels_first")
    )
    expected = last.analyze(x)
    found = np.moveaxis(first.analyze(np.moveaxis(x, -1, 1)), 1, -1)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert np.abs(expected).max() > 0


@pytest.mark.parametrize("image_format", ["channels_first", "channels_last"])
def test_box_of_another_number_of_channels_is_refused_at_creation(image_format):
    shape = (3, 5, 5) if image_format == "channels_first" else (5, 5, 3)
    model = keras.Sequential(
        [keras.Input(shape), layers.Conv2D(4, 3, data_format=image_format, name="conv"), layers.Flatten()]
    )
    with pytest.raises(ArgumentError, match="each of the 3 channels that conv"):
        innexplain.create_analyzer("lrp.epsilon", model, input_layer_rule=((-1,) * 5, (1,) * 5))
    with pytest.raises(ArgumentError, match="each of the 3 channels that conv"):
        innexplain.create_analyzer("deep_taylor.bounded", model, low=(-1.0, -2.0), high=1.0)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (("a", "b"), "low must be a number, one number a channel, or None"),
        ((-1, np.nan), "high must be a finite number"),
        ((1, -1), "low must lie below high"),
        (((-1, -2), (1, 2, 3)), "as many channels as each other"),
        (((), 1), "low must be a number"),
        ((1, 2, 3), r"or a pair \(low, high\)"),
        (7, r"or a pair \(low, high\)"),
    ],
)
def test_boxes_that_are_none_are_refused_by_name(rule, message):
    with pytest.raises(ArgumentError, match=message):
        innexplain.create_analyzer("lrp.epsilon", two_layers(), input_layer_rule=rule)


def test_a_list_of_two_is_a_box_as_well():
    analyzer = innexplain.create_analyzer("lrp.epsilon", two_layers(), input_layer_rule=[-1, 1])
    assert analyzer.assignments[0].rule == Bounded(-1, 1)


def signal_and_gate():
    x = keras.Input((4,))
    return x, layers.Dense(4, activation="softplus")(x), layers.Dense(4, activation="sigmoid")(x)


@pytest.mark.parametrize(
    "product",
    [
        lambda s, g: g / s,
        lambda s, g: ops.power(s, g),
        lambda s, g: g**s,
        lambda s, g: layers.Dot(axes=1, normalize=True)([s, g]),
    ],
    ids=["gate_over_signal", "power", "exponent", "cosine"],
)
def test_products_that_are_not_linear_in_the_signal_are_refused(product):
    x, s, g = signal_and_gate()
    with pytest.raises(UnsupportedLayerError, match="neither a signal times nor a signal divided by gates"):
        innexplain.create_analyzer("lrp.z", keras.Model(x, product(s, g)))


@pytest.mark.parametrize(
    "product",
    [
        lambda s, g: s / g,
        lambda s, g: ops.divide_no_nan(s, g),
        lambda s, g: s * g,
        lambda s, g: layers.Dot(axes=1)([g, s]),
        lambda s, g: ops.einsum("ni,nj->nij", s, g),
    ],
    ids=["quotient", "divide_no_nan", "product", "dot", "outer"],
)
def test_products_that_are_linear_in_the_signal_lose_nothing(product):
    x, s, g = signal_and_gate()
    model = randomise(keras.Model(x, layers.Flatten()(product(s, g))), 0)
    for layer in model.layers[1:3]:
        layer.bias.assign(np.zeros(4))
    analyzer = innexplain.create_analyzer("lrp.z", model, neuron_selection_mode="all")
    values = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    _, info = analyzer.analyze(values, return_info=True)
    np.testing.assert_allclose(info["sum"], info["score"], rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "relu"),
    [
        ("lrp.z_plus", lambda: layers.ReLU(negative_slope=0.5)),
        ("lrp.alpha_2_beta_1", lambda: layers.ReLU(negative_slope=0.5)),
        ("lrp.gamma", lambda: layers.ReLU(negative_slope=0.5, threshold=0.2)),
        ("deep_taylor", lambda: layers.ReLU(negative_slope=0.5, threshold=0.2)),
        ("lrp.alpha_2_beta_1", lambda: layers.LeakyReLU(0.3)),
        ("deep_taylor", lambda: layers.Activation(layers.ReLU(negative_slope=0.5))),
    ],
    ids=["slope-plus", "slope", "threshold", "threshold-deep", "leaky", "nested"],
)
def test_a_relu_is_the_same_as_a_layer_and_behind_activation(name, relu):
    def explained(*hidden):
        model = randomise(keras.Sequential([keras.Input((4,)), *hidden, layers.Dense(3)]), 0)
        model.layers[-1].bias.assign(np.full(3, 5.0))  # deep Taylor starts from positive scores only
        return innexplain.create_analyzer(name, model).analyze(x)

    x = np.random.default_rng(0).uniform(0.2, 1.0, size=(4, 4)).astype("float32")
    expected = explained(layers.Dense(6), relu())
    np.testing.assert_allclose(explained(layers.Dense(6, relu())), expected, rtol=1e-6)
    behind = explained(layers.Dense(6), layers.Activation(relu()))
    np.testing.assert_allclose(behind, expected, rtol=1e-6)
    assert expected.any()
