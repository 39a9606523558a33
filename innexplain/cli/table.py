"""Tables of text whose rows can be written one by one, as they come."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["line", "rule"]


def line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One row: the first column to the left, numbers to the right.

    >>> line(["gradient", "0.1"], [10, 5])
    'gradient      0.1'
    """
    first, *others = [
        cell.rjust(width) if i else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join([first, *others]).rstrip()


def rule(widths: Sequence[int]) -> str:
    """The line below the header.

    >>> rule([3, 2])
    '---  --'
    """
    return "  ".join("-" * width for width in widths)
