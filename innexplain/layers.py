"""Layers that published networks need and Keras does not have."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from innexplain.errors import ArgumentError

__all__ = ["LocalResponseNormalization"]


@keras.saving.register_keras_serializable(package="innexplain")
class LocalResponseNormalization(keras.layers.Layer):
    """Normalisation over neighbouring channels: `y_c = x_c / (k + alpha sum_c' x_c'^2)^beta`.

    The sum runs over the `2 depth_radius + 1` channels around c, as far as they exist; channels are the last
    axis.  LRP passes relevance through unchanged.

    Args:
        depth_radius: number of neighbours on either side.
        bias: k.
        alpha: the factor of each square.
        beta: the exponent.

    Raises:
        ArgumentError: the radius is negative.

    Reference: Krizhevsky et al. 2012, section 3.3 (defaults: their settings).

    Example:
        >>> layer = LocalResponseNormalization(depth_radius=1, bias=1.0, alpha=1.0, beta=1.0)
        >>> [round(float(y), 3) for y in layer(ops.ones((1, 3)))[0]]
        [0.333, 0.25, 0.333]
    """

    def __init__(
        self,
        depth_radius: int = 2,
        bias: float = 2.0,
        alpha: float = 1e-4,
        beta: float = 0.75,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if depth_radius < 0:
            raise ArgumentError(f"depth_radius must be at least 0. Received: {depth_radius}")
        self.depth_radius = int(depth_radius)
        self.bias = float(bias)
        self.alpha = float(alpha)
        self.beta = float(beta)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Normalise; shape (..., channels) in and out."""
        rank, radius, channels = len(inputs.shape), self.depth_radius, inputs.shape[-1]
        padded = ops.pad(ops.square(inputs), [(0, 0)] * (rank - 1) + [(radius, radius)])
        total = sum(padded[..., i : i + channels] for i in range(2 * radius + 1))
        return inputs / ops.power(self.bias + self.alpha * total, self.beta)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving."""
        own = {
            "depth_radius": self.depth_radius,
            "bias": self.bias,
            "alpha": self.alpha,
            "beta": self.beta,
        }
        return {**super().get_config(), **own}
