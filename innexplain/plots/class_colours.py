"""A colour for every class, the same wherever the class is drawn, and the names of classes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from colorsys import hsv_to_rgb
from typing import Any

import numpy as np

from innexplain.arguments import check_choice
from innexplain.errors import ArgumentError, InputError

ClassColours = dict[int, tuple[float, float, float]]

# Okabe and Ito's seven colours and five that were searched for beside them, all bright enough to be seen
# on black.  The order puts next what differs most from those before it, for normal, red-blind and
# green-blind eyes: the distance in CIELAB is at least 25 between any two of the first ten, 17 of all.
DISTINCT = (
    "#56B4E9", "#F0E442", "#5533FF", "#BB2233", "#77FFBB", "#D55E00",
    "#6677FF", "#009E73", "#AAFF88", "#0072B2", "#CC79A7", "#E69F00",
)  # fmt: skip
OTHER = (0.8, 0.8, 0.8)  # classes that have no colour of their own; no colour of the palette is near it
_PALETTES = ("distinct", "hue")
_LONGEST = 34  # characters of a name; some are lists of synonyms


def class_colours(classes: Any, palette: str | Mapping[int, Any] = "distinct") -> ClassColours:
    """The colour of each class, `F(c)` of equation 6, at full strength.

    `"distinct"` gives the classes, sorted, the colours of a fixed list that colour-blind readers can tell
    apart. `"hue"` spaces hues evenly, `H = position / number`, `S = V = 1`: for any number of classes, but
    neighbours soon look alike, and red and green do to many. Weaker responses are drawn darker, whatever
    the palette.

    Args:
        classes: Class numbers, any shape; each counts once.
        palette: `"distinct"` (default, at most 12 classes), `"hue"`, or `{class: colour}` with colours as
            matplotlib takes them, for instance what this function returned for other images. Classes that
            the mapping lacks are left out; pictures draw them in light grey as "other classes".

    Returns:
        A dict from classes to (red, green, blue), sorted by class, each colour in [0, 1].

    Raises:
        ArgumentError: More than 12 classes for `"distinct"`, an unknown palette, or no colour.
        InputError: Classes that are no whole numbers.

    Reference: Kumar et al. 2017 (CLEAR), equation 6; Okabe and Ito 2008, Color Universal Design.

    >>> from innexplain.plots import class_colours
    >>> class_colours([9, 3, 3], palette="hue")
    {3: (1.0, 0.0, 0.0), 9: (0.0, 1.0, 1.0)}
    >>> {number: [round(part, 2) for part in colour] for number, colour in class_colours([9, 3]).items()}
    {3: [0.34, 0.71, 0.91], 9: [0.94, 0.89, 0.26]}
    """
    numbers = _numbers(classes)
    if isinstance(palette, Mapping):
        return {number: _rgb(palette[number]) for number in numbers if number in palette}
    if check_choice("palette", palette, _PALETTES) == "hue":
        return {number: hsv_to_rgb(i / len(numbers), 1.0, 1.0) for i, number in enumerate(numbers)}
    if len(numbers) > len(DISTINCT):
        raise ArgumentError(
            f"palette: 'distinct' has {len(DISTINCT)} colours, received {len(numbers)} classes. Use "
            "palette='hue', which has as many as needed but less easily told apart, or a dict "
            "{class: colour} of the classes of interest."
        )
    return {number: _rgb(DISTINCT[i]) for i, number in enumerate(numbers)}


def _numbers(classes: Any) -> list[int]:
    array = np.asarray(classes)
    if array.size == 0 or array.dtype.kind not in "iu":
        raise InputError(
            f"classes: expected class numbers, received shape {array.shape} of dtype {array.dtype}."
        )
    return [int(number) for number in np.unique(array)]


def _rgb(colour: Any) -> tuple[float, float, float]:
    from matplotlib.colors import is_color_like, to_rgb

    if not is_color_like(colour):
        raise ArgumentError(
            "palette: expected colours as matplotlib takes them, such as 'tab:red', '#D55E00' or "
            f"(0.8, 0.4, 0.0), received {colour!r}."
        )
    red, green, blue = to_rgb(colour)
    return float(red), float(green), float(blue)


def paint(classes: np.ndarray, colours: ClassColours) -> np.ndarray:
    """The colour of the class at each place; grey where the class has none of its own.

    Args:
        classes: Class numbers, any shape.
        colours: What `class_colours` returned.

    Returns:
        float64 in [0, 1], the shape of `classes` and a last axis of 3.

    >>> paint(np.array([3, 4]), {3: (1.0, 0.0, 0.0)}).tolist()
    [[1.0, 0.0, 0.0], [0.8, 0.8, 0.8]]
    """
    numbers, place = np.unique(classes, return_inverse=True)
    table = np.array([colours.get(int(number), OTHER) for number in numbers], dtype=np.float64)
    return table[place.reshape(classes.shape)]


def class_name(number: int, class_names: Sequence[str] | Mapping[int, str] | None = None) -> str:
    """What a class is called in a picture, shortened where it is very long.

    Args:
        number: Of the class.
        class_names: A name for each class number, or `{number: name}`, in which some may lack.

    Raises:
        InputError: If it is neither a sequence nor a dict, or has no name for that number.

    >>> class_name(7), class_name(1, ["cat", "dog"]), class_name(7, {7: "horse"})
    ('class 7', 'dog', 'horse')
    """
    if class_names is None:
        return f"class {number}"
    if isinstance(class_names, Mapping):
        return _short(str(class_names.get(number, f"class {number}")))
    if not _is_list(class_names) or not 0 <= number < len(class_names):
        length = f"of length {len(class_names)}" if _is_list(class_names) else f"{class_names!r:.40}"
        raise InputError(
            f"class_names: expected a name for each class number, among them {number}, or a dict "
            f"{{number: name}}; received {type(class_names).__name__} {length}."
        )
    return _short(str(class_names[number]))


def _is_list(class_names: Any) -> bool:
    """Whether names can be looked up by number; the letters of one text are no names."""
    if isinstance(class_names, np.ndarray):
        return class_names.ndim == 1
    has_places = hasattr(class_names, "__getitem__") and hasattr(class_names, "__len__")
    return has_places and not isinstance(class_names, (str, bytes))


def _short(name: str) -> str:
    # Cut behind a whole synonym where that is possible, else behind a word.
    return (
        name if len(name) <= _LONGEST else textwrap.shorten(name, _LONGEST, placeholder="…").replace(",…", "")
    )
