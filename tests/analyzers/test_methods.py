"""Methods are settings: named, shown, registered, and rows of one's own wherever a name may stand."""

import inspect
from dataclasses import FrozenInstanceError, dataclass, fields, replace
from typing import Any

import keras
import numpy as np
import pytest

import innexplain
from innexplain import composites, rules
from innexplain.analyzers import Method
from innexplain.analyzers.choosing import method_of
from innexplain.analyzers.method import METHODS, same_setting
from innexplain.errors import ArgumentError, UnknownNameError
from tests.analyzers.saved import MODEL, NAMES, X, maps, other_settings

create = innexplain.create_analyzer
ROWS = composites.lrp_composite("mine", composites.everywhere(rules.Gamma(0.5)))
COMMON = ("neuron_selection_mode", "output", "pre_softmax", "rules", "unsupported", "embedding_map")

_PLACED = {
    "input_layer_rule": None,
    "until_layer_idx": None,
    "until_layer_rule": None,
    "bn_rule": None,
    "bn_layer_rule": None,
}
_PRESET = {**_PLACED, "epsilon": 0.1}
_PLUS = {**_PLACED, "epsilon": 1e-6}
_FITTED = {"patterns": None, "estimator": "S_a+-", "head": "two-component"}
#: The names that users know, with every keyword and its default.  Names that come later need no row.
KEYWORDS: dict[str, dict[str, Any]] = {
    "input": {},
    "random": {"seed": 0},
    "gradient": {"postprocess": None},
    "sensitivity": {"norm": np.inf},
    "input_t_gradient": {},
    "integrated_gradients": {"analyzer": "gradient", "steps": 64, "baseline": 0, "rule": "midpoint"},
    "smoothgrad": {"analyzer": "gradient", "augment_by_n": 64, "noise_scale": 0.15, "seed": 0},
    "deconvnet": {},
    "guided_backprop": {},
    "lrp": {**_PLACED, "rule": "Epsilon"},
    "lrp.z": _PLACED,
    "lrp.z_IB": _PLACED,
    "lrp.epsilon": {**_PLACED, "epsilon": 1e-7, "bias": True},
    "lrp.epsilon_IB": {**_PLACED, "epsilon": 1e-7},
    "lrp.w_square": _PLACED,
    "lrp.flat": _PLACED,
    "lrp.gamma": {**_PLACED, "gamma": 0.25, "bias": True},
    "lrp.alpha_beta": {**_PLACED, "alpha": None, "beta": None, "bias": True},
    "lrp.alpha_2_beta_1": _PLACED,
    "lrp.alpha_2_beta_1_IB": _PLACED,
    "lrp.alpha_1_beta_0": _PLACED,
    "lrp.alpha_1_beta_0_IB": _PLACED,
    "lrp.z_plus": _PLACED,
    "lrp.z_plus_fast": _PLACED,
    "lrp.sequential_preset_a": _PRESET,
    "lrp.sequential_preset_b": _PRESET,
    "lrp.sequential_preset_a_flat": _PRESET,
    "lrp.sequential_preset_b_flat": _PRESET,
    "lrp.sequential_preset_b_flat_until_idx": _PRESET,
    "lrp.epsilon_plus": _PLUS,
    "lrp.epsilon_plus_flat": _PLUS,
    "lrp.epsilon_alpha_2_beta_1": _PLUS,
    "lrp.epsilon_alpha_2_beta_1_flat": _PLUS,
    "lrp.epsilon_gamma_box": {**_PLUS, "low": None, "high": None, "gamma": 0.25},
    "deep_taylor": {},
    "deep_taylor.bounded": {"low": None, "high": None},
    "excitation_backprop": {},
    "pattern.net": _FITTED,
    "pattern.attribution": _FITTED,
    "clear": {
        "classes": None,
        "top_k": 10,
        "layer": None,
        "response": "deconvolution",
        "rectify": False,
        "channel_reduction": "sum",
    },
}


def test_keywords_and_defaults_are_those_that_users_know() -> None:
    assert tuple(name for name in NAMES if name in KEYWORDS) == tuple(KEYWORDS)
    for name, expected in KEYWORDS.items():
        found = {k: v.name if isinstance(v, Method) else v for k, v in METHODS[name].settings.items()}
        assert found == expected, name


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_keywords_and_nothing_else_is(name: str) -> None:
    """The default given by hand changes nothing, and what belongs to the name is no keyword."""
    method = METHODS[name]
    keywords = KEYWORDS.get(name, method.settings)
    same = create(name, MODEL, **keywords)
    assert same.method.changed() == {}
    assert all(map(same_setting, same.method.settings.values(), method.settings.values()))
    fixed = [f.name for f in fields(method) if f.metadata.get("fixed") and f.name not in keywords]
    assert fixed[:2] == ["name", "compared"]
    for word in (*fixed[1:], "nonsense"):
        with pytest.raises(ArgumentError, match=rf"{name} does not take '{word}'.*those of every analyzer: "):
            create(name, MODEL, **{word: 1})


