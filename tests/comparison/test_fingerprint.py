"""What is kept is recognised by every value of its settings: nothing may be left out of a digest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest

from innexplain.comparison import Evaluator, Findings, RegionPerturbation, Subject, compare
from innexplain.comparison.running import model_digest
from innexplain.samplers import Sampler
from tests.comparison.cases import Linear, inputs, network, noise


@dataclass(frozen=True)
class Marked(Evaluator):
    """The sum of a map, weighed by settings that may stand in containers of any kind."""

    name = "marked"
    columns: ClassVar[dict[str, str]] = {"marked": ""}
    weights: Any = None

    def evaluate(self, subject: Subject) -> Findings:
        weights = keras.tree.flatten(self.weights)[0]
        return Findings({"marked": (subject.maps * weights).sum(axis=(1, 2))})


@dataclass(frozen=True)
class Held(Sampler):
    """Puts a picture in the place of regions."""

    picture: Any = None

    def fill(self, image: np.ndarray, labels: np.ndarray, rng: Any, channel_axis: int | None = -1) -> Any:
        return self.picture


WIDE = inputs(2, (40, 40))


def _judged(evaluator: Evaluator, folder: Path | None) -> np.ndarray:
    function, maps = Linear((40, 40)), {"a": noise(WIDE)}
    function.weights = function.weights / 40  # no output is saturated
    found = compare(function, WIDE, maps, [evaluator], folder=folder, channel_axis=None)
    return next(iter(found.entries[0].values().values()))


@pytest.mark.parametrize(
    "make",
    [
        Marked,
        lambda mask: Marked({"mask": mask}),
        lambda mask: Marked([(mask, 1.0), "word"]),
        lambda mask: RegionPerturbation(8, 3, sampler=Held(mask)),
    ],
    ids=["field", "dict", "list of tuples", "nested sampler"],
)
def test_arrays_in_settings_count(make, tmp_path: Path) -> None:
    """Two masks of 40 x 40 whose `repr` is the same, since NumPy leaves out what is in the middle."""
    one, other = np.zeros((40, 40)), np.zeros((40, 40))
    other[10:30, 10:30] = 1
    assert repr(one) == repr(other)
    _judged(make(one), tmp_path)
    again = _judged(make(other), tmp_path)
    np.testing.assert_array_equal(again, _judged(make(other), None))
    assert (again != _judged(make(one), None)).any()


def test_equal_arrays_in_settings_are_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _judged(Marked({"a": WIDE[0], "b": (1, "x")}), tmp_path)
    monkeypatch.setattr(Marked, "evaluate", lambda self, subject: pytest.fail("it was judged again"))
    np.testing.assert_array_equal(_judged(Marked({"b": (1, "x"), "a": WIDE[0].copy()}), tmp_path), first)


def test_digests_of_models(tmp_path: Path) -> None:
    model = network()
    first = model_digest(model, None, WIDE)
    model.save(tmp_path / "model.keras")
    assert model_digest(keras.models.load_model(tmp_path / "model.keras"), None, WIDE) == first
    kernel = model.layers[0].kernel
    kernel.assign(kernel + 1e-6)
    assert model_digest(model, None, WIDE) != first
    keys = [model_digest(_activated(name), None, WIDE) for name in ("relu", "tanh", "relu")]
    assert keys[0] == keys[2] != keys[1]


def _activated(name: str) -> keras.Model:
    layer = keras.layers.Activation(name, name="a")
    return keras.Sequential([keras.Input((4,), name="x"), layer], name="model")
