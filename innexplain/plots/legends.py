"""The legend at the foot of a gallery: a colour bar for every meaning that its maps have."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from innexplain.arguments import check_choice
from innexplain.errors import UnknownNameError, nearest
from innexplain.plots.colours import colour_map

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

#: What the colours say: at the lower end (of signed maps only), at zero, and at the upper end.
MEANINGS = {
    "relevance": ("against the explained class", "zero", "for the explained class"),
    "dominance": ("against the dominant class", "zero", "for the dominant class"),
    "strength": ("no strength", "highest strength"),
    "signal": ("signal below zero", "zero", "signal above zero"),
}

_LINE = 88  # characters that fit into the narrowest figure
_MOST_LINES = 2  # of names; more of them are "all others"


def meanings_of(meaning: str | Mapping[str, str] | None, names: list[str]) -> dict[str, str]:
    """The meaning of every column of maps.

    Args:
        meaning: one for all, or by name; names that are left out have that of the analyzer of this name.
        names: of the columns.

    Raises:
        UnknownNameError: there is no such meaning, or no such column.

    >>> meanings_of({"mine": "strength"}, ["gradient", "mine", "pattern.net"])
    {'gradient': 'relevance', 'mine': 'strength', 'pattern.net': 'signal'}
    """
    from innexplain.analyzers.meanings import map_meaning  # brings TensorFlow

    given = dict.fromkeys(names, meaning) if isinstance(meaning, str) else meaning or {}
    for name, value in given.items():
        check_choice("meaning", value, MEANINGS)
        if name not in names:
            raise UnknownNameError(f"meaning: there are no maps of {name!r}.{nearest(name, names)}")
    return {name: given.get(name) or map_meaning(name) for name in names}


@dataclass(frozen=True)
class Legend:
    """One colour bar: its meaning, and the lines below it."""

    meaning: str
    lines: tuple[str, ...]

    @property
    def height(self) -> float:
        """In inches, with what is written below."""
        return 0.71 + 0.14 * len(self.lines)


def legends(meanings: Mapping[str, str], note: str) -> list[Legend]:
    """The bars that maps need, each with the names of its columns where there are several bars.

    Args:
        meanings: name of the column -> meaning.
        note: what the ends of the colours stand for, below the last bar.
    """
    kinds = [kind for kind in MEANINGS if kind in meanings.values()]
    found = []
    for kind in kinds:
        names = ", ".join(name for name, own in meanings.items() if own == kind)
        lines = textwrap.wrap(names, _LINE) if len(kinds) > 1 else []
        if kind == "relevance" and len(lines) > _MOST_LINES:
            lines = ["all other maps"]
        found.append(Legend(kind, (*lines, note) if kind == kinds[-1] else tuple(lines)))
    return found


def draw_legends(
    figure: Figure, size: tuple[float, float], cmap: str | Colormap, drawn: list[Legend]
) -> None:
    """The bars, one below the other, at the foot of a figure.

    Args:
        figure: Where to draw.
        size: Of the figure, in inches.
        cmap: The colour map of the cells.
        drawn: What `legends` gives.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    width, height = size
    length = min(4.0, width - 2.0)
    bottom = sum(legend.height for legend in drawn)
    for legend in drawn:
        at = bottom - 0.33  # the upper edge of the bar is 0.2 inches below that of the block
        axes = figure.add_axes(((width - length) / 2 / width, at / height, length / width, 0.13 / height))
        bar = figure.colorbar(
            ScalarMappable(Normalize(-1, 1), colour_map(cmap)), cax=axes, orientation="horizontal"
        )
        words = MEANINGS[legend.meaning]
        bar.set_ticks([-1.0, 0.0, 1.0][-len(words) :], labels=words)
        axes.set_xlim(-1 if len(words) == 3 else 0, 1)
        axes.tick_params(labelsize=8, length=2)
        bar.outline.set_linewidth(0.4)
        axes.set_xlabel("\n".join(legend.lines), fontsize=7.5, labelpad=3)
        bottom -= legend.height
