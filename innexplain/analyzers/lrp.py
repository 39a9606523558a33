"""Layer-wise relevance propagation, deep Taylor decomposition and excitation backprop.

Every name is a few rows: which rule for which layer.  Names, arguments and defaults are those of
iNNvestigate where it has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from innexplain.analyzers.backward import BackwardAnalyzer
from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.core import Core, Options
from innexplain.analyzers.signatures import add_keywords
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
from innexplain.rules import (
    AlphaBeta,
    Bounded,
    Epsilon,
    Flat,
    Gamma,
    Rule,
    WSquare,
    Z,
    ZPlus,
    ZPlusFast,
)

__all__ = ["LRP_METHODS"]

Builder = Callable[..., Analyzer]
Rows = tuple[Row, ...]


def _builder(name: str, rows: Callable[..., Rows], defaults: dict[str, Any] | None = None) -> Builder:
    """A builder from a function that gives the rows of linear parts.

    Args:
        name: the analyzer's name.
        rows: takes the analyzer's own arguments.
        defaults: the method's own placement, where the caller gives none.
    """

    def build(
        model: Any,
        options: Options,
        *,
        input_layer_rule: Any = None,
        until_layer_idx: int | None = None,
        until_layer_rule: Any = None,
        bn_rule: Any = None,
        bn_layer_rule: Any = None,
        **own: Any,
    ) -> Analyzer:
        given = {
            "input_layer_rule": input_layer_rule,
            "until_layer_idx": until_layer_idx,
            "until_layer_rule": until_layer_rule,
            "bn_rule": _either(bn_rule, bn_layer_rule),
        }
        placed = {key: value for key, value in given.items() if value is not None}
        composite = lrp_composite(name, rows(**own))
        placement = Placement(**_complete({**(defaults or {}), **placed}))
        return _analyzer(name, model, options, placement.on(composite))

    add_keywords(build, rows)
    build.__doc__ = rows.__doc__
    return build


def _either(bn_rule: Any, bn_layer_rule: Any) -> Any:
    """The rule for batch norms under its name here, or under iNNvestigate's."""
    if bn_rule is not None and bn_layer_rule is not None:
        raise ArgumentError("bn_rule and bn_layer_rule are two names of one argument: give one of them.")
    return bn_layer_rule if bn_rule is None else bn_rule


def _complete(placement: dict[str, Any]) -> dict[str, Any]:
    """A default rule for the lower layers means nothing until the caller says how far they go."""
    if "until_layer_idx" not in placement and placement.get("until_layer_rule") == Flat():
        placement.pop("until_layer_rule")
    return placement


def _positive(name: str, rows: Callable[..., Rows], seed: str) -> Builder:
    def build(model: Any, options: Options, **own: Any) -> Analyzer:
        return _analyzer(name, model, options, positive_composite(name, rows(**own), seed))

    add_keywords(build, rows)
    build.__doc__ = rows.__doc__
    return build


def _analyzer(name: str, model: Any, options: Options, composite: Composite) -> Analyzer:
    return BackwardAnalyzer(Core(model, options, composite, graph_needed=True), name)


def _any_rule(rule: Any = "Epsilon") -> Rows:
    """LRP with one rule, given as a `Rule` or by name, and `rules=` for layers of your choice."""
    return everywhere(lrp_composite("lrp", ()).resolve(rule))


def _fixed(rule: Rule) -> Callable[..., Rows]:
    def rows() -> Rows:
        return everywhere(rule)

    rows.__doc__ = f"LRP with the rule {rule!r} in every layer."
    return rows


def _epsilon(epsilon: float = 1e-7, bias: bool = True) -> Rows:
    """LRP with the epsilon rule in every layer."""
    return everywhere(Epsilon(_check("epsilon", epsilon), bias))


def _epsilon_ignoring_bias(epsilon: float = 1e-7) -> Rows:
    """LRP with the epsilon rule in every layer, biases left out of the denominators."""
    return everywhere(Epsilon(_check("epsilon", epsilon), bias=False))


def _gamma(gamma: float = 0.25, bias: bool = True) -> Rows:
    """LRP with the gamma rule in every layer."""
    return everywhere(Gamma(_check("gamma", gamma), bias))


def _alpha_beta(alpha: float | None = None, beta: float | None = None, bias: bool = True) -> Rows:
    """LRP with the alpha-beta rule in every layer; one of the two gives the other, default 2 and 1."""
    if alpha is None:
        alpha = 2.0 if beta is None else beta + 1
    return everywhere(AlphaBeta(float(alpha), float(alpha - 1 if beta is None else beta), bias))


