"""What does a network see as signal?  Patterns, fitted from the training images, and how good they are.

python patterns.py
"""

import keras
import numpy as np
from sklearn.datasets import load_digits

import innexplain
from innexplain import plots
from innexplain.patterns import ESTIMATORS, PATTERN_TYPES, PatternComputer, quality


def train(images: np.ndarray, labels: np.ndarray) -> keras.Model:
    """A small convolutional network."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="low"),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="middle"),
            keras.layers.MaxPooling2D(name="pool"),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu", name="high"),
            keras.layers.GlobalAveragePooling2D(name="mean"),
            keras.layers.Dense(10, activation="softmax", name="digit"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, epochs=12, verbose=0)
    return model


def main() -> None:
    """Fit on one half of the digits, measure on the other, and draw four estimators of the signal."""
    digits = load_digits()
    images = (digits.images[..., np.newaxis] / 16).astype("float32")
    model = train(images[:900], digits.target[:900])
    patterns = PatternComputer(model, PATTERN_TYPES).fit(images[:900], progress=False)
    print(patterns.report())

    found = quality(model, images[900:], patterns)
    print("\nrho: 1 if nothing that is left tells about the output")
    print(found)
    figure = plots.bars(found.means(), found.layers, ylabel="rho(S)", title="Quality of signal estimators")
    plots.save_figure(figure, "pattern-quality.png")

    x = images[-4:]
    maps = {}
    for method in ("pattern.net", "pattern.attribution"):
        for estimator in ESTIMATORS:
            analyzer = innexplain.create_analyzer(method, model, patterns=patterns, estimator=estimator)
            maps[f"{method.removeprefix('pattern.')} {estimator}"] = analyzer.analyze(x)
    meaning = {name: "signal" for name in maps if name.startswith("net")}
    plots.save_figure(plots.gallery(x, maps, columns=len(ESTIMATORS), meaning=meaning), "patterns.png")
    print("\nwritten: pattern-quality.png, patterns.png")


if __name__ == "__main__":
    main()
