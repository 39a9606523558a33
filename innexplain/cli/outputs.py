"""What `innexplain explain` writes and says about one image; files to read are never written over."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from innexplain import plots
from innexplain.errors import OutputPathError
from innexplain.files import write_arrays
from innexplain.plots.arrays import sum_channels
from innexplain.plots.cells import short_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from innexplain import ClearMaps

#: The analyzer that has a map a class.
CLEAR = "clear"
# Beyond this percentile of |R| colours are clipped: a few pixels would bleach all others.
_PERCENTILE = 99.5
# Pictures of small inputs are enlarged by a whole factor, so that they can be looked at.
_MIN_SIDE = 224


@dataclass(frozen=True)
class Explained:
    """The result for one image.

    Args:
        attribution: The map, as the analyzer gave it.
        outputs: The model's outputs, (units,).
        neuron: The explained unit, or class of a single sigmoid unit.
        score: The explained score.
        classes: The map of each class, a batch of one; `None` if the analyzer has none.
    """

    attribution: np.ndarray
    outputs: np.ndarray
    neuron: int
    score: float
    classes: ClearMaps | None = None


def output_paths(folder: Path, stem: str, with_classes: bool = False) -> tuple[Path, ...]:
    """Heatmap, overlay and raw array of one image; picture and array of its class maps.

    >>> [path.name for path in output_paths(Path("maps"), "cat")]
    ['cat.heatmap.png', 'cat.overlay.png', 'cat.npy']
    """
    endings = ("heatmap.png", "overlay.png", "npy", *(("clear.png", "clear.npz") if with_classes else ()))
    return tuple(folder / f"{stem}.{ending}" for ending in endings)


def check_outputs(written: Iterable[Path], inputs: Sequence[str]) -> None:
    """Refuse to overwrite the model or an image that is still to be read.

    Raises:
        OutputPathError: It names the file.
    """
    protected = {Path(path).resolve() for path in inputs}
    for path in written:
        if path.resolve() in protected:
            raise OutputPathError(
                f"Cannot write {path}: it is one of the files to read. Choose another folder with --output."
            )


def write_outputs(
    folder: Path,
    stem: str,
    pixels: np.ndarray,
    result: Explained,
    channel_axis: int,
    names: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Write the files of one image.

    Args:
        folder: An existing folder.
        stem: Start of their names.
        pixels: The image as the model's input asks for it, before preprocessing.
        result: What was found.
        channel_axis: -1 or 0, of one image.
        names: Of the classes, for legends.

    Returns:
        Their paths, as `output_paths`.
    """
    paths = output_paths(folder, stem, result.classes is not None)
    heatmap, over, raw = paths[:3]
    flat = sum_channels(result.attribution, 2, channel_axis)
    scale = plots.symmetric_scale(flat, _PERCENTILE)
    shown = plots.display_image(pixels, channel_axis=channel_axis)
    plots.save_image(plots.heatmap_image(flat, scale=scale, min_side=_MIN_SIDE), heatmap)
    plots.save_image(plots.overlay(shown, flat, scale=scale, min_side=_MIN_SIDE), over)
    plots.save_array(result.attribution, raw)
    if result.classes is not None:
        axes = plots.clear_map(result.classes, shown, class_names=_called(result.classes, names))
        plots.save_figure(cast("Figure", axes.figure), paths[3])
        first = {"response": result.classes.response[0], "classes": result.classes.classes[0]}
        write_arrays(paths[4], first)
    return paths


def _called(maps: ClearMaps, names: Sequence[str]) -> dict[int, str]:
    """The classes of an image, by what a legend calls them."""
    numbers = maps.classes[0].tolist()
    return {n: f"{n} {names[n]}" if n < len(names) else f"class {n}" for n in numbers}


def describe(image: str, result: Explained, paths: Sequence[Path], names: tuple[str, ...] = ()) -> str:
    """The lines on one image: what was predicted, what was explained, where the files are."""
    explained = f"{_class(result.neuron, names)}, score {short_number(result.score)}"
    return "\n".join(
        [
            image,
            f"  predicted  {_prediction(result.outputs, names)}",
            f"  explained  {explained}",
            *([] if result.classes is None else [f"  dominant   {_dominant(result.classes, names)}"]),
            f"  files      {', '.join(str(path) for path in paths)}",
        ]
    )


def _dominant(maps: ClearMaps, names: tuple[str, ...], most: int = 3) -> str:
    """The classes that dominate at most places, and those that were compared."""
    found = maps.dominant_class[maps.has_class]
    shares = sorted(((np.mean(found == c), int(c)) for c in np.unique(found)), reverse=True)
    told = ", ".join(f"{_class(c, names)} {share:.0%}" for share, c in shares[:most])
    compared = ", ".join(str(c) for c in maps.classes[0].tolist())
    return f"{told or 'no class'} of the places with a class; compared, in this order: {compared}"


def _prediction(outputs: np.ndarray, names: tuple[str, ...]) -> str:
    if len(outputs) > 1:
        best = int(np.argmax(outputs))
        return f"{_class(best, names)}, output {outputs[best]:.4g}"
    value = float(outputs[0])
    if len(names) == 2 and 0 <= value <= 1:
        return f"{_class(int(value > 0.5), names)}, output {value:.4g}"
    return f"output {value:.4g}"


def _class(number: int, names: tuple[str, ...]) -> str:
    if number < 0:
        return "the whole output"
    if number >= len(names):
        return f"class {number}"
    return f"class {number} ({textwrap.shorten(names[number], 50, placeholder=' ...')})"
