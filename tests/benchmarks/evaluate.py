"""Time and memory of region perturbation, beside one `model.predict` over as many inputs.

Both get the model as a user has it. `predict` is called once before, so that it is compiled; region
perturbation compiles anew in each call, and that counts. Runs are interleaved and the ratio is a median, so
that a busy machine disturbs both sides alike. Inputs: every step of every repetition, in the order of a map
and in random order, and the images themselves. Memory is the peak of a process that does nothing else, above
what it had with the model built.
"""

import argparse
import os
import sys
from functools import partial

from innexplain.console import table_lines
from tests.benchmarks import subprocesses

GOAL = 1.1
# network: (images, edge of a region, steps, repetitions)
RUNS = {"MobileNetV2": (2, 9, 100, 2), "small": (20, 3, 100, 10)}
HEADER = ("network", "inputs", "predict, s", "perturb, s", "ratio", "cores", "goal", "")
WIDTHS = (13, 6, 10, 10, 5, 5, 7, 6)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("--networks", nargs="+", default=list(RUNS), choices=RUNS)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each side")
    parser.add_argument("--batch-size", type=int, default=32, help="rows in a call of the model")
    parser.add_argument("--batches", nargs="+", type=int, default=[8, 64], help="batch sizes for memory")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}, batches of {arguments.batch_size}")
    for line in table_lines(HEADER, map(partial(_row, arguments), arguments.networks), WIDTHS):
        print(line, flush=True)
    for name in arguments.networks:
        for size in arguments.batches:
            peak = _call("memory", name, batch_size=size)["peak"]
            print(f"{name}, batches of {size}: {peak:.0f} MB at the peak", flush=True)
    print(_NOTES)
    return 0


def _row(arguments: argparse.Namespace, name: str) -> tuple[str, ...]:
    found = _call("times", name, rounds=arguments.rounds, batch_size=arguments.batch_size)
    verdict = "ok" if found["ratio"] <= GOAL else "MISSED"
    return (
        name, str(found["inputs"]), f"{found['predict']:.2f}", f"{found['perturb']:.2f}",
        f"{found['ratio']:.3f}", f"{found['cores']:.3f}", f"<= {GOAL}", verdict,
    )  # fmt: skip


def _call(name: str, network: str, **arguments: int) -> dict:
    """A function of `evaluate_tasks`, in a process of its own."""
    print(f"  measuring: {name} of {network} {arguments}", file=sys.stderr, flush=True)
    settings = {"network": network, "settings": RUNS[network], **arguments}
    return subprocesses.call("tests.benchmarks.evaluate_tasks", name, **settings)


_NOTES = """
ratio   time of region_perturbation over that of predict, median over interleaved rounds
cores   the same in seconds of all processor cores, which other programs disturb less
peak    resident memory above that of the process with the model built and the images made"""
