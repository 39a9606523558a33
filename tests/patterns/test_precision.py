"""Running sums lose nothing: over many batches, in any order, in parts, with patterns that share them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from innexplain.errors import UnreadableFileError
from innexplain.files import read_record, write_record
from innexplain.patterns import PatternComputer, blocks, digits, parts, sites
from tests.patterns import slow_but
from tests.patterns.naive import pattern
from tests.patterns.test_layers import ALL, images, one_layer
from tests.patterns.test_streaming import same
from tests.zoo import randomise

pytestmark = pytest.mark.usefixtures("no_layer_is_small")


@pytest.mark.parametrize("kind", ["constant", pytest.param("random", marks=pytest.mark.slow)])
def test_compensated_sums(kind):
    """20,000 numbers, one by one, where float32 alone is off by more."""
    rng = np.random.default_rng(0)
    values = {
        "constant": np.full((20000, 3), 0.1),
        "random": rng.random((20000, 3)) ** 8,
    }[kind].astype("float32")
    state = {name: tf.Variable(tf.zeros(*v)) for name, v in digits.layout((3,), (), "float32").items()}

    @tf.function
    def add_all():
        for value in tf.cast(values, tf.float64):
            more = digits.added(state, xy=lambda value=value: value, x=lambda value=value: -3 * value)
            for name, own in more.items():
                state[name].assign_add(own)

    add_all()
    expected = values.astype("float64").sum(axis=0)
    np.testing.assert_allclose(digits.covariance(state), expected, rtol=1e-7)
    np.testing.assert_allclose(digits.mean(state), -3 * expected, rtol=1e-5)
    assert (np.abs(np.add.accumulate(values, axis=0)[-1] / expected - 1) > 1e-6).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kept_numbers(dtype):
    rng = np.random.default_rng(0)
    xy, x = rng.normal(size=(2, 1000)) * 10.0 ** rng.integers(-9, 9, (2, 1000))
    xy[:2] = x[1:3] = 0
    sums = digits.kept(xy, x, (), dtype)
    assert {name: (v.shape, v.dtype) for name, v in sums.items()} == digits.layout((1000,), (), dtype)
    np.testing.assert_allclose(digits.covariance(sums), xy, rtol=2.0**-31 if dtype == "float32" else 0)
    np.testing.assert_allclose(digits.mean(sums), x, rtol=2.0**-30 if dtype == "float32" else 0)


def test_units_of_means():
    """A unit follows the largest mean of an input in any neuron, up and down."""
    state = digits.kept(np.zeros((2, 3)), np.zeros((2, 3)), (1,), "float32")
    total, rounding = np.zeros((2, 3)), 0
    for size in (1e-3, 1, 1e9, 1e-9, -1e9, 3):
        more = size * np.array([[1, -1 / 3, 0.1], [7, 0, 1e-5]]) * [[1], [1e-12]]
        change = digits.added(state, xy=lambda: np.zeros((2, 3)), x=lambda more=more: more)
        state = {name: value + tf.cast(change[name], value.dtype) for name, value in state.items()}
        total += more
        now = np.asarray(digits.rounding(state))
        rounding += now
        assert (now <= 1.01 * abs(total).max(axis=1, keepdims=True) * 2.0**-30).all()
        assert (abs(digits.mean(state).numpy() - total) <= rounding).all()
    assert state["x"].dtype == "int32"


def off_centre(n=1500):
    """Data that are far from zero, and samples in order of what they add up to: the worst order."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6)) + 20).astype("float32")
    return x[np.argsort(x.sum(axis=1))]


QUICK = [("compensated", "conditional", 100), ("compensated", "all", 2000)]
EACH = slow_but(QUICK, sites.PRECISIONS, ["conditional", "all"], [1, 100, 2000])


@pytest.mark.parametrize(("precision", "mean_y", "batch_size"), EACH)
def test_sorted_samples(precision, mean_y, batch_size):
    """One by one, the mean output moves with every batch, and with it the reference of all sums."""
    x = off_centre()
    dense = layers.Dense(4)
    one_layer(dense, x)
    kernel = dense.kernel.numpy()
    dense.set_weights([kernel, -(x @ kernel).mean(axis=0)])  # so that both groups have samples
    model = keras.Sequential([keras.Input((6,)), dense])
    computer = PatternComputer(model, ALL, mean_y, precision=precision)
    fitted = computer.fit(x, progress=False, batch_size=batch_size)
    w, b = (v.astype("float64") for v in dense.get_weights())
    y = x.astype("float64") @ w + b
    for pattern_type in ALL:
        expected = [
            pattern(x.astype("float64"), y[:, j], y[:, j], w[:, j], pattern_type, mean_y) for j in range(4)
        ]
        found = fitted.get(dense, pattern_type)
        np.testing.assert_allclose(found, np.stack(expected, 1), rtol=0, atol=1e-5 * np.abs(expected).max())


