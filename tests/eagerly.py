"""Explain without compiling: a tiny network that is explained once costs a tenth of the time so.

Every test runs so unless it says otherwise: `conftest.py` starts it, the marker `compiled` and the block
`compiled()` stop it for a while.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import tensorflow as tf

from innexplain.network import Runner

_ANSWER = Runner.answer


def _answer_eagerly(self: Runner, key: Any, function: Any, arrays: Any) -> Any:
    return function(*map(tf.constant, arrays))


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Inside, analyzers run the same steps and rules, one operation after the other."""
    with mock.patch.object(Runner, "answer", _answer_eagerly):
        yield


@contextlib.contextmanager
def compiled() -> Iterator[None]:
    """Inside, analyzers compile what they run, as users have it."""
    with mock.patch.object(Runner, "answer", _ANSWER):
        yield
