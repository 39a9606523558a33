"""Rules that users register for layer types of their own, and how a composite looks them up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from innexplain.errors import ArgumentError, UnknownNameError, nearest
from innexplain.rules import Rule
from innexplain.rules.lrp import RULE_NAMES


@dataclass(frozen=True)
class Registered:
    """A rule, or the name of one, and the class of layers that it is registered for."""

    layer_type: type
    rule: Rule | str


REGISTERED: dict[type, Registered] = {}


def registered_classes() -> list[type]:
    """The classes of layers and of rules that are registered."""
    rules = [type(found.rule) for found in REGISTERED.values() if isinstance(found.rule, Rule)]
    return [*REGISTERED, *rules]


def registered_rule(operation: Any) -> Registered | None:
    """What is registered for an operation's class or the nearest of its bases."""
    for base in type(operation).__mro__:
        if base in REGISTERED:
            return REGISTERED[base]
    return None


def register_rule(layer_type: type, rule: Rule | str) -> None:
    """Say how every analyzer goes through layers of a type, in every model from now on.

    The rule is used by all analyzers that walk the graph, before their own rows; `rules=` of
    `create_analyzer` still goes first.  A name is used by the methods that know it: `"ZPlus"` changes LRP,
    and for the others it is as if nothing were registered.

    Args:
        layer_type: a class of layers; subclasses are meant too.
        rule: a `Rule`, or a name: `"gradient"`, or `"relu"` for a layer that acts as a ReLU, which each
            method then treats as it treats ReLUs; or one that the methods of LRP know.

    Raises:
        ArgumentError: the first argument is no class of operations, the second no rule.
        UnknownNameError: no method knows a rule of that name.

    >>> class MyActivation(keras.layers.Layer):
    ...     def call(self, x):
    ...         return keras.ops.maximum(x, 0)
    >>> register_rule(MyActivation, "relu")
    >>> unregister_rule(MyActivation)
    """
    if not (isinstance(layer_type, type) and issubclass(layer_type, keras.Operation)):
        raise ArgumentError(
            "register_rule needs a class of Keras layers or operations, such as MyLayer. "
            f"Received: {layer_type!r}"
        )
    if not isinstance(rule, (Rule, str)):
        raise ArgumentError(
            "register_rule needs an instance of innexplain.rules.Rule, or the name of a rule "
            f"('gradient', 'relu'). Received: {rule!r}"
        )
    if isinstance(rule, str) and rule not in RULE_NAMES:
        raise UnknownNameError(
            f"No method knows a rule {rule!r}.{nearest(rule, RULE_NAMES)} Expected one of: "
            f"{', '.join(sorted(RULE_NAMES))}; or an instance of innexplain.rules.Rule."
        )
    REGISTERED[layer_type] = Registered(layer_type, rule)


def unregister_rule(layer_type: type) -> None:
    """Forget what was registered for a type; nothing happens if nothing was."""
    REGISTERED.pop(layer_type, None)
