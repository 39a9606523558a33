"""The linear part of every kernel layer: the layer's own map, linear, and sharing its weights."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from keras import layers as L
from keras import ops

from innexplain.graph import linear_parts
from innexplain.numerics import vjp
from tests.zoo import randomise, undisturbed_random_state

LAST, FIRST = "channels_last", "channels_first"
SIZES = {1: (9,), 2: (7, 8), 3: (5, 6, 5)}  # by number of spatial axes


def _grid(name: str, rank: int, *plain: dict, **choices: tuple) -> list:
    """`(id, layer name, shape without batch, arguments)` for every combination, and for `plain` ones."""
    rows = []
    product = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    for kwargs in [*(product if choices else ()), *plain]:
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
            {**common, "dilation_rate": 2, "padding": "same", "data_format": FIRST},
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


def _layer(name: str, shape: tuple, kwargs: dict, dtype: str | None = None) -> tuple[Any, Any]:
    """A built layer with seeded weights, and an input; float64 where TensorFlow's CPU has that."""
    float32 = kwargs.get("data_format") == FIRST or ("Transpose" in name and "dilation_rate" in kwargs)
    dtype = dtype or ("float32" if float32 else "float64")
    with undisturbed_random_state():
        layer = getattr(L, name)(**kwargs, dtype=dtype)
        layer.build((2, *shape))
    randomise(layer)
    x = np.random.default_rng(1).normal(size=(2, *shape))
    return layer, ops.convert_to_tensor(x, layer.compute_dtype)


def _close(layer: Any) -> float:
    """How near is equal: numbers here are about 1."""
    return 1e-12 if layer.compute_dtype == "float64" else 1e-5


def _own(parts: list) -> Callable:
    return lambda x: functools.reduce(lambda y, part: part.own(y), parts, x)


@every_layer
def test_parts_then_activation_are_the_layer(name: str, shape: tuple, kwargs: dict) -> None:
    layer, x = _layer(name, shape, kwargs)
    z = _own(linear_parts(layer))(x)
    answer = layer.activation(z) if getattr(layer, "activation", None) else z
    np.testing.assert_allclose(answer.numpy(), layer(x).numpy(), rtol=_close(layer), atol=_close(layer))
    assert np.ptp(z.numpy()) > 0.1


@every_layer
def test_parts_of_float32_layers_in_float64(name: str, shape: tuple, kwargs: dict) -> None:
    """Where a CPU does not have the layer itself in float64, too; with the gradient by kernel."""
    layer, x = _layer(name, shape, kwargs, "float32")
    for part in linear_parts(layer):
        found = []
        for dtype in ("float32", "float64"):
            wide = ops.cast(x, dtype)
            (z,), pull = vjp(lambda k, p=part, x=wide: [p.apply(x, k)], part.kernel(dtype))
            found.append((z.numpy(), pull([z])[0].numpy()))
        for single, double in zip(*found, strict=True):
            assert double.dtype == "float64"
            np.testing.assert_allclose(single, double, rtol=0, atol=1e-5 * np.abs(double).max())
        x = part.own(x)


@every_layer
def test_parts_are_linear_in_input_and_kernel(name: str, shape: tuple, kwargs: dict) -> None:
    layer, x = _layer(name, shape, kwargs)
    rng = np.random.default_rng(2)
    for part in linear_parts(layer):
        kernel = part.kernel()
        y, other = (ops.convert_to_tensor(rng.normal(size=t.shape), t.dtype) for t in (x, kernel))
        z = part(x, kernel)
        by_input = part(3.0 * x - 2.0 * y, kernel) - (3.0 * z - 2.0 * part(y, kernel))
        by_kernel = part(x, 3.0 * kernel - 2.0 * other) - (3.0 * z - 2.0 * part(x, other))
        assert np.abs(by_input).max() < 50 * _close(layer)
        assert np.abs(by_kernel).max() < 50 * _close(layer)
        assert np.abs(z).max() > 0.1
        x = part.own(x)


