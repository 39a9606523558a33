"""Time and memory of every analyzer, beside a gradient written by hand.

The yardstick is `tf.GradientTape` on the largest logit, compiled with `tf.function`; converting the input
and the answer counts on both sides. Runs are interleaved and ratios are medians, so that a busy machine
disturbs both sides alike. Methods of many passes (integrated gradients, SmoothGrad) are compared with as
many gradients. First call and memory are measured in a process of their own: from `create_analyzer` to the
first answer; and the peak of resident memory above that of the gradient by hand.
"""

import argparse
import os
import sys
from collections.abc import Iterator

from innexplain.console import table_lines
from tests.benchmarks import subprocesses

BY_HAND = "gradient by hand"
RATIO_GOALS = {
    **dict.fromkeys(("gradient", "deconvnet", "guided_backprop"), 1.1),
    "integrated_gradients": 1.05,
    "lrp.epsilon": 1.2,
    **dict.fromkeys(("lrp.z_plus", "lrp.alpha_1_beta_0"), 1.7),
    "lrp.alpha_2_beta_1": 2.8,
    **dict.fromkeys(("lrp.sequential_preset_a", "lrp.sequential_preset_b", "lrp.epsilon_gamma_box"), 2.0),
}
FIRST_CALL_GOALS = {"ResNet50": 5.0}  # seconds, for analyzers of one pass; relevance has one second more
HEADER = ("analyzer", "passes", "seconds", "ratio", "goal", "", "cores", "first call", "goal", "", "peak MB")
WIDTHS = (24, 6, 7, 6, 7, 6, 5, 10, 4, 6, 7)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument(
        "--models", nargs="+", default=["VGG16", "ResNet50"], help="names of keras.applications"
    )
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8], help="numbers of images")
    parser.add_argument("--analyzers", nargs="+", help="names (default: all but input and random)")
    parser.add_argument("--repeats", type=int, default=15, help="interleaved runs of methods of one pass")
    parser.add_argument("--wrapper-repeats", type=int, default=2, help="runs of methods of many passes")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print, a table a model and batch."""
    analyzers = arguments.analyzers or _call("names")
    for model in arguments.models:
        for batch in arguments.batches:
            print(f"\n{model}, {batch} image{'s' if batch > 1 else ''} of 224 x 224, random weights")
            print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
            for line in table_lines(HEADER, _rows(model, batch, analyzers, arguments), WIDTHS):
                print(line, flush=True)
    print(_NOTES)
    return 0


def _rows(
    model: str, batch: int, analyzers: list[str], arguments: argparse.Namespace
) -> Iterator[tuple[str, ...]]:
    common = {"model": model, "batch": batch}
    repeats = {"repeats": arguments.repeats, "wrapper_repeats": arguments.wrapper_repeats}
    times = _call("times", **common, analyzers=analyzers, **repeats)
    base = _call("cold", **common, analyzer=None)
    yield _row(BY_HAND, model, times[BY_HAND], base, None)
    for name in analyzers:
        yield _row(name, model, times[name], _call("cold", **common, analyzer=name), base["peak"])


def _call(name: str, **arguments: object) -> dict:
    """A function of `speed_tasks`, by name: this process must not import TensorFlow."""
    print(f"  measuring: {name} {arguments}", file=sys.stderr, flush=True)
    return subprocesses.call("tests.benchmarks.speed_tasks", name, **arguments)


def _row(name: str, model: str, timing: dict, cold: dict, base: float | None) -> tuple[str, ...]:
    ratio_goal = RATIO_GOALS.get(name)
    first_goal = FIRST_CALL_GOALS.get(model) if timing["passes"] == 1 and base is not None else None
    if first_goal is not None and name.startswith("lrp."):
        first_goal += 1.0
    return (
        name,
        str(timing["passes"]),
        f"{timing['seconds']:.3f}",
        f"{timing['ratio']:.2f}",
        *_verdict(timing["ratio"], ratio_goal, ".2f"),
        f"{timing['cores']:.2f}",
        f"{cold['first']:.1f} s",
        *_verdict(cold["first"], first_goal, ".0f"),
        f"{cold['peak']:.0f}" if base is None else f"{cold['peak'] - base:+.0f}",
    )


def _verdict(value: float, goal: float | None, form: str) -> tuple[str, str]:
    if goal is None:
        return "-", ""
    return f"<= {goal:{form}}", "ok" if value <= goal else "MISSED"


_NOTES = """
seconds     median time of one call of analyze
ratio       to `passes` gradients by hand, median over interleaved runs
cores       the same in seconds of all processor cores, which other programs disturb less
first call  from create_analyzer to the first answer, in a fresh process
peak MB     resident memory of a process that does nothing else: in whole for the gradient by hand,
            above that for the others; methods of many passes work on up to 32 rows at once"""
