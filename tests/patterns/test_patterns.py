"""Fitted patterns: found by layer, written and read, refused where they do not belong."""

from __future__ import annotations

import pickle

import keras
import numpy as np
import pytest
from keras import layers

from innexplain.errors import AddressError, ArgumentError, ModelError, OutputPathError, UnreadableFileError
from innexplain.patterns import PatternComputer, Patterns
from tests.patterns.test_layers import ALL, images
from tests.zoo import randomise

X = images(6, 6, 2, n=30)


def build():
    """Nested, with two layers of one name and a separable convolution."""
    inner = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(4, 3, activation="relu", name="conv")])
    inner.name = "base"
    stack = [
        keras.Input((6, 6, 2)),
        inner,
        layers.SeparableConv2D(4, 2, activation="relu", name="apart"),
        layers.Conv2D(3, 2, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.Flatten(),
        layers.Dense(2, name="top"),
    ]
    return randomise(keras.Sequential(stack), 2)


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture(scope="module")
def patterns(model):
    return PatternComputer(model, ALL).fit(X, progress=False)


def test_get(model, patterns):
    assert list(patterns) == [("base", "conv"), ("apart",), ("conv",), ("top",)]
    top = model.get_layer("top")
    for address in (top, "top", ("top",)):
        np.testing.assert_array_equal(patterns.get(address), patterns.arrays["top"]["relu"])
    assert patterns.get("top").shape == top.kernel.shape
    np.testing.assert_array_equal(patterns.get("top", "linear"), patterns.arrays["top"]["linear"])
    assert np.abs(patterns.get("top", "linear") - patterns.get("top")).max() > 0.01
    assert patterns.get(("base", "conv")).shape == (3, 3, 2, 4)
    assert patterns.get(("conv",)).shape == (2, 2, 4, 3)
    assert patterns.get("apart", part="depthwise").shape == (2, 2, 4, 1)
    assert patterns.get("apart", part="pointwise").shape == (1, 1, 4, 4)


def test_layer_objects_are_told_apart_by_identity(model, patterns):
    """Two layers have the name `conv`: an object is not ambiguous."""
    assert patterns.get(model.get_layer("base").get_layer("conv")).shape == (3, 3, 2, 4)
    assert patterns.get(model.get_layer("conv")).shape == (2, 2, 4, 3)


def test_get_errors(patterns):
    with pytest.raises(AddressError, match="More than one layer"):
        patterns.get("conv")
    with pytest.raises(AddressError, match="part='depthwise'"):
        patterns.get("apart")
    with pytest.raises(AddressError, match=r"No layer.*'topp'.*Did you mean.*top"):
        patterns.get("topp")
    with pytest.raises(ArgumentError, match=r"'relu', 'relu.negative', 'linear'"):
        patterns.get("top", "positive")
    with pytest.raises(AddressError, match="No layer"):
        patterns.get(layers.Dense(2, name="other"))


def test_saved_and_loaded(model, patterns, tmp_path):
    path = patterns.save(tmp_path / "mine")
    found = Patterns.load(path, model)
    assert list(found) == list(patterns) and found.report() == patterns.report()
    for key, own in patterns.arrays.items():
        for pattern_type, array in own.items():
            np.testing.assert_array_equal(found.arrays[key][pattern_type], array)
            assert found.arrays[key][pattern_type].dtype == array.dtype == "float32"
    assert [p.name for p in tmp_path.iterdir()] == ["mine.npz"]
    with np.load(path, allow_pickle=False) as file:  # nothing in it needs pickle
        assert all(file[name].dtype.kind in "fU" for name in file)


def test_a_name_that_was_saved_can_be_loaded(model, patterns, tmp_path):
    """`save("p")` writes p.npz, so `load("p")` reads it: beside a folder p, too, not in place of a file p."""
    name, sums = str(tmp_path / "run.1"), tmp_path / "sums"
    (tmp_path / "run.1").mkdir()
    assert patterns.save(name) == tmp_path / "run.1.npz"
    np.testing.assert_array_equal(Patterns.load(name, model).get("top"), patterns.get("top"))
    PatternComputer(model).partial_fit(X).save(sums)
    assert PatternComputer(model).load(sums).samples == len(X)
    sums.write_bytes(b"another")
    with pytest.raises(UnreadableFileError, match="the file is something else"):
        PatternComputer(model).load(sums)
    with pytest.raises(UnreadableFileError, match="no such file, with or without"):
        Patterns.load(tmp_path / "none", model)


@pytest.mark.parametrize("name", ["top", "norm"])
def test_other_weights_are_refused_by_name(patterns, tmp_path, name):
    other = build()
    weight = other.get_layer(name).weights[-1]
    weight.assign(weight + 1e-3)
    with pytest.raises(ModelError, match=f"'{name}' differ"):
        Patterns.load(patterns.save(tmp_path / "mine"), other)


def test_other_models_are_refused(patterns, tmp_path):
    path = patterns.save(tmp_path / "mine")
    other = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(4, 3, name="first")])
    with pytest.raises(ModelError, match="'base/conv', which this model"):
        Patterns.load(path, other)
    model = build()
    longer = keras.Sequential([keras.Input(X.shape[1:]), model, layers.Dense(2, name="more")])
    with pytest.raises(ModelError, match="another model"):
        Patterns.load(path, longer)


def test_damaged_and_foreign_files(model, patterns, tmp_path):
    whole = patterns.save(tmp_path / "mine").read_bytes()
    sums = PatternComputer(model).partial_fit(X).save(tmp_path / "sums")
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 255
    cut = [whole[: int(len(whole) * share)] for share in (0.1, 0.5, 0.99)]
    files = {
        "empty": [b""],
        "something else": [pickle.dumps({"a": 1})],
        "truncated": cut,
        "damaged": [spoilt],
    }
    np.savez(tmp_path / "foreign.npz", x=np.zeros(3))
    with pytest.raises(UnreadableFileError, match=r"foreign\.npz: expected patterns.* is something else\."):
        Patterns.load(tmp_path / "foreign.npz", model)
    with pytest.raises(UnreadableFileError, match="expected patterns, received 'sums of a fit"):
        Patterns.load(sums, model)
    with pytest.raises(UnreadableFileError, match="no such file"):
        Patterns.load(tmp_path / "none.npz", model)
    for state, contents in files.items():
        for content in contents:
            (tmp_path / "bad.npz").write_bytes(content)
            with pytest.raises(
                UnreadableFileError, match=rf"bad\.npz: expected patterns.* the file is {state}"
            ):
                Patterns.load(tmp_path / "bad", model)


def test_unwritable_places(patterns, tmp_path):
    with pytest.raises(OutputPathError, match=r"is no folder\. Create it"):
        patterns.save(tmp_path / "none" / "mine")
