"""Finished parts are recognised by the settings of analyzers; rows and methods stand in place of names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import innexplain
from innexplain import composites, rules
from innexplain.analyzers import Analyzer
from innexplain.analyzers.method import METHODS
from innexplain.comparison import Complexity, compare
from innexplain.errors import ArgumentError
from innexplain.evaluators import NetworkQuality
from tests.comparison.cases import SHAPE, counted, inputs, network

X = inputs()
MODEL = network()
create = innexplain.create_analyzer
ROWS = composites.lrp_composite("mine", composites.everywhere(rules.Gamma(0.5)))


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> list:
    """A note for every call that makes maps."""
    log: list = []
    monkeypatch.setattr(Analyzer, "analyze", counted(Analyzer.analyze, log))
    return log


def _compared(folder: Path, analyzer: Any) -> np.ndarray:
    found = compare(MODEL, X, {"a": analyzer}, [Complexity()], folder=folder)
    return found.maps["a"]


def _baseline(value: float) -> np.ndarray:
    """Arrays whose `repr` is the same: they differ in the middle."""
    array = np.zeros((*SHAPE[:2], SHAPE[2]), "float32")
    array[3, 2, 0] = value
    return array


ALIKE = [
    lambda: create("lrp.epsilon", MODEL, epsilon=0.5),
    lambda: create("lrp.epsilon", MODEL, rules={MODEL.get_layer("conv"): rules.Gamma(0.5)}),
    lambda: create("integrated_gradients", MODEL, steps=3, baseline=_baseline(1.0)),
    lambda: create("smoothgrad", MODEL, augment_by_n=2, analyzer=create("lrp.z", MODEL, pre_softmax=False)),
]


@pytest.mark.parametrize("made", ALIKE, ids=range(len(ALIKE)))
def test_objects_of_equal_settings_are_explained_once(made: Any, tmp_path: Path, explained: list) -> None:
    first = _compared(tmp_path, made())
    assert len(explained) == 2  # once to compile
    np.testing.assert_array_equal(_compared(tmp_path, made()), first)
    assert len(explained) == 2


DIFFERENT = [
    (create("lrp.epsilon", MODEL, epsilon=0.5), create("lrp.epsilon", MODEL, epsilon=0.25)),
    (create("lrp.z", MODEL), create("lrp.z", MODEL, rules={"conv": "Flat"})),
    (create("lrp.z", MODEL), create("lrp.z", MODEL, pre_softmax=False)),
    (create("random", MODEL), create("random", MODEL, seed=1)),
    (
        create("integrated_gradients", MODEL, steps=3, baseline=_baseline(1.0)),
        create("integrated_gradients", MODEL, steps=3, baseline=_baseline(2.0)),
    ),
    (
        create("smoothgrad", MODEL, augment_by_n=2, analyzer=create("lrp.epsilon", MODEL, epsilon=0.5)),
        create("smoothgrad", MODEL, augment_by_n=2, analyzer=create("lrp.epsilon", MODEL)),
    ),
    ("lrp.flat", create("lrp.w_square", MODEL, neuron_selection_mode="index")),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=range(len(DIFFERENT)))
def test_other_settings_are_explained_anew(one: Any, other: Any, tmp_path: Path, explained: list) -> None:
    first = _compared(tmp_path, one)
    second = _compared(tmp_path, other)
    assert len(explained) == 4
    assert not np.array_equal(first, second)


def test_a_name_is_an_analyzer_of_default_settings(tmp_path: Path, explained: list) -> None:
    first = _compared(tmp_path, "lrp.epsilon")
    again = _compared(tmp_path, create("lrp.epsilon", MODEL, neuron_selection_mode="index"))
    np.testing.assert_array_equal(again, first)
    assert len(explained) == 2
    _compared(tmp_path, create("lrp.epsilon", MODEL))  # explains the predicted class, as it happens the same
    assert len(explained) == 4


def test_functions_among_the_settings_are_never_taken_for_equal(tmp_path: Path, explained: list) -> None:
    for analyzer in (
        create("gradient", MODEL, neuron_selection_mode=lambda y: y[:, 0]),
        create("lrp.z", MODEL, rules=[(lambda step: step.path == ("conv",), "Flat")]),
        create(ROWS, MODEL),
    ):
        explained.clear()
        for _ in range(2):
            _compared(tmp_path, analyzer)
        assert len(explained) == 4


def test_a_name_that_comes_to_mean_other_rows_is_explained_anew(tmp_path: Path) -> None:
    try:
        maps = []
        for gamma in (0.5, 5.0):
            rows = composites.lrp_composite("mine", composites.everywhere(rules.Gamma(gamma)))
            innexplain.register_method("mine", rows)
            maps.append(_compared(tmp_path, "mine"))
        for rule in (rules.Z(), rules.Flat()):
            innexplain.register_method("mine", type(METHODS["lrp.z"])(rule=rule))
            maps.append(_compared(tmp_path, "mine"))
    finally:
        innexplain.unregister_method("mine")
    assert not any(np.array_equal(a, b) for i, a in enumerate(maps) for b in maps[:i])


def test_rows_and_methods_stand_in_place_of_names() -> None:
    gamma = create("lrp.gamma", MODEL, gamma=0.5, neuron_selection_mode="index")
    method = gamma.method
    found = compare(MODEL, X, [ROWS, method, "lrp.gamma", "gradient", gamma], [Complexity()])
    assert list(found.maps) == ["mine", "lrp.gamma", "lrp.gamma (2)", "gradient", "lrp.gamma (3)"]
    assert [e.meaning for e in found.entries] == ["relevance"] * 5
    for label in ("lrp.gamma", "lrp.gamma (3)"):
        np.testing.assert_array_equal(found.maps[label], found.maps["mine"])
    assert not np.array_equal(found.maps["lrp.gamma (2)"], found.maps["mine"])
    labelled = compare(MODEL, X, {"a": ROWS, "b": method}, [Complexity()]).maps
    np.testing.assert_array_equal(labelled["a"], labelled["b"])


@pytest.mark.parametrize(
    "analyzer", ["lrp.gamma", METHODS["lrp.gamma"], ROWS], ids=["name", "method", "rows"]
)
def test_quality_of_a_network_by_names_methods_and_rows(analyzer: Any) -> None:
    """The model is explained with the very analyzer that create_analyzer makes."""
    x, y = inputs(8), np.arange(8) % 3
    settings = {"region_size": 2, "steps": 3, "repeats": 1}
    arguments = None if analyzer is ROWS else {"gamma": 0.5}
    quality = NetworkQuality(x, analyzer, analyzer_arguments=arguments, **settings)
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=1, verbose=0, callbacks=[quality])
    maps = create("lrp.gamma", model, gamma=0.5).analyze(x)
    expected = innexplain.evaluators.region_perturbation(model, x, maps, **settings)
    assert [r["epoch"] for r in quality.history] == [1]
    assert quality.history[0]["aopc"] == pytest.approx(float(expected.aopc[-1]), rel=1e-4)
    with pytest.raises(ArgumentError, match="analyzer must be a name, a Method or a Composite"):
        NetworkQuality(x, create("gradient", model))
