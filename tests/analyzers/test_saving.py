"""What is saved comes back: equal settings, equal maps, in this process and in another one."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import innexplain
from innexplain import composites, rules
from innexplain.analyzers import Method
from innexplain.analyzers.method import METHODS, same_setting
from innexplain.errors import ArgumentError, UnreadableFileError
from innexplain.layers import LocalResponseNormalization
from innexplain.network import Request, Result
from tests.analyzers.saved import (
    FITTED_ON,
    MODEL,
    NAMES,
    X,
    assert_equal,
    made,
    maps,
    network,
    patterns,
    reloaded,
)
from tests.conftest import CHECKOUT

L = keras.layers
create = innexplain.create_analyzer


@pytest.mark.parametrize("name", NAMES)
def test_every_name_comes_back_with_all_settings(name: str, tmp_path: Path) -> None:
    analyzer, _ = made(name)
    usual = METHODS[name].settings
    unchanged = [k for k, v in analyzer.method.settings.items() if same_setting(v, usual[k])]
    assert set(unchanged) <= {"bn_layer_rule", "layer", "rectify"}
    assert_equal(reloaded(analyzer, tmp_path / "a"), analyzer)


LOAD_ALL = """
import sys
from pathlib import Path
import keras, numpy
import innexplain
from tests.eagerly import eagerly
folder = Path(sys.argv[1])
x = numpy.load(folder / "x.npy")
model = keras.models.load_model(folder / "model.keras")
with eagerly():
    for path in sorted((folder / "saved").iterdir()):
        numpy.save(folder / f"{path.name}.npy", innexplain.load_analyzer(path, model).analyze(x, 1))
