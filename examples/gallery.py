"""Train a small network on handwritten digits and draw how several analyzers explain it.

    python examples/gallery.py
    python examples/gallery.py --output docs/images/digits.png

The second line makes the picture of the README. It needs scikit-learn, which brings the digits along.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits

import innexplain
from innexplain import plots

ANALYZERS = (
    "gradient",
    "sensitivity",
    "input_t_gradient",
    "integrated_gradients",
    "smoothgrad",
    "deconvnet",
    "guided_backprop",
    "random",
)


def train(x: np.ndarray, y: np.ndarray) -> keras.Model:
    """An all-convolutional classifier."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Conv2D(10, 1),
            layers.GlobalAveragePooling2D(),
            layers.Softmax(),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=15, batch_size=64, verbose=0)
    return model


def main() -> None:
    """Train, pick digits, explain, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--analyzers", nargs="+", default=ANALYZERS, choices=innexplain.analyzer_names())
    parser.add_argument("--output", type=Path, default=Path("digits.png"), help="a picture file")
    arguments = parser.parse_args()

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x, y = (digits.images[order, :, :, np.newaxis] / 16).astype("float32"), digits.target[order]
    model = train(x[:1300], y[:1300])
    unseen, true = x[1300:], y[1300:]
    predicted = model.predict(unseen, verbose=0).argmax(axis=1)
    print(f"right on {np.mean(predicted == true):.1%} of {len(true)} digits it has not seen")

    right = [int(np.flatnonzero((predicted == true) & (true == digit))[0]) for digit in (0, 3, 5)]
    chosen = right + list(np.flatnonzero(predicted != true)[:1])
    analyzers = {name: innexplain.create_analyzer(name, model) for name in arguments.analyzers}
    maps = {name: analyzer.analyze(unseen[chosen]) for name, analyzer in analyzers.items()}
    labels = [f"a {true[i]},\nsays {predicted[i]}" for i in chosen]
    figure = plots.gallery(unseen[chosen], maps, labels)
    print(f"wrote {plots.save_figure(figure, arguments.output, dpi=110)}")


if __name__ == "__main__":
    main()
