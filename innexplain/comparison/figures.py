"""The pictures of a comparison: curves, boxes, maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain import plots
from innexplain.arguments import check_count
from innexplain.comparison.evaluations import Complexity
from innexplain.errors import ArgumentError, InputError
from innexplain.evaluators.arrays import spatial_maps
from innexplain.plots.cells import short_number
from innexplain.regions import spatial_shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from innexplain.comparison.result import Comparison

_CURVES = "AOPC - random"


def curves_figure(found: Comparison) -> Figure:
    """See `Comparison.plot_curves`."""
    if _CURVES not in found.curve_names:
        raise ArgumentError(_missing("region_perturbation", found))
    n = len(found.x)
    return plots.curves(
        found.curves(_CURVES),
        xlabel="regions replaced",
        ylabel="AOPC minus AOPC of random order",
        title=f"Does the score fall faster than by chance? Mean over {n} image{'s' if n > 1 else ''}",
    )


def complexity_figure(found: Comparison) -> Figure:
    """See `Comparison.plot_complexity`."""
    values = _complexity(found)
    if not values:
        raise ArgumentError(_missing("complexity", found))
    return plots.boxes(values, title="How complex are the maps?")


def _complexity(found: Comparison) -> dict[str, dict[str, np.ndarray]]:
    """The columns of `Complexity`, or none if one is missing."""
    if not set(Complexity.columns) <= set(found.columns):
        return {}
    values = {name: found.values(name) for name in Complexity.columns}
    return values if all(values.values()) else {}


def figures_of(found: Comparison, names: Any = None, images: Any = None) -> dict[str, Figure]:
    """Every picture that can be drawn of a comparison, by the stem of its file."""
    figures = {}
    if _CURVES in found.curve_names:
        figures["curves"] = curves_figure(found)
    if _complexity(found):
        figures["complexity"] = complexity_figure(found)
    if _spatial_rank(found) <= 2:
        figures["maps"] = maps_figure(found, names=names, images=images)
    return figures


def _spatial_rank(found: Comparison) -> int:
    """How many axes a map has: 1 of tables and signals, 2 of images, 3 of volumes, which are not drawn."""
    return len(spatial_shape(found.x.shape[1:], found.channel_axis))


def maps_figure(found: Comparison, most: int = 8, names: Any = None, images: Any = None) -> Figure:
    """See `Comparison.plot_maps`."""
    check_count("most", most)
    pictures = found.x if images is None else np.asarray(images)
    if len(pictures) != len(found.x):
        raise InputError(f"images must be {len(found.x)}, one an input. Received: {len(pictures)}")
    kind = "image" if _spatial_rank(found) == 2 else "table" if found.x.ndim == 2 else "signal"
    return plots.gallery(
        pictures[:most],
        {label: spatial_maps(maps, found.x, found.channel_axis)[:most] for label, maps in found.maps.items()},
        _row_labels(found, most, names),
        percentile=99.5,
        kind=kind,
        channel_axis=-1 if found.channel_axis is None else found.channel_axis,
        meaning={entry.label: entry.meaning for entry in found.entries if entry.maps is not None},
    )


def _row_labels(found: Comparison, most: int, names: Any) -> list[str]:
    """What is explained of each image, how sure the model is of it, and what would be true."""
    classes = found.outputs.shape[1]
    if names is None:
        names = [f"class {index}" for index in range(classes)]
    if len(names) != classes:
        raise InputError(f"names must be {classes}, one a class. Received: {len(names)}")
    short = [str(name).split(",")[0] for name in names]
    labels = [
        f"{short[target]}\noutput {short_number(found.outputs[i, target])}"
        for i, target in enumerate(found.target[:most])
    ]
    if found.y is None:
        return labels
    true = [short[label] if 0 <= label < classes else f"class {label}" for label in found.y]
    return [f"{label}\ntrue {name}" for label, name in zip(labels, true, strict=False)]


def _missing(evaluator: str, found: Comparison) -> str:
    return (
        f"This picture needs the evaluator {evaluator!r}; the comparison was made with "
        f"{', '.join(e.name for e in found.evaluators)}."
    )
