"""The pictures of a comparison: curves, boxes, maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain import plots
from innexplain.comparison.evaluations import Complexity
from innexplain.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from innexplain.comparison.result import Comparison

__all__ = ["class_label", "complexity_figure", "curves_figure", "drawable", "maps_figure"]


def curves_figure(found: Comparison) -> Figure:
    """See `Comparison.plot_curves`."""
    values = found.curves()
    if not values:
        raise ArgumentError(_missing("region_perturbation", found))
    n = len(found.x)
    return plots.curves(
        values,
        xlabel="regions replaced",
        ylabel="AOPC minus AOPC of random order",
        title=f"Does the score fall faster than by chance? Mean over {n} image{'s' if n > 1 else ''}",
    )


def complexity_figure(found: Comparison) -> Figure:
    """See `Comparison.plot_complexity`."""
    values = {name: found.values(name) for name in Complexity.columns}
    if not any(values.values()):
        raise ArgumentError(_missing("complexity", found))
    return plots.boxes(values, title="How complex are the maps?")


def maps_figure(found: Comparison, most: int = 8, names: Any = None, images: Any = None) -> Figure:
    """See `Comparison.plot_maps`."""
    shown = slice(0, most)
    labels = []
    for i, target in enumerate(found.target[shown]):
        p = found.outputs[i, target]
        true = "" if found.y is None else f"\ntrue {class_label(found.y[i], names)}"
        labels.append(f"{class_label(target, names)}\noutput {p:.3f}{true}")
    return plots.gallery(
        (found.x if images is None else np.asarray(images))[shown],
        {label: maps[shown] for label, maps in found.maps.items()},
        labels,
        channel_axis=found.channel_axis,
    )


def drawable(found: Comparison) -> bool:
    """Whether a gallery can show the inputs: images, signals and tables."""
    return found.x.ndim in (2, 3, 4)


def class_label(index: Any, names: Any = None) -> str:
    """A class by name if there are names, else by number."""
    index = int(index)
    if names is not None and np.size(names) > index:
        return str(names[index]).split(",")[0]
    return f"class {index}"


def _missing(evaluator: str, found: Comparison) -> str:
    return (
        f"This picture needs the evaluator {evaluator!r}; the comparison was made with "
        f"{', '.join(e.name for e in found.evaluators)}."
    )
