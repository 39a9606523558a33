"""The tables of methods in the documentation, made from the methods themselves."""

import inspect
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

from innexplain.analyzers.method import METHODS, Method
from innexplain.analyzers.registry import analyzer_names
from innexplain.analyzers.walking import Backward
from innexplain.composites import is_first, is_linear
from innexplain.composites.lrp import _is_dense
from innexplain.graph.step import Step
from innexplain.rules.linear import LinearRule

CHECKOUT = Path(__file__).resolve().parents[1]
NEEDS = {"calls": "any function", "derivative": "any Keras model", "graph": "layers"}
WHERE: dict[Callable[[Step], bool], str] = {
    is_first: "layers that touch an input",
    _is_dense: "dense layers",
    is_linear: "other layers",
}
STARTS = {"score": "", "positive_score": "; starts from the score cut off at 0", "one": "; starts from 1"}
Rows = Iterable[tuple[str, ...]]


def first_line(kind: type) -> str:
    """What a docstring says first, without the full stop."""
    return (inspect.getdoc(kind) or "").splitlines()[0].rstrip(".")


def family(method: Method) -> type:
    """The class that says where a method comes from; its own where none does."""
    known = [kind for kind in type(method).__mro__ if "reference" in vars(kind) and kind is not Method]
    return known[0] if known else type(method)


def grouped(key: Callable[[Method], type]) -> dict[type, list[str]]:
    """The names of the methods that share a class, in the order of the registry."""
    groups: dict[type, list[str]] = {}
    for name in analyzer_names():
        groups.setdefault(key(METHODS[name]), []).append(name)
    return groups


def listed(names: list[str]) -> str:
    """Names in a cell of the README; of many, three, those that `compare` takes before others."""
    best = sorted(names, key=lambda name: (not METHODS[name].compared, METHODS[name].compared))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f"`{name}`" for name in best[:3]) + more


def summary() -> Rows:
    """A row for each family."""
    yield "name", "what it computes", "reference"
    for kind, names in grouped(family).items():
        yield listed(names), first_line(kind), METHODS[names[0]].reference


def methods() -> Rows:
    """A row for each class of methods, with all names."""
    yield "name", "what it computes", "asks for", "map", "reference"
    for kind, names in grouped(type).items():
        method = METHODS[names[0]]
        told = method.meaning + (", one number a location" if method.spatial else "")
        cells = ", ".join(f"`{name}`" for name in names)
        yield cells, first_line(kind), NEEDS[method.needs], told, method.reference


def relevance() -> Rows:
    """A row for each choice of rules for layers with a kernel, of methods whose maps are relevance."""
    yield "name", "rules"
    alike: dict[str, list[str]] = {}
    for name in analyzer_names():
        method = METHODS[name]
        if isinstance(method, Backward) and method.composite().relevance:
            alike.setdefault(rules(method) + STARTS[method.composite().seed], []).append(f"`{name}`")
    for told, names in alike.items():
        yield ", ".join(names), told


def rules(method: Backward) -> str:
    """Which rule for which layer."""
    found = [r for r in method.composite().rows if isinstance(r.rule, LinearRule) and r.predicate in WHERE]
    if len(found) == 1:
        return f"`{found[0].rule.name}` everywhere"
    return "; ".join(f"{WHERE[row.predicate]}: `{row.rule.name}`" for row in found)


def markdown(rows: Rows) -> str:
    """Rows as a table of Markdown."""
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join(["", lines[0], "|---" * (lines[0].count(" | ") + 1) + "|", *lines[1:], "", ""])


def restructured(rows: Rows, *widths: int) -> str:
    """Rows as a table of reStructuredText."""
    lines = ["", ".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}", ""]
    for row in rows:
        for number, cell in enumerate(row):
            lead = "   * - " if number == 0 else "     - "
            filled = textwrap.wrap(cell, 108, initial_indent=lead, subsequent_indent=" " * 7)
            lines += filled or [lead.rstrip()]
    return "\n".join([*lines, "", ""])


#: By page, the table that stands there between `methods: begin` and `methods: end`.
TABLES: dict[str, Callable[[], str]] = {
    "README.md": lambda: markdown(summary()),
    "docs/methods.rst": lambda: restructured(methods(), 25, 35, 12, 12, 16),
    "docs/lrp.rst": lambda: restructured(relevance(), 40, 60),
}


def pages() -> dict[Path, tuple[str, str]]:
    """The pages as they are, and with tables as the methods are."""
    answer = {}
    for name, made in TABLES.items():
        text = (CHECKOUT / name).read_text("utf-8")
        start = text.index("\n", text.index("methods: begin")) + 1
        end = text.rindex("\n", start - 1, text.index("methods: end")) + 1
        answer[CHECKOUT / name] = text, text[:start] + made() + text[end:]
    return answer


def renew() -> None:
    """Write the tables."""
    for path, (_, renewed) in pages().items():
        path.write_text(renewed, "utf-8")
