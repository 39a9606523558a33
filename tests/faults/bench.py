"""Copies of a checkout in which the tests meet one fault after the other."""

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults import record_failures
from tests.faults.fault import PACKAGE, Fault

# What may become of a fault; unclear: pytest could not run, or the test fails without the fault too.
CAUGHT, MISSED, UNCLEAR = "caught", "MISSED", "unclear"
_TIMEOUT, _CODE = "timeout", "exit code"

_FAST = "not slow"
_NO_TESTS = 5  # what pytest ends with then
_NEIGHBOURS = {"backward": "analyzers", "composites": "analyzers"}  # whose tests are theirs
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".tox", ".*_cache", "__pycache__", "*.egg-info", "_build", "build", "dist"
)


@dataclass(frozen=True)
class Settings:
    """How the tests run.

    Args:
        suite: another checkout, whose tests take the place of this one's.
        timeout: seconds of silence after which a run counts as hung.
        workers: of pytest-xdist, for all but the tests that run first; 0 does without it.
        pytest_args: further arguments of pytest.
    """

    suite: Path | None = None
    timeout: float = 600.0
    workers: int = 0
    pytest_args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What became of a fault: caught by which test, after how many seconds; `suite` as in `Settings`."""

    name: str
    file: str
    outcome: str
    test: str
    seconds: float
    suite: str = ""


def results(
    faults: Sequence[Fault], folder: Path, checkout: Path, settings: Settings, jobs: int
) -> Iterator[Result]:
    """What becomes of each fault, as soon as it is known; `jobs` copies work side by side."""
    free: queue.SimpleQueue[_Bench] = queue.SimpleQueue()
    for number in range(min(jobs, len(faults))):
        free.put(_Bench(folder / str(number), checkout, settings))

    def measured(fault: Fault) -> Result:
        bench = free.get()
        try:
            return bench.measure(fault)
        finally:
            free.put(bench)

    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(measured, fault) for fault in faults]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:  # after Ctrl-C, which has ended the runs of pytest too
            pool.shutdown(cancel_futures=True)


class _Bench:
    """A copy of a checkout in a folder, and pytest at work in it."""

    def __init__(self, folder: Path, checkout: Path, settings: Settings) -> None:
        self.copy, self.settings = folder / "checkout", settings
        self.log, self.failures = folder / "log", folder / "failures"
        shutil.copytree(checkout, self.copy, ignore=_LEFT_OUT)
        if settings.suite is not None:
            shutil.rmtree(self.copy / "tests")
            shutil.copytree(settings.suite / "tests", self.copy / "tests", ignore=_LEFT_OUT)
            shutil.copy(settings.suite / "setup.cfg", self.copy)
        # The test of this folder looks for the texts of faults: it would catch every one.
        shutil.rmtree(self.copy / "tests" / "faults", ignore_errors=True)
        (self.copy / "tests" / "test_faults.py").unlink(missing_ok=True)
        shutil.copy(record_failures.__file__, folder)
        self.environment = {
            "KERAS_BACKEND": "tensorflow", "MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "2",
            **with_data(checkout),
            "PYTHONPATH": os.pathsep.join(map(str, (self.copy, folder))), "PYTHONUNBUFFERED": "1",
            "INNEXPLAIN_FAILURES": str(self.failures),
        }  # fmt: skip

    def measure(self, fault: Fault) -> Result:
        """Apply a fault and run the tests until one fails: those beside it first, then the rest."""
        start, workers = time.monotonic(), self.settings.workers
        near = self._near(fault)
        rest = [f"--ignore={path}" for path in near]
        rest += ["-n", str(workers), "--dist", "loadfile"] if workers else []
        with fault.applied(self.copy):
            test = self._failed(*near) or self._failed(*rest)
        seconds = round(time.monotonic() - start, 1)
        outcome = CAUGHT if test else MISSED
        if test.startswith(_CODE) or (test not in ("", _TIMEOUT) and self._failed(test)):
            outcome = UNCLEAR
        return Result(fault.name, fault.file, outcome, test, seconds, str(self.settings.suite or ""))

    def _near(self, fault: Fault) -> list[str]:
        """The tests of the fault's folder, and the doctests of its file."""
        own = fault.folder
        tests = [f"tests/{own}", f"tests/{_NEIGHBOURS.get(own)}", f"tests/test_{own}.py"]
        return [path for path in (*tests, f"{PACKAGE}/{fault.file}") if (self.copy / path).exists()]

    def _failed(self, *arguments: str) -> str:
        """The first test that fails, if any; or that a run hung, or could not run."""
        self.failures.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-x", "-v", "-m", _FAST, "-p", "no:cacheprovider"]
        command += ["-p", "record_failures", *self.settings.pytest_args, *arguments]
        with open(self.log, "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, cwd=self.copy, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
            try:
                code = self._wait(process)
            finally:
                _end(process)
        if code is None:
            return _TIMEOUT
        if self.failures.exists():
            return self.failures.read_text(encoding="utf-8").splitlines()[0]
        words = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return "" if code in (0, _NO_TESTS) else f"{_CODE} {code}: {' '.join(words[-5:])}"

    def _wait(self, process: subprocess.Popen[bytes]) -> int | None:
        """The exit code; `None` once nothing was said for too long."""
        said, since = 0, time.monotonic()
        while time.monotonic() - since < self.settings.timeout:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(0.5)
            if self.log.stat().st_size != said:
                said, since = self.log.stat().st_size, time.monotonic()
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a run with all that it started, if it is still going on."""
    if process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
        process.wait()


def with_data(checkout: Path) -> dict[str, str]:
    """The environment, told where the real networks are: beside the checkout, not beside its copy."""
    folder = checkout.parent / "shared" / "data"
    return {**({"INNEXPLAIN_DATA": str(folder)} if folder.is_dir() else {}), **os.environ}
