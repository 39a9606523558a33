"""Class names from a file: one a line, or JSON in the shapes that are in use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from innexplain.errors import UnreadableFileError

_SHAPES = (
    'a text file with one name a line, or JSON: ["cat", ...], [["n01440764", "tench"], ...] or '
    '{"0": "cat", ...}'
)


def read_class_names(path: str) -> tuple[str, ...]:
    """The names in class order.

    Args:
        path: A text file, one name a line (blank lines at the end do not count), or a JSON list of
            names or of [synset, name] pairs, or a JSON object from the class number to either.

    Raises:
        UnreadableFileError: If it is missing, empty or in another shape.
    """
    text = _read(path, "class names")
    names = _from_json(path, text) if text.lstrip()[:1] in ("[", "{") else _from_lines(text)
    if not names:
        raise UnreadableFileError(f"Class names {path}: expected {_SHAPES}; it holds no name.")
    return names


def read_labels(path: str, count: int) -> list[int]:
    """True classes, one whole number a line, as many as there are images.

    Raises:
        UnreadableFileError: If it is missing, holds something else, or another number of lines.
    """
    lines = [line.strip() for line in _read(path, "labels").rstrip().splitlines()]
    wrong = next((line for line in lines if not line.isdecimal()), None)
    if wrong is not None:
        raise UnreadableFileError(
            f"Labels {path}: expected one whole number (a class, from 0) a line, received {wrong!r}."
        )
    if len(lines) != count:
        raise UnreadableFileError(
            f"Labels {path}: expected {count} lines, one an image in the order given, received {len(lines)}."
        )
    return [int(line) for line in lines]


def _read(path: str, what: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UnreadableFileError(f"Cannot read the {what} {path}: {reason}.") from error


def _from_lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.rstrip().splitlines())


def _from_json(path: str, text: str) -> tuple[str, ...]:
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            found = [found[str(i)] for i in range(len(found))]
        return tuple(_name(entry) for entry in found)
    except (ValueError, KeyError) as error:
        raise UnreadableFileError(
            f"Class names {path}: expected {_SHAPES}; received JSON that does not fit: {error}."
        ) from error


def _name(entry: Any) -> str:
    name = entry[-1] if isinstance(entry, list) and entry else entry
    if not isinstance(name, str):
        raise ValueError(f"{json.dumps(entry)[:60]} is no name")
    return name


def check_count(names: tuple[str, ...], units: int, path: str) -> None:
    """Refuse a list whose length is not the number of classes.

    Raises:
        UnreadableFileError: A single output unit may have one name or two, any other as many
            names as units.
    """
    allowed = (1, 2) if units == 1 else (units,)
    if len(names) not in allowed:
        raise UnreadableFileError(
            f"Class names {path}: expected {' or '.join(map(str, allowed))} names, as many as the "
            f"model has classes, received {len(names)}."
        )
