"""What evaluators ask a model: outputs, one row an input, and the score that is watched."""

import keras
import numpy as np
import pytest
from keras import layers as L

from innexplain.errors import ArgumentError, InputError, ModelError
from innexplain.evaluators.predictions import predict_all, predictor, watch


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape).astype("float32")


def dense(units: int = 3, activation: str = "softmax", batch_size: int | None = None) -> keras.Model:
    x = keras.Input((6, 5, 2), batch_size=batch_size)
    return keras.Model(x, L.Dense(units, activation=activation)(L.Reshape((60,))(x)))


def with_inputs(structure) -> keras.Model:
    x = keras.Input((6, 5, 2), name="picture")
    return keras.Model(structure(x), L.Dense(3)(L.Flatten()(x)))


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = L.Dense(3)

    def call(self, x):
        return self.dense(keras.ops.reshape(x, (-1, 60)))


def subclassed() -> keras.Model:
    model = Subclassed()
    model(values(1, 6, 5, 2))
    return model


NETWORKS = {
    "functional": dense,
    "list": lambda: with_inputs(lambda x: [x]),
    "dict": lambda: with_inputs(lambda x: {"picture": x}),
    "sequential": lambda: keras.Sequential([keras.Input((6, 5, 2)), L.Flatten(), L.Dense(3)]),
    "subclassed": subclassed,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_the_model(name: str) -> None:
    model = NETWORKS[name]()
    x = values(5, 6, 5, 2)
    given = {"list": [x], "dict": {"picture": x}}.get(name, x)
    found = predictor(model)(x)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, model(given), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float64", "bool"])
def test_inputs_of_any_dtype_are_cast_as_the_model_does(dtype: str) -> None:
    model = dense()
    x = (10 * values(4, 6, 5, 2)).astype(dtype)
    np.testing.assert_allclose(predictor(model)(x), model(x.astype("float32")), rtol=1e-5)


def test_a_sigmoid_unit_is_two_classes() -> None:
    model = dense(1, "sigmoid")
    p = keras.ops.convert_to_numpy(model(values(4, 6, 5, 2)))
    both = np.concatenate([1 - p, p], axis=1)
    np.testing.assert_allclose(predictor(model)(values(4, 6, 5, 2)), both, rtol=1e-5)


def test_a_unit_without_sigmoid_is_one_score() -> None:
    assert predictor(dense(1, "linear"))(values(4, 6, 5, 2)).shape == (4, 1)
    assert predictor(dense(2, "sigmoid"))(values(4, 6, 5, 2)).shape == (4, 2)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 9])
def test_a_fixed_batch_size_is_kept(rows: int) -> None:
    fixed, free = dense(batch_size=4), dense()
    free.set_weights(fixed.get_weights())
    x = values(rows, 6, 5, 2)
    np.testing.assert_allclose(predictor(fixed)(x), predictor(free)(x), rtol=1e-5)


def test_spatial_outputs_are_flattened_and_lists_of_scores_are_a_column() -> None:
    x = values(4, 6, 5, 2)
    np.testing.assert_array_equal(predictor(lambda x: x)(x), x.reshape(4, 60))
    assert predictor(lambda x: list(range(len(x))))(x).tolist() == [[0], [1], [2], [3]]


def test_functions_get_a_copy() -> None:
    x = values(4, 6, 5, 2)
    before = x.copy()

    def careless(batch: np.ndarray) -> np.ndarray:
        batch *= 0
        return np.ones((len(batch), 2))

    predict_all(predictor(careless), x, 3)
    np.testing.assert_array_equal(x, before)


def test_no_call_has_more_rows_than_asked_for() -> None:
    sizes = []
    predict = predictor(lambda x: sizes.append(len(x)) or x)
    np.testing.assert_array_equal(predict_all(predict, values(7, 2), 3), values(7, 2))
    assert sizes == [3, 3, 1]


def two_inputs() -> keras.Model:
    x = [keras.Input((3,)), keras.Input((3,))]
    return keras.Model(x, L.Add()(x))


def two_outputs() -> keras.Model:
    x = keras.Input((3,))
    return keras.Model(x, [L.Dense(2)(x), L.Dense(3)(x)])


@pytest.mark.parametrize(
    ("make", "x", "error", "words"),
    [
        (lambda: "model.keras", values(2, 3), ModelError, "of type str"),
        (lambda: None, values(2, 3), ModelError, "of type NoneType"),
        (two_inputs, values(2, 3), ModelError, "takes 2. Give a function"),
        (two_outputs, values(2, 3), ModelError, "gives 2. Give a function"),
        (Subclassed, values(2, 60), ModelError, "was never built"),
        (dense, values(2, 6, 5, 7), InputError, "fails on this input"),
        (lambda: lambda x: x[:1], values(2, 3), ModelError, "one row an input, 2"),
        (lambda: lambda x: None, values(2, 3), ModelError, "Received: NoneType"),
        (lambda: lambda x: 1.0, values(2, 3), ModelError, "array of numbers"),
        (lambda: lambda x: [["a"], ["b"]], values(2, 3), ModelError, "array of numbers"),
        (lambda: lambda x: x * np.nan, values(2, 3), InputError, "gives NaN or infinity"),
    ],
)
def test_bad_models_are_refused(make, x: np.ndarray, error, words: str) -> None:
    with pytest.raises(error, match=words):
        predictor(make())(x)


# --- The score that is watched -------------------------------------------------------------------

OUTPUTS = np.array([[0.1, 0.7, 0.2], [0.5, 0.5, 0.0]])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, [0.7, 0.5]),
        (2, [0.2, 0.0]),
        (np.int64(0), [0.1, 0.5]),
        ([2, 0], [0.2, 0.5]),
        (np.array([1, 2], "uint8"), [0.7, 0.0]),
        (lambda outputs: outputs[:, 1] - outputs[:, 2], [0.5, 0.5]),
    ],
)
def test_scores_of_targets(target, expected: list) -> None:
    watched = watch(OUTPUTS, target)
    np.testing.assert_allclose(watched.scores(OUTPUTS, np.arange(2)), expected)
    # Rows that were made of the second sample watch its class.
    twice = watched.scores(OUTPUTS[[1, 0, 1]], np.array([1, 0, 1]))
    np.testing.assert_allclose(twice, np.array(expected)[[1, 0, 1]])


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (3, "between 0 and 2.* Received: 3"),
        (-1, "between 0 and 2.* Received: -1"),
        ([0, 5], "between 0 and 2.* Received: 5"),
        ([0], "2 ints"),
        ([0, 1, 2], "2 ints"),
        ([[0], [1]], "2 ints"),
        ([[0], [1, 2]], "2 ints"),
        (1.0, "2 ints"),
        (True, "2 ints"),
        ("cat", "2 ints"),
    ],
)
def test_bad_targets_are_refused(target, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        watch(OUTPUTS, target)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda outputs: outputs, r"Received: dtype float64, shape \(2, 3\)"),
        (lambda outputs: 1.0, r"shape \(\)"),
        (lambda outputs: ["a", "b"], "dtype <U1"),
        (lambda outputs: outputs[:, 0] / 0, "finite scores"),
    ],
)
def test_bad_scores_of_callables_are_refused(function, words: str) -> None:
    with np.errstate(divide="ignore"), pytest.raises(ArgumentError, match=words):
        watch(OUTPUTS, function).scores(OUTPUTS, np.arange(2))
