"""What the tests of patterns share: which of many combinations are quick."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(quick: Iterable, *choices: Iterable) -> list[Any]:
    """All combinations of choices, of which all but few are slow."""
    rows = itertools.product(*choices)
    return [pytest.param(*row, marks=() if row in quick else pytest.mark.slow) for row in rows]
