"""Canonical form: activations apart, one output, floats at every entry; and addresses into a graph."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

from innexplain import errors
from innexplain.graph import canonical, trace
from innexplain.graph.canonical import split
from innexplain.graph.view import run_forward
from tests.zoo.models import MODELS


def _last(call, shape: tuple = (4, 3)):
    x = keras.Input(shape)
    return split(trace(keras.Model(x, call(x)))).steps


def linear(x):
    """Of the name, but not of the function."""
    return 2.0 * x


@pytest.mark.parametrize(
    ("layer", "parts"),
    [
        (L.Dense(2), [("linear", "kernel")]),
        (L.Dense(2, activation="linear"), [("linear", "kernel")]),
        (L.Dense(2, activation="relu"), [("linear", "kernel"), ("activation", "relu")]),
        (L.Dense(2, activation="elu"), [("linear", "kernel"), ("activation", "activation")]),
        (L.Dense(2, activation=linear), [("linear", "kernel"), ("activation", "opaque")]),
        (L.Dense(2, activation=L.PReLU()), [("linear", "kernel"), ("activation", "activation")]),
        (L.SeparableConv1D(2, 2), [("depthwise", "kernel"), ("pointwise", "kernel")]),
        (
            L.SeparableConv1D(2, 2, activation="relu"),
            [("depthwise", "kernel"), ("pointwise", "kernel"), ("activation", "relu")],
        ),
        (L.LSTM(2), [("", "recurrent")]),
        (L.TimeDistributed(L.Dense(2, activation="relu")), [("", "wrapper")]),
    ],
)
def test_kernel_layers_are_taken_apart(layer, parts: list) -> None:
    steps = _last(layer)
    assert [(s.part, s.kind) for s in steps] == parts
    assert all(s.operation is layer for s in steps)
    for before, after in itertools.pairwise(steps):
        assert after.inputs == before.outputs


def test_function_named_linear_is_still_run() -> None:
    x = keras.Input((3,))
    model = keras.Model(x, L.Dense(2, activation=linear)(x))
    (answer,) = run_forward(split(trace(model)), [ops.ones((1, 3))])
    np.testing.assert_allclose(answer, model(ops.ones((1, 3))), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's own, with NumPy 2
def test_quantised_layer_is_custom_code() -> None:
    x = keras.Input((3,))
    layer = L.Dense(2, activation="relu")
    model = keras.Model(x, layer(x))
    layer.quantize("int8")
    (step,) = split(trace(model)).steps
    assert (step.kind, step.part) == ("opaque", "")


def test_only_what_the_output_needs_is_left() -> None:
    x, y = keras.Input((3,)), keras.Input((2,))
    one, two = L.Dense(2, name="one")(x), L.Dense(2, name="two")(y)
    graph = trace(keras.Model([x, y], [one, two]))
    assert [s.path for s in canonical(graph, 1).graph.steps] == [("two",)]
    assert [s.path for s in canonical(graph, "one").graph.steps] == [("one",)]


def test_output_may_be_any_layer_inside() -> None:
    case = MODELS["conv_net"]
    model = case.build()
    graph = trace(model)
    pool = next(layer for layer in model.layers if isinstance(layer, L.MaxPooling2D))
    forms = [canonical(graph, address) for address in (pool, pool.name, (pool.name,))]
    for form in forms:
        assert form.graph.steps[-1].operation is pool
        assert (form.head, form.stripped) == (None, False)
        assert form.graph.exits == (form.exit,)


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        (None, errors.ArgumentError, "has 2 outputs"),
        (2, errors.ArgumentError, "between 0 and 1"),
        (-1, errors.ArgumentError, "between 0 and 1"),
        (True, errors.ArgumentError, "an index, a name or a layer. Received: output=True"),
        ("tw", errors.UnknownNameError, "Did you mean 'two'"),
        (("nowhere", "two"), errors.AddressError, "answers to"),
        (L.Dense(2), errors.AddressError, "answers to"),
    ],
)
def test_unknown_output_is_refused(output, error: type, message: str) -> None:
    x = keras.Input((3,))
    graph = trace(keras.Model(x, [L.Dense(2, name="one")(x), L.Dense(2, name="two")(x)]))
    with pytest.raises(error, match=message):
        canonical(graph, output)


@pytest.mark.parametrize("pre_softmax", [None, "yes", 2, 1.0])
def test_unknown_pre_softmax_is_refused(pre_softmax) -> None:
    x = keras.Input((3,))
    with pytest.raises(errors.ArgumentError, match="pre_softmax must be"):
        canonical(trace(keras.Model(x, L.Dense(2)(x))), pre_softmax=pre_softmax)


def test_layer_called_twice_is_no_single_output() -> None:
    model = MODELS["shared_layer"].build()
    shared = next(layer for layer in model.layers if isinstance(layer, L.ReLU))
    with pytest.raises(errors.ArgumentError, match="gives 3 tensors"):
        canonical(trace(model), shared)


# --- Addresses -----------------------------------------------------------------------------------


def _two_towers():
    def tower(name: str):
        x = keras.Input((3,))
        return keras.Model(x, L.Dense(3, name="dense")(x), name=name)

    x = keras.Input((3,))
    model = keras.Model(x, L.Dense(2, name="head")(tower("right")(tower("left")(x))))
    return trace(model), model


def test_addresses() -> None:
    graph, model = _two_towers()
    (head,) = graph.find("head")
    assert graph.find(("head",)) == graph.find(model.get_layer("head")) == [head]
    (left,) = graph.find(("left", "dense"))
    assert left is not graph.find(("right", "dense"))[0]
    with pytest.raises(errors.AddressError, match=r"\('left', 'dense'\), \('right', 'dense'\)"):
        graph.find("dense")
    with pytest.raises(errors.AddressError, match="Did you mean 'head'"):
        graph.find("heat")


# --- Entries that are no floats ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize("mask_zero", [False, True])
def test_tokens_are_explained_at_their_embedding(dtype: str, mask_zero: bool) -> None:
    tokens = keras.Input((6,), dtype=dtype, name="tokens")
    embedded = L.Embedding(9, 4, mask_zero=mask_zero, name="words")(tokens)
    form = canonical(trace(keras.Model(tokens, L.Dense(2)(L.GlobalAveragePooling1D()(embedded)))))
    first, second = form.graph.entries
    assert (first.explained, second.explained) == (False, True)
    assert (second.value.shape, second.value.dtype, second.origin) == ((None, 6, 4), "float32", 0)
    assert second.embedding.path == ("words",)
    assert [s.part for s in form.graph.steps if s.type_name == "Embedding"] == ["given"]


def test_each_use_of_an_embedding_is_an_entry() -> None:
    a, b, embed = keras.Input((6,), dtype="int32"), keras.Input((3,), dtype="int32"), L.Embedding(9, 4)
    pooled = [L.GlobalMaxPooling1D()(embed(t)) for t in (a, b)]
    form = canonical(trace(keras.Model([a, b], L.Dense(2)(L.Concatenate()(pooled)))))
    assert [(e.origin, e.explained) for e in form.graph.entries] == [
        (0, False),
        (1, False),
        (0, True),
        (1, True),
    ]


def test_float_input_with_another_reader_stays_an_input() -> None:
    x = keras.Input((6,))
    both = L.Concatenate()([L.GlobalAveragePooling1D()(L.Embedding(9, 4)(x)), x])
    (entry,) = canonical(trace(keras.Model(x, L.Dense(2)(both)))).graph.entries
    assert (entry.explained, entry.embedding) == (True, None)


def test_bytes_of_an_image_are_fed_as_floats() -> None:
    x = keras.Input((4, 4, 3), dtype="uint8")
    form = canonical(trace(keras.Model(x, L.Flatten()(L.Conv2D(2, 2)(L.Rescaling(1 / 255)(x))))))
    (entry,) = form.graph.entries
    assert (entry.value.dtype, entry.explained, entry.channel_axis) == ("float32", True, -1)


def test_identifiers_reach_their_lookup_as_integers() -> None:
    ids = keras.Input((1,), dtype="int64")
    model = keras.Model(ids, L.Dense(2)(L.Hashing(5, output_mode="one_hot")(ids)))
    form = canonical(trace(model))
    (entry,) = form.graph.entries
    assert (entry.value.dtype, entry.explained) == ("float64", True)
    large = np.array([[2**40 + 1], [2**40 + 3]])
    (answer,) = run_forward(form.graph, [ops.convert_to_tensor(large, "float64")])
    np.testing.assert_array_equal(answer, model(large))


def test_truth_values_are_not_explained() -> None:
    x, mask = keras.Input((5, 3)), keras.Input((5,), dtype="bool")
    form = canonical(trace(keras.Model([x, mask], L.GlobalAveragePooling1D()(x, mask=mask))))
    assert [e.explained for e in form.graph.entries] == [True, False]


def test_text_is_refused_by_the_layer_that_reads_it() -> None:
    words = keras.Input((4,), dtype="string", name="words")
    lookup = L.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot", name="lookup")
    graph = trace(keras.Model(words, L.Dense(2)(lookup(words))))
    with pytest.raises(errors.UnsupportedLayerError, match=r"'words' takes text.*lookup \(StringLookup\)"):
        canonical(graph)


@pytest.mark.parametrize(
    ("shape", "layer", "axis"),
    [
        ((4, 5, 3), L.Conv2D(2, 2), -1),
        ((3, 4, 5), L.Conv2D(2, 2, data_format="channels_first"), 1),
        ((4, 5), L.Reshape((4, 5, 1)), None),
        ((4, 5, 3), L.Dense(2), -1),
        ((28, 28), L.Flatten(), None),
        ((28, 28), L.Reshape((784,)), None),
        ((28, 3), L.Flatten(), -1),
        ((784,), lambda y: L.Conv1D(2, 2)(L.Permute((2, 1))(L.Reshape((28, 28))(y))), -1),
        ((4, 6, 2), lambda y: L.Conv1D(2, 2)(L.Permute((2, 1))(L.Reshape((24, 2))(y))), -1),
        ((), lambda y: L.Conv1D(2, 1)(L.Reshape((1, 1))(y)), -1),
        ((4, 5, 6), L.Flatten(), -1),
        ((3, 8, 9), lambda y: L.Conv2D(2, 2)(L.Permute((2, 3, 1))(y)), 1),
        ((3, 8, 9), lambda y: L.Conv2D(2, 2)(ops.transpose(y, (0, 2, 3, 1))), 1),
        ((8, 3, 9), lambda y: L.Conv2D(2, 2)(L.Permute((1, 3, 2))(y)), 2),
    ],
)
def test_channel_axis_is_told_by_the_layers_behind(shape: tuple, layer, axis: int | None) -> None:
    x = keras.Input(shape)
    (entry,) = canonical(trace(keras.Model(x, layer(L.ReLU()(x))))).graph.entries
    assert entry.channel_axis == axis
