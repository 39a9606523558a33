"""Layer-wise relevance propagation, deep Taylor decomposition and excitation backprop.

Every name is a few rows: which rule for which layer.  Names, arguments and defaults are those of
iNNvestigate where it has them.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from innexplain.analyzers.method import FIXED
from innexplain.analyzers.walking import Backward
from innexplain.arguments import check_number
from innexplain.composites import (
    Composite,
    Placement,
    Row,
    dense_and_rest,
    everywhere,
    is_first,
    lrp_composite,
    positive_composite,
)
from innexplain.errors import ArgumentError
from innexplain.rules import AlphaBeta, Bounded, Epsilon, Flat, Gamma, Rule, WSquare, Z, ZPlus, ZPlusFast

Rows = tuple[Row, ...]
_LRP = "Bach et al. 2015; Montavon et al. 2019"


@dataclass(frozen=True, eq=False)
class LRP(Backward):
    """Relevance propagation: the score is handed back layer by layer, shared out by one rule or several.

    Args:
        input_layer_rule, until_layer_idx, until_layer_rule, bn_rule: see `Placement`; `None` is what is
            usual for the name.
        bn_layer_rule: iNNvestigate's name of `bn_rule`.
        usual_input: the usual rule for layers that touch an input.
        usual_until: the usual rule for lower layers, where `until_layer_idx` says how far they go.
    """

    reference: ClassVar[str] = _LRP

    usual_input: Rule | None = field(default=None, kw_only=True, repr=False, metadata=FIXED)
    usual_until: Rule | None = field(default=None, kw_only=True, repr=False, metadata=FIXED)
    input_layer_rule: Any = None
    until_layer_idx: int | None = None
    until_layer_rule: Any = None
    bn_rule: Any = None
    bn_layer_rule: Any = None

    def __post_init__(self) -> None:
        bias = self.settings.get("bias", True)
        if not isinstance(bias, (bool, np.bool_)):
            raise ArgumentError(f"bias must be True or False. Received: bias={bias!r}")
        self.composite()  # complains of what it cannot take

    @abstractmethod
    def linear_rows(self) -> Rows:
        """The rules of layers with a kernel."""

    def composite(self) -> Composite:
        """The rows of all layers."""
        if self.bn_rule is not None and self.bn_layer_rule is not None:
            raise ArgumentError("bn_rule and bn_layer_rule are two names of one argument: give one of them.")
        usual_until = None if self.until_layer_idx is None else self.usual_until
        placement = Placement(
            _first(self.input_layer_rule, self.usual_input),
            self.until_layer_idx,
            _first(self.until_layer_rule, usual_until),
            _first(self.bn_rule, self.bn_layer_rule),
        )
        return placement.on(lrp_composite(self.name, self.linear_rows()))


@dataclass(frozen=True, eq=False)
class AnyRule(LRP):
    """LRP with one rule, given as a `Rule` or by name, and `rules=` for layers of your choice."""

    rule: Any = "Epsilon"

    def linear_rows(self) -> Rows:
        """The rule everywhere."""
        return everywhere(lrp_composite("lrp", ()).resolve(self.rule))


@dataclass(frozen=True, eq=False)
class OneRule(LRP):
    """LRP with the rule of the name in every layer."""

    rule: Rule = field(default=Z(), metadata=FIXED)

    def linear_rows(self) -> Rows:
        """The rule everywhere."""
        return everywhere(self.rule)


@dataclass(frozen=True, eq=False)
class EpsilonLRP(LRP):
    """LRP with the epsilon rule in every layer."""

    epsilon: float = 1e-7
    bias: bool = True

    def linear_rows(self) -> Rows:
        """The epsilon rule everywhere."""
        return everywhere(Epsilon(check_number("epsilon", self.epsilon, low=0), self.bias))


@dataclass(frozen=True, eq=False)
class EpsilonIgnoringBias(EpsilonLRP):
    """LRP with the epsilon rule in every layer, biases left out of the denominators."""

    bias: bool = field(default=False, metadata=FIXED)


@dataclass(frozen=True, eq=False)
class GammaLRP(LRP):
    """LRP with the gamma rule in every layer."""

    gamma: float = 0.25
    bias: bool = True

    def linear_rows(self) -> Rows:
        """The gamma rule everywhere."""
        return everywhere(Gamma(check_number("gamma", self.gamma, low=0), self.bias))


@dataclass(frozen=True, eq=False)
class AlphaBetaLRP(LRP):
    """LRP with the alpha-beta rule in every layer; one of the two gives the other, default 2 and 1."""

    alpha: float | None = None
    beta: float | None = None
    bias: bool = True

    def linear_rows(self) -> Rows:
        """The alpha-beta rule everywhere."""
        alpha, beta = self.alpha, self.beta
        if alpha is None:
            alpha = 2.0 if beta is None else beta + 1
        return everywhere(AlphaBeta(float(alpha), float(alpha - 1 if beta is None else beta), self.bias))


@dataclass(frozen=True, eq=False)
class DenseAndRest(LRP):
    """LRP with the epsilon rule in dense layers and the rule of the name in convolutions."""

    reference: ClassVar[str] = "Lapuschkin et al. 2017"

    rest: Rule = field(default=AlphaBeta(), metadata=FIXED)
    epsilon: float = 1e-6

    def linear_rows(self) -> Rows:
        """One rule for dense layers, another one for convolutions."""
        return dense_and_rest(Epsilon(check_number("epsilon", self.epsilon, low=0)), self.rest)


@dataclass(frozen=True, eq=False)
class EpsilonGammaBox(LRP):
    """LRP with epsilon in dense layers, gamma in convolutions, the box rule in layers that touch an input."""

    low: Any = None
    high: Any = None
    epsilon: float = 1e-6
    gamma: float = 0.25

    def linear_rows(self) -> Rows:
        """Three rules."""
        rest = dense_and_rest(
            Epsilon(check_number("epsilon", self.epsilon, low=0)),
            Gamma(check_number("gamma", self.gamma, low=0)),
        )
        return (Row(is_first, Bounded(self.low, self.high)), *rest)


@dataclass(frozen=True, eq=False)
class DeepTaylor(Backward):
    """Relevance that is never negative: z+ without biases, w^2 in layers that touch an input.

    It starts from the score, cut off at zero.
    """

    reference: ClassVar[str] = "Montavon et al. 2017"

    def __post_init__(self) -> None:
        self.composite()

    def first(self) -> Rule:
        """The rule of layers that touch an input."""
        return WSquare()

    def composite(self) -> Composite:
        """z+, but for the layers that touch an input."""
        rows = (Row(is_first, self.first()), *everywhere(ZPlus(bias=False)))
        return positive_composite(self.name, rows, "positive_score")


@dataclass(frozen=True, eq=False)
class DeepTaylorBounded(DeepTaylor):
    """Relevance that is never negative: z+ without biases, the box rule in layers that touch an input."""

    low: Any = None
    high: Any = None

    def first(self) -> Rule:
        """The box rule."""
        return Bounded(self.low, self.high)


@dataclass(frozen=True, eq=False)
class ExcitationBackprop(Backward):
    """The probability that a location makes the neuron win: z+ without biases, started from 1.

    z+ without biases is alpha 1, beta 0 without biases.
    """

    reference: ClassVar[str] = "Zhang et al. 2018"

    def composite(self) -> Composite:
        """z+ everywhere."""
        return positive_composite(self.name, everywhere(ZPlus(bias=False)), "one")


def _first(given: Any, otherwise: Any) -> Any:
    return otherwise if given is None else given


_21, _10 = AlphaBeta(2.0, 1.0), AlphaBeta(1.0, 0.0)
_FLAT = Flat()

LRP_METHODS: dict[str, Backward] = {
    "lrp": AnyRule(),
    "lrp.z": OneRule(rule=Z()),
    "lrp.z_IB": OneRule(rule=Z(bias=False)),
    "lrp.epsilon": EpsilonLRP(compared=1),
    "lrp.epsilon_IB": EpsilonIgnoringBias(),
    "lrp.w_square": OneRule(rule=WSquare()),
    "lrp.flat": OneRule(rule=Flat()),
    "lrp.gamma": GammaLRP(),
    "lrp.alpha_beta": AlphaBetaLRP(),
    "lrp.alpha_2_beta_1": OneRule(rule=_21, compared=2),
    "lrp.alpha_2_beta_1_IB": OneRule(rule=AlphaBeta(2.0, 1.0, bias=False)),
    "lrp.alpha_1_beta_0": OneRule(rule=_10),
    "lrp.alpha_1_beta_0_IB": OneRule(rule=AlphaBeta(1.0, 0.0, bias=False)),
    "lrp.z_plus": OneRule(rule=ZPlus()),
    "lrp.z_plus_fast": OneRule(rule=ZPlusFast()),
    "lrp.sequential_preset_a": DenseAndRest(rest=_10, epsilon=0.1, compared=3),
    "lrp.sequential_preset_b": DenseAndRest(rest=_21, epsilon=0.1),
    "lrp.sequential_preset_a_flat": DenseAndRest(rest=_10, epsilon=0.1, usual_input=_FLAT),
    "lrp.sequential_preset_b_flat": DenseAndRest(rest=_21, epsilon=0.1, usual_input=_FLAT),
    "lrp.sequential_preset_b_flat_until_idx": DenseAndRest(rest=_21, epsilon=0.1, usual_until=_FLAT),
    "lrp.epsilon_plus": DenseAndRest(rest=ZPlus()),
    "lrp.epsilon_plus_flat": DenseAndRest(rest=ZPlus(), usual_input=_FLAT),
    "lrp.epsilon_alpha_2_beta_1": DenseAndRest(rest=_21),
    "lrp.epsilon_alpha_2_beta_1_flat": DenseAndRest(rest=_21, usual_input=_FLAT),
    "lrp.epsilon_gamma_box": EpsilonGammaBox(),
    "deep_taylor": DeepTaylor(),
    "deep_taylor.bounded": DeepTaylorBounded(),
    "excitation_backprop": ExcitationBackprop(),
}
