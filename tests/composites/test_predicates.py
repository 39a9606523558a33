"""Conditions on steps: by the path of a layer in nested models, and by name."""

import keras
import pytest

from innexplain.composites import name_is, path_starts
from innexplain.graph import trace

L = keras.layers


def _steps() -> list:
    inner = keras.Sequential(
        [keras.Input((4,)), L.Dense(4, name="one"), L.Dense(4, name="two")], name="inner"
    )
    base = keras.Sequential([keras.Input((4,)), inner, L.Dense(3, name="top")], name="base")
    model = keras.Sequential([keras.Input((4,)), base, L.Dense(2, name="inner_too")])
    return list(trace(model).steps)


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        (path_starts("base"), ["one", "two", "top"]),
        (path_starts("base", "inner"), ["one", "two"]),
        (path_starts("base", "inner", "two"), ["two"]),
        (path_starts("inner"), []),
        (path_starts("bas"), []),
        (path_starts("inner_too"), ["inner_too"]),
        (path_starts("base", "inner", "two", "more"), []),
        (path_starts(), ["one", "two", "top", "inner_too"]),
        (name_is("inner*"), ["inner_too"]),
    ],
)
def test_steps_are_found(condition, names: list[str]) -> None:
    assert [step.path[-1] for step in _steps() if condition(step)] == names
