"""Files: written whole or not at all, read without running code; what is no such file is told."""

from __future__ import annotations

import json
import os
import pickle
import re
import struct
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from innexplain.errors import InnexplainError, OutputPathError, UnreadableFileError

StrPath = str | os.PathLike[str]

# What reading a damaged archive can end in; a lone array has no context, which is an AttributeError.
_DAMAGE = (
    OSError, ValueError, LookupError, EOFError, TypeError, AttributeError, SyntaxError, MemoryError,
    NotImplementedError, zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, struct.error,
)  # fmt: skip


@contextmanager
def atomic(path: StrPath) -> Iterator[Path]:
    """A temporary path beside `path`, moved onto it if the block succeeds, removed if not.

    Args:
        path: the file to write; its folder must exist.  A file already there stays as it is until the new
            one is complete.

    Raises:
        OutputPathError: the folder is missing or cannot be written, or the disk is full.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic(Path(folder) / "a.txt") as temporary:
    ...         size = temporary.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise OutputPathError(
            f"Cannot write {target}: expected its folder to exist, but {target.parent} is no "
            "folder. Create it, or choose another place."
        )
    if target.is_dir():
        raise OutputPathError(f"Cannot write {target}: expected a file name, but it is a folder.")
    temporary = beside(target)
    try:
        with naming(target):
            yield temporary
            os.replace(temporary, target)
    finally:
        # Also after KeyboardInterrupt; after os.replace there is nothing left to remove.
        _remove(temporary)


def beside(target: Path) -> Path:
    """A name that nothing has.  The suffix stays the last one: Pillow, matplotlib and Keras go by it."""
    return target.with_name(f".innexplain-{uuid.uuid4().hex[:8]}{target.suffix}")


@contextmanager
def naming(target: Path) -> Iterator[None]:
    """Say what could not be written, where the system refuses."""
    try:
        yield
    except InnexplainError:
        raise
    except OSError as error:
        raise OutputPathError(
            f"Cannot write {target}: {error.strerror or error}. "
            "Check the folder's permissions and free space, or choose another place."
        ) from error


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return  # a folder that cannot be written has no temporary file in it either


def write_text(path: StrPath, text: str) -> Path:
    """Write text as UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def write_json(path: StrPath, value: Any) -> Path:
    """Write what JSON holds; NaN and infinity it does not."""
    return write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_array(path: StrPath, array: Any) -> Path:
    """Write one array as `.npy`, which is added if missing: the very values."""
    target = with_suffix(path, ".npy")
    with atomic(target) as temporary, open(temporary, "wb") as stream:
        np.save(stream, np.asarray(array), allow_pickle=False)
    return target


def write_arrays(path: StrPath, arrays: Mapping[str, Any]) -> Path:
    """Write arrays by name as `.npz`, which is added if missing; not arrays of Python objects."""
    target = with_suffix(path, ".npz")
    with atomic(target) as temporary, open(temporary, "wb") as stream:
        pack(stream, arrays)
    return target


def pack(stream: IO[bytes], arrays: Mapping[str, Any]) -> None:
    """Put arrays into an archive as `numpy.savez` does, but under any name, and never with pickle."""
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def write_record(path: StrPath, kind: str, notes: Any, arrays: Mapping[str, Any]) -> Path:
    """Write arrays together with notes (anything JSON holds) as `.npz`, marked with what they are.

    Args:
        path: the file, `.npz` is added if missing.
        kind: what the file is, for instance `"patterns"` or, after a change, `"patterns, format 2"`.
        notes: to be read with the arrays.
        arrays: by name.
    """
    numbered = {f"array{i}": array for i, array in enumerate(arrays.values())}
    head = json.dumps({"kind": kind, "notes": notes, "names": list(arrays)})
    return write_arrays(path, {"head": np.array(head), **numbered})


def with_suffix(path: StrPath, suffix: str) -> Path:
    """A path that ends in a suffix: a dot in a name, as in `lrp.epsilon`, starts none.

    >>> with_suffix("lrp.epsilon", ".npy").name
    'lrp.epsilon.npy'
    """
    target = Path(path)
    return target if target.suffix == suffix else target.with_name(target.name + suffix)


