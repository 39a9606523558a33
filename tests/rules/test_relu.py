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


@pytest.mark.parametrize("name", LAYERS)
def test_guided_is_rectified_then_gated(name: str) -> None:
    layer, derivative = LAYERS[name]
    for r in R:
        expected = np.maximum(r, 0) * derivative
        np.testing.assert_allclose(_back(GuidedReLU(), layer, Z, r[None])[0], expected)


@pytest.mark.parametrize("name", LAYERS)
def test_deconvnet_is_rectified_and_not_gated(name: str) -> None:
    layer, _ = LAYERS[name]
    for r in R:
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
ONCE = {"flat": "deconvnet", "nested": "guided_backprop", "shared": "guided_backprop"}
FIRST = {}  # the first spelling of each group stands for the group
for _spelling in SPELLINGS.values():
    FIRST.setdefault(_spelling.group, _spelling.name)


@functools.cache
def _models(name: str) -> dict:
    return dict(zip(VARIANTS, SPELLINGS[name].build(), strict=True))


@functools.cache
def _maps(name: str, variant: str, method: str) -> tuple:
    """The map of one spelling, and what was overridden; every neuron of the output is explained.

    Of two inputs x three neurons, some have no way back, and innexplain says so.
    """
    analyzer = innexplain.create_analyzer(method, _models(name)[variant], neuron_selection_mode="index")
    x = np.repeat(SPELLINGS[name].inputs(2, np.random.default_rng(0)), 3, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", innexplain.errors.InnexplainWarning)
        return analyzer.analyze(x, [0, 1, 2] * 2), analyzer.overridden


def _check_alike(name: str, variant: str, method: str) -> None:
    answer, _ = _maps(name, variant, method)
    expected, _ = _maps(FIRST[SPELLINGS[name].group], variant, method)
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)
    assert np.isfinite(answer).all()
    assert np.abs(answer).max() > 1e-2


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_gives_the_map_of_its_group(name: str) -> None:
    """Each once as it is, inside models and called twice; each method finds it by the same rows."""
    for variant, method in ONCE.items():
        _check_alike(name, variant, method)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_with_the_other_method(name: str) -> None:
    for variant, method in ONCE.items():
        (other,) = set(METHODS) - {method}
        _check_alike(name, variant, other)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("group", FIRST)
def test_flat_and_nested_give_the_same_map(group: str, method: str) -> None:
    """And one that is not the gradient, as a package gives it that overlooks the ReLUs of nested models."""
    flat, nested, shared = (_maps(FIRST[group], variant, method)[0] for variant in VARIANTS)
    np.testing.assert_allclose(nested, flat, rtol=1e-5, atol=1e-6)
    for found, variant in ((nested, "nested"), (shared, "shared")):
        gradient, _ = _maps(FIRST[group], variant, "gradient")
        assert np.abs(found - gradient).max() > 1e-2


@pytest.mark.parametrize("method", METHODS)
def test_spellings_of_relu_match_the_naive_map(method: str) -> None:
    naive = reference.read_sequential(_models("relu:argument")["flat"])
    x = np.repeat(SPELLINGS["relu:argument"].inputs(2, np.random.default_rng(0)), 3, axis=0)
    expected = naive.explain(x, [0, 1, 2] * 2, method)
    np.testing.assert_allclose(_maps("relu:argument", "flat", method)[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SPELLINGS)
def test_overridden_names_every_relu_once(name: str) -> None:
    flat, nested, shared = (_maps(name, variant, method)[1] for variant, method in ONCE.items())
    for overridden, count in ((flat, 3), (nested, 3), (shared, 5)):
        assert len(set(overridden)) == len(overridden) == count
    assert nested[0].startswith("outer/")
    assert nested[1].startswith("outer/inner/")
    assert [path.startswith("tower/") for path in shared] == [True] * 4 + [False]
    assert sum("(call" in path for path in shared) in (2, 3)  # two operations, or one layer, called again


def test_overridden_is_empty_for_gradients() -> None:
    assert _maps("relu:argument", "nested", "gradient")[1] == ()
