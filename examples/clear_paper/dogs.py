"""The dogs of the paper: ten breeds of Stanford Dogs, read from a folder of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from data import Data, read_mat
from PIL import ImageOps

from innexplain.cli.images import open_image
from innexplain.errors import ArgumentError, UnreadableFileError

__all__ = ["BREEDS", "load_dogs", "shown"]

# The first ten folders of the data set.  The paper has ten breeds and names six, all of which are among them:
# Chihuahua, Maltese, Shih-Tzu, toy terrier, Rhodesian ridgeback and Afghan hound.
BREEDS = (
    "Chihuahua",
    "Japanese_spaniel",
    "Maltese_dog",
    "Pekinese",
    "Shih-Tzu",
    "Blenheim_spaniel",
    "papillon",
    "toy_terrier",
    "Rhodesian_ridgeback",
    "Afghan_hound",
)
SIZE = 224
TRAINING_IMAGES = 100  # of a breed, as in the data set's own split
_MEAN = np.array([103.939, 116.779, 123.68], "float32")  # of ImageNet: blue, green, red


def load_dogs(folder: Path, classes: Sequence[str] = BREEDS, limit: int | None = None) -> Data:
    """Photographs of dogs, the middle square of each, 224 x 224, as VGG16 takes them.

    Args:
        folder: has Images/n02085620-Chihuahua/*.jpg and so on, as given out at
            http://vision.stanford.edu/aditya86/ImageNetDogs.  With train_list.mat and test_list.mat in it, or
            in its folder lists, they say which image is for what; without, the first 100 of a breed by name
            are for training (of fewer than 200, the first half).
        classes: names of breeds, as their folders have them behind the dash.
        limit: the first so many images of each breed for training and for testing; `None` for all.

    Raises:
        UnreadableFileError: a folder, a file or a breed is missing, or an image is none.
        ArgumentError: fewer than two classes, or one twice.
    """
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ArgumentError(f"classes: expected two breeds or more, each once. Received: {list(classes)}")
    folder = Path(folder)
    breeds = [_breed(folder, name) for name in classes]
    lists = _lists(folder)
    split = [_split(breed) if lists is None else _listed(breed, lists) for breed in breeds]
    parts = []
    for part in (0, 1):
        files = [pair[part][:limit] for pair in split]
        parts += [
            np.stack([_image(path) for paths in files for path in paths]),
            np.repeat(np.arange(len(files)), [len(paths) for paths in files]),
        ]
    return Data(*parts, names=tuple(name.replace("_", " ") for name in classes))


def shown(x: np.ndarray) -> np.ndarray:
    """Images as VGG16 takes them, as RGB in [0, 1]."""
    return np.clip((x + _MEAN)[..., ::-1] / 255, 0, 1)


def _breed(folder: Path, name: str) -> Path:
    images = folder / "Images"
    if not images.is_dir():
        raise UnreadableFileError(
            f"{folder}: expected the folder of Stanford Dogs, with a folder Images in it, which has a folder "
            "such as n02085620-Chihuahua for each breed."
        )
    found = [path for path in images.iterdir() if path.is_dir() and path.name.partition("-")[2] == name]
    if len(found) != 1:
        known = sorted(path.name.partition("-")[2] for path in images.iterdir() if "-" in path.name)
        raise UnreadableFileError(
            f"{images}: expected one folder n...-{name}, there are {len(found)}. "
            f"Breeds found: {', '.join(known[:12]) or 'none'}{' ...' if len(known) > 12 else ''}."
        )
    return found[0]


def _lists(folder: Path) -> tuple[list[str], list[str]] | None:
    """The files for training and for testing, or `None` where there are no lists."""
    names = ("train_list.mat", "test_list.mat")
    for place in (folder, folder / "lists"):
        if any((place / name).exists() for name in names):
            train, test = (read_mat(place / name, ("file_list",))["file_list"] for name in names)
            return _texts(train), _texts(test)
    return None


def _texts(cells: np.ndarray) -> list[str]:
    return [str(np.ravel(cell)[0]) for cell in np.ravel(cells)]


def _listed(breed: Path, lists: tuple[list[str], list[str]]) -> tuple[list[Path], list[Path]]:
    train, test = (
        [breed / name.partition("/")[2] for name in names if name.startswith(f"{breed.name}/")]
        for names in lists
    )
    if not train or not test:
        raise UnreadableFileError(
            f"{breed.name}: expected images of it in train_list.mat and in test_list.mat, there are "
            f"{len(train)} and {len(test)}. Without these files a split is made."
        )
    return train, test


def _split(breed: Path) -> tuple[list[Path], list[Path]]:
    files = sorted(breed.glob("*.jpg"))
    if len(files) < 2:
        raise UnreadableFileError(f"{breed}: expected two images *.jpg or more, there are {len(files)}.")
    count = min(TRAINING_IMAGES, len(files) // 2)
    return files[:count], files[count:]


def _image(path: Path) -> np.ndarray:
    square = ImageOps.fit(open_image(str(path)).convert("RGB"), (SIZE, SIZE))
    return keras.applications.vgg16.preprocess_input(np.asarray(square, "float32")[None])[0]
