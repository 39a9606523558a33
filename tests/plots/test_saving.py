"""Files are written whole or not at all."""

import os
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from innexplain import plots
from innexplain.errors import OutputPathError

ARRAY = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32") * 1e6
SAVERS = {
    "array.npy": lambda path: plots.save_array(ARRAY, path),
    "image.png": lambda path: plots.save_image(Image.new("RGB", (3, 2), "red"), path),
    "figure.png": lambda path: plots.save_figure(Figure(figsize=(1, 1)), path),
    "page.html": lambda path: plots.save_text("<p>ä</p>", path),
}
each_saver = pytest.mark.parametrize(("name", "save"), SAVERS.items(), ids=list(SAVERS))


def test_arrays_are_stored_as_they_are(tmp_path: Path) -> None:
    path = plots.save_array(ARRAY, tmp_path / "map")
    assert path == tmp_path / "map.npy"
    stored = np.load(path)
    assert stored.dtype == ARRAY.dtype
    np.testing.assert_array_equal(stored, ARRAY)


def test_dots_in_names_are_no_suffix_of_arrays(tmp_path: Path) -> None:
    assert plots.save_array(ARRAY, tmp_path / "lrp.epsilon").name == "lrp.epsilon.npy"


def test_images_keep_their_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    path = plots.save_image(pixels, tmp_path / "image")
    assert path.name == "image.png"
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_figures_have_the_size_and_resolution_asked_for(tmp_path: Path) -> None:
    path = plots.save_figure(Figure(figsize=(2, 1)), tmp_path / "figure.png", dpi=100)
    with Image.open(path) as picture:
        assert picture.size == (200, 100)
    assert plots.save_figure(Figure(), tmp_path / "a.svg").read_bytes()[:5] == b"<?xml"


def test_text_is_utf8(tmp_path: Path) -> None:
    plots.save_text("ä", tmp_path / "a.html")
    assert (tmp_path / "a.html").read_bytes() == "ä".encode()


@each_saver
def test_nothing_else_is_left_beside_the_file(name: str, save, tmp_path: Path) -> None:
    save(tmp_path / name)
    save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    # As any other new file of this user, not private to the process that wrote it.
    (tmp_path / "other").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


@each_saver
def test_failure_keeps_the_old_file_and_leaves_no_new_one(
    name: str, save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text("old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputPathError, match="No space left on device"):
        save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "old"


@each_saver
def test_missing_folder_and_folder_in_the_way(name: str, save, tmp_path: Path) -> None:
    with pytest.raises(OutputPathError, match="is no folder"):
        save(tmp_path / "missing" / name)
    (tmp_path / name).mkdir()
    with pytest.raises(OutputPathError, match="it is a folder"):
        save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
@each_saver
def test_folder_without_permission(name: str, save, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputPathError, match="Permission denied"):
        save(tmp_path / name)


def test_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputPathError, match=r"received '\.xyz'"):
        plots.save_image(Image.new("RGB", (2, 2)), tmp_path / "a.xyz")
    with pytest.raises(OutputPathError, match=r"received '\.xyz'"):
        plots.save_figure(Figure(), tmp_path / "a.xyz")
    assert list(tmp_path.iterdir()) == []
