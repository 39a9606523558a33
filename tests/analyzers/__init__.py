"""What the contract tests share: every analyzer by name, comparison of maps, refusals that are asserted."""

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

import innexplain
from innexplain.analyzers.method import names_where
from innexplain.errors import (
    GraphError,
    InnexplainWarning,
    NothingOverriddenError,
    UnsupportedLayerError,
)
from innexplain.network import Runner

NAMES = innexplain.analyzer_names()

# One name a code path: what a contract cannot tell apart is tested once.  `test_every_name.py` has all names.
PATHS = (
    *("input", "random", "gradient", "sensitivity", "integrated_gradients", "smoothgrad", "guided_backprop"),
    *("lrp.epsilon", "lrp.alpha_2_beta_1", "deep_taylor", "pattern.net", "clear"),
)
# Those that go backwards by rules of their own, and the rules of LRP that no path above has: for contracts
# of kernels and their axes.
RULES = (*PATHS[2:], "lrp.gamma", "lrp.sequential_preset_b_flat")


def over(*names: str) -> pytest.MarkDecorator:
    """A test for each of some analyzers."""
    return pytest.mark.parametrize("name", names)


# These need calls of the model only, so no model may be refused by them.
CALLS_ONLY = names_where(lambda method: method.needs != "graph")
# These give one number a location: there is no channel axis in their maps.
SPATIAL = names_where(lambda method: method.spatial)
# These compare classes: other modes than "max_activation" and "index", and one unit, are refused.
OF_CLASSES = names_where(lambda method: method.meaning == "dominance")
# What keeps a test short: the number of steps is no part of a contract.
FEW = {
    "integrated_gradients": {"steps": 3},
    "smoothgrad": {"augment_by_n": 3},
    "pattern.net": {"estimator": "S_w"},  # the one that needs no data
    "pattern.attribution": {"estimator": "S_w"},
}
SEEDED = names_where(lambda method: "seed" in method.settings)
REFUSALS = (UnsupportedLayerError, NothingOverriddenError, GraphError)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def create(name: str, model: Any, **kwargs: Any) -> innexplain.Analyzer:
    """An analyzer that takes few steps."""
    return innexplain.create_analyzer(name, model, **{**FEW.get(name, {}), **kwargs})


@functools.cache
def shared(name: str, network: Callable[[], Any], **kwargs: Any) -> innexplain.Analyzer:
    """An analyzer of one of the networks built once a run, made once a run: analyzers have no state."""
    return create(name, network(), **kwargs)


def create_or_refuse(name: str, model: Any, reason: str, **kwargs: Any) -> innexplain.Analyzer | None:
    """An analyzer, or `None` where it refuses the model in the way in which it should.

    A refusal must come at creation, name the analyzer and hold `reason`, and `check_model` must agree.
    """
    try:
        return create(name, model, **kwargs)
    except REFUSALS as error:
        refusal = str(error)
    assert name not in CALLS_ONLY, f"{name} needs no graph and must not refuse: {refusal}"
    assert name in refusal
    assert reason in refusal
    assert not innexplain.check_model(model, name, **kwargs).ok
    return None


@contextlib.contextmanager
def silent_maps_allowed() -> Iterator[None]:
    """For samples whose map is zero by right: deep Taylor of a negative score, an unused input."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InnexplainWarning)
        yield


def traces(analyzer: Any) -> int:
    """How often an analyzer compiled something."""
    return analyzer.network.runner.traces


@contextlib.contextmanager
def rows_of_calls() -> Iterator[list[int]]:
    """Inside, the number of rows in every call of a model by an analyzer."""
    rows: list[int] = []
    run = Runner.answer

    def counted(self: Runner, key: Any, function: Any, arrays: Any) -> Any:
        sweeps = isinstance(key, tuple) and key[0] == "sweeps"
        classes = key[1] if sweeps else 1  # of CLEAR: classes that go backwards as further rows
        rows.append(len(arrays[0]) * classes)
        return run(self, key, function, arrays)

    with mock.patch.object(Runner, "answer", counted):
        yield rows


def flat(maps: Any) -> np.ndarray:
    """All numbers of an answer, whatever its structure, in float64."""
    return np.concatenate([np.ravel(m).astype("float64") for m in keras.tree.flatten(maps)])


def assert_alike(actual: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Equal structure, shapes and values, to `tolerance` times the largest value; never all zero."""
    keras.tree.assert_same_structure(actual, expected)
    shapes = [[np.shape(m) for m in keras.tree.flatten(maps)] for maps in (actual, expected)]
    assert shapes[0] == shapes[1]
    a, b = flat(actual), flat(expected)
    assert np.isfinite(b).all()
    assert np.abs(b).max() > 0
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


def assert_different(actual: Any, expected: Any, tolerance: float = 1e-3) -> None:
    """At least one number differs by more than `tolerance` times the largest value."""
    a, b = flat(actual), flat(expected)
    assert np.abs(a - b).max() > tolerance * np.abs(b).max()


def tape_gradient(model: Any, x: Any, score: Callable[[Any], Any]) -> Any:
    """The gradient of a score by the inputs, in the structure of x, from TensorFlow's own tape."""
    watched = keras.tree.map_structure(tf.constant, x)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        value = score(model(watched, training=False))
    return keras.tree.map_structure(lambda g: g.numpy(), tape.gradient(value, watched))