"""


def test_every_name_gives_equal_maps_in_a_fresh_process(tmp_path: Path) -> None:
    for name in NAMES:
        made(name)[0].save(tmp_path / "saved" / name)
    MODEL.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", X)
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, str(tmp_path)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for name in NAMES:
        found, expected = np.load(tmp_path / f"{name}.npy"), made(name)[1]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max(), err_msg=name)


def test_the_model_is_written_on_request(tmp_path: Path) -> None:
    analyzer = create("lrp.epsilon", MODEL, epsilon=0.5, rules={MODEL.get_layer("conv"): "ZPlus"})
    assert {p.name for p in analyzer.save(tmp_path / "without").iterdir()} == {
        "contents.json",
        "settings.json",
        "arrays.npz",
    }
    found = innexplain.load_analyzer(analyzer.save(tmp_path / "with", include_model=True))
    assert found.model is not MODEL
    assert list(found.options.rules) == [found.model.get_layer("conv")]
    np.testing.assert_array_equal(maps(found), maps(analyzer))


def _inner() -> dict[str, Any]:
    fitted = create("pattern.net", MODEL, patterns=patterns(), estimator="S_a")
    guided = create("guided_backprop", MODEL)
    smooth = create("smoothgrad", MODEL, analyzer=guided, augment_by_n=2, seed=1)
    epsilon = create("lrp.epsilon", MODEL, epsilon=0.5, rules={"conv": rules.Flat()})
    return {
        "smoothgrad": {"analyzer": fitted, "augment_by_n": 2},
        "integrated_gradients": {"analyzer": smooth, "steps": 2},
        "clear": {"response": epsilon, "top_k": 3},
    }


@pytest.mark.parametrize("name", ["smoothgrad", "integrated_gradients", "clear"])
def test_analyzers_around_analyzers(name: str, tmp_path: Path) -> None:
    analyzer = create(name, MODEL, **_inner()[name])
    assert_equal(reloaded(analyzer, tmp_path / "a"), analyzer)


def test_layers_are_told_by_their_paths(tmp_path: Path) -> None:
    """Of another model of the same layers and weights, the layers of that one are meant."""
    conv, hidden = MODEL.get_layer("conv"), MODEL.get_layer("hidden")
    given = {"rules": [(conv, "Flat"), (L.MaxPooling2D, "gradient")], "output": hidden}
    other = network()
    found = innexplain.load_analyzer(create("lrp.z", MODEL, **given).save(tmp_path / "a"), other)
    assert found.options.rules == [(other.get_layer("conv"), "Flat"), (L.MaxPooling2D, "gradient")]
    assert found.options.output is other.get_layer("hidden")
    np.testing.assert_array_equal(maps(found), maps(create("lrp.z", MODEL, **given)))
    clear = innexplain.load_analyzer(create("clear", MODEL, layer=conv).save(tmp_path / "b"), other)
    assert clear.method.layer is other.get_layer("conv")
    assert clear.starts_at == "conv [linear]"


def test_layers_inside_models_and_outputs_by_name(tmp_path: Path) -> None:
    x = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="tanh", name="deep")], name="inner")
    h = inner(x)
    model = keras.Model(x, {"a": L.Dense(2, name="a")(h), "b": L.Dense(3, name="b")(h)})
    analyzer = create("lrp.z", model, output="b", rules={inner.get_layer("deep"): "Flat"})
    found = reloaded(analyzer, tmp_path / "a")
    assert found.options == analyzer.options
    np.testing.assert_array_equal(found.analyze(X[:, 0, :4, 0]), analyzer.analyze(X[:, 0, :4, 0]))


VALUES = [
    ("integrated_gradients", {"baseline": (0.5,)}),
    ("sensitivity", {"norm": np.inf}),
    ("random", {"seed": np.int64(3)}),
    ("lrp.z", {"input_layer_rule": (np.array([-1.0, -2.0]), np.array([1.0, 2.0]))}),
    ("lrp.z", {"input_layer_rule": rules.Bounded((-1.0, -2.0), 3)}),
    ("deep_taylor.bounded", {"low": [-4.0, -5.0], "high": np.array([4.0, 5.0])}),
    ("clear", {"classes": np.array([2, 0]), "rectify": True}),
    ("lrp.z", {"rules": {("conv",): "ZPlus", "hidden": rules.Gamma(0.5, bias=False), L.Dense: "Flat"}}),
]


@pytest.mark.parametrize(("name", "settings"), VALUES, ids=range(len(VALUES)))
def test_values_of_settings(name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    analyzer = create(name, MODEL, **settings)
    assert_equal(reloaded(analyzer, tmp_path / "a"), analyzer)


def test_a_number_that_json_does_not_know(tmp_path: Path) -> None:
    analyzer = create("lrp.epsilon", MODEL, rules={"conv": Scaled(float("nan"), -float("inf"))})
    (rule,) = reloaded(analyzer, tmp_path / "a", Scaled=Scaled).options.rules.values()
    assert np.isnan(rule.factor) and rule.least == -np.inf


def test_a_range_comes_back_as_a_list(tmp_path: Path) -> None:
    analyzer = create("clear", MODEL, classes=range(2))
    found = reloaded(analyzer, tmp_path / "a")
    assert found.method.classes == [0, 1]
    np.testing.assert_array_equal(maps(found), maps(analyzer))


def test_patterns_that_are_still_to_be_fitted(tmp_path: Path) -> None:
    found = reloaded(create("pattern.net", MODEL, estimator="S_a"), tmp_path / "a")
    assert found.needs_fit
    np.testing.assert_allclose(
        maps(found.fit(FITTED_ON, progress=False)),
        maps(create("pattern.net", MODEL, estimator="S_a", patterns=patterns())),
    )


def test_inputs_that_are_several(tmp_path: Path) -> None:
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    model = keras.Model({"a": a, "b": b}, L.Dense(2)(L.Concatenate()([a, b])))
    x = {"a": X[:, 0, 0], "b": X[:, 0, :3, 0]}
    analyzer = create("integrated_gradients", model, baseline=[np.ones(2), 0.5], steps=3)
    found = reloaded(analyzer, tmp_path / "a").analyze(x)
    for name, expected in analyzer.analyze(x).items():
        np.testing.assert_array_equal(found[name], expected)


@dataclass(frozen=True)
class Scaled(rules.Rule):
    """The gradient times a number."""

    factor: float = 1.0
    least: float = 0.0

    def forward(self, step, *inputs):
        outputs, pullback = rules.Gradient().forward(step, *inputs)
        return outputs, lambda relevances: [self.factor * r for r in pullback(relevances)]


class Epsilon(rules.Epsilon):
    """A user's class that is called as one of ours."""


class Ours(L.Layer):
    """A layer without meaning to the package."""

    def call(self, x):
        return keras.ops.tanh(x)


@dataclass(frozen=True, eq=False)
class Ones(Method):
    """A method of a user's own."""

    scale: float = 1.0

    def attribute(self, network, rows, data, request: Request) -> Result:
        result = network.score(rows, data, request.batch_size)
        result.maps = [np.full_like(row, self.scale) for row in network.of_explained(rows)]
        return result


