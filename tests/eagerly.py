"""Explain and fit without compiling: a tiny network that is explained once costs a tenth of the time so.

Every test runs so unless it says otherwise: `conftest.py` starts it, the marker `compiled` and the block
`compiled()` stop it for a while.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf

from innexplain.backward import BackwardModel
from innexplain.patterns.sums import Sums

_RUN, _ADD = BackwardModel.run, Sums.add


def _run_eagerly(
    self: BackwardModel, what: str, x: Any, target: np.ndarray, slots: Any = ()
) -> dict[str, Any]:
    answer = self.method(what, slots)([tf.constant(a) for a in x], tf.constant(target))
    return tf.nest.map_structure(lambda t: t.numpy(), answer)


def _add_eagerly(self: Sums, rows: Any) -> None:
    _ADD(self, rows) if self.several else self._gather_batch(rows)


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Inside, analyzers and fits run the same steps and rules, one operation after the other."""
    with mock.patch.object(BackwardModel, "run", _run_eagerly), mock.patch.object(Sums, "add", _add_eagerly):
        yield


@contextlib.contextmanager
def compiled() -> Iterator[None]:
    """Inside, analyzers and fits compile what they run, as users have it."""
    with mock.patch.object(BackwardModel, "run", _RUN), mock.patch.object(Sums, "add", _ADD):
        yield
