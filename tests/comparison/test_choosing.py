"""What compare() refuses before it computes, and evaluators of one's own."""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import pytest

import innexplain
from innexplain.comparison import (
    Complexity,
    Evaluator,
    Findings,
    MaxSensitivity,
    Randomisation,
    RegionPerturbation,
    StrongFeatures,
    Subject,
    compare,
)
from innexplain.errors import ArgumentError, InputError, ModelError, UnknownNameError
from tests.comparison.cases import SHAPE, Linear, inputs, network, noise

X = inputs()
MAPS = {"a": noise(X)}

BAD = {
    "no inputs": ({"x": X[:0]}, InputError, "at least one sample"),
    "NaN": ({"x": np.full_like(X, np.nan)}, InputError, "must be finite"),
    "maps of another shape": (
        {"analyzers": {"a": X[:, :3]}},
        InputError,
        "The maps of 'a': attributions must",
    ),
    "maps of fewer samples": ({"analyzers": {"a": X[:2]}}, InputError, "The maps of 'a'"),
    "maps with NaN": (
        {"analyzers": {"a": X * np.nan}},
        InputError,
        "The maps of 'a': attributions must be fin",
    ),
    "maps of words": ({"analyzers": {"a": np.array(["b"] * 3)}}, InputError, "The maps of 'a'"),
    "maps as lists": ({"analyzers": {"a": X.tolist()}}, ArgumentError, "give the array itself"),
    "maps without a label": ({"analyzers": [X]}, ArgumentError, "Arrays need a label"),
    "an array for all": ({"analyzers": X}, ArgumentError, "Received: ndarray"),
    "a label that is a number": ({"analyzers": {1: X}}, ArgumentError, "Received: 1: ndarray"),
    "no analyzers": ({"analyzers": []}, ArgumentError, "Received: none"),
    "a number": ({"analyzers": 5}, ArgumentError, "Received: int"),
    "a class": ({"analyzers": [innexplain.Analyzer]}, ArgumentError, "Received in a list: "),
    "unknown analyzer": ({"analyzers": ["gradeint"]}, UnknownNameError, "Did you mean 'gradient'"),
    "unknown in a dict": ({"analyzers": {"a": "gradeint"}}, UnknownNameError, "Did you mean 'gradient'"),
    "twice": ({"analyzers": ["gradient", "input", "gradient"]}, ArgumentError, "'gradient' is named twice"),
    "a name with a function": ({"analyzers": ["gradient"]}, ArgumentError, "needs a Keras model.*only call"),
    "no evaluators": ({"evaluators": []}, ArgumentError, "evaluators must be"),
    "unknown evaluator": ({"evaluators": ["complexty"]}, UnknownNameError, "Did you mean 'complexity'"),
    "evaluator class": ({"evaluators": [Complexity]}, UnknownNameError, "an object of a class"),
    "evaluator number": ({"evaluators": 5}, ArgumentError, "Received: 5"),
    "evaluator twice": ({"evaluators": ["complexity", Complexity()]}, ArgumentError, "names of their own"),
    "no labels": ({"evaluators": ["strong_features"]}, ArgumentError, "needs labels"),
    "too few labels": ({"y": [0, 1]}, InputError, "y must be 3 class indices"),
    "labels that are floats": ({"y": [0.0, 1.0, 2.0]}, InputError, "y must be 3 class indices"),
    "labels beyond": ({"y": [0, 1, 3]}, ArgumentError, "y must lie between 0 and 2"),
    "target beyond": ({"target": 3}, ArgumentError, "target must lie between 0 and 2"),
    "targets too few": ({"target": [0, 1]}, ArgumentError, "target must be None"),
    "target a function": ({"target": np.max}, ArgumentError, "Received: a function"),
    "batch size": ({"batch_size": 0}, ArgumentError, "batch_size must be"),
    "seed": ({"seed": -1}, ArgumentError, "seed must be"),
    "channel axis": ({"channel_axis": 1}, ArgumentError, "channel_axis must be"),
    "region": ({"evaluators": [RegionPerturbation(6)]}, ArgumentError, "region_size must not exceed"),
    "steps": ({"evaluators": [RegionPerturbation(2, 13)]}, ArgumentError, "number of regions, 12"),
    "no model": ({"model": "model.keras"}, ModelError, "of type str"),
}


@pytest.mark.parametrize(("changed", "error", "words"), BAD.values(), ids=list(BAD))
def test_bad_input_is_refused_before_anything_is_computed(changed, error, words, tmp_path) -> None:
    model = Linear()
    call = {"model": model, "x": X, "analyzers": MAPS, "evaluators": [Complexity()], **changed}
    with pytest.raises(error, match=words):
        compare(**call, folder=tmp_path / "parts")
    assert model.rows <= len(X)  # the outputs for x, which targets and labels are held to
    assert list(tmp_path.iterdir()) == []


