"""CLEAR's strengths on one scale, and which classes of a batch have a colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.plots.class_colours import DISTINCT, ClassColours, class_colours
from innexplain.plots.colours import check_scale, symmetric_scale

if TYPE_CHECKING:
    from innexplain.class_maps import ClearMaps


def map_colours(
    maps: ClearMaps, palette: str | Mapping[int, Any] = "distinct", first: np.ndarray | None = None
) -> ClassColours:
    """The colours of all classes of a batch; of some if there are too many.

    Args:
        maps: Of the batch.
        palette: See `class_colours`.
        first: Classes that have a colour in any case. After them come those that dominate most: every
            sample counts the same, its strengths add up to 1.

    >>> from innexplain import ClearMaps
    >>> maps = ClearMaps.of(np.eye(20)[None], np.arange(20)[None])
    >>> len(map_colours(maps)), len(map_colours(maps, "hue"))
    (12, 20)
    """
    numbers = np.unique(maps.classes)
    if _too_many(numbers, palette):
        strength = np.stack([one / (one.sum() or 1.0) for one in map(unit, dominance(maps))])
        share = np.array([strength[maps.dominant_class == number].sum() for number in numbers])
        share[np.isin(numbers, [] if first is None else first)] = np.inf
        numbers = numbers[np.argsort(share, kind="stable")[-len(DISTINCT) :]]
    return class_colours(numbers, palette)


def sample_colours(
    maps: ClearMaps, one: ClearMaps, palette: str | Mapping[int, Any] = "distinct"
) -> ClassColours:
    """The colours of the batch; those of one sample's own classes if the batch has too many classes.

    With the classes of largest score of each sample, a few samples have more classes than there are colours,
    and most of the classes that a picture of one of them shows would be grey.

    >>> from innexplain import ClearMaps
    >>> maps = ClearMaps.of(np.ones((2, 5, 10)), np.arange(20).reshape(2, 10))
    >>> one = ClearMaps.of(maps.response[1:], maps.classes[1:])
    >>> list(sample_colours(maps, one))
    [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    """
    return map_colours(one if _too_many(np.unique(maps.classes), palette) else maps, palette)


def _too_many(numbers: np.ndarray, palette: str | Mapping[int, Any]) -> bool:
    return isinstance(palette, str) and palette == "distinct" and len(numbers) > len(DISTINCT)


def dominance(maps: ClearMaps) -> np.ndarray:
    """The dominant response where one class has it, zero elsewhere, (n, *spatial)."""
    return np.where(maps.has_class, maps.dominant_response, 0.0).astype(np.float64)


def unit(strength: np.ndarray, scale: float | None = None, percentile: float = 100.0) -> np.ndarray:
    """One sample's non-negative strengths in [0, 1]."""
    limit = joint_scale(strength, percentile) if scale is None else check_scale(scale, strength)
    return np.asarray(np.clip(strength / limit, 0.0, 1.0))


def joint_scale(response: np.ndarray, percentile: float = 100.0) -> float:
    """A percentile of `|R|` where there is a response: maps of a few strokes are mostly zero.

    >>> joint_scale(np.array([0.0, 0.0, 0.0, -2.0, 4.0]), 50)
    3.0
    """
    there = response[response != 0]
    return symmetric_scale(there if there.size else np.zeros(1), percentile)
