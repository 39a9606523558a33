"""The linear part of every kernel layer: the layer's own map, linear, and sharing its weights."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

from innexplain.graph import linear_parts
from tests.zoo import randomise, undisturbed_random_state

LAST, FIRST = "channels_last", "channels_first"
SIZES = {1: (9,), 2: (7, 8), 3: (5, 6, 5)}  # by number of spatial axes


def _grid(name: str, rank: int, *plain: dict, **choices: tuple) -> list:
    """`(id, layer name, shape without batch, arguments)` for every combination, and for `plain` ones."""
    rows = []
    product = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    for kwargs in [*product, *plain]:
        first = kwargs.get("data_format") == FIRST
        shape = (4, *SIZES[rank]) if first else (*SIZES[rank], 4)
        label = "-".join(f"{k}={v}" for k, v in kwargs.items())
        rows.append(pytest.param(name, shape, kwargs, id=f"{name}-{label}"))
    return rows


def _convolutions() -> list:
    rows = []
    for rank in (1, 2, 3):
        name, common = f"Conv{rank}D", {"filters": 4, "kernel_size": 3 if rank < 3 else 2}
        paddings = ("valid", "same", "causal") if rank == 1 else ("valid", "same")
        rows += _grid(
            name,
            rank,
            {**common, "strides": 2, "dilation_rate": 1, "activation": "relu"},
            {**common, "groups": 2, "strides": 2, "padding": "same"},
            {**common, "groups": 2, "use_bias": False},
            {**common, "dilation_rate": 2, "padding": "same", "data_format": FIRST},
            {**common, "strides": 2, "padding": "same", "data_format": FIRST, "activation": "tanh"},
            **{k: (v,) for k, v in common.items()},
            padding=paddings,
            strides=(1, 2, 3),
            use_bias=(True, False),
        )
        rows += _grid(
            name,
            rank,
            **{k: (v,) for k, v in common.items()},
            padding=paddings,
            dilation_rate=(2, 3)[: 4 - rank],
        )
    uneven = {"filters": 3, "kernel_size": (3, 2), "strides": (2, 1), "padding": "same"}
    causal = {"filters": 3, "kernel_size": 3, "padding": "causal", "data_format": FIRST}
    return [*rows, *_grid("Conv2D", 2, uneven), *_grid("Conv1D", 1, causal)]


def _transposed() -> list:
    rows = []
    for rank in (1, 2, 3):
        common = {"filters": 3, "kernel_size": 3}
        rows += _grid(
            f"Conv{rank}DTranspose",
            rank,
            {**common, "strides": 3, "output_padding": 1},
            {**common, "strides": 2, "padding": "same", "data_format": FIRST, "activation": "relu"},
            {**common, "dilation_rate": 2},
            **{k: (v,) for k, v in common.items()},
            padding=("valid", "same"),
            strides=(1, 2),
            use_bias=(True, False),
        )
    return rows


def _depthwise() -> list:
    rows = []
    for rank, (kind, own) in itertools.product((1, 2), (("Depthwise", {}), ("Separable", {"filters": 3}))):
        name, common = f"{kind}Conv{rank}D", {**own, "kernel_size": 3}
        rows += _grid(
            name,
            rank,
            {**common, "dilation_rate": 2},
            {**common, "dilation_rate": 2, "padding": "same", "activation": "relu"},
            {**common, "data_format": FIRST, "depth_multiplier": 2},
            {**common, "data_format": FIRST, "padding": "same", "strides": 2},
            **{k: (v,) for k, v in common.items()},
            padding=("valid", "same"),
            strides=(1, 2),
            depth_multiplier=(1, 2),
            use_bias=(True, False),
        )
    return rows


def _dense() -> list:
    rows = []
    for use_bias, activation in itertools.product((True, False), (None, "relu", "softmax")):
        kwargs = {"units": 3, "use_bias": use_bias, "activation": activation}
        for shape in ((5,), (4, 5), (2, 3, 5)):
            rows.append(pytest.param("Dense", shape, kwargs, id=f"Dense-{shape}-{use_bias}-{activation}"))
    equations = [
        ("ab,bc->ac", 3, "c", (5,)),
        ("abc,cd->abd", (None, 3), "d", (4, 5)),
        ("abc,cd->abd", (None, 3), None, (4, 5)),
        ("abc,cde->abde", (None, 2, 3), "de", (4, 5)),
        ("...x,xy->...y", 3, "y", (4, 5)),
        ("abc,bcd->ad", 3, "d", (4, 5)),
    ]
    for equation, output, bias, shape in equations:
        kwargs = {"equation": equation, "output_shape": output, "bias_axes": bias, "activation": "relu"}
        rows.append(pytest.param("EinsumDense", shape, kwargs, id=f"EinsumDense-{equation}-{bias}"))
    return rows


CASES = [*_dense(), *_convolutions(), *_transposed(), *_depthwise()]
every_layer = pytest.mark.parametrize(("name", "shape", "kwargs"), CASES)


def _layer(name: str, shape: tuple, kwargs: dict, dtype: str = "float64") -> tuple[Any, np.ndarray]:
    """A built layer with seeded weights, and an input; skipped where TensorFlow has no such kernel."""
    rng = np.random.default_rng(1)
    with undisturbed_random_state():
        layer = getattr(L, name)(**kwargs, dtype=dtype)
        layer.build((2, *shape))
    randomise(layer)
    x = rng.normal(size=(2, *shape))
    return layer, x


def _compiled(function: Any, x: Any) -> np.ndarray:
    """Compiled, since TensorFlow has channels-first convolutions on a CPU for compiled functions only."""
    return tf.function(function, autograph=False)(ops.convert_to_tensor(x)).numpy()


def _own(parts: list, x: Any) -> Any:
    for part in parts:
        x = part.own(x)
    return x


@every_layer
def test_parts_then_activation_are_the_layer(name: str, shape: tuple, kwargs: dict) -> None:
    layer, x = _layer(name, shape, kwargs)
    expected = _run(layer, x)
    z = _own(linear_parts(layer), ops.convert_to_tensor(x))
    answer = z if getattr(layer, "activation", None) is None else layer.activation(z)
    np.testing.assert_allclose(ops.convert_to_numpy(answer), expected, rtol=1e-12, atol=1e-12)
    assert np.ptp(ops.convert_to_numpy(z)) > 0.1


@every_layer
def test_parts_are_linear_in_input_and_kernel(name: str, shape: tuple, kwargs: dict) -> None:
    layer, x = _layer(name, shape, kwargs)
    _run(layer, x)
    rng = np.random.default_rng(2)
    for part in linear_parts(layer):
        x = ops.convert_to_tensor(x)
        y = ops.convert_to_tensor(rng.normal(size=x.shape))
        kernel = part.kernel()
        other = ops.convert_to_tensor(rng.normal(size=kernel.shape))
        z = part(x, kernel)
        by_input = part(3.0 * x - 2.0 * y, kernel) - (3.0 * z - 2.0 * part(y, kernel))
        by_kernel = part(x, 3.0 * kernel - 2.0 * other) - (3.0 * z - 2.0 * part(x, other))
        assert float(ops.max(ops.abs(by_input))) < 1e-11
        assert float(ops.max(ops.abs(by_kernel))) < 1e-11
        assert float(ops.max(ops.abs(z))) > 0.1
        x = part.own(x)


@every_layer
def test_parts_read_the_variables_of_the_layer(name: str, shape: tuple, kwargs: dict) -> None:
    layer, x = _layer(name, shape, kwargs)
    _run(layer, x)
    parts = linear_parts(layer)
    x = ops.convert_to_tensor(x)
    before = ops.convert_to_numpy(_own(parts, x))
    for weight in layer.weights:
        kept = weight.numpy()
        weight.assign(kept * 2 + 0.1)
        changed = ops.convert_to_numpy(_own(parts, x))
        assert np.abs(changed - before).max() > 1e-3, f"{weight.name} is not read when the part runs"
        weight.assign(kept)
    np.testing.assert_array_equal(ops.convert_to_numpy(_own(parts, x)), before)


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("data_format", [LAST, FIRST])
def test_separable_is_depthwise_then_pointwise(rank: int, data_format: str) -> None:
    shape = (*SIZES[rank], 4) if data_format == LAST else (4, *SIZES[rank])
    settings = {"kernel_size": 3, "strides": 2, "padding": "same", "data_format": data_format}
    layer, x = _layer(f"SeparableConv{rank}D", shape, {"filters": 3, "depth_multiplier": 2, **settings})
    expected = _run(layer, x)
    depthwise, pointwise = linear_parts(layer)
    assert (depthwise.name, pointwise.name) == ("depthwise", "pointwise")
    assert depthwise.bias() is None

    first = getattr(L, f"DepthwiseConv{rank}D")(
        depth_multiplier=2, use_bias=False, dtype="float64", **settings
    )
    first.build((2, *shape))
    first.set_weights([layer.depthwise_kernel.numpy()])
    middle = first(x)
    np.testing.assert_allclose(depthwise.own(ops.convert_to_tensor(x)), middle, atol=1e-12)
    second = getattr(L, f"Conv{rank}D")(3, 1, data_format=data_format, dtype="float64")
    second.build(middle.shape)
    second.set_weights([layer.pointwise_kernel.numpy(), layer.bias.numpy()])
    np.testing.assert_allclose(pointwise.own(middle), second(middle), atol=1e-12)
    np.testing.assert_allclose(second(middle), expected, atol=1e-12)


@pytest.mark.parametrize(("channels", "axis"), [(LAST, -1), (FIRST, 1)])
def test_bias_lies_along_the_channels(channels: str, axis: int) -> None:
    shape = (5, 6, 3) if channels == LAST else (3, 5, 6)
    layer, x = _layer("Conv2D", shape, {"filters": 4, "kernel_size": 2, "data_format": channels})
    _run(layer, x)
    (part,) = linear_parts(layer)
    x = ops.convert_to_tensor(x)
    difference = ops.convert_to_numpy(part.own(x) - part(x, part.kernel()))
    moved = np.moveaxis(difference, axis, -1)
    np.testing.assert_allclose(moved, np.broadcast_to(layer.bias.numpy(), moved.shape), atol=1e-12)


def test_kernel_and_bias_come_in_the_dtype_asked_for() -> None:
    layer, x = _layer("Conv2D", (5, 5, 3), {"filters": 2, "kernel_size": 2}, dtype="mixed_float16")
    (part,) = linear_parts(layer)
    assert (part.kernel().dtype, part.bias().dtype) == ("float32", "float32")
    wide = part.own(ops.convert_to_tensor(x, "float64"))
    narrow = part.own(ops.convert_to_tensor(x, "float16"))
    assert (wide.dtype, narrow.dtype) == ("float64", "float16")
    np.testing.assert_allclose(ops.convert_to_numpy(narrow), ops.convert_to_numpy(wide), atol=2e-2)


def test_no_copy_of_a_kernel_is_held() -> None:
    layer, _ = _layer("Dense", (500,), {"units": 400})
    (part,) = linear_parts(layer)
    assert part.layer is layer
    held = [value for value in vars(part).values() if hasattr(value, "shape")]
    assert held == []


def test_low_rank_adaptation_is_part_of_the_kernel() -> None:
    layer, x = _layer("Dense", (6,), {"units": 4})
    (part,) = linear_parts(layer)
    plain = ops.convert_to_numpy(part.own(ops.convert_to_tensor(x)))
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.random.default_rng(0).normal(size=(2, 4)))
    adapted = ops.convert_to_numpy(part.own(ops.convert_to_tensor(x)))
    np.testing.assert_allclose(adapted, ops.convert_to_numpy(layer(x)), atol=1e-12)
    assert np.abs(adapted - plain).max() > 1e-3


def test_layers_without_a_kernel_have_no_part() -> None:
    assert linear_parts(L.MaxPooling2D()) == []
    assert linear_parts(L.LSTM(3)) == []


def test_every_kernel_class_of_keras_is_covered() -> None:
    kernels = {n for n in dir(L) if n.endswith("Dense") or "Conv" in n and "LSTM" not in n}
    classes = {getattr(L, n) for n in kernels}
    covered = {getattr(L, case.values[0]) for case in CASES}
    assert classes == covered
    assert all(issubclass(c, keras.layers.Layer) for c in classes)
