"""Settings that somebody forged are refused, and nothing of them is executed."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from innexplain import create_analyzer, load_analyzer
from innexplain.digests import digest_of_file
from innexplain.errors import UnreadableFileError
from tests.analyzers.saved import MODEL, patterns


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    analyzer = create_analyzer("pattern.net", MODEL, patterns=patterns())
    return analyzer.save(tmp_path_factory.mktemp("saved") / "a")


EXECUTED: list[Any] = []


@dataclass(frozen=True)
class Trap:
    """Notes that it was made; no file may reach it."""

    command: str = ""

    def __post_init__(self) -> None:
        EXECUTED.append(self.command)


MALICIOUS = [
    {"__class__": []},
    {"class__": []},
    {"known": ["a", {}]},
    {"found": ["system", {}]},
    {"value": 1},
    {"object": ["os.system", False, {"command": "touch executed"}]},
    {"object": ["system", False, {"command": "touch executed"}]},
    {"object": ["Trap", False, {"command": "made"}]},
    {"object": ["Trap", True, {}]},
    {"object": ["Lambda", True, {"function": "os.system"}]},
    {"object": ["Dense", False, {"units": 3}]},
    {"object": ["Rule", True, {}]},
    {"object": ["Epsilon", True, {"epsilon": 1.0, "more": 2}]},
    {"object": ["Epsilon", True, [1.0]]},
    {"object": "Epsilon"},
    {"class": ["deserialize", True]},
    {"class": ["__builtins__", True]},
    {"class": ["Trap", False]},
    {"class": "Dense"},
    {"method": ["gradient", "Gradient", {"name": "mine"}]},
    {"method": ["gradient", "Trap", {}]},
    {"method": ["trap", "Trap", {}]},
    {"method": []},
    {"array": "array99"},
    {"array": ["array0"]},
    {"patterns": [[["conv", "relu", "array99"]], {}, {}]},
    {"float": "1; import os"},
    {"dict": [[["a"], 1]]},
    {"dict": 3},
    {"layer": 3},
    {"tuple": [1], "float": "inf"},
    {},
    None,
    [{"object": ["eval", False, {}]}],
]


def _forged(path: Path, change: Callable[[dict], Any]) -> Path:
    """A folder whose settings are changed and whose list of files says that they are as they should be."""
    settings = change(json.loads((path / "settings.json").read_text()))
    (path / "settings.json").write_text(settings if isinstance(settings, str) else json.dumps(settings))
    contents = json.loads((path / "contents.json").read_text())
    size = os.path.getsize(path / "settings.json")
    contents["files"]["settings.json"] = {"bytes": size, "digest": digest_of_file(path / "settings.json")}
    (path / "contents.json").write_text(json.dumps(contents))
    return path


@pytest.mark.parametrize("plain", MALICIOUS, ids=range(len(MALICIOUS)))
def test_forged_settings_execute_nothing(
    plain: Any, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, change in (
        ("method", lambda settings: {**settings, "method": plain}),
        ("mode", lambda s: {**s, "options": {**s["options"], "neuron_selection_mode": plain}}),
    ):
        path = _forged(Path(shutil.copytree(saved, tmp_path / name)), change)
        with pytest.raises(UnreadableFileError, match=r"settings\.json: "):
            load_analyzer(path, MODEL)
    assert EXECUTED == []
    assert sorted(os.listdir(tmp_path)) == ["method", "mode"]


WRONG = [
    lambda settings: [],
    lambda settings: {**settings, "model": None},
    lambda settings: {**settings, "options": {**settings["options"], "check_only": True}},
    lambda settings: {**settings, "options": {"output": None}},
    lambda settings: {
        **settings,
        "options": {**settings["options"], "neuron_selection_mode": {"class": ["Dense", True]}},
    },
    lambda settings: {"method": settings["method"], "model": settings["model"]},
    lambda settings: "[" * 100_000,
    lambda settings: "{",
]


@pytest.mark.parametrize("change", WRONG, ids=range(len(WRONG)))
def test_settings_of_another_form(change: Callable[[dict], Any], saved: Path, tmp_path: Path) -> None:
    path = _forged(Path(shutil.copytree(saved, tmp_path / "a")), change)
    with pytest.raises(UnreadableFileError, match=r"settings\.json: "):
        load_analyzer(path, MODEL)
