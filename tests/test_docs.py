"""The documentation is true: snippets are run, links lead somewhere, tables agree with the code.

`tox -e docs` runs the snippets of the pages; those of docstrings are doctests of the suite.
`python -m tests.test_docs` brings the tables of layers and methods up to date.
"""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import innexplain
from innexplain import composites
from innexplain.graph import Entry, Exit, Graph, Step, Value, kinds
from innexplain.graph.step import Facts
from innexplain.rules import Epsilon
from tests import tables
from tests.test_architecture import HOUSE

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = sorted((CHECKOUT / "docs").glob("*.rst"))
LAYERS = CHECKOUT / "docs" / "layers.rst"
README = CHECKOUT / "README.md"
LRP = composites.lrp_composite("LRP", composites.everywhere(Epsilon()))
METHODS = {"gradient": composites.GRADIENT, "signal": composites.DECONVNET, "LRP": LRP}
# What the cells of the tables call a rule.
WORDS = {
    "Gradient": "derivative", "DeconvReLU": "overridden", "Epsilon": "the rule", "Shares": "in proportion",
    "Pass": "passed on", "Gate": "to the input that gates weigh",
    "Follow": "derivative; what reaches padding stays there",
}  # fmt: skip


def test_snippets_stand_at_the_margin():
    """Sphinx runs them there; in a literal block it only shows them."""
    found = {page.stem: re.findall(r"^ +>>> .*", page.read_text("utf-8"), re.M) for page in PAGES}
    assert {stem: lines for stem, lines in found.items() if lines} == {}


def test_how_to_pages_have_snippets():
    prose = {"api", "architecture", "benchmarks", "index", "peers"}
    silent = [page.stem for page in PAGES if ">>> " not in page.read_text("utf-8")]
    assert set(silent) <= prose


def test_pages_are_in_the_table_of_contents():
    listed = set(re.findall(r"^   (\w+)$", (CHECKOUT / "docs" / "index.rst").read_text("utf-8"), re.M))
    assert listed == {page.stem for page in PAGES} - {"index"}


def fences(language):
    """The blocks of the README in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)


def test_readme_snippets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), "uint8")
    Image.fromarray(pixels).save("cat.jpg")
    # Trained weights are a download, and an untrained network runs the same lines.
    blocks = [block.replace('weights="imagenet"', "weights=None") for block in fences("python")]
    assert blocks
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    overlay = np.asarray(Image.open("cat.overlay.png"))
    assert overlay.shape == (224, 224, 3)
    assert len(np.unique(overlay)) > 50


def test_readme_test_command_stands_where_the_ci_reads_it():
    marked = re.search(r"^<!-- test command -->\n```bash\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)
    assert marked is not None
    assert "-m pytest -n 2 --dist loadfile" in marked[1]
    assert '.[test]"' in marked[1]


def test_readme_links_lead_to_files():
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", README.read_text("utf-8"))
    missing = [t for t in targets if not t.startswith("http") and not (CHECKOUT / t).exists()]
    assert targets
    assert missing == []


def test_pictures_are_small():
    pictures = sorted((CHECKOUT / "docs" / "images").glob("*.png"))
    assert pictures
    assert [p.name for p in pictures if p.stat().st_size >= 300_000] == []


def test_tables_of_methods_are_those_of_the_code():
    stale = [path.name for path, (written, renewed) in tables.pages().items() if written != renewed]
    assert stale == [], "`python -m tests.test_docs` rewrites the tables"


def test_every_method_stands_in_the_tables():
    page = (CHECKOUT / "docs" / "methods.rst").read_text("utf-8")
    assert [name for name in innexplain.analyzer_names() if f"`{name}`" not in page] == []


def test_a_method_appears_in_the_tables_when_it_has_a_name():
    rows = composites.everywhere(Epsilon(0.3))
    innexplain.register_method("lrp.mine", composites.lrp_composite("lrp.mine", rows))
    try:
        assert ("`lrp.mine`", "`Epsilon(epsilon=0.3, bias=True)` everywhere") in [*tables.relevance()]
        assert any("`lrp.mine`" in row[0] for row in tables.methods())
    finally:
        innexplain.unregister_method("lrp.mine")


def test_floors_of_the_architecture_are_those_that_are_held():
    page = (CHECKOUT / "docs" / "architecture.rst").read_text("utf-8")
    floors = []
    for number, unit in re.findall(r"^   \* -( \d)?\n     - `(\w+)(?:\.py|/)?`$", page, re.M):
        floors = [*floors, (unit,)] if number else [*floors[:-1], (*floors[-1], unit)]
    assert tuple(floors) == HOUSE


@pytest.mark.parametrize("name", ["layers", "operations"])
def test_tables_of_layers_are_those_of_the_code(name):
    found = re.search(_marked(name), LAYERS.read_text("utf-8"), re.S)
    assert found is not None
    assert found[2] == _table(name), "`python -m tests.test_docs` rewrites the tables"


def _marked(name):
    return rf"(\.\. {name}: begin\n)(.*?)(\.\. {name}: end\n)"


def _table(name):
    """The rows of one of the tables in `kinds`, as reStructuredText; what is treated alike shares one."""
    meanings = dict(re.findall(r'^[A-Z]+ = "(\w+)"  # (.+)$', Path(kinds.__file__).read_text("utf-8"), re.M))
    rows = [("kind", "classes" if name == "layers" else "classes of operations", *METHODS)]
    alike = {}
    for member, kind in getattr(kinds, name.upper()).items():
        treated = tuple(_treated(kind, composite) for composite in METHODS.values())
        alike.setdefault((kind.meaning, treated), []).append(f"`{member}`")
    for (meaning, treated), members in alike.items():
        explained = f": {meanings[meaning]}" if meaning in meanings else ""
        rows.append((f"`{meaning}`{explained}", ", ".join(members), *treated))
    lines = ["", ".. list-table::", "   :header-rows: 1", "   :widths: 20 38 12 15 15", ""]
    for row in rows:
        for number, cell in enumerate(row):
            lead = "   * - " if number == 0 else "     - "
            lines += textwrap.wrap(cell, 108, initial_indent=lead, subsequent_indent=" " * 7)
    return "\n".join([*lines, "", ""])


def _treated(kind, composite):
    """What a method does with a step of a kind; with products, also where other factors are gates."""
    gates = frozenset((1,) if kind.gated else ())
    plain, gated = (_treated_once(kind, composite, facts) for facts in (Facts(), Facts(gates=gates)))
    return plain if plain == gated else f"{gated}; otherwise {plain}"


def _treated_once(kind, composite, facts):
    linear = "any" if kind.meaning == kinds.KERNEL else None
    step = Step(None, ("step",), (0,), (1,), lambda x: [x], kind, linear=linear, facts=facts)
    value = Value((None, 4), "float32")
    graph = Graph((step,), (Entry(0, "input", value, 0, explained=True),), (Exit(1, "output"),), {0: value})
    (assignment,) = composite.assign(graph)
    if isinstance(assignment.rule, composites.Refuse):
        return f"refused: {assignment.rule.reason}"
    return WORDS[type(assignment.rule).__name__]


def _rewrite():
    text = LAYERS.read_text("utf-8")
    for name in ("layers", "operations"):
        text = re.sub(_marked(name), lambda m, n=name: m[1] + _table(n) + m[3], text, flags=re.S)
    LAYERS.write_text(text, "utf-8")
    tables.renew()


if __name__ == "__main__":
    _rewrite()
