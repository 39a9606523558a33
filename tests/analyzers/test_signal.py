"""Deconvnet and guided backprop against numpy."""

import keras
import numpy as np
import pytest
from keras import layers as L

import innexplain
from tests import reference
from tests.zoo import randomise, undisturbed_random_state

METHODS = ("deconvnet", "guided_backprop")
IMAGE = (7, 8, 2)
# Of a tiny network some neurons have no way back through its ReLUs, and innexplain says so.
some_are_zero = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")

# name -> input shape, layers before the logits
CHAINS = {
    "dense": ((6,), lambda: [L.Dense(8, activation="relu"), L.Dense(7), L.ReLU()]),
    "conv_valid": (IMAGE, lambda: [L.Conv2D(4, 3, activation="relu"), L.Conv2D(3, 2), L.ReLU(), L.Flatten()]),
    "conv_same_strides": (
        IMAGE,
        lambda: [
            L.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            L.Conv2D(4, (2, 3), strides=(1, 2), padding="same", activation="relu"),
            L.Flatten(),
        ],
    ),
    "conv_dilation": (
        IMAGE,
        lambda: [
            L.Conv2D(4, 2, dilation_rate=2, padding="same", activation="relu"),
            L.Conv2D(3, 3, dilation_rate=(1, 2), activation="relu"),
            L.GlobalAveragePooling2D(),
        ],
    ),
    "max_pool": (
        IMAGE,
        lambda: [L.Conv2D(4, 2), L.ReLU(), L.MaxPooling2D(2), L.Conv2D(3, 2), L.ReLU(), L.Flatten()],
    ),
    "max_pool_overlap_same": (
        IMAGE,
        lambda: [L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(3, 2, padding="same"), L.Flatten()],
    ),
    "max_pool_first": (
        IMAGE,
        lambda: [L.MaxPooling2D((2, 3), strides=1), L.Conv2D(3, 2, activation="relu"), L.Flatten()],
    ),
    "average_pool": (
        IMAGE,
        lambda: [
            L.Conv2D(4, 2, padding="same", activation="relu"),
            L.AveragePooling2D(3, strides=2, padding="same"),
            L.Conv2D(3, 2, activation="relu"),
            L.GlobalAveragePooling2D(),
        ],
    ),
    "batch_norm": (
        IMAGE,
        lambda: [
            L.BatchNormalization(),
            L.Conv2D(4, 3, use_bias=False),
            L.BatchNormalization(epsilon=0.01),
            L.ReLU(),
            L.MaxPooling2D(2),
            L.Flatten(),
            L.Dense(5, activation="relu"),
            L.BatchNormalization(),
        ],
    ),
}


def _chain(name: str, dtype: str) -> tuple[keras.Model, np.ndarray]:
    shape, layers = CHAINS[name]
    with undisturbed_random_state():
        made = [*layers(), L.Dense(3)]
        made = [type(layer).from_config({**layer.get_config(), "dtype": dtype}) for layer in made]
        model = randomise(keras.Sequential([keras.Input(shape, dtype=dtype), *made]), seed=4)
    return model, np.random.default_rng(5).normal(size=(4, *shape)).astype(dtype)


@pytest.mark.parametrize("name", CHAINS)
def test_reference_is_the_network(name: str) -> None:
    model, x = _chain(name, "float64")
    naive = reference.read_sequential(model)
    np.testing.assert_allclose(naive.forward(x), model(x), rtol=1e-10, atol=1e-10)
    step = np.random.default_rng(6).normal(size=x.shape) * 1e-6
    slope = (naive.forward(x + step) - naive.forward(x - step))[np.arange(4), [0, 1, 2, 0]] / 2
    expected = (naive.explain(x, [0, 1, 2, 0]) * step).reshape(4, -1).sum(axis=1)
    np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-10)


@some_are_zero
@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, "float64") for name in CHAINS), ("max_pool", "float32"), ("batch_norm", "float32")],
)
def test_matches_the_naive_map(name: str, dtype: str) -> None:
    model, x = _chain(name, dtype)
    naive, neurons = reference.read_sequential(model), [0, 1, 2, 1]
    tolerance = 1e-9 if dtype == "float64" else 2e-4
    for method in (*METHODS, "gradient"):
        expected = naive.explain(x, neurons, method)
        answer = innexplain.create_analyzer(method, model, neuron_selection_mode="index").analyze(x, neurons)
        np.testing.assert_allclose(
            answer, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max(), err_msg=method
        )
        assert answer.dtype == dtype
        assert np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_seed_is_one_and_not_the_score(method: str) -> None:
    model, x = _chain("dense", "float64")
    first = innexplain.create_analyzer(method, model).analyze(x)
    last = model.layers[-1]
    last.set_weights([last.kernel.numpy(), last.bias.numpy() + 100.0])
    np.testing.assert_allclose(innexplain.create_analyzer(method, model).analyze(x), first, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_softmax_at_the_end_changes_nothing(method: str) -> None:
    model, x = _chain("conv_valid", "float64")
    ended = keras.Sequential([keras.Input(IMAGE, dtype="float64"), *model.layers, L.Softmax(dtype="float64")])
    maps = [innexplain.create_analyzer(method, m).analyze(x) for m in (model, ended)]
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-9)
