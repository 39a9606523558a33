"""`innexplain compare`, end to end on small saved models: numbers, files, bad input, Ctrl-C and going on."""

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import innexplain
from innexplain import plots
from innexplain.cli import compare as command
from innexplain.comparison import RegionPerturbation, evaluations
from innexplain.comparison.choosing import KINDS
from tests.conftest import CHECKOUT
from tests.pages import Page

QUICK = ("--region-size", "4", "--repeats", "2", "--steps", "3")
WRITTEN = {"report.html", "table.csv", "numbers.json", "curves.png", "complexity.png", "maps.png", "parts"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three images of the size that rgb.keras takes, and so unchanged."""
    folder = tmp_path_factory.mktemp("pictures")
    pixels = np.random.default_rng(1).integers(0, 256, (3, 12, 10, 3), dtype=np.uint8)
    paths = [folder / f"{i}.png" for i in range(3)]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    return paths


def _read(paths: list[Path]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in paths])


@pytest.mark.compiled
@pytest.mark.usefixtures("unrendered")
def test_the_numbers_are_those_of_compare(files: Path, pictures, tmp_path: Path, innexplain_) -> None:
    (tmp_path / "labels").write_text("0\n2\n1\n")
    folder = tmp_path / "new" / "folder"
    code, out, err = innexplain_(
        "compare", files / "rgb.keras", *pictures, "--output", folder, "--analyzers", "gradient, lrp.epsilon",
        "--preprocess", "0-1", "--labels", tmp_path / "labels", "--class-names", files / "text.txt",
        "--evaluators", "region_perturbation,strong_features,complexity", *QUICK,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert {path.name for path in folder.iterdir()} == WRITTEN
    model = keras.models.load_model(files / "rgb.keras")
    x = (_read(pictures) / 255).astype("float32")
    kinds = [RegionPerturbation(4, 3, repeats=2), "strong_features", "complexity"]
    found = innexplain.compare(model, x, ["gradient", "lrp.epsilon"], kinds, [0, 2, 1])
    numbers = json.loads((folder / "numbers.json").read_text("utf-8"))
    assert numbers["y"] == [0, 2, 1]
    assert numbers["target"] == found.target.tolist()
    for label in found.maps:
        for column in found.columns:
            expected = found.values(column)[label]
            np.testing.assert_allclose(numbers["per_image"][label][column], expected, 1e-5, 1e-8)
    for row in found.cells()[1]:
        (line,) = [line for line in out.splitlines() if line.split("  ")[0].strip() == row[0]]
        assert all(cell in line for cell in row[:-1])
    assert str((folder / "report.html").resolve()) in out


def test_the_page_and_the_pictures(files: Path, pictures, tmp_path: Path, innexplain_, monkeypatch) -> None:
    """Shown are the pictures as they are, not as the network takes them, under the names of classes."""
    drawn, usual = {}, plots.save_figure

    def save_figure(figure, path: Path) -> Path:
        drawn[path.name] = figure
        return usual(figure, path)

    monkeypatch.setattr(plots, "save_figure", save_figure)
    code, _, err = innexplain_(
        "compare", files / "rgb.keras", *pictures, "--output", tmp_path, "--preprocess", "resnet50",
        "--analyzers", "gradient,random", "--class-names", files / "text.txt", *QUICK,
    )  # fmt: skip
    assert (code, err) == (0, "")
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    page.check()
    assert len(page.pictures) == 3
    assert {"gradient", "random"} <= set(page.cells)
    axes = drawn["maps.png"].axes
    np.testing.assert_array_equal(axes[0].images[0].get_array(), _read(pictures)[0])
    assert axes[0].get_ylabel().split("\n")[0] in ("cat", "dog", "owl")
    with open(tmp_path / "table.csv", encoding="utf-8") as stream:
        assert [row["analyzer"] for row in csv.DictReader(stream)] == ["gradient", "random"]


@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize("name", ["grey.keras", "first.keras", "fixed.keras", "any.keras"])
def test_models_of_every_kind(name: str, files: Path, tmp_path: Path, innexplain_) -> None:
    """One sigmoid unit, channels first, a fixed batch of two, any size: defaults suit them."""
    code, out, err = innexplain_(
        "compare", files / name, *(files / f"{image}.png" for image in ("a", "deep", "clear")),
        "--output", tmp_path, "--analyzers", "gradient,sensitivity", "--repeats", "1", "--steps", "2",
        "--batch-size", "8",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "refused" not in out
    numbers = json.loads((tmp_path / "numbers.json").read_text("utf-8"))
    assert len(numbers["per_image"]["gradient"]["AOPC"]) == 3
    assert [row["refusal"] for row in numbers["analyzers"]] == [None, None]


@pytest.mark.usefixtures("unrendered")
def test_refusals_are_told(files: Path, tmp_path: Path, innexplain_) -> None:
    call = ["compare", files / "gelu.keras", files / "a.png", "--output", tmp_path]
    call += ["--evaluators", "complexity"]
    code, out, err = innexplain_(*call, "--analyzers", "deconvnet,gradient")
    assert (code, err) == (0, "")
    assert "deconvnet refused: " in out
    assert "curved" in out
    code, out, err = innexplain_(*call, "--analyzers", "deconvnet")
    assert code == 2
    assert "Every analyzer refused the model: deconvnet: " in err
    assert err.count("\n") == 1


# What is changed in a call that would succeed, and what the line must say.
CASES = {
    "model missing": ({"model": "none.keras"}, "none.keras: there is no such file"),
    "model of tables": ({"model": "table.keras"}, "one image input"),
    "image missing": ({"images": ["none.png"]}, "none.png: there is no such file"),
    "image cut off": ({"images": ["a.png", "half.png"]}, "half.png: cannot be decoded"),
    "analyzer": ({"--analyzers": "gradient,gradeint"}, "there is no analyzer 'gradeint'. Did you mean"),
    "analyzer twice": ({"--analyzers": "gradient,gradient"}, "--analyzers: expected different names"),
    "no analyzer": ({"--analyzers": " , "}, "--analyzers: expected different names separated by commas"),
    "evaluator": ({"--evaluators": "complexty"}, "--evaluators must be one of "),
    "evaluator twice": ({"--evaluators": "complexity,complexity"}, "--evaluators: expected different names"),
    "no labels": ({"--evaluators": "strong_features"}, "give --labels FILE"),
    "labels missing": ({"--labels": "none.txt"}, "Cannot read the labels"),
    "labels too few": ({"--labels": "one.labels"}, "expected 2 lines, one an image in the order given"),
    "labels no numbers": ({"--labels": "text.txt"}, "expected one whole number (a class, from 0) a"),
    "labels no text": ({"--labels": "a.png"}, "it is not UTF-8 text"),
    "labels beyond": ({"--labels": "beyond.labels"}, "y must lie between 0 and 2"),
    "names too many": ({"model": "grey.keras", "--class-names": "text.txt"}, "expected 1 or 2 names"),
    "sizes": (
        {"model": "any.keras", "images": ["a.png", "fits.png"]},
        "of one size. Received: (12, 10, 3), ",
    ),
    "region too large": ({"--region-size": "11"}, "region_size must not exceed the input"),
    "region": ({"--region-size": "0"}, "expected a whole number from 1 on, received '0'"),
    "steps": ({"--steps": "100000"}, "steps must not exceed the number of regions, 120"),
    "repeats": ({"--repeats": "none"}, "received 'none'"),
    "preprocess": ({"--preprocess": "vgg17"}, "there is no preprocessing 'vgg17'"),
}


def _call(files: Path, folder: Path, changed: dict) -> list[str]:
    (files / "one.labels").write_text("0\n")
    (files / "beyond.labels").write_text("0\n3\n")
    call = {"model": "rgb.keras", "images": ["a.png", "fits.png"], "--analyzers": "gradient", **changed}
    for key in ("--labels", "--class-names"):
        if key in call:
            call[key] = str(files / call[key])
    options = [word for key, value in call.items() if key[:2] == "--" for word in (key, value)]
    images = [str(files / image) for image in call["images"]]
    return ["compare", str(files / call["model"]), *images, *options, "--output", str(folder)]


@pytest.mark.parametrize(("changed", "words"), CASES.values(), ids=list(CASES))
def test_one_line_and_no_folder(changed: dict, words: str, files: Path, tmp_path: Path, innexplain_) -> None:
    code, out, err = innexplain_(*_call(files, tmp_path / "new", changed))
    assert (code, out) == (2, "")
    assert err.startswith("innexplain: error: ")
    assert err.count("\n") == 1
    assert words in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("unrendered")
def test_the_call_that_is_changed_succeeds(files: Path, tmp_path: Path, innexplain_) -> None:
    """With the defaults of everything else: a tenth of 10 pixels is a region, all regions are steps."""
    code, _, err = innexplain_(*_call(files, tmp_path / "new", {"--repeats": "1"}))
    assert (code, err) == (0, "")
    numbers = json.loads((tmp_path / "new" / "numbers.json").read_text("utf-8"))
    assert len(numbers["mean_curves"]["gradient"]["scores"]) == 100 + 1
    assert {"AOPC", "Gini"} <= set(numbers["per_image"]["gradient"])


@pytest.mark.usefixtures("unrendered")
def test_nine_common_analyzers_are_the_default(files: Path, tmp_path: Path, innexplain_) -> None:
    call = ["compare", files / "rgb.keras", files / "a.png", "--output", tmp_path]
    call += ["--evaluators", "completeness"]
    code, _, err = innexplain_(*call)
    assert (code, err) == (0, "")
    numbers = json.loads((tmp_path / "numbers.json").read_text("utf-8"))
    names = [row["analyzer"] for row in numbers["analyzers"]]
    assert len(names) == 9
    assert set(names) <= set(innexplain.analyzer_names())


@pytest.mark.parametrize("below", ["", "folder"])
def test_output_that_is_a_file(below: str, files: Path, tmp_path: Path, innexplain_) -> None:
    (tmp_path / "file").write_text("mine")
    code, _, err = innexplain_(*_call(files, tmp_path / "file" / below, {}))
    assert code == 2
    assert "is a file, not a folder. Choose another one with --output." in err
    assert (tmp_path / "file").read_text() == "mine"


def test_output_whose_parts_are_a_file(files: Path, tmp_path: Path, innexplain_) -> None:
    (tmp_path / "parts").write_text("mine")
    code, _, err = innexplain_(*_call(files, tmp_path, {}))
    assert (code, err.count("\n")) == (2, 1)
    assert "Cannot write to the folder" in err
    assert (tmp_path / "parts").read_text() == "mine"


def test_inputs_are_not_overwritten(files: Path, tmp_path: Path, innexplain_) -> None:
    image = tmp_path / "maps.png"
    image.write_bytes((files / "a.png").read_bytes())
    code, _, err = innexplain_(
        "compare", files / "rgb.keras", image, "--analyzers", "gradient", "--output", tmp_path
    )
    assert code == 2
    assert "it is one of the files to read" in err
    assert image.read_bytes() == (files / "a.png").read_bytes()


@pytest.mark.usefixtures("unrendered")
def test_interrupted_and_going_on(files: Path, pictures, tmp_path: Path, innexplain_, monkeypatch) -> None:
    usual, asked = evaluations.region_perturbation, []

    def interrupted(*arguments: object, **keywords: object):
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return usual(*arguments, **keywords)

    monkeypatch.setattr(evaluations, "region_perturbation", interrupted)
    folder = tmp_path / "new"
    call = ["compare", files / "rgb.keras", *pictures, "--output", folder, *QUICK]
    call += ["--analyzers", "gradient,input"]
    code, _, err = innexplain_(*call)
    assert code == 130
    assert err == (
        f"innexplain: interrupted: what is computed so far is kept in {folder / 'parts'}; "
        "the same command goes on from there.\n"
    )
    assert [path.name for path in folder.iterdir()] == ["parts"]
    kinds = ("maps", "region_perturbation", "complexity", "completeness")
    parts = {f"gradient.{kind}.part" for kind in kinds} | {"input.maps.part"}
    assert {path.name for path in (folder / "parts").iterdir()} == parts
    code, out, _ = innexplain_(*call)
    assert code == 0
    assert len(asked) == 3  # once for the first analyzer, twice for the second
    assert "gradient: " not in out
    assert "input: region perturbation" in out
    assert {path.name for path in folder.iterdir()} == WRITTEN


def test_interrupted_before_anything_is_computed(files: Path, tmp_path, innexplain_, monkeypatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "load_model", interrupted)
    code, _, err = innexplain_(*_call(files, tmp_path / "new", {}))
    assert (code, err) == (130, "innexplain: interrupted: nothing was written.\n")
    assert list(tmp_path.iterdir()) == []


def test_help_and_page_tell_every_evaluator() -> None:
    page = (CHECKOUT / "docs" / "commandline.rst").read_text("utf-8")
    assert [name for name in KINDS if name not in command.EPILOG or f"`{name}`" not in page] == []
