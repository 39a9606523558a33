"""A graph computes what its model computes: as traced, taken apart, and in canonical form."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L
from keras import ops, tree

from innexplain.graph import canonical, trace
from innexplain.graph.canonical import split
from innexplain.graph.view import run_forward
from tests.zoo import nest_pairs, relu_spellings
from tests.zoo.layers import layer_cases
from tests.zoo.models import model_cases, nest


def _slow_but(quick: tuple, cases: Any) -> list:
    """The cases, of which few are quick: they have one of each thing that could go wrong."""
    marks = {True: (), False: pytest.mark.slow}
    return [pytest.param(case, id=case.name, marks=marks[case.name in quick]) for case in cases]


NETWORKS = [case for case in model_cases() if case.graph]
# Several inputs and outputs, names, tokens, parts used twice, what is no layer, and a form of its own.
INSIDE = (
    "two_inputs_two_outputs", "dict_inputs", "token_two_inputs", "shared_submodel", "raw_ops_net",
    "subgraph_net", "channels_first",
)  # fmt: skip
HALF = ("conv_net", "lstm_net", "attention_net", "token_net", "raw_ops_net")
PAIRS = (
    "shared", "dict_inner", "dense_depth_2", "conv_sequential", "residual_depth_3", "conv_1d_depth_1",
)  # fmt: skip

# What TensorFlow's CPU lacks: convolutions with channels first, and max-pooling in 3-D.
NO_FLOAT64 = ("channels_first", "conv_3d")


def _tensors(x: Any) -> list:
    return [ops.convert_to_tensor(array) for array in tree.flatten(x)]


def _numpy(tensor: Any) -> np.ndarray:
    wide = "float64" if keras.backend.standardize_dtype(tensor.dtype) == "float64" else "float32"
    return ops.convert_to_numpy(ops.cast(tensor, wide))


def _run(graph: Any, tensors: list) -> list:
    """Compiled where channels come first: eagerly, TensorFlow's CPU computes those wrongly or not at all."""
    call = tf.function(run_forward, autograph=False) if _channels_first(graph) else run_forward
    return [_numpy(y) for y in call(graph, tensors)]


def _channels_first(graph: Any) -> bool:
    return any(getattr(s.operation, "data_format", None) == "channels_first" for s in graph.steps)


def _check(model: keras.Model, x: Any, expected: Any = None) -> None:
    """Run the graph in all its forms beside the model."""
    graph, tensors = trace(model), _tensors(x)
    if expected is None:
        expected = model.predict_on_batch(x) if _channels_first(graph) else model(x, training=False)
    expected = [_numpy(y) for y in tree.flatten(expected)]
    assert all(np.isfinite(y).all() for y in expected)
    tensors = [tensors[tree.flatten(graph.input_structure).index(e.origin)] for e in graph.entries]
    text = any(e.value.dtype == "string" for e in graph.entries)  # which has no canonical form
    for form in (graph, split(graph)) if text else (graph,):
        for answer, y in zip(_run(form, tensors), expected, strict=True):
            np.testing.assert_allclose(answer, y, rtol=1e-6, atol=1e-6)
    for number, y in enumerate(() if text else expected):
        plain, folded = (canonical(graph, number, pre_softmax=False, folded=f) for f in (False, True))
        _check_canonical(plain, tensors, y)
        if len(folded.graph.steps) < len(plain.graph.steps):
            _check_canonical(folded, tensors, y)


