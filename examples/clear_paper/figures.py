"""Images that the network classifies rightly and wrongly, each with its maps: figures 3 to 5 of the paper."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from data import Data
from matplotlib.figure import Figure

from innexplain import ClearMaps
from innexplain.plots import clear_rows

__all__ = ["choose", "draw"]


def choose(
    predicted: np.ndarray, y: np.ndarray, rng: np.random.Generator, count: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Pick images by chance that are classified rightly, and as many that are not.

    They are of different classes, and the same ones in both, as far as there are such.

    Args:
        predicted: the class that the network sees in each image.
        y: its true class.
        rng: chance.
        count: how many of each kind; fewer where there are not as many.

    Returns:
        Numbers of images, ordered by class: those classified rightly, then the others.
    """
    right = predicted == y
    classes = rng.permutation(np.unique(y))
    both = np.isin(classes, y[right]) & np.isin(classes, y[~right])
    classes = [*classes[both], *classes[~both]]
    found, mistaken = (rng.permutation(np.flatnonzero(kind)) for kind in (right, ~right))
    return _pick(found, y, classes, count), _pick(mistaken, y, classes, count)


def _pick(numbers: np.ndarray, y: np.ndarray, classes: list[int], count: int) -> np.ndarray:
    """One of each class, in their order, then a second one of each, and so on until there are enough."""
    rounds = [
        (nth, place, n) for place, c in enumerate(classes) for nth, n in enumerate(numbers[y[numbers] == c])
    ]
    chosen = np.array([n for _, _, n in sorted(rounds)[:count]], dtype="int64")
    return chosen[np.argsort(y[chosen], kind="stable")]


def draw(
    maps: ClearMaps,
    data: Data,
    numbers: np.ndarray,
    predicted: np.ndarray,
    shown: Callable[[np.ndarray], np.ndarray],
) -> Figure:
    """A row an image: itself, its binary heatmap, its binary map and its CLEAR map.

    Args:
        maps: of these images, all classes.
        data: the images and their classes.
        numbers: which of the test images.
        predicted: the classes that the network sees in these.
        shown: turns images as the network takes them into what a screen shows, in [0, 1].
    """
    x, y = data.test_x[numbers], data.test_y[numbers]
    labels = [
        data.names[true] if true == seen else f"{data.names[true]}, seen as {data.names[seen]}"
        for true, seen in zip(y, predicted, strict=True)
    ]
    return clear_rows(maps, shown(x), y, class_names=data.names, labels=labels, value_range=(0, 1))
