"""A fault as data: a small change to the package that a user could notice."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "innexplain"


@dataclass(frozen=True)
class Fault:
    """One text in place of another.

    Args:
        name: what goes wrong, in a few words joined by hyphens.
        file: where, below the package's folder.
        old: the text that is there, exactly once.
        new: what takes its place.
    """

    name: str
    file: str
    old: str
    new: str

    @property
    def folder(self) -> str:
        """The folder of the package, or the file on its ground level."""
        return self.file.partition("/")[0].removesuffix(".py")

    @contextmanager
    def applied(self, checkout: Path) -> Iterator[None]:
        """Inside, the package of a checkout has the fault."""
        path = checkout / PACKAGE / self.file
        text = path.read_text(encoding="utf-8")
        _write(path, text.replace(self.old, self.new))
        try:
            yield
        finally:
            _write(path, text)

    def complaint(self, checkout: Path) -> str | None:
        """Why it cannot be applied, if so."""
        path = checkout / PACKAGE / self.file
        if not path.is_file():
            return f"{self.name}: there is no file {PACKAGE}/{self.file}"
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            return (
                f"{self.name}: {text.count(self.old)} times, not once, in {PACKAGE}/{self.file}: {self.old!r}"
            )
        try:
            compile(text.replace(self.old, self.new), self.file, "exec", dont_inherit=True)
        except SyntaxError:
            return f"{self.name}: would leave no Python: {self.new!r}"
        return f"{self.name}: changes nothing" if self.old == self.new else None


def complaints(faults: Sequence[Fault], checkout: Path) -> list[str]:
    """Why faults cannot be applied; no two have one name."""
    names = [fault.name for fault in faults]
    twice = [f"{name}: several faults have this name" for name in {*names} if names.count(name) > 1]
    return twice + [told for fault in faults if (told := fault.complaint(checkout))]


def _write(path: Path, text: str) -> None:
    """Write a source, and forget what was compiled: its age in seconds may not tell the two apart."""
    path.write_text(text, encoding="utf-8")
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
