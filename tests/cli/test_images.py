"""Image files become what the model asks for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from innexplain.cli.images import open_image, output_stems, to_array
from innexplain.cli.models import ImageInput
from innexplain.errors import UnreadableFileError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
OWN = ImageInput(None, None, 3, -1, "float32")


def _save(folder: Path, image: Image.Image, name: str = "a.png", **options: object) -> str:
    image.save(folder / name, **options)
    return str(folder / name)


def test_pixels_are_untouched_where_nothing_must_change(tmp_path: Path) -> None:
    path = _save(tmp_path, Image.fromarray(PIXELS))
    np.testing.assert_array_equal(to_array(open_image(path), OWN), PIXELS)
    first = ImageInput(4, 6, 3, 0, "float32")
    np.testing.assert_array_equal(to_array(open_image(path), first), np.moveaxis(PIXELS, -1, 0))


def test_grey_and_rgb_as_the_channels_ask(tmp_path: Path) -> None:
    grey = _save(tmp_path, Image.fromarray(PIXELS[..., 0]))
    shown = to_array(open_image(grey), OWN)
    np.testing.assert_array_equal(shown, np.repeat(PIXELS[..., :1], 3, axis=-1))
    one = ImageInput(None, None, 1, -1, "float32")
    colour = to_array(open_image(_save(tmp_path, Image.fromarray(PIXELS))), one)
    luma = PIXELS @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(colour[..., 0], luma, atol=1)


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    path = _save(tmp_path, Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257))
    np.testing.assert_array_equal(to_array(open_image(path), OWN)[..., 1], PIXELS[..., 0])


def test_transparent_pixels_lie_on_white(tmp_path: Path) -> None:
    clear = np.dstack([PIXELS, np.zeros((4, 6), np.uint8)])
    clear[0, 0, 3] = 255
    shown = to_array(open_image(_save(tmp_path, Image.fromarray(clear))), OWN)
    np.testing.assert_array_equal(shown[0, 0], PIXELS[0, 0])
    assert (shown.reshape(-1, 3)[1:] == 255).all()


def test_pictures_of_cameras_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = _save(tmp_path, Image.fromarray(PIXELS), exif=exif)
    np.testing.assert_array_equal(to_array(open_image(path), OWN), np.rot90(PIXELS, -1))


def test_stretched_to_the_models_height_and_width(tmp_path: Path) -> None:
    columns = np.repeat(np.array([[0, 0, 0, 255, 255, 255]], np.uint8), 4, axis=0)
    asked = ImageInput(8, 12, 1, -1, "float32")
    shown = to_array(open_image(_save(tmp_path, Image.fromarray(columns))), asked)
    assert shown.shape == (8, 12, 1)
    assert shown[:, :4].max() < 10
    assert shown[:, -4:].min() > 245
    half = ImageInput(None, 3, 3, -1, "float32")
    assert to_array(open_image(_save(tmp_path, Image.fromarray(PIXELS))), half).shape == (4, 3, 3)


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _save(tmp_path, Image.fromarray(PIXELS))
    for limit in (20, 5):  # a warning of Pillow's, and an error
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(UnreadableFileError, match=r"a\.png"):
            open_image(path)


@pytest.mark.parametrize(
    ("paths", "stems"),
    [
        (["a.png", "b/a.jpg", "c/a.gif"], ["a", "a-2", "a-3"]),
        (["a.png", "a.png", "a-2.png"], ["a", "a-3", "a-2"]),
        (["Cat.png", "cat.jpg"], ["Cat", "cat-2"]),
        (["a.b.png", "a.c.png"], ["a.b", "a.c"]),
        (["a-2.png", "a.png", "a.jpg", "a-2.jpg"], ["a-2", "a", "a-3", "a-2-2"]),
    ],
)
def test_output_names_are_all_different(paths: list[str], stems: list[str]) -> None:
    assert output_stems(paths) == stems
    assert len({stem.casefold() for stem in stems}) == len(stems)
