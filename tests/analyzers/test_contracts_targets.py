"""Which score is explained: every selection mode, output and head, told by `return_info`."""

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

from . import (
    OF_CLASSES,
    assert_alike,
    assert_different,
    create,
    each_analyzer,
    rng,
    some_analyzers,
    tape_gradient,
)

pytestmark = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")


def two_by_two():
    """Two inputs; a softmax of three classes named `classes`, and two numbers named `numbers`."""
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    y = L.Dense(6, activation="relu")(L.Concatenate()([a, b]))
    model = keras.Model([a, b], [L.Dense(3, "softmax", name="classes")(y), L.Dense(2, name="numbers")(y)])
    randomise(model, 1)
    for name in ("classes", "numbers"):
        bias = model.get_layer(name).bias
        bias.assign(np.arange(1, bias.shape[0] + 1) * 3.0)
    return model


X = [rng(i).normal(size=(4, n)).astype("float32") for i, n in ((1, 4), (2, 3))]


def check_modes(name, output, modes):
    """All modes are told by `index`: the maximum, a row of weights, a callable, and the sum of all."""
    model = two_by_two()
    logits = innexplain.model_wo_softmax(model)(X)[output].numpy()
    n, units = logits.shape
    mixed = np.arange(n) % units
    weights = np.eye(units)[mixed]

    def make(mode):
        return create(name, model, output=output, neuron_selection_mode=mode)

    index = make("index")
    rows = [index.analyze(X, k) for k in range(units)]
    assert [np.shape(m) for m in rows[0]] == [(4, 4), (4, 3)]
    each = [np.stack([rows[k][j][i] for i, k in enumerate(mixed)]) for j in (0, 1)]
    assert_alike(index.analyze(X, list(mixed)), each)
    if name in OF_CLASSES:
        assert_alike(
            make("max_activation").analyze(X), [np.max(column, axis=0) for column in zip(*rows, strict=True)]
        )
        for mode in {"weights", "all"}.intersection(modes):
            with pytest.raises(ArgumentError, match=f"single classes.*{mode}"):
                make(mode)
        return
    if "max_activation" in modes:
        maps, info = make("max_activation").analyze(X, return_info=True)
        assert_alike(maps, index.analyze(X, logits.argmax(-1)))
        check_info(maps, info, logits)
    if "weights" in modes:
        by_weights = make("weights")
        assert_alike(by_weights.analyze(X, weights), each)
        assert_alike(by_weights.analyze(X, weights[0]), rows[0])
    if "callable" in modes:
        assert_alike(make(lambda outputs: outputs[:, 1]).analyze(X), rows[1])
    if "all" in modes:
        summed = make(lambda outputs: ops.sum(outputs, axis=-1)).analyze(X)
        assert_alike(make("all").analyze(X), summed)


def check_info(maps, info, logits):
    np.testing.assert_allclose(info["score"], logits.max(-1), rtol=1e-5)
    np.testing.assert_array_equal(info["neuron"], logits.argmax(-1))
    np.testing.assert_allclose(info["sum"], sum(m.sum(1) for m in maps), rtol=1e-4, atol=1e-5)
    assert info["gap"] is None or (info["gap"].shape == (4,) and np.isfinite(info["gap"]).all())


@each_analyzer
def test_both_outputs_and_every_mode(name):
    """Each mode on one of the outputs; each output with three modes."""
    check_modes(name, 0, ("max_activation", "weights"))
    check_modes(name, 1, ("callable", "all"))


@some_analyzers
def test_each_output_with_every_mode(name):
    check_modes(name, 0, ("callable", "all"))
    check_modes(name, 1, ("max_activation", "weights"))


@pytest.mark.parametrize("mode", ["max_activation", "index", "all", "weights", "callable"])
@pytest.mark.parametrize("output", [0, 1])
def test_info_tells_the_logit(output, mode):
    """`score` is what the model itself computes before the softmax; -1 stands for no single neuron."""
    model = two_by_two()
    z = innexplain.model_wo_softmax(model)(X)[output].numpy()
    weights = np.arange(1.0, z.shape[1] + 1)
    expected = {
        "max_activation": (z.max(-1), z.argmax(-1), None),
        "index": (z[:, 1], np.full(4, 1), 1),
        "all": (z.sum(-1), np.full(4, -1), None),
        "weights": (z @ weights, np.full(4, -1), weights),
        "callable": (z[:, 0] ** 2, np.full(4, -1), None),
    }
    score, neuron, selection = expected[mode]
    given = (lambda y: y[:, 0] ** 2) if mode == "callable" else mode
    for name in ("gradient", "integrated_gradients"):
        analyzer = create(name, model, output=output, neuron_selection_mode=given)
        maps, info = analyzer.analyze(X, selection, return_info=True)
        np.testing.assert_allclose(info["score"], score, rtol=1e-5)
        np.testing.assert_array_equal(info["neuron"], neuron)
        total = sum(m.reshape(4, -1).sum(1) for m in maps)
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


@each_analyzer
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
    if name in ("gradient", "input_t_gradient", "integrated_gradients", "smoothgrad"):
        assert_alike(no, -yes)
    if name == "sensitivity":
        assert_alike(no, yes)


@some_analyzers
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


@some_analyzers
def test_the_view_without_softmax_is_explained_like_the_model(name):
    model, x = MODELS["dense_net"].build(), MODELS["dense_net"].inputs(3, rng())
    view = innexplain.model_wo_softmax(model)
    np.testing.assert_allclose(tf.nn.softmax(view(x)), model(x), rtol=1e-5)
    assert all(a is b for a, b in zip(view.source.weights, model.weights, strict=True))
    assert_alike(create(name, view).analyze(x), create(name, model).analyze(x), 1e-6)


@some_analyzers
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
