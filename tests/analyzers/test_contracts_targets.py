"""Which score is explained: every selection mode, output and head, told by `return_info`."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L
from keras import ops

import innexplain
from innexplain.errors import ArgumentError, HeadError, ModelError
from tests.zoo import randomise
from tests.zoo.models import MODELS

from . import OF_CLASSES, PATHS, assert_alike, assert_different, create, over, rng, tape_gradient
from .networks import A, B, N, tables

pytestmark = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")


X = [A, B]


@over("gradient", "lrp.epsilon", "deep_taylor", "integrated_gradients", "smoothgrad", "pattern.net", "clear")
def test_every_mode_of_the_second_output(name):
    """All modes are told by `index`: the maximum, weights, a callable, and the sum of all."""

    def make(mode):
        return create(name, tables(), output=1, neuron_selection_mode=mode)

    z = tables()(X)[1].numpy()
    rows = [make("index").analyze(X, k) for k in range(2)]
    mixed = np.arange(N) % 2
    each = [np.stack([rows[k][j][i] for i, k in enumerate(mixed)]) for j in (0, 1)]
    assert_alike(make("index").analyze(X, list(mixed)), each)
    maps, info = make("max_activation").analyze(X, return_info=True)
    check_info(maps, info, z)
    if name in OF_CLASSES:
        assert_alike(maps, [np.max(column, axis=0) for column in zip(*rows, strict=True)])
        return
    assert_alike(maps, make("index").analyze(X, z.argmax(-1)))
    assert_alike(make("weights").analyze(X, np.eye(2)[mixed]), each)
    assert_alike(make("weights").analyze(X, np.eye(2)[1]), rows[1])
    assert_alike(make(lambda outputs: outputs[:, 1]).analyze(X), rows[1])
    summed = make(lambda outputs: ops.sum(outputs, axis=-1)).analyze(X)
    assert_alike(make("all").analyze(X), summed)


def check_info(maps, info, logits):
    np.testing.assert_allclose(info["score"], logits.max(-1), rtol=1e-5)
    np.testing.assert_array_equal(info["neuron"], logits.argmax(-1))
    np.testing.assert_allclose(info["sum"], sum(m.sum(1) for m in maps), rtol=1e-4, atol=1e-5)
    assert info["gap"] is None or (info["gap"].shape == (N,) and np.isfinite(info["gap"]).all())


@pytest.mark.parametrize("mode", ["max_activation", "index", "all", "weights", "callable"])
@pytest.mark.parametrize("output", [0, 1])
def test_info_tells_the_logit(output, mode):
    """`score` is what the model itself computes before the softmax; -1 stands for no single neuron."""
    z = innexplain.model_wo_softmax(tables())(X)[output].numpy()
    weights = np.arange(1.0, z.shape[1] + 1)
    expected = {
        "max_activation": (z.max(-1), z.argmax(-1), None),
        "index": (z[:, 1], np.full(N, 1), 1),
        "all": (z.sum(-1), np.full(N, -1), None),
        "weights": (z @ weights, np.full(N, -1), weights),
        "callable": (z[:, 0] ** 2, np.full(N, -1), None),
    }
    score, neuron, selection = expected[mode]
    given = (lambda y: y[:, 0] ** 2) if mode == "callable" else mode
    for name in ("gradient", "integrated_gradients"):
        analyzer = create(name, tables(), output=output, neuron_selection_mode=given)
        maps, info = analyzer.analyze(X, selection, return_info=True)
        np.testing.assert_allclose(info["score"], score, rtol=1e-5)
        np.testing.assert_array_equal(info["neuron"], neuron)
        total = sum(m.reshape(N, -1).sum(1) for m in maps)
        np.testing.assert_allclose(info["sum"], total, rtol=1e-4, atol=1e-5)


def test_the_gap_is_what_completeness_misses():
    """Sum = S(x) - S(x0) up to the quadrature, which more steps improve."""
    model = MODELS["conv_net"].build()
    x = MODELS["conv_net"].inputs(3, rng())
    logits = innexplain.model_wo_softmax(model)
    gaps = []
    for steps in (4, 256):
        analyzer = innexplain.create_analyzer(
            "integrated_gradients", model, steps=steps, neuron_selection_mode="index"
        )
        maps, info = analyzer.analyze(x, 2, return_info=True)
        promised = (logits(x) - logits(np.zeros_like(x))).numpy()[:, 2]
        assert_alike(info["gap"], promised - maps.reshape(3, -1).sum(1), 1e-3)
        gaps.append(np.abs(info["gap"]).max() / np.abs(promised).max())
    assert gaps[1] < 0.01 < gaps[0]


# --- Heads ---------------------------------------------------------------------------------------


@functools.cache
def binary():
    """A sigmoid unit, rows of both classes, and the logits of these."""
    model = MODELS["binary_sigmoid"].build()
    x = MODELS["binary_sigmoid"].inputs(5, rng(2))
    view = innexplain.model_wo_softmax(model)
    model.layers[-1].bias.assign_sub([np.median(view(x)) + 0.1])
    z = view(x).numpy()[:, 0]
    assert (z > 0).any()
    assert (z < 0).any()
    return model, x, z


@over(*PATHS)
def test_one_sigmoid_unit_stands_for_two_classes(name):
    """Class 0 is the opposite of class 1: its score and, for methods linear in it, its map."""
    model, x, z = binary()
    if name in OF_CLASSES:  # with z and -z, the responses of both classes would be the same
        with pytest.raises(ModelError, match="holds one number"):
            create(name, model)
        return
    analyzer = create(name, model, neuron_selection_mode="index")
    (yes, info_yes), (no, info_no) = (analyzer.analyze(x, k, return_info=True) for k in (1, 0))
    np.testing.assert_allclose(info_yes["score"], z, rtol=1e-5)
    np.testing.assert_allclose(info_no["score"], -z, rtol=1e-5)
    if name in ("gradient", "integrated_gradients", "smoothgrad"):
        assert_alike(no, -yes)
    if name == "sensitivity":
        assert_alike(no, yes)


@over("gradient", "lrp.epsilon", "smoothgrad")
def test_the_predicted_class_of_one_sigmoid_unit(name):
    model, x, z = binary()
    _, info = create(name, model).analyze(x, return_info=True)
    np.testing.assert_array_equal(info["neuron"], np.where(z > 0, 1, 0))
    np.testing.assert_allclose(info["score"], np.abs(z), rtol=1e-5)


def test_one_sigmoid_unit_with_its_sigmoid():
    """The opposite of p is 1 - p."""
    model, x, _ = binary()
    analyzer = create("gradient", model, neuron_selection_mode="index", pre_softmax=False)
    maps, info = analyzer.analyze(x, 0, return_info=True)
    np.testing.assert_allclose(info["score"], 1 - model(x).numpy()[:, 0], rtol=1e-4)
    assert_alike(maps, tape_gradient(model, x, lambda y: 1 - y[:, 0]))


HEADED = (
    "dense_net",
    "conv_net",
    "all_convolutional",
    "raw_ops_net",
    "binary_sigmoid",
    "multi_label",
    "u_net",
)


@pytest.mark.parametrize("case", HEADED)
def test_the_head_is_found_in_every_spelling(case):
    """`activation=`, `Activation`, `Softmax`, `ops.softmax`: "auto" is True, and not False."""
    model, x = MODELS[case].build(), MODELS[case].inputs(2, rng())
    auto, true, false = (
        create("gradient", model, pre_softmax=p, neuron_selection_mode="index").analyze(x, 1)
        for p in ("auto", True, False)
    )
    assert_alike(auto, true, 0)
    assert_different(auto, false)
    view = innexplain.model_wo_softmax(model)
    truth = tape_gradient(view, x, lambda z: tf.reshape(z, (2, -1))[:, -1 if case == "binary_sigmoid" else 1])
    assert_alike(auto, truth, 1e-5)
    last = tape_gradient(model, x, lambda y: tf.reshape(y, (2, -1))[:, -1 if case == "binary_sigmoid" else 1])
    assert_alike(false, last, 1e-4)


def test_pre_softmax_true_insists():
    x = keras.Input((3,))
    with pytest.raises(HeadError, match=r"pre_softmax=True.*does not end in a softmax.*'auto'"):
        create("gradient", keras.Model(x, L.Dense(2)(x)), pre_softmax=True)


@over("gradient", "lrp.epsilon", "smoothgrad")
def test_the_view_without_softmax_is_explained_like_the_model(name):
    model, x = MODELS["dense_net"].build(), MODELS["dense_net"].inputs(3, rng())
    view = innexplain.model_wo_softmax(model)
    np.testing.assert_allclose(tf.nn.softmax(view(x)), model(x), rtol=1e-5)
    assert all(a is b for a, b in zip(view.source.weights, model.weights, strict=True))
    assert_alike(create(name, view).analyze(x), create(name, model).analyze(x), 1e-6)


@over("gradient", "lrp.epsilon", "smoothgrad")
def test_regression(name):
    """One linear unit: nothing is stripped, no second class is made up."""
    x = keras.Input((5,))
    model = randomise(keras.Model(x, L.Dense(1)(L.Dense(6, activation="relu")(x))), 3)
    data = rng(3).normal(size=(4, 5)).astype("float32")
    analyzer = create(name, model, neuron_selection_mode="index")
    _, info = analyzer.analyze(data, 0, return_info=True)
    np.testing.assert_allclose(info["score"], model(data).numpy()[:, 0], rtol=1e-5)
    with pytest.raises(ArgumentError, match="between 0 and 0"):
        analyzer.analyze(data, 1)
    assert_alike(create(name, model).analyze(data), analyzer.analyze(data, 0))
