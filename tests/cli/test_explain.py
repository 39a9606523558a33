"""`innexplain explain` on tiny models: its files hold what the analyzer says."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import innexplain
from innexplain.cli import explain, outputs
from innexplain.cli.images import open_image, to_array
from innexplain.cli.models import ImageInput


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def _reference(files: Path, model: str, x: np.ndarray, name: str, neuron: int | None = None):
    loaded = keras.models.load_model(files / model)
    mode = "max_activation" if neuron is None else "index"
    analyzer = innexplain.create_analyzer(name, loaded, neuron_selection_mode=mode)
    return analyzer.analyze(x, neuron)


@pytest.mark.parametrize(
    ("preprocess", "prepare"),
    [
        pytest.param("none", lambda pixels: pixels, marks=pytest.mark.compiled),
        ("0-1", lambda pixels: pixels / 255),
        ("-1-1", lambda pixels: pixels / 127.5 - 1),
        ("vgg16", lambda pixels: keras.applications.vgg16.preprocess_input(pixels.copy())),
    ],
)
def test_array_is_the_analyzers_own_answer(
    preprocess: str, prepare, files: Path, tmp_path: Path, innexplain_
) -> None:
    code, out, err = innexplain_(
        "explain", files / "rgb.keras", files / "fits.png", "--analyzer", "input_t_gradient",
        "--output", tmp_path / "new" / "folder", "--preprocess", preprocess,
    )  # fmt: skip
    assert (code, err) == (0, "")
    x = prepare(_pixels(files / "fits.png").astype("float32"))[None]
    expected = _reference(files, "rgb.keras", x.astype("float32"), "input_t_gradient")
    stored = np.load(tmp_path / "new" / "folder" / "fits.npy")
    assert stored.dtype == np.float32
    np.testing.assert_allclose(stored, expected[0], rtol=1e-6, atol=1e-6 * np.abs(expected).max())
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {
        "fits.heatmap.png",
        "fits.overlay.png",
        "fits.npy",
    }
    assert all(str(path) in out for path in (tmp_path / "new" / "folder").iterdir())


def test_pictures_show_the_map(files: Path, tmp_path: Path, innexplain_) -> None:
    """Where the heatmap is red the array is positive, where it is blue negative."""
    innexplain_(
        "explain", files / "rgb.keras", files / "a.png", "--analyzer", "gradient", "--output",
        tmp_path,
    )  # fmt: skip
    flat = np.load(tmp_path / "a.npy").sum(-1)
    heatmap = _pixels(tmp_path / "a.heatmap.png").astype(int)
    factor = heatmap.shape[0] // flat.shape[0]
    assert heatmap.shape == (12 * factor, 10 * factor, 3)
    assert min(heatmap.shape[:2]) >= 224
    difference = heatmap[::factor, ::factor, 0] - heatmap[::factor, ::factor, 2]
    strong = np.abs(flat) > 0.1 * np.abs(flat).max()
    assert strong.sum() > 20
    np.testing.assert_array_equal(np.sign(difference[strong]), np.sign(flat[strong]))
    assert _pixels(tmp_path / "a.overlay.png").shape == heatmap.shape


def test_neuron_and_class_names(files: Path, tmp_path: Path, innexplain_) -> None:
    arguments = ("explain", files / "rgb.keras", files / "fits.png", "--analyzer", "gradient")
    written = []
    for neuron in range(3):
        folder = tmp_path / str(neuron)
        code, out, _ = innexplain_(
            *arguments, "--output", folder, "--neuron", neuron, "--class-names",
            files / "text.txt",
        )  # fmt: skip
        assert code == 0
        assert f"explained  class {neuron} ({['cat', 'dog', 'owl'][neuron]}), score" in out
        written.append(np.load(folder / "fits.npy"))
    x = _pixels(files / "fits.png")[None].astype("float32")
    for neuron in range(3):
        expected = _reference(files, "rgb.keras", x, "gradient", neuron)[0]
        np.testing.assert_allclose(written[neuron], expected, rtol=1e-5, atol=1e-7)
    loaded = keras.models.load_model(files / "rgb.keras")
    outputs_ = np.asarray(loaded(x))[0]
    best = int(outputs_.argmax())
    expected = f"predicted  class {best} ({['cat', 'dog', 'owl'][best]}), output "
    assert f"{expected}{outputs_[best]:.4g}" in out


def test_clear_writes_class_maps_with_a_legend(files: Path, tmp_path: Path, innexplain_) -> None:
    """Also where a class is asked for: the heatmap is its own then, the class maps are the same."""
    arguments = ("explain", files / "rgb.keras", files / "fits.png", "--analyzer", "clear")
    x = _pixels(files / "fits.png").astype("float32")[None]
    maps = innexplain.create_analyzer("clear", keras.models.load_model(files / "rgb.keras")).maps(x)
    for folder, more in ((tmp_path / "all", ()), (tmp_path / "one", ("--neuron", 2))):
        code, out, err = innexplain_(
            *arguments, "--output", folder, "--class-names", files / "text.txt", *more
        )
        assert (code, err) == (0, "")
        endings = ("heatmap.png", "overlay.png", "npy", "clear.png", "clear.npz")
        assert {path.name for path in folder.iterdir()} == {f"fits.{ending}" for ending in endings}
        with np.load(folder / "fits.clear.npz", allow_pickle=False) as stored:
            np.testing.assert_allclose(stored["response"], maps.response[0], rtol=1e-5)
            np.testing.assert_array_equal(stored["classes"], [0, 1, 2])
        expected = maps.response[0, ..., 2] if more else maps.dominant_response[0]
        np.testing.assert_allclose(np.load(folder / "fits.npy"), expected, rtol=1e-5)
        assert "compared, in this order: 0, 1, 2" in out
        assert "In NAME.clear.png colours are classes" in out
        best = np.bincount(maps.dominant_class[maps.has_class], minlength=3).argmax()
        assert f"dominant   class {best} ({('cat', 'dog', 'owl')[best]})" in out
        assert _pixels(folder / "fits.clear.png").shape[1] > _pixels(folder / "fits.clear.png").shape[0]


def test_clear_with_responses_of_another_analyzer(files: Path, tmp_path: Path, innexplain_) -> None:
    arguments = ("explain", files / "gelu.keras", files / "a.png", "--output", tmp_path / "maps")
    code, _, err = innexplain_(*arguments, "--analyzer", "clear")
    assert code == 2
    assert "response='lrp.epsilon'" in err
    code, _, err = innexplain_(*arguments, "--analyzer", "gradient", "--response", "lrp.epsilon")
    assert code == 2
    assert "only for --analyzer clear" in err
    code, _, err = innexplain_(*arguments, "--analyzer", "clear", "--response", "lrp.epsilo")
    assert code == 2
    assert "--response: there is no analyzer 'lrp.epsilo'" in err
    assert "'lrp.epsilon'?" in err
    assert not (tmp_path / "maps").exists()
    assert innexplain_(*arguments, "--analyzer", "clear", "--response", "lrp.epsilon")[0] == 0
    with np.load(tmp_path / "maps" / "a.clear.npz") as stored:
        assert stored["response"].any()


def test_clear_refuses_a_single_unit(files: Path, tmp_path: Path, innexplain_) -> None:
    code, _, err = innexplain_(
        "explain", files / "grey.keras", files / "a.png", "--analyzer", "clear", "--output", tmp_path
    )
    assert code != 0
    assert "clear compares classes" in err
    assert not list(tmp_path.iterdir())


def test_equal_names_do_not_overwrite_each_other(files: Path, tmp_path: Path, innexplain_) -> None:
    code, _, _ = innexplain_(
        "explain", files / "grey.keras", files / "a.png", files / "more" / "a.png",
        "--analyzer", "input", "--output", tmp_path,
    )  # fmt: skip
    assert code == 0
    first, second = np.load(tmp_path / "a.npy"), np.load(tmp_path / "a-2.npy")
    asked = ImageInput(8, 8, 1, -1, "float32")
    np.testing.assert_array_equal(first, to_array(open_image(str(files / "a.png")), asked))
    grey = to_array(open_image(str(files / "more" / "a.png")), asked)
    np.testing.assert_array_equal(second, grey)
    assert np.abs(first - second).max() > 1


def test_single_sigmoid_unit(files: Path, tmp_path: Path, innexplain_) -> None:
    names = tmp_path / "names.json"
    names.write_text(json.dumps([["n1", "no"], ["n2", "yes"]]))
    maps = {}
    for neuron in (0, 1):
        code, out, _ = innexplain_(
            "explain", files / "grey.keras", files / "a.png", "--analyzer", "gradient",
            "--output", tmp_path / str(neuron), "--neuron", neuron, "--class-names", names,
            "--preprocess", "0-1",
        )  # fmt: skip
        assert code == 0
        assert f"explained  class {neuron} ({['no', 'yes'][neuron]})" in out
        maps[neuron] = np.load(tmp_path / str(neuron) / "a.npy")
    np.testing.assert_allclose(maps[0], -maps[1], rtol=1e-6)
    assert np.abs(maps[1]).max() > 0


def test_any_size_keeps_the_images_own(files: Path, tmp_path: Path, innexplain_) -> None:
    code, _, _ = innexplain_(
        "explain", files / "any.keras", files / "fits.png", files / "a.png", "--analyzer",
        "gradient", "--output", tmp_path,
    )  # fmt: skip
    assert code == 0
    assert np.load(tmp_path / "fits.npy").shape == (12, 10, 3)
    x = _pixels(files / "a.png")[None].astype("float32")
    expected = _reference(files, "any.keras", x, "gradient")[0]
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), expected, rtol=1e-5, atol=1e-8)


def test_channels_first(files: Path, tmp_path: Path, innexplain_) -> None:
    code, _, _ = innexplain_(
        "explain", files / "first.keras", files / "a.png", "--analyzer", "gradient",
        "--output", tmp_path,
    )  # fmt: skip
    assert code == 0
    pixels = to_array(open_image(str(files / "a.png")), ImageInput(8, 6, 3, 0, "float32"))
    expected = _reference(files, "first.keras", pixels[None].astype("float32"), "gradient")[0]
    assert expected.shape == (3, 8, 6)
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), expected, rtol=1e-5, atol=1e-8)
    assert _pixels(tmp_path / "a.heatmap.png").shape[0] % 8 == 0


def test_fixed_batch_is_filled_up(files: Path, tmp_path: Path, innexplain_) -> None:
    images = [files / "a.png", files / "fits.png", files / "more" / "a.png"]
    code, out, err = innexplain_(
        "explain", files / "fixed.keras", *images, "--analyzer", "gradient", "--output", tmp_path
    )
    assert (code, err) == (0, "")
    assert out.count("predicted") == 3
    assert {path.stem for path in tmp_path.glob("*.npy")} == {"a", "fits", "a-2"}


def test_more_images_than_a_chunk_in_order(files: Path, tmp_path: Path, monkeypatch, innexplain_) -> None:
    monkeypatch.setattr(explain, "_CHUNK", 2)
    images = [files / name for name in ("a.png", "fits.png", "clear.png", "deep.png")]
    images.append(files / "more" / "a.png")
    code, out, _ = innexplain_(
        "explain", files / "rgb.keras", *images, "--analyzer", "input", "--output", tmp_path
    )
    assert code == 0
    assert [line for line in out.splitlines() if line in map(str, images)] == list(map(str, images))
    asked = ImageInput(12, 10, 3, -1, "float32")
    for image, stem in zip(images, ("a", "fits", "clear", "deep", "a-2"), strict=True):
        expected = to_array(open_image(str(image)), asked)
        np.testing.assert_array_equal(np.load(tmp_path / f"{stem}.npy"), expected)


def test_interrupted_after_one_image(files: Path, tmp_path: Path, monkeypatch, innexplain_) -> None:
    write_outputs = outputs.write_outputs

    def once(folder: Path, stem: str, *more: object):
        if stem != "a":
            raise KeyboardInterrupt
        return write_outputs(folder, stem, *more)

    monkeypatch.setattr(explain, "write_outputs", once)
    code, _, err = innexplain_(
        "explain", files / "rgb.keras", files / "a.png", files / "fits.png", "--analyzer",
        "gradient", "--output", tmp_path,
    )  # fmt: skip
    assert code == 130
    assert err.startswith("innexplain: interrupted: 1 of 2 images are explained")
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.heatmap.png",
        "a.overlay.png",
        "a.npy",
    }
