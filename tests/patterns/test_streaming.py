"""One pass in any order and in any pieces gives the same patterns; every form of data is taken."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from innexplain.errors import ArgumentError, GraphError, InputError, ModelError, UnreadableFileError
from innexplain.patterns import PATTERN_TYPES, PatternComputer
from tests.patterns.test_layers import ALL, images
from tests.zoo import randomise

X = images(6, 6, 2, n=50)


@pytest.fixture(scope="module")
def model():
    stack = [
        keras.Input((6, 6, 2)),
        layers.Conv2D(4, 3, activation="relu", name="conv"),
        layers.Flatten(),
        layers.Dense(3, name="top"),
    ]
    return randomise(keras.Sequential(stack), 2)


@pytest.fixture(scope="module")
def whole(model):
    return PatternComputer(model, ALL).fit(X, progress=False)


def same(one, other, within=1e-5):
    """Equal patterns of all layers and types, which are not all zero."""
    assert list(one.arrays) == list(other.arrays)
    for key, own in one.arrays.items():
        assert set(own) == set(other.arrays[key])
        for pattern_type, array in own.items():
            assert np.abs(array).max() > 0.01
            np.testing.assert_allclose(other.arrays[key][pattern_type], array, rtol=0, atol=within)


@pytest.mark.parametrize("batch_size", [pytest.param(1, marks=pytest.mark.compiled), 7, 64])
def test_batch_size(model, whole, batch_size):
    same(whole, PatternComputer(model, ALL).fit(X, progress=False, batch_size=batch_size))


def test_order(model, whole):
    order = np.random.default_rng(0).permutation(len(X))
    same(whole, PatternComputer(model, ALL).fit(X[order], progress=False, batch_size=9))


def test_number_of_passes(model, whole):
    computer = PatternComputer(model, ALL)
    computer.fit(X, progress=False)
    same(whole, computer.fit(X[::-1], progress=False))
    assert computer.samples == 2 * len(X)


def test_types_are_independent(model, whole):
    """A computer of one type gives what one of all types gives, whose `linear` is put together."""
    for pattern_type in PATTERN_TYPES:
        alone = PatternComputer(model, pattern_type).fit(X, progress=False)
        assert alone.pattern_types == (pattern_type,)
        for key, own in alone.arrays.items():
            np.testing.assert_allclose(own[pattern_type], whole.arrays[key][pattern_type], atol=1e-5)


def test_first_batch_unlike_the_others(model):
    """The sums are taken about the first batch's means: far-off ones must not cost precision."""
    x = np.concatenate([X[:2] + 30, X * 0.1])
    first_last = PatternComputer(model, ALL).fit(x[::-1], progress=False, batch_size=13)
    same(first_last, PatternComputer(model, ALL).fit(x, progress=False, batch_size=2))


def datasets():
    labels = np.arange(len(X))
    tensors = tf.data.Dataset.from_tensor_slices
    return {
        "tensor": lambda: tf.constant(X),
        "list of batches": lambda: [X[:20], X[20:]],
        "generator": lambda: (X[i : i + 9] for i in range(0, 50, 9)),
        "list of batches, labels": lambda: [(X[:20], labels[:20]), (X[20:], labels[20:])],
        "one batch, labels": lambda: [(X, labels)],
        "generator, labels": lambda: ((X[i : i + 9], labels[i : i + 9]) for i in range(0, 50, 9)),
        "tf.data": lambda: tensors(X).batch(8),
        "tf.data, labels": lambda: tensors((X, labels)).batch(8),
        "tf.data, weights": lambda: tensors((X, labels, labels)).batch(8),
        "tf.data of unknown length": lambda: tensors(X).filter(lambda x: True).batch(8),
    }


@pytest.mark.parametrize("form", datasets())
def test_forms_of_data(model, whole, form, capsys):
    computer = PatternComputer(model, ALL)
    same(whole, computer.fit(datasets()[form]()))
    assert computer.samples == len(X)
    assert "batch" in capsys.readouterr().out  # the progress bar


