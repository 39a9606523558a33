"""What a call means to a backward pass, in every spelling."""

import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import activations, ops
from keras import layers as L

from innexplain.graph import kinds, trace
from innexplain.graph.classify import activation_kind, keras_type, kind_of
from tests.zoo.layers import NOT_A_STEP, exported_layer_names

SHAPE = (4, 6)


def _kind(call, shape: tuple = SHAPE) -> str:
    """The kind of the last step of `call` on an input."""
    x = keras.Input(shape)
    return trace(keras.Model(x, call(x))).steps[-1].kind


def relu(x):
    """Of the name, but not of the function."""
    return ops.tanh(x)


def linear(x):
    return 2.0 * x


RELUS = {
    "layer": L.ReLU(),
    "layer_settings": L.ReLU(max_value=6, negative_slope=0.1, threshold=0.5),
    "leaky": L.LeakyReLU(),
    "name": L.Activation("relu"),
    "name_6": L.Activation("relu6"),
    "name_leaky": L.Activation("leaky_relu"),
    "activation_ops": L.Activation(ops.relu),
    "activation_tensorflow": L.Activation(tf.nn.relu),
    "activation_layer": L.Activation(L.ReLU()),
    "ops": ops.relu,
    "ops_6": ops.relu6,
    "ops_leaky": ops.leaky_relu,
    "function": activations.relu,
    "function_settings": lambda x: activations.relu(x, max_value=6.0, negative_slope=0.1, threshold=0.5),
    "function_leaky": activations.leaky_relu,
    "maximum": lambda x: ops.maximum(x, 0.0),
    "maximum_left": lambda x: ops.maximum(0, x),
    "maximum_array": lambda x: ops.maximum(x, np.zeros(6, "float32")),
}

# What looks like a ReLU and is none, or might be one and cannot be told.
NO_RELUS = {
    "maximum_one": (lambda x: ops.maximum(x, 1.0), kinds.ACTIVATION),
    "maximum_array": (lambda x: ops.maximum(x, np.eye(6, dtype="float32")[2]), kinds.ACTIVATION),
    "maximum_of_two": (lambda x: ops.maximum(x, -x), kinds.WINNER),
    "minimum_zero": (lambda x: ops.minimum(x, 0.0), kinds.ACTIVATION),
    "clip": (lambda x: ops.clip(x, 0.0, 6.0), kinds.ACTIVATION),
    "own_function_named_relu": (L.Activation(relu), kinds.OPAQUE),
    "own_function_named_linear": (L.Activation(linear), kinds.OPAQUE),
    "partial": (L.Activation(functools.partial(activations.relu, max_value=2.0)), kinds.OPAQUE),
    "lambda": (L.Lambda(lambda x: ops.relu(x)), kinds.OPAQUE),
    "where": (lambda x: ops.where(x > 0, x, 0.0), kinds.OPAQUE),
    "elu": (L.ELU(), kinds.ACTIVATION),
    "prelu": (L.PReLU(), kinds.ACTIVATION),
    "silu": (L.Activation("silu"), kinds.ACTIVATION),
    "gelu": (ops.gelu, kinds.ACTIVATION),
    "nothing": (L.Activation("linear"), kinds.ROUTE),
    "none": (L.Activation(None), kinds.ROUTE),
}

OPERATIONS = {
    "times_constant": (lambda x: x * 2.0, kinds.SCALE),
    "constant_times": (lambda x: 2.0 * x, kinds.SCALE),
    "plus_constant": (lambda x: x + np.ones(6, "float32"), kinds.SCALE),
    "constant_minus": (lambda x: 1.0 - x, kinds.SCALE),
    "negative": (lambda x: -x, kinds.SCALE),
    "by_constant": (lambda x: x / 4.0, kinds.SCALE),
    "constant_by": (lambda x: 4.0 / x, kinds.ACTIVATION),
    "square": (lambda x: x**2, kinds.ACTIVATION),
    "exponential": (lambda x: 2.0**x, kinds.ACTIVATION),
    "sum_of_two": (lambda x: x + ops.relu(x), kinds.SUM),
    "difference": (lambda x: x - ops.relu(x), kinds.SUM),
    "product": (lambda x: x * ops.relu(x), kinds.PRODUCT),
    "product_with_itself": (lambda x: x * x, kinds.PRODUCT),
    "quotient": (lambda x: x / ops.relu(x), kinds.PRODUCT),
    "matrix": (lambda x: x @ np.ones((6, 3), "float32"), kinds.LINEAR),
    "einsum": (lambda x: ops.einsum("bij,jk->bik", x, np.ones((6, 2), "float32")), kinds.LINEAR),
    "matrix_of_two": (lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))), kinds.PRODUCT),
    "slice": (lambda x: x[:, 1:], kinds.ROUTE),
    "concatenate": (lambda x: ops.concatenate([x, x], axis=1), kinds.ROUTE),
    "reshape": (lambda x: ops.reshape(x, (-1, 24)), kinds.ROUTE),
    "cast": (lambda x: ops.cast(x, "float16"), kinds.ROUTE),
    "cast_away": (lambda x: ops.cast(x, "int32"), kinds.DISCRETE),
    "mean": (lambda x: ops.mean(x, axis=1), kinds.MEAN),
    "sum": (lambda x: ops.sum(x, axis=1), kinds.MEAN),
    "max": (lambda x: ops.max(x, axis=1), kinds.WINNER),
    "compare": (lambda x: x > 0, kinds.COMPARE),
    "round": (ops.round, kinds.DISCRETE),
    "argmax": (lambda x: ops.argmax(x, axis=-1), kinds.DISCRETE),
    "softmax": (ops.softmax, kinds.ACTIVATION),
    "unknown": (lambda x: ops.cumsum(x, axis=1), kinds.OPAQUE),
}


