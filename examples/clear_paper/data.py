"""The digits of the paper, MNIST and SVHN, read from files of the user's own; dogs are in dogs.py.

Both have images in [0, 1] and are split into training and test as their makers did.  Nothing is downloaded.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from innexplain.errors import UnreadableFileError

__all__ = ["Data", "load_mnist", "load_svhn", "read_mat"]

DIGITS = tuple(str(digit) for digit in range(10))
# What NumPy raises for other files, empty ones, single arrays and broken archives.
_NO_ARCHIVE = (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Data:
    """Images as the network takes them, and their classes.

    Args:
        train_x, test_x: float32 (n, height, width, channels).
        train_y, test_y: int64 (n,), counted from 0.
        names: of the classes.
    """

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    names: tuple[str, ...]


def load_mnist(path: Path, limit: int | None = None) -> Data:
    """Handwritten digits in [0, 1], the background 0.

    Args:
        path: an npz file with x_train and x_test, uint8 (n, 28, 28), and y_train and y_test, (n,), as
            `keras.datasets.mnist.load_data` stores it.
        limit: the first so many images for training and for testing; `None` for all.

    Raises:
        UnreadableFileError: the file is missing, or is something else.
    """
    found = _npz(path)
    parts = []
    for part in ("train", "test"):
        x = found[f"x_{part}"]
        _check_pixels(f"{path}: x_{part}", x, "(n, 28, 28)", x.shape[1:] == (28, 28))
        y = _labels(f"{path}: y_{part}", found[f"y_{part}"], len(x), range(10))
        parts += [_unit(x[:limit, ..., None]), y[:limit]]
    return Data(*parts, names=DIGITS)


def load_svhn(folder: Path, limit: int | None = None) -> Data:
    """House numbers, cropped to a digit each, in colour, in [0, 1].

    Args:
        folder: has train_32x32.mat and test_32x32.mat of http://ufldl.stanford.edu/housenumbers, with X,
            uint8 (32, 32, 3, n), and y, (n, 1), in which 10 stands for the digit 0.
        limit: the first so many images for training and for testing; `None` for all.

    Raises:
        UnreadableFileError: a file is missing, or is something else.
    """
    parts = []
    for part in ("train", "test"):
        path = Path(folder) / f"{part}_32x32.mat"
        found = read_mat(path, ("X", "y"))
        x = found["X"]
        _check_pixels(f"{path}: X", x, "(32, 32, 3, n)", x.ndim == 4 and x.shape[:3] == (32, 32, 3))
        y = _labels(f"{path}: y", found["y"].ravel(), x.shape[3], range(1, 11))
        parts += [_unit(np.moveaxis(x[..., :limit], 3, 0)), y[:limit] % 10]
    return Data(*parts, names=DIGITS)


def read_mat(path: Path, keys: tuple[str, ...]) -> Mapping[str, np.ndarray]:
    """The arrays of a MATLAB file.

    Args:
        path: of the file, in a format before 7.3.
        keys: the arrays that it must have.

    Raises:
        UnreadableFileError: it is missing, is something else, or lacks one of them.
    """
    _check_file(path)
    try:
        found = loadmat(path)
    except (OSError, ValueError, TypeError, NotImplementedError, MatReadError, zlib.error) as error:
        raise UnreadableFileError(f"{path}: expected a MATLAB file with {_and(keys)}: {error}.") from error
    return _having(path, found, keys)


def _npz(path: Path) -> Mapping[str, np.ndarray]:
    keys = ("x_train", "y_train", "x_test", "y_test")
    _check_file(path)
    try:
        # Opened here, as NumPy leaves a broken archive open.
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            found = {key: archive[key] for key in archive.files}
    except _NO_ARCHIVE as error:
        raise UnreadableFileError(
            f"{path}: expected an npz file with {_and(keys)}; it cannot be read as one."
        ) from error
    return _having(path, found, keys)


def _check_file(path: Path) -> None:
    if not Path(path).is_file():
        raise UnreadableFileError(f"{path}: there is no such file. Name the file or folder with --data.")


def _having(path: Path, found: Mapping[str, np.ndarray], keys: tuple[str, ...]) -> Mapping[str, np.ndarray]:
    if not set(keys) <= set(found):
        received = _and([key for key in found if not key.startswith("__")]) or "nothing"
        raise UnreadableFileError(f"{path}: expected {_and(keys)} in it. Received: {received}.")
    return found


def _check_pixels(name: str, x: np.ndarray, shape: str, fits: bool) -> None:
    if not fits or x.dtype != np.uint8 or not x.size:
        raise UnreadableFileError(
            f"{name}: expected images of shape {shape} and dtype uint8. Received: {x.shape} and {x.dtype}."
        )


def _labels(name: str, y: np.ndarray, count: int, allowed: range) -> np.ndarray:
    if y.shape != (count,) or not np.isin(y, allowed).all():
        raise UnreadableFileError(
            f"{name}: expected {count} labels, one an image, from {allowed[0]} to {allowed[-1]}. "
            f"Received: {y.size}, among them {np.unique(y)[:12].tolist()}."
        )
    return y.astype("int64")


def _unit(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype("float32") / 255


def _and(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names)
