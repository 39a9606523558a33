"""What `innexplain explain` writes and says about one image; files to read are never written over."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from innexplain import plots
from innexplain.errors import OutputPathError
from innexplain.plots.arrays import sum_channels
from innexplain.plots.cells import short_number

__all__ = ["Explained", "check_outputs", "describe", "output_paths", "write_outputs"]

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
    """

    attribution: np.ndarray
    outputs: np.ndarray
    neuron: int
    score: float


def output_paths(folder: Path, stem: str) -> tuple[Path, Path, Path]:
    """Heatmap, overlay and raw array of one image.

    >>> [path.name for path in output_paths(Path("maps"), "cat")]
    ['cat.heatmap.png', 'cat.overlay.png', 'cat.npy']
    """
    return (
        folder / f"{stem}.heatmap.png",
        folder / f"{stem}.overlay.png",
        folder / f"{stem}.npy",
    )


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
    folder: Path, stem: str, pixels: np.ndarray, result: Explained, channel_axis: int
) -> tuple[Path, Path, Path]:
    """Write the three files of one image.

    Args:
        folder: An existing folder.
        stem: Start of their names.
        pixels: The image as the model's input asks for it, before preprocessing.
        result: What was found.
        channel_axis: -1 or 0, of one image.

    Returns:
        Their paths: heatmap, overlay, array.
    """
    heatmap, over, raw = output_paths(folder, stem)
    flat = sum_channels(result.attribution, 2, channel_axis)
    scale = plots.symmetric_scale(flat, _PERCENTILE)
    shown = plots.display_image(pixels, channel_axis=channel_axis)
    plots.save_image(plots.heatmap_image(flat, scale=scale, min_side=_MIN_SIDE), heatmap)
    plots.save_image(plots.overlay(shown, flat, scale=scale, min_side=_MIN_SIDE), over)
    plots.save_array(result.attribution, raw)
    return heatmap, over, raw


def describe(image: str, result: Explained, paths: Sequence[Path], names: tuple[str, ...] = ()) -> str:
    """The lines on one image: what was predicted, what was explained, where the files are."""
    explained = f"{_class(result.neuron, names)}, score {short_number(result.score)}"
    return "\n".join(
        [
            image,
            f"  predicted  {_prediction(result.outputs, names)}",
            f"  explained  {explained}",
            f"  files      {', '.join(str(path) for path in paths)}",
        ]
    )


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
