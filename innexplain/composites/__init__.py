"""Which step gets which rule."""

from innexplain.composites.composite import Assignment, Composite, Refuse, Row, kind_is
from innexplain.composites.presets import DECONVNET, GRADIENT, GUIDED_BACKPROP
from innexplain.composites.registered import register_rule, unregister_rule

__all__ = [
    "DECONVNET",
    "GRADIENT",
    "GUIDED_BACKPROP",
    "Assignment",
    "Composite",
    "Refuse",
    "Row",
    "kind_is",
    "register_rule",
    "unregister_rule",
]
