"""`innexplain demo`: a network trained, explained by every analyzer, and shown on a page."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from innexplain import plots
from innexplain.cli.demo_clear import CLEAR_TEXT, clear_alternative, clear_figure
from innexplain.cli.demo_network import Digits, load_digits, train
from innexplain.cli.demo_page import comparison_text, page
from innexplain.cli.demo_patterns import PATTERN_TEXT, pattern_alternative, pattern_figure
from innexplain.cli.demo_runs import MOST_CASES, Case, Run, explain_with_all, pick_cases
from innexplain.cli.folders import check_folder
from innexplain.cli.job import Job
from innexplain.cli.options import whole_number
from innexplain.cli.quiet import quiet_keras
from innexplain.console import write
from innexplain.files import atomic
from innexplain.folders import make_folder

NAME = "demo"
SUMMARY = "train a small network and explain it with every analyzer"
USAGE = "%(prog)s [--output DIR] [--epochs N] [--seed N]"
DESCRIPTION = """\
Train an all-convolutional network on handwritten digits (under a minute on two cores, no
download), explain right and wrong decisions with every analyzer there is, measure which of the
common ones can be believed, and show the result.

Written to the output folder:
  index.html     a page around the gallery; it needs no network
  gallery.png    digits down, analyzers across
  clear.png      which class each place speaks for, in digits that are read wrongly
  patterns.png   what the network sees as signal, by four estimators
  comparison/    report.html: which map can be believed, with its pictures and numbers
  digits.keras   the trained network, for `innexplain explain`
  digit-*.png    the explained digits

The exit code is 1 if the network is right on less than 97 % of the digits it has not seen.
"""
EPILOG = """\
example:
  innexplain demo --output my-demo
"""

_GOAL = 0.97
_COMPARED = 40  # digits that the comparison perturbs: enough to tell methods apart in a few seconds
_STEPS = 16  # pixels of each that are replaced, of 64: with all of them every order would end alike


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `demo` to its parser."""
    add = parser.add_argument
    add(
        "--output",
        metavar="DIR",
        default="innexplain-demo",
        help="folder for the results, made if missing (default: ./innexplain-demo)",
    )
    add(
        "--epochs",
        metavar="N",
        type=whole_number(1),
        default=40,
        help="passes over the training images (default: 40)",
    )
    add(
        "--seed",
        metavar="N",
        type=whole_number(0),
        default=0,
        help="of weights and training order (default: 0)",
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Train, explain, write.

    Args:
        options: The parsed arguments.
        job: State to report after Ctrl-C.

    Returns:
        0, or 1 if the accuracy is below the goal.
    """
    folder = check_folder(options.output)
    digits = load_digits()
    job.if_interrupted = "the network was still in training; nothing was written."
    keras = quiet_keras()
    write(f"Training on {len(digits.train_x)} handwritten digits, {options.epochs} epochs")
    model, accuracy = train(keras, digits, options.epochs, options.seed)
    reached = _report_accuracy(digits, accuracy)
    job.if_interrupted = "the trained network is lost; nothing was written."
    cases = pick_cases(digits, np.asarray(model.predict(digits.test_x, verbose=0)))
    runs = explain_with_all(model, np.stack([case.image for case in cases]), digits.train_x)
    figures = {
        "clear.png": (CLEAR_TEXT, clear_figure(model, cases), clear_alternative(cases)),
        "patterns.png": (
            PATTERN_TEXT,
            pattern_figure(model, digits.train_x, cases),
            pattern_alternative(cases),
        ),
    }
    found = _compare(model, digits)
    job.if_interrupted = f"some of the files in {folder} may be missing; those there are complete."
    _write_all(folder, model, accuracy, cases, runs, found, figures)
    return 0 if reached else 1


def _report_accuracy(digits: Digits, accuracy: float) -> bool:
    reached = accuracy >= _GOAL
    verdict = "as expected" if reached else "NOT as expected; try more --epochs or another --seed"
    write(
        f"Accuracy on {len(digits.test_x)} digits held out: {accuracy:.2%} (at least {_GOAL:.0%} {verdict})\n"
    )
    return reached


def _compare(model: Any, digits: Digits) -> Any:
    """Which of the maps can be believed, on digits held out; prints the table."""
    import innexplain
    from innexplain.comparison import RegionPerturbation

    write(f"\nWhich map can be believed? Perturbing {_COMPARED} digits held out")
    evaluators = [RegionPerturbation(steps=_STEPS), "complexity", "completeness"]
    found = innexplain.compare(
        model, digits.test_x[:_COMPARED], evaluators=evaluators, y=digits.test_y[:_COMPARED]
    )
    write(found.table())
    write(
        f"\nAOPC: how far the score falls while the {_STEPS} pixels, of 64, that a map ranks highest are"
        "\nreplaced, highest first; a map is of use if it beats random order. ^ more is better, v less is."
        "\nMean +- deviation over digits."
    )
    return found


def _write_all(
    folder: Path,
    model: Any,
    accuracy: float,
    cases: list[Case],
    runs: list[Run],
    found: Any,
    figures: dict[str, tuple[str, Any, str]],
) -> None:
    make_folder(folder)
    with atomic(folder / "digits.keras") as temporary:
        model.save(temporary)
    for old in range(len(cases) + 1, MOST_CASES + 1):  # of an earlier run with more mistakes
        with suppress(OSError):
            (folder / f"digit-{old}.png").unlink()
    for case in cases:
        pixels = np.rint(case.image[..., 0] * 255).astype(np.uint8)
        plots.save_image(pixels, folder / case.file_name)
    gallery = folder / "gallery.png"
    plots.save_figure(gallery_figure(accuracy, cases, runs), gallery)
    told = []
    for name, (text, figure, shown) in figures.items():
        told.append((text, plots.save_figure(figure, folder / name).read_bytes(), shown))
    report = found.save(folder / "comparison")
    curves = (found.pictures()["curves"], (folder / "comparison" / "curves.png").read_bytes())
    comparison = "\n".join([comparison_text(_STEPS), *found.report().sections([curves])])
    text = page(gallery.read_bytes(), accuracy, cases, runs, comparison, told)
    index = plots.save_text(text, folder / "index.html")
    write(f"\nPage        {index.resolve()}")
    write(f"Gallery     {gallery.resolve()}")
    for name in figures:
        write(f"{name.removesuffix('.png').capitalize():12}{(folder / name).resolve()}")
    write(f"Comparison  {report.resolve()}")
    write(
        "\nNext, on an image file:\n"
        f"  innexplain explain {folder / 'digits.keras'} {folder / cases[0].file_name} "
        f"--preprocess 0-1 --analyzer gradient --output maps"
    )


def gallery_figure(accuracy: float, cases: list[Case], runs: list[Run]) -> Any:
    """Digits down, analyzers across, with a legend for every sort of map.

    Args:
        accuracy: On the digits held out, in [0, 1].
        cases: The digits.
        runs: What the analyzers did.
    """
    return plots.gallery(
        np.stack([case.image for case in cases]),
        {run.name: run.maps for run in runs if run.maps is not None},
        _labels(cases, runs),
        title=f"Why this digit? The network is right on {accuracy:.1%} of the digits held out.",
    )


def _labels(cases: list[Case], runs: list[Run]) -> list[str]:
    """Class and probability, and the score that was explained, the same for every analyzer."""
    scores = next((run.scores for run in runs if run.scores is not None), None)
    if scores is None:
        return [case.label for case in cases]
    return [f"{case.label}\nscore {s:.1f}" for case, s in zip(cases, scores, strict=True)]
