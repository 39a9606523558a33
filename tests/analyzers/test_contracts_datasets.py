"""`analyze` on a `tf.data.Dataset`: batch by batch, the answer of the arrays; and what is no such dataset."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

from innexplain.errors import ArgumentError, InputError
from tests.zoo import randomise

from . import assert_alike, create, over, rng, shared

N = 7
X = rng(1).normal(size=(N, 5)).astype("float32")
LABELS = np.arange(N) % 3


@functools.cache
def network(named=False):
    x = keras.Input((5,), name="x")
    y = L.Dense(3, activation="softmax")(L.Dense(6, activation="relu")(x))
    model = randomise(keras.Model({"x": x} if named else x, y), 1)
    model.layers[-1].bias.assign([3.0, 3.0, 3.0])
    return model


def dataset(*parts, batch=3):
    return tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0]).batch(batch)


@over("gradient", "integrated_gradients")
def test_a_dataset_gives_what_its_arrays_give(name):
    """With labels, with weights, without; batches larger and smaller than `batch_size`."""
    given = {
        "plain": dataset(X),
        "labels": dataset(X, LABELS),
        "weights": dataset(X, LABELS, np.ones(N)),
        "one batch": dataset(X, batch=100),
        "rows": dataset(X, batch=1),
        "prefetched": dataset(X).prefetch(2),
        "generated": tf.data.Dataset.from_generator(
            lambda: iter([X[:4], X[4:]]), output_signature=tf.TensorSpec((None, 5), "float32")
        ),
    }
    analyzer = shared(name, network, neuron_selection_mode="index")
    expected, told = analyzer.analyze(X, LABELS, return_info=True)
    for kind, data in given.items():
        answer, info = analyzer.analyze(data, LABELS, batch_size=2, return_info=True)
        assert type(answer) is np.ndarray, kind
        assert_alike(answer, expected)
        np.testing.assert_allclose(info["score"], told["score"], rtol=1e-5)
        np.testing.assert_array_equal(info["neuron"], LABELS)
        assert (info["gap"] is None) == (told["gap"] is None)


def test_progress_counts_batches(capsys):
    analyzer = shared("gradient", network, neuron_selection_mode="index")
    maps = analyzer.analyze(dataset(X), LABELS, progress=True)
    assert "3/3" in capsys.readouterr().out
    assert_alike(maps, analyzer.analyze(X, LABELS))


def test_selections_of_one_entry_a_sample_are_dealt_out():
    analyzer = shared("gradient", network, neuron_selection_mode="index")
    as_tuple = analyzer.analyze(dataset(X), tuple(int(k) for k in LABELS))
    assert_alike(as_tuple, analyzer.analyze(X, LABELS))
    one = analyzer.analyze(dataset(X), 1)
    assert_alike(one, analyzer.analyze(X, np.full(N, 1)))


@over("gradient", "lrp.epsilon", "smoothgrad")
def test_weights_of_one_sample_or_of_all(name):
    """Shared weights are not dealt out, also where a batch has as many rows as there are classes."""
    analyzer = create(name, network(), neuron_selection_mode="weights")
    together = np.array([1.0, -2.0, 3.0])
    each = np.eye(3)[LABELS]
    for weights in (together, each):
        assert_alike(analyzer.analyze(dataset(X), weights), analyzer.analyze(X, weights))


@pytest.mark.parametrize(
    ("length", "wanted"), [(0, "at least 3"), (2, "at least 3"), (N - 1, "at least 7"), (N + 2, "7")]
)
@pytest.mark.parametrize(("mode", "entry"), [("index", 0), ("weights", [1.0, 0.0, 0.0])])
def test_selection_of_another_length_than_the_dataset(mode, entry, length, wanted):
    analyzer = shared("gradient", network, neuron_selection_mode=mode)
    words = rf"one entry per sample of the dataset, {wanted}\. Received: {length}$"
    with pytest.raises(ArgumentError, match=words):
        analyzer.analyze(dataset(X), np.array([entry] * length).reshape(length, *np.shape(entry)))


def test_a_wrong_selection_is_shown_whole_and_at_once():
    """Not the part of it that a batch would take."""
    analyzer = shared("gradient", network, neuron_selection_mode="index")
    with pytest.raises(ArgumentError, match=r"a list of 7 ints.*=\[0, 0, 0, 0, 0, 0, 1\.5\]"):
        analyzer.analyze(dataset(X), [0] * (N - 1) + [1.5])
    with pytest.raises(ArgumentError, match=r"between 0 and 2.*Received: 3"):
        analyzer.analyze(dataset(X), [0] * (N - 1) + [3])


def test_datasets_of_dicts():
    analyzer = create("gradient", network(named=True))
    expected = shared("gradient", network).analyze(X)
    for data in (dataset({"x": X}), dataset({"x": X}, LABELS)):
        assert_alike(analyzer.analyze(data), {"x": expected})


def test_datasets_for_two_inputs():
    """Inputs come as a tuple within the element; a tuple by itself is inputs and labels, as for Keras."""
    a, b = keras.Input((5,)), keras.Input((5,))
    model = randomise(keras.Model([a, b], L.Dense(2)(L.Multiply()([a, b]))))
    analyzer = create("gradient", model)
    expected = analyzer.analyze((X, X + 1))
    pairs = tf.data.Dataset.from_tensor_slices(((X, X + 1), LABELS)).batch(3)
    assert_alike(analyzer.analyze(pairs), expected)
    with pytest.raises(InputError, match=r"takes 2 input.*Received: 1"):
        analyzer.analyze(dataset(X, X + 1))


def test_not_batched():
    with pytest.raises(InputError, match=r"rank 2.*Received: rank 1.*batch axis"):
        shared("gradient", network).analyze(tf.data.Dataset.from_tensor_slices(X))


def test_never_ending():
    with pytest.raises(InputError, match=r"never ends.*take\(n\)"):
        shared("gradient", network).analyze(dataset(X).repeat())


@pytest.mark.parametrize("empty", ["no batch", "no row"])
def test_empty(empty):
    data = dataset(X).take(0) if empty == "no batch" else tf.data.Dataset.from_tensors(X[:0])
    with pytest.raises(InputError, match="empty: there is no sample"):
        shared("gradient", network).analyze(data)


def test_a_bad_value_in_a_later_batch():
    bad = X.copy()
    bad[5, 2] = np.nan
    with pytest.raises(InputError, match="'x' must be finite"):
        shared("gradient", network).analyze(dataset(bad))


def test_batches_of_different_lengths():
    """Token batches padded to their own longest row cannot be joined."""
    x = keras.Input((None,), dtype="int32")
    model = randomise(keras.Model(x, L.Dense(2)(L.GlobalAveragePooling1D()(L.Embedding(9, 3)(x)))))
    batches = [np.ones((2, 3), "int32"), np.ones((2, 4), "int32")]
    data = tf.data.Dataset.from_generator(
        lambda: iter(batches), output_signature=tf.TensorSpec((None, None), "int32")
    )
    analyzer = create("gradient", model)
    with pytest.raises(InputError, match=r"samples of one shape.*Pad them"):
        analyzer.analyze(data)
    assert [analyzer.analyze(batch).shape for batch in batches] == [(2, 3), (2, 4)]


def test_python_generators_are_no_datasets():
    with pytest.raises(InputError, match="must hold numbers"):
        shared("gradient", network).analyze(row for row in X)