def _preset(alpha: float, beta: float) -> Callable[..., Rows]:
    def rows(epsilon: float = 0.1) -> Rows:
        return dense_and_rest(Epsilon(_check("epsilon", epsilon)), AlphaBeta(alpha, beta))

    rows.__doc__ = f"Dense layers: epsilon; convolutions: alpha {alpha:g}, beta {beta:g}."
    return rows


def _epsilon_and(rest: Rule) -> Callable[..., Rows]:
    def rows(epsilon: float = 1e-6) -> Rows:
        return dense_and_rest(Epsilon(_check("epsilon", epsilon)), rest)

    rows.__doc__ = f"Dense layers: epsilon; convolutions: {rest!r}."
    return rows


def _epsilon_gamma_box(low: Any = None, high: Any = None, epsilon: float = 1e-6, gamma: float = 0.25) -> Rows:
    """Dense layers: epsilon; convolutions: gamma; layers that touch an input: the box rule."""
    rest = dense_and_rest(Epsilon(_check("epsilon", epsilon)), Gamma(_check("gamma", gamma)))
    return (Row(is_first, Bounded(low, high)), *rest)


def _deep_taylor() -> Rows:
    """z+ in hidden layers, biases left out; w^2 in layers that touch an input; score clipped at 0."""
    return (Row(is_first, WSquare()), *everywhere(ZPlus(bias=False)))


def _deep_taylor_bounded(low: Any = None, high: Any = None) -> Rows:
    """z+ in hidden layers, biases left out; the box rule in layers that touch an input."""
    return (Row(is_first, Bounded(low, high)), *everywhere(ZPlus(bias=False)))


def _excitation() -> Rows:
    """Alpha 1, beta 0 without biases, started from probability 1 at the explained neuron (Zhang 2018)."""
    return everywhere(ZPlus(bias=False))


def _check(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ArgumentError(f"{name} must be a finite number of at least 0. Received: {name}={value!r}")
    return float(value)


_FLAT = {"input_layer_rule": Flat()}
_PLUS = ZPlus()
_ROWS: dict[str, tuple[Callable[..., Rows], dict[str, Any]]] = {
    "lrp": (_any_rule, {}),
    "lrp.z": (_fixed(Z()), {}),
    "lrp.z_IB": (_fixed(Z(bias=False)), {}),
    "lrp.epsilon": (_epsilon, {}),
    "lrp.epsilon_IB": (_epsilon_ignoring_bias, {}),
    "lrp.w_square": (_fixed(WSquare()), {}),
    "lrp.flat": (_fixed(Flat()), {}),
    "lrp.gamma": (_gamma, {}),
    "lrp.alpha_beta": (_alpha_beta, {}),
    "lrp.alpha_2_beta_1": (_fixed(AlphaBeta(2.0, 1.0)), {}),
    "lrp.alpha_2_beta_1_IB": (_fixed(AlphaBeta(2.0, 1.0, bias=False)), {}),
    "lrp.alpha_1_beta_0": (_fixed(AlphaBeta(1.0, 0.0)), {}),
    "lrp.alpha_1_beta_0_IB": (_fixed(AlphaBeta(1.0, 0.0, bias=False)), {}),
    "lrp.z_plus": (_fixed(ZPlus()), {}),
    "lrp.z_plus_fast": (_fixed(ZPlusFast()), {}),
    "lrp.sequential_preset_a": (_preset(1.0, 0.0), {}),
    "lrp.sequential_preset_b": (_preset(2.0, 1.0), {}),
    "lrp.sequential_preset_a_flat": (_preset(1.0, 0.0), _FLAT),
    "lrp.sequential_preset_b_flat": (_preset(2.0, 1.0), _FLAT),
    "lrp.sequential_preset_b_flat_until_idx": (_preset(2.0, 1.0), {"until_layer_rule": Flat()}),
    "lrp.epsilon_plus": (_epsilon_and(_PLUS), {}),
    "lrp.epsilon_plus_flat": (_epsilon_and(_PLUS), _FLAT),
    "lrp.epsilon_alpha_2_beta_1": (_epsilon_and(AlphaBeta(2.0, 1.0)), {}),
    "lrp.epsilon_alpha_2_beta_1_flat": (_epsilon_and(AlphaBeta(2.0, 1.0)), _FLAT),
    "lrp.epsilon_gamma_box": (_epsilon_gamma_box, {}),
}

LRP_METHODS: dict[str, Builder] = {
    **{name: _builder(name, rows, defaults) for name, (rows, defaults) in _ROWS.items()},
    "deep_taylor": _positive("deep_taylor", _deep_taylor, "positive_score"),
    "deep_taylor.bounded": _positive("deep_taylor.bounded", _deep_taylor_bounded, "positive_score"),
    "excitation_backprop": _positive("excitation_backprop", _excitation, "one"),
}