LAYERS = {
    "dense": ((4, 7), lambda: layers.Dense(10)),
    "conv": ((6, 7, 2), lambda: layers.Conv2D(6, 3, padding="same")),
    "grouped": ((6, 7, 4), lambda: layers.Conv2D(6, 3, groups=2)),
    "depthwise": ((6, 7, 3), lambda: layers.DepthwiseConv2D(3, depth_multiplier=2)),
    "transposed": ((4, 3, 2), lambda: layers.Conv2DTranspose(6, 3, strides=2)),
    "einsum": (
        (5, 4),
        lambda: layers.EinsumDense("abc,cde->abde", output_shape=(None, 6, 2), bias_axes="de"),
    ),
}


@pytest.mark.parametrize(
    ("case", "mean_y"),
    slow_but([("conv", "conditional"), ("dense", "all")], LAYERS, ["conditional", "all"]),
)
def test_in_blocks_and_parts(case, mean_y, monkeypatch):
    """Large kernels are summed in blocks of neurons, large activations a few samples at a time."""
    shape, make = LAYERS[case]
    x = images(*shape, n=11)
    model = one_layer(make(), x)
    whole = PatternComputer(model, ALL, mean_y, precision="compensated").fit(x, progress=False)
    monkeypatch.setattr(blocks, "MOST_WEIGHTS", 40)
    monkeypatch.setattr(blocks, "_WEIGHTS_AT_A_TIME", 20)
    monkeypatch.setattr(parts, "_MOST_POSITIONS", 20)
    monkeypatch.setattr(parts, "_MOST_VALUES", 150)
    computer = PatternComputer(model, ALL, mean_y, precision="compensated")
    splits = case not in ("grouped", "depthwise")
    assert (len(computer._sums.blocks) > 1) == splits
    same(whole, computer.fit(x, progress=False))


QUICK = [("compensated", "conditional", 5), ("float64", "all", 2**24)]
EACH = slow_but(QUICK, sites.PRECISIONS, ["conditional", "all"], [5, 2**24])


@pytest.mark.parametrize(("precision", "mean_y", "most"), EACH)
def test_merged_parts_of_sorted_samples(monkeypatch, precision, mean_y, most):
    """Their means differ, in each group and over all."""
    monkeypatch.setattr(blocks, "MOST_WEIGHTS", most)
    x = images(5, n=40)
    x = x[np.argsort(x.sum(axis=1))]
    model = one_layer(layers.Dense(3), x)
    computers = [PatternComputer(model, ALL, mean_y, precision=precision) for _ in range(3)]
    assert len(computers[0]._sums.blocks) == (3 if most == 5 else 1)
    whole = computers[0].fit(x, progress=False)
    same(whole, computers[1].partial_fit(x[:15]).merge(computers[2].partial_fit(x[15:])).finalize())


@pytest.mark.compiled
@pytest.mark.parametrize(("at_a_time", "few"), slow_but([(2, 0)], [2, 2**18], [0, 2**20]))
def test_patterns_stay_as_they_are(monkeypatch, at_a_time, few):
    """They share the memory of the sums, until the fit goes on."""
    monkeypatch.setattr(blocks, "_WEIGHTS_AT_A_TIME", at_a_time)
    monkeypatch.setattr(sites, "_FEW_WEIGHTS", few)
    x = images(5, n=40)
    model = one_layer(layers.Dense(3), x)
    computer = PatternComputer(model).partial_fit(x[:20])
    patterns = computer.finalize()
    before = patterns.get(model.layers[-1])
    later = computer.partial_fit(x[20:] * 3).finalize().get(model.layers[-1])
    np.testing.assert_array_equal(patterns.get(model.layers[-1]), before)
    assert np.abs(later - before).max() > 0.01
    both = np.concatenate([x[:20], x[20:] * 3])
    anew = PatternComputer(model).fit(both, progress=False).get(model.layers[-1])
    np.testing.assert_allclose(later, anew, rtol=0, atol=1e-5 * np.abs(anew).max())
    before[:] = 0  # an array of one's own
    assert patterns.get(model.layers[-1]).any()


@pytest.mark.slow
@pytest.mark.compiled
def test_no_notices_of_retracing(caplog):
    """However many computers a process makes."""
    x = images(5, n=6)
    model = one_layer(layers.Dense(3), x)
    tf.get_logger().addHandler(caplog.handler)
    try:
        for _ in range(7):
            PatternComputer(model).fit(x, progress=False, batch_size=4)
    finally:
        tf.get_logger().removeHandler(caplog.handler)
    assert "retracing" not in caplog.text


