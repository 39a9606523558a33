"""Types of command-line options: each says what it expected and what it received."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from innexplain.errors import UnknownNameError


def whole_number(least: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `least` on.

    >>> whole_number(0)("3")
    3
    """

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} on, received {text!r}")
        return value

    return convert


def check_analyzer_name(name: str, option: str = "--analyzer") -> None:
    """Refuse a name that no analyzer has, before a model is loaded.

    Args:
        name: As given.
        option: Where it was given.

    Raises:
        UnknownNameError: It names the nearest one and all others.
    """
    import innexplain
    from innexplain.analyzers.other_names import meant

    names = innexplain.analyzer_names()
    if name not in names:
        raise UnknownNameError(
            f"{option}: there is no analyzer {name!r}.{meant(name, names)} "
            f"Expected one of: {', '.join(names)}."
        )
