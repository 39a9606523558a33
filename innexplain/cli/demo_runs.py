"""What the demo explains, and how each analyzer does on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.cli.demo_network import Digits
from innexplain.console import table_lines, write
from innexplain.errors import InnexplainError
from innexplain.plots.cells import short_number

_RIGHT, _WRONG = 4, 4
MOST_CASES = _RIGHT + _WRONG
HEADER = ("analyzer", "s / image", "first call, s", "completeness gap")


@dataclass(frozen=True)
class Case:
    """One digit to explain: the image, what it is, what the network says, and how sure it is."""

    number: int
    image: np.ndarray
    true: int
    predicted: int
    probability: float

    @property
    def right(self) -> bool:
        """Whether the network is right."""
        return self.true == self.predicted

    @property
    def label(self) -> str:
        """Two lines for the gallery: what it is, and what the network says."""
        verdict = "right" if self.right else "wrong"
        return f"a {self.true}, {verdict}\npredicted {self.predicted}, p = {self.probability:.3f}"

    @property
    def file_name(self) -> str:
        """Name of the image file."""
        return f"digit-{self.number}.png"


@dataclass(frozen=True)
class Run:
    """What one analyzer did: maps and times, or the reason why it refused."""

    name: str
    maps: np.ndarray | None = None
    per_image: float | None = None
    first_call: float | None = None
    gap: float | None = None
    scores: np.ndarray | None = None
    refusal: str | None = None

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row of the table below `HEADER`."""
        if self.refusal is not None or self.per_image is None or self.first_call is None:
            return (self.name, "refused", "-", "-")
        gap = "-" if self.gap is None else short_number(self.gap)
        return (self.name, f"{self.per_image:.4f}", f"{self.first_call:.2f}", gap)


def pick_cases(digits: Digits, probabilities: np.ndarray) -> list[Case]:
    """Four digits recognised, of four classes, then up to four mistaken, the surest mistakes first.

    Args:
        digits: The held-out digits are chosen from.
        probabilities: The network's outputs for them, (n, 10).
    """
    predicted = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)
    right = np.flatnonzero(predicted == digits.test_y)
    wrong = np.flatnonzero(predicted != digits.test_y)
    _, firsts = np.unique(digits.test_y[right], return_index=True)
    spread = np.linspace(0, len(firsts) - 1, min(_RIGHT, len(firsts))).astype(int)
    chosen = [*right[firsts[spread]], *wrong[np.argsort(-sure[wrong], kind="stable")][:_WRONG]]
    return [
        Case(
            number,
            digits.test_x[i],
            int(digits.test_y[i]),
            int(predicted[i]),
            float(sure[i]),
        )
        for number, i in enumerate(chosen, start=1)
    ]


def explain_with_all(model: Any, x: np.ndarray, training: np.ndarray) -> list[Run]:
    """Explain the images with every analyzer there is, and write the table while it grows.

    Args:
        model: The trained network.
        x: The images, (n, 8, 8, 1).
        training: Images for analyzers that have to be fitted first; this counts as their first call.
    """
    import innexplain

    names = innexplain.analyzer_names()
    widths = [max(map(len, (*names, HEADER[0]))), *(max(len(title), 9) for title in HEADER[1:])]
    runs: list[Run] = []

    def rows() -> Iterator[tuple[str, ...]]:
        for name in names:
            runs.append(_run(name, model, x, training))
            yield runs[-1].cells

    for line in table_lines(HEADER, rows(), widths):
        write(line)
    for run in runs:
        if run.refusal is not None:
            write(f"\n{run.name} refused: {run.refusal}")
    write(
        f"\ns / image: mean over {len(x)} images in one call, after the first call, which compiles and fits."
        "\ncompleteness gap: largest |score - promised sum of the map|; - where none is promised."
    )
    return runs


def _run(name: str, model: Any, x: np.ndarray, training: np.ndarray) -> Run:
    import innexplain

    start = time.perf_counter()
    try:
        analyzer: Any = innexplain.create_analyzer(name, model)
        if hasattr(analyzer, "fit"):
            analyzer.fit(training, progress=False)
        analyzer.analyze(x, return_info=True)
        first = time.perf_counter() - start
        start = time.perf_counter()
        maps, info = analyzer.analyze(x, return_info=True)
    except InnexplainError as error:
        return Run(name, refusal=" ".join(str(error).split()))
    seconds = (time.perf_counter() - start) / len(x)
    gap = None if info["gap"] is None else float(np.max(np.abs(info["gap"])))
    return Run(name, maps, seconds, first, gap, info["score"])
