"""Models that are no chain from floats to classes: tokens, masks, bytes, spatial outputs, inner layers."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import innexplain
from innexplain.errors import ArgumentError, InnexplainWarning, InputError, UnsupportedLayerError
from tests.zoo import randomise
from tests.zoo.models import MODELS

from . import (
    PATHS,
    SPATIAL,
    assert_alike,
    assert_different,
    create,
    create_or_refuse,
    over,
    rng,
    silent_maps_allowed,
    tape_gradient,
)
from .networks import TOKENS, N, token_network, tokens

ignore_silent = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")


def behind_embedding(model, tokens, mask=True):
    """The gradient of logit 1 by the embedded tokens, by hand."""
    embed, *rest = model.layers[1:]
    kwargs = {"mask": embed.compute_mask(tokens)} if mask else {}

    def call(e, training):
        y = rest[0](e, **kwargs)
        for layer in rest[1:]:
            y = layer(y)
        return y

    return tape_gradient(call, embed(tokens).numpy(), lambda y: y[:, 1])


@ignore_silent
@over(*PATHS)
def test_tokens_get_a_score_each_or_the_whole_map(name):
    model = tokens()
    analyzer = create_or_refuse(name, model, "embed", neuron_selection_mode="index")
    if analyzer is None:
        return
    scores = analyzer.analyze(TOKENS, 1)
    whole = create(name, model, neuron_selection_mode="index", embedding_map=True).analyze(TOKENS, 1)
    assert scores.shape == (N, 7)
    assert scores.dtype == whole.dtype == np.dtype("float32")
    if name in SPATIAL:
        assert_alike(whole, scores, 0)
        return
    assert whole.shape == (N, 7, 4)
    assert_alike(whole.sum(-1), scores)
    if name == "gradient":
        assert_alike(whole, behind_embedding(model, TOKENS))
    if name in ("gradient", "guided_backprop", "integrated_gradients"):
        assert not whole[:, 5:].any()  # padding plays no part in a masked mean
        assert np.any(whole[:, :5], axis=-1).all()


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "uint8"])
def test_tokens_of_any_dtype_that_the_model_asks_for(dtype):
    """`keras.Input((7,))` in front of an Embedding is float32, and common."""
    model = token_network(dtype)
    expected = create("gradient", tokens()).analyze(TOKENS)
    for given in ("int16", "int64", "float32"):
        answer = create("gradient", model).analyze(TOKENS.astype(given))
        assert_alike(answer, expected, 1e-6)


def test_tokens_that_a_nested_model_casts():
    x = keras.Input((7,))
    analyzer = create("gradient", keras.Model(x, token_network()(x)))
    assert_alike(analyzer.analyze(TOKENS), create("gradient", tokens()).analyze(TOKENS), 1e-6)


@pytest.mark.parametrize("dims", [(4, 3), (4, 4)])
def test_two_embeddings_of_one_input_stand_side_by_side(dims):
    x = keras.Input((7,), dtype="int32")
    parts = [L.GlobalAveragePooling1D()(L.Embedding(9, d)(x)) for d in dims]
    model = randomise(keras.Model(x, L.Dense(2)(L.Concatenate()(parts))))
    kernel = model.layers[-1].kernel.numpy()
    analyzer = create("gradient", model, neuron_selection_mode="index", embedding_map=True)
    whole = analyzer.analyze(TOKENS, 1)
    assert_alike(whole, np.broadcast_to(kernel[:, 1] / 7, (N, 7, sum(dims))).astype("float32"))
    scores = create("gradient", model, neuron_selection_mode="index").analyze(TOKENS, 1)
    assert_alike(scores, whole.sum(-1))


@ignore_silent
@over("gradient", "lrp.epsilon", "smoothgrad", "clear")
def test_two_token_inputs(name):
    case = MODELS["token_two_inputs"]
    x = case.inputs(3, rng())
    maps = create(name, case.build()).analyze(x)
    assert [m.shape for m in maps] == [(3, 7), (3, 4)]
    assert maps[0].any()
    assert maps[1].any()


def test_tokens_outside_the_vocabulary():
    analyzer = create("gradient", tokens())
    for wrong in (9, -1):
        with pytest.raises(InputError, match=rf"between 0 and 8, the vocabulary of embed.*{wrong}"):
            analyzer.analyze(np.full((2, 7), wrong))


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_tokens_must_be_whole_numbers(dtype):
    with pytest.raises(InputError, match=r"whole numbers.*1\.5"):
        create("gradient", token_network(dtype)).analyze(np.full((2, 7), 1.5))


def test_masks_reach_recurrent_layers():
    x = keras.Input((7,), dtype="int32")
    y = L.Embedding(9, 4, mask_zero=True)(x)
    y = L.GRU(3)(L.Bidirectional(L.LSTM(2, return_sequences=True))(y))
    model = randomise(keras.Model(x, L.Dense(2)(y)), 4)
    analyzer = create("gradient", model, neuron_selection_mode="index", embedding_map=True)
    embed, lstm, gru, head = model.layers[1:]
    mask = embed.compute_mask(TOKENS)
    truth = tape_gradient(
        lambda e, training: head(gru(lstm(e, mask=mask), mask=mask)),
        embed(TOKENS).numpy(),
        lambda y: y[:, 1],
    )
    assert_alike(analyzer.analyze(TOKENS, 1), truth)


@functools.cache
def loop():
    x = keras.Input((5, 3))
    return randomise(keras.Model(x, L.Dense(2)(L.SimpleRNN(3, name="loop")(L.ReLU()(x)))), 1)


@over(*PATHS)
def test_recurrent_layers_are_explained_or_refused_by_name(name):
    model = loop()
    analyzer = create_or_refuse(name, model, "loop (SimpleRNN)", neuron_selection_mode="index")
    if analyzer is None:
        with pytest.raises(UnsupportedLayerError, match="unsupported='gradient'"):
            create(name, model)
        assert innexplain.check_model(model, name, unsupported="gradient").ok
        return
    data = np.abs(rng().normal(size=(2, 5, 3))).astype("float32")
    maps = analyzer.analyze(data, 1)
    assert maps.any()
    if name == "gradient":
        assert_alike(maps, tape_gradient(model, data, lambda y: y[:, 1]))


def test_the_way_out_of_a_refusal_works():
    """Guided backprop with the gradient through the loop: here there is no other ReLU than the first."""
    data = np.abs(rng().normal(size=(2, 5, 3))).astype("float32")
    plain = create("gradient", loop()).analyze(data)
    for kwargs in ({"unsupported": "gradient"}, {"rules": {"loop": "gradient"}}):
        maps = create("guided_backprop", loop(), **kwargs).analyze(data)
        assert_alike(maps, np.maximum(plain, 0), 1e-6)


def test_images_of_bytes():
    """An integer input without an embedding is explained as the number that it is."""
    x = keras.Input((4, 4, 1), dtype="uint8")
    model = randomise(keras.Model(x, L.Dense(2)(L.Flatten()(L.Rescaling(1 / 255)(x)))))
    data = rng().integers(0, 255, (3, 4, 4, 1), dtype="uint8")
    analyzer = create("gradient", model, neuron_selection_mode="index")
    maps = analyzer.analyze(data, 1)
    assert maps.dtype == np.dtype("float32")
    assert_alike(maps[0].ravel(), model.layers[-1].kernel.numpy()[:, 1] / 255)


def test_a_boolean_mask_as_an_input_gets_zeros_and_no_warning():
    x, mask = keras.Input((6, 3)), keras.Input((6,), dtype="bool")
    model = randomise(keras.Model([x, mask], L.Dense(2)(L.GlobalAveragePooling1D()(x, mask=mask))))
    data, keep = rng().normal(size=(2, 6, 3)), np.arange(6)[None].repeat(2, 0) < 4
    maps, of_mask = create("gradient", model).analyze([data, keep])
    assert maps[:, :4].all()
    assert not maps[:, 4:].any()
    assert of_mask.shape == (2, 6)
    assert not of_mask.any()


@over("gradient", "guided_backprop", "lrp.epsilon", "smoothgrad", "clear")
def test_an_input_that_plays_no_part_warns(name):
    a, b = keras.Input((3,)), keras.Input((2,))
    y = L.Dense(4, activation="relu")(a)
    model = keras.Model([a, b], [L.Dense(2)(y), L.Dense(2)(L.ReLU()(b))])
    for layer in model.layers:
        layer.set_weights([np.ones_like(w) for w in layer.get_weights()])
    data = [np.ones((2, 3), "float32"), np.ones((2, 2), "float32")]
    with pytest.warns(InnexplainWarning, match=f"{name}.*2 of 2 samples.*zero everywhere") as caught:
        maps = create(name, model, output=0).analyze(data)
    assert caught[0].filename == __file__
    assert maps[0].all()
    assert not maps[1].any()


# --- Spatial outputs and inner layers ------------------------------------------------------------


@functools.cache
def u_net():
    return MODELS["u_net"].build()


@ignore_silent
@over("gradient", "lrp.epsilon", "smoothgrad")
def test_spatial_output(name):
    """A number, a position and one-hot weights of a segmentation are the same choice."""
    model, x = u_net(), MODELS["u_net"].inputs(2, rng())
    shape, position = model.output_shape[1:], (3, 4, 1)
    index = int(np.ravel_multi_index(position, shape))
    weights = np.zeros(shape)
    weights[position] = 1
    by_index = create(name, model, neuron_selection_mode="index")
    expected = by_index.analyze(x, index)
    assert_alike(by_index.analyze(x, position), expected, 0)
    assert_alike(by_index.analyze(x, [index, index]), expected, 0)
    by_weights = create(name, model, neuron_selection_mode="weights")
    assert_alike(by_weights.analyze(x, weights), expected)
    info = create(name, model).analyze(x, return_info=True)[1]
    logits = innexplain.model_wo_softmax(model)(x).numpy().reshape(2, -1)
    np.testing.assert_array_equal(info["neuron"], logits.argmax(-1))
    if name == "gradient":
        view = innexplain.model_wo_softmax(model)
        assert_alike(expected, tape_gradient(view, x, lambda y: y[:, 3, 4, 1]))
        assert np.abs(expected).argmax() != 0


def test_a_position_outside_the_output():
    analyzer = create("gradient", u_net(), neuron_selection_mode="index")
    for position in ((8, 0, 0), (0, 0), (0.5, 0, 0)):
        with pytest.raises(ArgumentError, match=r"position in the output of shape \(8, 8, 3\)"):
            analyzer.analyze(MODELS["u_net"].inputs(2, rng()), position)


@functools.cache
def nested():
    x = keras.Input((6,))
    inner = keras.Model(x, L.Dense(5, activation="relu", name="hidden")(x), name="base")
    outer = keras.Input((6,))
    y = L.Dense(4, activation="relu", name="middle")(inner(outer))
    heads = [L.Dense(3, activation="softmax", name="first")(y), L.Dense(2, name="second")(y)]
    return randomise(keras.Model(outer, heads, name="whole"), 1)


@ignore_silent
@over(*PATHS)
def test_output_by_index_name_layer_and_path(name):
    model, x = nested(), rng().normal(size=(3, 6)).astype("float32")
    groups = [
        (1, np.int64(1), "second", model.get_layer("second"), ("second",)),
        ("hidden", ("base", "hidden"), model.get_layer("base").get_layer("hidden")),
    ]
    for group in groups:
        first, *others = [
            create(name, model, output=output, neuron_selection_mode="index").network.canonical.exit.slot
            for output in group
        ]
        assert {first} == set(others)
    analyzer = create(name, model, output=("base", "hidden"))
    maps, info = analyzer.analyze(x, return_info=True)
    assert maps.any()
    hidden = model.get_layer("base")(x).numpy()
    np.testing.assert_allclose(info["score"], hidden.max(-1), rtol=1e-5)


def test_a_hidden_output_keeps_its_softmax():
    """Only what the model ends in is a head; a softmax inside is a layer like others."""
    x = keras.Input((4,))
    y = L.Dense(3, activation="softmax", name="gate")(x)
    model = randomise(keras.Model(x, L.Dense(2)(y)))
    data = rng().normal(size=(2, 4)).astype("float32")
    maps = create("gradient", model, output="gate", neuron_selection_mode="index").analyze(data, 0)
    gate = keras.Model(x, y)
    assert_alike(maps, tape_gradient(gate, data, lambda p: p[:, 0]))
    with silent_maps_allowed():
        stripped = create("gradient", gate, neuron_selection_mode="index").analyze(data, 0)
    assert_different(maps, stripped)


def test_dict_outputs_go_by_their_keys():
    x = keras.Input((4,))
    model = randomise(keras.Model(x, {"z": L.Dense(2)(x), "b": L.Dense(3)(x)}))
    data = rng().normal(size=(2, 4)).astype("float32")
    for key in ("z", "b"):
        maps = create("gradient", model, output=key, neuron_selection_mode="index").analyze(data, 1)
        truth = tape_gradient(model, data, lambda y, key=key: tf.gather(y[key], 1, axis=1))
        assert_alike(maps, truth)
