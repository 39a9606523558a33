"""The architecture, as tests: floors, sizes, and what may stand where.

Each check is a function from a source text to its complaints; `test_architecture_checks.py` tests the checks.
"""

import ast
import configparser
import functools
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.imports import circle_complaints, imported, tree_of

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "innexplain"

# A file imports from lower floors, from its own folder, and from folders named before it on its own floor.
HOUSE = (
    (
        *("arguments", "class_maps", "console", "digests", "errors", "files", "folders", "layers"),
        *("numerics", "randomness", "regions", "targets"),
    ),
    ("graph",),
    ("samplers", "rules", "network", "backward"),
    ("composites", "patterns"),
    ("analyzers",),
    ("plots", "evaluators", "comparison"),
    ("innexplain",),  # the public names: the package's own __init__.py
    ("cli",),
)
#: By file or folder: its floor, and its place there.
FLOORS = {unit: (floor, place) for floor, units in enumerate(HOUSE) for place, unit in enumerate(units)}
GROUND = 0  # single files, not folders: they may use each other

KERAS_INTERNALS = re.compile(r"\b(_keras_history|_inbound_nodes|_functional|keras\.src)\b")
KERAS_INTERNALS_IN = ("graph/",)
TENSORFLOW_IN = (
    "numerics.py",
    "backward/",
    "graph/inputs.py",
    "network/running.py",
    "patterns/digits.py",
    "patterns/gathering.py",
    "patterns/parts.py",
    "patterns/sums.py",
    "cli/",
)
IMPORTS_BY_NAME_IN = ("__init__.py",)  # no other check sees them

MAX_LINES = 300
CODE_FOLDERS = ("innexplain", "tests", "examples")
TEXT_FOLDERS = (*CODE_FOLDERS, "docs", ".ci")
NO_TEXT = {".npy", ".npz", ".keras", ".h5", ".png", ".jpg", ".jpeg", ".gif", ".ico", ".pyc"}
# Put together here, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:{})/".format("|".join(("work", "tmp", "root", "home"))))


def _files(folder: str) -> list[Path]:
    kept = [p for p in sorted((CHECKOUT / folder).rglob("*")) if p.is_file()]
    return [p for p in kept if not {"__pycache__", "_build"}.intersection(p.parts)]


