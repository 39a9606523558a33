"""Do heatmaps tell how good a network is?  Their AOPC next to the accuracy, while digits are learnt.

    python network_quality.py
    python network_quality.py pictures

A network that looks at what matters in an image has maps that find it, and their AOPC needs no labels (Samek
et al. 2017, figure 7).  The picture network-quality.png is written to the folder given.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from innexplain import plots
from innexplain.evaluators import NetworkQuality


def network() -> keras.Model:
    """A small convolutional classifier."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def draw(history: list[dict[str, float]]) -> Figure:
    """Both curves over the epochs, each with an axis of its own."""
    epochs = [record["epoch"] for record in history]
    figure = Figure(figsize=(6, 4), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    curves = [
        (left, "val_accuracy", "accuracy on unseen digits", "tab:blue"),
        (right, "aopc_minus_random", "AOPC above random order", "tab:red"),
    ]
    for axes, name, label, colour in curves:
        axes.plot(epochs, [record[name] for record in history], color=colour, marker="o", markersize=3)
        axes.set_ylabel(label, color=colour)
        axes.tick_params(axis="y", colors=colour)
    left.set_xlabel("epoch")
    left.set_title("A network and its heatmaps, while it learns")
    return figure


def main() -> None:
    """Train, record, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="where the picture goes")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x, y = (digits.images[order, :, :, np.newaxis] / 16).astype("float32"), digits.target[order]
    # Ten pixels are the share of an image that the paper replaces; with all of them every order ends alike.
    quality = NetworkQuality(x[1300:1400], "lrp.epsilon", region_size=1, steps=10)
    network().fit(
        x[:1300], y[:1300], epochs=12, validation_data=(x[1300:], y[1300:]), callbacks=[quality], verbose=0
    )
    for record in quality.history[::2]:
        print(
            f"epoch {record['epoch']:2d}: accuracy {record['val_accuracy']:.3f}, "
            f"AOPC {record['aopc']:.3f}, {record['aopc_minus_random']:.3f} above random order"
        )
    print(f"wrote {plots.save_figure(draw(quality.history), folder / 'network-quality.png', dpi=110)}")


if __name__ == "__main__":
    main()
