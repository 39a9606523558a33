"""What is noted of a model, so that another one is told from it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import keras

from innexplain.digests import digest_of_weights
from innexplain.errors import ModelError
from innexplain.graph.canonical import split
from innexplain.graph.step import Graph, Step
from innexplain.graph.trace import trace
from innexplain.network import name_of


def described(model: Any) -> dict[str, Any]:
    """Name, class, layers and a digest of the weights; of a function nothing but what it is called.

    >>> described(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="relu")]))["layers"]
    ['Dense', 'Dense (relu) (3,)']
    """
    notes = {"name": name_of(model), "type": type(model).__name__, "layers": None, "weights": None}
    if not isinstance(model, keras.Model):
        return notes
    graph = split(trace(model))
    steps = [step for step in graph.steps if isinstance(step.operation, keras.layers.Layer)]
    layers = [_described(step, graph) for step in steps]
    return {**notes, "layers": layers, "weights": digest_of_weights(model)}


def _described(step: Step, graph: Graph) -> str:
    """Class, activation and the shape of a sample; names differ from one model of a kind to the next."""
    value = graph.values.get(step.outputs[0])
    return step.label if value is None else f"{step.label} {tuple(value.shape[1:])}"


def check_same(model: Any, notes: Mapping[str, Any], path: Path) -> None:
    """Refuse a model that is not the one of which notes were taken; functions cannot be told apart.

    Raises:
        ModelError: it is a model in place of a function, has other layers, or other weights; it says which.
    """
    found = described(model)
    expected = f"{path} explains the {notes['type']} {notes['name']!r}"
    received = f"Received: the {found['type']} {found['name']!r}"
    if (notes["layers"] is None) != (found["layers"] is None):
        kind = "a function" if notes["layers"] is None else "a Keras model"
        raise ModelError(f"{expected}, which is {kind}. {received}, which is none.")
    pairs = list(zip_longest(notes["layers"] or [], found["layers"] or [], fillvalue="no more"))
    differing = [(number, *pair) for number, pair in enumerate(pairs, start=1) if pair[0] != pair[1]]
    if differing:
        number, wanted, given = differing[0]
        raise ModelError(
            f"{expected}, whose layer {number} is {wanted}. {received}, with other layers: {given} there. "
            "Give the model that was explained, or make the analyzer anew with create_analyzer."
        )
    if notes["weights"] != found["weights"]:
        raise ModelError(
            f"{expected}. {received}, with other weights. Load the weights that were explained, or make the "
            "analyzer anew with create_analyzer."
        )
