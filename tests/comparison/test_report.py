"""The report of a comparison: page, pictures, table, CSV and JSON say the same numbers."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from innexplain import plots
from innexplain.analyzers import create_analyzer
from innexplain.comparison import (
    Comparison,
    Complexity,
    Evaluator,
    Findings,
    Picture,
    RegionPerturbation,
    compare,
)
from innexplain.errors import ArgumentError, InputError, OutputPathError, UnknownNameError
from tests.comparison.cases import FAST, Linear, inputs, network, noise
from tests.comparison.test_choosing import Share
from tests.pages import Page

X = inputs()
HOSTILE = "<b>a</b> & co"


@pytest.fixture(scope="module")
def found() -> Comparison:
    """A method that is refused, one with a name full of HTML, and labels."""
    inside = keras.Sequential([keras.Input((7, 5, 2)), keras.layers.Activation("gelu", name="not>straight")])
    model = keras.Sequential([keras.Input((7, 5, 2)), inside, network()])
    methods = {"gradient": "gradient", HOSTILE: noise(X), "deconvnet": "deconvnet"}
    return compare(model, X, methods, [FAST, Complexity(), Share()], [0, 1, 2], seed=4)


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "new" / "folder"
    assert found.save(folder, ["cat, tabby", "dog", "owl"]) == folder / "report.html"
    return folder


def test_the_page_stands_alone_with_its_pictures(found, folder: Path) -> None:
    page = Page((folder / "report.html").read_text("utf-8"))
    page.check()
    files = [(folder / f"{name}.png").read_bytes() for name in ("curves", "complexity", "maps")]
    assert [picture for picture, _ in page.pictures] == files
    assert all("gradient" in alternative for _, alternative in page.pictures)
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "table.csv", "numbers.json", "curves.png", "complexity.png", "maps.png",
    }  # fmt: skip
    header, rows = found.cells()
    assert page.cells == [*header, *(cell for row in rows for cell in row)]


def test_the_page_says_what_was_refused_and_escapes(folder: Path) -> None:
    text = (folder / "report.html").read_text("utf-8")
    assert "<dt>deconvnet</dt>" in text
    assert "not&gt;straight" in text
    assert "<b>" not in text
    assert "RegionPerturbation(region_size=2, steps=3, order=&#x27;morf&#x27;" in text
    assert "seed 4" in text
    assert "2 methods on 3 inputs." in text


def test_csv_has_means_and_deviations(found, folder: Path) -> None:
    text = (folder / "table.csv").read_text("utf-8")
    assert text == found.to_csv()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["analyzer"] for row in rows] == ["gradient", HOSTILE, "deconvnet"]
    for row in rows[:2]:
        for column in found.columns:
            values = found.values(column)[row["analyzer"]]
            assert float(row[column]) == pytest.approx(values.mean())
            assert float(row[f"{column} sd"]) == pytest.approx(values.std())
        assert row["refusal"] == ""
    assert float(rows[0]["seconds"]) > 0
    assert rows[1]["seconds"] == ""
    assert all(rows[2][column] == "" for column in found.columns)
    assert rows[2]["refusal"] == found.refusals["deconvnet"]


def test_json_has_every_image_and_no_nan(found, folder: Path) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    text = (folder / "numbers.json").read_text("utf-8")
    numbers = json.loads(text, parse_constant=refuse)
    assert text == found.to_json() + "\n"
    assert (numbers["images"], numbers["seed"], numbers["y"]) == (3, 4, [0, 1, 2])
    assert numbers["target"] == found.target.tolist()
    assert numbers["evaluators"] == [repr(e) for e in found.evaluators]
    assert numbers["analyzers"] == found.rows()
    for label in found.maps:
        for column in found.columns:
            assert numbers["per_image"][label][column] == found.values(column)[label].tolist()
        mean = found.curves()[label].mean(axis=0)
        assert numbers["mean_curves"][label]["AOPC - random"] == pytest.approx(mean.tolist())
    assert numbers["per_image"]["deconvnet"] == {}


def test_numbers_that_are_none_become_null() -> None:
    class Nothing(Evaluator):
        name = "nothing"
        columns = {"none": "lower", "some": ""}

        def evaluate(self, subject):
            return Findings({"none": np.array([np.inf, np.nan, 1.0]), "some": np.arange(3)})

    found = compare(Linear(), X, {"a": noise(X)}, [Nothing()])
    numbers = json.loads(found.to_json())
    assert numbers["per_image"]["a"] == {"none": [None, None, 1.0], "some": [0, 1, 2]}
    assert numbers["analyzers"][0]["none"] is None
    assert found.cells()[1] == [["a", "-", "1 +- 0.816", "-"]]


def test_the_table_as_text(found) -> None:
    lines = str(found).splitlines()
    assert lines[0].split("  ")[0] == "analyzer"
    assert "AOPC ^" in lines[0]
    assert "PNG bytes v" in lines[0]
    assert set(lines[1]) == {"-", " "}
    assert [line.split()[0] for line in lines[2:]] == ["gradient", "<b>a</b>", "deconvnet"]
    assert "refused" in lines[-1]
    assert len({len(line.rstrip()) for line in lines[:3]}) == 1
    aopc = found.values("AOPC")["gradient"]
    assert f"{aopc.mean():.3g} +- {aopc.std():.3g}" in lines[2]


def test_curves_and_boxes_show_the_numbers(found) -> None:
    axes = found.plot_curves().axes[0]
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines[1:]}
    for label, curves in found.curves().items():
        np.testing.assert_allclose(drawn[label], curves.mean(axis=0))
    panels = found.plot_complexity().axes
    assert [panel.get_xlabel() for panel in panels] == list(Complexity.columns)
    assert "3 images" in axes.get_title()


def test_the_grid_of_maps_names_classes(found) -> None:
    figure = found.plot_maps(2, ["cat, tabby", "dog", "owl"])
    assert [axes.get_title() for axes in figure.axes[:3]] == ["image", "gradient", HOSTILE]
    labels = [axes.get_ylabel() for axes in figure.axes[::3]][:2]
    names = ("cat", "dog", "owl")
    for i, label in enumerate(labels):
        said, output, true = label.split("\n")
        assert said == names[found.target[i]]
        assert float(output.removeprefix("output ")) == pytest.approx(found.outputs[i].max(), rel=1e-2)
        assert true == f"true {names[i]}"
    plain = found.plot_maps()
    assert plain.axes[0].get_ylabel().startswith(f"class {found.target[0]}\noutput ")
    other = np.zeros((3, 14, 10, 3), "uint8")
    shown = found.plot_maps(images=other).axes[0].images[0].get_array()
    assert shown.shape == (14, 10, 3)
    assert not shown.any()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"names": ["cat"]}, InputError, "names must be 3, one a class. Received: 1"),
        ({"images": X[:2]}, InputError, "images must be 3, one an input. Received: 2"),
        ({"most": 0}, ArgumentError, "most must be an int of at least 1"),
    ],
)
def test_bad_arguments_of_the_grid(arguments, error, words: str, found) -> None:
    with pytest.raises(error, match=words):
        found.plot_maps(**arguments)


def test_pictures_whose_evaluator_did_not_run(tmp_path: Path) -> None:
    found = compare(Linear(), X, {"a": noise(X)}, [Share()])
    with pytest.raises(ArgumentError, match=r"needs the evaluator 'region_perturbation'.* made with share"):
        found.plot_curves()
    with pytest.raises(ArgumentError, match="needs the evaluator 'complexity'"):
        found.plot_complexity()
    found.save(tmp_path)
    assert {path.stem for path in tmp_path.glob("*.png")} == {"maps"}
    Page((tmp_path / "report.html").read_text("utf-8")).check()


@dataclass(frozen=True)
class Drawn(Share):
    """A measure of a user's own that shows what it found."""

    def picture(self, found: dict[str, Findings]) -> Picture:
        assert set(found) == {"a", "b"}
        values = {"share": {label: findings.values["share"] for label, findings in found.items()}}
        return Picture("shares", lambda: plots.boxes(values), "Shares <of> maps", "Higher means more.")


