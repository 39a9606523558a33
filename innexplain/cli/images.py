"""Image files: read by Pillow, turned into what a model's input asks for."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from innexplain.cli.models import ImageInput
from innexplain.errors import UnreadableFileError

if TYPE_CHECKING:
    from PIL.Image import Image


def check_images(paths: Sequence[str]) -> None:
    """Read every image once, so that the last one cannot fail after an hour's work.

    Raises:
        UnreadableFileError: It names the first file that Pillow cannot read.
    """
    for path in paths:
        open_image(path)


def open_image(path: str) -> Image:
    """The first frame of an image file, upright, as 8-bit grey or RGB.

    Transparent pixels are laid on white; 16-bit grey is scaled to 8 bits.

    Raises:
        UnreadableFileError: If it is missing, or no image that Pillow can decode.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not Path(path).exists():
        raise UnreadableFileError(f"Image {path}: there is no such file.")
    if Path(path).is_dir():
        raise UnreadableFileError(f"Image {path}: expected a file, but it is a folder.")
    try:
        with warnings.catch_warnings():
            # A picture beyond Pillow's size limit may be a bomb: refused, not warned about.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _to_8_bits(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise UnreadableFileError(f"Image {path}: not an image that Pillow can read.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableFileError(f"Image {path}: cannot be decoded: {error}.") from error
    except Image.DecompressionBombWarning as error:
        raise UnreadableFileError(f"Image {path}: too large: {error}") from error


def _to_8_bits(image: Image) -> Image:
    from PIL import Image

    if image.mode.startswith("I"):
        wide = np.asarray(image, dtype=np.float64)
        return Image.fromarray(np.rint(np.clip(wide / 257.0, 0, 255)).astype(np.uint8))
    if image.mode == "F":
        unit = np.clip(np.nan_to_num(np.asarray(image)), 0, 255)
        return Image.fromarray(np.rint(unit).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def to_array(image: Image, asked: ImageInput) -> np.ndarray:
    """The picture as the model asks for it, before any preprocessing.

    It is stretched to the model's height and width (bicubic); where the model takes any size, it
    keeps its own.

    Returns:
        uint8 array (height, width, channels), or channels first.
    """
    from PIL import Image

    fitting = image.convert("L" if asked.channels == 1 else "RGB")
    size = (asked.width or image.width, asked.height or image.height)
    if fitting.size != size:
        fitting = fitting.resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(fitting).reshape(size[1], size[0], asked.channels)
    return pixels if asked.channel_axis == -1 else np.moveaxis(pixels, -1, 0)


def output_stems(paths: Sequence[str]) -> list[str]:
    """One name an image for its output files, no two alike: `cat`, `cat-2`, ...

    Names that differ only in case count as alike: some file systems do not tell them apart.

    >>> output_stems(["a/cat.png", "b/cat.jpg", "cat-2.png"])
    ['cat', 'cat-3', 'cat-2']
    """
    own = [Path(path).stem for path in paths]
    taken = {stem.casefold() for stem in own}
    stems: list[str] = []
    seen: set[str] = set()
    for stem in own:
        name, number = stem, 2
        if stem.casefold() in seen:
            while f"{stem}-{number}".casefold() in taken:
                number += 1
            name = f"{stem}-{number}"
        seen.add(stem.casefold())
        taken.add(name.casefold())
        stems.append(name)
    return stems
