"""What CLEAR's pictures ask of their arguments: maps of images or signals, true classes, a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.errors import InputError
from innexplain.plots.arrays import finite_array

if TYPE_CHECKING:
    from innexplain.analyzers import ClearMaps

__all__ = ["check_maps", "one_sample", "true_classes"]


def check_maps(maps: ClearMaps) -> None:
    """Whether they are finite class maps of images or of signals.

    Raises:
        InputError: If they are not.
    """
    if not hasattr(maps, "dominant_class"):
        raise InputError(
            "maps: expected ClearMaps, as `create_analyzer('clear', model).maps(x)` returns them or "
            f"`ClearMaps.of(response, classes)` makes them, received {type(maps).__name__}."
        )
    response = finite_array(maps.response, "maps.response")
    if response.ndim not in (3, 4):
        raise InputError(
            "maps.response: expected (n, height, width, classes) or (n, steps, classes), received shape "
            f"{response.shape}. Slice volumes and videos first, for instance the slice z of the first "
            "axis: `ClearMaps.of(maps.response[:, z], maps.classes)`."
        )


def one_sample(maps: ClearMaps, sample: int) -> ClearMaps:
    """The maps of one sample, as a batch of one.

    Raises:
        InputError: If there is no such sample.

    >>> from innexplain import ClearMaps
    >>> one_sample(ClearMaps.of(np.zeros((2, 5, 2)), np.array([[7, 9], [1, 7]])), 1).classes
    array([[1, 7]])
    """
    count = len(maps.classes)
    if isinstance(sample, bool) or not isinstance(sample, (int, np.integer)) or not 0 <= sample < count:
        raise InputError(f"sample: expected a number from 0 to {count - 1}, received {sample!r}.")
    response, dominant_class, dominant_response, classes = (a[sample : sample + 1] for a in maps)
    return type(maps)(response, dominant_class, dominant_response, classes)


def true_classes(maps: ClearMaps, true_class: Any) -> np.ndarray:
    """The true class of each sample, (n,), all of them among the classes looked at.

    Args:
        maps: of n samples.
        true_class: n class numbers, or one for all.

    Raises:
        InputError: If they are no class numbers, not n, or not among the classes.

    >>> from innexplain import ClearMaps
    >>> true_classes(ClearMaps.of(np.zeros((2, 5, 2)), np.array([[7, 9], [1, 7]])), 7)
    array([7, 7])
    """
    given, count = np.asarray(true_class), len(maps.classes)
    if given.dtype.kind not in "iu" or given.shape not in ((), (count,)):
        raise InputError(
            f"true_class: expected one class number, or {count}, one a sample; received {true_class!r}."
        )
    numbers = np.broadcast_to(given, (count,)).astype(np.int64)
    for sample, (number, known) in enumerate(zip(numbers, maps.classes, strict=True)):
        if number not in known:
            raise InputError(
                f"true_class: expected for sample {sample} one of its classes {known.tolist()}, received "
                f"{number}. Create the analyzer with classes=..., the true classes among them."
            )
    return numbers
