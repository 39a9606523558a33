"""The method that a caller means: by its name, as an object, or as rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras

from innexplain.analyzers.method import METHODS, Method
from innexplain.analyzers.other_names import meant
from innexplain.analyzers.walking import Composed
from innexplain.composites import Composite, Row
from innexplain.errors import NotFittedError, UnknownNameError


def method_of(given: Any) -> Method:
    """The method of a name; a composite as a method; a method as it is, called after its class if need be.

    Raises:
        UnknownNameError: there is no such method.
    """
    if isinstance(given, Composite):
        return Composed(rows=given, name=given.name)
    if isinstance(given, Method):
        return given if given.name else replace(given, name=type(given).__name__)
    if isinstance(given, str) and given in METHODS:
        return METHODS[given]
    hint = meant(given, METHODS) if isinstance(given, str) else _hint(given)
    raise UnknownNameError(
        f"There is no analyzer {given!r}.{hint} Expected one of: {', '.join(METHODS)}; or a "
        "Method, or a Composite, rows of your own."
    )


def _hint(given: Any) -> str:
    """The way out where something else is given."""
    if isinstance(given, keras.Model):
        return " Models stand in another place: create_analyzer(name, model), check_model(model, name)."
    if isinstance(getattr(given, "method", None), Method):
        return " An analyzer has its Method as analyzer.method."
    if isinstance(given, type) and issubclass(given, Method):
        return f" Give an object of the class: {given.__name__}()."
    if isinstance(given, (list, tuple)) and any(isinstance(row, Row) for row in given):
        return " innexplain.composites.lrp_composite makes a Composite of rows."
    return ""


def inner_method(given: Any, word: str = "analyzer") -> Method:
    """A method inside another one, from an analyzer or what `method_of` takes; it must need nothing more.

    Raises:
        NotFittedError: a name alone does not give the patterns that it needs.
    """
    method = method_of(getattr(given, "method", given))
    if method.needs_fit:
        raise NotFittedError(
            f"{word}={method.name!r} needs patterns of this model, which no name gives. Give an analyzer "
            f"that has them: {word}=create_analyzer({method.name!r}, model, patterns=...), or one after "
            "fit(dataset)."
        )
    return method
