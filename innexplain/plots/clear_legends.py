"""What the colours of CLEAR's pictures mean: the entries of their legends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.plots.class_colours import OTHER, ClassColours, class_name
from innexplain.plots.clear import AGAINST, FOR, GREEN, HOT, warm
from innexplain.plots.colours import colour_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

    from innexplain.class_maps import ClearMaps

Handles = dict[str, Any]  # what an entry is called -> a patch, or several side by side
Names = Sequence[str] | Mapping[int, str] | None
_MOST_ENTRIES = 24  # nobody tells more colours apart
_MOST_LINES = 16
CHARACTER, _LINE = 0.068, 0.172  # inches of a text of 8 points


def class_handles(maps: ClearMaps, colours: ClassColours, class_names: Names, on_black: bool) -> Handles:
    """What a legend of CLEAR maps lists: name -> patch, of the classes that dominate somewhere.

    Classes without a colour of their own are one entry; beyond 24 classes, those with least area are
    counted only.

    Args:
        maps: The samples that are drawn.
        colours: Of the whole batch, see `map_colours`.
        class_names: See `clear_map`.
        on_black: Whether places without a class are black, and not the image.
    """
    from matplotlib.patches import Patch

    for number in np.unique(maps.classes).tolist():  # one that dominates nowhere must have a name as well
        class_name(number, class_names)
    shown, area = np.unique(maps.dominant_class[maps.has_class], return_counts=True)
    own = np.array([number in colours for number in shown.tolist()], dtype=bool)
    largest = np.argsort(-area[own], kind="stable")[:_MOST_ENTRIES]
    listed = sorted(shown[own][largest].tolist())
    handles: Handles = {}
    for number in listed:
        name = class_name(number, class_names)
        # Two classes may have one name (ImageNet has two cranes): the number tells them apart.
        name = f"{name} ({number})" if name in handles else name
        handles[name] = Patch(facecolor=colours[number])
    if own.sum() > len(listed):
        handles[f"and {own.sum() - len(listed)} more"] = Patch(facecolor="none")
    if not own.all():
        handles[f"other classes ({(~own).sum()})"] = Patch(facecolor=OTHER)
    if not maps.has_class.all():
        ground = "black" if on_black else "none"
        handles["no class"] = Patch(facecolor=ground, edgecolor="0.6", linewidth=0.6)
    return handles


def heatmap_handles(name: str, opacity: float | None = None) -> Handles:
    """What a legend of binary heatmaps lists: both scales, from weak to strong.

    Args:
        name: Of the true class.
        opacity: Of the strongest pixel over its image; the entries are what is drawn over white. Default:
            the heatmap on black.
    """
    from matplotlib.patches import Patch

    steps = (0.3, 0.6, 0.9)
    sides: list[list[Any]]
    if opacity is None:
        green = [(step * GREEN[0], step * GREEN[1], step * GREEN[2]) for step in steps]
        sides = [[colour_map(HOT)(step) for step in steps], green]
    else:
        hot = [(*warm(np.array(step)), opacity * step) for step in steps]
        sides = [hot, [(*GREEN, opacity * step) for step in steps]]
    patches = [tuple(Patch(facecolor=colour) for colour in side) for side in sides]
    return dict(zip((f"for {name}", "for another class"), patches, strict=True))


def map_handles(name: str) -> Handles:
    """What a legend of binary maps lists."""
    from matplotlib.patches import Patch

    return {f"for {name}": Patch(facecolor=FOR), "for another class": Patch(facecolor=AGAINST)}


def legend_size(handles: Handles) -> tuple[float, float]:
    """Inches that a legend beside a map takes: its width and height."""
    columns = _columns_beside(handles)
    return max(columns * _width(handles), 1.75), 0.45 + _LINE * -(-len(handles) // columns)


def _width(handles: Handles) -> float:
    """Inches that the widest entry takes, with its patch."""
    return 0.6 + CHARACTER * max(map(len, handles), default=0)


def _columns_beside(handles: Handles) -> int:
    """No more lines than there is room for."""
    return max(1, -(-len(handles) // _MOST_LINES))


def draw_legend(axes: Axes, handles: Handles, title: str) -> Legend:
    """A legend at the right of the axes."""
    from matplotlib.legend_handler import HandlerTuple

    return axes.legend(
        list(handles.values()), list(handles), title=title, loc="upper left", bbox_to_anchor=(1.01, 1.02),
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0)}, frameon=False, fontsize=8, title_fontsize=8,
        alignment="left", ncols=_columns_beside(handles),
    )  # fmt: skip


def legend_below(figure: Figure, handles: Handles, title: str) -> Legend:
    """A legend below all axes of a figure, which becomes as much higher as the legend is."""
    columns = max(1, int(figure.get_figwidth() // _width(handles)))
    room_below(figure, 0.2 + _LINE * (1 + -(-len(handles) // columns)))
    return figure.legend(
        list(handles.values()), list(handles), title=title, loc="lower center", ncols=columns,
        frameon=False, fontsize=8, title_fontsize=8,
    )  # fmt: skip


def room_below(figure: Figure, inches: float) -> None:
    """Make a figure higher at its lower end; its axes keep their size and their distance from the top."""
    before = figure.get_figheight()
    after = before + inches
    figure.set_figheight(after)
    for axes in figure.axes:
        place = axes.get_position(original=True)
        bottom, height = (place.y0 * before + inches) / after, place.height * before / after
        axes.set_position((place.x0, bottom, place.width, height))
