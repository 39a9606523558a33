"""Files written whole or not at all: a temporary neighbour, then `os.replace`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.errors import OutputPathError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

__all__ = ["make_folder", "replacing", "save_array", "save_figure", "save_image", "save_text"]


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        OutputPathError: If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputPathError(
            f"Cannot write to the folder {folder}: {error.strerror or error}. Choose another one."
        ) from error


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`, moved onto it if the block succeeds, removed if not.

    Args:
        path: The file to write; its folder must exist. A file already there stays as it is until
            the new one is complete.

    Raises:
        OutputPathError: If the folder is missing or cannot be written, or the disk is full.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as temporary:
    ...         size = temporary.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise OutputPathError(
            f"Cannot write {target}: expected its folder to exist, but {target.parent} is no "
            "folder. Create it, or choose another place."
        )
    if target.is_dir():
        raise OutputPathError(f"Cannot write {target}: expected a file name, but it is a folder.")
    # The suffix stays the last one: Pillow, matplotlib and Keras read the format from it.
    temporary = target.with_name(f".innexplain-{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise OutputPathError(
            f"Cannot write {target}: {error.strerror or error}. "
            "Check the folder's permissions and free space, or choose another place."
        ) from error
    finally:
        # Also after KeyboardInterrupt; after os.replace there is nothing left to remove.
        _remove(temporary)


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return  # a folder that cannot be written has no temporary file in it either


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
    target = _with_suffix(path, ".npy")
    with replacing(target) as temporary, open(temporary, "wb") as stream:
        np.save(stream, np.asarray(array), allow_pickle=False)
    return target


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
    target = _with_suffix(path, ".png")
    _check_format(target, Image.registered_extensions())
    with replacing(target) as temporary:
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
    target = _with_suffix(path, ".png")
    formats = figure.canvas.get_supported_filetypes()
    _check_format(target, [f".{name}" for name in formats])
    with replacing(target) as temporary:
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
    target = Path(path)
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def _with_suffix(path: str | os.PathLike[str], suffix: str) -> Path:
    """`path` with `suffix` added where it has none; `.npy` is always the last suffix."""
    target = Path(path)
    if target.suffix == suffix or (target.suffix and suffix != ".npy"):
        return target
    return target.with_name(target.name + suffix)


def _check_format(target: Path, known: Any) -> None:
    if target.suffix.lower() not in known:
        raise OutputPathError(
            f"Cannot write {target}: expected the suffix of a picture format such as .png, "
            f"received {target.suffix!r}."
        )
