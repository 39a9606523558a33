"""The gradient family: against finite differences, closed forms, and a naive integral."""

import contextlib
import functools
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

import innexplain
from tests import reference
from tests.zoo import Kit, randomise, undisturbed_random_state
from tests.zoo.models import MODELS

# Networks of the zoo that compute in float64 on a CPU.
ZOO = (
    "dense_net", "conv_net", "vgg_like", "residual", "dense_block", "inception_like", "depthwise_separable",
    "squeeze_excite", "u_net", "conv_1d", "tabular_regression", "binary_sigmoid", "multi_label",
    "shared_layer", "lambda_net", "raw_ops_net", "lstm_net", "attention_net", "layer_norm_net",
    "subgraph_net", "subclassed_net",
)  # fmt: skip


K = Kit("float64")


def _chain(shape: tuple, *layers: Any) -> Any:
    def build() -> tuple:
        with undisturbed_random_state():
            made = [make() for make in layers]
            return randomise(keras.Sequential([K.input(*shape), *made, K.Flatten(), K.Dense(3)]), seed=2), (
                shape,
            )

    return build


def _of_zoo(name: str) -> tuple:
    return MODELS[name].build(dtype="float64"), MODELS[name].shapes


MAKE = {
    "conv_3d": _chain(
        (4, 4, 3, 2),
        lambda: K.Conv3D(3, 2, activation="relu"),
        lambda: K.Conv3D(2, 2, strides=2, padding="same", activation="softplus"),
    ),
    "conv_transpose": _chain(
        (3, 4, 2), lambda: K.Conv2DTranspose(2, 3, strides=2, padding="same", activation="elu")
    ),
    "separable": _chain(
        (5, 6, 2), lambda: K.SeparableConv2D(3, 3, activation="tanh"), lambda: K.DepthwiseConv2D(2)
    ),
    "pooling_1d": _chain(
        (9, 2), lambda: K.Conv1D(3, 2), lambda: K.MaxPooling1D(2), lambda: K.AveragePooling1D(2)
    ),
    "norms": _chain(
        (4, 4), K.LayerNormalization, lambda: K.GroupNormalization(2), lambda: K.UnitNormalization()
    ),
    "gru": _chain(
        (5, 3), lambda: K.Bidirectional(K.GRU(3, return_sequences=True)), lambda: K.SimpleRNN(4)
    ),
    "einsum": _chain(
        (4, 3), lambda: K.EinsumDense("abc,cd->abd", (4, 5), bias_axes="d", activation="gelu")
    ),
    **{name: functools.partial(_of_zoo, name) for name in ZOO},
}  # fmt: skip
# Of a tiny network some samples have no way through its ReLUs, and innexplain says so.
some_are_zero = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")


@functools.cache
def _network(name: str) -> tuple[keras.Model, np.ndarray]:
    model, (shape,) = MAKE[name]()
    return model, np.random.default_rng(3).normal(size=(3, *shape))


def _score(model: keras.Model, x: np.ndarray, neurons: list) -> np.ndarray:
    """The score that is explained: before the softmax or sigmoid, where there is one to take off."""
    with contextlib.suppress(innexplain.errors.HeadError):
        model = innexplain.model_wo_softmax(model)
    output = ops.convert_to_numpy(model(x, training=False)).reshape(len(x), -1)
    return output[np.arange(len(x)), neurons]


def _differences(score: Any, x: np.ndarray, neurons: Any, h: float = 1e-5) -> np.ndarray:
    """The derivative of `score(rows, neurons)` by central differences, every entry of the input by itself."""
    n, size = len(x), x[0].size
    steps = h * np.eye(size).reshape(size, *x.shape[1:])
    rows = np.concatenate([x[i] + sign * steps for i in range(n) for sign in (1, -1)])
    found = score(rows, np.repeat(neurons, 2 * size)).reshape(n, 2, size)
    return ((found[:, 0] - found[:, 1]) / (2 * h)).reshape(x.shape)


