"""Which step gets which rule."""

from innexplain.composites.composite import Assignment, Composite, Refuse, Row
from innexplain.composites.lrp import Placement, dense_and_rest, everywhere, lrp_composite, positive_composite
from innexplain.composites.predicates import (
    index_between,
    is_first,
    is_last,
    is_linear,
    kind_is,
    name_is,
    path_starts,
    type_is,
)
from innexplain.composites.presets import (
    DECONVNET,
    GRADIENT,
    GUIDED_BACKPROP,
    clear_composite,
    pattern_composite,
)
from innexplain.composites.registered import register_rule, unregister_rule
from innexplain.rules.lrp import RULE_NAMES

__all__ = [
    "DECONVNET",
    "GRADIENT",
    "GUIDED_BACKPROP",
    "RULE_NAMES",
    "Assignment",
    "Composite",
    "Placement",
    "Refuse",
    "Row",
    "clear_composite",
    "dense_and_rest",
    "everywhere",
    "index_between",
    "is_first",
    "is_last",
    "is_linear",
    "kind_is",
    "lrp_composite",
    "name_is",
    "path_starts",
    "pattern_composite",
    "positive_composite",
    "register_rule",
    "type_is",
    "unregister_rule",
]
