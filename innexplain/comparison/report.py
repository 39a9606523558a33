"""The report of a comparison: one page, its pictures and its numbers."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from innexplain import plots
from innexplain.comparison.figures import complexity_figure, curves_figure, drawable, maps_figure
from innexplain.errors import OutputPathError
from innexplain.plots.html import document, picture, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from innexplain.comparison.result import Comparison

__all__ = ["save_report", "sections"]

_READING = """<p>Every analyzer explains the same class of an image, and every evaluator meets the same noise.
<strong>AOPC</strong>: how far the score falls, on average over the steps, when the regions that a map ranks
highest are replaced first; <strong>AOPC - random</strong>: how much further than by chance. Below zero a
map is worse than none. <strong>Bytes, entropy, Gini</strong>: how simple a map is, which says nothing about
whether it is right. <strong>|gap|</strong>: how far the sum of a map is from what the method promises.
&#94; means more is better, v that less is. Numbers are mean +- standard deviation over images.</p>"""

_CAPTIONS = {
    "curves": "Mean over images, with the standard error as a band. At zero, a map is as good as chance.",
    "complexity": "A box spans the middle half of the images, its line is the median.",
    "maps": "Red speaks for the explained class, blue against it; each map has its own colour ends.",
}


def save_report(found: Comparison, folder: Path, names: Any = None, images: Any = None) -> Path:
    """See `Comparison.save`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputPathError(
            f"Cannot write to the folder {folder}: {error.strerror or error}. Choose another one."
        ) from error
    figures = _figures(found, names, images)
    files = {key: plots.save_figure(figure, folder / f"{key}.png") for key, figure in figures.items()}
    found.to_csv(folder / "table.csv")
    found.to_json(folder / "numbers.json")
    page = document("Which heatmap can be believed?", "\n".join(_body(found, files)))
    return plots.save_text(page, folder / "report.html")


def _figures(found: Comparison, names: Any, images: Any) -> dict[str, Figure]:
    figures = {}
    if found.curves():
        figures["curves"] = curves_figure(found)
    if any(e.name == "complexity" for e in found.evaluators):
        figures["complexity"] = complexity_figure(found)
    if drawable(found):
        figures["maps"] = maps_figure(found, names=names, images=images)
    return figures


def _body(found: Comparison, files: dict[str, Path]) -> list[str]:
    n = len(found.x)
    return [
        "<h1>Which heatmap can be believed?</h1>",
        f"<p>{len(found.maps)} analyzers on {n} input{'s' if n > 1 else ''}.</p>",
        *sections(found, files),
    ]


def sections(found: Comparison, files: dict[str, Path]) -> list[str]:
    """The table, the pictures in `files` and the settings, as HTML."""
    parts = [table("Mean over images", *found.cells()), _READING]
    for key, path in files.items():
        parts.append(picture(path.read_bytes(), _alternative(key, found), _CAPTIONS[key]))
    settings = "".join(f"<li><code>{escape(repr(e))}</code></li>" for e in found.evaluators)
    parts.append(f"<h2>Settings</h2>\n<ul>{settings}</ul>")
    if found.refusals:
        items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in found.refusals.items())
        parts.append(f"<h2>Analyzers that refused this model</h2>\n<dl>{items}</dl>")
    return parts


def _alternative(key: str, found: Comparison) -> str:
    methods = ", ".join(found.maps)
    what = {
        "curves": "AOPC minus that of the random order over the number of regions replaced",
        "complexity": "Box plots of the complexity of the maps",
        "maps": "Images down, maps across",
    }[key]
    return f"{what}, for {methods}. The numbers are in the table."
