"""The one place that writes text for people to read, and lays out its tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain


def write(text: str = "") -> None:
    """Write a line to the current standard output.

    >>> write("hello")
    hello
    """
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table_lines(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    widths: Sequence[int] | None = None,
    left: int = 1,
) -> Iterator[str]:
    r"""The lines of a table of texts: header, rule, and the rows, each as soon as it is there.

    Args:
        header: a title a column.
        rows: their cells.
        widths: of the columns, for rows that are still to come; default: what all of them need.
        left: so many columns are aligned to the left, the others, numbers, to the right.

    >>> write("\n".join(table_lines(["analyzer", "s / image"], [["gradient", "0.1"]])))
    analyzer  s / image
    --------  ---------
    gradient        0.1
    """
    if widths is None:
        rows = list(rows)
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for cells in chain([header, ["-" * width for width in widths]], rows):
        placed = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        yield "  ".join(placed).rstrip()