def test_rules_of_ones_own_are_given_or_registered(tmp_path: Path) -> None:
    analyzer = create("lrp.epsilon", MODEL, rules={"conv": Scaled(2.0)})
    path = analyzer.save(tmp_path / "a")
    with pytest.raises(UnreadableFileError, match=r"'Scaled'.*custom_objects=\{'Scaled': "):
        innexplain.load_analyzer(path, MODEL)
    assert_equal(innexplain.load_analyzer(path, MODEL, {"Scaled": Scaled}), analyzer)
    innexplain.register_rule(Ours, Scaled(3.0))
    try:
        assert_equal(innexplain.load_analyzer(path, MODEL), analyzer)
    finally:
        innexplain.unregister_rule(Ours)


def test_a_class_that_is_called_as_ours_is_not_taken_for_ours(tmp_path: Path) -> None:
    path = create("lrp.z", MODEL, rules={"conv": Epsilon(0.5)}).save(tmp_path / "a")
    with pytest.raises(UnreadableFileError, match="the class 'Epsilon'"):
        innexplain.load_analyzer(path, MODEL)
    (rule,) = innexplain.load_analyzer(path, MODEL, {"Epsilon": Epsilon}).options.rules.values()
    assert type(rule) is Epsilon and rule.epsilon == 0.5
    ours = create("lrp.z", MODEL, rules={"conv": rules.Epsilon(0.5)}).save(tmp_path / "b")
    (rule,) = innexplain.load_analyzer(ours, MODEL, {"Epsilon": Epsilon}).options.rules.values()
    assert type(rule) is rules.Epsilon


def test_classes_of_layers_are_known_from_the_model(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), Ours(), LocalResponseNormalization(), L.Dense(2)])
    given = {Ours: "gradient", LocalResponseNormalization: "gradient"}
    analyzer = create("lrp.z", model, rules=given)
    assert reloaded(analyzer, tmp_path / "a").options.rules == given
    path = create("lrp.z", MODEL, rules={Ours: "gradient"}).save(tmp_path / "b")
    with pytest.raises(UnreadableFileError, match="the class 'Ours'"):
        innexplain.load_analyzer(path, MODEL)
    assert innexplain.load_analyzer(path, MODEL, {"Ours": Ours}).options.rules == {Ours: "gradient"}


def test_methods_of_ones_own_are_given_or_registered(tmp_path: Path) -> None:
    rows = composites.lrp_composite("mine", composites.everywhere(rules.Gamma(0.5)))
    for number, method in enumerate((rows, Ones(scale=3.0, name="mine"))):
        analyzer = create("smoothgrad" if method is rows else method, MODEL, **_around(method, rows))
        path = analyzer.save(tmp_path / str(number))
        with pytest.raises(UnreadableFileError, match=r"'mine', (rows of rules|a Ones), which"):
            innexplain.load_analyzer(path, MODEL)
        with pytest.raises(UnreadableFileError, match=r"the method 'mine'.*Received: 3"):
            innexplain.load_analyzer(path, MODEL, {"mine": 3})
        with pytest.raises(ArgumentError, match="custom_objects must be a dict"):
            innexplain.load_analyzer(path, MODEL, method)
        assert_equal(innexplain.load_analyzer(path, MODEL, {"mine": method}), analyzer)
        innexplain.register_method("mine", method)
        try:
            assert_equal(innexplain.load_analyzer(path, MODEL), analyzer)
        finally:
            innexplain.unregister_method("mine")


def _around(method: Any, rows: Any) -> dict[str, Any]:
    return {"analyzer": method, "augment_by_n": 2} if method is rows else {}


def test_rows_that_are_called_as_ours_are_not_taken_for_ours(tmp_path: Path) -> None:
    rows = composites.lrp_composite("lrp.epsilon", composites.everywhere(rules.Gamma(0.5)))
    path = create(rows, MODEL).save(tmp_path / "a")
    with pytest.raises(UnreadableFileError, match=r"the method 'lrp\.epsilon', rows of rules"):
        innexplain.load_analyzer(path, MODEL)
    assert_equal(innexplain.load_analyzer(path, MODEL, {"lrp.epsilon": rows}), create(rows, MODEL))


def test_a_function_has_to_be_given_again(tmp_path: Path) -> None:
    def predict(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), -1)[:, :3]

    analyzer = create("random", predict, seed=2)
    found = innexplain.load_analyzer(analyzer.save(tmp_path / "a"), predict)
    np.testing.assert_array_equal(maps(found), maps(analyzer))
