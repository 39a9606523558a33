"""The rules of layer-wise relevance propagation.

`z_ij = x_i w_ij`; `+` and `-` are positive and negative parts; `w` is the kernel after batch norms next to
the layer have been folded in, `b` the bias likewise.  References: Bach et al. 2015; Samek et al. 2017,
section II-C; Montavon et al. 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from keras import ops

from innexplain.arguments import check_number, is_number
from innexplain.errors import ArgumentError
from innexplain.graph.step import Step
from innexplain.numerics import negative, positive
from innexplain.rules.base import Gradient, Rule
from innexplain.rules.linear import Group, Linear, LinearRule
from innexplain.rules.routing import Pass

Tensor = Any


@dataclass(frozen=True)
class Epsilon(LinearRule):
    """`R_i = sum_j z_ij / (z_j + epsilon sign(z_j)) R_j`.

    Args:
        epsilon: absorbs relevance where contributions cancel; in units of `z`.
        bias: whether b belongs to z_j, and so keeps its share.
    """

    heeds_input: ClassVar[bool] = True

    epsilon: float = 1e-7
    bias: bool = True

    def groups(self, linear: Linear) -> list[Group]:
        """All contributions together."""
        bias = linear.bias if self.bias else None
        known = self.sees_positive(linear, self.bias)
        return [Group(((linear.x, linear.kernel),), bias, epsilon=self.epsilon, positive=known)]


@dataclass(frozen=True)
class Z(LinearRule):
    """`R_i = sum_j z_ij / z_j R_j`: the epsilon rule without an epsilon.

    Args:
        bias: whether b belongs to z_j.
    """

    heeds_input: ClassVar[bool] = True

    bias: bool = True

    def groups(self, linear: Linear) -> list[Group]:
        """All contributions together."""
        return Epsilon(0.0, self.bias, rectified=self.rectified).groups(linear)


@dataclass(frozen=True)
class AlphaBeta(LinearRule):
    """`R_i = sum_j (alpha z_ij+ / z_j+ - beta z_ij- / z_j-) R_j`, with `alpha - beta = 1`.

    Positive contributions are `x+ w+` and `x- w-`.  b+ belongs to z_j+, b- to z_j- (Bach et al. 2015).
    Samek et al. 2017, equation 8, write `alpha + beta = 1` with a negative beta: the same rule.

    Args:
        alpha, beta: at least 1 and at least 0.
        bias: whether the bias belongs to the denominators.
    """

    heeds_input: ClassVar[bool] = True

    alpha: float = 2.0
    beta: float = 1.0
    bias: bool = True

    def __post_init__(self) -> None:
        if not (self.beta >= 0 and abs(self.alpha - self.beta - 1) < 1e-6):
            raise ArgumentError(
                "alpha - beta must be 1, with beta of at least 0. "
                f"Received: alpha={self.alpha}, beta={self.beta}"
            )

    def groups(self, linear: Linear) -> list[Group]:
        """Positive and negative contributions apart."""
        plus, minus = linear.kernel_parts
        b_plus, b_minus = linear.bias_parts if self.bias else (None, None)
        known = self.sees_positive(linear, self.bias)
        against = Group(linear.pairs(minus, plus), b_minus, -self.beta) if self.beta else None
        complement = against if known else None
        favour = Group(linear.pairs(plus, minus), b_plus, self.alpha, positive=known, complement=complement)
        return [favour] if against is None else [against, favour]


@dataclass(frozen=True)
class ZPlus(LinearRule):
    """`R_i = sum_j z_ij+ / z_j+ R_j`: alpha-beta with alpha 1 and beta 0.

    Args:
        bias: whether b+ belongs to z_j+.
    """

    heeds_input: ClassVar[bool] = True

    bias: bool = True

    def groups(self, linear: Linear) -> list[Group]:
        """Positive contributions only."""
        return AlphaBeta(1.0, 0.0, self.bias, rectified=self.rectified).groups(linear)


@dataclass(frozen=True)
class ZPlusFast(LinearRule):
    """`R_i = sum_j x_i w_ij+ / (sum_i' x_i' w_i'j+) R_j`, which is z+ if no input is negative.

    Args:
        bias: whether b+ belongs to the denominator.
    """

    heeds_input: ClassVar[bool] = True

    bias: bool = True

    def groups(self, linear: Linear) -> list[Group]:
        """Positive weights only."""
        bias = linear.bias_parts[0] if self.bias else None
        return [Group(((linear.x, linear.kernel_parts[0]),), bias)]


@dataclass(frozen=True)
class Gamma(LinearRule):
    """Positive contributions weigh `1 + gamma`: `x (w + gamma w+)` for non-negative inputs.

    Negative inputs meet `w + gamma w-`, and for outputs `z_j < 0` the two change places, so that what
    speaks for the sign of z_j is favoured.  The bias is treated like a weight.

    Args:
        gamma: at least 0; `Gamma(0)` is `Epsilon(0)`.
        bias: whether the bias belongs to the denominator.

    Reference: Montavon et al. 2019; the form for signed inputs, Andeol et al. 2022.
    """

    heeds_input: ClassVar[bool] = True

    gamma: float = 0.25
    bias: bool = True

    def groups(self, linear: Linear) -> list[Group]:
        """Outputs of either sign apart."""
        plus, minus = linear.kernel_parts
        up, down = linear.kernel + self.gamma * plus, linear.kernel + self.gamma * minus
        b_up, b_down = None, None
        if self.bias and linear.bias is not None:
            b_up = linear.bias + self.gamma * positive(linear.bias)
            b_down = linear.bias + self.gamma * negative(linear.bias)
        if self.sees_positive(linear, self.bias):
            return [Group(linear.pairs(up, down), b_up, positive=True)]
        return [
            Group(linear.pairs(up, down), b_up, sign=1),
            Group(linear.pairs(down, up), b_down, sign=-1),
        ]


@dataclass(frozen=True)
class WSquare(LinearRule):
    """`R_i = sum_j w_ij^2 / (sum_i' w_i'j^2) R_j`, over the inputs of j that exist; there is no b^2."""

    def groups(self, linear: Linear) -> list[Group]:
        """Squared weights, whatever the input."""
        return [Group(((ops.ones_like(linear.x), ops.square(linear.kernel)),))]


@dataclass(frozen=True)
class Flat(LinearRule):
    """`R_i = sum_j 1 / n_j R_j`, with n_j the number of inputs of j that exist (padding does not count)."""

    def groups(self, linear: Linear) -> list[Group]:
        """Equal weights, whatever the input."""
        return [Group(((ops.ones_like(linear.x), ops.ones_like(linear.kernel)),))]


@dataclass(frozen=True)
class Bounded(LinearRule):
    """The z^B rule for inputs in a box: `(x_i w_ij - l_i w_ij+ - h_i w_ij-) / sum_i'(...)`.

    Args:
        low, high: the box around what the layer itself reads: numbers, or one number a channel of that;
            `None` takes the smallest and largest value of the sample itself.
        bias: whether the bias belongs to the denominator.

    Reference: Montavon et al. 2017.
    """

    low: float | tuple[float, ...] | None = None
    high: float | tuple[float, ...] | None = None
    bias: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, _bound(name, getattr(self, name)))
        if len(self._channels) > 1:
            raise ArgumentError(
                "low and high must have as many channels as each other. "
                f"Received: low={self.low}, high={self.high}"
            )
        if self.low is not None and self.high is not None and not np.all(np.less(self.low, self.high)):
            raise ArgumentError(f"low must lie below high. Received: low={self.low}, high={self.high}")

    @property
    def _channels(self) -> set[int]:
        return {len(bound) for bound in (self.low, self.high) if isinstance(bound, tuple)}

    def suits(self, step: Step) -> bool:
        """Linear parts of as many channels as the bounds have.

        Raises:
            ArgumentError: there is one bound a channel, and the layer reads another number of channels.
        """
        axes = getattr(getattr(step.operation, "input_spec", None), "axes", None) or {}
        found = set(axes.values())  # Keras notes the axis of channels alone
        if step.linear is not None and found and self._channels and found != self._channels:
            raise ArgumentError(
                f"low and high must be numbers or have one number for each of the {found.pop()} channels "
                f"that {step} reads. Received: low={self.low}, high={self.high}"
            )
        return super().suits(step)

    def groups(self, linear: Linear) -> list[Group]:
        """The input and the two corners of the box."""
        x, kernel = linear.x, linear.kernel
        axes = tuple(range(1, len(x.shape)))

        def corner(bound: float | tuple[float, ...] | None, extreme: Any) -> Tensor:
            if bound is None:
                return ops.zeros_like(x) + extreme(x, axes, keepdims=True)
            given = ops.convert_to_tensor(bound, dtype=x.dtype)
            return ops.zeros_like(x) + (
                linear.part.over_channels(given, len(x.shape)) if np.ndim(bound) else given
            )

        low, high = corner(self.low, ops.min), corner(self.high, ops.max)
        terms = linear.beside((x, -low, -high), (kernel, *linear.kernel_parts))
        return [Group(terms, linear.bias if self.bias else None)]


def _bound(name: str, value: Any) -> float | tuple[float, ...] | None:
    """One side of the box, hashable, so that equal rules are equal."""
    if value is None or is_number(value):
        return value if value is None else check_number(name, value)
    if isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value) == 1 and len(value):
        return tuple(check_number(name, v) for v in value)
    raise ArgumentError(
        f"{name} must be a number, one number a channel, or None for the sample's own. "
        f"Received: {name}={value!r}"
    )


#: What methods of relevance propagation call rules.
RULE_NAMES: dict[str, Rule] = {
    "Z": Z(),
    "ZIgnoreBias": Z(bias=False),
    "Epsilon": Epsilon(),
    "EpsilonIgnoreBias": Epsilon(bias=False),
    "WSquare": WSquare(),
    "Flat": Flat(),
    "AlphaBeta": AlphaBeta(),
    "AlphaBetaIgnoreBias": AlphaBeta(bias=False),
    "Alpha2Beta1": AlphaBeta(),
    "Alpha2Beta1IgnoreBias": AlphaBeta(bias=False),
    "Alpha1Beta0": AlphaBeta(1.0, 0.0),
    "Alpha1Beta0IgnoreBias": AlphaBeta(1.0, 0.0, bias=False),
    "ZPlus": ZPlus(),
    "ZPlusIgnoreBias": ZPlus(bias=False),
    "ZPlusFast": ZPlusFast(),
    "Gamma": Gamma(),
    "GammaIgnoreBias": Gamma(bias=False),
    "Bounded": Bounded(),
    "gradient": Gradient(),
    "pass": Pass(),
    "relu": Pass(),
}
