"""Table 1 of the paper: how often the network is right on whole images, on strong features, without them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import keras
import numpy as np

from innexplain.console import table_lines
from innexplain.evaluators import strong_features

__all__ = ["PAPER", "Row", "measure", "shuffled", "table"]

# Percent: full image, with only strong features, without strong features.  Dogs are not in the table.
PAPER = {"mnist": (99.26, 79.89, 43.45), "svhn": (92.60, 69.12, 54.46), "dogs": (58.74, None, None)}


class Row(NamedTuple):
    """The accuracies of a threshold, and the mean share of an image that is strong."""

    threshold: float
    full: float
    only_strong: float
    without_strong: float
    share: float


def measure(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    responses: np.ndarray,
    thresholds: Iterable[float],
    fill: float,
    batch_size: int = 250,
) -> list[Row]:
    """Keep and remove what responds strongly for the true class.

    Args:
        model: the network.
        x: images (n, height, width, channels).
        y: their true classes.
        responses: `R(x|y)`, (n, height, width).
        thresholds: strong is what lies above this fraction of a map's maximum; the paper names none.
        fill: what stands in place of what is removed: the background of MNIST, 0, or gray.
        batch_size: images in one call of the network.
    """
    rows = []
    for threshold in thresholds:
        found = strong_features(model, x, responses, y, threshold=threshold, fill=fill, batch_size=batch_size)
        accuracies = found.accuracy_full, found.accuracy_only_strong, found.accuracy_without_strong
        rows.append(Row(threshold, *accuracies, float(found.share.mean())))
    return rows


def shuffled(responses: np.ndarray, seed: int) -> np.ndarray:
    """The responses of each image in any order: as many pixels are strong, and chance says which."""
    flat = responses.reshape(len(responses), -1)
    return np.random.default_rng(seed).permuted(flat, axis=1).reshape(responses.shape)


def table(name: str, rows: list[Row], fill: float) -> str:
    """The measured rows below the paper's, in percent.

    >>> print(table("mnist", [Row(0.5, 0.99, 0.8, 0.4321, 0.05)], 0.0))
    accuracy (percent)  full image  only strong  without strong  strong pixels
    ------------------  ----------  -----------  --------------  -------------
    paper                    99.26        79.89           43.45              -
    threshold 0.5            99.00        80.00           43.21           5.00
    The rest is replaced by 0.
    """
    heads = ("accuracy (percent)", "full image", "only strong", "without strong", "strong pixels")
    lines = [("paper", *map(_percent, PAPER[name]), "-")]
    for row in rows:
        lines.append((f"threshold {row.threshold:g}", *(_percent(100 * value) for value in row[1:])))
    return "\n".join([*table_lines(heads, lines), f"The rest is replaced by {fill:g}."])


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