LABELS = np.arange(len(X))
WITH_LABELS = {
    "tuple": (
        lambda: (X, LABELS),
        r"Received: 2\. .*Labels have no place among the inputs.* tuples \(x, y\)",
    ),
    "list": (lambda: [X, LABELS], r"list of batches.* ranks \[1, 4\].*labels.*give x alone, or \[\(x, y\)\]"),
    "list of lists": (lambda: [[X, LABELS]], r"Labels have no place among the inputs.* tuples \(x, y\)"),
    "generator of lists": (lambda: ([X, LABELS] for _ in range(2)), "Labels have no place among the inputs"),
    "tuple with a list": (lambda: (X, LABELS.tolist()), r"Received: \['ndarray', 'list'\]\. Labels"),
    "tuple, fewer labels": (lambda: (X, LABELS[:9]), r"samples\. Received: \[9, 50\]\. Labels"),
    "training and test": (
        lambda: ((X, LABELS), (X[:9], LABELS[:9])),
        r"samples\. Received: \[9, 50\]\. Labels",
    ),
    "training twice": (lambda: ((X, LABELS), (X, LABELS)), r"Received: tuple\. Labels"),
}


@pytest.mark.parametrize(("form", "words"), WITH_LABELS.values(), ids=list(WITH_LABELS))
def test_labels_among_the_inputs(model, form, words):
    """They are refused before anything is added, with a word on where labels may stand."""
    computer = PatternComputer(model)
    with pytest.raises(InputError, match=words):
        computer.fit(form(), progress=False)
    assert computer.samples == 0


@pytest.mark.parametrize("form", ["tuple", "dict", "batches of dicts", "tf.data"])
def test_several_inputs(form):
    one, other = keras.Input((4,), name="zebra"), keras.Input((3,), name="ape")
    joined = layers.Concatenate()([layers.Dense(3)(one), layers.Dense(2)(other)])
    model = randomise(keras.Model([one, other], layers.Dense(2)(joined)))
    x, y = images(4, n=30), images(3, n=30, seed=2)
    named = {"ape": y, "zebra": x}
    data = {
        "tuple": (x, y),
        "dict": named,
        "batches of dicts": [{k: v[:11] for k, v in named.items()}, {k: v[11:] for k, v in named.items()}],
        "tf.data": tf.data.Dataset.from_tensor_slices((named, np.arange(30))).batch(7),
    }[form]
    expected = PatternComputer(model, ALL).partial_fit([x, y]).finalize()
    same(expected, PatternComputer(model, ALL).fit(data, progress=False))


def test_tokens():
    """Embedded tokens are what the first layer's patterns are made of."""
    tokens = np.random.default_rng(0).integers(0, 9, (40, 5))
    embed, dense = layers.Embedding(9, 4), layers.Dense(3)
    stack = [keras.Input((5,), dtype="int32"), embed, dense, layers.GlobalAveragePooling1D()]
    randomise(keras.Sequential(stack))
    model = keras.Sequential(stack)
    found = PatternComputer(model).fit(tokens, progress=False).get(dense)
    alone = keras.Sequential([keras.Input((5, 4)), dense])
    expected = PatternComputer(alone).fit(embed(tokens).numpy(), progress=False).get(dense)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose((found * dense.kernel.numpy()).sum(0), 1, atol=1e-5)


def test_resumed_from_a_file(model, whole, tmp_path):
    first = PatternComputer(model, ALL)
    first.partial_fit(X[:20]).partial_fit(X[20:30])
    path = first.save(tmp_path / "sums")
    assert path == tmp_path / "sums.npz"
    second = PatternComputer(model, ALL).partial_fit(X * 5).load(path)  # what was there is dropped
    assert second.samples == 30
    same(whole, second.partial_fit(X[30:]).finalize())


