"""How relevance goes through steps without a kernel: small cases worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops

from innexplain.composites import RULE_NAMES, lrp_composite, positive_composite
from innexplain.graph.canonical import canonical
from innexplain.graph.trace import trace
from innexplain.rules import Gate, Pass, PositiveShares, Shares


def backward(rule, build, inputs, r):
    """The relevance that a rule hands to the inputs of the one step of a model."""
    symbols = [keras.Input(np.shape(x)[1:], dtype="float64") for x in inputs]
    graph = canonical(trace(keras.Model(symbols, build(*symbols)))).graph
    (step,) = graph.steps
    tensors = [ops.convert_to_tensor(np.asarray(x, "float64")) for x in inputs]
    outputs, pullback = rule.forward(step, *tensors)
    arriving = ops.convert_to_tensor(np.asarray(r, "float64"))
    leaving = pullback([ops.reshape(arriving, ops.shape(outputs[0]))])
    return [None if x is None else ops.convert_to_numpy(x).tolist() for x in leaving], pullback, arriving


def add(*x):
    return layers.Add(dtype="float64")(list(x))


CASES = {
    "add": (Shares(), add, [[[3.0]], [[1.0]]], [[8.0]], [[[6.0]], [[2.0]]]),
    "add_signs": (Shares(0.0), add, [[[3.0]], [[-1.0]]], [[4.0]], [[[6.0]], [[-2.0]]]),
    "add_zeros": (Shares(), add, [[[0.0]], [[0.0]]], [[4.0]], [[[2.0]], [[2.0]]]),
    "add_zeros_unequal": (Shares(equal=False), add, [[[0.0]], [[0.0]]], [[4.0]], [[[0.0]], [[0.0]]]),
    "add_cancelled": (Shares(), add, [[[3.0]], [[-3.0]]], [[4.0]], [[[0.0]], [[0.0]]]),
    "add_nearly_cancelled": (Shares(), add, [[[3.0]], [[-3.0001]]], [[4.0]], [[[0.0]], [[0.0]]]),
    "add_cancelled_in_part": (Shares(0.0), add, [[[3.0]], [[-2.0]]], [[4.0]], [[[12.0]], [[-8.0]]]),
    "matrix_of_zeros": (
        Shares(),
        lambda x: ops.matmul(x, np.array([[1.0, 0.0], [1.0, 0.0]])),
        [[[1.0, 3.0]]],
        [[4.0, 5.0]],
        [[[1.0, 3.0]]],
    ),
    "subtract": (
        Shares(0.0),
        lambda a, b: layers.Subtract(dtype="float64")([a, b]),
        [[[3.0]], [[1.0]]],
        [[4.0]],
        [[[6.0]], [[-2.0]]],
    ),
    "average": (
        Shares(0.0),
        lambda a, b: layers.Average(dtype="float64")([a, b]),
        [[[3.0]], [[1.0]]],
        [[4.0]],
        [[[3.0]], [[1.0]]],
    ),
    "average_pool": (
        Shares(0.0),
        layers.AveragePooling1D(2, dtype="float64"),
        [[[[3.0], [1.0]]]],
        [[[4.0]]],
        [[[[3.0], [1.0]]]],
    ),
    "average_pool_zeros": (
        Shares(),
        layers.AveragePooling1D(2, dtype="float64"),
        [[[[0.0], [0.0]]]],
        [[[4.0]]],
        [[[[2.0], [2.0]]]],
    ),
    "global_average": (
        Shares(0.0),
        layers.GlobalAveragePooling1D(dtype="float64"),
        [[[[1.0], [2.0], [5.0]]]],
        [[8.0]],
        [[[[1.0], [2.0], [5.0]]]],
    ),
    "positive_add": (PositiveShares(), add, [[[3.0]], [[-1.0]]], [[4.0]], [[[4.0]], [[-0.0]]]),
    "positive_subtract": (
        PositiveShares(),
        lambda a, b: layers.Subtract(dtype="float64")([a, b]),
        [[[1.0]], [[-3.0]]],
        [[4.0]],
        [[[1.0]], [[3.0]]],
    ),
    "activation": (Pass(), layers.Activation("tanh", dtype="float64"), [[[3.0]]], [[4.0]], [[[4.0]]]),
    "layer_norm": (
        Pass(),
        layers.LayerNormalization(dtype="float64"),
        [[[3.0, -1.0]]],
        [[4.0, 5.0]],
        [[[4.0, 5.0]]],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_by_hand(name):
    rule, build, inputs, r, expected = CASES[name]
    found, _, _ = backward(rule, build, inputs, r)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=1e-6)


def test_the_same_tensor_added_to_itself_is_counted_once():
    found, _, _ = backward(Shares(0.0), lambda x: layers.Add(dtype="float64")([x, x]), [[[3.0]]], [[4.0]])
    assert found == [[[4.0]]]


def test_broadcast_sums_share_in_proportion():
    """(1, 1) + (1, 3): the first input contributes to three outputs."""
    found, _, _ = backward(Shares(0.0), lambda a, b: a + b, [[[1.0]], [[1.0, 3.0, 0.0]]], [[2.0, 4.0, 5.0]])
    np.testing.assert_allclose(found[0], [[1.0 + 1.0 + 5.0]])
    np.testing.assert_allclose(found[1], [[1.0, 3.0, 0.0]])


def test_positive_shares_tell_what_nothing_contributed_to():
    found, pullback, r = backward(PositiveShares(), add, [[[-3.0]], [[-1.0]]], [[4.0]])
    assert found == [[[0.0]], [[0.0]]] or np.allclose(found, 0)
    np.testing.assert_allclose(ops.convert_to_numpy(pullback.absorbed([r])), [4.0])


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(3.0, 1.0, 0.0), (0.0, 0.0, 0.0), (3.0, -3.0, 4.0), (1.0, -0.5, 0.0)],
    ids=["share", "zeros", "cancelled", "signs"],
)
def test_shares_tell_what_cancelled(x, y, expected):
    found, pullback, r = backward(Shares(), add, [[[x]], [[y]]], [[4.0]])
    np.testing.assert_allclose(ops.convert_to_numpy(pullback.absorbed([r])), [expected], atol=1e-5)
    np.testing.assert_allclose(np.sum(found), 4.0 - expected, atol=1e-5)


@pytest.mark.parametrize(("x", "y"), [(3.0, -3.0), (0.0, 0.0)], ids=["cancelled", "zeros"])
def test_light_shares_tell_what_they_lose_at_zero(x, y):
    _, pullback, r = backward(Shares(equal=False), add, [[[x]], [[y]]], [[4.0]])
    np.testing.assert_allclose(ops.convert_to_numpy(pullback.absorbed([r])), [4.0])


@pytest.mark.parametrize(
    ("signal", "expected", "absorbed"),
    [([2.0, 1.0], [8.0, -4.0], 0.0), ([1.0, 1.0], [0.0, 0.0], 4.0), ([0.0, 0.0], [0.0, 0.0], 4.0)],
    ids=["shared", "cancelled", "zeros"],
)
def test_gates_that_sum_tell_what_cancelled(signal, expected, absorbed):
    """`sum_i s_i g_i` with gates 1 and -1."""
    x, gates = keras.Input((2,), dtype="float64"), keras.Input((2,), dtype="float64")
    dot = layers.Dot(axes=1, dtype="float64")([x, gates])
    (step,) = canonical(trace(keras.Model([x, gates], dot))).graph.steps
    step = replace(step, facts=replace(step.facts, gates=frozenset(step.inputs[1:])))
    tensors = [ops.convert_to_tensor(np.array([v])) for v in (signal, [1.0, -1.0])]
    _, pullback = Gate(0.0).forward(step, *tensors)
    r = ops.convert_to_tensor(np.array([[4.0]]))
    np.testing.assert_allclose(pullback([r])[0], [expected])
    assert pullback([r])[1] is None
    np.testing.assert_allclose(pullback.absorbed([r]), [absorbed])


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (layers.MaxPooling1D(2), [[[2.0], [2.0], [1.0], [5.0]]]),
        (layers.GlobalMaxPooling1D(), [[[5.0], [2.0], [5.0], [5.0]]]),
        (layers.UpSampling1D(3), [[[2.0], [3.0]]]),
        (layers.ZeroPadding1D(1), [[[2.0], [3.0]]]),
        (layers.Permute((2, 1)), [[[2.0, 1.0], [3.0, 4.0]]]),
        (layers.RepeatVector(3), [[2.0, 3.0]]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.layers.Layer) else "",
)
def test_winners_and_routes_neither_lose_nor_duplicate(layer, x):
    composite = lrp_composite("test", ())
    x = np.asarray(x, "float32")
    symbol = keras.Input(x.shape[1:])
    graph = canonical(trace(keras.Model(symbol, layer(symbol)))).graph
    (assignment,) = composite.assign(graph)
    (y,), pullback = assignment.rule.forward(assignment.step, ops.convert_to_tensor(x))
    r = ops.ones_like(y)
    if isinstance(layer, layers.ZeroPadding1D):
        r = r * ops.cast(y != 0, "float32")  # no rule that looks at values sends anything to a zero
    (leaving,) = pullback([r])
    np.testing.assert_allclose(float(ops.sum(leaving)), float(ops.sum(r)), rtol=1e-6)


def test_names_of_rules_and_of_positive_methods():
    assert lrp_composite("test", ()).resolve("Epsilon") == RULE_NAMES["Epsilon"]
    sums = [row.rule for row in positive_composite("test", (), "one").rows]
    assert PositiveShares() in sums
