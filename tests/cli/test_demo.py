"""`innexplain demo`, end to end with few epochs, and what it does when things are missing."""

import builtins
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import innexplain
from innexplain.cli import demo
from innexplain.cli.demo_network import Digits, load_digits, train
from innexplain.cli.demo_page import page
from innexplain.cli.demo_patterns import pattern_figure
from innexplain.cli.demo_runs import Case, Run, pick_cases
from innexplain.cli.main import main
from innexplain.comparison import RegionPerturbation, choosing
from innexplain.patterns import ESTIMATORS
from tests.pages import Page

pytest.importorskip("sklearn")
NAMES = (
    "gradient",
    "guided_backprop",
    "pattern.net",
    "pattern.attribution",
    "integrated_gradients",
    "sensitivity",
)
COMPARED = ("lrp.epsilon", "random")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """A demo of three epochs and a few analyzers: enough for all that it writes."""
    folder = tmp_path_factory.mktemp("demo") / "new"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(innexplain, "analyzer_names", lambda: NAMES)
        patch.setattr(choosing, "DEFAULT_ANALYZERS", COMPARED)
        patch.setattr(demo, "_COMPARED", 4)
        return main(["demo", "--output", str(folder), "--epochs", "3"]), folder


def test_accuracy_below_the_goal_is_exit_code_1(done) -> None:
    """Three epochs do not suffice; the files are there all the same."""
    code, folder = done
    loaded = keras.models.load_model(folder / "digits.keras")
    digits = load_digits()
    accuracy = (np.asarray(loaded(digits.test_x)).argmax(-1) == digits.test_y).mean()
    assert 0.2 < accuracy < 0.97
    assert code == 1
    assert f"<strong>{accuracy:.1%}</strong>" in (folder / "index.html").read_text("utf-8")


def test_files_are_complete(done) -> None:
    _, folder = done
    names = {path.name for path in folder.iterdir()}
    digits = {f"digit-{i}.png" for i in range(1, 9)}
    pictures = {"gallery.png", "clear.png", "patterns.png"}
    assert names == {"digits.keras", "index.html", "comparison"} | pictures | digits
    with Image.open(folder / "gallery.png") as gallery:
        assert gallery.width > 1000
        assert len(gallery.convert("RGB").getcolors(2**24)) > 200


def test_page_stands_alone_and_is_accessible(done) -> None:
    """The gallery and the curves of the comparison are inside."""
    _, folder = done
    page = Page((folder / "index.html").read_text(encoding="utf-8"))
    page.check()
    (gallery, names), (clear, rows), (patterns, estimators), (curves, compared) = page.pictures
    assert clear == (folder / "clear.png").read_bytes()
    assert rows.count(" taken for a ") == 4
    assert gallery == (folder / "gallery.png").read_bytes()
    assert patterns == (folder / "patterns.png").read_bytes()
    assert all(name in estimators for name in ESTIMATORS)
    assert curves == (folder / "comparison" / "curves.png").read_bytes()
    assert all(name in names for name in NAMES)
    assert all(name in compared for name in COMPARED)
    assert {*NAMES, *COMPARED} <= set(page.cells)


def test_comparison_is_that_of_the_network_on_digits_held_out(done) -> None:
    _, folder = done
    digits = load_digits()
    model = keras.models.load_model(folder / "digits.keras")
    chosen = [RegionPerturbation(steps=16), "complexity", "completeness"]
    found = innexplain.compare(model, digits.test_x[:4], COMPARED, chosen, y=digits.test_y[:4])
    numbers = json.loads((folder / "comparison" / "numbers.json").read_text("utf-8"))
    assert numbers["y"] == digits.test_y[:4].tolist()
    for name in COMPARED:
        for column in ("AOPC", "Gini"):
            expected = found.values(column)[name]
            np.testing.assert_allclose(numbers["per_image"][name][column], expected, 1e-4, 1e-6)
    report = Page((folder / "comparison" / "report.html").read_text("utf-8"))
    report.check()
    assert len(report.pictures) == 3
    text = (folder / "index.html").read_text("utf-8")
    assert "the 16 pixels, of 64, that a map ranks highest" in text
    assert "regions were replaced in the end" not in text
    page = Page(text)
    assert {row[1] for row in found.cells()[1]} <= set(page.cells)


def test_digit_files_give_the_network_the_same_values(done) -> None:
    """`innexplain explain --preprocess 0-1` on them explains what the gallery shows."""
    _, folder = done
    digits = load_digits()
    with Image.open(folder / "digit-1.png") as picture:
        values = (np.asarray(picture, dtype=np.float64) / 255).astype("float32")[..., None]
    assert (digits.test_x == values).all(axis=(1, 2, 3)).any()


def test_held_out_digits_are_held_out() -> None:
    digits = load_digits()
    assert (len(digits.train_x), len(digits.test_x)) == (1347, 450)
    assert (digits.train_x.min(), digits.train_x.max()) == (0, 1)
    train = {image.tobytes() for image in digits.train_x}
    assert sum(image.tobytes() in train for image in digits.test_x) == 0


def test_colours_of_signal_and_strength_are_told_apart(done) -> None:
    """The legend of patterns.png has signal beside attribution, that of the gallery strength."""
    folder = done[1]
    model, digits = keras.models.load_model(folder / "digits.keras"), load_digits()
    cases = pick_cases(digits, np.asarray(model(digits.test_x)))[:1]
    figure = pattern_figure(model, digits.train_x[:100], cases)
    bars = [axes for axes in figure.axes if axes.get_xticklabels()]
    assert [bar.get_xticklabels()[-1].get_text() for bar in bars] == [
        "for the explained class",
        "signal above zero",
    ]
    below = [bar.get_xlabel() for bar in bars]
    assert all(f"attribution {e}" in below[0] and f"signal {e}" in below[1] for e in ESTIMATORS)
    runs = [Run(name, np.ones((1, 8, 8))) for name in ("lrp.z", "sensitivity", "pattern.net")]
    bars = [axes for axes in demo.gallery_figure(0.9, cases, runs).axes if axes.get_xticklabels()]
    assert [bar.get_xlabel().split("\n")[0] for bar in bars] == ["lrp.z", "sensitivity", "pattern.net"]


