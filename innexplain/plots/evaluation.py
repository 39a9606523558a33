"""Pictures of evaluations: curves over steps, boxes over images, bars over layers; a colour a method."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.errors import InputError
from innexplain.plots.arrays import finite_array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def bars(
    values: Mapping[str, Any],
    groups: Sequence[str],
    *,
    ylabel: str = "",
    title: str | None = None,
) -> Figure:
    """A bar a method in each group, such as rho of signal estimators in every layer.

    Args:
        values: name of the method -> one number a group, (groups,); NaN where there is none, which is said
            in its place.
        groups: what is written below them.
        ylabel, title: texts.

    Returns:
        A `matplotlib.figure.Figure`; write it with `save_figure`.

    Raises:
        InputError: there is nothing to draw, or an array is not (groups,).

    >>> figure = bars({"S_w": [0.2, 0.3], "S_a": [0.8, 0.9]}, ["conv", "dense"], ylabel="rho")
    >>> [float(bar.get_height()) for bar in figure.axes[0].containers[1]]
    [0.8, 0.9]
    """
    from matplotlib.figure import Figure

    missing = {name: _missing(v) for name, v in values.items()}
    arrays = {
        name: finite_array(np.where(missing[name], 0.0, v) if missing[name].any() else v, f"bars of {name}")
        for name, v in values.items()
    }
    if not arrays or not groups or any(a.shape != (len(groups),) for a in arrays.values()):
        raise InputError(
            f"bars: expected at least one method with a number a group, ({len(groups)},), received "
            f"{ {name: a.shape for name, a in arrays.items()} }."
        )
    width = max(4.5, 1.6 + 0.22 * len(groups) * (len(arrays) + 1))
    figure = Figure(figsize=(width, 3.6), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(groups))
    for index, (name, array) in enumerate(arrays.items()):
        shift = (index - (len(arrays) - 1) / 2) / (len(arrays) + 1)
        axes.bar(places + shift, array, 1 / (len(arrays) + 1), color=_style(index)[0], label=name)
        for place in places[missing[name]] + shift:
            axes.text(place, 0.0, "no number", rotation=90, ha="center", va="bottom", fontsize=7)
    axes.axhline(0, color="0.6", linewidth=0.8)
    turned = sum(map(len, groups)) > 10 * width
    axes.set_xticks(places, groups, rotation=90 if turned else 0)
    figure.legend(loc="outside right center", frameon=False, fontsize=9)
    _label(axes, "", ylabel, title)
    return figure


def _missing(values: Any) -> np.ndarray:
    """Where numbers are NaN."""
    array = np.asarray(values)
    return np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)


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