def test_a_measure_brings_its_own_picture(tmp_path: Path) -> None:
    found = compare(Linear(), X, {"a": noise(X), "b": noise(X, 1)}, [Complexity(), Drawn()])
    assert list(found.pictures()) == ["complexity", "shares", "maps"]
    found.save(tmp_path)
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert page.pictures[1][0] == (tmp_path / "shares.png").read_bytes()
    assert page.pictures[1][1] == "Shares <of> maps, for a, b. The numbers are in the table."
    assert "Higher means more." in (tmp_path / "report.html").read_text("utf-8")


def test_names_of_columns_and_curves_that_are_not_there(found) -> None:
    with pytest.raises(
        UnknownNameError, match=r"no column 'gini'\. Did you mean 'Gini'\?.*'AOPC', .*'share'"
    ):
        found.values("gini")
    with pytest.raises(
        UnknownNameError, match=r"no curve 'score'\. Did you mean 'scores'\?.*'random', .*'both'"
    ):
        found.curves("score")
    other = compare(Linear(), X, {"a": noise(X)}, [Complexity()])
    with pytest.raises(UnknownNameError, match=r"no curve 'AOPC - random'.*gives any; 'region_perturbation'"):
        other.curves()


def test_a_column_that_nobody_has_numbers_for_is_empty_and_no_error() -> None:
    found = compare(Linear(), X, {"a": noise(X)}, ["completeness"])
    assert found.values("|gap|") == {}


