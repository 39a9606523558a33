"""The page of the demo: one file that needs nothing else, not even a network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from innexplain.cli.demo_runs import HEADER, Case, Run
from innexplain.plots.html import document, picture, table

_BODY = """<h1>Why this digit?</h1>
<p>An all-convolutional network learned handwritten digits of 8 by 8 pixels. It is right on
<strong>{accuracy:.1%}</strong> of the digits that it has never seen. Each row below is one of
them, each column one way to ask what the decision rests on: <span class="for">red</span> pixels
speak for the class that the network names, <span class="against">blue</span> ones against it,
white ones do not matter. Not all methods tell for and against: the bars at the foot of the
picture say which show strength alone, and which a signal. {mistakes}</p>
{gallery}
{digits}
{timings}
<p>The completeness gap is the largest difference between the explained score and what the map
should sum to; a dash stands for methods that promise no sum. The first call compiles, and fits what
has to be fitted.</p>
{figures}
{comparison}
{refusals}"""


def page(
    gallery: bytes,
    accuracy: float,
    cases: Sequence[Case],
    runs: Sequence[Run],
    comparison: str = "",
    figures: Sequence[tuple[str, bytes, str]] = (),
) -> str:
    """The whole page.

    Args:
        gallery: The PNG file, put into the page itself.
        accuracy: On the digits held out, in [0, 1].
        cases: The rows of the gallery.
        runs: What each analyzer did.
        comparison: What evaluators say, as HTML.
        figures: Further pictures: the text above, the PNG file, and what it shows.
    """
    body = _BODY.format(
        accuracy=accuracy,
        mistakes=_mistakes(cases),
        gallery=picture(
            gallery, _alternative(cases, runs), "Each map has its own colour ends, written below it."
        ),
        digits=table("The digits explained", *_digits(cases)),
        timings=table("The analyzers", HEADER, [run.cells for run in runs]),
        figures="\n".join(f"{text}\n{picture(png, shown)}" for text, png, shown in figures),
        comparison=comparison,
        refusals=_refusals(runs),
    )
    return document("innexplain demo: why this digit?", body)


def comparison_text(steps: int) -> str:
    """What stands above the comparison: what is replaced, and why not everything.

    Args:
        steps: How many pixels are replaced.
    """
    return (
        "<h2>Which map can be believed?</h2>\n"
        f"<p>In each digit, the {steps} pixels, of 64, that a map ranks highest are replaced by noise, one "
        "after the other: with a good map, the score falls fast. Why not all of them? Then every order would "
        "end with the same picture, and maps would differ less.</p>"
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


def _refusals(runs: Sequence[Run]) -> str:
    refused = [run for run in runs if run.refusal is not None]
    if not refused:
        return ""
    items = "\n".join(f"<dt>{escape(run.name)}</dt><dd>{escape(run.refusal or '')}</dd>" for run in refused)
    return f"<h2>Analyzers that refused this network</h2>\n<dl>\n{items}\n</dl>"