@some_are_zero
@pytest.mark.parametrize("name", MAKE)
def test_gradient_is_the_derivative(name: str) -> None:
    model, x = _network(name)
    units = int(np.prod(model.output_shape[1:])) if name != "subclassed_net" else 3
    neurons = [0] * 3 if units == 1 else [0, units - 1, 1]
    if name == "binary_sigmoid":
        neurons = [1] * 3  # of the two classes that one unit stands for, the unit itself
    analyzer = innexplain.create_analyzer("gradient", model, neuron_selection_mode="index")
    answer, info = analyzer.analyze(x, neurons, return_info=True)
    columns = [0] * 3 if units == 1 else neurons
    expected = _differences(functools.partial(_score, model), x, columns)
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(info["score"], _score(model, x, columns), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(info["neuron"], neurons)
    assert answer.dtype == "float64"
    assert np.abs(expected).max() > 1e-4


@pytest.mark.parametrize("name", ["dense_net", "conv_net", "lstm_net"])
def test_probability_is_explained_where_asked_for(name: str) -> None:
    model, x = _network(name)
    analyzer = innexplain.create_analyzer("gradient", model, neuron_selection_mode="index", pre_softmax=False)
    expected = _differences(lambda z, k: ops.convert_to_numpy(model(z, training=False))[:, 1], x, [1] * 3)
    np.testing.assert_allclose(analyzer.analyze(x, 1), expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["conv_net", "attention_net", "pooling_1d"])
def test_sum_and_weighted_sum_of_the_outputs(name: str) -> None:
    model, x = _network(name)
    weights = np.array([0.5, -2.0, 3.0])

    def outputs(z: np.ndarray) -> np.ndarray:
        return np.stack([_score(model, z, [k] * len(z)) for k in range(3)], axis=1)

    weighted = innexplain.create_analyzer("gradient", model, neuron_selection_mode="weights")
    expected = _differences(lambda z, k: outputs(z) @ weights, x, [0] * 3)
    np.testing.assert_allclose(weighted.analyze(x, weights), expected, rtol=1e-5, atol=1e-7)
    squared = innexplain.create_analyzer("gradient", model, neuron_selection_mode=lambda y: ops.sum(y * y, 1))
    expected = _differences(lambda z, k: (outputs(z) ** 2).sum(axis=1), x, [0] * 3)
    np.testing.assert_allclose(squared.analyze(x), expected, rtol=1e-4, atol=1e-6)


def test_embedding_is_explained_by_its_derivative() -> None:
    """Moving one token's vector moves the score as the map at the embedding says."""
    case = MODELS["token_net"]
    model, tokens = case.build(dtype="float64"), case.inputs(2, np.random.default_rng(0))
    settings = {"neuron_selection_mode": "index", "embedding_map": True}
    whole = innexplain.create_analyzer("gradient", model, **settings).analyze(tokens, 2)
    embedding = next(layer for layer in model.layers if isinstance(layer, L.Embedding))
    table = embedding.embeddings.numpy()
    view = innexplain.model_wo_softmax(model)
    token = tokens[0, 0]
    slope = np.zeros(table.shape[1])
    for k in range(len(slope)):
        scores = []
        for h in (1e-5, -1e-5):
            moved = table.copy()
            moved[token, k] += h
            embedding.embeddings.assign(moved)
            scores.append(float(view(tokens[:1])[0, 2]))
        slope[k] = (scores[0] - scores[1]) / 2e-5
    embedding.embeddings.assign(table)
    expected = whole[0][tokens[0] == token].sum(axis=0)
    np.testing.assert_allclose(expected, slope, rtol=1e-5, atol=1e-8)
    assert np.abs(slope).max() > 1e-3
    summed = innexplain.create_analyzer("gradient", model, neuron_selection_mode="index").analyze(tokens, 2)
    np.testing.assert_allclose(summed, whole.sum(axis=-1), rtol=1e-6)


def test_postprocessing() -> None:
    model, x = _network("conv_net")
    plain, absolute, square = (
        innexplain.create_analyzer("gradient", model, postprocess=how).analyze(x)
        for how in (None, "abs", "square")
    )
    np.testing.assert_allclose(absolute, np.abs(plain), rtol=1e-12)
    np.testing.assert_allclose(square, plain**2, rtol=1e-12)
    assert plain.min() < 0


@pytest.mark.parametrize(("norm", "order"), [(1, 1), (2, 2), (np.inf, np.inf), ("inf", np.inf)])
def test_sensitivity_is_a_norm_over_channels(norm: Any, order: float) -> None:
    model, x = _network("conv_net")
    gradient = innexplain.create_analyzer("gradient", model).analyze(x)
    answer = innexplain.create_analyzer("sensitivity", model, norm=norm).analyze(x)
    np.testing.assert_allclose(answer, np.linalg.norm(gradient, ord=order, axis=-1), rtol=1e-10)
    assert answer.shape == x.shape[:-1]


def test_input_t_gradient_is_a_product() -> None:
    model, x = _network("attention_net")
    gradient = innexplain.create_analyzer("gradient", model).analyze(x)
    answer = innexplain.create_analyzer("input_t_gradient", model).analyze(x)
    np.testing.assert_allclose(answer, x * gradient, rtol=1e-12)


# --- Integrated gradients ------------------------------------------------------------------------


@functools.cache
def _relu_chain() -> tuple[keras.Model, reference.Network, np.ndarray]:
    layers = [
        keras.Input((5, 5, 2), dtype="float64"),
        L.Conv2D(3, 2, activation="relu", dtype="float64"),
        L.MaxPooling2D(2, dtype="float64"),
        L.Flatten(dtype="float64"),
        L.Dense(6, activation="relu", dtype="float64"),
        L.Dense(3, dtype="float64"),
    ]
    with undisturbed_random_state():
        model = randomise(keras.Sequential(layers), seed=5)
    return model, reference.read_sequential(model), np.random.default_rng(4).normal(size=(3, 5, 5, 2))


@pytest.mark.parametrize(("steps", "baseline"), [(1, "array"), (7, 0), (8, 0.3), (12, "array")])
def test_integrated_gradients_are_the_naive_sum(steps: int, baseline: Any) -> None:
    model, naive, x = _relu_chain()
    x0 = np.random.default_rng(5).normal(size=x.shape[1:]) if baseline == "array" else baseline
    analyzer = innexplain.create_analyzer(
        "integrated_gradients", model, steps=steps, baseline=x0, neuron_selection_mode="index"
    )
    expected = naive.integrated_gradients(x, [0, 1, 2], x0, steps)
    np.testing.assert_allclose(analyzer.analyze(x, [0, 1, 2]), expected, rtol=1e-9, atol=1e-12)
    assert np.abs(expected).max() > 1e-2


@pytest.mark.parametrize(
    ("name", "rule", "steps", "gap"),
    [
        ("separable", "midpoint", 300, 1e-3),
        ("separable", "trapezoid", 300, 1e-3),
        ("gru", "gauss_legendre", 50, 1e-7),
        ("lstm_net", "midpoint", 300, 1e-3),
    ],
)
def test_integrated_gradients_are_complete(name: str, rule: str, steps: int, gap: float) -> None:
    model, x = _network(name)
    baseline = np.random.default_rng(6).normal(size=x.shape[1:])
    analyzer = innexplain.create_analyzer(
        "integrated_gradients",
        model,
        steps=steps,
        rule=rule,
        baseline=baseline,
        neuron_selection_mode="index",
    )
    answer, info = analyzer.analyze(x, 0, return_info=True, batch_size=600)
    total = answer.reshape(3, -1).sum(axis=1)
    rise = _score(model, x, [0] * 3) - _score(model, np.broadcast_to(baseline, x.shape), [0] * 3)
    np.testing.assert_allclose(total, rise, atol=gap)
    np.testing.assert_allclose(info["gap"], rise - total, atol=1e-12)
    assert np.abs(total).max() > 50 * gap


def test_quadrature_rules_on_a_square() -> None:
    """Of `s = x^2` the gradient along the path is linear: every rule is exact from the fewest steps on."""
    x = keras.Input((1,), dtype="float64")
    model = keras.Model(x, L.Lambda(lambda t: t * t, dtype="float64")(x))
    for rule, steps in (("midpoint", 1), ("trapezoid", 2), ("gauss_legendre", 1)):
        analyzer = innexplain.create_analyzer(
            "integrated_gradients", model, rule=rule, steps=steps, baseline=1.0
        )
        np.testing.assert_allclose(analyzer.analyze(np.array([[3.0]])), [[8.0]], rtol=1e-12)


def test_neuron_is_chosen_at_the_sample_and_not_on_the_way() -> None:
    """At the baseline another class wins; the class of the sample is explained all along the path."""
    model = keras.Sequential([keras.Input((1,), dtype="float64"), L.Dense(2, dtype="float64")])
    model.set_weights([np.array([[1.0, -1.0]]), np.array([-1.0, 1.0])])
    analyzer = innexplain.create_analyzer("integrated_gradients", model)
    answer, info = analyzer.analyze(np.array([[3.0]]), return_info=True)
    assert info["neuron"].tolist() == [0]
    np.testing.assert_allclose(answer, [[3.0]], rtol=1e-12)
    np.testing.assert_allclose(info["gap"], [0.0], atol=1e-12)


# --- SmoothGrad ----------------------------------------------------------------------------------


def test_smoothgrad_without_noise_is_the_gradient() -> None:
    model, x = _network("conv_net")
    plain = innexplain.create_analyzer("gradient", model).analyze(x)
    smooth = innexplain.create_analyzer("smoothgrad", model, noise_scale=0, augment_by_n=3).analyze(x)
    np.testing.assert_allclose(smooth, plain, rtol=1e-10)


def test_smoothgrad_of_a_cubic_has_the_variance_of_its_noise() -> None:
    """`E[3 (x + e)^2] = 3 x^2 + 3 sigma^2` with sigma a fraction of the sample's range."""
    x = keras.Input((2,), dtype="float64")
    model = keras.Model(x, L.Lambda(lambda t: ops.sum(t**3, axis=1, keepdims=True), dtype="float64")(x))
    analyzer = innexplain.create_analyzer("smoothgrad", model, augment_by_n=4000, noise_scale=0.25)
    array = np.array([[1.0, 3.0]])
    expected = 3 * array**2 + 3 * (0.25 * 2.0) ** 2
    np.testing.assert_allclose(analyzer.analyze(array, batch_size=4000), expected, rtol=0.02)