def _name(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


PACKAGE_FILES = [_name(p) for p in _files("innexplain") if p.suffix == ".py"]
CODE_FILES = [_name(p) for f in CODE_FOLDERS for p in _files(f) if p.suffix == ".py"]
TEXT_FILES = [
    _name(p)
    for p in [p for f in TEXT_FOLDERS for p in _files(f)] + sorted(CHECKOUT.glob("*"))
    if p.is_file() and p.suffix.lower() not in NO_TEXT and p.name != ".git"  # a file in worktrees
]


def _inside(name: str, places: tuple[str, ...]) -> bool:
    """Whether a file of the package is one of the files (`a.py`) or in a folder (`a/`) given."""
    own = name.removeprefix("innexplain/")
    return any(own.startswith(p) if p.endswith("/") else own == p for p in places)


def unit_of(full_name: str) -> str | None:
    """The file or folder of ours that an imported name belongs to; `None` for other packages."""
    parts = full_name.split(".")
    if parts[0] != "innexplain":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else "innexplain"


def floor_complaints(source: str, name: str) -> list[str]:
    """Imports that do not go down, at any depth of the file and for type checkers too."""
    unit = name.removesuffix(".py").split("/")[1]
    unit = "innexplain" if unit == "__init__" else unit
    if unit not in FLOORS:
        return [f"{name}: {unit!r} has no floor yet; give it one in HOUSE and docs/architecture.rst"]
    found = []
    for node in ast.walk(tree_of(source)):
        for full_name in imported(node, name):
            other = unit_of(full_name)
            if other is None or other == unit:
                continue
            (floor, _), (below, _) = FLOORS[unit], FLOORS[other]
            if not FLOORS[other] < FLOORS[unit] and not floor == below == GROUND:
                found.append(
                    f"{name}:{node.lineno}: {unit} (floor {floor}) imports {full_name} (floor {below})"
                )
    return found


def _is_too_broad(expression: ast.expr | None) -> bool:
    if isinstance(expression, ast.Tuple):
        return any(map(_is_too_broad, expression.elts))
    if isinstance(expression, ast.Call):
        expression = expression.func
    return isinstance(expression, ast.Name) and expression.id in ("Exception", "BaseException")


def statement_complaints(source: str, name: str) -> list[str]:
    """`assert`, `print(`, and exceptions that catch or say nothing in particular."""
    found = []
    for node in ast.walk(tree_of(source)):
        match node:
            case ast.Assert():
                found.append(f"{name}:{node.lineno}: assert; raise an exception of errors.py")
            case ast.Call(func=ast.Name(id="print")):
                found.append(f"{name}:{node.lineno}: print; use console.write")
            case ast.ExceptHandler(type=caught) if caught is None or _is_too_broad(caught):
                found.append(f"{name}:{node.lineno}: except that catches everything")
            case ast.Raise(exc=raised) if _is_too_broad(raised):
                found.append(f"{name}:{node.lineno}: raise without an exception of its own")
    return found


def _run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a file is imported: no function bodies, nothing for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from _run_on_import(child)


def import_complaints(source: str, name: str) -> list[str]:
    """matplotlib where a file is imported; TensorFlow, and imports by name, outside the files that may."""
    tree = tree_of(source)
    found = [
        f"{name}:{node.lineno}: matplotlib at module level; import it inside the function"
        for node in _run_on_import(tree)
        for full_name in imported(node, name)
        if full_name.split(".")[0] in ("matplotlib", "mpl_toolkits")
    ]
    if not _inside(name, TENSORFLOW_IN):
        found += [
            f"{name}:{node.lineno}: imports TensorFlow; use keras.ops, or numerics.vjp"
            for node in ast.walk(tree)
            for full_name in imported(node, name)
            if full_name.split(".")[0] == "tensorflow"
        ]
    if not _inside(name, IMPORTS_BY_NAME_IN):
        found += [
            f"{name}:{node.lineno}: imports by name; use an import statement"
            for node in ast.walk(tree)
            for full_name in imported(node, name)
            if full_name in ("importlib", "importlib.import_module")
        ]
    return found


def text_complaints(source: str, name: str, pattern: re.Pattern[str]) -> list[str]:
    """Lines in which a pattern occurs."""
    lines = enumerate(source.splitlines(), start=1)
    return [f"{name}:{n}: {m.group()}" for n, line in lines if (m := pattern.search(line))]


def size_complaints(source: str, name: str) -> list[str]:
    """Files that are too long."""
    length = len(source.splitlines())
    return [f"{name}: {length} lines, at most {MAX_LINES}"] if length > MAX_LINES else []


@functools.cache
def _read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def hold(complaints: Iterable[str]) -> None:
    if found := list(complaints):
        pytest.fail("\n".join(found), pytrace=False)


def _hold_everywhere(check, names: Iterable[str], *more) -> None:
    hold(complaint for name in names for complaint in check(_read(name), name, *more))


def test_imports_run_down_the_floors() -> None:
    _hold_everywhere(floor_complaints, PACKAGE_FILES)


def test_imports_run_in_no_circle() -> None:
    found = circle_complaints({name: _read(name) for name in PACKAGE_FILES})
    hold(found)


def test_raises_and_prints_as_the_house_does() -> None:
    _hold_everywhere(statement_complaints, PACKAGE_FILES)


def test_imports_matplotlib_late_and_tensorflow_in_few_files() -> None:
    _hold_everywhere(import_complaints, PACKAGE_FILES)


def test_keras_internals_stay_in_the_graph() -> None:
    names = [name for name in PACKAGE_FILES if not _inside(name, KERAS_INTERNALS_IN)]
    _hold_everywhere(text_complaints, names, KERAS_INTERNALS)


def test_files_are_short() -> None:
    _hold_everywhere(size_complaints, CODE_FILES)


def test_no_machine_paths() -> None:
    _hold_everywhere(text_complaints, TEXT_FILES, MACHINE_PATH)


def test_folders_are_packages() -> None:
    """Without its `__init__.py` a folder would be missing from what users install."""
    folders = {Path(name).parent.as_posix() for name in PACKAGE_FILES}
    hold(f"{f}: no __init__.py" for f in sorted(folders) if f"{f}/__init__.py" not in PACKAGE_FILES)


def test_import_does_without_matplotlib() -> None:
    """Newer versions of Keras import it themselves where they find it, so here nobody finds it."""
    code = "import sys; sys.modules['matplotlib'] = None; import innexplain"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False)
    assert done.returncode == 0


def test_version_is_the_same_everywhere() -> None:
    settings = configparser.ConfigParser()
    settings.read_string(_read("setup.cfg"))
    found = re.search(r'^__version__ = "(.+)"$', _read("innexplain/__init__.py"), re.MULTILINE)
    assert found is not None
    assert found.group(1) == settings["metadata"]["version"]
