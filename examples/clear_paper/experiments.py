"""The experiments of the CLEAR paper (Kumar, Wong and Taylor 2017), on data of your own.

    python examples/clear_paper mnist --data mnist.npz --output results
    python examples/clear_paper svhn --data SVHN --output results
    python examples/clear_paper dogs --data StanfordDogs --weights imagenet --output results

Each trains the network of the paper (or takes one that was trained, with --model), measures how far it
decides by its strong features, as in table 1, and draws five images that it classifies rightly and five that
it does not, as in figures 3 to 5.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import figures
import keras
import networks
import numpy as np
import table1
import training
from data import Data, load_mnist, load_svhn
from dogs import load_dogs, shown

import innexplain
from innexplain.cli.models import check_model_file
from innexplain.errors import InnexplainError
from innexplain.folders import make_folder
from innexplain.plots import save_figure, save_text

__all__ = ["main", "run"]


@dataclass(frozen=True)
class Experiment:
    """One data set of the paper.

    Args:
        about: what it is, for the help.
        data: what --data names.
        load: reads it; the second argument is --limit.
        network: makes the network.
        epochs: the default of --epochs.
        fill: what stands in place of removed parts of an image, as the network takes them.
        batch: images in one call of the network, which bounds the memory.
        shown: turns the network's images into what a screen shows.
    """

    about: str
    data: str
    load: Callable[[Path, int | None], Data]
    network: Callable[[argparse.Namespace], keras.Model]
    epochs: int
    fill: float
    batch: int = 250
    shown: Callable[[np.ndarray], np.ndarray] = np.asarray


EXPERIMENTS = {
    "mnist": Experiment(
        about="handwritten digits (table 2, figure 3)",
        data="the file mnist.npz, with x_train, y_train, x_test, y_test",
        load=load_mnist,
        network=lambda options: networks.mnist_network(options.last_relu),
        epochs=10,
        fill=0.0,  # the background
    ),
    "svhn": Experiment(
        about="house numbers (table 3, figure 4)",
        data="the folder of train_32x32.mat and test_32x32.mat",
        load=load_svhn,
        network=lambda options: networks.svhn_network(options.last_relu),
        epochs=10,
        fill=0.5,  # gray
    ),
    "dogs": Experiment(
        about="ten breeds of Stanford Dogs (table 4, figures 5 to 7)",
        data="the folder with the folder Images in it",
        load=lambda folder, limit: load_dogs(folder, limit=limit),
        network=lambda options: networks.dogs_network(weights=options.weights, last_relu=options.last_relu),
        epochs=10,
        fill=0.0,  # the mean colour of ImageNet
        batch=10,
        shown=shown,
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run an experiment; 0 when it is done, 2 after an error."""
    options = _parser().parse_args(argv)
    try:
        run(options)
    except InnexplainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def run(options: argparse.Namespace) -> None:
    """Train or load, measure, draw."""
    name: str = options.experiment
    experiment = EXPERIMENTS[name]
    if options.model is not None:
        check_model_file(str(options.model))
    make_folder(options.output)
    keras.utils.set_random_seed(options.seed)
    data = experiment.load(options.data, options.limit)
    print(f"{len(data.train_x)} images to train with, {len(data.test_x)} to test with")
    model = _model(experiment, options, data)
    found = training.predicted(model, data.test_x, experiment.batch)
    print(f"accuracy {100 * (found == data.test_y).mean():.2f} percent, paper {table1.PAPER[name][0]:.2f}")

    analyzer = innexplain.create_analyzer(
        "clear",
        model,
        classes=range(len(data.names)),
        rectify=options.rectify,
        neuron_selection_mode="index",
    )
    responses = analyzer.analyze(
        data.test_x, neuron_selection=data.test_y, batch_size=experiment.batch, progress=True
    )
    if options.shuffle:
        responses = table1.shuffled(responses, options.seed)
    rows = table1.measure(
        model, data.test_x, data.test_y, responses, options.threshold, experiment.fill, experiment.batch
    )
    text = "\n".join([table1.table(name, rows, experiment.fill), *_notes(options)])
    print(text)
    save_text(f"{text}\n", options.output / f"table1-{_label(name, options)}.txt")

    chosen = figures.choose(found, data.test_y, np.random.default_rng(options.seed))
    for kind, numbers in zip(("right", "wrong"), chosen, strict=True):
        if len(numbers):
            maps = analyzer.maps(data.test_x[numbers], experiment.batch)
            figure = figures.draw(maps, data, numbers, found[numbers], experiment.shown)
            path = options.output / f"{_label(name, options)}-{kind}.png"
            print(f"wrote {save_figure(figure, path, dpi=100)}")


def _label(name: str, options: argparse.Namespace) -> str:
    """The name of results; those of other settings stand beside them."""
    return "-".join([name, *(word for word in ("rectify", "shuffle") if getattr(options, word))])


def _notes(options: argparse.Namespace) -> list[str]:
    """What a table has to say of its settings."""
    notes = []
    if options.rectify:
        notes.append("Responses are rectified at every ReLU.")
    if options.shuffle:
        notes.append("For comparison: as many pixels as are strong, chosen by chance.")
    return notes


def _model(experiment: Experiment, options: argparse.Namespace, data: Data) -> keras.Model:
    model = experiment.network(options)
    if options.model is not None:
        return training.load(options.model, like=model)
    training.train(model, data.train_x, data.train_y, options.epochs)
    path = options.output / f"{model.name}.keras"
    training.save(model, path)
    print(f"wrote {path}, which --model takes next time")
    return model


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clear_paper", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="experiment", required=True, metavar="EXPERIMENT")
    for name, experiment in EXPERIMENTS.items():
        command = commands.add_parser(name, help=experiment.about, description=experiment.about)
        _add_options(command, experiment)
    commands.choices["dogs"].add_argument(
        "--weights", help="imagenet (a download), or a file of VGG16's weights without top; default: none"
    )
    return parser


def _add_options(command: argparse.ArgumentParser, experiment: Experiment) -> None:
    add = command.add_argument
    add("--data", type=Path, required=True, help=experiment.data)
    add("--output", type=Path, default=Path("clear-paper"), help="folder for results, default clear-paper")
    add("--model", type=Path, help="a network trained before; without it one is trained")
    add("--epochs", type=_positive, default=experiment.epochs, help="default %(default)s")
    add("--limit", type=_positive, help="use the first so many images only, for a quick look")
    add("--threshold", type=_fraction, nargs="+", default=[0.5], metavar="T", help=_THRESHOLD)
    add("--shuffle", action="store_true", help="for comparison: table 1 with as many pixels by chance")
    add("--last-relu", action="store_true", help="train a network with a ReLU behind its last convolution")
    add("--rectify", action="store_true", help="rectify responses at every ReLU, as deconvnet does")
    add("--seed", type=int, default=0, help="of weights, order and choice of images, default 0")


_THRESHOLD = (
    "strong is what responds above this fraction of the map's maximum, default 0.5; several may be given"
)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, received {text!r}")
    return int(text)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, received {text!r}")
    return value
