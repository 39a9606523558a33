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


def _rows(name: str, rank: int, common: dict, *options: dict) -> list:
    """`(id, layer name, shape without batch, arguments)`, with what all rows share and what each has."""
    rows = []
    for own in options:
        shape = (4, *SIZES[rank]) if own.get("data_format") == FIRST else (*SIZES[rank], 4)
        label = "-".join(f"{k}={v}" for k, v in own.items())
        rows.append(pytest.param(name, shape, {**common, **own}, id=f"{name}-{label or 'plain'}"))
    return rows


def _convolutions() -> list:
    rows = []
    for rank in (1, 2, 3):
        rows += _rows(
            f"Conv{rank}D",
            rank,
            {"filters": 4, "kernel_size": 3 if rank < 3 else 2},
            {},
            {"strides": 2, "activation": "relu"},
            {"strides": 2, "padding": "same", "use_bias": False},
            {"strides": 3, "padding": "same"},
            {"dilation_rate": (3, 3, 2)[rank - 1], "use_bias": False},
            {"dilation_rate": 2, "padding": "same"},
            {"dilation_rate": 2, "padding": "same", "data_format": FIRST},
            *([{"strides": 2, "padding": "same", "data_format": FIRST, "activation": "tanh"}] * (rank < 3)),
        )
    causal = [{}, {"strides": 2, "use_bias": False}, {"dilation_rate": 3}, {"data_format": FIRST}]
    uneven = {"kernel_size": (3, 2), "strides": (2, 1), "padding": "same"}
    grouped = {"kernel_size": 3, "groups": 2, "strides": 2, "padding": "same"}
    return [
        *rows,
        *_rows("Conv1D", 1, {"filters": 3, "kernel_size": 3, "padding": "causal"}, *causal),
        *_rows("Conv2D", 2, {"filters": 4}, uneven, grouped),
    ]


def _transposed() -> list:
    rows = []
    for rank in (1, 2, 3):
        rows += _rows(
            f"Conv{rank}DTranspose",
            rank,
            {"filters": 3, "kernel_size": 3},
            {"use_bias": False},
            {"strides": 2},
            {"strides": 2, "padding": "same", "activation": "relu"},
            {"strides": 3, "output_padding": 1},
            {"strides": 2, "padding": "same", "data_format": FIRST},
            {"dilation_rate": 2},
            {"dilation_rate": 2, "padding": "same", "data_format": FIRST},
        )
    return rows


def _depthwise() -> list:
    rows = []
    for rank, (kind, own) in itertools.product((1, 2), (("Depthwise", {}), ("Separable", {"filters": 3}))):
        rows += _rows(
            f"{kind}Conv{rank}D",
            rank,
            {**own, "kernel_size": 3},
            {"depth_multiplier": 2, "use_bias": False},
            {"strides": 2, "depth_multiplier": 2},
            {"strides": 2, "padding": "same", "use_bias": False},
            {"dilation_rate": 2},
            {"dilation_rate": 2, "padding": "same", "activation": "relu"},
            {"data_format": FIRST, "depth_multiplier": 2},
            {"data_format": FIRST, "padding": "same", "strides": 2},
        )
    return rows


def _dense() -> list:
    rows = []
    for shape, activation in (((5,), "softmax"), ((4, 5), None), ((2, 3, 5), "relu")):
        kwargs = {"units": 3, "use_bias": len(shape) != 2, "activation": activation}
        rows.append(pytest.param("Dense", shape, kwargs, id=f"Dense-{shape}-{activation}"))
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


@pytest.mark.parametrize(("name", "shape", "kwargs"), CASES)
def test_parts(name: str, shape: tuple, kwargs: dict) -> None:
    """With the activation they are the layer; each is linear, in both precisions, and holds no weights."""
    layer, x = _layer(name, shape, kwargs)
    parts = linear_parts(layer)
    z = _own(parts)(x)
    _check_variables(layer, parts, x, z.numpy())
    answer = layer.activation(z) if getattr(layer, "activation", None) else z
    np.testing.assert_allclose(answer.numpy(), layer(x).numpy(), rtol=_close(layer), atol=_close(layer))
    assert np.ptp(z.numpy()) > 0.1
    for part in parts:
        _check_linear(part, x, _close(layer))
        _check_precisions(part, x)
        x = part.own(x)


def _check_linear(part: Any, x: Any, close: float) -> None:
    """In the input and in the kernel."""
    kernel, rng = part.kernel(), np.random.default_rng(2)
    y, other = (ops.convert_to_tensor(rng.normal(size=t.shape), t.dtype) for t in (x, kernel))
    z = part(x, kernel)
    by_input = part(3.0 * x - 2.0 * y, kernel) - (3.0 * z - 2.0 * part(y, kernel))
    by_kernel = part(x, 3.0 * kernel - 2.0 * other) - (3.0 * z - 2.0 * part(x, other))
    assert np.abs(by_input).max() < 50 * close
    assert np.abs(by_kernel).max() < 50 * close
    assert np.abs(z).max() > 0.1


def _check_precisions(part: Any, x: Any) -> None:
    """The map and its gradient by kernel; in float64 too where a CPU does not have the layer itself in it."""
    found = []
    for dtype in ("float32", "float64"):
        wide = ops.cast(x, dtype)
        (z,), pull = vjp(lambda k, wide=wide: [part.apply(wide, k)], part.kernel(dtype))
        found.append((z.numpy(), pull([z])[0].numpy()))
    for single, double in zip(*found, strict=True):
        assert double.dtype == "float64"
        np.testing.assert_allclose(single, double, rtol=0, atol=1e-5 * np.abs(double).max())


def _check_variables(layer: Any, parts: list, x: Any, before: np.ndarray) -> None:
    """They are read whenever a part runs."""
    own = _own(parts)
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
