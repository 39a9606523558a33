"""Explaining leaves no trace: in the user's model, in random states, in Keras, also after an exception."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import innexplain
from innexplain.errors import ArgumentError, InnexplainError
from tests.zoo import randomise
from tests.zoo.models import MODELS

from . import NAMES, OF_CLASSES, PATHS, assert_alike, assert_different, create, over, rng
from .snapshots import global_snapshot, snapshot

pytestmark = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")


def network():
    """Training-only layers, activity and weight losses, a nested model."""
    inner = keras.Input((6,))
    z = L.BatchNormalization()(L.Dense(5, activity_regularizer="l2", name="dense")(inner))
    base = keras.Model(inner, L.ReLU()(z), name="base")
    x = keras.Input((6,))
    y = L.GaussianNoise(0.5)(L.Dropout(0.5, seed=1)(base(x)))
    y = L.ActivityRegularization(l1=0.1)(L.Dense(4, activation="relu", kernel_regularizer="l2")(y))
    model = randomise(keras.Model(x, L.Dense(3, activation="softmax", name="head")(y)), 1)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def data(n=3):
    return rng(1).normal(size=(n, 6)).astype("float32")


@over("input", "gradient", "guided_backprop", "lrp.epsilon", "pattern.net", "clear")
def test_the_model_is_the_same_after_as_before(name):
    model = network()
    predicted = model.predict_on_batch(data())
    model(data())  # fills the activity losses
    before = snapshot(model)
    assert len(before["losses"]) == 3
    analyzer = create(name, model)
    analyzer.analyze(data(), batch_size=2, return_info=True)
    assert snapshot(model) == before
    for wrong in ({"x": data() * np.nan}, {"x": data(), "batch_size": 0}, {"x": data()[:, :2]}):
        with pytest.raises(InnexplainError):
            analyzer.analyze(**wrong)
    with pytest.raises(InnexplainError):
        create(name, model, output="no such layer")
    refused = ArgumentError if name in OF_CLASSES else ZeroDivisionError  # from inside the run
    with pytest.raises(refused):
        create(name, model, neuron_selection_mode=lambda outputs: 1 / 0).analyze(data())
    innexplain.model_wo_softmax(model)
    del analyzer
    assert snapshot(model) == before
    np.testing.assert_array_equal(model.predict_on_batch(data()), predicted)


@pytest.mark.compiled
def test_a_failure_while_compiling_leaves_nothing_behind():
    model = network()
    before, shared_before = snapshot(model), global_snapshot()
    with pytest.raises(ZeroDivisionError):
        create("gradient", model, neuron_selection_mode=lambda outputs: 1 / 0).analyze(data())
    assert snapshot(model) == before
    assert global_snapshot() == shared_before


@functools.cache
def plain_and_training():
    """A model, and the same with layers that act in training, called so: dropout, noise, batch statistics."""
    x = keras.Input((6,))
    y = L.ReLU()(L.BatchNormalization()(L.Dense(5)(x)))
    plain = keras.Model(x, L.Dense(3, activation="softmax")(L.Dense(4, activation="relu")(y)))
    x = keras.Input((6,))
    y = L.BatchNormalization()(L.Dense(5)(x), training=True)
    y = L.SpatialDropout1D(0.5)(L.Reshape((5, 1))(L.Dropout(0.5)(L.ReLU()(y), training=True)))
    y = L.GaussianDropout(0.5)(L.Dense(4, activation="relu")(L.Flatten()(y)), training=True)
    training = keras.Model(x, L.Dense(3, activation="softmax")(y))
    weights = iter(randomise(plain, 2).get_weights())
    for w in training.variables:
        if "seed" not in w.path:
            w.assign(next(weights))
    return plain, training


@over(*PATHS)
def test_explanations_are_of_inference(name):
    """Dropout, noise and batch statistics play no part, whatever `training` was recorded in the graph."""
    maps = [create(name, model).analyze(data()) for model in plain_and_training()]
    assert_alike(maps[1], maps[0], 1e-5)


@over("gradient", "guided_backprop", "lrp.epsilon", "smoothgrad")
def test_weights_are_read_when_they_are_used(name):
    """The analyzer holds the user's own variables: training goes on, and explanations follow."""
    model = MODELS["conv_net"].build(seed=1)
    x = MODELS["conv_net"].inputs(3, rng())
    analyzer = create(name, model)
    early = analyzer.analyze(x)
    randomise(model, 2)
    late = analyzer.analyze(x)
    assert_different(late, early)
    assert_alike(late, create(name, model).analyze(x), 1e-6)


