"""Pictures of evaluations: curves over steps, and boxes over images, a colour a method."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.errors import InputError
from innexplain.plots.arrays import finite_array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["boxes", "curves"]

# Okabe and Ito's colours, which colour-blind readers can tell apart; then the same with other strokes.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STROKES = ("-", "--", ":", "-.")


def curves(
    values: Mapping[str, Any], *, xlabel: str = "", ylabel: str = "", title: str | None = None
) -> Figure:
    """One line a method: the mean over images, with the standard error as a band.

    Args:
        values: name of the method -> curves of n images, (n, L + 1).
        xlabel, ylabel, title: texts.

    Returns:
        A `matplotlib.figure.Figure`; write it with `save_figure`.

    Raises:
        InputError: there is no curve, or one is not (n, L + 1).

    >>> figure = curves({"gradient": [[0.0, 0.1, 0.3], [0.0, 0.2, 0.2]]})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['gradient']
    """
    from matplotlib.figure import Figure

    arrays = {name: finite_array(v, f"curves of {name}") for name, v in values.items()}
    if not arrays or any(a.ndim != 2 for a in arrays.values()):
        raise InputError(
            "curves: expected at least one method with curves (images, steps + 1), received "
            f"{ {name: a.shape for name, a in arrays.items()} }."
        )
    figure = Figure(figsize=(8.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color="0.6", linewidth=0.8)
    # The legend lists methods from the best at the end to the worst, as the lines end.
    for index, (name, array) in enumerate(arrays.items()):
        colour, stroke = _style(index)
        mean, steps = array.mean(axis=0), np.arange(array.shape[1])
        axes.plot(steps, mean, color=colour, linestyle=stroke, label=name, linewidth=1.6)
        if len(array) > 1:
            error = array.std(axis=0, ddof=1) / np.sqrt(len(array))
            axes.fill_between(steps, mean - error, mean + error, color=colour, alpha=0.12, linewidth=0)
    handles, names = axes.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda i: -float(arrays[names[i]][:, -1].mean()))
    figure.legend(
        [handles[i] for i in order], [names[i] for i in order],
        loc="outside right center", frameon=False, fontsize=9,
    )  # fmt: skip
    _label(axes, xlabel, ylabel, title)
    return figure


def boxes(values: Mapping[str, Mapping[str, Any]], *, title: str | None = None) -> Figure:
    """Box plots side by side, a panel a measure, a box a method: the spread over images.

    Args:
        values: name of the measure -> name of the method -> numbers of n images, (n,).
        title: written above.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        InputError: there is nothing to draw, or an array is not (n,).

    >>> figure = boxes({"entropy": {"gradient": [1.0, 2.0], "random": [5.0, 6.0]}})
    >>> figure.axes[0].get_xlabel()
    'entropy'
    """
    from matplotlib.figure import Figure

    arrays = {
        measure: {name: _numbers(v, f"{measure} of {name}") for name, v in methods.items()}
        for measure, methods in values.items()
    }
    if not arrays or not all(arrays.values()):
        raise InputError("boxes: expected at least one measure of at least one method, received none.")
    names = list(dict.fromkeys(name for methods in arrays.values() for name in methods))
    size = (2.0 + 2.3 * len(arrays), 1.1 + 0.3 * len(names))
    figure = Figure(figsize=(max(size[0], 5.0), size[1]), layout="constrained")
    panels = figure.subplots(1, len(arrays), sharey=True, squeeze=False)[0]
    for axes, (measure, methods) in zip(panels, arrays.items(), strict=True):
        _draw_boxes(axes, methods, names)
        _label(axes, measure, "", None)
    panels[0].set_yticks(np.arange(len(names), 0, -1), names, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _draw_boxes(axes: Any, methods: Mapping[str, np.ndarray], names: list[str]) -> None:
    """A method has its place and its colour in every panel, also where another one is missing."""
    rows = [names.index(name) for name in methods]
    places = [len(names) - row for row in rows]
    lying = {"orientation": "horizontal"} if _orients(axes) else {"vert": False}
    drawn = axes.boxplot(
        list(methods.values()), positions=places, widths=0.6, patch_artist=True, manage_ticks=False, **lying
    )
    for row, box in zip(rows, drawn["boxes"], strict=True):
        box.set(facecolor=_style(row)[0], alpha=0.55, linewidth=0.7)
    for line in drawn["medians"]:
        line.set(color="black", linewidth=1.2)
    axes.set_ylim(0.4, len(names) + 0.6)


def _numbers(values: Any, what: str) -> np.ndarray:
    array = finite_array(values, what)
    if array.ndim != 1:
        raise InputError(f"boxes: expected {what} to be numbers of images, (n,), received {array.shape}.")
    return array


def _orients(axes: Any) -> bool:
    """Whether this matplotlib (3.10 and later) knows `orientation=` in place of `vert=`."""
    return "orientation" in inspect.signature(axes.boxplot).parameters


def _style(index: int) -> tuple[str, str]:
    return _COLOURS[index % len(_COLOURS)], _STROKES[index // len(_COLOURS) % len(_STROKES)]


def _label(axes: Any, xlabel: str, ylabel: str, title: str | None) -> None:
    axes.set_xlabel(xlabel, fontsize=9)
    axes.set_ylabel(ylabel, fontsize=9)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if title:
        axes.set_title(title, fontsize=11)
