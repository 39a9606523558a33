"""What a comparison found: numbers, as a table, CSV and JSON, pictures and a page."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from innexplain import plots
from innexplain.arguments import check_count
from innexplain.comparison.evaluator import Evaluator, Findings, Picture
from innexplain.comparison.figures import maps_figure, row_labels, spatial_rank
from innexplain.comparison.report import Report
from innexplain.console import table_lines
from innexplain.errors import ArgumentError, UnknownNameError, nearest
from innexplain.files import write_text
from innexplain.folders import make_folder
from innexplain.plots.cells import short_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Entry:
    """What was found out about one analyzer.

    Args:
        label: how it is called.
        maps: its attributions.
        seconds: time an image, after the first call; NaN for maps that were given.
        findings: by evaluator.
        refusal: why there are no maps, if so.
        meaning: what the maps stand for: `"relevance"`, `"strength"` or `"signal"`.
    """

    label: str
    maps: np.ndarray | None = None
    seconds: float = float("nan")
    findings: Mapping[str, Findings] = field(default_factory=dict)
    refusal: str | None = None
    meaning: str = "relevance"

    def values(self) -> dict[str, np.ndarray]:
        """Every number found, by column, one an image."""
        return {name: array for found in self.findings.values() for name, array in found.values.items()}

    def curves(self) -> dict[str, np.ndarray]:
        """Every curve found, by name, one an image."""
        return {name: array for found in self.findings.values() for name, array in found.curves.items()}


@dataclass(frozen=True, eq=False)
class Comparison:
    """The result of `innexplain.compare`; `print` shows its table.

    Args:
        x: the inputs.
        outputs: the model's outputs for them, (n, classes).
        target: the explained class of each.
        y: true labels, if given.
        evaluators: what was run.
        entries: one an analyzer.
        channel_axis: of one sample.
        seed: of the evaluators' noise.
    """

    x: np.ndarray
    outputs: np.ndarray
    target: np.ndarray
    y: np.ndarray | None
    evaluators: tuple[Evaluator, ...]
    entries: tuple[Entry, ...]
    channel_axis: int | None = -1
    seed: int = 0

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """The attributions by analyzer."""
        return {e.label: e.maps for e in self.entries if e.maps is not None}

    @property
    def refusals(self) -> dict[str, str]:
        """Why analyzers have no maps."""
        return {e.label: e.refusal for e in self.entries if e.refusal is not None}

    @property
    def columns(self) -> dict[str, str]:
        """Every column of numbers, with "higher", "lower" or "" for what is better."""
        return {name: better for e in self.evaluators for name, better in e.columns.items()}

    @property
    def curve_names(self) -> tuple[str, ...]:
        """The names of all curves that were found; only some evaluators give curves."""
        return tuple(dict.fromkeys(name for e in self.entries for name in e.curves()))

    def values(self, column: str) -> dict[str, np.ndarray]:
        """One column: a number an image, by analyzer, where there is one.

        Raises:
            UnknownNameError: no evaluator has such a column.
        """
        _check_name("column", column, self.columns)
        found = {e.label: e.values().get(column) for e in self.entries}
        return {label: array for label, array in found.items() if array is not None}

    def curves(self, name: str = "AOPC - random") -> dict[str, np.ndarray]:
        """Curves by analyzer, (n, L + 1): `"scores"`, `"random"` or `"AOPC - random"`.

        Raises:
            UnknownNameError: no evaluator gave such curves.
        """
        _check_name("curve", name, self.curve_names)
        found = {e.label: e.curves().get(name) for e in self.entries}
        return {label: array for label, array in found.items() if array is not None}

    def rows(self) -> list[dict[str, Any]]:
        """One dict an analyzer: its label, seconds, and mean and standard deviation of every column."""
        answer: list[dict[str, Any]] = []
        for entry in self.entries:
            row: dict[str, Any] = {"analyzer": entry.label, "seconds": _plain(entry.seconds)}
            values = entry.values()
            for column in self.columns:
                array = values.get(column)
                row[column] = None if array is None else _plain(np.mean(array))
                row[f"{column} sd"] = None if array is None else _plain(np.std(array))
            row["refusal"] = entry.refusal
            answer.append(row)
        return answer

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows as short texts: mean and spread over images."""
        arrows = {"higher": " ^", "lower": " v", "": ""}
        header = [
            "analyzer",
            *(f"{name}{arrows[better]}" for name, better in self.columns.items()),
            "s / image",
        ]
        body = []
        for row in self.rows():
            numbers = [_cell(row[name], row[f"{name} sd"]) for name in self.columns]
            numbers.append(_cell(row["seconds"]))
            if row["refusal"] is not None:
                numbers[0] = "refused"
            body.append([row["analyzer"], *numbers])
        return header, body

    def table(self) -> str:
        """The comparison as text: mean +- standard deviation over images; `^` more is better, `v` less."""
        return "\n".join(table_lines(*self.cells()))

    def __str__(self) -> str:
        return self.table()

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The rows as CSV, one line an analyzer; written to a file if one is named."""
        rows = self.rows()
        stream = io.StringIO()
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        if path is not None:
            write_text(path, stream.getvalue())
        return stream.getvalue()

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Settings, rows, the numbers of every image, and mean curves as JSON; written to a file if named.

        What is no number (NaN, infinity) is null.
        """
        found = {
            "images": len(self.x),
            "target": self.target.tolist(),
            "y": None if self.y is None else self.y.tolist(),
            "seed": self.seed,
            "evaluators": [repr(e) for e in self.evaluators],
            "analyzers": self.rows(),
            "per_image": {e.label: _lists(e.values()) for e in self.entries},
            "mean_curves": {e.label: _lists(_means(e.curves())) for e in self.entries},
        }
        text = json.dumps(found, indent=1, allow_nan=False)
        if path is not None:
            write_text(path, text + "\n")
        return text

    def pictures(self, names: Any = None, images: Any = None) -> dict[str, Picture]:
        """Every picture that can be drawn, by name: those of the evaluators, and the maps.

        Args:
            names, images: see `plot_maps`.
        """
        drawn = [e.picture(found) for e in self.evaluators if (found := self._findings(e))]
        if spatial_rank(self.x, self.channel_axis) <= 2:
            caption = "The bars below the maps say what colours mean; each map has its own colour ends."
            draw = partial(self.plot_maps, names=names, images=images)
            drawn.append(Picture("maps", draw, "Images down, maps across", caption))
        return {picture.name: picture for picture in drawn if picture is not None}

    def _findings(self, evaluator: Evaluator) -> dict[str, Findings]:
        """What an evaluator found, by method; only where it found anything."""
        found = {e.label: e.findings.get(evaluator.name, Findings()) for e in self.entries}
        return {label: one for label, one in found.items() if one.values or one.curves}

    def plot_curves(self) -> Figure:
        """AOPC minus that of the random order for every number of steps (Samek et al. 2017, figure 4)."""
        return self._plot("curves", "region_perturbation")

    def plot_complexity(self) -> Figure:
        """Box plots of the complexity of the maps (Samek et al. 2017, figure 5)."""
        return self._plot("complexity", "complexity")

    def _plot(self, name: str, evaluator: str) -> Figure:
        pictures = self.pictures()
        if name not in pictures:
            raise ArgumentError(
                f"This picture needs the evaluator {evaluator!r}; the comparison was made with "
                f"{', '.join(e.name for e in self.evaluators)}."
            )
        return pictures[name].draw()

    def plot_maps(self, most: int = 8, names: Any = None, images: Any = None) -> Figure:
        """Images down, analyzers across (Samek et al. 2017, figure 6).

        Args:
            most: how many images are shown.
            names: names of the classes, if known.
            images: what to show in place of the inputs, which may be preprocessed, (n, ...).
        """
        check_count("most", most)
        labels = row_labels(self.outputs, self.target, self.y, names)[:most]
        meaning = {entry.label: entry.meaning for entry in self.entries if entry.maps is not None}
        return maps_figure(self.x, self.maps, labels, meaning, self.channel_axis, images)

    def report(self) -> Report:
        """What a page tells beside the pictures."""
        return Report(len(self.x), tuple(self.maps), self.cells(), self.evaluators, self.seed, self.refusals)

    def save(self, folder: str | os.PathLike[str], names: Any = None, images: Any = None) -> Path:
        """Write `report.html` (which needs nothing else), the pictures as PNG, `table.csv`, `numbers.json`.

        Args:
            folder: made if missing.
            names: names of the classes, if known.
            images: what to show in place of the inputs, see `plot_maps`.

        Returns:
            The path of the report.

        Raises:
            OutputPathError: the folder cannot be written.
        """
        path = make_folder(folder)
        saved = []
        for picture in self.pictures(names, images).values():
            file = plots.save_figure(picture.draw(), path / f"{picture.name}.png")
            saved.append((picture, file.read_bytes()))
        self.to_csv(path / "table.csv")
        self.to_json(path / "numbers.json")
        return write_text(path / "report.html", self.report().page(saved))


def _check_name(what: str, name: Any, known: Collection[str]) -> None:
    if isinstance(name, str) and name in known:
        return
    there = f"There are: {', '.join(map(repr, known))}."
    none = "No evaluator of this comparison gives any; 'region_perturbation' does."
    raise UnknownNameError(f"There is no {what} {name!r}.{nearest(name, known)} {there if known else none}")


def _plain(value: Any) -> float | None:
    """A number that JSON knows."""
    number = float(value)
    return number if np.isfinite(number) else None


def _means(curves: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array.mean(axis=0) for name, array in curves.items()}


def _lists(arrays: Mapping[str, np.ndarray]) -> dict[str, list[float | None]]:
    return {name: [_plain(v) for v in array] for name, array in arrays.items()}


def _cell(mean: float | None, spread: float | None = None) -> str:
    if mean is None:
        return "-"
    return short_number(mean) + ("" if spread is None else f" +- {short_number(spread)}")
