"""Measurements of the package. Every benchmark is a module with `configure(parser)` and `run(arguments)`."""

import argparse
import sys

from tests.benchmarks import clear, estimators, evaluate, faithfulness, patterns, speed

# TensorFlow must not be imported in this process: see `subprocesses.py`.
COMMANDS = {
    "clear": clear,
    "estimators": estimators,
    "evaluate": evaluate,
    "faithfulness": faithfulness,
    "patterns": patterns,
    "speed": speed,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    commands = parser.add_subparsers(metavar="NAME", required=True)
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        command = commands.add_parser(name, help=summary, description=module.__doc__)
        module.configure(command)
        command.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    return parsed.run(parsed)


if __name__ == "__main__":
    sys.exit(main())
