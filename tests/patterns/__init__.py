"""What the tests of patterns share: which of many combinations are quick."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(quick: Iterable, *choices: Iterable) -> list[Any]:
    """All combinations of choices, of which all but few are slow, and fitted as users have it."""
    broad = (pytest.mark.slow, pytest.mark.compiled)
    return [pytest.param(*row, marks=() if row in quick else broad) for row in itertools.product(*choices)]
