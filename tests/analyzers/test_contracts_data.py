"""What goes in comes out: structure, shape and dtype; any rank, float policy and image format."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

from tests.zoo import randomise
from tests.zoo.models import MODELS

from . import (
    RULES,
    SEEDED,
    SPATIAL,
    assert_alike,
    create,
    create_or_refuse,
    over,
    rng,
    shared,
    tape_gradient,
)
from .networks import A, B, tables


def positive(model, seed):
    """Seeded weights and positive logits: deep Taylor gives zeros for the others."""
    randomise(model, seed)
    model.layers[-1].bias.assign([9.0] * model.output_shape[-1])
    return model


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_integers_come_out_as_float32(dtype):
    analyzer = shared("gradient", tables, output=0)
    answer = analyzer.analyze([A.astype(dtype), B])
    assert [m.dtype for m in answer] == [np.dtype("float32")] * 2
    assert_alike(answer, analyzer.analyze([A, B]), 0)


def test_tensors_and_nested_python_lists_are_arrays():
    """numpy comes out in any case; Python's floats are float64."""
    analyzer = shared("gradient", tables, output=0)
    maps = analyzer.analyze([A, B])
    for x in ([tf.constant(A), tf.constant(B)], [keras.ops.convert_to_tensor(A), B]):
        answer = analyzer.analyze(x)
        assert all(type(m) is np.ndarray for m in answer)
        assert_alike(answer, maps, 0)
    lists = analyzer.analyze([A.tolist(), B.tolist()])
    assert [m.dtype for m in lists] == [np.dtype("float64")] * 2
    assert_alike(lists, maps, 1e-6)


@over("gradient", "integrated_gradients")
def test_models_that_take_tuples_or_dicts(name):
    def model(structure):
        a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
        inputs = {"a": a, "b": b} if structure is dict else structure([a, b])
        y = L.Dense(6, activation="relu")(L.Concatenate()([a, b]))
        return positive(keras.Model(inputs, L.Dense(2, activation="softmax")(y)), 1)

    expected = create(name, model(list)).analyze([A, B])
    for structure in (tuple, dict):
        analyzer = create(name, model(structure))
        for x in ({"a": A, "b": B}, [A, B], (A, B)):
            answer = analyzer.analyze(x)
            assert type(answer) is type(x)
            found = [answer["a"], answer["b"]] if isinstance(x, dict) else list(answer)
            assert_alike(found, expected, 0)


def test_nested_structure_of_inputs():
    a, b, c = keras.Input((4,)), keras.Input((3,)), keras.Input((2,))
    y = L.Dense(2)(L.Concatenate()([a, b, c]))
    try:
        model = randomise(keras.Model([a, [b, c]], y))
    except ValueError as error:
        pytest.skip(f"this Keras knows no nested inputs: {error}"[:80])
    answer = create("input", model).analyze([A, [B, B[:, :2]]])
    assert_alike(answer, [A, [B, B[:, :2]]], 0)


def test_one_input_in_a_list_or_dict():
    x = keras.Input((4,), name="x")
    analyzer = create("gradient", randomise(keras.Model(x, L.Dense(2)(x))))
    plain = analyzer.analyze(A)
    assert_alike(analyzer.analyze([A]), [plain], 0)
    assert_alike(analyzer.analyze({"x": A}), {"x": plain}, 0)


# --- Ranks, policies, formats --------------------------------------------------------------------


@functools.cache
def of_rank(rank):
    """A network on inputs of a rank, and data."""
    d = f"{rank - 2}D"
    x = keras.Input((4,) * (rank - 2) + (2,))
    y = getattr(L, f"Conv{d}")(3, 2, activation="relu")(x)
    model = positive(keras.Model(x, L.Dense(2)(getattr(L, f"GlobalAveragePooling{d}")()(y))), 2)
    return model, rng(rank).normal(size=(2, *x.shape[1:])).astype("float32")


@pytest.mark.parametrize("rank", [3, 5])  # 2 and 4: `tables` and `images`, everywhere
@over("input", "random", *RULES)
def test_rank(name, rank):
    """A map has the shape of x; spatial methods drop the channels, where there are any."""
    model, data = of_rank(rank)
    maps = create(name, model).analyze(data)
    assert maps.shape == (data.shape[:-1] if name in SPATIAL else data.shape)
    assert np.isfinite(maps).all()
    assert np.any(maps.reshape(2, -1), axis=1).all()


@functools.cache
def policy_net(dtype=None):
    x = keras.Input((6, 6, 2), dtype="float64" if dtype == "float64" else "float32")
    y = L.GlobalAveragePooling2D(dtype=dtype)(L.Conv2D(3, 3, activation="relu", dtype=dtype)(x))
    return positive(keras.Model(x, L.Dense(3, activation="softmax", dtype=dtype)(y)), 2)


