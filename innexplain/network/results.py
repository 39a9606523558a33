"""What goes into a network and a method, and what comes out: settings, a request, a result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import tree

from innexplain.errors import ArgumentError

Rows = list[np.ndarray]


@dataclass(frozen=True)
class Options:
    """Arguments that every analyzer takes; `create_analyzer` documents them.

    `check_only` is `check_model`'s own: layers without a rule are kept, to be listed.
    """

    neuron_selection_mode: Any = "max_activation"
    output: Any = None
    pre_softmax: bool | str = "auto"
    rules: Any = None
    unsupported: str = "error"
    embedding_map: bool = False
    check_only: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.embedding_map, (bool, np.bool_)):
            raise ArgumentError(
                f"embedding_map must be True or False. Received: embedding_map={self.embedding_map!r}"
            )

    @property
    def shared(self) -> dict[str, Any]:
        """Those that users give and files hold, by name."""
        return {name: value for name, value in vars(self).items() if name != "check_only"}


@dataclass(frozen=True)
class Request:
    """How a method is to work.

    Args:
        batch_size: the most rows in one call of the model.
        tick: to be called with the number of rows done.
        record: slots whose relevance is to be kept, where a record of the pass is wanted.
    """

    batch_size: int = 32
    tick: Callable[[int], None] = lambda rows: None
    record: tuple[int, ...] | None = None


@dataclass
class Result:
    """What a pass over some samples gives, one row a sample.

    Args:
        maps: one array an explained entry.
        score: the explained score.
        neuron: the explained neuron, -1 where there is no single one.
        gap: score minus what the attribution should sum to, for methods with such a promise.
        details: what a recorded pass tells besides: `sums` and `absorbed` by step, `layers` by slot;
            a sweep over classes `classes`, `predicted` and `best`, see `ClassSweeps.sweeps`.
    """

    maps: Rows
    score: np.ndarray
    neuron: np.ndarray
    gap: np.ndarray | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def join(parts: list[Result]) -> Result:
        """The results of successive batches as one."""
        return parts[0] if len(parts) == 1 else Result(**joined([vars(part) for part in parts]))


@dataclass(frozen=True)
class Given:
    """What a user gave, checked: an array a model input, the leaves, and how to give an answer back."""

    arrays: Rows
    leaves: list[Any]
    repack: Callable[[list[Any]], Any]


def total(maps: Rows) -> np.ndarray:
    """The sum of an attribution over all inputs, one number a sample, in float64."""
    return sum((m.reshape(len(m), -1).sum(axis=1, dtype="float64") for m in maps), np.zeros(()))


def chunks(total: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` rows."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def float_dtype(leaf: Any) -> np.dtype:
    """The dtype of the answer for an input."""
    dtype = np.asarray(leaf).dtype
    return dtype if dtype.kind == "f" else np.dtype("float32")


def joined(parts: Sequence[Any]) -> Any:
    """The answers of successive batches as one; what one of them does not tell, `None`, stays so."""
    return tree.map_structure(lambda *column: None if column[0] is None else np.concatenate(column), *parts)
