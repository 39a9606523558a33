"""Which step gets which rule."""

from innexplain.composites.composite import Assignment, Composite, Refuse, Row, check_unsupported
from innexplain.composites.lrp import (
    RULE_NAMES,
    Placement,
    dense_and_rest,
    everywhere,
    lrp_composite,
    positive_composite,
)
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
from innexplain.composites.registered import registered_classes
from innexplain.composites.registering import register_rule, unregister_rule

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
    "check_unsupported",
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
    "registered_classes",
    "type_is",
    "unregister_rule",
]