def test_the_grid_of_maps_says_what_colours_mean(tmp_path: Path) -> None:
    """Sensitivity has no for and against, whatever it is called; noise that was given counts as relevance."""
    model = network()
    mine = create_analyzer("sensitivity", model, norm=1)
    smooth = create_analyzer("smoothgrad", model, analyzer=mine, augment_by_n=2)
    methods = {
        "norm": mine,
        "smooth": smooth,
        "gradient": "gradient",
        "noise": noise(X),
        "image": "input",
    }
    figure = compare(model, X, methods, [Complexity()]).plot_maps()
    bars = [axes for axes in figure.axes if axes.get_xticklabels()]
    words = [axes.get_xticklabels()[-1].get_text() for axes in bars]
    assert words == ["for the explained class", "highest strength", "signal above zero"]
    assert [bar.get_xlabel().split("\n")[0] for bar in bars] == ["gradient, noise", "norm, smooth", "image"]


def test_the_report_says_when_every_region_was_replaced() -> None:
    """Seven by five pixels in regions of two make twelve: eleven steps are fewer, no steps given are all."""
    for steps, all_replaced in ((11, False), (12, True), (None, True)):
        kind = RegionPerturbation(2, steps, repeats=1)
        found = compare(Linear(), X[:1], {"a": noise(X[:1])}, [kind])
        text = "\n".join(found.report().sections([]))
        assert ("All 12 regions were replaced in the end" in text) == all_replaced


def test_one_image_has_no_band(tmp_path: Path) -> None:
    found = compare(Linear(), X[:1], {"a": noise(X[:1])}, [RegionPerturbation(2, 2, repeats=1)])
    axes = found.plot_curves().axes[0]
    assert len(axes.collections) == 0
    assert "over 1 image" in axes.get_title()
    assert "images" not in axes.get_title()
    assert "1 method on 1 input." in found.save(tmp_path).read_text("utf-8")


def test_a_folder_that_cannot_be_written(found, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputPathError, match="Cannot write to the folder"):
        found.save(tmp_path / "file")
    with pytest.raises(OutputPathError, match="Cannot write to the folder"):
        found.save(tmp_path / "file" / "below")
    with pytest.raises(OutputPathError, match="no folder"):
        found.to_csv(tmp_path / "missing" / "table.csv")
