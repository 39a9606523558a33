"""docs/api.rst and the public names are the same; what is private has no list of names."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import innexplain

CHECKOUT = Path(__file__).resolve().parents[1]
API = (CHECKOUT / "docs" / "api.rst").read_text("utf-8")
#: Where users import from.  What these modules list in `__all__` is public, and nothing else is.
PUBLIC = (
    "innexplain", "innexplain.analyzers", "innexplain.comparison", "innexplain.composites",
    "innexplain.errors", "innexplain.evaluators", "innexplain.layers", "innexplain.numerics",
    "innexplain.patterns", "innexplain.plots", "innexplain.regions", "innexplain.rules",
    "innexplain.samplers",
)  # fmt: skip
# Their `__init__` lists what other folders use; of these only what rules are made of is for users.
INNER = ("innexplain.backward", "innexplain.graph", "innexplain.network")
FOLDERS = ("comparison", "evaluators", "patterns", "plots", "rules", "samplers")

DOCUMENTED = re.findall(r"^\.\. (?:autoclass|autofunction|data):: ([\w.]+)$", API, re.M)
MODULES = re.findall(r"^\.\. automodule:: ([\w.]+)$", API, re.M)
MEMBERS = re.findall(r"^\.\. autoclass:: ([\w.]+)\n   :members: ([\w, \n]+?)\n(?=\n|   :)", API, re.M)


def _found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _public() -> list[str]:
    return [f"{module}.{name}" for module in PUBLIC for name in importlib.import_module(module).__all__]


def test_every_public_name_is_documented() -> None:
    known = {id(_found(path)) for path in DOCUMENTED}
    listed = {f"{module}.{name}" for module in MODULES for name in importlib.import_module(module).__all__}
    missing = [path for path in _public() if path not in listed and id(_found(path)) not in known]
    assert set(missing) == {"innexplain.__version__", "innexplain.errors"}


def test_every_documented_name_is_public() -> None:
    for path in DOCUMENTED:
        module, _, name = path.rpartition(".")
        lists = importlib.import_module(module)
        assert name in getattr(lists, "__all__", [name]) and not name.startswith("_"), path
        assert module in (*PUBLIC, *INNER) or module.startswith("innexplain.analyzers."), path
        assert _found(path).__doc__ or isinstance(_found(path), (tuple, dict)), path


def test_documented_names_stand_once() -> None:
    assert len(DOCUMENTED) > 100
    assert sorted({p for p in DOCUMENTED if DOCUMENTED.count(p) > 1}) == []
    objects = [id(_found(path)) for path in DOCUMENTED]
    assert len(set(objects)) == len(objects), "one thing under two names"


@pytest.mark.parametrize(("path", "members"), MEMBERS, ids=[path for path, _ in MEMBERS])
def test_documented_members_exist(path: str, members: str) -> None:
    kind = _found(path)
    annotated = {name for base in kind.__mro__ for name in vars(base).get("__annotations__", {})}
    missing = [m for m in re.split(r"[,\s]+", members) if not hasattr(kind, m) and m not in annotated]
    assert missing == []


def test_only_public_modules_list_their_names() -> None:
    lists = set()
    for path in sorted((CHECKOUT / "innexplain").rglob("*.py")):
        body = ast.parse(path.read_text("utf-8")).body
        names = [
            t.id for node in body if isinstance(node, ast.Assign) for t in node.targets if hasattr(t, "id")
        ]
        if "__all__" in names:
            lists.add(".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__"))
    assert lists == {*PUBLIC, *INNER}


def test_every_listed_name_exists() -> None:
    for path in [*_public(), *(f"{m}.{n}" for m in INNER for n in importlib.import_module(m).__all__)]:
        _found(path)


def test_folders_are_reached_from_the_package_without_waiting_for_tensorflow() -> None:
    code = f"""
import sys
import innexplain
assert set({FOLDERS!r}) <= set(dir(innexplain))
heavy = {{"tensorflow", "keras", "matplotlib"}}
assert not heavy & set(sys.modules), "import innexplain is light"
assert callable(innexplain.plots.gallery)
assert not heavy & set(sys.modules), "pictures wait for them, too"
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in FOLDERS:
        assert innexplain.__getattr__(name) is importlib.import_module(f"innexplain.{name}")


def test_a_folder_that_is_none_is_told() -> None:
    with pytest.raises(AttributeError, match="module 'innexplain' has no attribute 'plotz'"):
        innexplain.plotz  # noqa: B018 - looking it up is the test
