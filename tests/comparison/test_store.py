"""What is computed is kept: a later call goes on from there, and trusts no file that does not fit."""

from pathlib import Path

import keras
import numpy as np
import pytest

from innexplain.analyzers import Analyzer
from innexplain.comparison import Complexity, MaxSensitivity, RegionPerturbation, compare
from innexplain.comparison import evaluations as kinds
from innexplain.errors import OutputPathError
from tests.comparison.cases import FAST, SHAPE, Linear, counted, inputs, noise

X = inputs()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list:
    """A note for every map that is made and every evaluator that runs."""
    log: list = []
    monkeypatch.setattr(Analyzer, "analyze", counted(Analyzer.analyze, log))
    for name in ("region_perturbation", "png_size", "max_sensitivity"):
        monkeypatch.setattr(kinds, name, counted(getattr(kinds, name), log))
    return log


def softmax(seed: int = 0) -> keras.Model:
    """The smallest classifier there is: what is kept of it is as much as of any other."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    return keras.Sequential(layers)


def _run(folder: Path, model=None, x: np.ndarray = X, **changed: object):
    call = {"analyzers": ["gradient", "random"], "evaluators": [FAST, Complexity()], **changed}
    return compare(softmax() if model is None else model, x, folder=folder, **call)


def _same(a, b) -> bool:
    pairs = [(a.maps[label], b.maps[label]) for label in a.maps]
    for column in a.columns:
        pairs += [(v, b.values(column)[label]) for label, v in a.values(column).items()]
    pairs += [(curve, b.curves()[label]) for label, curve in a.curves().items()]
    return all(np.array_equal(one, other) for one, other in pairs)


def test_a_second_call_computes_nothing(tmp_path: Path, calls: list) -> None:
    model = softmax()
    first = _run(tmp_path, model)
    assert len(calls) == 2 * (2 + 2)  # two methods: explained twice, once to compile; two evaluators
    calls.clear()
    second = _run(tmp_path, model)
    assert calls == []
    assert _same(first, second)
    assert [e.seconds for e in first.entries] == [e.seconds for e in second.entries]


def test_what_is_new_is_computed_and_the_rest_is_kept(tmp_path: Path, calls: list) -> None:
    model = softmax()
    _run(tmp_path, model)
    calls.clear()
    more = _run(tmp_path, model, analyzers=["input", "gradient", "random"])
    assert len(calls) == 2 + 2
    np.testing.assert_array_equal(more.curves("random")["input"], more.curves("random")["gradient"])
    calls.clear()
    _run(tmp_path, model, evaluators=[FAST, Complexity(), MaxSensitivity(samples=1)])
    assert len(calls) == 2


def test_weights_inputs_classes_and_settings_count(tmp_path: Path, calls: list) -> None:
    """Each run differs from the one before in one thing, and finds nothing of it that it could use."""
    state: dict = {"model": softmax()}
    before = _run(tmp_path, **state)
    for changed in (
        {"model": softmax(seed=1)},
        {"x": inputs(seed=1)},
        {"x": inputs(seed=1).astype("float64")},
        {"target": (before.target + 1) % 3},
    ):
        calls.clear()
        state |= changed
        after = _run(tmp_path, **state)
        assert not _same(before, after), changed
        assert len(calls) == 8, changed
        before = after
    for changed in ({"seed": 1}, {"evaluators": [RegionPerturbation(3, 2, repeats=2), Complexity()]}):
        calls.clear()
        state |= changed
        after = _run(tmp_path, **state)
        assert np.array_equal(before.maps["gradient"], after.maps["gradient"])
        assert not _same(before, after)
        assert 2 <= len(calls) <= 4, changed
        before = after


def test_the_channel_axis_counts(tmp_path: Path, calls: list) -> None:
    """A cube of 4 x 4 x 4 fits both ways."""
    x = inputs(2, (4, 4, 4))
    function, maps = Linear((4, 4, 4)), {"a": noise(x)}
    last, first = (
        compare(function, x, maps, [FAST, Complexity()], folder=tmp_path, channel_axis=axis)
        for axis in (-1, 0)
    )
    assert len(calls) == 4
    assert not _same(last, first)


def test_functions_are_known_by_what_they_answer(tmp_path: Path, calls: list) -> None:
    """Saturated networks give ones and zeros for x itself, whatever they are."""
    one, other = Linear(), Linear()
    one.weights = one.weights * 1000
    other.weights = one.weights * 1.5
    assert np.array_equal(np.round(one(X), 5), np.round(other(X), 5))
    before = compare(one, X, {"a": noise(X)}, [FAST], folder=tmp_path)
    compare(one, X, {"a": noise(X)}, [FAST], folder=tmp_path)
    assert len(calls) == 1
    other.weights = -one.weights
    after = compare(other, X, {"a": noise(X)}, [FAST], folder=tmp_path, target=before.target)
    assert len(calls) == 2
    assert not _same(before, after)


def test_given_maps_are_kept_by_their_values(tmp_path: Path, calls: list) -> None:
    function = Linear()
    for maps in (noise(X, 1), noise(X, 1), noise(X, 2)):
        found = compare(function, X, {"a": maps}, [Complexity()], folder=tmp_path)
        np.testing.assert_array_equal(found.maps["a"], maps)
    assert len(calls) == 2


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """A model, what was found of it, and the parts that were kept."""
    folder, model = tmp_path_factory.mktemp("finished"), softmax()
    return model, _run(folder, model), {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("damage", ["cut", "emptied", "changed", "replaced", "swapped", "a folder of junk"])
def test_damaged_parts_are_computed_anew(damage: str, tmp_path: Path, calls: list, finished: tuple) -> None:
    model, first, parts = finished
    assert len(parts) == 2 * 3
    whole = list(parts.values())
    for number, (name, content) in enumerate(parts.items()):
        middle = len(content) // 2
        (tmp_path / name).write_bytes(
            {
                "cut": content[:middle],
                "emptied": b"",
                "changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
                "replaced": b"PK\x03\x04 no archive at all" * 20,
                "swapped": whole[number - 1],
                "a folder of junk": b"\x80\x04cos\nsystem\n",
            }[damage]
        )
    assert _same(first, _run(tmp_path, model))
    assert len(calls) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == list(parts)
    calls.clear()
    _run(tmp_path, model)
    assert calls == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_end_in_the_middle_keeps_what_is_finished(
    error: type, tmp_path: Path, calls: list, finished: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, whole, _ = finished
    usual, done = kinds.gini, []

    def ends(*arguments: object, **keywords: object):
        if done:
            raise error("the end")
        done.append(1)
        return usual(*arguments, **keywords)

    monkeypatch.setattr(kinds, "gini", ends)
    with pytest.raises(error):
        _run(tmp_path, model)
    names = {path.name for path in tmp_path.iterdir()}
    finished = {f"{a}.{e}.part" for a in ("gradient", "random") for e in ("maps", "region_perturbation")}
    assert names == finished | {"gradient.complexity.part"}
    calls.clear()
    monkeypatch.setattr(kinds, "gini", usual)
    assert _same(_run(tmp_path, model), whole)
    assert len(calls) == 1  # what was missing


def test_a_folder_that_cannot_be_made_is_found_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    function = Linear()
    with pytest.raises(OutputPathError, match="Cannot write to the folder"):
        compare(function, X, {"a": noise(X)}, folder=tmp_path / "file" / "parts")
    assert function.rows == len(X)


def test_a_part_that_cannot_be_written_is_no_refusal(tmp_path: Path) -> None:
    (tmp_path / "gradient.maps.part").mkdir()
    with pytest.raises(OutputPathError, match="it is a folder"):
        _run(tmp_path)


def test_labels_become_file_names_of_their_own(tmp_path: Path) -> None:
    labels = ["norm 2", "norm_2", "norm-2", "../up", "up", "Up", "", ".", "ε", "a/b", "x" * 300, "x" * 301]
    function, maps = Linear(), {label: noise(X) for label in labels}
    found = compare(function, X, maps, [Complexity()], folder=tmp_path / "parts")
    assert list(found.maps) == labels
    assert len(list((tmp_path / "parts").iterdir())) == len(labels)
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]
