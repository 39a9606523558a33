"""The methods, as rows.

Gradient and signal methods differ in one row: what happens at a ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence

from innexplain.composites.composite import Composite, Refuse, Row
from innexplain.composites.predicates import kind_is
from innexplain.graph import kinds
from innexplain.rules import DeconvReLU, Gradient, GuidedReLU, Pass, ReLURule, Rule

_DIFFERENTIABLE = (
    kinds.KERNEL, kinds.SUM, kinds.PRODUCT, kinds.MEAN, kinds.WINNER, kinds.ROUTE, kinds.SCALE,
    kinds.NORMALIZE, kinds.LINEAR,
)  # fmt: skip

NO_DERIVATIVE = (
    Row(kind_is(kinds.DISCRETE), Refuse("it has no derivative")),
    Row(kind_is(kinds.EMBEDDING), Refuse("its integer input has no derivative; explain the model "
                                         "that starts at the embedding's output")),
)  # fmt: skip

GRADIENT = Composite(
    "gradient",
    (*NO_DERIVATIVE, Row(lambda step: True, Gradient())),
    named={"gradient": Gradient(), "relu": Gradient()},
)


def _rows(relu: Rule) -> tuple[Row, ...]:
    """A rule for ReLUs, and the gradient where nothing else is non-linear."""
    return (
        *NO_DERIVATIVE,
        Row(lambda step: step.part == "head", Gradient()),
        Row(kind_is(kinds.RELU), relu),
        Row(kind_is(*_DIFFERENTIABLE), Gradient()),
        Row(kind_is(kinds.ACTIVATION), Refuse("a non-linearity other than ReLU")),
        Row(kind_is(kinds.COMPARE), Refuse("a comparison may let values pass as a ReLU does")),
        Row(kind_is(kinds.RECURRENT, kinds.ATTENTION), Refuse("it has non-linearities inside")),
        Row(kind_is(kinds.WRAPPER), Refuse("a wrapper hides what is inside it")),
        Row(kind_is(kinds.OPAQUE), Refuse("custom code: it may hold a ReLU")),
    )


def _signal(name: str, relu: ReLURule) -> Composite:
    """A method that replaces the ReLU."""
    named = {"gradient": Gradient(), "relu": relu}
    return Composite(name, _rows(relu), named=named, overrides=ReLURule)


def pattern_composite(name: str, linear: Sequence[Row]) -> Composite:
    """PatternNet or PatternAttribution: rows for linear parts, ReLUs gate as in the gradient.

    Relevance starts from the score, and batch norms are folded, so that w is the effective filter.
    """
    rows = (*linear, *_rows(Gradient()))
    return Composite(name, rows, named=GRADIENT.named, seed="score", folded=True)


def clear_composite(rectify: bool) -> Composite:
    """CLEAR's projection: transposed filters and max-pool switches, nothing else.

    Args:
        rectify: whether ReLUs rectify what goes back, as those of the deconvnet; else they let it pass.
    """
    relu = DeconvReLU() if rectify else Pass()
    return Composite("clear", _rows(relu), named={"gradient": Gradient(), "relu": relu})


DECONVNET = _signal("deconvnet", DeconvReLU())
GUIDED_BACKPROP = _signal("guided_backprop", GuidedReLU())
