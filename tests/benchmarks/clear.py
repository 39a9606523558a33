"""Time and memory of CLEAR's class maps, beside one forward pass and as many backward passes.

The yardstick is `tf.GradientTape` on the largest logit and the forward pass alone, both compiled with
`tf.function`: a backward pass is their difference. Runs are interleaved and the ratio is a median. Memory is
the peak of a process that does nothing else, above that of the gradient of as many images as `batch_size`.
"""

import argparse
import os
import sys

from tests.benchmarks import subprocesses

TIME_GOAL = 1.1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument(
        "--models", nargs="+", default=["VGG16", "ResNet50"], help="names of keras.applications"
    )
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8], help="numbers of images")
    parser.add_argument("--classes", nargs="+", type=int, default=[10], help="numbers of classes")
    parser.add_argument("--batch-size", type=int, default=32, help="the most rows in one call of the model")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved runs of each side")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    for model in arguments.models:
        for batch in arguments.batches:
            for classes in arguments.classes:
                _one(model, batch, classes, arguments)
    return 0


def _one(model: str, batch: int, classes: int, arguments: argparse.Namespace) -> None:
    size = arguments.batch_size
    print(f"\n{model}, {batch} image{'s' if batch > 1 else ''}, {classes} classes, batch_size {size}")
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}", flush=True)
    common = {"model": model, "batch": batch, "classes": classes, "batch_size": size}
    found = _call("times", **common, rounds=arguments.rounds)
    print(f"forward pass {found['forward']:.3f} s, gradient by hand {found['gradient']:.3f} s")
    print(f"class maps   {found['clear']:.3f} s")
    for what, key in (("to forward + classes x backward", "ratio"), ("the same in core seconds", "cores")):
        verdict = "ok" if found[key] <= TIME_GOAL else "MISSED"
        print(f"{what:34} {found[key]:.2f}  <= {TIME_GOAL:g}  {verdict}", flush=True)
    gradient = _call("peak", **{**common, "batch": size}, clear=False)["peak"]
    clear = _call("peak", **common, clear=True)
    print(f"peak memory: gradient of {size} images {gradient:.0f} MB, class maps {clear['peak']:.0f} MB,")
    print(f"of which the answer itself is {clear['answer']:.0f} MB", flush=True)


def _call(name: str, **arguments: object) -> dict:
    print(f"  measuring: {name} {arguments}", file=sys.stderr, flush=True)
    return subprocesses.call("tests.benchmarks.clear_tasks", name, **arguments)
