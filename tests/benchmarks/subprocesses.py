"""Work in a process of its own: what one analyzer allocates or compiles does not count for the next.

The process that starts the others must stay small, so it must not import TensorFlow: a child's peak of
memory starts at what its parent had when it was started.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

_MARK = "benchmark answer: "
_ROOT = Path(__file__).resolve().parents[2]


def call(module: str, name: str, **arguments: Any) -> Any:
    """Call the function `name` of a module in a fresh process; arguments and answer are JSON."""
    task = json.dumps({"module": module, "name": name, "arguments": arguments})
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", **os.environ}
    command = [sys.executable, "-m", "tests.benchmarks.subprocesses", task]
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    answers = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode or not answers:
        raise SystemExit(f"{name}({arguments}) failed:\n{done.stderr[-2000:]}")
    return json.loads(answers[-1].removeprefix(_MARK))


def forget_peak() -> None:
    """Start the peak of this process anew, where the system can do that (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # then the peak is that of building the model, or higher


def peak_megabytes() -> float:
    """The peak of resident memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1024


def resident_megabytes() -> float:
    """The resident memory of this process now; where the system does not tell, its peak so far."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak_megabytes()
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Do the task in the first argument."""
    task = json.loads(sys.argv[1])
    function = getattr(importlib.import_module(task["module"]), task["name"])
    print(_MARK + json.dumps(function(**task["arguments"])))


if __name__ == "__main__":
    main()
