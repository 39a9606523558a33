"""Checks of arguments that many functions share: each says what was expected and what was received."""

from __future__ import annotations

from typing import Any

import numpy as np

from innexplain.errors import ArgumentError, UnknownNameError, nearest


def is_number(value: Any) -> bool:
    """Whether it is one real number, of Python or NumPy; True and False are none.

    >>> [is_number(v) for v in (0.5, np.float32(2), True, "1")]
    [True, True, False, False]
    """
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def check_seed(seed: Any) -> int:
    """The seed, if it is one."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ArgumentError(f"seed must be an int of at least 0. Received: seed={seed!r}")
    return int(seed)


def check_count(name: str, value: Any, least: int = 1) -> int:
    """A number of steps, copies or rows, if it is one.

    >>> check_count("steps", np.int64(3))
    3
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ArgumentError(f"{name} must be an int of at least {least}. Received: {name}={value!r}")
    return int(value)


def check_number(name: str, value: Any, low: float = -np.inf, high: float = np.inf) -> float:
    """A finite number in [low, high], if it is one.

    >>> check_number("radius", 2, low=0)
    2.0
    """
    if not is_number(value) or not np.isfinite(value) or not low <= value <= high:
        bounded, above = f" in [{low:g}, {high:g}]", f" of at least {low:g}"
        limits = bounded if np.isfinite(high) else above if np.isfinite(low) else ""
        raise ArgumentError(f"{name} must be a finite number{limits}. Received: {name}={value!r}")
    return float(value)


def check_choice(name: str, value: Any, choices: Any) -> Any:
    """One of some strings, if it is one.

    >>> check_choice("order", "morf", ("morf", "lerf"))
    'morf'
    """
    if not isinstance(value, str) or value not in choices:
        raise UnknownNameError(
            f"{name} must be one of {', '.join(map(repr, choices))}.{nearest(value, choices)} "
            f"Received: {name}={value!r}"
        )
    return value
