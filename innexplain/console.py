"""The one place that writes text for people to read."""

from __future__ import annotations

import sys

__all__ = ["write"]


def write(text: str = "") -> None:
    """Write a line to the current standard output.

    >>> write("hello")
    hello
    """
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
