"""Bad input to `innexplain explain`: one line, exit code 2, before the model runs, nothing left."""

import functools
import json
from pathlib import Path

import pytest

import innexplain
from innexplain.cli import check

# What is changed in a call that would succeed, and what the line must say.
CASES = {
    "model missing": ({"model": "none.keras"}, "none.keras: there is no such file"),
    "model a folder": ({"model": "more"}, "not a folder"),
    "model no model": ({"model": "junk.keras"}, "is not a saved Keras model"),
    "model a text": ({"model": "text.txt"}, "expected a .keras or .h5 file, received '.txt'"),
    "model unsafe": ({"model": "lambda.keras"}, "Keras cannot load it: "),
    "model of tables": ({"model": "table.keras"}, "this one's inputs: (None, 4)"),
    "four channels": ({"model": "four.keras"}, "(None, 8, 8, 4)"),
    "output maps": ({"model": "maps.keras"}, "outputs: [(None, 6, 6, 2)]"),
    "image missing": ({"images": ["a.png", "none.png"]}, "none.png: there is no such file"),
    "image a folder": ({"images": ["more"]}, "more: expected a file"),
    "image no image": ({"images": ["junk.png"]}, "junk.png: not an image"),
    "image cut off": ({"images": ["a.png", "half.png"]}, "half.png: cannot be decoded"),
    "analyzer": ({"--analyzer": "gradeint"}, "Did you mean 'gradient'?"),
    "layer": ({"model": "gelu.keras", "--analyzer": "deconvnet"}, "curved"),
    "preprocess": ({"--preprocess": "vgg17"}, "Expected one of: none, 0-1, -1-1, "),
    "grey vgg": ({"model": "grey.keras", "--preprocess": "vgg16"}, "takes 1 channel"),
    "neuron beyond": ({"--neuron": "3"}, "expected 0 to 2, the classes of this model, received 3"),
    "neuron below": ({"--neuron": "-1"}, "expected a whole number from 0 on, received '-1'"),
    "neuron a word": ({"--neuron": "cat"}, "received 'cat'"),
    "names missing": ({"--class-names": "none.txt"}, "No such file"),
    "names no text": ({"--class-names": "a.png"}, "it is not UTF-8 text"),
    "names too many": (
        {"model": "grey.keras", "--class-names": "text.txt"},
        "expected 1 or 2 names, as many as the model has classes, received 3",
    ),
}


def _call(files: Path, folder: Path, changed: dict) -> list[str]:
    call = {"model": "rgb.keras", "images": ["a.png"], "--analyzer": "gradient", **changed}
    for key in ("--class-names",):
        if key in call:
            call[key] = str(files / call[key])
    options = [word for key, value in call.items() if key[:2] == "--" for word in (key, value)]
    images = [str(files / image) for image in call["images"]]
    return ["explain", str(files / call["model"]), *images, *options, "--output", str(folder)]


@pytest.mark.parametrize(("changed", "words"), CASES.values(), ids=list(CASES))
def test_one_line_and_no_folder(changed: dict, words: str, files: Path, tmp_path: Path, innexplain_) -> None:
    code, out, err = innexplain_(*_call(files, tmp_path / "new", changed))
    assert (code, out) == (2, "")
    assert err.startswith("innexplain: error: ")
    assert err.count("\n") == 1
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_the_call_that_is_changed_succeeds(files: Path, tmp_path: Path, innexplain_) -> None:
    assert innexplain_(*_call(files, tmp_path / "new", {}))[0] == 0


@pytest.mark.parametrize("below", ["", "folder"])
def test_output_that_is_a_file(below: str, files: Path, tmp_path: Path, innexplain_) -> None:
    (tmp_path / "file").write_text("mine")
    code, _, err = innexplain_(*_call(files, tmp_path / "file" / below, {}))
    assert code == 2
    assert "is a file, not a folder. Choose another one with --output." in err
    assert (tmp_path / "file").read_text() == "mine"


def test_inputs_are_not_overwritten(files: Path, tmp_path: Path, innexplain_) -> None:
    image = tmp_path / "a.heatmap.png"
    image.write_bytes((files / "a.png").read_bytes())
    code, _, err = innexplain_(
        "explain", files / "rgb.keras", files / "a.png", image, "--analyzer", "gradient",
        "--output", tmp_path,
    )  # fmt: skip
    assert code == 2
    assert "it is one of the files to read" in err
    assert image.read_bytes() == (files / "a.png").read_bytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "it holds no name"),
        ("[1, 2, 3]", "1 is no name"),
        ('{"1": "cat"}', "does not fit"),
        ('["cat", ', "does not fit"),
    ],
)
def test_class_names_of_another_shape(
    content: str, words: str, files: Path, tmp_path: Path, innexplain_
) -> None:
    (tmp_path / "names").write_text(content)
    call = _call(files, tmp_path / "new", {})
    code, _, err = innexplain_(*call, "--class-names", tmp_path / "names")
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [
        "cat\ndog\nowl",
        "\ufeffcat\r\ndog\r\nowl\r\n\r\n",
        json.dumps(["cat", "dog", "owl"]),
        json.dumps([["n1", "cat"], ["n2", "dog"], ["n3", "owl"]]),
        json.dumps({"2": "owl", "0": ["n1", "cat"], "1": "dog"}),
    ],
)
def test_class_names_of_every_shape_that_is_taken(content: str, tmp_path: Path) -> None:
    from innexplain.cli.classes import read_class_names

    (tmp_path / "names").write_bytes(content.encode())
    assert read_class_names(str(tmp_path / "names")) == ("cat", "dog", "owl")


def test_check_prints_the_table_and_answers_by_exit_code(files: Path, innexplain_, monkeypatch) -> None:
    code, out, err = innexplain_("check", files / "rgb.keras", "--analyzer", "deconvnet")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["path", "layer", "rule", "status"]
    assert any(line.startswith("conv ") and "supported" in line for line in out.splitlines())
    code, out, err = innexplain_("check", files / "gelu.keras", "--analyzer", "deconvnet")
    assert (code, err) == (1, "")
    assert any(line.startswith("curved ") and "refused" in line for line in out.splitlines())
    monkeypatch.setattr(check, "load_model", functools.cache(check.load_model))
    for name in innexplain.analyzer_names():
        assert innexplain_("check", files / "rgb.keras", "--analyzer", name)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rgb.keras", "gradeint"), "Did you mean 'gradient'"),
        (("junk.keras", "gradient"), "not a saved Keras model"),
    ],
)
def test_check_of_bad_input(arguments, words: str, files: Path, innexplain_) -> None:
    model, name = arguments
    code, out, err = innexplain_("check", files / model, "--analyzer", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
