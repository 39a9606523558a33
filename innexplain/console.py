"""The one place that writes text for people to read, and the rows of its tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def write(text: str = "") -> None:
    """Write a line to the current standard output.

    >>> write("hello")
    hello
    """
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One row: the first column to the left, numbers to the right.

    >>> table_line(["gradient", "0.1"], [10, 5])
    'gradient      0.1'
    """
    first, *others = [
        cell.rjust(width) if i else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join([first, *others]).rstrip()


def table_rule(widths: Sequence[int]) -> str:
    """The line below the header.

    >>> table_rule([3, 2])
    '---  --'
    """
    return "  ".join("-" * width for width in widths)
