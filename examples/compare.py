"""Which heatmap can be believed?  Analyzers, and maps that were computed elsewhere, on handwritten digits.

    python compare.py
    python compare.py report

Any array of maps can be judged, whatever computed it: here occlusion, written in a few lines of NumPy. The
second line writes report.html with its pictures and numbers to the folder given.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits

import innexplain
from innexplain.comparison import RegionPerturbation


def train(x: np.ndarray, y: np.ndarray) -> keras.Model:
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
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=10, verbose=0)
    return model


def occlusion(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """How far the score of the predicted class falls when a pixel and its neighbours are black, (n, 8, 8)."""
    outputs = model.predict(x, verbose=0)
    classes = outputs.argmax(axis=1)
    maps = np.zeros(x.shape[:3])
    for row in range(8):
        for column in range(8):
            hidden = x.copy()
            hidden[:, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = 0
            fallen = outputs - model.predict(hidden, verbose=0)
            maps[:, row, column] = fallen[np.arange(len(x)), classes]
    return maps


def main() -> None:
    """Train, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="where the report goes")
    folder = parser.parse_args().folder

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x, y = (digits.images[order, :, :, np.newaxis] / 16).astype("float32"), digits.target[order]
    model = train(x[:1300], y[:1300])
    unseen, true = x[1300:1340], y[1300:1340]

    methods = {name: name for name in ("lrp.epsilon", "gradient", "guided_backprop", "random")}
    methods["occlusion"] = occlusion(model, unseen)
    # A fifth of the pixels: with all of them every order ends alike.
    evaluators = [RegionPerturbation(region_size=1, steps=13), "complexity", "strong_features"]
    found = innexplain.compare(model, unseen, methods, evaluators, true)
    print(found)
    print("\n^ more is better, v less is; mean +- standard deviation over 40 digits")
    if folder is not None:
        print(f"wrote {found.save(folder)}")


if __name__ == "__main__":
    main()
