"""What is registered for layer types, and how a composite looks it up; `registering.py` fills it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from innexplain.rules import Rule


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
