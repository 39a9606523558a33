"""Relevance that arrives in proportion to values, or at positive ones alone: less work, the same maps."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest
from keras import layers, ops

import innexplain
from innexplain.rules import Epsilon, Flat, Gradient, Shares
from innexplain.rules.linear import Group
from tests.zoo import randomise


def heavy(name, model, **kwargs):
    """The sums that look at their contributions."""
    analyzer = innexplain.create_analyzer(name, model, **kwargs)
    return [str(a.step) for a in analyzer.assignments if isinstance(a.rule, Shares) and a.rule.equal]


def residual(activation, **kwargs):
    x = keras.Input((8, 8, 3))
    h = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    h = layers.Add(name="add")([h, layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(h))])
    h = layers.Conv2D(4, 3, name="next")(activation(h))
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D(name="pool")(layers.ReLU()(h))))


@pytest.mark.parametrize(
    ("activation", "name", "expected"),
    [
        (layers.ReLU(), "lrp.epsilon", []),
        (layers.LeakyReLU(), "lrp.epsilon", []),
        (layers.Activation("gelu"), "lrp.z_plus", []),
        (layers.Activation("swish"), "lrp.sequential_preset_a_flat", []),
        (layers.MaxPooling2D(2), "lrp.epsilon", []),
        (layers.Rescaling(2.0), "lrp.flat", ["add", "pool"]),
        (layers.Activation("sigmoid"), "lrp.epsilon", []),  # a rule that heeds its input stands between
    ],
    ids=["relu", "leaky", "gelu", "swish", "pool", "flat", "sigmoid"],
)
def test_plain_networks_take_the_light_path(activation, name, expected):
    found = heavy(name, residual(activation))
    assert found == (
        ["add"] if getattr(activation, "activation", None) is keras.activations.sigmoid else expected
    )


def test_only_sums_behind_a_heedless_rule_are_heavy():
    model = residual(layers.ReLU())
    assert heavy("lrp.epsilon", model, rules={"next": Flat()}) == ["add"]
    assert heavy("excitation_backprop", model) == []


def rectified(name, model, **kwargs):
    """The steps at which relevance is known to arrive at positive values alone."""
    analyzer = innexplain.create_analyzer(name, model, **kwargs)
    return [a.step.path[-1] for a in analyzer.assignments if getattr(a.rule, "rectified", False)]


def test_what_a_relu_follows_is_known_to_be_rectified():
    model = residual(layers.ReLU())
    first, branch, following = (s.name for s in model.layers if isinstance(s, layers.Conv2D))
    assert following == "next"
    # The first convolution's ReLU feeds both the sum and the branch, whose own output is summed as it is.
    assert rectified("lrp.epsilon", model) == [first, "add", "next"]
    assert rectified("lrp.epsilon", residual(layers.LeakyReLU()))[-1:] == ["next"]
    assert rectified("lrp.epsilon", model, rules={"next": Flat()}) == []
    assert rectified("lrp.flat", model) == []
    assert branch not in str(rectified("lrp.alpha_2_beta_1", model))
    # Relevance that starts at a convolution's own output starts at negative values, too.
    assert "next" not in rectified("lrp.epsilon", model, output="next")


@pytest.fixture(scope="module")
def rectifying():
    return randomise(residual(layers.ReLU()), 0)


@pytest.mark.parametrize("name", ["lrp.epsilon", "lrp.z", "lrp.gamma", "lrp.alpha_2_beta_1", "deep_taylor"])
@pytest.mark.parametrize("output", [None, "next", "add"])
def test_less_work_before_relus_gives_the_same_map(rectifying, name, output, monkeypatch):
    model = rectifying
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype("float32")
    kwargs = {} if output is None else {"output": output, "neuron_selection_mode": "all"}
    found = innexplain.create_analyzer(name, model, **kwargs).analyze(x)
    monkeypatch.setattr("innexplain.composites.composite.lightened", lambda found, *_: found)
    plain = innexplain.create_analyzer(name, model, **kwargs)
    assert not any(getattr(a.rule, "rectified", False) for a in plain.assignments)
    expected = plain.analyze(x)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


def straight(*middle):
    """A network in which what stands in the middle follows a convolution and its ReLU."""
    model = keras.Sequential([
        keras.Input((8, 8, 2)), layers.Conv2D(4, 3, padding="same", name="before"), layers.ReLU(), *middle,
        layers.Conv2D(4, 3, activation="relu", name="behind"), layers.Flatten(), layers.Dense(3),
    ])  # fmt: skip
    return randomise(model, 0)


@dataclass(frozen=True)
class Spread(Gradient):
    """Hands relevance on whether there is a value or not."""

    def forward(self, step, *inputs):
        outputs, _ = super().forward(step, *inputs)
        return outputs, lambda relevances: [r + 1.0 for r in relevances]


@dataclass(frozen=True)
class Blind(Epsilon):
    """Looks at the kernel alone."""

    def groups(self, linear):
        return [Group(((ops.ones_like(linear.x), ops.abs(linear.kernel)),))]


class Scaled(Epsilon):
    """Made in another way than a dataclass."""

    def __init__(self, factor):
        super().__init__(0.1 * factor)


@pytest.mark.parametrize(
    ("middle", "rules"),
    [
        (layers.MaxPooling2D(3, strides=1, padding="same", name="pool"), {"pool": "pass"}),
        (layers.Permute((2, 1, 3), name="turned"), {"turned": "pass"}),
        (layers.ReLU(name="again"), {"again": Spread()}),
        (layers.Dropout(0.5), {"behind": Blind()}),
        (layers.Dropout(0.5), {"behind": Scaled(2.0)}),
    ],
    ids=["pass on a pool", "pass on an order", "own gradient", "own rule", "own constructor"],
)
@pytest.mark.parametrize("name", ["lrp.epsilon", "lrp.gamma", "lrp.alpha_2_beta_1"])
def test_nothing_is_presumed_of_rules_that_move_relevance(middle, rules, name, monkeypatch):
    model = straight(middle)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    analyzer = innexplain.create_analyzer(name, model, rules=rules)
    assert "before" not in rectified(name, model, rules=rules)
    found = analyzer.analyze(x)
    monkeypatch.setattr("innexplain.composites.composite.lightened", lambda found, *_: found)
    expected = innexplain.create_analyzer(name, model, rules=rules).analyze(x)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


@pytest.fixture(scope="module")
def dropping():
    return straight(layers.Dropout(0.5))


def test_an_epsilon_below_single_precision(dropping):
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    exact = innexplain.create_analyzer("lrp.z", dropping).analyze(x)
    for epsilon in (1e-14, 1e-30, 1e-40, 1e-50, 1e-310):
        found = innexplain.create_analyzer("lrp.epsilon", dropping, epsilon=epsilon).analyze(x)
        np.testing.assert_allclose(found, exact, atol=1e-5 * np.abs(exact).max())


@pytest.mark.parametrize("name", ["lrp.flat", "lrp.w_square", "lrp.z_plus"])
@pytest.mark.parametrize(
    "pad",
    [layers.ZeroPadding2D(1), lambda y: ops.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]])],
    ids=["layer", "operation"],
)
def test_what_falls_on_padding_is_told(name, pad):
    """Where all of a window is zero, the padded zero may win."""
    x = keras.Input((8, 8, 2))
    first = layers.Conv2D(4, 3, padding="same")
    y = layers.MaxPooling2D(3, strides=2)(pad(layers.ReLU()(first(x))))
    model = randomise(keras.Model(x, layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3)(y)))), 0)
    first.bias.assign(first.bias - 1.0)
    data = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    _, info = innexplain.create_analyzer(name, model).analyze(data, return_info=True)
    absorbed = sum(np.asarray(a, "float64") for a in info["absorbed"].values())
    np.testing.assert_allclose(info["gap"], absorbed, atol=1e-4 * np.abs(info["score"]).max())
    lost = next(np.abs(found) for step, found in info["absorbed"].items() if "pad" in step)
    assert (lost.max() > 1e-3) == (name != "lrp.z_plus")


@pytest.mark.parametrize("name", ["deep_taylor", "excitation_backprop", "lrp.epsilon"])
@pytest.mark.parametrize(("mode", "weights"), [("all", None), ("weights", [2.0, -1.0, 0.5])])
def test_the_gap_of_several_outputs_is_what_was_absorbed(dropping, name, mode, weights):
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 2)).astype("float32")
    assert (ops.convert_to_numpy(dropping(x)) < 0).any()  # relevance that starts positive leaves some out
    analyzer = innexplain.create_analyzer(name, dropping, neuron_selection_mode=mode)
    _, info = analyzer.analyze(x, neuron_selection=weights, return_info=True)
    absorbed = sum(np.asarray(a, "float64") for a in info["absorbed"].values())
    np.testing.assert_allclose(info["gap"], absorbed, atol=1e-4 * np.abs(info["score"]).max())
