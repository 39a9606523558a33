"""The page of the demo: one file that needs nothing else, not even a network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from innexplain.cli.demo_runs import HEADER, Case, Run

__all__ = ["page"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; height: auto; }
figure { margin: 1rem 0; overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #888; }
tbody th { font-weight: normal; font-family: ui-monospace, monospace; }
.for { color: #b2182b; font-weight: 600; } .against { color: #2166ac; font-weight: 600; }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>innexplain demo: why this digit?</title>
<style>{style}</style>
</head>
<body>
<h1>Why this digit?</h1>
<p>An all-convolutional network learned handwritten digits of 8 by 8 pixels. It is right on
<strong>{accuracy:.1%}</strong> of the digits that it has never seen. Each row below is one of
them, each column one way to ask what the decision rests on: <span class="for">red</span> pixels
speak for the class that the network names, <span class="against">blue</span> ones against it,
white ones do not matter. {mistakes}</p>
<figure>
<img src="data:image/png;base64,{picture}" alt="{alt}">
<figcaption>Each map has its own colour ends, written below it.</figcaption>
</figure>
{digits}
{timings}
<p>The completeness gap is the largest difference between the explained score and what the map
should sum to; a dash stands for methods that promise no sum. The first call compiles.</p>
{refusals}
</body>
</html>
"""


def page(gallery: bytes, accuracy: float, cases: Sequence[Case], runs: Sequence[Run]) -> str:
    """The whole page.

    Args:
        gallery: The PNG file, put into the page itself.
        accuracy: On the digits held out, in [0, 1].
        cases: The rows of the gallery.
        runs: What each analyzer did.
    """
    return _PAGE.format(
        style=_STYLE,
        accuracy=accuracy,
        mistakes=_mistakes(cases),
        picture=base64.b64encode(gallery).decode("ascii"),
        alt=escape(_alternative(cases, runs)),
        digits=_table("The digits explained", *_digits(cases)),
        timings=_table("The analyzers", HEADER, [run.cells for run in runs]),
        refusals=_refusals(runs),
    )


def _mistakes(cases: Sequence[Case]) -> str:
    wrong = sum(not case.right for case in cases)
    if not wrong:
        return "It made no mistake, so that there is none to explain."
    return f"The last {'row is a mistake' if wrong == 1 else f'{wrong} rows are mistakes'} of it."


def _alternative(cases: Sequence[Case], runs: Sequence[Run]) -> str:
    names = [run.name for run in runs if run.maps is not None]
    rows = "; ".join(
        f"a {case.true} taken for a {case.predicted}" if not case.right else f"a {case.true} recognised"
        for case in cases
    )
    return (
        f"Gallery of {len(cases)} digits, one a row ({rows}), with their heatmaps by "
        f"{len(names)} analyzers, one a column: {', '.join(names)}."
    )


def _digits(cases: Sequence[Case]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]]
    header = ("file", "it is", "network says", "probability")
    rows = [(c.file_name, str(c.true), str(c.predicted), f"{c.probability:.3f}") for c in cases]
    return header, rows


def _table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in header)
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in others)
        + "</tr>"
        for first, *others in rows
    )
    return (
        f"<table>\n<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _refusals(runs: Sequence[Run]) -> str:
    refused = [run for run in runs if run.refusal is not None]
    if not refused:
        return ""
    items = "\n".join(f"<dt>{escape(run.name)}</dt><dd>{escape(run.refusal or '')}</dd>" for run in refused)
    return f"<h2>Analyzers that refused this network</h2>\n<dl>\n{items}\n</dl>"
