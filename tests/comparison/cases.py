"""Small models, inputs and maps for the tests of the comparison."""

from collections.abc import Callable

import keras
import numpy as np

from innexplain.comparison import RegionPerturbation

SHAPE = (7, 5, 2)
FAST = RegionPerturbation(region_size=2, steps=3, repeats=2)


def inputs(n: int = 3, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    """Random inputs in [0, 1], float32."""
    return np.random.default_rng(seed).random((n, *shape), "float32")


def network(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> keras.Model:
    """A small classifier of images, with softmax."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(3, name="classes"),
            layers.Softmax(),
        ],
        name="small",
    )


def flat_network(shape: tuple[int, ...]) -> keras.Model:
    """A small classifier of inputs of any rank."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    stack = [layers.Flatten(), layers.Dense(4, activation="relu"), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input(shape), *stack])


class Linear:
    """`softmax(w x)` in NumPy, which counts the rows it is asked for."""

    def __init__(self, shape: tuple[int, ...] = SHAPE, classes: int = 3) -> None:
        self.weights = np.random.default_rng(1).normal(size=(int(np.prod(shape)), classes))
        self.rows = 0
        self.largest = 0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.rows += len(x)
        self.largest = max(self.largest, len(x))
        z = x.reshape(len(x), -1) @ self.weights
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def maps(self, x: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Weight times input: what each value adds to the logit of a class."""
        return (x.reshape(len(x), -1) * self.weights[:, classes].T).reshape(x.shape)


def noise(x: np.ndarray, seed: int = 5) -> np.ndarray:
    """Maps that know nothing."""
    return np.random.default_rng(seed).normal(size=x.shape)


def counted(function: Callable, log: list) -> Callable:
    """The function, with its calls noted."""

    def call(*arguments: object, **keywords: object):
        log.append(arguments)
        return function(*arguments, **keywords)

    return call
