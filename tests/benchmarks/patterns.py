"""Time and memory of fitting patterns, beside a forward pass and one gradient with respect to all kernels.

The yardstick is written by hand: `tf.GradientTape` over the largest logit, of all kernels, compiled with
`tf.function`, on batches that are converted anew. Runs are interleaved, the first, which compiles, does not
count, and the ratio is a median. Memory is the peak of a process that does nothing else, above that of a
process that only runs forwards.
"""

import argparse
import os
import sys

from innexplain.patterns.sites import PRECISIONS
from tests.benchmarks import subprocesses

TIME_GOAL, MEMORY_GOAL = 4.0, 3.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("--models", nargs="+", default=["VGG16"], help="names of keras.applications")
    parser.add_argument("--batch", type=int, default=8, help="images in a batch")
    parser.add_argument("--precision", choices=PRECISIONS, default="compensated", help="of sums by weight")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved batches of each side")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    for model in arguments.models:
        print(f"\n{model}, batches of {arguments.batch}, pattern_type='relu', {arguments.precision} sums")
        print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}", flush=True)
        common = {"model": model, "batch": arguments.batch, "precision": arguments.precision}
        found = _call("times", **common, rounds=arguments.rounds)
        print(f"forward pass and gradient by hand  {found['by_hand']:.2f} s a batch")
        print(f"partial_fit                        {found['fit']:.2f} s a batch")
        _told("ratio", found["ratio"], TIME_GOAL)
        _told("in core seconds", found["cores"], TIME_GOAL)
        forward, fit = (_call("peak", **common, fit=fit) for fit in (False, True))
        above = fit["peak"] - forward["peak"]
        print(f"parameters {fit['parameters']:.0f} MB; forward pass {forward['peak']:.0f} MB at the peak")
        print(f"fit {above:.0f} MB above that")
        _told("above / parameters", above / fit["parameters"], MEMORY_GOAL)
    return 0


def _told(what: str, value: float, goal: float) -> None:
    print(f"{what:34} {value:.2f}  <= {goal:g}  {'ok' if value <= goal else 'MISSED'}", flush=True)


def _call(name: str, **arguments: object) -> dict:
    print(f"  measuring: {name} {arguments}", file=sys.stderr, flush=True)
    return subprocesses.call("tests.benchmarks.patterns_tasks", name, **arguments)
