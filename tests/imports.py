"""What the files of the package import, read from their source texts."""

import ast
import functools
from collections.abc import Iterable, Iterator


@functools.cache
def tree_of(source: str) -> ast.Module:
    return ast.parse(source)


def imported(node: ast.AST, name: str) -> Iterator[str]:
    """The full names of what an import statement of the file `name` brings in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = name.removesuffix(".py").split("/")[: -node.level] if node.level else []
        module = ".".join([*above, *filter(None, [node.module])])
        yield from (f"{module}.{alias.name}" for alias in node.names)


def _file_of(full_name: str, names: Iterable[str]) -> str | None:
    """The file that an imported name comes from, if it is one of those given."""
    parts = full_name.split(".")
    while parts:
        for name in ("/".join(parts) + ".py", "/".join([*parts, "__init__.py"])):
            if name in names:
                return name
        parts.pop()
    return None


def circle_complaints(sources: dict[str, str]) -> list[str]:
    """Imports that lead back to the file they stand in, at any depth of it and for type checkers too.

    What leads to such imports and away from them, but is in no circle, is taken away first.
    """
    uses = {name: {} for name in sources}
    for name, source in sources.items():
        for node in ast.walk(tree_of(source)):
            for full_name in imported(node, name):
                uses[name][_file_of(full_name, sources)] = node.lineno
    left = set(sources)
    while ends := {n for n in left if not left & uses[n].keys() or not any(n in uses[m] for m in left)}:
        left -= ends
    return [
        f"{name}:{line}: {other} leads back here"
        for name in sorted(left)
        for other, line in uses[name].items()
        if other in left
    ]
