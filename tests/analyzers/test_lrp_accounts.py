"""Whatever relevance propagation does not hand on is listed: zeros, cancelling sums, mixed precision."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

import innexplain
from tests.zoo import randomise

METHODS = ("lrp.z", "lrp.epsilon", "lrp.flat", "lrp.alpha_2_beta_1", "lrp.sequential_preset_a_flat")


def relu(h, units=6):
    return layers.Dense(units, activation="relu", use_bias=False)(h)


def linear(h, units=2, **kwargs):
    return layers.Dense(units, use_bias=False, **kwargs)(h)


def behind_layer_norm():
    x = keras.Input((4,))
    return x, linear(layers.LayerNormalization()(layers.Add()([relu(x), relu(x)])))


def behind_sigmoid():
    x = keras.Input((4,))
    return x, linear(layers.Activation("sigmoid")(layers.Average()([relu(x), relu(x)])))


def behind_softplus():
    x = keras.Input((4,))
    return x, linear(ops.softplus(layers.Add()([relu(x), relu(x)])))


def behind_a_shift():
    x = keras.Input((4,))
    return x, linear(layers.Add()([relu(x), relu(x)]) + 1.0)


def before_the_first_layer():
    """A dead channel of the input, which flat gives a share to."""
    x = keras.Input((4,))
    dead = layers.Reshape((2, 4))(layers.Concatenate()([layers.ReLU()(x - 9.0), layers.ReLU()(x)]))
    return x, linear(layers.GlobalAveragePooling1D()(dead))


def input_concatenated_further_up():
    x = keras.Input((4,))
    return x, linear(layers.Concatenate()([layers.Add()([relu(x), relu(x)]), x]), 1)


NETS = (
    behind_layer_norm, behind_sigmoid, behind_softplus, behind_a_shift, before_the_first_layer,
    input_concatenated_further_up,
)  # fmt: skip


def data(n=4, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 4)).astype("float32")
    x[:, 0] = np.abs(x[:, 0])  # so that no sample is switched off as a whole
    return x


@functools.cache
def built(net):
    return randomise(keras.Model(*net()), 3)


def explained(name, model, x, **kwargs):
    relevance, info = innexplain.create_analyzer(name, model, **kwargs).analyze(x, return_info=True)
    absorbed = sum(info["absorbed"].values()) + np.zeros(len(relevance))
    return relevance, info, absorbed


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
@pytest.mark.parametrize("name", METHODS)
def test_every_gap_is_accounted_for(name, net):
    relevance, info, absorbed = explained(name, built(net), data())
    slack = 1e-5 * (1 + np.abs(relevance).sum(axis=1))
    assert (np.abs(info["gap"] - absorbed) <= slack).all()
    assert relevance.any()


@pytest.mark.parametrize("net", NETS[:2], ids=lambda net: net.__name__)
def test_relevance_of_a_sum_of_zeros_is_shared_equally(net):
    """Behind a sigmoid or a layer norm, relevance arrives where both ReLUs are off."""
    x = data()
    relevance, info, _ = explained("lrp.z", built(net), x)
    np.testing.assert_allclose(info["sum"], info["score"], atol=1e-5 * np.abs(relevance).sum())


def test_flat_shares_with_dead_channels_of_pools_before_the_first_layer():
    x = keras.Input((5, 4))
    pooled = layers.GlobalAveragePooling1D()(layers.ReLU()(x))
    model = randomise(keras.Model(x, linear(layers.Activation("sigmoid")(pooled))), 0)
    values = np.random.default_rng(0).uniform(0.5, 1, size=(2, 5, 4)).astype("float32")
    values[..., 1] = -1
    relevance, info, _ = explained("lrp.flat", model, values)
    np.testing.assert_allclose(info["sum"], info["score"], rtol=1e-5)
    dead = np.broadcast_to(info["score"][:, None] / 4 / 5, (2, 5))
    np.testing.assert_allclose(relevance[..., 1], dead, rtol=1e-5)


@pytest.mark.parametrize("name", ["lrp.epsilon", "lrp.alpha_2_beta_1"])
def test_sums_that_cancel_absorb_instead_of_exploding(name):
    def unit(h, weight):
        return linear(h, 1, kernel_initializer=keras.initializers.Constant(weight))

    x = keras.Input((4,))
    cancelled = layers.Add(name="cancelled")([unit(x, 1.0), unit(x, -1.0)])
    norm = layers.LayerNormalization(beta_initializer="ones")(cancelled)
    analyzer = innexplain.create_analyzer(name, keras.Model(x, unit(norm, 3.0)))
    with pytest.warns(innexplain.errors.InnexplainWarning, match="zero everywhere"):
        relevance, info = analyzer.analyze(data(), return_info=True)
    np.testing.assert_array_equal(sum(info["absorbed"].values()), info["score"])
    assert info["absorbed"]["cancelled"].min() >= 3.0
    assert not relevance.any() and max(np.abs(s).max() for s in info["steps"].values()) <= 6.0


def test_batches_do_not_matter_where_sums_nearly_cancel():
    model, x = built(behind_layer_norm), data(5)
    analyzer = innexplain.create_analyzer("lrp.alpha_2_beta_1", model)
    together = analyzer.analyze(x)
    alone = analyzer.analyze(x, batch_size=1)
    np.testing.assert_allclose(alone, together, rtol=1e-3, atol=1e-5 * np.abs(together).max())


def test_what_goes_to_truth_values_is_listed():
    x, known = keras.Input((4,)), keras.Input((4,), dtype="bool")
    added = layers.Add(name="added")([linear(x, 4), ops.cast(known, "float32")])
    model = randomise(keras.Model([x, known], linear(added)), 0)
    analyzer = innexplain.create_analyzer("lrp.z", model)
    _, info = analyzer.analyze([data(), data(seed=1) > 0], return_info=True)
    assert np.abs(info["gap"]).min() > 0.01
    np.testing.assert_allclose(info["absorbed"]["added"], info["gap"], rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("lrp.epsilon", "mixed"),
        ("lrp.epsilon", "float64"),
        ("lrp.flat", "mixed"),
        ("lrp.alpha_2_beta_1", "float64"),
        ("deep_taylor", "mixed"),
    ],
)
def test_layers_of_double_precision_behind_a_single_input(name, policy):
    """Keras's Input knows no policy: layers cast what they are given."""

    def build(dense, rest):
        x = keras.Input((6, 6, 3))
        h = layers.ReLU(dtype=rest)(layers.Conv2D(4, 3, dtype=dense)(x))
        h = layers.BatchNormalization(dtype=rest)(layers.Conv2D(4, 1, dtype=rest)(h))
        h = layers.Add(dtype=dense)([h, layers.Conv2D(4, 1, activation="relu", dtype=rest)(h)])
        h = layers.GlobalAveragePooling2D(dtype=rest)(layers.ReLU(dtype=dense)(h))
        model = randomise(keras.Model(x, layers.Dense(3, dtype=dense)(h)), 0)
        model.layers[-1].bias.assign(np.full(3, 5.0))  # deep Taylor starts from positive scores only
        return model

    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    expected = innexplain.create_analyzer(name, build("float32", "float32")).analyze(x)
    model = build("float64", "float64" if policy == "float64" else "float32")
    found, info, absorbed = explained(name, model, x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(info["gap"], absorbed, atol=1e-4 * np.abs(found).sum())
