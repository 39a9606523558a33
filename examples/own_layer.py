"""Explain a model that has layers of your own: what is refused, and the three ways out.

    python own_layer.py

`Sharpen` acts as a ReLU, which guided backpropagation cannot know. `Quantize` rounds, and a step function
has no derivative: it needs a rule.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

import innexplain
from innexplain.rules import Rule


class Sharpen(keras.layers.Layer):
    """`max(x, 0)`, written by hand."""

    def call(self, x):
        """Cut off what is negative."""
        return ops.where(x > 0, x, 0.0)


class Quantize(keras.layers.Layer):
    """Round to sixteenths, as a chip with few bits would."""

    def call(self, x):
        """Round."""
        return ops.round(x * 16.0) / 16.0


@dataclass(frozen=True)
class StraightThrough(Rule):
    """`R_in = R`: on the way back, as if the layer were not there."""

    def forward(self, step, *inputs):
        """Run the step as it is, and hand on what comes back."""
        return step.function(*inputs), lambda relevances: relevances


def build() -> keras.Model:
    """A small classifier with both layers in it."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.Conv2D(8, 3, name="edges"),
            Sharpen(name="sharpen"),
            Quantize(name="quantize"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax", name="classes"),
        ]
    )


def main() -> None:
    """Meet the refusal, then give rules."""
    model = build()
    x = np.random.default_rng(0).random((2, 12, 12, 1), "float32")

    print("1. Guided backpropagation refuses what it does not know:\n")
    try:
        innexplain.create_analyzer("guided_backprop", model)
    except innexplain.errors.UnsupportedLayerError as error:
        print(error)

    print("\n2. A rule for each, in this model only:\n")
    rules = {"sharpen": "relu", "quantize": StraightThrough()}
    innexplain.check_model(model, "guided_backprop", rules=rules)
    analyzer = innexplain.create_analyzer("guided_backprop", model, rules=rules)
    in_model = analyzer.analyze(x)
    print("\noverridden:", ", ".join(analyzer.overridden))

    print("\n3. The same rules for every model and analyzer from now on:\n")
    innexplain.register_rule(Sharpen, "relu")
    innexplain.register_rule(Quantize, StraightThrough())
    registered = innexplain.create_analyzer("guided_backprop", model).analyze(x)
    print("same maps as before:", np.array_equal(in_model, registered))
    gradient = innexplain.create_analyzer("gradient", model).analyze(x)
    print("guided backpropagation differs from the gradient:", not np.allclose(registered, gradient))


if __name__ == "__main__":
    main()