def _takes_float32(model):
    """Early versions of Keras give the inputs of a half-precision model half precision, too."""
    return keras.backend.standardize_dtype(model.inputs[0].dtype) == "float32"


@over("input", "random", *RULES)
def test_float_policies(name):
    """Half precision costs digits, not the explanation, and sums in float32; float64 stays float64."""
    x = rng(3).normal(size=(3, 6, 6, 2)).astype("float32")
    single = create(name, policy_net(), neuron_selection_mode="index").analyze(x, 1)
    half = create(name, policy_net("mixed_float16"), neuron_selection_mode="index").analyze(x, 1)
    double = create(name, policy_net("float64"), neuron_selection_mode="index").analyze(
        x.astype("float64"), 1
    )
    assert [m.dtype.name for m in (half, single, double)] == ["float32", "float32", "float64"]
    if name not in SEEDED or _takes_float32(policy_net("mixed_float16")):
        assert_alike(half, single, 0.05)
    if name not in SEEDED:  # noise depends on the very bits of a sample
        assert_alike(single.astype("float64"), double, 1e-4)


@functools.cache
def conv_net(dtype=None):
    return MODELS["conv_net"].build(dtype)


@pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")
@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float16"])
@over("gradient", "smoothgrad", "guided_backprop", "lrp.epsilon", "lrp.alpha_2_beta_1")
def test_low_precision_with_batch_norm(name, dtype):
    x = MODELS["conv_net"].inputs(3, rng(5))
    (low, info), (full, wanted) = (
        create(name, conv_net(d), neuron_selection_mode="index").analyze(x, 1, return_info=True)
        for d in (dtype, None)
    )
    assert low.dtype == info["score"].dtype == np.dtype("float32")
    if name not in SEEDED or _takes_float32(conv_net(dtype)):
        assert_alike(low, full, 0.2 if "bfloat" in dtype else 0.05)
    np.testing.assert_allclose(info["score"], wanted["score"], atol=0.05)


def test_float64_gradient_to_the_last_digits():
    x = rng(3).normal(size=(3, 6, 6, 2))
    analyzer = create("gradient", policy_net("float64"), neuron_selection_mode="index")
    truth = tape_gradient(analyzer.model, x, lambda y: tf.math.log(y[:, 1] / y[:, 0]))
    assert_alike(analyzer.analyze(x, 1) - analyzer.analyze(x, 0), truth, 1e-12)


def test_small_derivatives_survive_half_precision():
    """1e-10 is nothing in float16, whose smallest number is 6e-8."""

    def chain(dtype):
        x = keras.Input((8, 8, 1))
        y = L.Rescaling(1e-3, dtype=dtype)(L.AveragePooling2D(2, dtype=dtype)(x))
        y = L.Rescaling(1e-4, dtype=dtype)(L.GlobalAveragePooling2D(dtype=dtype)(y))
        return keras.Model(x, L.Dense(2, kernel_initializer="ones", dtype=dtype)(y))

    x = rng().normal(size=(2, 8, 8, 1)).astype("float32")
    half, full = (create("gradient", chain(dtype)).analyze(x) for dtype in ("mixed_float16", None))
    assert 0 < full.max() < 6e-8
    assert_alike(half, full, 1e-2)


@functools.cache
def format_net(data_format):
    first = data_format == "channels_first"
    kwargs = {"data_format": data_format}
    x = keras.Input((2, 6, 6) if first else (6, 6, 2))
    y = L.Conv2D(3, 3, **kwargs)(x)
    y = L.ReLU()(L.BatchNormalization(axis=1 if first else -1)(y))
    y = L.GlobalAveragePooling2D(**kwargs)(L.MaxPooling2D(2, **kwargs)(y))
    return positive(keras.Model(x, L.Dense(3, activation="softmax")(y)), 2)


@over("input", "random", *RULES)
def test_channels_first(name):
    """Weights do not depend on the format, so that maps are each other's transposes."""
    last = rng(4).normal(size=(2, 6, 6, 2)).astype("float32")
    first = np.ascontiguousarray(np.moveaxis(last, -1, 1))
    expected = create(name, format_net("channels_last")).analyze(last)
    analyzer = create_or_refuse(name, format_net("channels_first"), "channels_first")
    if analyzer is None:
        return
    maps = analyzer.analyze(first)
    if maps.ndim == 4:
        maps = np.moveaxis(maps, 1, -1)
    if name in SEEDED:  # noise is drawn in the order of the array
        assert maps.shape == expected.shape
        assert maps.any()
        assert_alike(create(name, analyzer.model).analyze(first), analyzer.analyze(first), 0)
        return
    assert_alike(maps, expected, 1e-5)
