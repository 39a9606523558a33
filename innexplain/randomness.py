"""Random numbers that belong to a sample, wherever it stands in a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def sample_rng(seed: int, rows: Sequence[np.ndarray], index: int, *more: int) -> np.random.Generator:
    """A generator that depends on the seed and on the sample itself, not on where it stands in a batch.

    Args:
        seed: the caller's.
        rows: arrays whose first axis is that of the samples.
        index: which sample.
        *more: further numbers (of a copy, of a repetition), each with random numbers of its own.

    >>> x = np.array([[1.0], [2.0]])
    >>> sample_rng(0, [x], 1).random() == sample_rng(0, [x[::-1]], 0).random()
    True
    """
    digest = hashlib.blake2b(digest_size=8)
    for row in rows:
        digest.update(np.ascontiguousarray(row[index]).tobytes())
    return np.random.default_rng([seed, int.from_bytes(digest.digest(), "little"), *more])
