"""Rules that users register for layer types of their own."""

from __future__ import annotations

from typing import Any

import keras

from innexplain.errors import ArgumentError
from innexplain.rules import Rule

__all__ = ["register_rule", "registered_rule", "unregister_rule"]

_REGISTERED: dict[type, Any] = {}


def register_rule(layer_type: type, rule: Rule | str) -> None:
    """Say how every analyzer goes through layers of a type, in every model from now on.

    The rule is used by all analyzers that walk the graph, before their own rows; `rules=` of
    `create_analyzer` still goes first.

    Args:
        layer_type: a class of layers; subclasses are meant too.
        rule: a `Rule`, or a name: `"gradient"`, or `"relu"` for a layer that acts as a ReLU, which each
            method then treats as it treats ReLUs.

    Raises:
        ArgumentError: the first argument is no class of operations, the second no rule.

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
    _REGISTERED[layer_type] = rule


def unregister_rule(layer_type: type) -> None:
    """Forget what was registered for a type; nothing happens if nothing was."""
    _REGISTERED.pop(layer_type, None)


def registered_rule(operation: Any) -> Any | None:
    """What is registered for an operation's class or the nearest of its bases."""
    for base in type(operation).__mro__:
        if base in _REGISTERED:
            return _REGISTERED[base]
    return None
