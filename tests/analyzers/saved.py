"""What tests of saving and copying share: a network, settings that differ from all defaults, comparison."""

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np

import innexplain
from innexplain.analyzers import Analyzer
from innexplain.analyzers.method import METHODS, same_setting
from innexplain.patterns import PatternComputer, Patterns
from innexplain.rules import Gamma, Z
from tests.zoo import randomise

L = keras.layers
NAMES = innexplain.analyzer_names()
X = np.random.default_rng(0).standard_normal((3, 8, 8, 2)).astype("float32")
FITTED_ON = np.random.default_rng(1).standard_normal((8, 8, 8, 2)).astype("float32")


def network(seed: int = 4, **hidden: Any) -> keras.Model:
    """A small classifier with all that the settings speak of; settings of its hidden layer."""
    hidden = {"activation": "relu", **hidden}
    stack = [
        L.Conv2D(3, 3, name="conv"),
        L.BatchNormalization(name="norm"),
        L.ReLU(name="relu"),
        L.MaxPooling2D(name="pool"),
        L.Flatten(name="flat"),
        L.Dense(5, name="hidden", **hidden),
        L.Dense(3, activation="softmax", name="classes"),
    ]
    return randomise(keras.Sequential([keras.Input(X.shape[1:]), *stack], name="small"), seed)


MODEL = network()


@functools.cache
def patterns() -> Patterns:
    """Fitted for `MODEL`, of all types."""
    return PatternComputer(MODEL, ["relu", "relu.negative", "linear"]).fit(FITTED_ON, progress=False)


#: By argument, a value that no method has by default; by name of the method where one word means two things.
OTHER: dict[Any, Any] = {
    "postprocess": "abs",
    "norm": 2,
    "seed": 3,
    "analyzer": "guided_backprop",
    "augment_by_n": 3,
    "noise_scale": 0.3,
    "steps": 4,
    "baseline": np.full(X.shape[1:], 0.25, "float32"),
    ("integrated_gradients", "rule"): "gauss_legendre",
    ("lrp", "rule"): Gamma(0.5),
    "epsilon": 0.125,
    "bias": False,
    "gamma": 0.5,
    "alpha": 3.0,
    "beta": 2.0,
    "low": -4.0,
    "high": np.array([4.0, 5.0]),
    "input_layer_rule": (-3.0, 3.0),
    "until_layer_idx": 2,
    "until_layer_rule": "WSquare",
    "bn_rule": Z(),
    "estimator": "S_a",
    "head": "linear",
    "classes": [2, 0],
    "top_k": 2,
    "response": "lrp.epsilon",
    "channel_reduction": "max",
}
#: These go not with others: another name of one, or of no use to another response.
LEFT_OUT = ("bn_layer_rule", "layer", "rectify")


def other_settings(name: str) -> dict[str, Any]:
    """Settings that differ from the defaults of a name, all of them that can."""
    arguments = [argument for argument in METHODS[name].settings if argument not in LEFT_OUT]
    own = {a: OTHER.get((name, a), OTHER.get(a)) for a in arguments if a != "patterns"}
    if "patterns" in arguments:
        own["patterns"] = patterns()
    missing = [a for a, value in own.items() if value is None]
    assert missing == [], "give them a value in OTHER"
    return {"neuron_selection_mode": "index", "pre_softmax": False, **own}


def maps(analyzer: Analyzer) -> np.ndarray:
    """Of X, for class 1 where a class is asked for."""
    indexed = analyzer.options.neuron_selection_mode == "index"
    return analyzer.analyze(X, 1 if indexed else None)


@functools.cache
def made(name: str) -> tuple[Analyzer, np.ndarray]:
    """The analyzer of a name with other settings, and its maps."""
    analyzer = innexplain.create_analyzer(name, MODEL, **other_settings(name))
    return analyzer, maps(analyzer)


def assert_equal(found: Analyzer, expected: Analyzer) -> None:
    """Equal in class, settings and maps, bit by bit."""
    assert type(found) is type(expected)
    assert repr(found) == repr(expected)
    assert found.options == expected.options
    assert same_setting(found.method, expected.method) or "patterns" in repr(expected)
    np.testing.assert_array_equal(maps(found), maps(expected))


def reloaded(analyzer: Analyzer, folder: Path, **custom: Any) -> Analyzer:
    """Saved and loaded with its own model."""
    return innexplain.load_analyzer(analyzer.save(folder), analyzer.model, custom or None)
