"""`innexplain check`: which rule an analyzer has for every layer of a saved model."""

from __future__ import annotations

import argparse

from innexplain.cli.job import Job
from innexplain.cli.models import check_model_file, load_model
from innexplain.cli.options import check_analyzer_name
from innexplain.cli.quiet import quiet_keras

NAME = "check"
SUMMARY = "print which rule an analyzer has for every layer of a model"
USAGE = "%(prog)s MODEL --analyzer NAME"
DESCRIPTION = """\
Print a table of a saved model's layers: path, layer, rule, status. Nothing is explained or written.

The exit code is 0 if the analyzer supports the model, 1 if it refuses a layer or the whole model.
"""
EPILOG = """\
example:
  innexplain check model.keras --analyzer guided_backprop
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `check` to its parser."""
    parser.add_argument("model", metavar="MODEL", help="saved Keras model, .keras or .h5")
    parser.add_argument(
        "--analyzer",
        metavar="NAME",
        required=True,
        help="the method; a wrong name lists all",
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Print the table.

    Args:
        options: The parsed arguments.
        job: State to report after Ctrl-C; this command writes nothing.

    Returns:
        0 if the model is supported, else 1.
    """
    check_model_file(options.model)
    job.if_interrupted = "the check was not finished; it writes no files."
    quiet_keras()
    check_analyzer_name(options.analyzer)
    model = load_model(options.model)
    import innexplain

    return 0 if innexplain.check_model(model, options.analyzer).ok else 1
