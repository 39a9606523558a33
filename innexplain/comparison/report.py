"""The report of a comparison: one page, its pictures and its numbers."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from innexplain import plots
from innexplain.comparison.figures import figures_of
from innexplain.folders import make_folder
from innexplain.plots.html import document, picture, table

if TYPE_CHECKING:
    from innexplain.comparison.result import Comparison

_TITLE = "Which heatmap can be believed?"

_READING = (
    "Every analyzer explains the same class of an image, and every map meets the same noise. Numbers are "
    "mean +- standard deviation over images; ^: more is better, v: less is."
)

_CAPTIONS = {
    "curves": "Mean over images, with the standard error as a band. At zero, a map is as good as chance.",
    "complexity": "A box spans the middle half of the images, its line is the median.",
    "maps": "The bars below the maps say what colours mean; each map has its own colour ends.",
}


def save_report(found: Comparison, folder: Path, names: Any = None, images: Any = None) -> Path:
    """See `Comparison.save`."""
    make_folder(folder)
    figures = figures_of(found, names, images)
    files = {key: plots.save_figure(figure, folder / f"{key}.png") for key, figure in figures.items()}
    found.to_csv(folder / "table.csv")
    found.to_json(folder / "numbers.json")
    page = document(_TITLE, "\n".join(_body(found, files)))
    return plots.save_text(page, folder / "report.html")


def _body(found: Comparison, files: dict[str, Path]) -> list[str]:
    return [
        f"<h1>{_TITLE}</h1>",
        f"<p>{_count(len(found.maps), 'method')} on {_count(len(found.x), 'input')}.</p>",
        *sections(found, files),
    ]


def sections(found: Comparison, files: dict[str, Path]) -> list[str]:
    """The table, the pictures in `files` and the settings, as HTML."""
    parts = [table("Mean over images", *found.cells()), f"<p>{escape(_READING)}</p>"]
    readings = "".join(f"<li>{escape(e.reading)}</li>" for e in found.evaluators if e.reading)
    parts += [f"<ul>{readings}</ul>"] if readings else []
    for key, path in files.items():
        parts.append(picture(path.read_bytes(), _alternative(key, found), _CAPTIONS[key]))
    settings = "".join(f"<li><code>{escape(repr(e))}</code></li>" for e in found.evaluators)
    parts.append(f"<h2>Settings</h2>\n<ul>{settings}<li>seed {found.seed}</li></ul>")
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


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
