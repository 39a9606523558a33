"""Backward with `keep=`: relevance and value at a slot, stopping there, rules asked for above it only."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import innexplain
from innexplain.analyzers.method import METHODS
from innexplain.analyzers.walking import WalkedNetwork
from innexplain.errors import UnsupportedLayerError
from innexplain.network import Options, Result
from tests.zoo import randomise

L = keras.layers
X = np.random.default_rng(0).standard_normal((3, 8, 8, 2)).astype("float32")
NAMES = (
    "gradient",
    "guided_backprop",
    "lrp.epsilon",
    "lrp.alpha_2_beta_1",
    "deep_taylor",
    "excitation_backprop",
)


def residual() -> keras.Model:
    """Two branches around "inner", which are added behind it."""
    x = keras.Input(X.shape[1:])
    a = L.Conv2D(3, 3, activation="relu", padding="same", name="first")(x)
    b = L.Conv2D(3, 3, padding="same", name="inner")(a)
    b = L.ReLU(name="relu")(L.BatchNormalization(name="norm")(b))
    c = L.Add(name="add")([a, b])
    h = L.Flatten(name="flat")(L.MaxPooling2D(name="pool")(c))
    return randomise(keras.Model(x, L.Dense(4, activation="softmax", name="classes")(h), name="residual"), 4)


def kept(name: str, model: keras.Model, layer: str | None, x: Any = X, **options: Any) -> tuple[Any, Result]:
    """The value and what came of relevance, for the first slot of the entries or the output of a layer."""
    method: Any = METHODS[name]
    plain = WalkedNetwork(model, Options(**options, check_only=True), method, method.composite())
    slot = plain.explained[0].slot if layer is None else next(iter(plain.slots([layer]).values()))
    network = WalkedNetwork(model, Options(**options), method, method.composite(), keep=slot)
    given = network.read(x)
    data = network.target.data(None, len(given.arrays[0]), network.output_shape(given.arrays))
    result = network.relevance(network.rows(given.arrays), data, batch_size=2)
    (value,) = result.details["value"]
    return value, result


@pytest.mark.parametrize("layer", ["first", "inner", "relu", "add", "pool", "flat"])
@pytest.mark.parametrize("name", NAMES)
def test_relevance_at_a_layer_is_what_a_whole_pass_records_there(name: str, layer: str) -> None:
    """Where relevance is propagated, the output of a convolution is that of the batch norm behind it."""
    model = residual()
    analyzer = innexplain.create_analyzer(name, model)
    _, info = analyzer.analyze(X, return_layers=[layer])
    (recorded,) = info["layers"].values()
    value, result = kept(name, model, layer)
    (relevance,) = result.maps
    assert np.any(relevance)
    np.testing.assert_allclose(relevance, recorded, rtol=1e-5, atol=1e-6 * np.abs(recorded).max())
    folded = layer == "inner" and METHODS[name].composite().relevance  # type: ignore[attr-defined]
    activation = keras.Model(model.input, model.get_layer("norm" if folded else layer).output)(X)
    np.testing.assert_allclose(value, ops.convert_to_numpy(activation), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(result.score, info["score"], rtol=1e-6)
    np.testing.assert_array_equal(result.neuron, info["neuron"])


@pytest.mark.parametrize("name", NAMES)
def test_at_the_entry_it_is_the_map(name: str) -> None:
    model = residual()
    value, result = kept(name, model, None)
    expected = innexplain.create_analyzer(name, model).analyze(X)
    np.testing.assert_allclose(result.maps[0], expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_array_equal(value, X)


def test_at_the_output_it_is_where_relevance_starts() -> None:
    """The logit of the explained class, and nothing for the others."""
    value, result = kept("lrp.epsilon", residual(), "classes")
    chosen = np.eye(4)[result.neuron]
    np.testing.assert_allclose(result.maps[0], value * chosen, rtol=1e-6)
    np.testing.assert_allclose(result.score, (value * chosen).sum(axis=1), rtol=1e-6)


def test_beside_a_layer_relevance_goes_on_where_it_is_not_kept() -> None:
    """Of the two ways to the sum only that through "relu" is kept, so less arrives than was started."""
    model = residual()
    _, result = kept("lrp.z", model, "relu")
    _, whole = kept("lrp.z", model, "add")
    _, info = innexplain.create_analyzer("lrp.z", model).analyze(X, return_layers=["relu"])
    at_relu = result.maps[0].sum(axis=(1, 2, 3))
    np.testing.assert_allclose(at_relu, info["layers"]["relu"].sum(axis=(1, 2, 3)), rtol=1e-4)
    assert (np.abs(at_relu - whole.maps[0].sum(axis=(1, 2, 3))) > 1e-3).all()


class Unknown(L.Layer):
    """Code that no method of relevance has a rule for."""

    def call(self, x: Any) -> Any:
        return ops.sin(x)


def _with_unknown() -> keras.Model:
    x = keras.Input((4,))
    h = L.Dense(3, activation="relu", name="hidden")(Unknown(name="unknown")(x))
    return randomise(keras.Model(x, L.Dense(2, name="out")(h), name="coded"), 2)


def test_a_layer_below_that_the_method_refuses_is_no_obstacle() -> None:
    model, x = _with_unknown(), X[:, 0, :2].reshape(3, 4)
    with pytest.raises(UnsupportedLayerError, match="unknown"):
        innexplain.create_analyzer("lrp.z", model)
    value, result = kept("lrp.z", model, "hidden", x)
    hidden = keras.Model(model.input, model.get_layer("hidden").output)
    upper = keras.Sequential([keras.Input((3,)), model.get_layer("out")])
    np.testing.assert_allclose(value, ops.convert_to_numpy(hidden(x)), rtol=1e-6)
    expected = innexplain.create_analyzer("lrp.z", upper).analyze(value)
    np.testing.assert_allclose(result.maps[0], expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(UnsupportedLayerError, match="unknown"):
        kept("lrp.z", model, None, x)


def test_rules_below_are_neither_asked_for_nor_refused() -> None:
    """A rule of `rules=` for a layer below says nothing, one above counts."""
    model = residual()
    _, plain = kept("lrp.z", model, "add")
    _, below = kept("lrp.z", model, "add", rules={"first": "Flat"})
    _, above = kept("lrp.z", model, "add", rules={"classes": "Flat"})
    np.testing.assert_array_equal(below.maps[0], plain.maps[0])
    assert not np.allclose(above.maps[0], plain.maps[0])


def test_fewer_steps_have_rules() -> None:
    model = residual()
    method: Any = METHODS["lrp.z"]
    whole = WalkedNetwork(model, Options(), method, method.composite())
    slot = whole.slots(["pool"])["pool"]
    above = WalkedNetwork(model, Options(), method, method.composite(), keep=slot)
    assert [str(a.step) for a in above.assignments] == ["flat", "classes [linear]", "classes [stripped head]"]
    assert len(whole.assignments) > 5


@pytest.mark.compiled
def test_compiled_it_gives_the_same() -> None:
    model = residual()
    _, info = innexplain.create_analyzer("lrp.epsilon", model).analyze(X, return_layers=["add"])
    _, result = kept("lrp.epsilon", model, "add")
    np.testing.assert_allclose(result.maps[0], info["layers"]["add"], rtol=1e-4, atol=1e-6)
