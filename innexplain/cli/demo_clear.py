"""Which class each place of a digit speaks for, where the network of the demo is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from innexplain import plots
from innexplain.cli.demo_runs import Case

CLEAR_TEXT = """<h2>Which class does each place speak for?</h2>
<p>The last convolution of this network has one map a class. CLEAR projects each of them down to the
pixels, and shows the class whose response is largest there: its colour is the class, its brightness the
response. The heatmap shows the true class hot and the strongest of the others green; the binary map says
the same in red (for) and blue (against). Where the digit was read wrongly, look for the colour of the
class that the network took it for.</p>"""


def clear_cases(cases: Sequence[Case]) -> list[Case]:
    """The digits that the network reads wrongly; all of them if there is none."""
    return [case for case in cases if not case.right] or list(cases)


def clear_figure(model: Any, cases: Sequence[Case]) -> Any:
    """Input, heatmap, binary map and CLEAR map of each digit: figures 3 and 4 of Kumar et al. 2017.

    Args:
        model: The trained network.
        cases: The digits that were explained, from which those are taken that the network reads wrongly.
    """
    import innexplain

    shown = clear_cases(cases)
    x = np.stack([case.image for case in shown])
    analyzer: Any = innexplain.create_analyzer("clear", model)
    maps = analyzer.maps(x)
    return plots.clear_rows(
        maps,
        x,
        [case.true for case in shown],
        class_names=[str(digit) for digit in range(10)],
        labels=[case.label for case in shown],
    )


def clear_alternative(cases: Sequence[Case]) -> str:
    """What the figure shows, for those who cannot see it."""
    rows = "; ".join(f"a {c.true} taken for a {c.predicted}" for c in clear_cases(cases))
    return (
        f"Digits, one a row ({rows}): the digit, its heatmap for and against the true class, the same in two "
        "colours, and the class that dominates at each pixel."
    )
