"""Rules that users give or register: used, or refused with the names that can work; never just dropped."""

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

import innexplain
from innexplain.composites import RULE_NAMES
from innexplain.errors import ArgumentError, UnknownNameError, UnsupportedLayerError
from innexplain.rules import Flat, GuidedReLU
from tests.zoo import randomise

from . import assert_alike, assert_different, create, over, rng

pytestmark = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")
PASSING = ["gradient", "pass", "relu"]
X = rng(1).normal(size=(3, 5)).astype("float32")


class Own(L.Dense):
    """A subclass that overrides call is custom code, whatever it inherits."""

    def call(self, x):
        return super().call(x)


def network(layer=None):
    x = keras.Input((5,))
    y = L.Dense(4, activation="relu", name="both")((layer or L.Dense(6, name="plain"))(x))
    return randomise(keras.Model(x, L.Dense(2, name="head")(L.ReLU(name="gate")(y))), 3)


MODEL = network()
OWN = network(Own(5, name="own"))


def refusal(kind, name, model, **kwargs):
    with pytest.raises(kind) as caught:
        create(name, model, **kwargs)
    assert type(caught.value) is kind
    return str(caught.value)


@pytest.fixture
def register():
    """`register_rule`, taken back at the end."""
    yield innexplain.register_rule
    for layer_type in (Own, L.ReLU, L.Dense):
        innexplain.unregister_rule(layer_type)


# --- rules= --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "model", "address", "rule", "names"),
    [
        ("lrp.epsilon", MODEL, "gate", "ZPlus", PASSING),
        ("lrp.epsilon", MODEL, L.ReLU, Flat(), PASSING),
        ("lrp.epsilon", OWN, Own, "Flat", PASSING),
        ("deep_taylor", MODEL, lambda step: step.kind == "relu" and not step.part, "Z", PASSING),
        ("guided_backprop", MODEL, "plain", "relu", ["gradient"]),
        ("deconvnet", MODEL, MODEL.get_layer("head"), GuidedReLU(), ["gradient"]),
    ],
)  # fmt: skip
def test_a_rule_that_suits_none_of_its_steps_is_refused(name, model, address, rule, names):
    message = refusal(ArgumentError, name, model, rules={address: rule})
    assert message.startswith(f"{name} cannot use this rule of rules=: it is not meant for ")
    assert f"Expected a rule of {names} or your own. Received: {{{address!r}: {rule!r}}}" in message
    step = next(s for s in create("gradient", model).network.canonical.graph.steps if s.path[-1] in message)
    assert f"{step} ({step.type_name}, of kind {step.kind!r})" in message
    with pytest.raises(ArgumentError, match="cannot use this rule"):
        innexplain.check_model(model, name, rules={address: rule})
    for possible in names:
        create(name, model, rules={address: possible})


def test_a_rule_for_a_layer_with_an_activation_is_for_the_part_that_it_suits():
    analyzer = create("lrp.epsilon", MODEL, rules={"both": "Flat"})
    assert [a.rule.name for a in analyzer.assignments if a.step.path == ("both",)] == ["Flat", "Pass"]
    analyzer = create("guided_backprop", MODEL, rules={L.Dense: "relu"})
    assert analyzer.overridden == ("both [activation]", "gate")
    for name in ("lrp.epsilon", "clear"):
        plain = create(name, MODEL)
        for rules in ({"both": "relu"}, {L.Dense: "relu"}):
            given = create(name, MODEL, rules=rules)
            assert [a.rule for a in given.assignments] == [a.rule for a in plain.assignments]


def test_a_rule_for_what_is_not_on_the_way_is_no_error():
    """Rows of a class or condition may serve many models."""
    for address in (L.Conv2D, lambda step: False):
        plain = create("lrp.epsilon", MODEL).analyze(X)
        assert_alike(create("lrp.epsilon", MODEL, rules={address: "Flat"}).analyze(X), plain, 0)


@over("deconvnet", "lrp.epsilon", "lrp.alpha_2_beta_1", "deep_taylor", "pattern.net", "pattern.attribution")
def test_every_rule_that_a_refusal_recommends_works(name):
    message = refusal(UnsupportedLayerError, name, OWN)
    names = PASSING if name.startswith(("lrp", "deep")) else ["gradient", "relu"]
    assert f"rules={{('own',): rule}} with a rule of {names} or your own" in message
    for rule in names:
        assert np.isfinite(create(name, OWN, rules={("own",): rule}).analyze(X)).all()