def test_the_call_that_is_changed_succeeds(tmp_path) -> None:
    assert list(compare(Linear(), X, MAPS, [Complexity()], folder=tmp_path).maps) == ["a"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RegionPerturbation(order="best"), "order must be one of"),
        (lambda: RegionPerturbation(repeats=0), "repeats must be an int"),
        (lambda: RegionPerturbation(sampler="noise"), "sampler must be one of"),
        (lambda: MaxSensitivity(radius=-1), "radius must be"),
        (lambda: MaxSensitivity(samples=0), "samples must be"),
        (lambda: Randomisation("all"), "mode must be one of"),
        (lambda: StrongFeatures(2), "threshold must be"),
        (lambda: StrongFeatures(fill="grey"), "fill must be"),
    ],
)
def test_settings_are_checked_when_they_are_made(make, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


def test_analyzers_of_another_model_or_class() -> None:
    model, other = network(), network(seed=1)
    with pytest.raises(ArgumentError, match="'gradient' was made for another model"):
        compare(model, X, [innexplain.create_analyzer("gradient", other)])
    predicted = np.asarray(model(X)).argmax(axis=1)
    analyzer = innexplain.create_analyzer("gradient", model)
    with pytest.raises(ArgumentError, match="'mine' explains the predicted class"):
        compare(model, X, {"mine": analyzer}, [Complexity()], target=(predicted + 1) % 3)
    told = innexplain.create_analyzer("gradient", model, neuron_selection_mode="index")
    same = compare(model, X, {"mine": analyzer}, [Complexity()], target=predicted)
    turned = compare(model, X, {"mine": told}, [Complexity()], target=(predicted + 1) % 3)
    np.testing.assert_array_equal(turned.maps["mine"], told.analyze(X, (predicted + 1) % 3))
    assert not np.allclose(turned.maps["mine"], same.maps["mine"])


@pytest.mark.parametrize(
    ("shape", "size"),
    [((40, 30, 1), 3), ((224, 120, 3), 9), ((99, 300, 1), 10), ((7, 5, 2), 1), ((1000, 2), 9), ((4,), 1)],
)
def test_region_size_suits_the_input(shape: tuple[int, ...], size: int) -> None:
    """9 pixels of 100 and more, as in the paper; else a tenth of the shorter side."""
    x = np.zeros((1, *shape))
    assert RegionPerturbation().fitted(x, None, -1).region_size == size
    assert RegionPerturbation(2).fitted(x, None, -1).region_size == 2


@dataclass(frozen=True)
class Share(Evaluator):
    """The share of a map that lies above a threshold, and how sure the model is."""

    name = "share"
    columns: ClassVar[dict[str, str]] = {"share": "lower", "output": ""}
    reading = "Share: <how> much is marked."
    above: float = 0.0

    def evaluate(self, subject: Subject) -> Findings:
        outputs = subject.predict(subject.x)
        flat = subject.maps.reshape(len(subject.x), -1)
        marked = (flat > self.above).mean(axis=1)
        sure = outputs[np.arange(len(outputs)), subject.target]
        return Findings({"share": marked, "output": sure}, {"both": np.stack([marked, sure], axis=1)})


def test_an_evaluator_of_ones_own() -> None:
    model = Linear()
    found = compare(model, X, MAPS, [Share(0.5), "complexity"])
    np.testing.assert_array_equal(found.values("share")["a"], (MAPS["a"] > 0.5).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(found.values("output")["a"], model(X).max(axis=1))
    assert found.curves("both")["a"].shape == (3, 2)
    assert found.cells()[0][:3] == ["analyzer", "share v", "output"]
    text = "\n".join(found.report().sections([]))
    assert "Share: &lt;how&gt; much is marked." in text
    assert "Share(above=0.5)" in text


def _like(findings: object, **attributes: object) -> Evaluator:
    """An object of a class like `Share` that gives other findings."""
    return type("Other", (Share,), {"evaluate": lambda self, subject: findings, **attributes})()


@pytest.mark.parametrize(
    ("evaluator", "words"),
    [
        (_like({"share": X[:, 0, 0, 0]}), "must give Findings. Received: dict"),
        (_like(Findings({"mine": np.zeros(3)})), "for its columns .*Received: 'mine'"),
        (_like(Findings({"share": np.zeros((3, 2))})), r"'share' of dtype float64, shape \(3, 2\)"),
        (_like(Findings({"share": np.zeros(2)})), r"shape \(2,\)"),
        (_like(Findings({"share": np.array(["a"] * 3)})), "'share' of dtype <U1"),
        (_like(Findings(curves={"share": np.zeros(3)})), r"shape \(3,\)"),
    ],
)
def test_findings_are_checked(evaluator: Evaluator, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        compare(Linear(), X, MAPS, [evaluator])


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"name": ""}, "names of their own"),
        ({"name": "complexity"}, "names of their own"),
        ({"columns": {"Gini": ""}}, r"Received twice: \['Gini', 'Gini sd'\]"),
        ({"columns": {"seconds": ""}}, "Received twice: "),
        ({"columns": {"a": "", "a sd": ""}}, "Received twice: "),
    ],
)
def test_names_and_columns_are_distinct(attributes: dict, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        compare(Linear(), X, MAPS, [_like(Findings(), **attributes), Complexity()])


def test_a_column_without_numbers_is_a_dash() -> None:
    found = compare(
        Linear(), X, MAPS, [_like(Findings()), "max_sensitivity", "randomisation", "completeness"]
    )
    assert found.cells()[1] == [["a", "-", "-", "-", "-", "-", "-", "-"]]
    assert found.rows()[0]["share"] is None


def test_the_model_may_be_a_model_of_keras_with_given_maps() -> None:
    """Also one without a graph, which no analyzer of layers would take."""

    class Subclassed(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.dense(keras.ops.reshape(x, (-1, int(np.prod(SHAPE)))))

    model = Subclassed()
    model(X)
    found = compare(
        model, X, {"a": noise(X), "refused": "lrp.epsilon"}, [RegionPerturbation(2, 2, repeats=1)]
    )
    np.testing.assert_allclose(found.curves("scores")["a"][:, 0], np.asarray(model(X)).max(axis=1), 1e-5)
    assert "Subclassed" in found.refusals["refused"]
