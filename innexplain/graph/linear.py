"""The linear part of a layer as a function `z = f(x, kernel, bias)`.

Rules need the linear map of a layer with other kernels (positive parts, squares, patterns) and without its
activation.  The functions here take kernel and bias as arguments; the weights stay the user's own variables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from keras import ops

from innexplain.graph.classify import kind_of
from innexplain.graph.convolving import dilated, in_format, padding_of
from innexplain.numerics import accumulation_dtype

Tensor = Any
Adjustment = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True, eq=False)
class LinearPart:
    """A linear map with its weights: `z = apply(x, kernel) + bias`.

    Args:
        name: `"linear"`, or `"depthwise"` and `"pointwise"` for the two of a separable convolution.
        layer: the layer whose weights these are.
        apply: the map without its bias; linear in `x` and in `kernel`.
        kernel_name: attribute of the layer that holds the kernel.
        bias_name: attribute that holds the bias, or `None`.
        bias_axis: the axis of `z` along which the bias lies; `None` where it broadcasts as it is.
        in_axes: the axes of the kernel that number the input's channels, `None` if no such axis does.
        out_axes: the axes of the kernel that number the output's channels, likewise.
        adjust: what is done to kernel and bias on the way, in this order: folded batch norms.
        norms: the layers of these batch norms.
        direct_map: the same map with the adjusted kernel, without computing that kernel: a batch norm
            scales what goes in or comes out, which is less work than scaling the kernel.
        pad: puts the zeros around x that the map pads; `None` where it pads none.
        unpadded: the map of what `pad` gives, where each weight sees an input at every place; `None` for
            transposed convolutions.
    """

    name: str
    layer: Any
    apply: Callable[[Tensor, Tensor], Tensor]
    kernel_name: str = "kernel"
    bias_name: str | None = "bias"
    bias_axis: int | None = None
    in_axes: tuple[int, ...] | None = None
    out_axes: tuple[int, ...] | None = None
    adjust: tuple[Adjustment, ...] = ()
    norms: tuple[Any, ...] = ()
    direct_map: Callable[[Tensor], Tensor] | None = None
    pad: Callable[[Tensor], Tensor] | None = None
    unpadded: Callable[[Tensor, Tensor], Tensor] | None = None

    def kernel(self, dtype: Any = None) -> Tensor:
        """The layer's kernel as a tensor, in `dtype` (default: the variable's)."""
        kernel = ops.convert_to_tensor(getattr(self.layer, self.kernel_name))
        return kernel if dtype is None else ops.cast(kernel, dtype)

    def bias(self, dtype: Any = None) -> Tensor | None:
        """The layer's bias as a tensor, in `dtype` (default: the variable's), or `None`."""
        bias = getattr(self.layer, self.bias_name, None) if self.bias_name else None
        if bias is None:
            return None
        bias = ops.convert_to_tensor(bias)
        return bias if dtype is None else ops.cast(bias, dtype)

    def wide(self, x: Tensor) -> Tensor:
        """`x` in the dtype in which the layer's relevance is summed; the layer itself casts as well."""
        return ops.cast(x, accumulation_dtype(self.layer.compute_dtype))

    def over_channels(self, vector: Tensor, rank: int) -> Tensor:
        """One number a channel in a shape that broadcasts to inputs and outputs of this rank."""
        return ops.reshape(vector, (1, -1, *[1] * (rank - 2))) if self.bias_axis == 1 else vector

    @property
    def joining_axes(self) -> tuple[int, int] | None:
        """The axes of x and of the kernel along which convolutions are put side by side to be summed."""
        if (
            self.bias_axis is None
            or self.in_axes is None
            or set(self.in_axes).intersection(self.out_axes or ())
        ):
            return None
        return self.bias_axis, self.in_axes[0]

    def weights(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Kernel and bias as they act on `x`, in its dtype, after every adjustment.

        The bias has a shape that broadcasts to that of `z`.
        """
        kernel, bias = self.kernel(x.dtype), self.bias(x.dtype)
        if bias is not None:
            bias = self.over_channels(bias, len(x.shape))
        for change in self.adjust:
            kernel, bias = change(x, kernel, bias)
        return kernel, bias

    def __call__(self, x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        """`z` for any kernel and any bias that broadcasts; `bias=None` leaves the bias out."""
        z = self.apply(x, kernel)
        return z if bias is None else ops.add(z, bias)

    def direct(self, x: Tensor) -> Tensor:
        """The map with the layer's own weights, without the bias."""
        return self.apply(x, self.kernel(x.dtype)) if self.direct_map is None else self.direct_map(x)

    def own(self, x: Tensor) -> Tensor:
        """`z` with the layer's own weights, in the dtype of `x`."""
        z, (_, bias) = self.direct(x), self.weights(x)
        return z if bias is None else ops.add(z, bias)


def _dense(layer: Any) -> list[LinearPart]:
    return [LinearPart("linear", layer, ops.matmul, in_axes=(0,), out_axes=(1,), unpadded=ops.matmul)]


def _einsum_dense(layer: Any) -> list[LinearPart]:
    def apply(x: Tensor, kernel: Tensor) -> Tensor:
        return ops.einsum(layer.equation, x, kernel)

    return [LinearPart("linear", layer, apply, unpadded=apply)]


def _channel_axis(layer: Any) -> int:
    return 1 if layer.data_format == "channels_first" else -1


def _maps(layer: Any, operation: Callable[..., Tensor]) -> dict[str, Any]:
    """A convolution with the layer's padding, that padding, and what is left to do."""
    pad = padding_of(layer)
    convolve = partial(operation, strides=layer.strides, dilation_rate=layer.dilation_rate)

    def unpadded(x: Tensor, kernel: Tensor) -> Tensor:
        return in_format(layer, convolve, x, kernel, padding="valid")

    def apply(x: Tensor, kernel: Tensor) -> Tensor:
        if layer.padding == "same":  # in one step, which is faster
            return in_format(layer, convolve, x, kernel, padding="same")
        return unpadded(x if pad is None else pad(x), kernel)

    return {"apply": apply, "pad": pad, "unpadded": unpadded}


def _conv(layer: Any) -> list[LinearPart]:
    rank = len(layer.kernel_size)
    in_axes = (rank,) if layer.groups == 1 else None
    return [
        LinearPart(
            "linear", layer, **_maps(layer, ops.conv), bias_axis=_channel_axis(layer),
            in_axes=in_axes, out_axes=(rank + 1,),
        )
    ]  # fmt: skip


def _conv_transpose(layer: Any) -> list[LinearPart]:
    # With respect to a kernel smaller than its stride, TensorFlow's gradient may crash: zeros fill the gap.
    short = [max(s - k, 0) for k, s in zip(layer.kernel_size, layer.strides, strict=True)]
    gaps = any(short) and layer.output_padding is None

    convolve = partial(
        ops.conv_transpose,
        strides=layer.strides, padding=layer.padding, output_padding=layer.output_padding,
    )  # fmt: skip

    def apply(x: Tensor, kernel: Tensor) -> Tensor:
        kernel = dilated(kernel, layer.dilation_rate)
        if gaps:
            kernel = ops.pad(kernel, [*[[0, gap] for gap in short], [0, 0], [0, 0]])
        return in_format(layer, convolve, x, kernel)

    axis, rank = _channel_axis(layer), len(layer.kernel_size)
    return [LinearPart("linear", layer, apply, bias_axis=axis, in_axes=(rank + 1,), out_axes=(rank,))]


def _depthwise(layer: Any) -> list[LinearPart]:
    rank = len(layer.kernel_size)
    return [
        LinearPart(
            "linear", layer, **_maps(layer, ops.depthwise_conv), bias_axis=_channel_axis(layer),
            in_axes=(rank,), out_axes=(rank, rank + 1),
        )
    ]  # fmt: skip


def _separable(layer: Any) -> list[LinearPart]:
    def pointwise(x: Tensor, kernel: Tensor) -> Tensor:
        if layer.data_format == "channels_first":  # in float64 on a CPU too, as the layer
            return ops.einsum("nc...,cf->nf...", x, ops.reshape(kernel, kernel.shape[-2:]))
        return ops.conv(x, kernel, strides=1, padding="valid", data_format=layer.data_format)

    axis, rank = _channel_axis(layer), len(layer.kernel_size)
    depthwise = LinearPart(
        "depthwise", layer, kernel_name="depthwise_kernel", bias_name=None, bias_axis=axis,
        in_axes=(rank,), out_axes=(rank, rank + 1),
        **_maps(layer, ops.depthwise_conv),
    )  # fmt: skip
    return [
        depthwise,
        LinearPart(
            "pointwise", layer, pointwise, "pointwise_kernel", "bias", axis, (rank,), (rank + 1,),
            unpadded=pointwise,
        ),
    ]  # fmt: skip


# As the records of `kinds.py` call them.
_BUILDERS: dict[str, Callable[[Any], list[LinearPart]]] = {
    "dense": _dense, "einsum": _einsum_dense, "conv": _conv, "transposed": _conv_transpose,
    "depthwise": _depthwise, "separable": _separable,
}  # fmt: skip


def linear_parts(layer: Any) -> list[LinearPart]:
    """The linear maps that a kernel layer applies one after the other, before its activation.

    Args:
        layer: a built kernel layer.

    Returns:
        One part, two for separable convolutions, none for a layer that is no kernel layer or whose
        weights are quantised.

    >>> import keras
    >>> layer = keras.layers.Dense(3, activation="relu")
    >>> layer.build((None, 2))
    >>> part, = linear_parts(layer)
    >>> part.own(ops.ones((1, 2))).shape == (1, 3)
    True
    """
    build = _BUILDERS.get(kind_of(layer).linear)
    return build(layer) if build is not None and not _is_quantised(layer) else []


def _is_quantised(layer: Any) -> bool:
    """Told by the layer, or in older versions of Keras by its dtype policy."""
    owners = (layer, getattr(layer, "dtype_policy", None))
    return any(getattr(owner, "quantization_mode", None) is not None for owner in owners)
