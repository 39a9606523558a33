"""What the network of the demo sees as signal: patterns fitted on its training images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from innexplain import plots
from innexplain.cli.demo_runs import Case
from innexplain.console import write

_MOST_ROWS = 4
_METHODS = {"pattern.net": "signal", "pattern.attribution": "attribution"}

PATTERN_TEXT = """<h2>Signal and attribution</h2>
<p>A filter has to cancel what disturbs it, and so does not look like what it finds. A <em>pattern</em>
does: it is fitted from the training images, as the direction in which a neuron's input varies together
with its output. The upper block shows the signal in the digit as PatternNet estimates it, the lower one
how much each part of it contributes, by PatternAttribution. The estimators differ in what they take for
the signal: S_x all of the input, S_w the direction of the filter, S_a one fitted direction a neuron,
S_a+- one for outputs above zero and one for the others.</p>"""


def pattern_figure(model: Any, training: np.ndarray, cases: Sequence[Case]) -> Any:
    """Four estimators across, signal above attribution: figure 6 of Kindermans et al. 2018.

    Args:
        model: The trained network.
        training: What patterns are fitted on, (n, 8, 8, 1).
        cases: The digits; the first four are drawn.
    """
    import innexplain
    from innexplain.analyzers.meanings import map_meaning
    from innexplain.patterns import ESTIMATORS, PATTERN_TYPES, PatternComputer

    write(f"\nFitting patterns on {len(training)} digits")
    patterns = PatternComputer(model, PATTERN_TYPES).fit(training, progress=False)
    shown = list(cases[:_MOST_ROWS])
    x = np.stack([case.image for case in shown])
    maps, meaning = {}, {}
    for method, word in _METHODS.items():
        for estimator in ESTIMATORS:
            analyzer = innexplain.create_analyzer(method, model, patterns=patterns, estimator=estimator)
            maps[f"{word} {estimator}"] = analyzer.analyze(x)
            meaning[f"{word} {estimator}"] = map_meaning(method)
    labels = [case.label for case in shown]
    return plots.gallery(x, maps, labels, columns=len(ESTIMATORS), meaning=meaning)


def pattern_alternative(cases: Sequence[Case]) -> str:
    """What the figure shows, for those who cannot see it."""
    rows = ", ".join(str(case.true) for case in cases[:_MOST_ROWS])
    return (
        f"The digits {rows}, one a row; above, the signal by the estimators S_x, S_w, S_a and S_a+-; "
        "below, the attribution by the same."
    )
