"""The maps of a comparison as a picture: images down, methods across."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain import plots
from innexplain.errors import InputError
from innexplain.evaluators.arrays import spatial_maps
from innexplain.plots.cells import short_number
from innexplain.regions import spatial_shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def spatial_rank(x: np.ndarray, channel_axis: int | None) -> int:
    """How many axes a map has: 1 of tables and signals, 2 of images, 3 of volumes, which are not drawn."""
    return len(spatial_shape(x.shape[1:], channel_axis))


def maps_figure(
    x: np.ndarray,
    maps: dict[str, np.ndarray],
    labels: list[str],
    meaning: dict[str, str],
    channel_axis: int | None,
    images: Any = None,
) -> Figure:
    """The first maps of each method, beside what they are maps of.

    Args:
        x: the inputs.
        maps: by method.
        labels: one text a row.
        meaning: what the maps stand for, by method.
        channel_axis: of one sample.
        images: what to show in place of the inputs.
    """
    pictures = x if images is None else np.asarray(images)
    if len(pictures) != len(x):
        raise InputError(f"images must be {len(x)}, one an input. Received: {len(pictures)}")
    most = len(labels)
    kind = "image" if spatial_rank(x, channel_axis) == 2 else "table" if x.ndim == 2 else "signal"
    return plots.gallery(
        pictures[:most],
        {label: spatial_maps(array, x, channel_axis)[:most] for label, array in maps.items()},
        labels,
        percentile=99.5,
        kind=kind,
        # Pictures that are shown in place of inputs may have channels, where those have none.
        channel_axis=-1 if channel_axis is None else channel_axis,
        meaning=meaning,
    )


def row_labels(outputs: np.ndarray, target: np.ndarray, y: np.ndarray | None, names: Any) -> list[str]:
    """What is explained of each image, how sure the model is of it, and what would be true."""
    classes = outputs.shape[1]
    if names is None:
        names = [f"class {index}" for index in range(classes)]
    if len(names) != classes:
        raise InputError(f"names must be {classes}, one a class. Received: {len(names)}")
    short = [str(name).split(",")[0] for name in names]
    labels = [f"{short[c]}\noutput {short_number(row[c])}" for c, row in zip(target, outputs, strict=True)]
    if y is None:
        return labels
    true = [short[label] if 0 <= label < classes else f"class {label}" for label in y]
    return [f"{label}\ntrue {name}" for label, name in zip(labels, true, strict=True)]