def read_json(path: StrPath, what: str) -> Any:
    """What is in a JSON file.

    Raises:
        UnreadableFileError: it is missing or no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise _refused(path, what, f"the file is damaged or something else ({error})") from error


def read_arrays(path: StrPath, what: str) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file by name; the suffix may be left out, as for `write_arrays`.

    Args:
        path: the file.
        what: is expected, for messages.

    Raises:
        UnreadableFileError: it is missing, empty, truncated, damaged or something else; it says which.
    """
    found = _found(path)
    try:
        stream = open(found, "rb")  # noqa: SIM115 - numpy leaves a file open that it cannot read
    except FileNotFoundError as error:
        raise UnreadableFileError(f"{found}: there is no such file, with or without .npz.") from error
    except OSError as error:
        raise _unreadable(found, error) from error
    with stream:
        try:
            with np.load(stream, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except _DAMAGE as error:
            raise _refused(found, what, f"the file is {_condition(stream)}") from error


def read_record(path: StrPath, kind: str) -> tuple[Any, dict[str, np.ndarray]]:
    """The notes and arrays of a file that `write_record` wrote.

    Raises:
        UnreadableFileError: it is missing, damaged, something else, or of another version.
    """
    flat, found = read_arrays(path, kind), _found(path)
    try:
        head = json.loads(str(flat["head"]))
        arrays = {name: flat[f"array{i}"] for i, name in enumerate(head["names"])}
        notes, given = head["notes"], head["kind"]
    except (LookupError, TypeError, ValueError) as error:
        raise _refused(found, kind, "the file is something else") from error
    check_kind(found, given, kind)
    return notes, arrays


def check_kind(path: StrPath, found: Any, kind: str) -> None:
    """Refuse a file that is marked as something else, or as of another format.

    Args:
        path: of the file.
        found: how it is marked.
        kind: how it should be; `", format N"` at the end counts formats, 1 without it.

    Raises:
        UnreadableFileError: it says whether the file is older, newer or of another kind.

    >>> check_kind("a.npz", "sums, format 3", "sums, format 2")
    Traceback (most recent call last):
    innexplain.errors.UnreadableFileError: a.npz: expected sums, format 2, received 'sums, format 3': ...
    """
    if found == kind:
        return
    (name, ours), (given, theirs) = _name_and_format(kind), _name_and_format(str(found))
    if given != name:
        way = "."
    elif theirs > ours:
        way = ": it is from a newer version of innexplain, which can read it; update innexplain."
    else:
        way = ": it is from an older version of innexplain, and has to be made anew."
    raise UnreadableFileError(f"{path}: expected {kind}, received {found!r}{way}")


def _name_and_format(kind: str) -> tuple[str, int]:
    match = re.fullmatch(r"(.*), format (\d+)", kind)
    return (match[1], int(match[2])) if match else (kind, 1)


def _found(path: StrPath) -> Path:
    """The file of that name, else of that name and `.npz`."""
    return Path(path) if Path(path).is_file() else with_suffix(path, ".npz")


def _condition(stream: IO[bytes]) -> str:
    """What is wrong with an archive of arrays that could not be read."""
    stream.seek(0)
    start = stream.read(2)
    if start != b"PK":
        return "something else" if start else "empty"
    if not zipfile.is_zipfile(stream):  # an archive has its table at the end
        return "truncated, or damaged at its end"
    try:
        with zipfile.ZipFile(stream) as archive:
            is_whole = archive.testzip() is None
    except _DAMAGE:
        is_whole = False
    return "something else" if is_whole else "damaged"


def _unreadable(path: StrPath, error: OSError) -> UnreadableFileError:
    if isinstance(error, FileNotFoundError):
        return UnreadableFileError(f"{path}: there is no such file.")
    return UnreadableFileError(f"Cannot read {path}: {error.strerror or error}.")


def _refused(path: StrPath, what: str, why: str) -> UnreadableFileError:
    return UnreadableFileError(f"{path}: expected {what} written by innexplain; {why}.")
