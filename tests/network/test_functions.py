"""Any function from arrays to arrays stands in place of a model, in every method that only calls."""

from typing import Any

import numpy as np
import pytest

from innexplain import analyzer_names, create_analyzer
from innexplain.analyzers.method import METHODS
from innexplain.errors import ArgumentError, GraphError, InputError, ModelError
from innexplain.network import Network, Options
from tests.network.test_network import scored

X = np.random.default_rng(0).random((5, 4)).astype("float32")
WEIGHTS = np.random.default_rng(1).standard_normal((4, 3))


def predict(x: np.ndarray) -> np.ndarray:
    return x @ WEIGHTS


def test_outputs_scores_and_names() -> None:
    network = Network.of(predict)
    assert network.is_function and network.name == "predict"
    np.testing.assert_allclose(network.outputs([X], 2)[0], predict(X))
    result = scored(network, X)
    np.testing.assert_allclose(result.score, predict(X).max(axis=1))
    np.testing.assert_array_equal(result.neuron, predict(X).argmax(axis=1))
    np.testing.assert_allclose(scored(Network.of(predict, Options("index")), X, 2).score, predict(X)[:, 2])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int64", "bool"])
def test_functions_get_the_dtypes_of_the_data(dtype: str) -> None:
    seen: list[Any] = []

    def noting(x: np.ndarray) -> np.ndarray:
        seen.append((x.dtype.name, type(x), x.flags.writeable))
        x += x.dtype.type(1)  # copies are theirs to change
        return predict(x)

    x = (X * 9).astype(dtype)
    before = x.copy()
    expected = predict(x + x.dtype.type(1))
    np.testing.assert_allclose(scored(Network.of(noting), x).score, expected.max(axis=1))
    np.testing.assert_allclose(Network.of(noting).outputs([x], 2)[0], expected)
    assert set(seen) == {(dtype, np.ndarray, True)}
    np.testing.assert_array_equal(x, before)
    found = create_analyzer("input", noting).analyze(x)
    assert found.dtype == (dtype if dtype.startswith("float") else "float32")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
def test_a_score_a_row_is_one_column(dtype: str) -> None:
    network = Network.of(lambda x: (x.sum(axis=1) * 2).astype(dtype))
    (outputs,) = network.outputs([X], 2)
    assert outputs.shape == (5, 1)
    np.testing.assert_allclose(outputs[:, 0], (X.sum(axis=1) * 2).astype(dtype), rtol=1e-6)
    assert network.output_shape([X]) == (1,)
    np.testing.assert_allclose(scored(network, X).score, outputs[:, 0])


def test_several_outputs_and_several_inputs() -> None:
    def several(x: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"product": x["a"] * x["b"], "sum": x["a"] + x["b"]}

    x = {"a": X, "b": X[:, ::-1]}
    for output, expected in enumerate((x["a"] * x["b"], x["a"] + x["b"])):
        network = Network.of(several, Options(output=output))
        np.testing.assert_allclose(scored(network, x).score, expected.max(axis=1))
        assert [o.shape for o in network.outputs(network.read(x).arrays, 3)] == [(5, 4), (5, 4)]
    for output in (None, 2):
        with pytest.raises(ArgumentError, match=r"'several' gives 2 output\(s\): output= must be an index"):
            scored(Network.of(several, Options(output=output)), x)
    found = create_analyzer("random", several, output=1, seed=1).analyze(x)
    assert {name: m.shape for name, m in found.items()} == {"a": (5, 4), "b": (5, 4)}


WRONG = [
    (lambda x: x.sum(), r"one row an input, 1\. Received: float32 of shape \(\)"),
    (lambda x: x[:-1], r"one row an input, 1\. Received: ndarray of shape \(0, 4\)"),
    (lambda x: np.concatenate([x, x]), r"one row an input, 1\. Received: ndarray of shape \(2, 4\)"),
    (lambda x: np.array(["a"] * len(x)), r"array of numbers.*Received: ndarray of shape \(1,\)"),
    (lambda x: None, r"array of numbers.*Received: NoneType"),
]


@pytest.mark.parametrize(("function", "words"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_array_of_outputs_is_refused(function: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        create_analyzer("input", function).analyze(X)


def test_failures_of_a_function_are_named() -> None:
    def fails(x: np.ndarray) -> np.ndarray:
        raise ValueError("not today")

    with pytest.raises(InputError, match=r"The model 'fails' fails on this input.*not today"):
        create_analyzer("random", fails).analyze(X)


def test_answers_do_not_depend_on_batches_nor_on_being_a_model() -> None:
    for name in ("input", "random"):
        analyzer = create_analyzer(name, predict, neuron_selection_mode="index")
        maps, info = analyzer.analyze(X, 1, return_info=True)
        for batch_size in (1, 3):
            others, told = analyzer.analyze(X, 1, batch_size, return_info=True)
            np.testing.assert_array_equal(others, maps)
            np.testing.assert_allclose(told["score"], info["score"])
        np.testing.assert_allclose(info["score"], predict(X)[:, 1])
        assert np.ptp(maps) > 0


@pytest.mark.parametrize("name", [name for name in analyzer_names() if METHODS[name].needs != "calls"])
def test_methods_that_do_more_than_call_say_so_by_name(name: str) -> None:
    words = rf"{name} needs derivatives, and 'predict' is a function.*only calls: input, random\."
    with pytest.raises(GraphError, match=words):
        create_analyzer(name, predict)


def test_settings_of_the_model_do_not_hide_that_it_is_a_function() -> None:
    for given in ({"layer": "conv"}, {"response": "gradient"}, {"response": "input"}):
        with pytest.raises(GraphError, match="clear needs derivatives, and 'predict' is a function"):
            create_analyzer("clear", predict, **given)
    inner = create_analyzer("input", predict)
    with pytest.raises(
        ArgumentError, match="smoothgrad averages the maps of an analyzer that goes backwards"
    ):
        create_analyzer("smoothgrad", predict, analyzer=inner)


def test_no_array_at_all_is_told() -> None:
    for nothing in ([], (), {}):
        with pytest.raises(InputError, match="x is empty: there is no sample to explain"):
            create_analyzer("input", predict).analyze(nothing)
