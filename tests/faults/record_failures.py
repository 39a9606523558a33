"""A plugin of pytest that writes down which tests failed, by the ids that pytest itself takes."""

import os
from typing import Any


def _note(report: Any) -> None:
    if report.failed:
        with open(os.environ["INNEXPLAIN_FAILURES"], "a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")


pytest_runtest_logreport = pytest_collectreport = _note
