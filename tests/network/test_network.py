"""A network answers what the model itself would: read, mirror, score, outputs and values, in any batches."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from innexplain import create_analyzer
from innexplain.errors import ArgumentError, HeadError, InputError, ModelError, UnknownNameError
from innexplain.network import Network, Options, chunks, total
from tests.zoo import randomise

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 6, 6, 2)).astype("float32")
A, B = RNG.standard_normal((5, 3)).astype("float32"), RNG.standard_normal((5, 2)).astype("float32")
TOKENS = RNG.integers(0, 9, (5, 4))


def image_model(batch_size: int | None = None) -> keras.Model:
    stack = [
        L.Conv2D(3, 3, activation="relu", name="conv"),
        L.Flatten(),
        L.Dense(4, name="hidden", activation="tanh"),
        L.Dense(3, activation="softmax", name="classes"),
    ]
    return randomise(keras.Sequential([keras.Input((6, 6, 2), batch_size=batch_size), *stack], name="image"))


def nested_model() -> keras.Model:
    x = keras.Input((6, 6, 2))
    return randomise(keras.Model(x, L.Dense(2, name="top")(image_model()(x)), name="nested"))


def several_inputs(as_dict: bool) -> keras.Model:
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    out = L.Dense(2, name="out")(L.Concatenate()([a, b]))
    return randomise(keras.Model({"a": a, "b": b} if as_dict else [a, b], out, name="several"))


def token_model() -> keras.Model:
    tokens = keras.Input((4,), dtype="int32", name="tokens")
    h = L.GlobalAveragePooling1D()(L.Embedding(9, 3, name="embedding", mask_zero=True)(tokens))
    return randomise(keras.Model(tokens, L.Dense(2, name="out")(h), name="tokens"))


def called(model: keras.Model, x: Any) -> np.ndarray:
    return ops.convert_to_numpy(model(x, training=False))


def scored(network: Network, x: Any, selection: Any = None, batch_size: int = 2) -> Any:
    given = network.read(x)
    data = network.target.data(selection, len(given.arrays[0]), network.output_shape(given.arrays))
    return network.score(network.rows(given.arrays), data, batch_size)


MODELS = {
    "image": (image_model, X),
    "nested": (nested_model, X),
    "list": (lambda: several_inputs(False), [A, B]),
    "dict": (lambda: several_inputs(True), {"a": A, "b": B}),
    "tokens": (token_model, TOKENS),
}


@pytest.mark.parametrize("case", MODELS)
def test_outputs_and_scores_are_those_of_the_model(case: str) -> None:
    make, x = MODELS[case]
    model = make()
    expected = called(model, x)
    network = Network.of(model, Options(pre_softmax=False))
    arrays = network.read(x).arrays
    for batch_size in (2, 5, 64):
        (outputs,) = network.outputs(arrays, batch_size)
        np.testing.assert_allclose(outputs, expected, rtol=1e-6, atol=1e-7)
        result = scored(network, x, batch_size=batch_size)
        np.testing.assert_array_equal(result.neuron, expected.argmax(axis=-1))
        np.testing.assert_allclose(result.score, expected.max(axis=-1), rtol=1e-6)
    assert result.maps == []
    assert network.output_shape(arrays) == expected.shape[1:]
    assert Network.of(network) is network
    assert not network.is_function and network.name == model.name


def test_options_say_which_score() -> None:
    model = image_model()
    logits = (
        called(keras.Model(model.inputs[0], model.get_layer("hidden").output), X)
        @ (model.get_layer("classes").get_weights()[0])
        + model.get_layer("classes").get_weights()[1]
    )
    np.testing.assert_allclose(scored(Network.of(model), X).score, logits.max(axis=1), rtol=1e-5)
    index = Network.of(model, Options("index"))
    np.testing.assert_allclose(
        scored(index, X, [0, 1, 2, 0, 1]).score, logits[range(5), [0, 1, 2, 0, 1]], rtol=1e-5
    )
    hidden = Network.of(model, Options("all", output="hidden"))
    sums = called(keras.Model(model.inputs[0], model.get_layer("hidden").output), X).sum(axis=1)
    np.testing.assert_allclose(scored(hidden, X).score, sums, rtol=1e-5, atol=1e-6)
    for options, error in (
        (Options(output="hiden"), UnknownNameError),
        (Options(pre_softmax="always"), ArgumentError),
        (Options("best"), ArgumentError),
        (Options(output="hidden", pre_softmax=True), HeadError),
    ):
        with pytest.raises(error):
            Network.of(model, options)


def test_values_are_those_of_the_layers() -> None:
    model = nested_model()
    inner = model.layers[1]
    network = Network.of(model)
    slots = network.slots(["conv", (inner.name, "hidden"), inner.get_layer("classes")])
    assert list(slots) == [
        "image/conv [activation]",
        "image/hidden [activation]",
        "image/classes [activation]",
    ]
    found = network.values([X], list(slots.values()), batch_size=2)
    for layer, value in zip(("conv", "hidden", "classes"), found, strict=True):
        part = keras.Model(inner.inputs[0], inner.get_layer(layer).output)
        np.testing.assert_allclose(value, called(part, X), rtol=1e-5, atol=1e-6)
    half = Network.of(keras.Sequential([keras.Input((3,)), L.Dense(2, dtype="float16")]))
    assert half.values([A], [half.canonical.exit.slot], 5)[0].dtype == "float32"


def test_read_refuses_what_does_not_fit() -> None:
    network = Network.of(several_inputs(True))
    for x, words in (
        ({"a": A}, r"must have the keys \['a', 'b'\]"),
        ({"a": A, "b": B[:4]}, "the same number of samples"),
        ({"a": A, "b": B[:, :1]}, r"Input 'b' must have shape \(None, 2\)"),
        ({"a": A * np.nan, "b": B}, "Input 'a' must be finite"),
    ):
        with pytest.raises(InputError, match=words):
            network.read(x)
    tokens = Network.of(token_model())
    beyond = tokens.read(TOKENS + 5).arrays
    with pytest.raises(InputError, match="Tokens of input 'tokens' must lie between 0 and 8"):
        tokens.rows(beyond)
    for model, words in ((3, "Received: 3"), ("a.keras", "Received: 'a.keras'"), (None, "Received: None")):
        with pytest.raises(ModelError, match=f"Expected a keras.Model, or a function.*{words}"):
            Network.of(model)
    with pytest.raises(ModelError, match="was never built"):
        Network.of(keras.Sequential([L.Dense(2)]))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "bool"])
def test_answers_mirror_what_was_given(dtype: str) -> None:
    """Structure and shape, and the dtype where that is a float."""
    network = Network.of(several_inputs(True))
    x = {"b": np.abs(B).astype(dtype), "a": np.abs(A).astype(dtype)}
    given = network.read(x)
    maps = [np.full_like(row, i + 0.5) for i, row in enumerate(network.rows(given.arrays))]
    found = given.repack(network.mirror(maps, given))
    assert list(found) == ["b", "a"]
    assert (found["a"] == 0.5).all() and (found["b"] == 1.5).all()
    assert {m.dtype.name for m in found.values()} == {dtype if dtype.startswith("float") else "float32"}
    listed = Network.of(several_inputs(False))
    assert type(listed.read((A, B)).repack([A, B])) is tuple


def test_tokens_get_a_score_each_or_their_whole_map() -> None:
    for whole, shape in ((False, (5, 4)), (True, (5, 4, 3))):
        network = Network.of(token_model(), Options(embedding_map=whole))
        given = network.read(TOKENS)
        rows = network.rows(given.arrays)
        maps = network.of_explained(rows)
        np.testing.assert_array_equal(maps[0], token_model().get_layer("embedding").get_weights()[0][TOKENS])
        (found,) = network.mirror(maps, given)
        np.testing.assert_array_equal(found, maps[0] if whole else maps[0].sum(axis=-1))
        assert found.shape == shape
        kept = network.take(rows, [np.zeros_like(maps[0])])
        assert [np.any(row) for row in kept] == [row is not maps[0] for row in rows]


def test_masks_are_not_explained() -> None:
    x, mask = keras.Input((4, 2), name="x"), keras.Input((4,), dtype="bool", name="mask")
    model = randomise(keras.Model([x, mask], L.Dense(2)(L.GlobalAveragePooling1D()(x, mask=mask))))
    network = Network.of(model)
    given = network.read([X[:, :4, 0, :], np.ones((5, 4), bool)])
    maps = network.of_explained(network.rows(given.arrays))
    assert len(maps) == 1
    assert network.mirror(maps, given)[1] is None


@pytest.mark.parametrize("n", [1, 4, 5, 9])
def test_fixed_batches_are_filled_up(n: int) -> None:
    model = image_model(batch_size=4)
    x = np.concatenate([X, X[:4] + 1])[:n]
    free = randomise(keras.models.clone_model(image_model()))
    free.set_weights(model.get_weights())
    network, expected = Network.of(model), Network.of(free)
    assert (network.runner.fixed, expected.runner.fixed) == (4, None)
    np.testing.assert_allclose(network.outputs([x], 2)[0], called(free, x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scored(network, x).score, scored(expected, x).score, rtol=1e-5)
    found = create_analyzer("gradient", model).analyze(x, batch_size=3)
    np.testing.assert_allclose(found, create_analyzer("gradient", free).analyze(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_scores_that_are_too_many_are_told(batch_size: int) -> None:
    network = Network.of(image_model(), Options(lambda y: ops.sum(y, axis=0)))
    with pytest.raises(ArgumentError, match=r"one score per sample.*Received: \d scores for 2 samples"):
        scored(network, X[:2], batch_size=batch_size)


@pytest.mark.compiled
def test_one_trace_a_shape_and_function() -> None:
    wide = keras.Input((None, 2))
    model = randomise(
        keras.Model(wide, L.Dense(3)(L.GlobalAveragePooling1D()(L.Conv1D(2, 2, name="c")(wide))))
    )
    network = Network.of(model)
    x = X[:, 0]
    for rows in (1, 2, 5):
        for batch_size in (2, 64):
            network.outputs([x[:rows]], batch_size)
            scored(network, x[:rows], batch_size=batch_size)
    assert network.runner.traces == 2
    scored(network, x[:, :4])
    assert network.runner.traces == 3
    slot = network.slots(["c"])["c [linear]"]
    network.values([x], [slot], 2)
    network.values([x], [slot], 64)
    network.outputs([x.astype("float64")], 64)
    assert network.runner.traces == 5


def test_failures_are_named() -> None:
    x = keras.Input((None, None, 2))
    model = keras.Model(x, L.GlobalAveragePooling2D()(L.Conv2D(2, 5)(x)), name="wide")
    small = X[:, :3, :3]
    for ask in (
        lambda n: n.outputs([small], 2),
        lambda n: scored(n, small),
        lambda n: n.values([small], [1], 2),
    ):
        with pytest.raises(
            InputError, match=r"The model 'wide' fails on this input.*shape\(s\) \[\(2, 3, 3, 2\)"
        ):
            ask(Network.of(model))


class Custom(keras.Model):
    """Code without a graph, for inputs in any structure."""

    def __init__(self) -> None:
        super().__init__(name="custom")
        self.dense = L.Dense(2)

    def call(self, inputs: Any) -> Any:
        flat = keras.tree.flatten(inputs)
        return self.dense(ops.concatenate([ops.reshape(x, (ops.shape(x)[0], -1)) for x in flat], axis=-1))


def test_a_model_without_a_graph_takes_inputs_as_they_come() -> None:
    model = Custom()
    expected = called(model, {"a": A, "b": B})
    network = Network.of(model, Options("index"))
    for x in ({"a": A, "b": B}, [A, B]):
        np.testing.assert_allclose(scored(network, x, 1).score, expected[:, 1], rtol=1e-6)
        np.testing.assert_allclose(network.outputs(network.read(x).arrays, 2)[0], expected, rtol=1e-6)
    with pytest.raises(InputError, match="must have a batch axis first"):
        network.read(3.0)


def test_slices_and_sums() -> None:
    assert list(chunks(5, 2)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(chunks(0, 2)) == []
    np.testing.assert_allclose(total([A, B]), A.sum(axis=1) + B.sum(axis=1), rtol=1e-5)
    assert total([A]).dtype == "float64"