def test_table_is_printed_with_refusals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, innexplain_) -> None:
    names = (*NAMES, "gradient_of_nothing")
    monkeypatch.setattr(innexplain, "analyzer_names", lambda: names)
    monkeypatch.setattr(choosing, "DEFAULT_ANALYZERS", COMPARED)
    monkeypatch.setattr(demo, "_COMPARED", 4)
    code, out, err = innexplain_("demo", "--output", tmp_path, "--epochs", 1)
    assert (code, err) == (1, "")
    assert "NOT as expected" in out
    first, second = out.split("Which map can be believed?")
    rows = {line.split()[0]: line.split()[1:] for line in first.splitlines() if line.strip()}
    for name in NAMES:
        assert [float(cell) > 0 for cell in rows[name][:2]] == [True, True]
        assert (rows[name][2] == "-") == (name != "integrated_gradients")
    assert re.search(r"^gradient_of_nothing +refused +- +-$", out, re.MULTILINE)
    assert "gradient_of_nothing refused: There is no analyzer" in out
    assert "gradient_of_nothing</dt>" in (tmp_path / "index.html").read_text("utf-8")
    assert str((tmp_path / "index.html").resolve()) in out
    lines = second.splitlines()
    assert "4 digits held out" in lines[0]
    assert [line.split()[0] for line in lines[1:5]] == ["analyzer", "-" * len("lrp.epsilon"), *COMPARED]
    assert str((tmp_path / "comparison" / "report.html").resolve()) in second


def test_cases_are_right_ones_then_the_surest_mistakes() -> None:
    labels = np.arange(20) % 10
    outputs = np.full((20, 10), 0.01)
    outputs[np.arange(20), labels] = 0.9
    for i, sure in ((3, 0.92), (7, 0.99), (11, 0.95)):
        outputs[i, (labels[i] + 1) % 10] = sure
    digits = Digits(*[np.zeros((20, 8, 8, 1)), labels] * 2)
    cases = pick_cases(digits, outputs)
    assert [case.right for case in cases] == [True] * 4 + [False] * 3
    assert len({case.true for case in cases[:4]}) == 4
    assert [case.true for case in cases[4:]] == [7, 1, 3]
    assert [case.file_name for case in cases] == [f"digit-{i}.png" for i in range(1, 8)]


def test_page_without_mistakes_and_with_hostile_text() -> None:
    case = Case(1, np.zeros((8, 8, 1)), true=3, predicted=3, probability=0.5)
    text = page(b"png", 1.0, [case], [Run("<b>", refusal='no "rule" & <layer>')])
    assert "It made no mistake" in text
    assert "<b>" not in text
    assert "no &quot;rule&quot; &amp; &lt;layer&gt;" in text
    assert Page(text).open == []


def test_scikit_learn_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, innexplain_) -> None:
    usual = builtins.__import__

    def without(name: str, *more: object):
        if name.split(".")[0] == "sklearn":
            raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
        return usual(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = innexplain_("demo", "--output", tmp_path / "new")
    assert code == 2
    assert err.count("\n") == 1
    assert "pip install innexplain[demo]" in err
    assert list(tmp_path.iterdir()) == []


def test_output_that_is_a_file_is_found_before_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, innexplain_
) -> None:
    monkeypatch.setattr(demo, "train", lambda *arguments: pytest.fail("it trained"))
    (tmp_path / "file").touch()
    code, _, err = innexplain_("demo", "--output", tmp_path / "file")
    assert code == 2
    assert "is a file, not a folder" in err


def test_interrupted_in_training(monkeypatch: pytest.MonkeyPatch, tmp_path, innexplain_) -> None:
    def train(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "train", train)
    code, _, err = innexplain_("demo", "--output", tmp_path / "new")
    assert code == 130
    assert err == ("innexplain: interrupted: the network was still in training; nothing was written.\n")
    assert list(tmp_path.iterdir()) == []


def test_interrupted_in_the_comparison(monkeypatch: pytest.MonkeyPatch, tmp_path, innexplain_) -> None:
    def compare(*arguments: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(innexplain, "compare", compare, raising=False)
    monkeypatch.setattr(innexplain, "analyzer_names", lambda: ("gradient",))
    code, _, err = innexplain_("demo", "--output", tmp_path / "new", "--epochs", 1)
    assert code == 130
    assert err == "innexplain: interrupted: the trained network is lost; nothing was written.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_every_analyzer_explains_the_network(tmp_path: Path, innexplain_) -> None:
    code, out, err = innexplain_("demo", "--output", tmp_path)
    assert (code, err) == (0, "")
    assert "refused" not in out
    page = Page((tmp_path / "index.html").read_text("utf-8"))
    page.check()
    assert set(innexplain.analyzer_names()) <= set(page.cells)
    numbers = json.loads((tmp_path / "comparison" / "numbers.json").read_text("utf-8"))
    gains = {row["analyzer"]: row["AOPC - random"] for row in numbers["analyzers"]}
    assert set(gains) == set(choosing.DEFAULT_ANALYZERS)
    assert gains["lrp.epsilon"] > 0.02 > gains["random"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_goal_is_reached_with_any_seed(seed: int) -> None:
    _, accuracy = train(keras, load_digits(), epochs=40, seed=seed)
    assert accuracy >= 0.97
