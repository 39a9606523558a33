"""CLEAR on inputs of every form: several, tokens, data sets, half precision; classes asked for."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import innexplain
from innexplain.errors import ArgumentError, InnexplainWarning, InputError, NotFittedError
from tests.zoo import randomise

from . import assert_alike, rng
from .clear_cases import SHAPE, averaged, body, create, data, shared, through

pytestmark = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")


def test_several_inputs_in_their_structure():
    a, b = keras.Input((5,), name="a"), keras.Input(SHAPE, name="b")
    z = L.Concatenate()([L.Dense(4, activation="relu")(a), L.GlobalAveragePooling2D()(L.Conv2D(4, 3)(b))])
    model = randomise(keras.Model({"a": a, "b": b}, L.Dense(3)(z)), 2)
    x = {"a": data(3, (5,)), "b": data()}
    maps = create(model).maps(x)
    assert set(maps) == {"a", "b"}
    assert maps["a"].response.shape == (3, 5, 3)
    assert maps["b"].response.shape == (3, 8, 8, 3)
    for k in range(3):
        one = create(model, neuron_selection_mode="index").analyze(x, k)
        for name in x:
            assert_alike(maps[name].response[..., k], one[name])


def test_tokens_have_a_response_each():
    x = keras.Input((7,), dtype="int32")
    one, two = L.Embedding(9, 4), L.Embedding(9, 3)
    y = L.Concatenate()([one(x), two(x)])
    model = randomise(keras.Model(x, L.GlobalAveragePooling1D()(L.Conv1D(3, 2)(y))), 2)
    tokens = rng().integers(0, 9, (2, 7))
    maps = create(model).maps(tokens)
    assert maps.response.shape == (2, 7, 3)
    assert_alike(create(model).analyze(tokens), maps.dominant_response)


def test_a_mask_of_positions_is_no_obstacle():
    """With and without a mask that masks nothing."""

    def build(mask_zero):
        x = keras.Input((12,), dtype="int32")
        y = L.Dense(4)(L.Embedding(20, 6, mask_zero=mask_zero)(x))
        return randomise(keras.Model(x, L.Softmax()(L.GlobalAveragePooling1D()(y))), 2)

    tokens = rng().integers(1, 20, (2, 12))
    masked, plain = (create(build(m)).maps(tokens) for m in (True, False))
    assert_alike(masked.response, plain.response)
    logits = innexplain.model_wo_softmax(build(True))(tokens * (np.arange(12) < 7)).numpy()
    top = create(build(True), top_k=2).maps(tokens * (np.arange(12) < 7)).classes
    np.testing.assert_array_equal(top, np.argsort(-logits, axis=-1)[:, :2])


def test_half_precision_inputs_do_not_round_responses():
    """Beyond 65504 or below 1e-8, classes would be equal."""
    model = shared()
    rows = data().astype("float16")
    for factor in (1e3, 1e-4):
        scaled = keras.models.clone_model(model)
        scaled.set_weights([w * factor for w in model.get_weights()])
        expected, found = (create(scaled).maps(r) for r in (rows.astype("float32"), rows))
        assert found.response.dtype == np.dtype("float32")
        np.testing.assert_array_equal(found.dominant_class, expected.dominant_class)
        np.testing.assert_array_equal(found.has_class, expected.has_class)
        assert found.has_class.mean() > 0.5
        assert create(scaled).analyze(rows).dtype == np.dtype("float16")


def test_where_it_starts_is_told():
    x = keras.Input(SHAPE)
    z = through(body(), x)
    pooled = create(keras.Model(x, L.Softmax()(L.GlobalAveragePooling2D()(z))))
    scored = create(keras.Model(x, L.Dense(3, name="scores")(L.GlobalAveragePooling2D()(z))))
    assert (pooled.starts_at, scored.starts_at) == ("last [linear]", "scores [linear]")


def test_classes_that_are_included_in_any_case():
    """In the place of the least activated one, where they are not among the most activated."""
    model = shared()
    every = create(model).maps(data())
    order = np.argsort(-model(data()).numpy(), axis=-1)
    for asked in (order[:, 3], order[:, 0], 2):
        maps = create(model, top_k=2).maps(data(), include=asked, batch_size=3)
        expected = order[:, :2].copy()
        for row, c in zip(expected, np.broadcast_to(asked, 3), strict=True):
            row[1] = row[1] if c in row else c
        np.testing.assert_array_equal(maps.classes, expected)
        chosen = np.take_along_axis(every.response, expected[:, None, None, :], axis=-1)
        assert_alike(maps.response, chosen)
    listed = create(model, classes=[2, 3]).maps(data(), include=0)
    scores = model(data()).numpy()[:, [2, 3]]
    expected = np.tile([2, 3], (3, 1))
    expected[np.arange(3), scores.argmin(axis=1)] = 0
    np.testing.assert_array_equal(listed.classes, expected)
    assert len(set(scores.argmin(axis=1))) == 2  # neither always the first nor always the last
    for wrong in (4, -1, 1.0, [0, 1], "cat", True):
        with pytest.raises(ArgumentError, match="include must be a class between 0 and 3, or one for each"):
            create(model).maps(data(), include=wrong)


def test_an_empty_dataset_and_a_dead_network_are_told():
    model = averaged()
    with pytest.raises(InputError, match="dataset is empty"):
        create(model).maps(tf.data.Dataset.from_tensor_slices(data()).batch(2).take(0))
    model.get_layer("last").set_weights([w * 0 for w in model.get_layer("last").get_weights()])
    with pytest.warns(InnexplainWarning, match="3 of 3 samples is zero everywhere"):
        create(model).maps(data())


def test_a_dataset_is_read_batch_by_batch():
    model = shared()
    dataset = tf.data.Dataset.from_tensor_slices((data(5), np.zeros(5))).batch(2)
    found, expected = create(model).maps(dataset), create(model).maps(data(5))
    for part, whole in zip(found, expected, strict=True):
        np.testing.assert_allclose(part, whole, rtol=0, atol=1e-6)


def test_positions_that_a_mask_leaves_out_of_the_mean_do_not_respond():
    tokens = np.array([[1, 2, 3, 0, 0, 0], [4, 1, 2, 5, 3, 0]])
    embedding = L.Embedding(9, 4, mask_zero=True)
    layers = [embedding, L.Dense(6, activation="relu"), L.Dense(3), L.GlobalAveragePooling1D(), L.Softmax()]
    model = randomise(keras.Sequential([keras.Input((6,), dtype="int32"), *layers]), 2)
    found = []
    for padding in (5.0, -7.0):  # of which the model sees nothing
        (weights,) = embedding.get_weights()
        weights[0] = padding
        embedding.set_weights([weights])
        found.append(create(model).maps(tokens).response)
    assert not found[0][tokens == 0].any()
    assert found[0][tokens != 0].any(axis=-1).all()
    np.testing.assert_array_equal(*found)
    assert create(model).starts_at.startswith("dense")


def test_methods_that_need_patterns_are_refused_by_name():
    model = shared()
    with pytest.raises(NotFittedError, match=r"response='pattern.net' needs patterns of this model"):
        create(model, response="pattern.net")
    with pytest.raises(NotFittedError, match=r"analyzer='pattern.attribution' needs patterns"):
        innexplain.create_analyzer("smoothgrad", model, analyzer="pattern.attribution")
    fitted = innexplain.create_analyzer("pattern.net", model).fit(data(40), progress=False)
    assert create(model, response=fitted).maps(data()).response.any()