def test_analyzers_of_one_model_do_not_meddle():
    model, x = MODELS["conv_net"].build(), MODELS["conv_net"].inputs(2, rng())
    first = [create(name, model) for name in ("gradient", "guided_backprop", "lrp.epsilon", "smoothgrad")]
    alone = [analyzer.analyze(x) for analyzer in first]
    others = [create(name, model, pre_softmax=False) for name in NAMES]
    others[2].analyze(x)
    for analyzer, maps in zip(first, alone, strict=True):
        assert_alike(analyzer.analyze(x), maps, 1e-6)


def test_states_of_a_stateful_rnn():
    x = keras.Input((5, 3), batch_size=4)
    model = randomise(keras.Model(x, L.Dense(2)(L.GRU(3, stateful=True)(x))))
    rows = rng().normal(size=(4, 5, 3)).astype("float32")
    model.predict_on_batch(rows)
    before = [state.numpy() for state in model.layers[1].states]
    assert np.abs(before).max() > 0
    analyzer = create("integrated_gradients", model)
    first, second = analyzer.analyze(rows), analyzer.analyze(rows)
    np.testing.assert_array_equal(first, second)
    for state, value in zip(model.layers[1].states, before, strict=True):
        np.testing.assert_array_equal(state, value)


# --- Global states -------------------------------------------------------------------------------


@over("gradient", "lrp.epsilon", "smoothgrad", "clear")
def test_global_states_stay(name):
    """What is made or drawn later has the name or value that it would have had."""
    model = network()
    keras.random.normal((1,))  # makes the global seed generator
    before = global_snapshot()
    analyzer = create(name, model)
    analyzer.analyze(data(), batch_size=2, return_info=True)
    with pytest.raises(InnexplainError):
        analyzer.analyze(data()[:0])
    assert global_snapshot() == before


@pytest.fixture
def settings():
    """Put Keras's global settings back after a test that changes them."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    yield
    keras.config.set_dtype_policy(policy)
    keras.config.set_floatx(floatx)
    keras.config.set_image_data_format("channels_last")


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("setting", ["floatx", "policy", "format"])
@over("gradient", "lrp.epsilon", "smoothgrad")
def test_global_settings_of_the_caller_make_no_difference(name, setting):
    """A float32 model gives the same maps under another default policy, float type or image format."""
    model = MODELS["conv_net"].build(dtype="float32")
    x = MODELS["conv_net"].inputs(2, rng())
    expected = create(name, model).analyze(x)
    if setting == "floatx":
        keras.config.set_floatx("float64")
    elif setting == "policy":
        keras.config.set_dtype_policy("mixed_float16")
    else:
        keras.config.set_image_data_format("channels_first")
    maps, info = create(name, model).analyze(x, return_info=True)
    assert_alike(maps, expected, 1e-6)
    assert maps.dtype == info["score"].dtype == np.dtype("float32")


@pytest.mark.compiled
def test_eagerly_run_functions_give_the_same():
    model, x = MODELS["conv_net"].build(), MODELS["conv_net"].inputs(2, rng())
    expected = create("guided_backprop", model).analyze(x)
    tf.config.run_functions_eagerly(True)
    try:
        assert_alike(create("guided_backprop", model).analyze(x), expected, 1e-6)
    finally:
        tf.config.run_functions_eagerly(False)
