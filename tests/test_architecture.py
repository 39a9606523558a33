"""The architecture, as tests: floors, sizes, and what may stand where.

Each check is a function from a source text to its complaints, so that checks are tested as well.
"""

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    if p.is_file() and p.suffix.lower() not in NO_TEXT
]


def _inside(name: str, places: tuple[str, ...]) -> bool:
    """Whether a file of the package is one of the files (`a.py`) or in a folder (`a/`) given."""
    own = name.removeprefix("innexplain/")
    return any(own.startswith(p) if p.endswith("/") else own == p for p in places)


def imported(node: ast.AST, name: str) -> Iterator[str]:
    """The full names of what an import statement of the file `name` brings in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = name.removesuffix(".py").split("/")[: -node.level] if node.level else []
        module = ".".join([*above, *filter(None, [node.module])])
        yield from (f"{module}.{alias.name}" for alias in node.names)


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
    for node in ast.walk(ast.parse(source)):
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
    for node in ast.walk(ast.parse(source)):
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
    """matplotlib where a file is imported; TensorFlow outside the few files that may know it."""
    tree = ast.parse(source)
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
    return found


def text_complaints(source: str, name: str, pattern: re.Pattern[str]) -> list[str]:
    """Lines in which a pattern occurs."""
    lines = enumerate(source.splitlines(), start=1)
    return [f"{name}:{n}: {m.group()}" for n, line in lines if (m := pattern.search(line))]


def _read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PACKAGE_FILES)
def test_imports_run_down_the_floors(name: str) -> None:
    assert floor_complaints(_read(name), name) == []


@pytest.mark.parametrize("name", PACKAGE_FILES)
def test_raises_and_prints_as_the_house_does(name: str) -> None:
    assert statement_complaints(_read(name), name) == []


@pytest.mark.parametrize("name", PACKAGE_FILES)
def test_imports_matplotlib_late_and_tensorflow_in_few_files(name: str) -> None:
    assert import_complaints(_read(name), name) == []


@pytest.mark.parametrize("name", [name for name in PACKAGE_FILES if not _inside(name, KERAS_INTERNALS_IN)])
def test_keras_internals_stay_in_the_graph(name: str) -> None:
    assert text_complaints(_read(name), name, KERAS_INTERNALS) == []


@pytest.mark.parametrize("name", CODE_FILES)
def test_file_is_short(name: str) -> None:
    assert len(_read(name).splitlines()) <= MAX_LINES


@pytest.mark.parametrize("name", TEXT_FILES)
def test_no_machine_paths(name: str) -> None:
    assert text_complaints(_read(name), name, MACHINE_PATH) == []


@pytest.mark.parametrize("folder", sorted({Path(name).parent.as_posix() for name in PACKAGE_FILES}))
def test_folder_is_a_package(folder: str) -> None:
    """Without it the folder would be missing from what users install."""
    assert f"{folder}/__init__.py" in PACKAGE_FILES


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


@pytest.mark.parametrize(
    ("check", "name", "source"),
    [
        (floor_complaints, "rules/a.py", "from innexplain.analyzers import base"),
        (floor_complaints, "rules/a.py", "def f():\n    from innexplain.composites import Row"),
        (floor_complaints, "rules/a.py", "from innexplain.patterns.fit import Fit"),
        (floor_complaints, "rules/a.py", "from innexplain import create_analyzer"),
        (floor_complaints, "rules/a.py", "from ..backward import model"),
        (floor_complaints, "rules/a.py", "from innexplain.network import Network"),
        (floor_complaints, "errors.py", "import innexplain.graph.step"),
        (floor_complaints, "plots/a.py", "from .. import cli"),
        (floor_complaints, "helpers/a.py", ""),
        (statement_complaints, "a.py", "def f(x):\n    assert x"),
        (statement_complaints, "a.py", "print(1)"),
        (statement_complaints, "a.py", "try:\n    f()\nexcept:\n    pass"),
        (statement_complaints, "a.py", "try:\n    f()\nexcept (KeyError, Exception):\n    pass"),
        (statement_complaints, "a.py", "raise Exception('no')"),
        (import_complaints, "a.py", "from matplotlib.figure import Figure"),
        (import_complaints, "a.py", "class A:\n    import matplotlib"),
        (import_complaints, "a.py", "try:\n    import matplotlib.cm\nexcept ImportError:\n    pass"),
        (import_complaints, "analyzers/a.py", "def f():\n    import tensorflow as tf"),
    ],
)
def test_checks_find_what_they_look_for(check, name: str, source: str) -> None:
    assert len(check(source, f"innexplain/{name}")) == 1


@pytest.mark.parametrize(
    ("check", "name", "source"),
    [
        (floor_complaints, "analyzers/a.py", "from innexplain.rules.base import Rule"),
        (floor_complaints, "analyzers/a.py", "from innexplain.analyzers.base import Analyzer"),
        (floor_complaints, "analyzers/a.py", "from innexplain import errors"),
        (floor_complaints, "backward/a.py", "from innexplain.rules import Rule"),
        (floor_complaints, "targets.py", "from innexplain import numerics"),
        (floor_complaints, "cli/a.py", "import innexplain"),
        (floor_complaints, "__init__.py", "from innexplain.analyzers import create_analyzer"),
        (
            statement_complaints,
            "a.py",
            "try:\n    f()\nexcept OSError as e:\n    raise KeyError from e",
        ),
        (import_complaints, "a.py", "def f():\n    from matplotlib.figure import Figure"),
        (import_complaints, "a.py", "if TYPE_CHECKING:\n    from matplotlib.figure import Figure"),
        (import_complaints, "numerics.py", "import tensorflow as tf"),
        (import_complaints, "backward/a.py", "import tensorflow as tf"),
    ],
)
def test_checks_leave_the_rest_alone(check, name: str, source: str) -> None:
    assert check(source, f"innexplain/{name}") == []


@pytest.mark.parametrize("folder", ["work", "tmp", "root"])
def test_machine_paths_are_found(folder: str) -> None:
    line = f"data = '/{folder}/data'"
    assert text_complaints(line, "a", MACHINE_PATH) == [f"a:1: /{folder}/"]
    assert text_complaints(f"https://example.org/{folder}/a", "a", MACHINE_PATH) == []


def test_keras_internals_are_found_as_whole_words() -> None:
    source = "as_functional(model)\nmodel._functional\nfrom keras.src import x\n"
    assert text_complaints(source, "a", KERAS_INTERNALS) == ["a:2: _functional", "a:3: keras.src"]