def test_the_usual_rules_of_a_name_stay_if_none_is_given() -> None:
    for name in ("lrp.sequential_preset_a_flat", "lrp.epsilon_plus_flat"):
        np.testing.assert_array_equal(
            maps(create(name, MODEL, input_layer_rule=None)), maps(create(name, MODEL))
        )
        plain = create(name.removesuffix("_flat"), MODEL)
        assert not np.array_equal(maps(plain), maps(create(name, MODEL)))
    name = "lrp.sequential_preset_b_flat_until_idx"
    found = [
        maps(create(name, MODEL, until_layer_idx=1, **k)) for k in ({}, {"until_layer_rule": rules.Flat()})
    ]
    np.testing.assert_array_equal(*found)
    for name in ("lrp.z", "lrp.sequential_preset_b_flat_until_idx"):
        with pytest.raises(ArgumentError, match="until_layer_idx and until_layer_rule go together"):
            create(name, MODEL, until_layer_rule=rules.Flat())


def test_methods_are_frozen() -> None:
    method = create("lrp.epsilon", MODEL, epsilon=0.5).method
    with pytest.raises(FrozenInstanceError):
        method.epsilon = 1.0
    assert METHODS["lrp.epsilon"].settings["epsilon"] == 1e-7


def test_repr_shows_what_differs_from_the_defaults() -> None:
    shown = {
        "gradient": "",
        "sensitivity": ", norm=2",
        "smoothgrad": ", analyzer=<guided_backprop>, augment_by_n=3, noise_scale=0.3, seed=3",
        "lrp.epsilon_IB": ", epsilon=0.125",
    }
    for name, settings in shown.items():
        given = {k: v for k, v in other_settings(name).items() if f"{k}=" in settings}
        assert (
            repr(create(name, MODEL, **given))
            == f"<innexplain analyzer {name!r} for model 'small'{settings}>"
        )
    around = create(
        "smoothgrad", MODEL, analyzer=create("lrp.epsilon", MODEL, epsilon=0.5, pre_softmax=False)
    )
    assert repr(around).endswith("model 'small', analyzer=<lrp.epsilon, epsilon=0.5>, pre_softmax=False>")
    path = create("integrated_gradients", MODEL, baseline=np.zeros((8, 8, 2)))
    assert repr(path).endswith("baseline=<array (8, 8, 2) float64>>")
    several = create("integrated_gradients", MODEL, baseline=[np.zeros((2, 2)), np.ones((2, 2))])
    assert "\n" not in repr(several)


@dataclass(frozen=True, eq=False)
class Ones(Method):
    """Ones, in the shape of the input."""

    scale: float = 1.0

    def attribute(self, network, rows, data, request):
        result = network.score(rows, data, request.batch_size)
        result.maps = [np.full_like(row, self.scale) for row in network.of_explained(rows)]
        return result


@pytest.fixture
def mine():
    """A name of one's own, for rows and then for whatever a test registers."""
    innexplain.register_method("mine", ROWS)
    yield "mine"
    innexplain.unregister_method("mine")


def test_a_registered_name_is_a_name_like_any_other(mine: str) -> None:
    expected = maps(create("lrp.gamma", MODEL, gamma=0.5))
    assert innexplain.analyzer_names() == (*NAMES, mine)
    analyzer = create(mine, MODEL)
    np.testing.assert_array_equal(maps(analyzer), expected)
    assert repr(analyzer) == "<innexplain analyzer 'mine' for model 'small'>"
    once = {"augment_by_n": 1, "noise_scale": 0.0}
    np.testing.assert_allclose(maps(create("smoothgrad", MODEL, analyzer=mine, **once)), expected, rtol=1e-6)
    with pytest.raises(UnknownNameError, match="Did you mean 'mine'"):
        create("mime", MODEL)
    innexplain.register_method(mine, Ones(scale=2.0))  # another one, of the same name
    assert (maps(create(mine, MODEL)) == 2).all()
    assert repr(create(mine, MODEL, scale=3.0)) == "<innexplain analyzer 'mine' for model 'small', scale=3.0>"
    innexplain.register_method(mine, replace(METHODS["lrp.epsilon"], epsilon=0.5))
    np.testing.assert_array_equal(maps(create(mine, MODEL)), maps(create("lrp.epsilon", MODEL, epsilon=0.5)))
    assert METHODS[mine].compared == 0
    innexplain.unregister_method(mine)
    innexplain.unregister_method(mine)
    assert innexplain.analyzer_names() == NAMES


@pytest.mark.parametrize("name", ["gradient", "clear", "", 3, None])
def test_names_of_ours_cannot_be_taken(name: Any) -> None:
    with pytest.raises(ArgumentError, match="register_method needs a name that is not one of the package's"):
        innexplain.register_method(name, ROWS)
    innexplain.unregister_method(name)
    assert innexplain.analyzer_names() == NAMES


