"""How the command starts, helps, fails and is interrupted."""

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import innexplain
from innexplain.cli import check, compare, demo, explain
from innexplain.cli.main import main
from innexplain.errors import ArgumentError, InnexplainWarning

COMMANDS = {command.NAME: command for command in (demo, explain, compare, check)}


def _run_apart(*arguments: str, variables: dict[str, str] | None = None):
    """Run in a process of its own, as a user does."""
    kept = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=Path(innexplain.__file__).parents[1],
        env={**kept, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_does_not_wait_for_tensorflow() -> None:
    code = (
        "import sys; from innexplain.cli.main import main; code = main(['--help']); "
        "slow = {'tensorflow', 'keras', 'matplotlib', 'sklearn'} & set(sys.modules); "
        "sys.exit(f'imported {sorted(slow)}' if slow else code)"
    )
    done = _run_apart("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"    {name} " in done.stdout for name in COMMANDS)


def test_module_runs_and_passes_the_exit_code_on() -> None:
    done = _run_apart("-m", "innexplain.cli", "explain")
    assert done.returncode == 2
    assert done.stdout == ""


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    code = (
        "import os, sys; from innexplain.cli.main import main; "
        "read, write = os.pipe(); os.close(read); os.dup2(write, 1); sys.exit(main(['--help']))"
    )
    assert "Traceback" not in _run_apart("-c", code).stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_shows_every_option_and_an_example(name: str, innexplain_) -> None:
    code, out, err = innexplain_(name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: innexplain {name}")
    assert re.search(rf"examples?:\n  innexplain {name} ", out)
    assert COMMANDS[name].DESCRIPTION.strip() in out
    assert max(map(len, out.splitlines())) <= 100


def test_examples_in_the_help_are_accepted_by_the_parser() -> None:
    from innexplain.cli.main import _parser, _protect

    for command in COMMANDS.values():
        found = command.EPILOG[command.EPILOG.index("example") :].replace("\\\n", " ")
        lines = re.findall(r"^  innexplain (.+)$", found, re.MULTILINE)
        assert lines
        for line in lines:
            options = _parser().parse_args(_protect(line.split()))
            assert options.run is command.run


def test_version(innexplain_) -> None:
    assert innexplain_("--version") == (0, f"innexplain {innexplain.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        (["explian"], "invalid choice: 'explian'"),
        (["explain"], "required: MODEL, IMAGE"),
        (["explain", "a.keras", "b.png", "--analyzer", "gradient"], "required: --output"),
        (["demo", "--epochs", "0"], "--epochs: expected a whole number from 1 on, received '0'"),
        (["demo", "--epochs", "many"], "received 'many'"),
        (["demo", "--out", "x"], "unrecognized arguments: --out x"),
        (["check", "a.keras", "--analyzer"], "expected one argument"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, words: str, innexplain_) -> None:
    code, out, err = innexplain_(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("innexplain: error: ")
    assert err.count("\n") == 1
    assert words in err
    assert "--help` shows how" in err


def test_minus_one_to_one_is_no_option() -> None:
    from innexplain.cli.main import _parser, _protect

    words = ["explain", "m.keras", "a.png", "--analyzer", "gradient", "--output", "o"]
    options = _parser().parse_args(_protect([*words, "--preprocess", "-1-1"]))
    assert options.preprocess == "-1-1"


def test_errors_of_several_lines_become_one(monkeypatch, innexplain_) -> None:
    def run(options: object, job: object) -> int:
        raise ArgumentError("first:\n  second\n\nthird  part.")

    monkeypatch.setattr(demo, "run", run)
    assert innexplain_("demo") == (2, "", "innexplain: error: first: second; third part.\n")


def test_interruption_says_what_is_lost(monkeypatch, innexplain_) -> None:
    def run(options: object, job) -> int:
        job.if_interrupted = "3 of 9 images are done."
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", run)
    expected = "innexplain: interrupted: 3 of 9 images are done.\n"
    assert innexplain_("demo") == (130, "", expected)


def test_warnings_of_the_package_are_one_line(monkeypatch, innexplain_) -> None:
    def run(options: object, job: object) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("the map is zero", InnexplainWarning, stacklevel=1)
        return 1

    monkeypatch.setattr(demo, "run", run)
    usual = warnings.showwarning
    assert innexplain_("demo") == (1, "", "innexplain: warning: the map is zero\n")
    assert warnings.showwarning is usual


def test_errors_of_the_programmer_are_not_hidden(monkeypatch) -> None:
    def run(options: object, job: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(demo, "run", run)
    with pytest.raises(ZeroDivisionError):
        main(["demo"])
