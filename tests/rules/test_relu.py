"""The two rules of a ReLU, and that every spelling of one gets them."""

import functools
import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

import innexplain
from innexplain.graph import canonical, trace
from innexplain.rules import DeconvReLU, Gradient, GuidedReLU
from tests import reference
from tests.eagerly import eagerly
from tests.zoo import relu_spellings

Z = np.array([[-3.0, -0.5, 0.25, 0.75, 5.0, 8.0]])  # below, and around a threshold of 0.5 and a cap of 6
R = np.array([[1.0, -2.0, 3.0, -4.0, 5.0, 6.0], [-1.0, 2.0, -3.0, 4.0, -5.0, 6.0]])


def _step(layer: Any) -> Any:
    x = keras.Input((6,), dtype="float64")
    (step,) = trace(keras.Model(x, layer(x))).steps
    return step


def _back(rule: Any, layer: Any, z: np.ndarray, r: np.ndarray) -> np.ndarray:
    outputs, pullback = rule.forward(_step(layer), ops.convert_to_tensor(z))
    np.testing.assert_allclose(outputs[0], layer(z))
    (answer,) = pullback([ops.convert_to_tensor(r)])
    return ops.convert_to_numpy(answer)


# name -> layer, its derivative at Z
LAYERS = {
    "relu": (L.ReLU(dtype="float64"), [0, 0, 1, 1, 1, 1]),
    "cap": (L.ReLU(max_value=6, dtype="float64"), [0, 0, 1, 1, 1, 0]),
    "slope": (L.ReLU(negative_slope=0.1, dtype="float64"), [0.1, 0.1, 1, 1, 1, 1]),
    "threshold": (L.ReLU(threshold=0.5, dtype="float64"), [0, 0, 0, 1, 1, 1]),
    "leaky": (L.LeakyReLU(negative_slope=0.3, dtype="float64"), [0.3, 0.3, 1, 1, 1, 1]),
}


@pytest.mark.parametrize("r", R, ids=["first", "second"])
@pytest.mark.parametrize("name", LAYERS)
def test_guided_is_rectified_then_gated(name: str, r: np.ndarray) -> None:
    layer, derivative = LAYERS[name]
    expected = np.maximum(r, 0) * derivative
    np.testing.assert_allclose(_back(GuidedReLU(), layer, Z, r[None])[0], expected)


@pytest.mark.parametrize("r", R, ids=["first", "second"])
@pytest.mark.parametrize("name", LAYERS)
def test_deconvnet_is_rectified_and_not_gated(name: str, r: np.ndarray) -> None:
    layer, _ = LAYERS[name]
    np.testing.assert_allclose(_back(DeconvReLU(), layer, Z, r[None])[0], np.maximum(r, 0))


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_is_gated_and_not_rectified(name: str) -> None:
    layer, derivative = LAYERS[name]
    np.testing.assert_allclose(_back(Gradient(), layer, Z, R[:1]), R[:1] * derivative)


@pytest.mark.parametrize("rule", [DeconvReLU(), GuidedReLU()])
def test_nothing_arrives_nothing_leaves(rule: Any) -> None:
    _, pullback = rule.forward(_step(LAYERS["relu"][0]), ops.convert_to_tensor(Z))
    assert list(pullback([None])) == [None]


def test_rules_are_values() -> None:
    assert DeconvReLU() == DeconvReLU()
    assert DeconvReLU() != GuidedReLU()
    assert (DeconvReLU().name, GuidedReLU().name) == ("DeconvReLU", "GuidedReLU")
    assert len({DeconvReLU(), DeconvReLU(), GuidedReLU()}) == 2


def test_relu_rules_are_for_activations_only() -> None:
    x = keras.Input((3,))
    linear, activation = canonical(trace(keras.Model(x, L.Dense(2, activation="relu")(x)))).graph.steps
    for rule in (DeconvReLU(), GuidedReLU()):
        assert (rule.suits(linear), rule.suits(activation)) == (False, True)


# --- Every spelling ------------------------------------------------------------------------------

SPELLINGS = {s.name: s for s in relu_spellings()}
VARIANTS = ("flat", "nested", "shared")
METHODS = ("deconvnet", "guided_backprop")
FIRST = {}  # the first spelling of each group stands for the group
for _spelling in SPELLINGS.values():
    FIRST.setdefault(_spelling.group, _spelling.name)


@functools.cache
def _maps(name: str, variant: str, method: str) -> tuple:
    """The map of one spelling, and what was overridden; every neuron of the output is explained."""
    spelling = SPELLINGS[name]
    model = spelling.build()[VARIANTS.index(variant)]
    analyzer = innexplain.create_analyzer(method, model, neuron_selection_mode="index")
    return _analyze(analyzer, spelling), analyzer.overridden


def _analyze(analyzer: Any, spelling: Any) -> np.ndarray:
    """The maps of two inputs x three neurons; some neurons have no way back, and innexplain says so."""
    x = np.repeat(spelling.inputs(2, np.random.default_rng(0)), 3, axis=0)
    with eagerly(), warnings.catch_warnings():
        warnings.simplefilter("ignore", innexplain.errors.InnexplainWarning)
        return analyzer.analyze(x, [0, 1, 2] * 2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_gives_the_map_of_its_group(name: str, variant: str, method: str) -> None:
    answer, _ = _maps(name, variant, method)
    expected, _ = _maps(FIRST[SPELLINGS[name].group], variant, method)
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)
    assert np.isfinite(answer).all()
    assert np.abs(answer).max() > 1e-2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("group", FIRST)
def test_flat_and_nested_give_the_same_map(group: str, method: str) -> None:
    flat, nested = (_maps(FIRST[group], variant, method)[0] for variant in ("flat", "nested"))
    np.testing.assert_allclose(nested, flat, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("group", FIRST)
def test_the_map_is_not_the_gradient(group: str, method: str) -> None:
    """What a package gives that overlooks the ReLUs of nested models."""
    spelling = SPELLINGS[FIRST[group]]
    for variant, model in zip(VARIANTS, spelling.build(), strict=True):
        analyzer = innexplain.create_analyzer("gradient", model, neuron_selection_mode="index")
        difference = _maps(spelling.name, variant, method)[0] - _analyze(analyzer, spelling)
        assert np.abs(difference).max() > 1e-2


@pytest.mark.parametrize("method", METHODS)
def test_spellings_of_relu_match_the_naive_map(method: str) -> None:
    spelling = SPELLINGS["relu:argument"]
    naive = reference.read_sequential(spelling.build()[0])
    x = np.repeat(spelling.inputs(2, np.random.default_rng(0)), 3, axis=0)
    expected = naive.explain(x, [0, 1, 2] * 2, method)
    np.testing.assert_allclose(_maps("relu:argument", "flat", method)[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SPELLINGS)
def test_overridden_names_every_relu_once(name: str) -> None:
    for variant, count in (("flat", 3), ("nested", 3), ("shared", 5)):
        _, overridden = _maps(name, variant, "guided_backprop")
        assert len(set(overridden)) == len(overridden) == count
    nested, shared = (_maps(name, variant, "guided_backprop")[1] for variant in ("nested", "shared"))
    assert nested[0].startswith("outer/")
    assert nested[1].startswith("outer/inner/")
    assert [path.startswith("tower/") for path in shared] == [True] * 4 + [False]
    assert sum("(call" in path for path in shared) in (2, 3)  # two operations, or one layer, called again


def test_overridden_is_empty_for_gradients() -> None:
    model = SPELLINGS["relu:ReLU"].build()[0]
    assert innexplain.create_analyzer("gradient", model).overridden == ()
