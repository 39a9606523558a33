"""What the speed benchmark does in processes of its own."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

import innexplain
from tests.benchmarks import networks
from tests.benchmarks.subprocesses import forget_peak, peak_megabytes

BY_HAND = "gradient by hand"
# Gradients measured before and after each run of a wrapper, which takes as long as dozens of them.
BRACKET = 4


def names() -> list[str]:
    """The analyzers that explain: all but the two baselines, which never go backwards."""
    return [name for name in innexplain.analyzer_names() if name not in ("input", "random")]


class Taken(NamedTuple):
    """What a call takes: seconds by the clock, and those of all processor cores together."""

    clock: float
    cores: float


def taken_by(function: Callable[[], Any]) -> Taken:
    """Call a function and see what it takes."""
    clock, cores = time.perf_counter(), time.process_time()
    function()
    return Taken(time.perf_counter() - clock, time.process_time() - cores)


def times(model: str, batch: int, analyzers: Sequence[str], repeats: int, wrapper_repeats: int) -> dict:
    """Median seconds of each analyzer, and its median ratios to the hand-written gradient.

    Returns:
        name -> {"seconds", "ratio", "cores", "passes"}; the ratios, by the clock and in seconds of all
        cores, are to `passes` gradients, the number of backward passes a sample that the method asks for.
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
    runs = {BY_HAND: gradient, **{n: lambda a=a: a.analyze(x) for n, a in analyzers.items()}}
    rounds = rounds_of(runs, repeats)
    return {name: _medians([(r[name], r[BY_HAND]) for r in rounds], 1) for name in runs}


def rounds_of(runs: dict[str, Callable], repeats: int) -> list[dict[str, Taken]]:
    """What each function takes in rounds of alternating order, after a call that compiles."""
    for run in runs.values():
        run()
    rounds = []
    for number in range(repeats):
        order = list(runs) if number % 2 == 0 else list(runs)[::-1]
        rounds.append({name: taken_by(runs[name]) for name in order})
    return rounds


def _bracketed(gradient: Callable, analyzer: Any, x: Any, repeats: int) -> dict[str, float]:
    """Runs of a wrapper, each compared with the gradients just before and after it."""
    analyzer.analyze(x[:1])  # compiles for every number of rows
    pairs = []
    for _ in range(repeats):
        around = [taken_by(gradient) for _ in range(BRACKET)]
        taken = taken_by(lambda: analyzer.analyze(x))
        around += [taken_by(gradient) for _ in range(BRACKET)]
        pairs.append((taken, Taken(*map(median, zip(*around, strict=True)))))
    return _medians(pairs, analyzer.rows_per_sample)


def _medians(pairs: Sequence[tuple[Taken, Taken]], passes: int) -> dict[str, float]:
    """Medians over pairs of a method's run and the gradient that it is compared with."""
    return {
        "seconds": median(method.clock for method, _ in pairs),
        "ratio": median(method.clock / gradient.clock for method, gradient in pairs) / passes,
        "cores": median(method.cores / gradient.cores for method, gradient in pairs) / passes,
        "passes": passes,
    }


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

    return {"first": taken_by(first).clock, "peak": peak_megabytes()}