def test_merged_halves(model, whole):
    halves = [PatternComputer(model, ALL).partial_fit(X[i::2]) for i in range(2)]
    merged = halves[0].merge(halves[1])
    assert merged.samples == len(X)
    same(whole, merged.finalize(), 1e-6)
    same(whole, PatternComputer(model, ALL).merge(merged).finalize(), 1e-6)
    same(whole, merged.merge(PatternComputer(model, ALL)).finalize(), 1e-6)


def test_merged_halves_that_differ_much(model):
    """Their references lie far apart."""
    x, other = X, X[::-1] * 0.5 + 4
    one = PatternComputer(model, ALL).partial_fit(x)
    one.merge(PatternComputer(model, ALL).partial_fit(other))
    both = PatternComputer(model, ALL).fit(np.concatenate([x, other]), progress=False, batch_size=100)
    same(both, one.finalize(), 2e-6)


def test_nothing_added(model):
    for computer in (PatternComputer(model), PatternComputer(model).merge(PatternComputer(model))):
        with pytest.raises(InputError, match="nothing to make patterns of"):
            computer.finalize()
    with pytest.raises(InputError, match="nothing to make patterns of"):
        PatternComputer(model).fit([], progress=False)


def test_weights_that_change_between_batches():
    x = images(5, n=40)
    dense = layers.Dense(3)
    model = randomise(keras.Sequential([keras.Input((5,)), dense]))
    computer = PatternComputer(model).partial_fit(x[:20])
    computer.finalize()
    weights = dense.get_weights()
    dense.bias.assign_add(np.ones(3))
    with pytest.raises(ModelError, match=rf"{dense.name!r} have changed .*Make another one"):
        computer.partial_fit(x[20:]).finalize()
    dense.set_weights(weights)
    assert computer.finalize().get(dense).any()


def test_settings_of_merge_and_load(model, tmp_path):
    with pytest.raises(ArgumentError, match="mean_y"):
        PatternComputer(model).merge(PatternComputer(model, mean_y="all"))
    with pytest.raises(ArgumentError, match="Received: int"):
        PatternComputer(model).merge(3)
    path = PatternComputer(model).partial_fit(X).save(tmp_path / "sums.npz")
    with pytest.raises(ModelError, match="mean_y"):
        PatternComputer(model, mean_y="all").load(path)
    other = keras.models.clone_model(model)
    with pytest.raises(ModelError, match=r"layers differ.*conv"):
        PatternComputer(other).load(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadableFileError, match="damaged"):
        PatternComputer(model).load(path)


def test_bad_arguments(model):
    with pytest.raises(ArgumentError, match="pattern_type"):
        PatternComputer(model, "relus")
    with pytest.raises(ArgumentError, match="none"):
        PatternComputer(model, [])
    with pytest.raises(ArgumentError, match="mean_y"):
        PatternComputer(model, mean_y="both")
    with pytest.raises(ModelError, match="no layer with a kernel"):
        PatternComputer(keras.Sequential([keras.Input((3,)), layers.ReLU()]))
    with pytest.raises(InputError, match=r"iterable of batches\. Received: int"):
        PatternComputer(model).fit(3, progress=False)
    with pytest.raises(InputError, match="rank 4"):
        PatternComputer(model).fit(X[0], progress=False)
    with pytest.raises(InputError, match="finite"):
        PatternComputer(model).fit(X * np.nan, progress=False)
    with pytest.raises(InputError, match="same number of samples"):
        PatternComputer(model).fit((X, X[1:]), progress=False)
    with pytest.raises(InputError, match="never ends"):
        PatternComputer(model).fit(tf.data.Dataset.from_tensors(X).repeat(), progress=False)


def test_subclassed_models():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Own()
    model(np.ones((1, 3)))
    with pytest.raises(GraphError, match="no graph of layers"):
        PatternComputer(model)
