"""Folders are written whole or not at all, known again file by file, and filled part by part."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from innexplain import folders
from innexplain.digests import digest
from innexplain.errors import OutputPathError, UnreadableFileError
from innexplain.files import write_arrays, write_json
from innexplain.folders import Parts, atomic_folder, check_folder, file_name

KIND = "an analyzer"


def _written(path: Path, number: int = 1, kind: str = KIND) -> Path:
    with atomic_folder(path, kind) as folder:
        write_json(folder / "settings.json", {"number": number})
        write_arrays(folder / "arrays", {"x": np.full(50, number)})
    return path


def _content(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_a_folder_is_there_as_a_whole_and_known(tmp_path: Path) -> None:
    path = _written(tmp_path / "new" / "mine")
    assert check_folder(path, KIND) == path
    assert set(_content(path)) == {"settings.json", "arrays.npz", "contents.json"}
    assert [p.name for p in path.parent.iterdir()] == ["mine"]


def _write_half(path: Path, error: type[BaseException]) -> None:
    with atomic_folder(path, KIND) as folder:
        (folder / "settings.json").write_text("half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_an_end_in_the_middle_leaves_what_was_there(error: type[BaseException], tmp_path: Path) -> None:
    before = _content(_written(tmp_path / "mine"))
    for path in (tmp_path / "mine", tmp_path / "other"):
        with pytest.raises(OutputPathError if error is OSError else error):
            _write_half(path, error)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
    assert _content(tmp_path / "mine") == before


def test_what_we_wrote_or_is_empty_is_replaced(tmp_path: Path) -> None:
    old = _content(_written(tmp_path / "mine"))
    new = _content(_written(tmp_path / "mine", 2, "something of ours"))
    assert new["settings.json"] != old["settings.json"]
    (tmp_path / "empty").mkdir()
    check_folder(_written(tmp_path / "empty"), KIND)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    _written(tmp_path / "link", 3)
    assert (tmp_path / "link").is_symlink()
    check_folder(tmp_path / "mine", KIND)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "link", "mine"]


@pytest.mark.parametrize("name", ["notes.txt", "more/notes.txt"])
def test_other_files_are_never_lost(name: str, tmp_path: Path) -> None:
    for folder in (_written(tmp_path / "mine"), tmp_path / "theirs"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("precious")
        before = _content(folder)
        with pytest.raises(OutputPathError, match=rf"it holds another file, '{name}'"):
            _written(folder, 2)
        assert _content(folder) == before
    (tmp_path / "file").touch()
    with pytest.raises(OutputPathError, match="it is a file"):
        _written(tmp_path / "file")
    with pytest.raises(OutputPathError, match="Cannot write to the folder"):
        _written(tmp_path / "file" / "below")


def test_a_file_that_comes_while_we_write_is_not_lost(tmp_path: Path) -> None:
    path = _written(tmp_path / "mine")
    with pytest.raises(OutputPathError, match="it holds another file"), atomic_folder(path, KIND):
        (path / "notes.txt").write_text("precious")
    assert (path / "notes.txt").read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_the_old_folder_comes_back_if_the_new_one_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _content(_written(tmp_path / "mine"))
    rename = os.rename

    def refuse(source: Path, target: Path) -> None:
        if target == tmp_path / "mine" and b"2" in (source / "settings.json").read_bytes():
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OutputPathError, match="mine: No space left on device"):
        _written(tmp_path / "mine", 2)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
    assert _content(tmp_path / "mine") == before


def _change(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: (path / name).write_bytes(change((path / name).read_bytes()))  # type: ignore[func-returns-value]


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: (path / "arrays.npz").unlink(), r"arrays\.npz: the file is missing"),
    "cut": (_change("arrays.npz", lambda b: b[:-9]), r"arrays\.npz: the file is truncated"),
    "flipped": (
        _change("arrays.npz", lambda b: bytes([b[0] ^ 1]) + b[1:]),
        r"arrays\.npz: the file is damaged",
    ),
    "edited": (_change("settings.json", lambda b: b.replace(b"1", b"2")), r"settings\.json: .* was changed"),
    "no list": (
        lambda path: (path / "contents.json").unlink(),
        r"something else, since it has no contents\.json",
    ),
    "cut list": (
        _change("contents.json", lambda b: b[:50]),
        r"contents\.json: expected a list of files.*damaged",
    ),
    "odd list": (
        _change("contents.json", lambda b: b"[1]"),
        r"contents\.json: expected a list of files.*damaged",
    ),
    "odd files": (_change("contents.json", lambda b: b.replace(b'"bytes"', b'"bits"')), "damaged"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told_by_file(name: str, tmp_path: Path) -> None:
    damage, words = DAMAGE[name]
    damage(_written(tmp_path / "mine"))
    with pytest.raises(UnreadableFileError, match=words):
        check_folder(tmp_path / "mine", KIND)


def test_other_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="none: there is no such folder"):
        check_folder(tmp_path / "none", KIND)
    with pytest.raises(UnreadableFileError, match="expected an analyzer written by innexplain"):
        check_folder(tmp_path, KIND)
    newer = _written(tmp_path / "newer", kind=f"{KIND}, format 2")
    with pytest.raises(UnreadableFileError, match="it is from a newer version of innexplain"):
        check_folder(newer, KIND)
    with pytest.raises(UnreadableFileError, match="expected patterns, received 'an analyzer, format 2'"):
        check_folder(newer, "patterns")


def test_no_flipped_bit_of_a_part_goes_unnoticed(tmp_path: Path) -> None:
    parts, arrays = Parts(tmp_path), {"a": np.arange(3.0), "b": np.zeros((2, 2), "int64")}
    key = digest("key")
    parts.get("some", key, lambda: arrays)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        assert parts.get("some", key, lambda: {"c": np.ones(1)}).keys() == {"c"}
    path.write_bytes(whole)
    found = parts.get("some", key, lambda: pytest.fail("it was computed"))
    assert found.keys() == arrays.keys()
    np.testing.assert_array_equal(found["a"], arrays["a"])


def test_parts_are_of_a_key_and_none_is_kept_without_a_folder(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "new" / "parts")
    for number in (1, 2, 1):
        assert parts.get("a", digest(number), lambda n=number: {"n": np.array(n)})["n"] == number
    nowhere = Parts()
    assert [nowhere.get("a", "key", lambda n=n: {"n": np.array(n)})["n"] for n in (1, 2)] == [1, 2]


def test_an_end_while_writing_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(*chunks: object) -> str:
        raise KeyboardInterrupt

    parts = Parts(tmp_path)
    parts.get("kept", digest("key"), lambda: {"a": np.zeros(1)})
    monkeypatch.setattr(folders, "digest_of_bytes", ends)
    with pytest.raises(KeyboardInterrupt):
        parts.get("lost", "key", lambda: {"a": np.zeros(1)})
    assert [path.name for path in tmp_path.iterdir()] == ["kept.part"]


def test_names_of_files_differ_where_labels_do() -> None:
    labels = ["norm 2", "norm_2", "norm-2", "../up", "up", "Up", "", ".", "ε", "a/b", "x" * 300, "x" * 301]
    names = [file_name(label) for label in labels]
    assert len({name.lower() for name in names}) == len(labels)
    assert all(name == Path(name).name and len(name) < 100 for name in names)
