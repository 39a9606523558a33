"""Folders: made, written whole or not at all, and filled part by part while long work goes on."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from innexplain.digests import LENGTH, digest, digest_of_bytes, digest_of_file
from innexplain.errors import OutputPathError, UnreadableFileError
from innexplain.files import StrPath, atomic, beside, check_kind, naming, pack, read_json, write_json

#: Lists the files of a folder that is written as a whole, with their digests.
CONTENTS = "contents.json"


def make_folder(folder: StrPath) -> Path:
    """Make a folder and those above it, where they are missing.

    Raises:
        OutputPathError: it cannot be made.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputPathError(
            f"Cannot write to the folder {path}: {error.strerror or error}. Choose another one."
        ) from error
    return path


@contextmanager
def atomic_folder(path: StrPath, kind: str) -> Iterator[Path]:
    """A temporary folder beside `path`, moved to it if the block succeeds, removed if not.

    The file `contents.json` is added, by which `check_folder` knows the folder and its files again.

    Args:
        path: of the folder; those above it are made.  One that is there is replaced only if it is empty, or
            holds nothing but what this function wrote.
        kind: what the folder is, see `files.check_kind`.

    Raises:
        OutputPathError: it cannot be written, or holds other files.
    """
    target = Path(path).resolve()  # behind a link
    _check_replaceable(target)
    make_folder(target.parent)
    temporary = beside(target)
    try:
        with naming(target):
            temporary.mkdir()
            yield temporary
            files = {name: _stamp(temporary / name) for name in _names(temporary)}
            write_json(temporary / CONTENTS, {"kind": kind, "files": files})
            _check_replaceable(target)
            _move(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


def _stamp(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "digest": digest_of_file(path)}


def _check_replaceable(target: Path) -> None:
    if not target.exists():
        return
    way = "Choose another folder, or remove it first."
    if not target.is_dir():
        raise OutputPathError(f"Cannot write the folder {target}: it is a file. {way}")
    try:
        ours = {CONTENTS, *read_json(target / CONTENTS, "a list of files")["files"]}
    except (UnreadableFileError, LookupError, TypeError):
        ours = set()
    others = [name for name in _names(target) if name not in ours]
    if others:
        raise OutputPathError(
            f"Cannot write the folder {target}: it holds another file, {others[0]!r}. {way}"
        )


def _move(temporary: Path, target: Path) -> None:
    """Put a folder in the place of another, which is kept until that is done."""
    aside = beside(target)
    try:
        if target.exists():
            os.rename(target, aside)
        os.rename(temporary, target)
    finally:
        if aside.exists() and not target.exists():
            os.rename(aside, target)
        shutil.rmtree(aside, ignore_errors=True)


def check_folder(path: StrPath, kind: str) -> Path:
    """The folder, if it is one that `atomic_folder` wrote, and is whole.

    Raises:
        UnreadableFileError: it is missing, something else or of another version, or one of its files is
            missing, truncated or damaged; it says which.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UnreadableFileError(f"{folder}: there is no such folder.")
    if not (folder / CONTENTS).exists():
        raise UnreadableFileError(
            f"{folder}: expected {kind} written by innexplain; the folder is something else, since it has no "
            f"{CONTENTS}."
        )
    contents = read_json(folder / CONTENTS, "a list of files")
    try:
        found, files = contents["kind"], dict(contents["files"])
    except (LookupError, TypeError, ValueError) as error:
        raise UnreadableFileError(f"{folder / CONTENTS}: expected a list of files; it is damaged.") from error
    check_kind(folder, found, kind)
    for name, expected in files.items():
        if (folder / name).is_file() and _stamp(folder / name) == expected:
            continue
        raise UnreadableFileError(
            f"{folder / name}: the file is {_condition(folder / name, expected)}, so that {folder} cannot be "
            "read. It has to be written anew."
        )
    return folder


def _condition(path: Path, expected: Any) -> str:
    if not path.is_file():
        return "missing"
    size = expected.get("bytes") if isinstance(expected, dict) else None
    short = isinstance(size, int) and path.stat().st_size < size
    return "truncated" if short else "damaged, or was changed since"


class Parts:
    """Arrays by name in a folder, each with a digest of what it was computed from.

    A part is written whole or not at all.  It starts with that digest and one of the rest, which holds the
    arrays: so nothing of a damaged file is ever looked into.

    Args:
        folder: where files go, made at once; `None` keeps nothing.

    Raises:
        OutputPathError: the folder cannot be made.
    """

    def __init__(self, folder: StrPath | None = None) -> None:
        self.folder = None if folder is None else make_folder(folder)

    def get(self, name: str, key: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays of a name: read if they are there and of this key, else computed and written.

        Files that are damaged, or were computed from something else, are computed anew.

        Args:
            name: as part of a file name, see `file_name`.
            key: the digest of what they are computed from.
            compute: makes them.
        """
        if self.folder is None:
            return compute()
        path = self.folder / f"{name}.part"
        found = _read_part(path, key)
        if found is None:
            found = compute()
            _write_part(path, key, found)
        return found


def _read_part(path: Path, key: str) -> dict[str, np.ndarray] | None:
    try:
        content = memoryview(path.read_bytes())
    except OSError:
        return None
    head, body = content[: 2 * LENGTH], content[2 * LENGTH :]
    if head != (key + digest_of_bytes([body])).encode():
        return None
    with np.load(io.BytesIO(body), allow_pickle=False) as file:
        return {field: file[field] for field in file.files}


def _write_part(path: Path, key: str, arrays: dict[str, np.ndarray]) -> None:
    stream = io.BytesIO()
    pack(stream, arrays)
    body = stream.getbuffer()
    with atomic(path) as temporary, open(temporary, "wb") as file:
        file.write((key + digest_of_bytes([body])).encode())
        file.write(body)


def file_name(label: str) -> str:
    """A label as part of a file name, different for different labels.

    >>> file_name("lrp.epsilon"), file_name("norm 2") == file_name("norm_2")
    ('lrp.epsilon', False)
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", label)[:60].strip(".")
    # Not every file system tells names apart that differ only in case.
    return plain if plain == label.lower() else f"{plain}-{digest(label)[:8]}"
