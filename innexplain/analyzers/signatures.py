"""Signatures of builders that are put together from others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["add_keywords"]


def add_keywords(build: Callable[..., Any], source: Callable[..., Any], skip: Iterable[str] = ()) -> None:
    """Show the arguments of `source` as keyword arguments of `build`, in place of its `**own`.

    The registry reads signatures to tell users which arguments an analyzer takes.
    """
    signature = inspect.signature(build)
    kept = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    added = [
        p.replace(kind=p.KEYWORD_ONLY)
        for p in inspect.signature(source).parameters.values()
        if p.name not in skip
    ]
    build.__signature__ = signature.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
