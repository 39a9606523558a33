"""Files are written whole or not at all, and what is no such file is told with its state."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from innexplain import files
from innexplain.errors import OutputPathError, UnreadableFileError

ARRAYS = {
    "a/b|c": np.arange(6.0).reshape(2, 3), "file": np.array([True, False]), "text": np.array("x"),
    "small": np.ones((2, 2), "float32"),
}  # fmt: skip


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_interruption_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    def write_half() -> None:
        with files.atomic(tmp_path / "a.txt") as temporary:
            assert temporary.parent == tmp_path and temporary.suffix == ".txt"
            temporary.write_text("half")
            raise error

    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(error):
        write_half()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_an_error_of_ours_keeps_its_message(tmp_path: Path) -> None:
    def read_within() -> None:
        with files.atomic(tmp_path / "a") as temporary:
            temporary.touch()
            files.read_arrays(tmp_path / "none.npz", "arrays")

    with pytest.raises(UnreadableFileError, match=r"none\.npz: there is no such file"):
        read_within()
    assert list(tmp_path.iterdir()) == []


def test_arrays_under_any_name_come_back(tmp_path: Path) -> None:
    path = files.write_arrays(tmp_path / "lrp.epsilon", ARRAYS)
    assert path.name == "lrp.epsilon.npz"
    for given in (path, tmp_path / "lrp.epsilon"):
        found = files.read_arrays(given, "arrays")
        assert list(found) == list(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
    first = path.read_bytes()
    assert files.write_arrays(path, ARRAYS).read_bytes() == first, "the same bytes at any time"


def test_archives_are_those_of_numpy(tmp_path: Path) -> None:
    path = files.write_arrays(tmp_path / "ours", {"a": ARRAYS["a/b|c"]})
    np.savez(tmp_path / "theirs", a=ARRAYS["a/b|c"])
    assert path.read_bytes() == (tmp_path / "theirs.npz").read_bytes()


def test_python_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    objects = np.array([{1}, None], object)
    for write in (
        lambda: files.write_arrays(tmp_path / "a", {"o": objects}),
        lambda: files.write_array(tmp_path / "a", objects),
    ):
        with pytest.raises(ValueError, match="Object arrays cannot be saved"):
            write()
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "a.npz", o=objects)
    with pytest.raises(UnreadableFileError, match="is something else"):
        files.read_arrays(tmp_path / "a.npz", "arrays")


def _whole(tmp_path: Path) -> bytes:
    return files.write_arrays(tmp_path / "whole", ARRAYS).read_bytes()


@pytest.mark.parametrize(
    ("state", "change"),
    [
        ("empty", lambda whole: b""),
        ("truncated", lambda whole: whole[:30]),
        ("truncated", lambda whole: whole[:-5]),
        ("damaged", lambda whole: whole[:180] + bytes([whole[180] ^ 1]) + whole[181:]),
        ("damaged", lambda whole: whole[:40] + bytes(20) + whole[60:]),
        ("something else", lambda whole: pickle.dumps([1])),
        ("something else", lambda whole: b"[1, 2]"),
    ],
)
def test_the_state_of_a_bad_archive_is_told(state: str, change: Callable, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(change(_whole(tmp_path)))
    with pytest.raises(UnreadableFileError, match=rf"bad\.npz: expected weights.*; the file is {state}"):
        files.read_arrays(tmp_path / "bad", "weights")


def test_no_flipped_bit_of_an_array_goes_unnoticed(tmp_path: Path) -> None:
    """In an archive only names and times are free; what an array holds has a check sum."""
    whole, path = _whole(tmp_path), tmp_path / "bad.npz"
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        try:
            found = files.read_arrays(path, "arrays")
        except UnreadableFileError:
            continue
        assert all(any(np.array_equal(array, own) for own in ARRAYS.values()) for array in found.values())


def test_a_lone_array_is_something_else(tmp_path: Path) -> None:
    path = files.write_array(tmp_path / "a", [1.0, 2.0])
    path.rename(tmp_path / "a.npz")
    with pytest.raises(UnreadableFileError, match="is something else"):
        files.read_arrays(tmp_path / "a.npz", "arrays")


def test_records_have_notes_and_a_kind(tmp_path: Path) -> None:
    path = files.write_record(tmp_path / "a", "sums, format 2", {"n": [1, None]}, ARRAYS)
    notes, arrays = files.read_record(tmp_path / "a", "sums, format 2")
    assert notes == {"n": [1, None]} and list(arrays) == list(ARRAYS)
    for kind, why in [
        ("sums", "received 'sums, format 2': it is from a newer version of innexplain"),
        ("sums, format 3", "it is from an older version of innexplain, and has to be made anew"),
        ("patterns", r"expected patterns, received 'sums, format 2'\.$"),
    ]:
        with pytest.raises(UnreadableFileError, match=why):
            files.read_record(path, kind)
    for flat in (
        {"x": 1},
        {"head": np.array("no JSON")},
        {"head": np.array("[1]")},
        {"head": np.array('{"names": ["a"]}')},
    ):
        files.write_arrays(path, flat)
        with pytest.raises(UnreadableFileError, match="is something else"):
            files.read_record(path, "sums")


def test_json_comes_back_or_is_refused(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None, "ä"], "b": {"c": True}}
    path = files.write_json(tmp_path / "a.json", value)
    assert files.read_json(path, "settings") == value
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(path, float("nan"))
    assert files.read_json(path, "settings") == value
    for content in (b"", b"{", path.read_bytes()[:-5], b"\xff\xfe"):
        (tmp_path / "bad.json").write_bytes(content)
        with pytest.raises(
            UnreadableFileError, match=r"bad\.json: expected settings.* is damaged or something else"
        ):
            files.read_json(tmp_path / "bad.json", "settings")
    with pytest.raises(UnreadableFileError, match=r"none\.json: there is no such file"):
        files.read_json(tmp_path / "none.json", "settings")


def test_folders_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"Cannot read .*: Is a directory"):
        files.read_json(tmp_path, "settings")
    with pytest.raises(OutputPathError, match="it is a folder"):
        files.write_text(tmp_path, "text")


def test_a_process_that_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("1")
    code = """
import os, signal, sys
from innexplain import files
with files.atomic(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.json")], check=False)
    assert files.read_json(tmp_path / "a.json", "a number") == 1
