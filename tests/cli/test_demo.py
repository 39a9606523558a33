"""`innexplain demo`, end to end with few epochs, and what it does when things are missing."""

import builtins
import contextlib
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import innexplain
from innexplain import plots
from innexplain.cli import demo, demo_network, demo_runs
from innexplain.cli.demo_network import Digits, build, load_digits, train
from innexplain.cli.demo_page import page
from innexplain.cli.demo_runs import Case, Run, pick_cases
from innexplain.cli.main import main
from innexplain.comparison import RegionPerturbation, choosing
from innexplain.patterns import ESTIMATORS
from tests.pages import Page

pytest.importorskip("sklearn")
NAMES = ("gradient", "pattern.net", "integrated_gradients", "sensitivity")
COMPARED = ("lrp.epsilon", "random")
PIXELS = 16  # replaced in each digit that is compared


@dataclass
class Demo:
    """What a run said, returned, wrote and drew."""

    folder: Path
    code: int = -1
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)
    figures: dict = field(default_factory=dict)

    def page(self) -> Page:
        return Page((self.folder / "index.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def digits() -> Digits:
    return load_digits()


def small(keras) -> keras.Model:
    """As the network of the demo, with one hidden layer: patterns of many take long to fit."""
    layers = keras.layers
    stack = [layers.Conv2D(32, 5, padding="same", activation="relu"), layers.MaxPooling2D()]
    head = [layers.Conv2D(10, 3, name="classes"), layers.GlobalAveragePooling2D(), layers.Softmax()]
    return keras.Sequential([keras.Input((8, 8, 1)), *stack, *head])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A small network, few analyzers (one there is not) and few digits: enough for all that a demo writes."""
    run = Demo(tmp_path_factory.mktemp("demo") / "new")
    save = plots.save_figure

    def keep(figure, path: Path) -> Path:
        run.figures[path.name] = figure
        return save(figure, path, dpi=50)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_network, "build", small)
        patch.setattr(innexplain, "analyzer_names", lambda: (*NAMES, "gradient_of_nothing"))
        patch.setattr(choosing, "DEFAULT_ANALYZERS", COMPARED)
        patch.setattr(demo, "_COMPARED", 2)
        patch.setattr(demo_runs, "_RIGHT", 1)
        patch.setattr(demo_runs, "_WRONG", 2)
        patch.setattr(plots, "save_figure", keep)
        with contextlib.redirect_stdout(run.out), contextlib.redirect_stderr(run.err):
            run.code = main(["demo", "--output", str(run.folder), "--epochs", "1"])
    return run


def test_accuracy_below_the_goal_is_exit_code_1(done: Demo, digits: Digits) -> None:
    """One epoch does not suffice; the files are there all the same."""
    loaded = keras.models.load_model(done.folder / "digits.keras")
    accuracy = (np.asarray(loaded(digits.test_x)).argmax(-1) == digits.test_y).mean()
    assert 0.2 < accuracy < 0.97
    assert (done.code, done.err.getvalue()) == (1, "")
    assert "NOT as expected" in done.out.getvalue()
    assert f"<strong>{accuracy:.1%}</strong>" in done.page().text


def test_files_are_complete(done: Demo) -> None:
    names = {path.name for path in done.folder.iterdir()}
    pictures = {"gallery.png", "clear.png", "patterns.png"}
    assert names == {"digits.keras", "index.html", "comparison"} | pictures | {
        f"digit-{i}.png" for i in (1, 2, 3)
    }
    with Image.open(done.folder / "gallery.png") as gallery:
        assert gallery.width > 300
        assert len(gallery.convert("RGB").getcolors(2**24)) > 200


def test_page_stands_alone_and_is_accessible(done: Demo) -> None:
    """The gallery and the curves of the comparison are inside."""
    folder, page = done.folder, done.page()
    page.check()
    (gallery, names), (clear, rows), (patterns, estimators), (curves, compared) = page.pictures
    assert clear == (folder / "clear.png").read_bytes()
    assert rows.count(" taken for a ") == 2
    assert gallery == (folder / "gallery.png").read_bytes()
    assert patterns == (folder / "patterns.png").read_bytes()
    assert all(name in estimators for name in ESTIMATORS)
    assert curves == (folder / "comparison" / "curves.png").read_bytes()
    assert all(name in names for name in NAMES)
    assert all(name in compared for name in COMPARED)
    assert {*NAMES, *COMPARED} <= set(page.cells)


def test_comparison_is_that_of_the_network_on_digits_held_out(done: Demo, digits: Digits) -> None:
    model = keras.models.load_model(done.folder / "digits.keras")
    chosen = [RegionPerturbation(steps=PIXELS), "complexity", "completeness"]
    found = innexplain.compare(model, digits.test_x[:2], COMPARED, chosen, y=digits.test_y[:2])
    numbers = json.loads((done.folder / "comparison" / "numbers.json").read_text("utf-8"))
    assert numbers["y"] == digits.test_y[:2].tolist()
    for name in COMPARED:
        for column in ("AOPC", "Gini"):
            expected = found.values(column)[name]
            np.testing.assert_allclose(numbers["per_image"][name][column], expected, 1e-4, 1e-6)
    report = Page((done.folder / "comparison" / "report.html").read_text("utf-8"))
    report.check()
    assert len(report.pictures) == 3
    page = done.page()
    assert f"the {PIXELS} pixels, of 64, that a map ranks highest" in page.text
    assert "regions were replaced in the end" not in page.text
    assert {row[1] for row in found.cells()[1]} <= set(page.cells)


def test_digit_files_give_the_network_the_same_values(done: Demo, digits: Digits) -> None:
    """`innexplain explain --preprocess 0-1` on them explains what the gallery shows."""
    with Image.open(done.folder / "digit-1.png") as picture:
        values = (np.asarray(picture, dtype=np.float64) / 255).astype("float32")[..., None]
    assert (digits.test_x == values).all(axis=(1, 2, 3)).any()


def test_held_out_digits_are_held_out(digits: Digits) -> None:
    assert (len(digits.train_x), len(digits.test_x)) == (1347, 450)
    assert (digits.train_x.min(), digits.train_x.max()) == (0, 1)
    train = {image.tobytes() for image in digits.train_x}
    assert sum(image.tobytes() in train for image in digits.test_x) == 0


def test_colours_of_signal_and_strength_are_told_apart(done: Demo) -> None:
    """The legend of patterns.png has signal beside attribution, that of the gallery strength."""
    bars = _bars(done.figures["patterns.png"])
    assert [bar.get_xticklabels()[-1].get_text() for bar in bars] == [
        "for the explained class",
        "signal above zero",
    ]
    below = [bar.get_xlabel() for bar in bars]
    assert all(f"attribution {e}" in below[0] and f"signal {e}" in below[1] for e in ESTIMATORS)
    below = [bar.get_xlabel().split("\n")[0] for bar in _bars(done.figures["gallery.png"])]
    assert below == ["gradient, integrated_gradients", "sensitivity", "pattern.net"]


def _bars(figure) -> list:
    return [axes for axes in figure.axes if axes.get_xticklabels()]


def test_table_is_printed_with_refusals(done: Demo) -> None:
    out = done.out.getvalue()
    first, second = out.split("Which map can be believed?")
    rows = {line.split()[0]: line.split()[1:] for line in first.splitlines() if line.strip()}
    for name in NAMES:
        assert [float(cell) > 0 for cell in rows[name][:2]] == [True, True]
        assert (rows[name][2] == "-") == (name != "integrated_gradients")
    assert re.search(r"^gradient_of_nothing +refused +- +-$", out, re.MULTILINE)
    assert "gradient_of_nothing refused: There is no analyzer" in out
    assert "gradient_of_nothing</dt>" in done.page().text
    assert str((done.folder / "index.html").resolve()) in out
    lines = second.splitlines()
    assert "2 digits held out" in lines[0]
    assert [line.split()[0] for line in lines[1:5]] == ["analyzer", "-" * len("lrp.epsilon"), *COMPARED]
    assert str((done.folder / "comparison" / "report.html").resolve()) in second


def test_the_network_is_convolutional_with_a_map_a_class(digits: Digits) -> None:
    model = build(keras)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == [*["Conv2D"] * 2, "MaxPooling2D", *["Conv2D"] * 3, "GlobalAveragePooling2D", "Softmax"]
    assert [layer.activation.__name__ for layer in model.layers if "activation" in dir(layer)] == [
        *["relu"] * 4,
        "linear",
    ]
    assert model.get_layer("classes").output.shape == (None, 4, 4, 10)
    np.testing.assert_allclose(np.asarray(model(digits.test_x[:2])).sum(axis=1), 1, rtol=1e-5)


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
    monkeypatch.setattr(demo, "train", lambda *arguments: (build(keras), 0.5))
    for figure in ("clear_figure", "pattern_figure"):
        monkeypatch.setattr(demo, figure, lambda *arguments: None)
    code, _, err = innexplain_("demo", "--output", tmp_path / "new")
    assert code == 130
    assert err == "innexplain: interrupted: the trained network is lost; nothing was written.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.compiled
def test_every_analyzer_explains_the_network(tmp_path: Path, innexplain_) -> None:
    code, out, err = innexplain_("demo", "--output", tmp_path)
    assert (code, err) == (0, "")
    assert "refused" not in out
    page = Page((tmp_path / "index.html").read_text("utf-8"))
    page.check()
    assert set(innexplain.analyzer_names()) <= set(page.cells)
    wrong = page.pictures[1][1].count(" taken for a ")
    assert 0 < wrong <= 4
    assert len(list(tmp_path.glob("digit-*.png"))) == 4 + wrong
    numbers = json.loads((tmp_path / "comparison" / "numbers.json").read_text("utf-8"))
    gains = {row["analyzer"]: row["AOPC - random"] for row in numbers["analyzers"]}
    assert set(gains) == set(choosing.DEFAULT_ANALYZERS)
    assert gains["lrp.epsilon"] > 0.02 > gains["random"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_goal_is_reached_with_any_seed(seed: int) -> None:
    _, accuracy = train(keras, load_digits(), epochs=40, seed=seed)
    assert accuracy >= 0.97
