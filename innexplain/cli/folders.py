"""Output folders, checked before the work starts."""

from __future__ import annotations

import os
from pathlib import Path

from innexplain.errors import OutputPathError


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder, if it can be written or made; nothing is made yet.

    Raises:
        OutputPathError: If it is a file, lies below one, or may not be written.

    >>> str(check_folder("."))
    '.'
    """
    path = Path(folder)
    try:
        _check(path)
    except OSError as error:
        if isinstance(error, OutputPathError):
            raise
        raise _refused(path, str(error.strerror or error)) from error
    return path


def _check(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise _refused(path, "it is a file, not a folder")
    existing = path
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise _refused(path, f"{existing} is a file, not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise _refused(path, f"{existing} may not be written by this user")


def _refused(path: Path, reason: str) -> OutputPathError:
    return OutputPathError(f"Cannot write to the folder {path}: {reason}. Choose another one with --output.")
