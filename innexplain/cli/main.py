"""The command line: which commands there are, and how each way of ending is reported."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from innexplain.cli import check, compare, demo, explain
from innexplain.cli.job import Job
from innexplain.cli.quiet import silence_logs
from innexplain.errors import ArgumentError, InnexplainError, InnexplainWarning

_COMMANDS = (demo, explain, compare, check)
_DESCRIPTION = """\
See what a Keras network's decision rests on.

Red in every picture speaks for the explained class, blue against it.
"""
_EPILOG = """\
examples:
  innexplain demo
  innexplain explain model.keras cat.jpg --analyzer guided_backprop --output maps
  innexplain compare model.keras *.jpg --analyzers lrp.epsilon,gradient,random --output comparison
  innexplain check model.keras --analyzer deconvnet

`innexplain COMMAND --help` tells more about a command.
"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Texts as they are written, and options at the same width as they."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=98)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are those of the package: one line, no usage in front."""

    def error(self, message: str) -> NoReturn:
        raise ArgumentError(f"{message}. `{self.prog} --help` shows how it is called.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `innexplain` and return its exit code.

    Args:
        argv: The arguments, default `sys.argv[1:]`.

    Returns:
        0 when all is well, 1 when the answer is no (accuracy not reached, model not supported),
        2 after an error, 130 after Ctrl-C.

    >>> main(["--version"])
    innexplain ...
    0
    """
    silence_logs()
    job = Job()
    try:
        options = _parser().parse_args(_protect(sys.argv[1:] if argv is None else argv))
        run: Callable[[Any, Job], int] = options.run
        with _plain_warnings():
            return run(options, job)
    except InnexplainError as error:
        _report("error", error)
        return 2
    except KeyboardInterrupt:
        _report("interrupted", job.if_interrupted)
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has gone: nothing more can be said, not even by the interpreter.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SystemExit as end:  # argparse, after --help and --version
        return end.code if isinstance(end.code, int) else 0


def _parser() -> _Parser:
    import innexplain

    parser = _Parser(
        prog="innexplain",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    version = f"innexplain {innexplain.__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        added = commands.add_parser(
            command.NAME,
            usage=command.USAGE,
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            epilog=command.EPILOG,
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    return parser


def _protect(argv: Sequence[str]) -> list[str]:
    """Join `--preprocess -1-1` by an equals sign: argparse would take -1-1 for an option."""
    words = list(argv)
    for i in range(len(words) - 1, 0, -1):
        if words[i - 1] == "--preprocess" and words[i] == "-1-1":
            words[i - 1 : i + 1] = ["--preprocess=-1-1"]
    return words


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Warnings of the package as one line without a source location, which users cannot use."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Any, category: Any, *where: Any, **more: Any) -> None:
            if issubclass(category, InnexplainWarning):
                _report("warning", message)
            else:
                usual(message, category, *where, **more)

        warnings.showwarning = show
        yield


def _report(what: str, message: object) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"innexplain: {what}: {_one_line(str(message))}\n")
    sys.stderr.flush()


def _one_line(text: str) -> str:
    r"""A message of several lines in one, with a semicolon where a line had no end of its own.

    >>> _one_line("refused:\n  conv (gelu)\nTake another.")
    'refused: conv (gelu); Take another.'
    """
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    closed = [line if line.endswith((".", ":", ";", ",")) else line + ";" for line in lines[:-1]]
    return " ".join([*closed, *lines[-1:]])
