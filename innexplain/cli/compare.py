"""`innexplain compare`: which analyzer's heatmaps of image files can be believed."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.arguments import check_choice
from innexplain.cli.classes import check_count, read_class_names, read_labels
from innexplain.cli.folders import check_folder
from innexplain.cli.images import check_images, open_image, to_array
from innexplain.cli.job import Job
from innexplain.cli.models import check_model_file, image_input, load_model, output_units
from innexplain.cli.options import check_analyzer_name, whole_number
from innexplain.cli.outputs import check_outputs
from innexplain.cli.preprocess import check_preprocess, preprocessing
from innexplain.cli.quiet import quiet_keras
from innexplain.console import write
from innexplain.errors import ArgumentError, InputError

NAME = "compare"
SUMMARY = "measure which analyzer's heatmaps of image files can be believed"
USAGE = "%(prog)s MODEL IMAGE [IMAGE ...] --output DIR [more options]"
DESCRIPTION = """\
Explain a saved model's decisions on images with several analyzers, and measure how far each of
them can be believed: does the score fall when the regions that a map marks are replaced, how
complex is the map, does it sum to what the method promises?

Written to the output folder:
  report.html    the table, the pictures and the settings; it needs nothing else
  curves.png, complexity.png, maps.png
  table.csv, numbers.json
  parts/         what is computed, kept at once: after Ctrl-C the same command goes on from there
"""
EPILOG = """\
evaluators: region_perturbation, complexity, completeness (these by default), max_sensitivity,
randomisation, strong_features (needs --labels)

example:
  innexplain compare model.keras *.jpg --preprocess resnet50 --output comparison \\
      --analyzers lrp.epsilon,gradient,random
"""
_WRITTEN = ("report.html", "curves.png", "complexity.png", "maps.png", "table.csv", "numbers.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `compare` to its parser."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="saved Keras model, .keras or .h5")
    add("images", metavar="IMAGE", nargs="+", help="image files that Pillow can read")
    add("--output", metavar="DIR", required=True, help="folder for the results, made if missing")
    add("--analyzers", metavar="A,B,...", help="names, separated by commas (default: nine common ones)")
    add("--evaluators", metavar="A,B,...", help="names, separated by commas; see below")
    add("--preprocess", metavar="NAME", default="none", help="as for `innexplain explain`")
    add("--labels", metavar="FILE", help="true classes: text, one number (from 0) a line, as the images")
    add("--class-names", metavar="FILE", help="as for `innexplain explain`")
    add(
        "--region-size", metavar="N", type=whole_number(1),
        help="edge of a region in pixels (default: 9; a tenth of the side for small images)",
    )  # fmt: skip
    add(
        "--steps", metavar="N", type=whole_number(1),
        help="regions replaced (default: 100, or all); choose well below their number",
    )  # fmt: skip
    add("--repeats", metavar="N", type=whole_number(1), default=10, help="draws of noise (default: 10)")
    add("--batch-size", metavar="N", type=whole_number(1), default=32, help="bounds memory (default: 32)")


@dataclass(frozen=True)
class _Data:
    """The images as they are shown and as the model takes them."""

    model: Any
    pixels: np.ndarray
    x: np.ndarray
    channel_axis: int


def run(options: argparse.Namespace, job: Job) -> int:
    """Check all that can be checked, then compare.

    Args:
        options: The parsed arguments.
        job: State to report after Ctrl-C.

    Returns:
        0.
    """
    folder = check_folder(options.output)
    check_model_file(options.model)
    check_outputs([folder / name for name in _WRITTEN], [options.model, *options.images])
    check_images(options.images)
    names = read_class_names(options.class_names) if options.class_names is not None else ()
    labels = read_labels(options.labels, len(options.images)) if options.labels is not None else None
    quiet_keras()
    analyzers = _split("--analyzers", options.analyzers)
    for name in analyzers or ():
        check_analyzer_name(name, "--analyzers")
    evaluators = _evaluators(options)
    check_preprocess(options.preprocess)
    data = _read(options)
    if names:
        check_count(names, output_units(data.model), options.class_names)
    job.if_interrupted = (
        f"what is computed so far is kept in {folder / 'parts'}; the same command goes on from there."
    )
    import innexplain

    found = innexplain.compare(
        data.model,
        data.x,
        analyzers,
        evaluators,
        labels,
        folder=folder / "parts",
        batch_size=options.batch_size,
        progress=True,
        channel_axis=data.channel_axis,
    )
    # A single unit may have one name, which is none for its two classes.
    fitting = names if len(names) == found.outputs.shape[1] else None
    report = found.save(folder, fitting, data.pixels)
    write("\n" + found.table())
    for label, reason in found.refusals.items():
        write(f"\n{label} refused: {reason}")
    write("\n^ more is better, v less is; mean +- standard deviation over images.")
    write(f"Report  {report.resolve()}")
    return 0


def _read(options: argparse.Namespace) -> _Data:
    model = load_model(options.model)
    asked = image_input(model)
    prepare = preprocessing(options.preprocess, asked)
    pixels = [to_array(open_image(path), asked) for path in options.images]
    shapes = sorted({p.shape for p in pixels})
    if len(shapes) > 1:
        raise InputError(
            "This model takes images of any size, but a comparison needs images of one size. Received: "
            f"{', '.join(map(str, shapes))}. Resize or crop them first."
        )
    stacked = np.stack(pixels)
    return _Data(model, stacked, prepare(stacked), asked.channel_axis)


def _evaluators(options: argparse.Namespace) -> list[Any]:
    """Names, and region perturbation with its settings."""
    from innexplain.comparison.choosing import DEFAULT_EVALUATORS, KINDS
    from innexplain.comparison.evaluations import RegionPerturbation, StrongFeatures

    perturbation = RegionPerturbation(options.region_size, options.steps, repeats=options.repeats)
    names = _split("--evaluators", options.evaluators) or DEFAULT_EVALUATORS
    for name in names:
        check_choice("--evaluators", name, KINDS)
    if StrongFeatures.name in names and options.labels is None:
        raise ArgumentError(f"--evaluators: {StrongFeatures.name} measures accuracy: give --labels FILE.")
    return [perturbation if name == perturbation.name else name for name in names]


def _split(option: str, text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise ArgumentError(f"{option}: expected different names separated by commas, received {text!r}.")
    return names
