"""What the benchmark of evaluators does in processes of its own."""

from collections.abc import Callable
from statistics import median

import keras
import numpy as np

from innexplain.evaluators import region_perturbation
from tests.benchmarks import networks
from tests.benchmarks.speed_tasks import taken_by
from tests.benchmarks.subprocesses import forget_peak, peak_megabytes, resident_megabytes

Settings = tuple[int, int, int, int]  # images, edge of a region, steps, repetitions


def _made(network: str, images: int) -> tuple[keras.Model, np.ndarray]:
    if network == "small":
        return networks.small(), np.random.default_rng(1).random((images, 28, 28, 1), "float32")
    return networks.network(network)[1], networks.images(images)


def _perturb(model: keras.Model, x: np.ndarray, settings: Settings, batch_size: int) -> Callable[[], object]:
    _, size, steps, repeats = settings
    maps = np.random.default_rng(2).standard_normal(x.shape)
    return lambda: region_perturbation(
        model, x, maps, region_size=size, steps=steps, repeats=repeats, batch_size=batch_size
    )


def times(network: str, settings: Settings, rounds: int, batch_size: int) -> dict[str, float]:
    """Median seconds of both sides and their ratios, over rounds in alternating order."""
    model, x = _made(network, settings[0])
    count = len(x) * (1 + 2 * settings[2] * settings[3])
    many = np.resize(x, (count, *x.shape[1:]))
    runs = {
        "predict": lambda: model.predict(many, batch_size=batch_size, verbose=0),
        "perturb": _perturb(model, x, settings, batch_size),
    }
    model.predict(many[: 2 * batch_size], batch_size=batch_size, verbose=0)  # compiles
    model.predict(many[: batch_size + count % batch_size], batch_size=batch_size, verbose=0)
    done = []
    for number in range(rounds):
        order = list(runs) if number % 2 == 0 else list(runs)[::-1]
        done.append({name: taken_by(runs[name]) for name in order})
    return {
        "inputs": count,
        **{name: median(d[name].clock for d in done) for name in runs},
        "ratio": median(d["perturb"].clock / d["predict"].clock for d in done),
        "cores": median(d["perturb"].cores / d["predict"].cores for d in done),
    }


def memory(network: str, settings: Settings, batch_size: int) -> dict[str, float]:
    """The peak of memory of region perturbation, above what the process had before."""
    model, x = _made(network, settings[0])
    perturb = _perturb(model, x, (*settings[:2], settings[2], 1), batch_size)
    forget_peak()
    before = resident_megabytes()
    perturb()
    return {"peak": peak_megabytes() - before}
