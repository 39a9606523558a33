"""Faults can be applied, and are told apart: caught beside them, caught elsewhere, hung, missed."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.faults import FAULTS, Fault
from tests.faults.__main__ import CHECKOUT, main
from tests.faults.bench import Result
from tests.faults.fault import PACKAGE, complaints

SOURCE = "def one():\n    return 1\n\n\ndef two():\n    return 2\n\n\ndef three():\n    return 3\n"
FILES = {
    f"{PACKAGE}/__init__.py": "",
    f"{PACKAGE}/rules/__init__.py": "",
    f"{PACKAGE}/rules/a.py": SOURCE,
    "setup.cfg": "[tool:pytest]\ntestpaths = tests\nmarkers =\n    slow: slow\n",
    "tests/rules/test_a.py": (
        "from innexplain.rules.a import one\n\n\ndef test_one():\n    while one() == 0:\n        pass\n"
    ),
    "tests/test_rest.py": "from innexplain.rules.a import two\n\n\ndef test_two():\n    assert two() == 2\n",
}
BESIDE = Fault("beside", "rules/a.py", "def one()", "def another()")
ELSEWHERE = Fault("elsewhere", "rules/a.py", "return 2", "return 4")
UNSEEN = Fault("unseen", "rules/a.py", "return 3", "return 5")
HANGING = Fault("hanging", "rules/a.py", "return 1", "return 0")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A package, and tests that see a part of what it does."""
    for name, text in FILES.items():
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "checkout"


def test_every_fault_can_be_applied() -> None:
    assert complaints(FAULTS, CHECKOUT) == []


def test_every_folder_with_logic_has_faults() -> None:
    folders = {path.parent.name for path in (CHECKOUT / PACKAGE).glob("*/__init__.py")}
    assert folders <= {fault.folder for fault in FAULTS}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("gone", "rules/a.py", "return 7", "return 8"),
        Fault("twice", "rules/a.py", "return", "yield"),
        Fault("nowhere", "rules/b.py", "return 1", "return 0"),
        Fault("same", "rules/a.py", "return 1", "return 1"),
        Fault("broken", "rules/a.py", "return 1", "return ("),
    ],
)
def test_a_fault_that_cannot_be_applied_is_an_error(fault: Fault, checkout: Path, capsys) -> None:
    assert main([], [UNSEEN, fault], checkout) == 2
    assert capsys.readouterr().err.startswith(f"{fault.name}: ")


def test_two_faults_of_one_name_are_an_error(checkout: Path) -> None:
    assert len(complaints([UNSEEN, UNSEEN], checkout)) == 1


def test_names_that_mean_nothing_are_an_error(checkout: Path, capsys) -> None:
    assert main(["--only", "nothing", "--folder", "nowhere", "--suite", "none"], [UNSEEN], checkout) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_faults_are_caught_or_missed(checkout: Path, tmp_path: Path, capsys) -> None:
    """What is known is not measured again, and the checkout itself stays as it is."""
    output = tmp_path / "found.jsonl"
    output.write_text(json.dumps(asdict(Result("unseen", "rules/a.py", "MISSED", "", 1.0))) + "\n")
    options = ["--output", str(output), "--jobs", "2"]
    assert main(options, [UNSEEN, BESIDE, ELSEWHERE], checkout) == 1
    assert capsys.readouterr().out.endswith("2 caught, 1 MISSED, 0 unclear\n")
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert sorted((line["name"], line["outcome"], line["test"]) for line in lines) == [
        ("beside", "caught", "tests/rules/test_a.py"),
        ("elsewhere", "caught", "tests/test_rest.py::test_two"),
        ("unseen", "MISSED", ""),
    ]
    assert (checkout / PACKAGE / "rules" / "a.py").read_text() == SOURCE


@pytest.mark.slow
def test_a_fault_that_nothing_sees_and_one_that_hangs(checkout: Path, capsys) -> None:
    assert main(["--timeout", "10"], [UNSEEN, HANGING], checkout) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-4:-2]] == ["MISSED", "caught"]
    assert lines[-3].endswith("  timeout")


def test_tests_of_another_checkout(checkout: Path, tmp_path: Path, capsys) -> None:
    """A test that fails without the fault has not caught it."""
    (tmp_path / "before" / "tests").mkdir(parents=True)
    (tmp_path / "before" / "setup.cfg").write_text(FILES["setup.cfg"])
    (tmp_path / "before" / "tests" / "test_a.py").write_text("def test_a():\n    assert False\n")
    assert main(["--suite", str(tmp_path / "before")], [ELSEWHERE], checkout) == 1
    assert "unclear" in capsys.readouterr().out.splitlines()[1]