@pytest.mark.parametrize("method", [rules.Z(), Ones, lambda model: None, 3, None, "gradeint"])
def test_what_is_no_method_is_refused(method: Any) -> None:
    with pytest.raises(ArgumentError, match=r"There is no analyzer.*or a Composite"):
        innexplain.register_method("mine", method)
    with pytest.raises(ArgumentError, match=r"There is no analyzer"):
        create(method, MODEL)


def test_rows_and_methods_stand_in_place_of_names(capsys: pytest.CaptureFixture[str]) -> None:
    expected = maps(create("lrp.gamma", MODEL, gamma=0.5))
    np.testing.assert_array_equal(maps(create(ROWS, MODEL)), expected)
    once = {"augment_by_n": 1, "noise_scale": 0.0}
    np.testing.assert_allclose(maps(create("smoothgrad", MODEL, analyzer=ROWS, **once)), expected, rtol=1e-6)
    clear = create("clear", MODEL, response=ROWS, neuron_selection_mode="index")
    np.testing.assert_allclose(
        maps(clear),
        create(ROWS, MODEL, neuron_selection_mode="index").analyze(X, 1).sum(-1),
        rtol=1e-5,
        atol=1e-6,
    )
    check = innexplain.check_model(MODEL, ROWS)
    assert check.ok and check.analyzer == "mine"
    assert capsys.readouterr().out.endswith("mine: supported\n")
    innexplain.check_model(MODEL, "random")
    assert capsys.readouterr().out == "random: supported\n", "no table of nothing"
    method = METHODS["lrp.epsilon"]
    assert repr(create(method, MODEL, epsilon=0.5)) == repr(create("lrp.epsilon", MODEL, epsilon=0.5))
    assert create(Ones(), MODEL).name == "Ones"
    assert method_of(method) is method


def test_a_method_of_ones_own_takes_a_function() -> None:
    def predict(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), -1)[:, :3]

    with pytest.raises(innexplain.errors.GraphError, match=r"Ones rewrites|Ones needs"):
        create(Ones(), predict)

    @dataclass(frozen=True, eq=False)
    class Called(Ones):
        needs = "calls"

    analyzer = create(Called(scale=2.0), predict)
    assert (analyzer.analyze(X) == 2).all()
    with pytest.raises(ArgumentError, match="Called goes through no layers, so that rules= says nothing"):
        create(Called(), predict, rules={"conv": "Z"})


WRAPPERS = [
    (innexplain.SmoothGrad, "smoothgrad", {"augment_by_n": 3, "noise_scale": 0.2, "seed": 1}),
    (
        innexplain.IntegratedGradients,
        "integrated_gradients",
        {"steps": 3, "baseline": 0.5, "rule": "trapezoid"},
    ),
]


@pytest.mark.parametrize(("wrapper", "name", "settings"), WRAPPERS)
def test_wrappers_take_a_model_or_an_analyzer(wrapper: Any, name: str, settings: dict[str, Any]) -> None:
    own = [p for p in inspect.signature(wrapper).parameters.values() if p.name != "analyzer"]
    assert {p.name: p.default for p in own} == {k: v for k, v in KEYWORDS[name].items() if k != "analyzer"}
    for analyzer in (wrapper(MODEL, **settings), wrapper(create("gradient", MODEL), **settings)):
        assert type(analyzer) is wrapper
        assert repr(analyzer) == repr(create(name, MODEL, **settings))
        np.testing.assert_array_equal(maps(analyzer), maps(create(name, MODEL, **settings)))
    inner = create("guided_backprop", MODEL, neuron_selection_mode="index", pre_softmax=False)
    around = wrapper(inner, **settings)
    assert around.network is inner.network and around.options == inner.options
    np.testing.assert_array_equal(maps(around), maps(create(name, MODEL, analyzer=inner, **settings)))
    with pytest.raises(innexplain.errors.ModelError, match="Received: 3"):
        wrapper(3)


def test_options_are_checked_where_no_layers_are_gone_through() -> None:
    for name in ("input", "random"):
        with pytest.raises(ArgumentError, match=rf"{name} goes through no layers.*rules=.*nonsense"):
            create(name, MODEL, rules={"nonsense": "Z"})
        with pytest.raises(ArgumentError, match=r"unsupported must be 'error' or 'gradient'.*bogus"):
            create(name, MODEL, unsupported="bogus")
        create(name, MODEL, rules={}, unsupported="gradient")


def test_keras_layers_are_no_models() -> None:
    with pytest.raises(innexplain.errors.ModelError):
        create("gradient", keras.layers.Dense(3))


@pytest.mark.parametrize("name", ["lrp.epsilon", "lrp.gamma", "lrp.alpha_beta"])
def test_bias_is_true_or_false(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"bias must be True or False\. Received: bias='yes'"):
        replace(METHODS[name], bias="yes")
