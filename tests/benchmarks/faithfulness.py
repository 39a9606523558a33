"""AOPC of common methods on trained networks and real images, as in section IV of Samek et al. 2017.

Needs the networks and images that `INNEXPLAIN_DATA` names. Prints a table a network, in the form of the
documentation: mean and standard deviation over images.
"""

import argparse
import os
import time
from pathlib import Path

from innexplain.console import table_lines

NETWORKS = ("squeezenet", "lenet", "resnet8", "resnet20")
# Edge of a region: 9 pixels of about 224, as in the paper; about a tenth of small images.
REGIONS = {"squeezenet": 9, "lenet": 3, "resnet8": 3, "resnet20": 3}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--images", type=int, default=30, help="images of MNIST and CIFAR-10")
    parser.add_argument("--repeats", type=int, default=10, help="draws of noise")
    parser.add_argument("--sampler", default="UniformSampler", help="a class of innexplain.samplers")
    parser.add_argument("--output", help="folder for the reports")


def run(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    import innexplain
    from innexplain import samplers
    from innexplain.comparison import RegionPerturbation

    sampler = getattr(samplers, arguments.sampler)()
    for name in arguments.networks:
        start = time.perf_counter()
        model, x, y = _load(name, arguments.images)
        perturbation = RegionPerturbation(REGIONS[name], sampler=sampler, repeats=arguments.repeats)
        analyzers = {n: n for n in ("lrp.epsilon", "lrp.alpha_2_beta_1", "deconvnet", "input_t_gradient")}
        for norm in ("inf", 2):
            made = innexplain.create_analyzer("sensitivity", model, norm=norm)
            analyzers[f"sensitivity, norm {norm}"] = made
        analyzers["random"] = "random"
        found = innexplain.compare(model, x, analyzers, [perturbation, "complexity"], y, batch_size=64)
        accuracy = float((found.target == y).mean()) if y is not None else float("nan")
        print(f"\n{name}: {len(x)} images {x.shape[1:]}, accuracy on them {accuracy:.1%}")
        print(f"{perturbation}, {found.curves()['random'].shape[1] - 1} steps")
        print(_table(found))
        print(f"{time.perf_counter() - start:.0f} s", flush=True)
        if arguments.output:
            found.save(Path(arguments.output) / name)
    return 0


def _load(name: str, images: int) -> tuple:
    from tests.zoo import real

    data = Path(os.environ["INNEXPLAIN_DATA"])
    if name == "squeezenet":
        photographs = real.photographs(data)
        return real.squeezenet(data, softmax=True), photographs.x, None
    if name == "lenet":
        return lenet(*real.mnist(data, "train")), *real.mnist(data, "test", images)
    return getattr(real, name)(data, softmax=True), *real.cifar(data, name, images)


def lenet(x, y):
    """A network in the manner of LeNet-5, trained for two passes over MNIST."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    stack = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(20, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        name="lenet",
    )
    return trained(stack, x, y)


def trained(model, x, y):
    """The model, trained for two passes."""
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=128, epochs=2, verbose=0)
    return model


def _table(found) -> str:
    """The measures of a comparison as text, best AOPC first."""
    columns = ("AOPC", "AOPC - random", "PNG bytes", "entropy, bits")
    rows = sorted(found.rows(), key=lambda row: -row["AOPC"])
    cells = [[row["analyzer"], *(f"{row[c]:.4g} +- {row[f'{c} sd']:.3g}" for c in columns)] for row in rows]
    return "\n".join(table_lines(["analyzer", *columns], cells))
