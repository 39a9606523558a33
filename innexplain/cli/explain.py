"""`innexplain explain`: heatmaps of image files with a saved model."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from innexplain.cli.classes import check_count, read_class_names
from innexplain.cli.folders import check_folder
from innexplain.cli.images import check_images, open_image, output_stems, to_array
from innexplain.cli.job import Job
from innexplain.cli.models import (
    ImageInput,
    check_model_file,
    image_input,
    load_model,
    output_units,
)
from innexplain.cli.options import check_analyzer_name, whole_number
from innexplain.cli.outputs import CLEAR, Explained, check_outputs, describe, output_paths, write_outputs
from innexplain.cli.preprocess import check_preprocess, preprocessing
from innexplain.cli.quiet import quiet_keras
from innexplain.console import write
from innexplain.errors import ArgumentError
from innexplain.folders import make_folder

NAME = "explain"
SUMMARY = "write heatmaps of image files for a saved model"
USAGE = "%(prog)s MODEL IMAGE [IMAGE ...] --analyzer NAME --output DIR [more options]"
DESCRIPTION = """\
Explain a saved model's decision on images: what in the picture speaks for the class, and what
against it.

For every image three files are written to the output folder:
  NAME.heatmap.png   red speaks for the explained class, blue against it, white is zero
  NAME.overlay.png   the same colours over the image in grey
  NAME.npy           the attribution itself, as the analyzer gave it, not normalised
With --analyzer clear, two more:
  NAME.clear.png     which class each place speaks for, with a legend
  NAME.clear.npz     response of each class, (height, width, classes), and which classes these are

Images become RGB or grey as the model asks, and are stretched to the height and width of its
input; a model that takes any size gets each image in its own.
"""
EPILOG = """\
preprocessing (pixels are 0 to 255 when read):
  none       as they are (default)
  0-1        divided by 255
  -1-1       divided by 127.5, minus 1
  vgg16, resnet50, mobilenet_v2, ...
             preprocess_input of that module of keras.applications
It must be what the model was trained with: without it the prediction means nothing.

examples:
  innexplain explain model.keras cat.jpg dog.jpg --analyzer guided_backprop --output maps
  innexplain explain resnet50.keras cat.jpg --analyzer gradient --output maps \\
      --preprocess resnet50 --class-names imagenet_classes.json --neuron 281
"""

_LEGEND = {
    False: "Red speaks for the explained class, blue against it.",
    True: "In NAME.clear.png colours are classes; red is a strong response, of whichever class dominates "
    "or of --neuron.",
}
# Images in one call of the analyzer, where all have one size; it bounds memory, not results.
_CHUNK = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `explain` to its parser."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="saved Keras model, .keras or .h5")
    add("images", metavar="IMAGE", nargs="+", help="image files that Pillow can read")
    add(
        "--analyzer",
        metavar="NAME",
        required=True,
        help="the method; a wrong name lists all",
    )
    add("--output", metavar="DIR", required=True, help="folder for the results, made if missing")
    add("--preprocess", metavar="NAME", default="none", help="see below (default: none)")
    add(
        "--neuron",
        metavar="N",
        type=whole_number(0),
        help="explain this class, counted from 0 (default: each image's predicted class)",
    )
    add(
        "--response",
        metavar="NAME",
        help="of --analyzer clear: the analyzer behind the class maps (default: its own deconvolution)",
    )
    add(
        "--class-names",
        metavar="FILE",
        help="text, one name a line, or JSON: a list of names or of [synset, name] pairs",
    )


@dataclass(frozen=True)
class _Plan:
    """Everything that is known to be right before the model runs."""

    model: Any
    analyzer: Any
    asked: ImageInput
    prepare: Callable[[np.ndarray], np.ndarray]
    neuron: int | None
    names: tuple[str, ...]


def run(options: argparse.Namespace, job: Job) -> int:
    """Check all that can be checked, then explain image after image.

    Args:
        options: The parsed arguments.
        job: State to report after Ctrl-C.

    Returns:
        0.
    """
    folder = check_folder(options.output)
    check_model_file(options.model)
    stems = output_stems(options.images)
    with_classes = options.analyzer == CLEAR
    written = [path for stem in stems for path in output_paths(folder, stem, with_classes)]
    check_outputs(written, [options.model, *options.images])
    check_images(options.images)
    plan = _plan(options)
    make_folder(folder)
    total, done = len(options.images), 0
    for shown, results in _explain_all(plan, options.images):
        for pixels, result in zip(shown, results, strict=True):
            paths = write_outputs(folder, stems[done], pixels, result, plan.asked.channel_axis, plan.names)
            write(describe(options.images[done], result, paths, plan.names))
            done += 1
            job.if_interrupted = (
                f"{done} of {total} images are explained and complete in {folder}; "
                "nothing was written for the others."
            )
    write(f"\n{_LEGEND[with_classes]} Files are in {folder.resolve()}")
    return 0


def _plan(options: argparse.Namespace) -> _Plan:
    names = read_class_names(options.class_names) if options.class_names is not None else ()
    quiet_keras()
    check_analyzer_name(options.analyzer)
    if options.response is not None and options.analyzer != CLEAR:
        raise ArgumentError(f"--response: only for --analyzer {CLEAR}, received {options.analyzer}.")
    if options.response not in (None, "deconvolution"):
        check_analyzer_name(options.response, "--response")
    check_preprocess(options.preprocess)
    model = load_model(options.model)
    asked, units = image_input(model), output_units(model)
    prepare = preprocessing(options.preprocess, asked)
    if names:
        check_count(names, units, options.class_names)
    # A single unit may be a sigmoid, which has the classes 0 and 1.
    last = max(units, 2) - 1
    if options.neuron is not None and options.neuron > last:
        raise ArgumentError(
            f"--neuron: expected 0 to {last}, the classes of this model, received {options.neuron}."
        )
    import innexplain

    mode = "max_activation" if options.neuron is None else "index"
    own = {} if options.response is None else {"response": options.response}
    analyzer = innexplain.create_analyzer(options.analyzer, model, neuron_selection_mode=mode, **own)
    return _Plan(model, analyzer, asked, prepare, options.neuron, names)


def _explain_all(plan: _Plan, paths: list[str]) -> Iterator[tuple[list[np.ndarray], list[Explained]]]:
    """Chunk by chunk: the pixels as the model saw them, and what was found."""
    size = _CHUNK if plan.asked.fixed_size else 1
    for start in range(0, len(paths), size):
        pixels = [to_array(open_image(path), plan.asked) for path in paths[start : start + size]]
        yield pixels, _explain(plan, np.stack(pixels))


def _explain(plan: _Plan, pixels: np.ndarray) -> list[Explained]:
    x = plan.prepare(pixels)
    maps, info = plan.analyzer.analyze(x, neuron_selection=plan.neuron, return_info=True)
    outputs = plan.analyzer.network.outputs([x], len(x))[0]
    classes = plan.analyzer.maps(x, include=plan.neuron) if plan.analyzer.name == CLEAR else None
    return [
        Explained(
            maps[i],
            outputs[i],
            int(info["neuron"][i]),
            float(info["score"][i]),
            None if classes is None else type(classes)(*(part[i : i + 1] for part in classes)),
        )
        for i in range(len(x))
    ]
