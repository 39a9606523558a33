"""The checks of test_architecture.py: each finds what it looks for, and leaves the rest alone."""

from tests.imports import circle_complaints
from tests.test_architecture import (
    KERAS_INTERNALS,
    MACHINE_PATH,
    MAX_LINES,
    floor_complaints,
    hold,
    import_complaints,
    size_complaints,
    statement_complaints,
    text_complaints,
)

FOUND = [
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
    (import_complaints, "plots/__init__.py", "from importlib import import_module"),
    (size_complaints, "a.py", "\n" * (MAX_LINES + 1)),
]
LEFT_ALONE = [
    (floor_complaints, "analyzers/a.py", "from innexplain.rules.base import Rule"),
    (floor_complaints, "analyzers/a.py", "from innexplain.analyzers.base import Analyzer"),
    (floor_complaints, "analyzers/a.py", "from innexplain import errors"),
    (floor_complaints, "targets.py", "from innexplain import numerics"),
    (floor_complaints, "cli/a.py", "import innexplain"),
    (floor_complaints, "__init__.py", "from innexplain.analyzers import create_analyzer"),
    (statement_complaints, "a.py", "try:\n    f()\nexcept OSError as e:\n    raise KeyError from e"),
    (import_complaints, "a.py", "def f():\n    from matplotlib.figure import Figure"),
    (import_complaints, "a.py", "if TYPE_CHECKING:\n    from matplotlib.figure import Figure"),
    (import_complaints, "numerics.py", "import tensorflow as tf"),
    (import_complaints, "backward/a.py", "import tensorflow as tf"),
    (import_complaints, "__init__.py", "import importlib"),
    (size_complaints, "a.py", "\n" * MAX_LINES),
]


def test_checks_find_what_they_look_for() -> None:
    missed = [(c.__name__, n, s) for c, n, s in FOUND if len(c(s, f"innexplain/{n}")) != 1]
    assert missed == []


def test_checks_leave_the_rest_alone() -> None:
    hold(complaint for check, name, s in LEFT_ALONE for complaint in check(s, f"innexplain/{name}"))


def test_circles_are_found() -> None:
    sources = {
        "innexplain/a.py": "def f():\n    from innexplain import b",
        "innexplain/b.py": "from innexplain import below\nfrom innexplain.c.d import e",
        "innexplain/c/d.py": "if TYPE_CHECKING:\n    import innexplain.a",
        "innexplain/below.py": "import numpy",
        "innexplain/above.py": "from . import a, c",
        "innexplain/c/__init__.py": "from innexplain.c import d",
    }
    expected = [("a", 2, "b"), ("b", 2, "c/d"), ("c/d", 2, "a")]
    assert circle_complaints(sources) == [
        f"innexplain/{name}.py:{line}: innexplain/{other}.py leads back here"
        for name, line, other in expected
    ]
    assert circle_complaints({**sources, "innexplain/c/d.py": ""}) == []


def test_texts_are_found() -> None:
    for folder in ("work", "tmp", "root"):
        line = f"data = '/{folder}/data'"
        assert text_complaints(line, "a", MACHINE_PATH) == [f"a:1: /{folder}/"]
        assert text_complaints(f"https://example.org/{folder}/a", "a", MACHINE_PATH) == []
    source = "as_functional(model)\nmodel._functional\nfrom keras.src import x\n"
    assert text_complaints(source, "a", KERAS_INTERNALS) == ["a:2: _functional", "a:3: keras.src"]
