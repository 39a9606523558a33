"""What is compared: evaluators and methods from the names, objects and arrays that a caller gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from innexplain.analyzers import Analyzer, Method
from innexplain.analyzers.choosing import method_of
from innexplain.analyzers.method import METHODS, names_where
from innexplain.comparison.evaluations import (
    Completeness,
    Complexity,
    MaxSensitivity,
    Randomisation,
    RegionPerturbation,
    StrongFeatures,
)
from innexplain.comparison.evaluator import Evaluator
from innexplain.composites import Composite
from innexplain.errors import ArgumentError, InputError, UnknownNameError, nearest
from innexplain.evaluators.arrays import spatial_maps

#: The evaluators that have a name.
KINDS: dict[str, type[Evaluator]] = {
    kind.name: kind
    for kind in (RegionPerturbation, Complexity, Completeness, MaxSensitivity, Randomisation, StrongFeatures)
}
#: What is compared if the caller names nothing: the methods of Samek et al. 2017 and common others.
DEFAULT_ANALYZERS = tuple(sorted(names_where(lambda m: m.compared > 0), key=lambda n: METHODS[n].compared))
DEFAULT_EVALUATORS = ("region_perturbation", "complexity", "completeness")

_RESERVED = ("analyzer", "seconds", "refusal")  # columns that every table has
_WANTED = "a list of names and analyzers, or a dict from labels to names, analyzers or arrays of maps"
#: An analyzer, and what one is made of.
_ANALYZERS = (Analyzer, str, Method, Composite)


def make_evaluators(
    given: Any, x: np.ndarray, y: np.ndarray | None, channel_axis: int | None
) -> tuple[Evaluator, ...]:
    """Evaluators from names or objects, fitted to the data.

    Raises:
        UnknownNameError: no evaluator has such a name.
        ArgumentError: there is none, two share a name or a column, or one cannot judge these data.
    """
    given = DEFAULT_EVALUATORS if given is None else given
    if isinstance(given, (str, Evaluator)):
        given = [given]
    if not isinstance(given, Iterable):
        raise ArgumentError(f"evaluators must be a list of names and objects. Received: {given!r}")
    made = [_evaluator(item) for item in given]
    names = [e.name for e in made]
    if not made or len(set(names)) < len(names) or "" in names:
        raise ArgumentError(f"evaluators must be a list of some with names of their own. Received: {names}")
    columns = [*_RESERVED, *(heading for e in made for c in e.columns for heading in (c, f"{c} sd"))]
    twice = sorted({c for c in columns if columns.count(c) > 1})
    if twice:
        raise ArgumentError(f"Columns of evaluators must have names of their own. Received twice: {twice}")
    return tuple(e.fitted(x, y, channel_axis) for e in made)


def _evaluator(item: Any) -> Evaluator:
    if isinstance(item, Evaluator):
        return item
    if not isinstance(item, str) or item not in KINDS:
        raise UnknownNameError(
            f"There is no evaluator {item!r}.{nearest(item, KINDS)} Expected one of "
            f"{', '.join(KINDS)}, or an object of a class of innexplain.comparison."
        )
    return KINDS[item]()


def name_methods(analyzers: Any) -> dict[str, Any]:
    """Labels, and what makes the maps of each: a method, an analyzer or an array.

    Raises:
        UnknownNameError: no analyzer has such a name.
        ArgumentError: there is none, or one is named twice or of another type.
    """
    analyzers = DEFAULT_ANALYZERS if analyzers is None else analyzers
    if isinstance(analyzers, _ANALYZERS):
        analyzers = [analyzers]
    if isinstance(analyzers, Mapping):
        found = {label: _labelled(label, given) for label, given in analyzers.items()}
    elif isinstance(analyzers, (list, tuple)):
        found = {}
        for given in analyzers:
            method = _method(given)
            if isinstance(given, str) and method in found.values():
                raise ArgumentError(f"The analyzer {given!r} is named twice.")
            found[_label(method.name, found)] = method
    else:
        raise ArgumentError(f"analyzers must be {_WANTED}. Received: {type(analyzers).__name__}")
    if not found:
        raise ArgumentError(f"analyzers must be {_WANTED}, at least one. Received: none")
    return found


def _labelled(label: Any, given: Any) -> Any:
    """A value of the dict; arrays of other packages (tensors on the CPU) become arrays of NumPy."""
    if isinstance(label, str) and isinstance(given, _ANALYZERS):
        return _method(given)
    if not isinstance(label, str) or not hasattr(given, "__array__"):
        raise ArgumentError(
            f"analyzers must be {_WANTED}. Received: {label!r}: {type(given).__name__}. Of maps that were "
            "computed elsewhere give the array itself."
        )
    return np.asarray(given)


def _method(given: Any) -> Any:
    """An analyzer as it is, else the method that it is to be made of."""
    if not isinstance(given, _ANALYZERS):
        raise ArgumentError(
            f"analyzers must be {_WANTED}. Received in a list: {type(given).__name__}. Arrays need a label: "
            "give a dict."
        )
    return given if isinstance(given, Analyzer) else method_of(given)


def _label(name: str, taken: dict[str, Any]) -> str:
    """The name of an analyzer, numbered where it is taken: two of a name may differ in their settings."""
    label, number = name, 2
    while label in taken:
        label, number = f"{name} ({number})", number + 1
    return label


def check_methods(
    methods: dict[str, Any],
    model: Any,
    x: np.ndarray,
    classes: np.ndarray,
    predicted: np.ndarray,
    channel_axis: int | None,
) -> None:
    """Refuse what is no matter of a method's support for a model, before anything is computed.

    Args:
        methods: by label.
        model: the model, or a function.
        x: the inputs.
        classes: what is to be explained, (n,).
        predicted: the predicted classes, (n,).
        channel_axis: of one sample.

    Raises:
        InputError: given maps do not fit x.
        ArgumentError: an analyzer is of another model, or explains another class.
    """
    for label, method in methods.items():
        if isinstance(method, np.ndarray):
            try:
                spatial_maps(method, x, channel_axis)
            except InputError as error:
                raise InputError(f"The maps of {label!r}: {error}") from error
        elif isinstance(method, Method) and method.needs != "calls" and not isinstance(model, keras.Model):
            only = ", ".join(names_where(lambda m: m.needs == "calls"))
            raise ArgumentError(
                f"{label!r} needs a Keras model to explain. With a function compare methods that only call "
                f"it ({only}), or maps that were computed elsewhere, a dict from labels to arrays. "
                f"Received: {type(model).__name__}"
            )
        elif isinstance(method, Analyzer):
            _check_analyzer(label, method, model, np.array_equal(classes, predicted))


def _check_analyzer(label: str, analyzer: Analyzer, model: Any, as_predicted: bool) -> None:
    if analyzer.model is not model:
        raise ArgumentError(
            f"The analyzer {label!r} was made for another model. Make one for the model that is compared on."
        )
    if analyzer.options.neuron_selection_mode == "max_activation" and not as_predicted:
        raise ArgumentError(
            f"The analyzer {label!r} explains the predicted class, and target= asks for another one. Make it "
            "with neuron_selection_mode='index', which explains the class it is told."
        )
