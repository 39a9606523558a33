"""The modules of examples/clear_paper import each other by name, as a script's neighbours do."""

import functools
import sys
from pathlib import Path

import keras
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples" / "clear_paper"))


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train without compiling, which takes longer than the few steps of a test."""
    eager = functools.partialmethod(keras.Model.compile, run_eagerly=True)
    monkeypatch.setattr(keras.Model, "compile", eager)
