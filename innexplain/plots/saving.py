"""Arrays, pictures and text, each in one file that is written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.errors import OutputPathError
from innexplain.files import atomic, with_suffix, write_array, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image


def save_array(array: Any, path: str | os.PathLike[str]) -> Path:
    """Write an array as `.npy`: the very values, never normalised.

    Args:
        array: What `analyze` returned, or any array without Python objects.
        path: File to write; `.npy` is added if missing.

    Returns:
        The path written.

    Raises:
        OutputPathError: If it cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_array([0.5, -2.0], Path(folder) / "map.npy").name
    'map.npy'
    """
    return write_array(path, array)


def save_image(image: Image | np.ndarray, path: str | os.PathLike[str]) -> Path:
    """Write a PIL image, or a uint8 array (height, width, 3), in the format of the suffix.

    Args:
        image: Picture from `heatmap_image` or `overlay`, or an array of its pixels.
        path: File to write; `.png` is added if there is no suffix.

    Returns:
        The path written.

    Raises:
        OutputPathError: If it cannot be written, or Pillow knows no format of that suffix.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_image(np.zeros((4, 4, 3), np.uint8), Path(folder) / "map").name
    'map.png'
    """
    from PIL import Image

    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    target = _picture_path(path, Image.registered_extensions())
    with atomic(target) as temporary:
        picture.save(temporary)
    return target


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: int = 150) -> Path:
    """Write a matplotlib figure in the format of the suffix.

    Args:
        figure: For instance from `gallery`.
        path: File to write; `.png` is added if there is no suffix.
        dpi: Pixels per inch, default 150.

    Returns:
        The path written.

    Raises:
        OutputPathError: If it cannot be written, or matplotlib knows no format of that suffix.

    >>> import tempfile
    >>> from matplotlib.figure import Figure
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figure(Figure(), Path(folder) / "gallery.png").name
    'gallery.png'
    """
    formats = figure.canvas.get_supported_filetypes()
    target = _picture_path(path, [f".{name}" for name in formats])
    with atomic(target) as temporary:
        figure.savefig(temporary, dpi=dpi)
    return target


def save_text(text: str, path: str | os.PathLike[str]) -> Path:
    """Write text as UTF-8.

    Args:
        text: The whole content.
        path: File to write.

    Returns:
        The path written.

    Raises:
        OutputPathError: If it cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_text("<p>whole</p>", Path(folder) / "index.html").name
    'index.html'
    """
    return write_text(path, text)


def _picture_path(path: str | os.PathLike[str], known: Iterable[str]) -> Path:
    """The path, ending in the suffix of a format that is known."""
    target = Path(path)
    target = target if target.suffix else with_suffix(target, ".png")
    if target.suffix.lower() not in known:
        raise OutputPathError(
            f"Cannot write {target}: expected the suffix of a picture format such as .png, "
            f"received {target.suffix!r}."
        )
    return target