@every_layer
def test_parts_read_the_variables_of_the_layer(name: str, shape: tuple, kwargs: dict) -> None:
    layer, x = _layer(name, shape, kwargs)
    own = _own(linear_parts(layer))
    before = own(x).numpy()
    for weight in layer.weights:
        kept = weight.numpy()
        weight.assign(kept * 2 + 0.1)
        assert np.abs(own(x) - before).max() > 1e-3, f"{weight.name} is not read when the part runs"
        weight.assign(kept)
    np.testing.assert_array_equal(own(x).numpy(), before)


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("data_format", [LAST, FIRST])
def test_separable_is_depthwise_then_pointwise(rank: int, data_format: str) -> None:
    shape = (*SIZES[rank], 4) if data_format == LAST else (4, *SIZES[rank])
    common = {"kernel_size": 3, "strides": 2, "padding": "same", "data_format": data_format}
    layer, x = _layer(f"SeparableConv{rank}D", shape, {"filters": 3, "depth_multiplier": 2, **common})
    depthwise, pointwise = linear_parts(layer)
    assert (depthwise.name, pointwise.name) == ("depthwise", "pointwise")
    assert depthwise.bias() is None

    alone = {"depth_multiplier": 2, "use_bias": False}
    first, _ = _layer(f"DepthwiseConv{rank}D", shape, {**alone, **common})
    first.set_weights([layer.depthwise_kernel.numpy()])
    middle = first(x)
    np.testing.assert_allclose(depthwise.own(x).numpy(), middle.numpy(), atol=_close(layer))
    size_one = {"filters": 3, "kernel_size": 1, "data_format": data_format}
    second, _ = _layer(f"Conv{rank}D", middle.shape[1:], size_one)
    second.set_weights([layer.pointwise_kernel.numpy(), layer.bias.numpy()])
    last = second(middle).numpy()
    np.testing.assert_allclose(pointwise.own(middle).numpy(), last, atol=_close(layer))
    np.testing.assert_allclose(layer(x).numpy(), last, atol=_close(layer))


@pytest.mark.parametrize("rank", [1, 2])
def test_pointwise_convolution_needs_no_kernel_of_tensorflow(rank: int) -> None:
    """TensorFlow's CPU has no channels-first convolution in float64; the layer does without one."""
    kwargs = {"filters": 3, "kernel_size": 2, "data_format": FIRST}
    layer, x = _layer(f"SeparableConv{rank}D", (4, *SIZES[rank]), kwargs, dtype="float64")
    kernel = layer.pointwise_kernel.numpy().reshape(4, 3)
    z = linear_parts(layer)[1].own(x).numpy()
    expected = np.einsum("nc...,cf->n...f", x.numpy(), kernel) + layer.bias.numpy()
    np.testing.assert_allclose(np.moveaxis(z, 1, -1), expected, atol=1e-12)


@pytest.mark.parametrize(("data_format", "axis"), [(LAST, -1), (FIRST, 1)])
def test_bias_lies_along_the_channels(data_format: str, axis: int) -> None:
    shape = (5, 6, 3) if data_format == LAST else (3, 5, 6)
    layer, x = _layer("Conv2D", shape, {"filters": 4, "kernel_size": 2, "data_format": data_format})
    (part,) = linear_parts(layer)
    difference = (part.own(x) - part(x, part.kernel())).numpy()
    moved = np.moveaxis(difference, axis, -1)
    np.testing.assert_allclose(moved, np.broadcast_to(layer.bias.numpy(), moved.shape), atol=_close(layer))


def test_kernel_and_bias_come_in_the_dtype_asked_for() -> None:
    layer, x = _layer("Conv2D", (5, 5, 3), {"filters": 2, "kernel_size": 2}, dtype="mixed_float16")
    (part,) = linear_parts(layer)
    assert (part.kernel().dtype, part.bias().dtype) == ("float32", "float32")
    wide, narrow = part.own(ops.cast(x, "float64")), part.own(x)
    assert (wide.dtype, narrow.dtype) == ("float64", "float16")
    np.testing.assert_allclose(narrow.numpy(), wide.numpy(), atol=2e-2)


def test_no_copy_of_a_kernel_is_held() -> None:
    layer, _ = _layer("Dense", (500,), {"units": 400})
    (part,) = linear_parts(layer)
    assert part.layer is layer
    assert [value for value in vars(part).values() if hasattr(value, "shape")] == []


def test_low_rank_adaptation_is_part_of_the_kernel() -> None:
    layer, x = _layer("Dense", (6,), {"units": 4})
    (part,) = linear_parts(layer)
    plain = part.own(x).numpy()
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.random.default_rng(0).normal(size=(2, 4)))
    adapted = part.own(x).numpy()
    np.testing.assert_allclose(adapted, layer(x).numpy(), atol=1e-12)
    assert np.abs(adapted - plain).max() > 1e-3


def test_layers_without_a_kernel_have_no_part() -> None:
    assert linear_parts(L.MaxPooling2D()) == []
    assert linear_parts(L.LSTM(3)) == []


def test_every_kernel_class_of_keras_is_covered() -> None:
    kernels = {n for n in dir(L) if n.endswith("Dense") or ("Conv" in n and "LSTM" not in n)}
    assert {getattr(L, n) for n in kernels} == {getattr(L, case.values[0]) for case in CASES}
