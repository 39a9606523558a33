"""What a running command would lose if it were interrupted now."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Job:
    """The state of a command, told to the user after Ctrl-C.

    Args:
        if_interrupted: What is done and what is lost; the command keeps it up to date.
    """

    if_interrupted: str = "nothing was written."