@pytest.mark.parametrize(
    ("name", "names"), [("gradient", []), ("guided_backprop", []), ("lrp.epsilon", ["pass", "relu"])]
)
def test_what_has_no_derivative_is_not_offered_one(name, names):
    x = keras.Input((5,))
    y = L.ReLU()(L.Dense(4)(ops.round(L.Dense(3, name="before")(x))))
    model = randomise(keras.Model(x, L.Dense(2)(y)), 2)
    rounding = next(op for op in model.operations if op.name.startswith("round"))
    message = refusal(UnsupportedLayerError, name, model)
    offered = f"a rule of {names} or your own;" if names else "with a rule of your own;"
    assert offered in message
    assert "or explain the part of the model behind it." in message
    assert "unsupported=" not in message
    for rule in names:
        assert create(name, model, rules={type(rounding): rule}).analyze(8 * X).any()


# --- Integers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("unsupported", ["error", "gradient"])
@pytest.mark.parametrize("name", ["gradient", "guided_backprop", "lrp.epsilon", "pattern.net"])
def test_arithmetic_on_tokens_has_one_way_out_and_it_works(name, unsupported):
    tokens = keras.Input((5,), dtype="int32")
    embedding = L.Embedding(40, 6, name="embedding")
    y = L.Dense(4, activation="relu")(L.Flatten()(embedding(tokens + 1)))
    model = randomise(keras.Model(tokens, L.Dense(2)(y)), 4)
    message = refusal(UnsupportedLayerError, name, model, unsupported=unsupported)
    assert " (Add): it passes no floats on" in message
    assert "Way out: explain the part" in message
    for useless in ("rules=", "register_rule", "unsupported=", "'gradient' supports"):
        assert useless not in message
    behind = keras.Model(embedding.output, model.output)
    vectors = embedding(rng().integers(1, 40, (3, 5))).numpy()
    assert create(name, behind).analyze(vectors).any()


# --- register_rule -------------------------------------------------------------------------------


def test_a_name_that_no_method_knows_is_refused_at_once(register):
    with pytest.raises(UnknownNameError, match=r"No method knows a rule 'relux'\. Did you mean 'relu'\?"):
        register(Own, "relux")
    create("gradient", OWN)
    for name in RULE_NAMES:
        register(Own, name)


@pytest.mark.parametrize("name", ["gradient", "smoothgrad", "random"])
def test_a_name_of_other_methods_changes_nothing(name, register):
    """`"ZPlus"` is a rule of LRP: for the gradient it is as if nothing were registered."""
    expected = create(name, OWN).analyze(X)
    register(Own, "ZPlus")
    assert_alike(create(name, OWN).analyze(X), expected, 0)


@pytest.mark.parametrize("name", ["deconvnet", "lrp.epsilon", "pattern.net"])
def test_a_refusal_tells_that_the_registered_rule_was_of_no_use(name, register):
    register(Own, "ZPlus")
    message = refusal(UnsupportedLayerError, name, OWN)
    assert f"('ZPlus', registered for Own, is no rule for it in {name})" in message


def test_a_registered_rule_of_lrp_is_used_by_lrp_where_it_suits(register):
    plain = create("lrp.epsilon", MODEL).analyze(X)
    expected = create("lrp.epsilon", MODEL, rules={L.Dense: "ZPlus"}).analyze(X)
    register(L.Dense, "ZPlus")
    register(L.ReLU, "ZPlus")  # suits no step of a ReLU, and is left alone
    assert_alike(create("lrp.epsilon", MODEL).analyze(X), expected, 0)
    assert_different(plain, expected)
    create("guided_backprop", MODEL)


def test_what_changes_the_shape_is_no_relu():
    """Deconvnet hands relevance on as it is: a map of another shape than x would come out."""
    analyzer = create("deconvnet", network(Own(6, name="own")), rules={"own": "relu"})
    with pytest.raises(ArgumentError, match=r"own \(Own\) was declared a ReLU.*\(5,\) in, \(6,\) out"):
        analyzer.analyze(X)


@pytest.mark.parametrize("name", ["gradient", "deconvnet", "lrp.epsilon", "pattern.attribution"])
def test_relu_and_gradient_are_names_of_every_method(name, register):
    register(Own, "relu")
    assert create(name, OWN).analyze(X).shape == X.shape
