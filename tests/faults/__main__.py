"""Applies small faults to a copy of the package, one at a time, and tells which test catches each.

    python -m tests.faults --check                           # is the text of every fault still there?
    python -m tests.faults --folder rules graph              # the faults of some folders
    python -m tests.faults --jobs 2 --output new.jsonl       # all; broken off, it goes on from there
    python -m tests.faults --suite ../before --only NAME...  # the tests of another checkout

The tests of the fault's folder run first, with the doctests of its file, then the rest of the fast suite, up
to the first failure; that test has to pass without the fault.  Faults are the rows of `methods.py` and
`judging.py`: whoever changes a text of the package that stands there moves the row along.
"""

import argparse
import json
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.faults import FAULTS, Fault
from tests.faults.bench import CAUGHT, MISSED, UNCLEAR, Result, Settings, results, with_data
from tests.faults.fault import complaints

CHECKOUT = Path(__file__).resolve().parents[2]


def main(
    arguments: list[str] | None = None, faults: Sequence[Fault] = FAULTS, checkout: Path = CHECKOUT
) -> int:
    """Check all faults, then measure those that are asked for; 0 if each was caught."""
    options = _parser().parse_args(arguments)
    wrong = complaints(faults, checkout) + _unknown(options, faults)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 2
    if options.check:
        print(f"{len(faults)} faults, the text of each is there once.")
        return 0
    more = tuple(shlex.split(options.pytest_args))
    settings = Settings(options.suite, options.timeout, options.workers, more)
    everything = not (options.only or options.folder)
    chosen = [f for f in faults if everything or f.name in options.only or f.folder in options.folder]
    found = _recorded(options.output, str(options.suite or ""))
    left = [f for f in chosen if f.name not in found]
    data = with_data(checkout).get("INNEXPLAIN_DATA", "none, tests on them are skipped")
    print(f"{len(left)} of {len(chosen)} faults to measure. Real networks: {data}", flush=True)
    with tempfile.TemporaryDirectory(prefix="innexplain-faults-") as folder:
        for result in results(left, Path(folder), checkout, settings, options.jobs):
            found[result.name] = result
            print(_line(result), flush=True)
            if options.output is not None:
                with open(options.output, "a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(result)) + "\n")
    ordered = [found[f.name] for f in chosen]
    counts = Counter(result.outcome for result in ordered)
    print("\n".join(["", *map(_line, ordered), ""]))
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in (CAUGHT, MISSED, UNCLEAR)))
    return 0 if counts[CAUGHT] == len(ordered) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--check", action="store_true", help="only see whether every fault can be applied")
    add("--only", metavar="NAME", nargs="+", default=[], help="faults of these names")
    add("--folder", metavar="NAME", nargs="+", default=[], help="faults of these folders or ground files")
    add("--suite", metavar="DIR", type=Path, help="another checkout, whose tests/ and setup.cfg are used")
    add("--output", metavar="FILE", type=Path, help="lines of JSON; faults that have one are left out")
    add("--jobs", metavar="N", type=int, default=1, help="copies that work side by side (default: 1)")
    add("--workers", metavar="N", type=int, default=0, help="of pytest-xdist, for the rest of the suite")
    add("--timeout", metavar="S", type=float, default=600.0, help="a run is hung after so long a silence")
    add("--pytest-args", metavar="TEXT", default="", help="further arguments of pytest, as one text")
    return parser


def _unknown(options: argparse.Namespace, faults: Sequence[Fault]) -> list[str]:
    """Names that mean nothing."""
    known = {*(f"--only {f.name}" for f in faults), *(f"--folder {f.folder}" for f in faults)}
    given = [*(f"--only {name}" for name in options.only), *(f"--folder {name}" for name in options.folder)]
    found = [f"{text}: there is no such fault" for text in given if text not in known]
    if options.suite is not None and not (options.suite / "tests").is_dir():
        found.append(f"--suite {options.suite}: there is no folder tests/ in it")
    return found


def _recorded(output: Path | None, suite: str) -> dict[str, Result]:
    """What earlier runs of the same tests wrote, by fault; what was unclear is tried again."""
    if output is None or not output.exists():
        return {}
    known = [Result(**json.loads(line)) for line in output.read_text(encoding="utf-8").splitlines()]
    return {r.name: r for r in known if r.suite == suite and r.outcome != UNCLEAR}


def _line(result: Result) -> str:
    where = f"{result.file.removesuffix('.py')}: {result.name}"
    return f"{result.outcome:8}{result.seconds:7.1f} s  {where:74}  {result.test}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
