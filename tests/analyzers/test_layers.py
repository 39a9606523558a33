"""Every class that `keras.layers` exports, with every analyzer: explained, or refused by name.

Each model of the zoo gets a ReLU and a Dense behind it, so that methods that override ReLUs find one, and
weights that keep it open.  Nothing is zero then unless a method loses it.  What each method supports is a
table, and needs no run; two runs a layer show the derivative, and relevance that arrives.
"""

import functools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L
from keras import tree

import innexplain
from innexplain import errors
from innexplain.analyzers.method import METHODS
from innexplain.analyzers.walking import Backward
from innexplain.graph import kinds
from tests.zoo import randomise, undisturbed_random_state
from tests.zoo.layers import LayerCase, layer_cases

from . import FEW, assert_alike, create, over, tape_gradient

CASES = {getattr(L, case.name): case for case in reversed(layer_cases())}  # each class under one name
NAMES = {case.name: case for case in CASES.values()}


def _of(*meanings: str) -> set[str]:
    known = {name: kinds.LAYERS.get(getattr(L, name).__name__) for name in NAMES}
    return {name for name, kind in known.items() if kind is not None and kind.meaning in meanings}


# What is refused today; docs/layers.rst says the same, and a change of support has to be written down there.
TEXT = {"StringLookup", "TextVectorization"}
NO_DERIVATIVE = TEXT | _of(kinds.DISCRETE)
NOT_SEEN_INTO = _of(kinds.RECURRENT, kinds.ATTENTION, kinds.OPAQUE, kinds.WRAPPER)
REFUSED = {
    "calls": TEXT,
    "derivatives": NO_DERIVATIVE,
    "relevance": NO_DERIVATIVE | NOT_SEEN_INTO | {"Dot", "Multiply"},
    "rectifiers": NO_DERIVATIVE | NOT_SEEN_INTO | {"Activation", "ELU", "PReLU", "Softmax"},
}


def _refused(name: str) -> set[str]:
    """The layers that an analyzer has no rule for."""
    method = METHODS[name]
    if method.needs != "graph":
        return REFUSED["calls" if method.needs == "calls" else "derivatives"]
    relevance = isinstance(method, Backward) and method.composite().relevance
    return REFUSED["relevance" if relevance else "rectifiers"]


each_layer = pytest.mark.parametrize("layer", sorted(NAMES))


@functools.cache
def _model(name: str) -> tuple[keras.Model, Any]:
    """The layer's model with a ReLU behind it, and one input; whatever can be positive is."""
    case: LayerCase = NAMES[name]
    inner = case.build()
    with undisturbed_random_state():
        model = keras.Model(inner.inputs, L.Dense(2)(L.ReLU()(inner.outputs[0])))
    randomise(model)
    for weight in model.trainable_weights:
        if weight.name not in ("real_kernel", "imag_kernel"):
            weight.assign(np.abs(weight.numpy()))
    x = tree.map_structure(
        lambda a: np.abs(a) if a.dtype.kind == "f" else a, case.inputs(1, np.random.default_rng(0))
    )
    zero = tree.map_structure(lambda a: a if a.dtype.kind == "U" else a * 0, x)
    least = min(float(np.min(inner(a, training=False))) for a in (x, zero))
    inner.layers[-1].bias.assign(inner.layers[-1].bias + 5.0 - min(least, 0.0))
    model.layers[-1].bias.assign(model.layers[-1].bias + 5.0)
    return model, x


# What runs a layer that is no step of its own.
HELD = {"Equalization": "Pipeline", **dict.fromkeys(("GRUCell", "LSTMCell", "SimpleRNNCell"), "RNN")}
HELD["StackedRNNCells"] = "RNN"


def _names_the_layer(message: str | None, name: str) -> bool:
    """Whether a refusal tells the layer's type, or that of the layer that runs it."""
    return f"({HELD.get(name, getattr(L, name).__name__)})" in str(message)


@each_layer
@pytest.mark.usefixtures("capsys")
def test_table_of_support(layer: str) -> None:
    """Of every analyzer, with no run: what it has no rule for is listed, or named where it is text."""
    model, _ = _model(layer)
    for name in innexplain.analyzer_names():
        check = innexplain.check_model(model, name, **FEW.get(name, {}))
        assert check.ok == (layer not in _refused(name)), (
            f"{name} supports other layers now: change the table"
        )
        refused = [row for row in check.rows if row.status != "supported"]
        assert all(row.status.startswith("refused: ") and row.rule == "-" for row in refused)
        if not check.ok:
            assert refused or _names_the_layer(check.problem, layer)


@each_layer
@over("gradient", "guided_backprop", "lrp.epsilon")
def test_refusals_name_the_layer(name: str, layer: str) -> None:
    """One of each table."""
    model, _ = _model(layer)
    if layer not in _refused(name):
        create(name, model)
        return
    with pytest.raises(errors.UnsupportedLayerError) as refusal:
        create(name, model)
    assert _names_the_layer(str(refusal.value), layer), refusal


def _maps(name: str, layer: str) -> list[np.ndarray]:
    """The map of every input; something arrives at each."""
    model, x = _model(layer)
    maps = tree.flatten(create(name, model).analyze(x))
    for answer, array in zip(maps, tree.flatten(x), strict=True):
        assert np.isfinite(answer).all()
        assert np.any(answer)
        assert len(answer) == len(array)
    return maps


@pytest.mark.parametrize("layer", sorted(set(NAMES) - NO_DERIVATIVE))
def test_gradient_is_that_of_a_tape(layer: str) -> None:
    """Of tokens, which have none, only that something arrives."""
    maps = _maps("gradient", layer)
    model, x = _model(layer)
    if NAMES[layer].kind == "float":
        truth = tape_gradient(model, x, lambda y: tf.reduce_max(y, axis=-1))
        assert_alike(maps, tree.flatten(truth))


def _turns() -> list:
    """Every layer with one of the other methods that support it, turn by turn; backwards where it goes."""
    pairs = []
    for turn, layer in enumerate(sorted(set(NAMES) - TEXT)):
        names = [n for n in innexplain.analyzer_names() if n != "gradient" and layer not in _refused(n)]
        backwards = [n for n in names if n not in ("input", "random")] or names
        pairs.append((backwards[turn % len(backwards)], layer))
    return pairs


@pytest.mark.parametrize(("name", "layer"), _turns())
def test_relevance_arrives(name: str, layer: str) -> None:
    _maps(name, layer)
