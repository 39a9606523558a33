"""Arrays and notes in one file without pickle: written whole or not at all, refused if foreign or damaged."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from innexplain.errors import OutputPathError, UnreadableFileError

__all__ = ["load_arrays", "save_arrays"]

# What reading a damaged archive can end in; a lone array has no context, which is an AttributeError.
_DAMAGE = (
    OSError, ValueError, LookupError, EOFError, TypeError, AttributeError, SyntaxError, MemoryError,
    NotImplementedError, zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, struct.error,
)  # fmt: skip


def save_arrays(path: str | os.PathLike[str], kind: str, notes: Any, arrays: dict[str, np.ndarray]) -> Path:
    """Write arrays with notes (anything JSON holds) as `.npz`, which is added if missing.

    Raises:
        OutputPathError: the file cannot be written.
    """
    target = _with_suffix(Path(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    numbered = {f"array{i}": array for i, array in enumerate(arrays.values())}
    head = {"kind": kind, "notes": notes, "names": list(arrays)}
    try:
        with open(temporary, "wb") as stream:
            np.savez(stream, head=np.array(json.dumps(head)), **numbered)  # type: ignore[arg-type]
        os.replace(temporary, target)
    except OSError as error:
        raise OutputPathError(
            f"Cannot write {target}: {error.strerror or error}. Check the folder and its free space."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _with_suffix(path: Path) -> Path:
    return path if path.suffix == ".npz" else path.with_name(path.name + ".npz")


def load_arrays(path: str | os.PathLike[str], kind: str) -> tuple[Any, dict[str, np.ndarray]]:
    """The notes and arrays of a file that `save_arrays` wrote; `.npz` may be left out, as there.

    Raises:
        UnreadableFileError: it is missing, damaged, or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        path = _with_suffix(path)
    try:
        # Opened here, since numpy leaves a file open that it cannot read.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            head = json.loads(str(file["head"]))
            arrays = {name: file[f"array{i}"] for i, name in enumerate(head["names"])}
            notes, found = head["notes"], head["kind"]
    except FileNotFoundError as error:
        raise UnreadableFileError(f"{path}: there is no such file, with or without .npz.") from error
    except _DAMAGE as error:
        raise UnreadableFileError(
            f"{path}: expected {kind} written by innexplain; the file is damaged or something else."
        ) from error
    if found != kind:
        raise UnreadableFileError(
            f"{path}: expected {kind}, received {found!r}. If another version of innexplain wrote it, it has "
            "to be made anew."
        )
    return notes, arrays