@pytest.mark.parametrize("spelling", RELUS)
def test_relu(spelling: str) -> None:
    assert _kind(RELUS[spelling]) == kinds.RELU


@pytest.mark.parametrize("spelling", NO_RELUS)
def test_no_relu(spelling: str) -> None:
    call, expected = NO_RELUS[spelling]
    assert _kind(call) == expected


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name: str) -> None:
    call, expected = OPERATIONS[name]
    assert _kind(call) == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (None, kinds.ROUTE),
        ("relu", kinds.RELU),
        (tf.nn.leaky_relu, kinds.RELU),
        (tf.nn.softmax, kinds.ACTIVATION),
        (L.PReLU(), kinds.ACTIVATION),
        (L.LeakyReLU(), kinds.RELU),
        (relu, kinds.OPAQUE),
        (lambda x: x, kinds.OPAQUE),
    ],
)
def test_activation_argument(function, expected: str) -> None:
    function = activations.get(function) if isinstance(function, str) else function
    assert activation_kind(function).meaning == expected


def test_every_exported_layer_has_a_record() -> None:
    exported = {getattr(L, name).__name__ for name in set(exported_layer_names()) - set(NOT_A_STEP)}
    assert exported - set(kinds.LAYERS) == {"Activation"}  # which has that of its function


FUNCTIONS = [name for name, kind in kinds.OPERATIONS.items() if kind.meaning == kinds.ACTIVATION]


def test_records_of_functions_hold() -> None:
    x, checked = np.linspace(-30.0, 30.0, 601, dtype="float32"), set()
    for name in FUNCTIONS:
        function = getattr(ops, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(), None)
        kind = kinds.OPERATIONS[name]
        if function is not None and (kind.bounded or kind.never_negative or kind.zero_at_zero):
            y = np.asarray(function(x))
            assert not kind.bounded or np.abs(y).max() <= 1.0, name
            assert not kind.never_negative or y.min() >= 0.0, name
            assert not kind.zero_at_zero or y[300] == 0.0, name
            checked.add(name)
    assert len(checked) > 15


class Renamed(L.Dense):
    """Keeps what Dense does."""

    def build(self, input_shape):
        super().build(input_shape)

    def get_config(self):
        return super().get_config()

    def helper(self):
        return 1


class OwnCall(L.Dense):
    def call(self, inputs, training=None):
        return super().call(inputs) ** 2


class OwnConvolution(L.Conv2D):
    """Standardises its kernel, in the method that Keras has for that."""

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel - ops.mean(kernel, axis=(0, 1, 2), keepdims=True))


class OwnKernel(L.Dense):
    @property
    def kernel(self):
        return ops.tanh(super().kernel)


def test_subclass_counts_as_its_base_only_while_it_computes_the_same() -> None:
    assert kind_of(Renamed(2)) == kind_of(L.Dense(2))
    for own in (OwnCall(2), OwnConvolution(2, 3), OwnKernel(2)):
        assert kind_of(own) == kinds.Kind(kinds.OPAQUE)
        assert keras_type(own) is None


@pytest.mark.skipif(not hasattr(L, "Pipeline"), reason="this Keras has no Pipeline")
@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([L.RandomFlip(), L.CenterCrop(2, 2)], kinds.ROUTE),
        ([L.Rescaling(2.0), L.CenterCrop(2, 2)], kinds.SCALE),
        ([L.Rescaling(2.0), L.Discretization(bin_boundaries=[0.0])], kinds.DISCRETE),
        ([L.Rescaling(2.0), L.ReLU()], kinds.WRAPPER),
        ([L.Conv2D(2, 1, activation="relu")], kinds.WRAPPER),
    ],
)
def test_pipeline_is_what_it_holds(layers: list, expected: str) -> None:
    assert kind_of(L.Pipeline(layers)).meaning == expected


@pytest.mark.skipif(not hasattr(L, "ReversibleEmbedding"), reason="this Keras has no ReversibleEmbedding")
def test_reversed_embedding_is_a_matrix() -> None:
    layer = L.ReversibleEmbedding(5, 3)
    capped = L.ReversibleEmbedding(5, 3, logit_soft_cap=2.0)
    tokens = keras.Input((4,), dtype="int32")
    for embedding, expected in ((layer, kinds.LINEAR), (capped, kinds.ACTIVATION)):
        there, back = trace(keras.Model(tokens, embedding(embedding(tokens), reverse=True))).steps
        assert (there.kind, back.kind) == (kinds.EMBEDDING, expected)


def test_masks_are_told_from_comparisons() -> None:
    x = keras.Input(SHAPE)
    masked = L.GlobalAveragePooling1D()(L.Masking()(x))
    gated = L.Flatten()(x * ops.cast(x > 0.5, "float32"))
    by_name = {s.type_name: s.kind for s in trace(keras.Model(x, [masked, gated])).steps}
    assert (by_name["NotEqual"], by_name["Any"]) == (kinds.MASK, kinds.MASK)
    assert by_name["Greater"] == kinds.COMPARE


def test_mask_that_is_also_a_value_is_no_mere_mask() -> None:
    x = keras.Input(SHAPE)
    mask = ops.any(ops.not_equal(x, 0.0), axis=-1)
    pooled = L.GlobalAveragePooling1D()(x, mask=mask)
    count = ops.sum(ops.cast(mask, "float32"), axis=-1, keepdims=True)
    by_name = {s.type_name: s.kind for s in trace(keras.Model(x, [pooled, count])).steps}
    assert by_name["NotEqual"] == kinds.COMPARE