@pytest.mark.compiled
def test_fixed_number_of_rows():
    x = images(5, n=8)
    dense = layers.Dense(3)
    fixed = randomise(keras.Sequential([keras.Input(batch_shape=(4, 5)), dense]), 1)
    found = PatternComputer(fixed).fit(x, progress=False, batch_size=4)
    free = keras.Sequential([keras.Input((5,)), dense])
    np.testing.assert_allclose(found.get(dense), PatternComputer(free).fit(x, False).get(dense), atol=1e-6)


def test_sums_of_an_earlier_version(tmp_path):
    x = images(5, n=8)
    model = one_layer(layers.Dense(3), x)
    path = PatternComputer(model).partial_fit(x).save(tmp_path / "sums")
    kind = "sums of a fit of patterns"
    notes, arrays = read_record(path, f"{kind}, format 4")
    write_record(path, f"{kind}, format 3", notes, arrays)
    with pytest.raises(UnreadableFileError, match=r"expected .* format 4, received .* has to be made anew"):
        PatternComputer(model).load(path)


@pytest.mark.parametrize("batch_size", [pytest.param(10, marks=pytest.mark.slow), 300])
def test_outputs_far_from_zero(batch_size):
    """A standard deviation of a hundredth of the mean, and a neuron that gives one value only."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 5)) * 0.05 + 1).astype("float32")
    dense = layers.Dense(2)
    model = one_layer(dense, x)
    kernel = np.array([[1, 0.5, 1.5, 1, 2], [0, 0, 0, 0, 0]], "float32").T
    dense.set_weights([kernel, np.array([0.0, 3.7], "float32")])
    patterns = PatternComputer(model).fit(x, progress=False, batch_size=batch_size)
    w, wide = kernel[:, 0].astype("float64"), x.astype("float64")
    expected = pattern(wide, wide @ w, wide @ w, w, "relu")
    np.testing.assert_allclose(
        patterns.get(dense)[:, 0], expected, rtol=0, atol=2e-5 * np.abs(expected).max()
    )
    assert not patterns.get(dense)[:, 1].any() and patterns.silent[dense.name]["relu"] == 1


def test_outputs_that_vary_little():
    """A standard deviation of a millionth of the mean is one, where the layer is float64."""
    x = np.random.default_rng(0).normal(size=(200, 3))
    dense = layers.Dense(1, dtype="float64")
    model = one_layer(dense, x, "float64")
    w = np.array([1e-3, 2e-3, -1e-3])
    dense.set_weights([w[:, None], np.array([1000.0])])
    found = PatternComputer(model).fit(x, progress=False, batch_size=20)
    expected = pattern(x, x @ w + 1000, x @ w + 1000, w, "relu")
    np.testing.assert_allclose(found.get(dense)[:, 0], expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("batch_size", "most"), slow_but([(50, 10), (50, 2**22)], [7, 50], [10, 2**22]))
def test_neurons_in_another_order_than_those_of_the_kernel(monkeypatch, most, batch_size):
    """`EinsumDense` may give its neurons in any order; patterns have that of the kernel."""
    monkeypatch.setattr(blocks, "MOST_WEIGHTS", most)
    x = images(5, n=50)
    straight = layers.EinsumDense("bc,cde->bde", output_shape=(2, 3), name="same")
    turned = layers.EinsumDense("bc,cde->bed", output_shape=(3, 2), name="same")
    expected, found = (PatternComputer(one_layer(e, x), ALL) for e in (straight, turned))
    expected.fit(x, progress=False, batch_size=50)
    found.fit(x, progress=False, batch_size=batch_size)
    np.testing.assert_array_equal(turned.kernel, straight.kernel)
    for pattern_type in ALL:
        plain = expected.finalize().get(straight, pattern_type)
        actual = found.finalize().get(turned, pattern_type)
        np.testing.assert_allclose(actual, plain, rtol=0, atol=2e-5 * np.abs(plain).max())


def test_neurons_that_belong_to_parts_of_the_input_are_not_split(monkeypatch):
    x = images(4, 5, n=50)
    found = []
    for most in (10, 2**22):
        monkeypatch.setattr(blocks, "MOST_WEIGHTS", most)
        own = layers.EinsumDense("abc,bcd->abd", output_shape=(4, 3), name="own")
        found.append(PatternComputer(one_layer(own, x)).fit(x, progress=False).get(own))
    np.testing.assert_allclose(*found, rtol=0, atol=1e-6 * np.abs(found[0]).max())
