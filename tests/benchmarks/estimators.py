"""Signal estimators on trained networks: time of the fit, rho of every layer, AOPC.

Needs the networks and images that `INNEXPLAIN_DATA` names. Patterns are fitted on one half of the data; rho
is measured on the other half, as in figure 4 of Kindermans et al. 2018, and AOPC with regions replaced by
their mean, as in its figure 5.
"""

import argparse
import os
import time
from pathlib import Path

NETWORKS = ("lenet", "all_convolutional", "resnet20")
REGIONS = {"lenet": 3, "all_convolutional": 3, "resnet20": 3}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--images", type=int, default=50, help="images whose regions are replaced")


def run(arguments: argparse.Namespace) -> int:
    """Fit, measure and print."""
    import psutil

    import innexplain
    from innexplain.comparison import RegionPerturbation
    from innexplain.patterns import ESTIMATORS, PATTERN_TYPES, PatternComputer, quality
    from innexplain.samplers import MeanSampler

    for name in arguments.networks:
        model, fitted_on, held_out = _load(name)
        model(fitted_on[:1])
        before, start = psutil.Process().memory_info().rss, time.perf_counter()
        patterns = PatternComputer(model, PATTERN_TYPES).fit(fitted_on, progress=False)
        seconds = time.perf_counter() - start
        grown = (psutil.Process().memory_info().rss - before) / 1e6
        print(f"\n{name}: {model.count_params()} parameters, {len(fitted_on)} images in {seconds:.1f} s")
        print(f"{grown:.0f} MB more memory at the end")
        print(patterns.report())
        print(quality(model, held_out, patterns, samples=4000), flush=True)
        analyzers = {
            f"{method} {estimator}": innexplain.create_analyzer(
                f"pattern.{method}", model, patterns=patterns, estimator=estimator
            )
            for method in ("net", "attribution")
            for estimator in ESTIMATORS
        }
        perturbation = RegionPerturbation(REGIONS[name], sampler=MeanSampler())
        found = innexplain.compare(
            model, held_out[: arguments.images], {**analyzers, "random": "random"}, [perturbation]
        )
        print(found.table(), flush=True)
    return 0


def _load(name: str) -> tuple:
    from tests.benchmarks.faithfulness import lenet
    from tests.zoo import real

    data = Path(os.environ["INNEXPLAIN_DATA"])
    if name == "resnet20":
        x, _ = real.cifar(data, "resnet20")
        return real.resnet20(data, softmax=True), x[:500], x[500:]
    x, y = real.mnist(data, "train")
    held_out, _ = real.mnist(data, "test")
    build = lenet if name == "lenet" else _all_convolutional
    return build(x, y), x, held_out[:4000]


def _all_convolutional(x, y):
    """Convolutions only, one kernel a class at the end; trained for two passes over MNIST."""
    import keras

    from tests.benchmarks.faithfulness import trained

    keras.utils.set_random_seed(0)
    layers = keras.layers
    stack = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Conv2D(10, 1),
            layers.GlobalAveragePooling2D(),
            layers.Softmax(),
        ],
        name="all_convolutional",
    )
    return trained(stack, x, y)
