"""Does a method support a model? A table of every layer, with its rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from innexplain.analyzers.choosing import method_of
from innexplain.analyzers.registry import build
from innexplain.analyzers.walking import WalkedNetwork
from innexplain.composites import Assignment, Refuse
from innexplain.console import table_lines, write
from innexplain.errors import GraphError, NothingOverriddenError, UnsupportedLayerError


@dataclass(frozen=True)
class CheckRow:
    """One step of a model: where, what, which rule, and whether it is supported."""

    path: tuple[str, ...]
    layer: str
    rule: str
    status: str


@dataclass(frozen=True)
class Check:
    """The answer of `check_model`; `str()` of it is the table.

    Args:
        analyzer: the name of the analyzer.
        rows: one a step that relevance passes through, from input to output.
        problem: why the model as a whole cannot be explained, or `None`.
    """

    analyzer: str
    rows: tuple[CheckRow, ...]
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the analyzer can be created."""
        return self.problem is None and all(row.status == "supported" for row in self.rows)

    def __str__(self) -> str:
        header = ("path", "layer", "rule", "status")
        cells = [("/".join(r.path), r.layer, r.rule, r.status) for r in self.rows]
        table = [*table_lines(header, cells, left=len(header)), ""] if cells else []
        return "\n".join([*table, self._summary()])

    def _summary(self) -> str:
        refused = sum(row.status != "supported" for row in self.rows)
        verdict = self.problem or (f"{refused} of {len(self.rows)} steps refused" if refused else "supported")
        return f"{self.analyzer}: {verdict}"


def check_model(model: Any, name: Any, **kwargs: Any) -> Check:
    """Print and return which rule an analyzer has for every layer of a model.

    Args:
        model: a built Keras model.
        name: one of `analyzer_names()`; or a `Composite`, rows of your own, or a `Method`.
        **kwargs: as for `create_analyzer`.

    Returns:
        A `Check` with `rows` (path, layer, rule, status), `ok`, and the table as its `str`.

    Raises:
        UnknownNameError, ArgumentError, ModelError: as for `create_analyzer`; layers without a rule are
            no error here but rows.

    Example:
        >>> import keras, innexplain
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="relu", name="d")])
        >>> check = innexplain.check_model(model, "deconvnet")
        path  layer         rule        status
        ----  ------------  ----------  ---------
        d     Dense         Gradient    supported
        d     Dense (relu)  DeconvReLU  supported
        <BLANKLINE>
        deconvnet: supported
    """
    check = _check(model, name, kwargs)
    write(str(check))
    return check


def _check(model: Any, given: Any, kwargs: dict[str, Any]) -> Check:
    name = method_of(given).name
    try:
        analyzer = build(given, model, kwargs, check_only=True)
    except (GraphError, UnsupportedLayerError) as error:
        return Check(name, (), str(error))
    network, rows = analyzer.network, tuple(_row(a) for a in analyzer.assignments)
    try:
        if isinstance(network, WalkedNetwork):
            network.require()
    except NothingOverriddenError as error:
        return Check(name, rows, str(error))
    except UnsupportedLayerError:
        pass  # the rows tell
    return Check(name, rows)


def _row(assignment: Assignment) -> CheckRow:
    step, rule = assignment.step, assignment.rule
    if isinstance(rule, Refuse):
        return CheckRow(step.path, step.label, "-", f"refused: {rule.reason}")
    return CheckRow(step.path, step.label, rule.name, "supported")
