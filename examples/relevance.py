"""Where does the score come from?  Relevance, and what every step of a network passes on.

python relevance.py
"""

import keras
import numpy as np
from sklearn.datasets import load_digits

import innexplain
from innexplain.composites import name_is
from innexplain.rules import Flat


def train(images: np.ndarray, labels: np.ndarray) -> keras.Model:
    """A small convolutional network with batch norm."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, padding="same", use_bias=False, name="low"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.ReLU(name="relu"),
            keras.layers.Conv2D(32, 3, activation="relu", name="high"),
            keras.layers.GlobalAveragePooling2D(name="pool"),
            keras.layers.Dense(10, activation="softmax", name="digit"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, epochs=5, verbose=0)
    return model


def main() -> None:
    """Explain four digits with three methods, and follow one explanation through the network."""
    digits = load_digits()
    images = (digits.images[..., np.newaxis] / 16).astype("float32")
    model = train(images[:1500], digits.target[:1500])
    x = images[-4:]

    mixed = {"rules": [(name_is("low"), Flat())]}  # the lowest layer spreads relevance evenly
    methods = {"lrp.epsilon": {}, "lrp.sequential_preset_a": {}, "lrp.alpha_1_beta_0": mixed}
    for name, arguments in methods.items():
        analyzer = innexplain.create_analyzer(name, model, **arguments)
        relevance, info = analyzer.analyze(x, return_info=True)
        absorbed = sum(info["absorbed"].values())
        print(f"{name:26s} score {info['score'].round(2)}  reaches the input {info['sum'].round(2)}")
        print(f"{'':26s} biases and epsilon keep {absorbed.round(2)}; largest {np.abs(relevance).max():.3f}")

    relevance, info = analyzer.analyze(x, return_layers=["high"])
    print("after each step, for the first digit:")
    for step, total in info["steps"].items():
        print(f"  {step:26s} {total[0]:8.3f}")
    print("relevance at 'high':", info["layers"]["high [activation]"].shape)


if __name__ == "__main__":
    main()
