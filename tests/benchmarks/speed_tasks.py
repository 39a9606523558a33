"""What the speed benchmark does in processes of its own."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import innexplain
from tests.benchmarks import networks
from tests.benchmarks.subprocesses import forget_peak, peak_megabytes

# Gradients measured before and after each run of a wrapper, which takes as long as dozens of them.
BRACKET = 4


def names() -> list[str]:
    """The analyzers that explain: all but the two baselines, which never go backwards."""
    return [name for name in innexplain.analyzer_names() if name not in ("input", "random")]


def seconds(function: Callable[[], Any]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def times(model: str, batch: int, analyzers: Sequence[str], repeats: int, wrapper_repeats: int) -> dict:
    """Median seconds of each analyzer, and its median ratio to the hand-written gradient.

    Returns:
        name -> {"seconds", "ratio", "passes"}; the ratio is to `passes` gradients, the number of backward
        passes a sample that the method asks for.
    """
    logits, whole = networks.network(model)
    x = networks.images(batch)
    written = networks.hand_written_gradient(logits)
    made = {name: innexplain.create_analyzer(name, whole) for name in analyzers}
    single = {name: a for name, a in made.items() if a.rows_per_sample == 1}
    gradient = lambda: written(x)  # noqa: E731
    gradient()
    answer = _interleaved(gradient, single, x, repeats)
    for name, analyzer in made.items():
        if name not in single:
            answer[name] = _bracketed(gradient, analyzer, x, wrapper_repeats)
    return answer


def _interleaved(gradient: Callable, analyzers: dict[str, Any], x: Any, repeats: int) -> dict[str, dict]:
    """Rounds of one run each, in alternating order; a ratio is that of two runs of one round."""
    runs = {"gradient by hand": gradient, **{n: lambda a=a: a.analyze(x) for n, a in analyzers.items()}}
    for run in runs.values():
        run()  # compiles
    rounds = []
    for number in range(repeats):
        order = list(runs) if number % 2 == 0 else list(runs)[::-1]
        rounds.append({name: seconds(runs[name]) for name in order})
    return {
        name: {
            "seconds": median(r[name] for r in rounds),
            "ratio": median(r[name] / r["gradient by hand"] for r in rounds),
            "passes": 1,
        }
        for name in runs
    }


def _bracketed(gradient: Callable, analyzer: Any, x: Any, repeats: int) -> dict[str, float]:
    """Runs of a wrapper, each compared with the gradients just before and after it."""
    analyzer.analyze(x[:1])  # compiles for every number of rows
    taken, ratios = [], []
    for _ in range(repeats):
        around = [seconds(gradient) for _ in range(BRACKET)]
        taken.append(seconds(lambda: analyzer.analyze(x)))
        around += [seconds(gradient) for _ in range(BRACKET)]
        ratios.append(taken[-1] / (analyzer.rows_per_sample * median(around)))
    return {"seconds": median(taken), "ratio": median(ratios), "passes": analyzer.rows_per_sample}


def cold(model: str, batch: int, analyzer: str | None) -> dict[str, float]:
    """Seconds from nothing to the first answer, and the peak of memory; `None` is the gradient by hand."""
    logits, whole = networks.network(model)
    x = networks.images(batch)
    forget_peak()

    def first() -> None:
        if analyzer is None:
            networks.hand_written_gradient(logits)(x)
        else:
            innexplain.create_analyzer(analyzer, whole).analyze(x)

    return {"first": seconds(first), "peak": peak_megabytes()}
