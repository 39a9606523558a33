"""What CLEAR's pictures ask of their arguments: maps of images or signals, inputs that fit, true classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain.errors import ArgumentError, InputError
from innexplain.plots.arrays import finite_array, sum_channels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from innexplain.class_maps import ClearMaps


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


def check_fits(maps: ClearMaps, value: Any, channel_axis: int | None = -1, what: str = "image") -> None:
    """Whether one input has the height and width, or the steps, of its map.

    Args:
        maps: Of images or signals.
        value: One sample, with or without channels.
        channel_axis: -1, 0 or `None`, of the sample.
        what: How messages call it.

    Raises:
        InputError: If it is a whole batch, or of another size.
        ArgumentError: If `channel_axis` is neither -1 nor 0 nor `None`.

    >>> from innexplain import ClearMaps
    >>> check_fits(ClearMaps.of(np.zeros((2, 5, 2)), np.array([[7, 9], [1, 7]])), np.zeros((5, 3)))
    """
    array, size = finite_array(value, what), maps.response.shape[1:-1]
    axes = {1: ("steps", "steps"), 2: ("height, width", "height and width")}[len(size)]
    if array.ndim not in (len(size), len(size) + 1):
        raise InputError(
            f"{what}: expected one sample, ({axes[0]}) or ({axes[0]}, channels), received shape "
            f"{array.shape}. Of a batch x draw one with `image=x[sample], sample=sample`, or all with "
            "`clear_rows(maps, x, true_class)`."
        )
    received = sum_channels(array, len(size), channel_axis, what).shape
    if received != size:
        raise InputError(
            f"{what}: expected the {axes[1]} of the maps {size}, received {received} from an array of shape "
            f"{array.shape}. Do inputs and maps belong together, is channel_axis right, and is it one "
            "sample? Give what was analyzed, at the same size."
        )


def check_axes(axes: Any) -> Axes:
    """The matplotlib axes, if they are some.

    Raises:
        ArgumentError: If they are something else, for instance an array of axes.
    """
    from matplotlib.axes import Axes

    if not isinstance(axes, Axes):
        raise ArgumentError(
            "axes: expected one matplotlib Axes, for instance `Figure().add_subplot()` or one of what "
            f"`plt.subplots` returns, received {type(axes).__name__}. Leave it out for a new figure."
        )
    return axes


def check_texts(labels: Any) -> list[str]:
    """One text a row, if they are several and not the letters of one.

    Raises:
        InputError: If they are one text, or none.

    >>> check_texts(("one", 2))
    ['one', '2']
    """
    if isinstance(labels, (str, bytes, Mapping)) or not isinstance(labels, Iterable):
        raise InputError(
            f"labels: expected a list with one text a sample, received {type(labels).__name__}: {labels!r}."
        )
    return [str(label) for label in labels]


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
