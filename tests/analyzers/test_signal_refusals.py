"""What deconvnet and guided backprop refuse, how they say so, and the ways out."""

import inspect
from typing import Any

import keras
import numpy as np
import pytest
from keras import activations, ops
from keras import layers as L

import innexplain
from innexplain import errors
from innexplain.rules import Gradient, GuidedReLU
from tests.zoo import randomise

METHODS = ("deconvnet", "guided_backprop")
# Of a tiny network some samples have no way back through its ReLUs, and innexplain says so.
some_are_zero = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")


def _takes_one(name: str) -> bool:
    function = getattr(activations, name)
    if not inspect.isfunction(function) or name in ("get", "deserialize", "serialize"):
        return False
    parameters = list(inspect.signature(function).parameters.values())
    return all(p.default is not p.empty for p in parameters[1:])


RELUS = {"relu", "relu6", "leaky_relu", "linear"}
OTHERS = sorted(name for name in dir(activations) if _takes_one(name) and name not in RELUS)


class Gate(L.Layer):
    """A ReLU that nobody can see."""

    def call(self, x):
        return x * ops.cast(x > 0, x.dtype)


class Squared(L.ReLU):
    """A subclass that does something else."""

    def call(self, x):
        return super().call(x) ** 2


class Block(keras.Model):
    """A subclassed model inside a functional one."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = L.Dense(4, activation="relu")

    def call(self, x):
        return self.dense(x)


def _sequence(layer: Any) -> Any:
    return lambda x: L.Flatten()(layer(L.Reshape((2, 2))(x)))


REFUSED = {
    "ELU": L.ELU(name="odd"),
    "PReLU": L.PReLU(name="odd"),
    "Softmax": L.Softmax(name="odd"),
    "Activation": L.Activation("tanh", name="odd"),
    "Lambda": L.Lambda(lambda x: ops.relu(x), name="odd"),
    "Gate": Gate(name="odd"),
    "Squared": Squared(name="odd"),
    "Block": Block(name="odd"),
    "TimeDistributed": _sequence(L.TimeDistributed(L.Dense(2, activation="relu"), name="odd")),
    "LSTM": _sequence(L.LSTM(2, name="odd")),
    "Attention": lambda x: L.Flatten()(L.Attention(name="odd")([L.Reshape((2, 2))(x)] * 2)),
    "Where": lambda x: ops.where(ops.greater(x, 0.0), x, 0.0),
    "Greater": lambda x: x * ops.cast(x > 0, "float32"),
    "Sigmoid": ops.sigmoid,
    "Clip": lambda x: ops.clip(x, 0.0, 6.0),
    "Cumsum": lambda x: ops.cumsum(x, axis=1),
    **{f"Dense-{name}": L.Dense(4, activation=name, name="odd") for name in OTHERS},
}


def _holding(layer: Any, nested: bool = False) -> keras.Model:
    x = keras.Input((4,))
    if nested:
        inner = keras.Input((4,))
        layer = keras.Model(inner, layer(inner), name="base")
    y = L.ReLU(name="relu")(L.Dense(40)(layer(x)))
    return randomise(keras.Model(x, L.Dense(2)(y)), seed=9)


def test_list_of_activations_is_not_empty() -> None:
    assert {"tanh", "gelu", "silu", "sigmoid", "softmax", "selu"} <= set(OTHERS)


@pytest.mark.parametrize("name", REFUSED)
def test_non_linearity_is_refused_by_name(name: str) -> None:
    for method, nested in zip(METHODS, (False, True), strict=True):
        with pytest.raises(errors.UnsupportedLayerError) as caught:
            innexplain.create_analyzer(method, _holding(REFUSED[name], nested))
        message = str(caught.value)
        assert message.startswith(f"{method} does not support")
        assert f"({name.split('-')[0]})" in message
        assert ("base/" in message) == nested
        for way_out in ("rules={", "register_rule(", "unsupported='gradient'", "check_model"):
            assert way_out in message


@pytest.mark.parametrize("method", METHODS)
def test_every_refused_layer_is_named(method: str) -> None:
    x = keras.Input((4,))
    y = L.ELU(name="first")(L.Dense(4, activation="relu")(x))
    model = keras.Model(x, L.Dense(2)(L.PReLU(name="second")(L.Dense(4, activation="tanh", name="third")(y))))
    with pytest.raises(errors.UnsupportedLayerError, match=r"(?s)3 of .*first \(ELU.*third.*second \(PReLU"):
        innexplain.create_analyzer(method, model)


X = np.random.default_rng(8).normal(size=(3, 4)).astype("float32")


@some_are_zero
@pytest.mark.parametrize("method", METHODS)
def test_ways_out_of_a_refusal(method: str) -> None:
    """The gradient in the one layer, whichever way it is asked for; elsewhere the method itself."""
    layer = L.ELU(name="odd")
    model = _holding(layer)
    by_hand = innexplain.create_analyzer(method, model, unsupported="gradient").analyze(X)
    assert np.abs(by_hand - innexplain.create_analyzer("gradient", model).analyze(X)).max() > 1e-3
    for address, rule in (
        (layer, "gradient"),
        (L.ELU, Gradient()),
        ("odd", Gradient()),
        (("odd",), "gradient"),
    ):
        analyzer = innexplain.create_analyzer(method, model, rules={address: rule})
        np.testing.assert_allclose(analyzer.analyze(X), by_hand, rtol=1e-6)
    innexplain.register_rule(L.ELU, "gradient")
    try:
        np.testing.assert_allclose(innexplain.create_analyzer(method, model).analyze(X), by_hand, rtol=1e-6)
    finally:
        innexplain.unregister_rule(L.ELU)
    with pytest.raises(errors.UnsupportedLayerError):
        innexplain.create_analyzer(method, model)


@some_are_zero
@pytest.mark.parametrize("method", METHODS)
def test_own_layer_may_be_declared_a_relu(method: str) -> None:
    own, plain = _holding(Gate(name="odd")), _holding(L.ReLU(name="odd"))
    expected = innexplain.create_analyzer(method, plain).analyze(X)
    assert np.abs(expected).max() > 1e-2
    analyzer = innexplain.create_analyzer(method, own, rules={"odd": "relu"})
    np.testing.assert_allclose(analyzer.analyze(X), expected, rtol=1e-6)
    assert analyzer.overridden == ("odd", "relu")
    innexplain.register_rule(Gate, "relu")
    try:
        np.testing.assert_allclose(innexplain.create_analyzer(method, own).analyze(X), expected, rtol=1e-6)
        explicit = innexplain.create_analyzer(method, own, rules={Gate: "gradient"})
        assert explicit.overridden == ("relu",)
    finally:
        innexplain.unregister_rule(Gate)


def test_rule_for_a_dense_layer_meets_its_activation_only() -> None:
    model = _holding(L.Dense(4, activation="elu", name="odd"))
    analyzer = innexplain.create_analyzer("guided_backprop", model, rules={"odd": GuidedReLU()})
    assert analyzer.overridden == ("odd [activation]", "relu")
    by_part = {(a.step.part, a.rule.name) for a in analyzer.assignments if a.step.path == ("odd",)}
    assert by_part == {("linear", "Gradient"), ("activation", "GuidedReLU")}


def test_first_match_wins() -> None:
    model = _holding(L.ELU(name="odd"))
    for rules, expected in (
        ({"odd": "relu", L.ELU: "gradient"}, ("odd", "relu")),
        ({L.ELU: "gradient", "odd": "relu"}, ("relu",)),
    ):
        assert innexplain.create_analyzer("deconvnet", model, rules=rules).overridden == expected


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"rules": {"nowhere": "gradient"}}, errors.AddressError, "nowhere"),
        ({"rules": {"odd": "gradeint"}}, errors.UnknownNameError, "Did you mean 'gradient'"),
        ({"rules": {"odd": 3}}, errors.ArgumentError, "Received: 3"),
        ({"unsupported": "ignore"}, errors.ArgumentError, "unsupported must be"),
    ],
)
def test_bad_rules_are_refused(kwargs: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        innexplain.create_analyzer("deconvnet", _holding(L.ELU(name="odd")), **kwargs)


@pytest.mark.parametrize(("layer_type", "rule"), [(3, "relu"), (int, "relu"), (L.ELU, 3), (L.ELU(), "relu")])
def test_bad_registrations_are_refused(layer_type: Any, rule: Any) -> None:
    with pytest.raises(errors.ArgumentError, match="register_rule needs"):
        innexplain.register_rule(layer_type, rule)
    innexplain.unregister_rule(L.ELU)  # nothing was registered, nothing happens


def _no_relu_between() -> tuple[Any, dict]:
    x = keras.Input((4,))
    return keras.Model(x, [L.Dense(2, name="plain")(x), L.Dense(2, activation="relu")(x)]), {
        "output": "plain"
    }


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", ["linear", "other_output"])
def test_model_without_a_relu_is_refused(method: str, case: str) -> None:
    if case == "linear":
        model, kwargs = keras.Sequential([keras.Input((4,)), L.Dense(3), L.Dense(2)]), {}
    else:
        model, kwargs = _no_relu_between()
    with pytest.raises(errors.NothingOverriddenError, match=f"{method} replaces .* 'gradient'"):
        innexplain.create_analyzer(method, model, **kwargs)
    assert "none between" in innexplain.check_model(model, method, **kwargs).problem


@pytest.mark.parametrize("method", METHODS)
def test_subclassed_model_is_refused_by_what_is_missing(method: str) -> None:
    model = Block()
    model(X)
    with pytest.raises(errors.GraphError, match=f"{method} rewrites the layers of a model.*no graph"):
        innexplain.create_analyzer(method, model)
