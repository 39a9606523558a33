"""Every exception and warning that innexplain raises.

Each message says what was expected, what was received and the way out.  All exceptions derive
from `InnexplainError`, and from the built-in exception a Python user would expect as well.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AddressError",
    "ArgumentError",
    "GraphError",
    "HeadError",
    "InnexplainError",
    "InnexplainWarning",
    "InputError",
    "MissingPackageError",
    "ModelError",
    "NotFittedError",
    "NothingOverriddenError",
    "OutputPathError",
    "UnknownNameError",
    "UnreadableFileError",
    "UnsupportedLayerError",
]


class InnexplainError(Exception):
    """Base class of every exception of the package."""


class InnexplainWarning(UserWarning):
    """A result that is legal but probably not what the caller hoped for."""


class ArgumentError(InnexplainError, ValueError):
    """An argument has a value (or type) that is not allowed, or is not an argument at all."""


class UnknownNameError(ArgumentError):
    """A name (of an analyzer, a rule, an output ...) that nothing answers to."""


class InputError(ArgumentError):
    """The data to explain do not fit the model: structure, rank, shape, dtype, NaN, empty."""


class ModelError(InnexplainError, TypeError):
    """The object is no Keras model, was never built, or lacks the graph a method needs."""


class GraphError(ModelError):
    """The graph of the model cannot be read."""


class HeadError(InnexplainError, ValueError):
    """The model does not end in the softmax or sigmoid that the call relies on."""


class AddressError(InnexplainError, KeyError):
    """No step, or more than one, answers to a name, path or layer."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UnsupportedLayerError(InnexplainError, NotImplementedError):
    """One or more layers have no rule in the method asked for."""


class NothingOverriddenError(InnexplainError, ValueError):
    """A method that overrides ReLUs met a model in which it found none."""


class NotFittedError(InnexplainError, RuntimeError):
    """A method that learns from data was used before it was fitted."""


class UnreadableFileError(InnexplainError, OSError):
    """A file is missing, or is not what it should be (a model, an image, a list of names)."""


class OutputPathError(InnexplainError, OSError):
    """A file or folder cannot be written."""


def nearest(name: object, candidates: Iterable[str]) -> str:
    """The sentence `Did you mean 'x'?` for the candidate that `name` is a misspelling of, or nothing.

    Words that share half of their letters are not meant by each other: `grad_cam` is no `random`.

    >>> nearest("gradeint", ["gradient", "random"]), nearest("GRADIENT", ["gradient"])
    (" Did you mean 'gradient'?", " Did you mean 'gradient'?")
    >>> nearest("grad_cam", ["gradient", "random"])
    ''
    """
    spelled = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(str(name).lower(), spelled, n=1, cutoff=0.7)
    return f" Did you mean {spelled[found[0]]!r}?" if found else ""


class MissingPackageError(InnexplainError, ImportError):
    """An optional package that only one command or method needs is not installed."""
