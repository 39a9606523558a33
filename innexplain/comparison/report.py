"""The report of a comparison: a page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from innexplain.comparison.evaluator import Evaluator, Picture
from innexplain.plots.html import document, picture, table

_TITLE = "Which heatmap can be believed?"

_READING = (
    "Every analyzer explains the same class of an image, and every map meets the same noise. Numbers are "
    "mean +- standard deviation over images; ^: more is better, v: less is."
)


@dataclass(frozen=True)
class Report:
    """What is told beside the pictures.

    Args:
        inputs: how many were explained.
        methods: labels of those that have maps.
        cells: header and rows of the table.
        evaluators: what was run.
        seed: of the evaluators' noise.
        refusals: why methods have no maps.
    """

    inputs: int
    methods: tuple[str, ...]
    cells: tuple[list[str], list[list[str]]]
    evaluators: tuple[Evaluator, ...]
    seed: int
    refusals: dict[str, str]

    def page(self, pictures: Iterable[tuple[Picture, bytes]]) -> str:
        """The whole page, with pictures and their PNG files."""
        body = [
            f"<h1>{_TITLE}</h1>",
            f"<p>{_count(len(self.methods), 'method')} on {_count(self.inputs, 'input')}.</p>",
            *self.sections(pictures),
        ]
        return document(_TITLE, "\n".join(body))

    def sections(self, pictures: Iterable[tuple[Picture, bytes]]) -> list[str]:
        """The table, pictures and the settings, as HTML."""
        parts = [table("Mean over images", *self.cells), f"<p>{escape(_READING)}</p>"]
        readings = "".join(f"<li>{escape(e.reading)}</li>" for e in self.evaluators if e.reading)
        parts += [f"<ul>{readings}</ul>"] if readings else []
        for shown, png in pictures:
            alternative = f"{shown.shows}, for {', '.join(self.methods)}. The numbers are in the table."
            parts.append(picture(png, alternative, shown.caption))
        settings = "".join(f"<li><code>{escape(repr(e))}</code></li>" for e in self.evaluators)
        parts.append(f"<h2>Settings</h2>\n<ul>{settings}<li>seed {self.seed}</li></ul>")
        if self.refusals:
            items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in self.refusals.items())
            parts.append(f"<h2>Analyzers that refused this model</h2>\n<dl>{items}</dl>")
        return parts


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
