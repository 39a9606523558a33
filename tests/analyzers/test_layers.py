"""Every class that `keras.layers` exports, with every analyzer: explained, or refused by name.

Each model of the zoo gets a ReLU and a Dense behind it, so that methods that override ReLUs find one, and
weights that keep it open.  Nothing is zero then unless a method loses it.
"""

import contextlib
import functools
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import tree

import innexplain
from innexplain import errors
from innexplain.graph import kinds
from tests.eagerly import eagerly
from tests.zoo import randomise, undisturbed_random_state
from tests.zoo.layers import LayerCase, layer_cases

BASELINES = ("input", "random")
GRADIENTS = ("gradient", "sensitivity", "input_t_gradient", "integrated_gradients", "smoothgrad")
SIGNALS = ("deconvnet", "guided_backprop")
PATTERNS = ("pattern.net", "pattern.attribution")
FEW = {
    "integrated_gradients": {"steps": 3},
    "smoothgrad": {"augment_by_n": 3},
    **dict.fromkeys(PATTERNS, {"estimator": "S_w"}),
}

CASES = {getattr(L, case.name): case for case in reversed(layer_cases())}  # each class under one name
NAMES = {case.name: case for case in CASES.values()}


def _of(*meanings: str) -> set[str]:
    known = {name: kinds.LAYERS.get(getattr(L, name).__name__) for name in NAMES}
    return {name for name, kind in known.items() if kind is not None and kind.meaning in meanings}


# What is refused today; docs/layers.rst says the same, and a change of support has to be written down there.
TEXT = {"StringLookup", "TextVectorization"}
NO_DERIVATIVE = _of(kinds.DISCRETE) - TEXT
OTHER_NON_LINEARITY = {"Activation"} | _of(kinds.ACTIVATION, kinds.RECURRENT, kinds.ATTENTION)
CANNOT_BE_SEEN = _of(kinds.OPAQUE, kinds.WRAPPER)

REFUSED = {
    **dict.fromkeys(BASELINES, TEXT),
    **dict.fromkeys(GRADIENTS, TEXT | NO_DERIVATIVE),
    **dict.fromkeys(
        (*SIGNALS, *PATTERNS, "clear"), TEXT | NO_DERIVATIVE | OTHER_NON_LINEARITY | CANNOT_BE_SEEN
    ),
}

LATER = [name for name in innexplain.analyzer_names() if name not in REFUSED]


def _pairs() -> list:
    """All pairs; of later analyzers one a layer, turn by turn, is not slow."""
    pairs = []
    for turn, layer in enumerate(sorted(NAMES)):
        for name in innexplain.analyzer_names():
            fast = name in REFUSED or LATER.index(name) == turn % len(LATER)
            marks = () if fast else pytest.mark.slow
            pairs.append(pytest.param(layer, name, marks=marks, id=f"{layer}-{name}"))
    return pairs


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
    least = min(float(np.min(inner.predict_on_batch(a))) for a in (x, zero))
    inner.layers[-1].bias.assign(inner.layers[-1].bias + 5.0 - min(least, 0.0))
    model.layers[-1].bias.assign(model.layers[-1].bias + 5.0)
    return model, x


# What runs a layer that is no step of its own.
HELD = {"Equalization": "Pipeline", **dict.fromkeys(("GRUCell", "LSTMCell", "SimpleRNNCell"), "RNN")}
HELD["StackedRNNCells"] = "RNN"


def _names_the_layer(message: str | None, name: str) -> bool:
    """Whether a refusal tells the layer's type, or that of the layer that runs it."""
    return f"({HELD.get(name, getattr(L, name).__name__)})" in str(message)


def _create(name: str, model: keras.Model) -> tuple[Any, str | None]:
    """The analyzer, or else the words of its refusal."""
    try:
        return innexplain.create_analyzer(name, model, **FEW.get(name, {})), None
    except errors.UnsupportedLayerError as error:
        return None, str(error)


@pytest.mark.parametrize(("layer", "name"), _pairs())
def test_layer_is_explained_or_refused_by_name(layer: str, name: str) -> None:
    model, x = _model(layer)
    analyzer, refusal = _create(name, model)
    if name in REFUSED:
        assert (analyzer is None) == (layer in REFUSED[name]), refusal or "supported now: change the table"
    if analyzer is None:
        assert _names_the_layer(refusal, layer), refusal
        return
    with contextlib.nullcontext() if name == "gradient" else eagerly():
        maps = tree.flatten(analyzer.analyze(x))
    for answer, array in zip(maps, tree.flatten(x), strict=True):
        assert np.isfinite(answer).all()
        assert np.any(answer)
        assert len(answer) == len(array)


def test_every_analyzer_meets_every_kind_of_layer_in_the_quick_tests() -> None:
    quick = [pair for pair in _pairs() if not pair.marks]
    assert {pair.values[0] for pair in quick} == set(NAMES)
    assert {pair.values[1] for pair in quick} == set(innexplain.analyzer_names())


@pytest.mark.parametrize("layer", sorted(NAMES))
def test_table_of_support_says_the_same(layer: str) -> None:
    """`check_model` does not stop at what is refused, and tells the same."""
    model, _ = _model(layer)
    for name in ("input", "gradient", "guided_backprop"):
        check = innexplain.check_model(model, name)
        assert check.ok == (layer not in REFUSED[name])
        if layer in TEXT:
            assert _names_the_layer(check.problem, layer)
        elif not check.ok:
            refused = [row for row in check.rows if row.status != "supported"]
            assert all(row.status.startswith("refused: ") and row.rule == "-" for row in refused)
            assert refused