def _check_canonical(form: Any, tensors: list, y: np.ndarray) -> None:
    given = []
    for entry in form.graph.entries:
        tensor = tensors[entry.origin]
        if entry.embedding is not None:
            tensor = entry.embedding.function(tensor)[0]
        given.append(tensor if entry.embedding else ops.cast(tensor, entry.value.dtype))
    (answer,) = _run(form.graph, given)
    np.testing.assert_allclose(answer, y, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("case", NETWORKS, ids=lambda c: c.name)
def test_network(case: Any) -> None:
    _check(case.build(), case.inputs(3, np.random.default_rng(0)))


@pytest.mark.parametrize("case", _slow_but(INSIDE, NETWORKS))
def test_network_inside_two_models(case: Any) -> None:
    model, _ = nest(case, depth=2)
    _check(model, case.inputs(2, np.random.default_rng(1)))


@pytest.mark.parametrize("case", [c for c in NETWORKS if c.name not in NO_FLOAT64], ids=lambda c: c.name)
def test_network_in_double_precision(case: Any) -> None:
    _check_precision(case, "float64", 1e-12)


@pytest.mark.parametrize("case", _slow_but(HALF, NETWORKS))
def test_network_in_half_precision(case: Any) -> None:
    _check_precision(case, "mixed_bfloat16", 1e-6)  # the very same operations run


def _check_precision(case: Any, dtype: str, tolerance: float) -> None:
    model = case.build(dtype=dtype)
    wide = [x if x.dtype == "int32" else ops.cast(x, model.inputs[0].dtype) for x in _tensors(
        case.inputs(2, np.random.default_rng(2)))]  # fmt: skip
    expected = tree.flatten(model(tree.pack_sequence_as(model._inputs_struct, wide), training=False))
    for answer, y in zip(run_forward(split(trace(model)), wide), expected, strict=True):
        assert answer.dtype == y.dtype
        np.testing.assert_allclose(_numpy(answer), _numpy(y), rtol=tolerance, atol=tolerance)


CLASSES = {getattr(L, case.name): case for case in layer_cases()}  # each class under one name


@pytest.mark.parametrize("case", CLASSES.values(), ids=lambda c: c.name)
def test_layer(case: Any) -> None:
    _check(case.build(), case.inputs(2, np.random.default_rng(3)))


@pytest.mark.parametrize("pair", _slow_but(PAIRS, nest_pairs()))
def test_nested_and_inlined(pair: Any) -> None:
    nested, inlined = pair.build()
    x = pair.inputs(2, np.random.default_rng(4))
    _check(nested, x, inlined(x))
    kinds = [[(s.type_name, s.kind) for s in trace(m).steps] for m in (nested, inlined)]
    assert kinds[0] == kinds[1]
    assert len(kinds[0]) >= 4


@pytest.mark.parametrize("spelling", relu_spellings(), ids=lambda s: s.name)
def test_spelling(spelling: Any) -> None:
    *_, shared = spelling.build()
    _check(shared, spelling.inputs(2, np.random.default_rng(5)))


def _memory():
    x = keras.Input((5, 3))
    sequence, *states = L.LSTM(3, return_sequences=True, return_state=True)(x)
    return x, L.LSTM(3)(sequence, initial_state=states[::-1])


def _masked():
    x = keras.Input((5, 3))
    y = L.Dense(4, activation="relu")(L.Masking()(x))
    y = L.Bidirectional(L.GRU(2, return_sequences=True))(y)
    return x, L.GlobalAveragePooling1D()(L.Concatenate()([y, L.Add()([y, y])]))


def _attention_with_scores():
    x = keras.Input((5, 4))
    y, scores = L.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True, use_causal_mask=True)
    return x, [L.Flatten()(y), scores]


def _dropout_hands_its_input_on():
    x = keras.Input((5,))
    y = L.Dense(4)(x)
    return x, L.Add()([y, L.Dropout(0.5)(y), L.GaussianNoise(1.0)(y)])


def _arithmetic():
    x = keras.Input((4, 6))
    y = (x * np.linspace(0, 1, 6, dtype="float32") + 1.0) / 2.0 - x[:, ::-1]
    a, b = ops.split(ops.concatenate([y, x], axis=-1), 2, axis=-1)
    y = ops.einsum("bijk->bkj", ops.stack([a, b], axis=1)) @ np.ones((4, 3), "float32")
    y = ops.where(y > 0.2, ops.maximum(y, 0.1), 0.0) ** 2 + 1.0
    return x, (y - ops.mean(y, axis=1, keepdims=True)) / ops.sqrt(ops.var(y, axis=1, keepdims=True) + 1e-3)


def _one_inner_model_on_the_same_tensor_twice():
    a, b = keras.Input((4,)), keras.Input((4,))
    inner = keras.Model([a, b], [L.Subtract()([L.Dense(4)(a), b]), a])
    x = keras.Input((4,))
    first, second = inner([x, x])
    return x, inner([first, second * 2.0])


def _integers():
    x = keras.Input((4,), dtype="int32")
    floats = keras.Input((4,))
    inner = keras.Model(floats, L.Dense(3)(floats))
    return x, inner(x)


def _training_recorded():
    x = keras.Input((4,))
    return x, L.Dense(3)(L.Dropout(0.5)(x, training=False))


@pytest.mark.parametrize(
    "build",
    [
        _memory, _masked, _attention_with_scores, _dropout_hands_its_input_on, _arithmetic,
        _one_inner_model_on_the_same_tensor_twice, _integers, _training_recorded,
    ],
    ids=lambda f: f.__name__.strip("_"),
)  # fmt: skip
def test_unusual_call(build: Any) -> None:
    x, y = build()
    model = keras.Model(x, y)
    array = np.random.default_rng(6).normal(size=(2, *x.shape[1:])) * 3
    array[:, -2:] = 0.0 if build is _masked else array[:, -2:]
    _check(model, array.astype(x.dtype))


def test_what_was_recorded_in_training_runs_in_inference_mode() -> None:
    x = keras.Input((200,))
    inner = keras.Sequential([L.Dropout(0.5), L.BatchNormalization()])
    outer = keras.Model(x, L.Dropout(0.5)(inner(x, training=True), training=True))
    array = np.random.default_rng(7).normal(size=(2, 200)).astype("float32")
    (answer,) = run_forward(trace(outer), [ops.convert_to_tensor(array)])
    np.testing.assert_allclose(ops.convert_to_numpy(answer), array / np.sqrt(1 + 1e-3), rtol=1e-6)


def test_running_writes_nothing_to_the_model() -> None:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            L.Dense(3),
            L.BatchNormalization(),
            L.Dropout(0.5),
            L.Dense(2, activity_regularizer="l2"),
        ]
    )
    weights = [w.copy() for w in model.get_weights()]
    run_forward(split(trace(model)), [ops.ones((8, 4)) * 5.0])
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert model.losses == []
