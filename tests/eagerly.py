"""Explain and fit without compiling: a tiny network that is explained once costs a tenth of the time so.

Every test runs so unless it says otherwise: `conftest.py` starts it, the marker `compiled` and the block
`compiled()` stop it for a while.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import tensorflow as tf

from innexplain.network import Runner
from innexplain.patterns.sums import Sums

_ANSWER, _ADD = Runner.answer, Sums.add


def _answer_eagerly(self: Runner, key: Any, function: Any, arrays: Any) -> Any:
    return function(*map(tf.constant, arrays))


def _add_eagerly(self: Sums, rows: Any) -> None:
    _ADD(self, rows) if self.several else self._gather_batch(rows)


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Inside, analyzers and fits run the same steps and rules, one operation after the other."""
    with mock.patch.object(Runner, "answer", _answer_eagerly), mock.patch.object(Sums, "add", _add_eagerly):
        yield


@contextlib.contextmanager
def compiled() -> Iterator[None]:
    """Inside, analyzers and fits compile what they run, as users have it."""
    with mock.patch.object(Runner, "answer", _ANSWER), mock.patch.object(Sums, "add", _ADD):
        yield
