"""Copies of analyzers, by users' own tools: of equal settings and maps, around a model of their own."""

import copy
import multiprocessing
import pickle
from typing import Any

import keras
import numpy as np
import pytest

import innexplain
from innexplain import composites, rules
from innexplain.errors import UnknownNameError
from tests.analyzers.saved import MODEL, X, made, maps, network, patterns

L = keras.layers
create = innexplain.create_analyzer
KINDS = ["random", "sensitivity", "lrp.epsilon", "deep_taylor.bounded", "pattern.net", "smoothgrad", "clear"]


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("name", KINDS)
def test_copies_have_equal_maps_and_models_of_their_own(name: str, copied: Any) -> None:
    analyzer, expected = made(name)
    found = copied(analyzer)
    assert type(found) is type(analyzer)
    assert repr(found) == repr(analyzer)
    assert found.model is not MODEL
    np.testing.assert_array_equal(maps(found), expected)


def test_layers_in_settings_are_those_of_the_copy() -> None:
    conv, pool = MODEL.get_layer("conv"), MODEL.get_layer("pool")
    analyzer = create(
        "lrp.z", MODEL, rules={conv: "Flat", pool: "gradient"}, output=MODEL.get_layer("hidden")
    )
    found = copy.deepcopy(analyzer)
    assert list(found.options.rules) == [found.model.get_layer("conv"), found.model.get_layer("pool")]
    assert found.options.output is found.model.get_layer("hidden")
    assert found.options.rules.keys().isdisjoint(analyzer.options.rules)
    np.testing.assert_array_equal(maps(found), maps(analyzer))
    found.model.get_layer("conv").set_weights([np.ones((3, 3, 2, 3)), np.ones(3)])
    assert not np.array_equal(maps(found), maps(analyzer))


def test_patterns_of_a_copy_know_its_layers() -> None:
    found = copy.deepcopy(create("pattern.net", MODEL, patterns=patterns()))
    conv = found.model.get_layer("conv")
    np.testing.assert_array_equal(found.patterns.get(conv), patterns().get(MODEL.get_layer("conv")))


def test_a_model_is_copied_once() -> None:
    """`copy.copy` keeps the model; a container of analyzers has one copy of it."""
    model = network()
    one, two = create("gradient", model), create("lrp.z", model)
    assert copy.copy(one).model is model
    first, second = copy.deepcopy([one, two])
    assert first.model is second.model is not model


def test_functions_are_copied_and_pickled_by_reference() -> None:
    analyzer = create("input", _columns)
    assert copy.deepcopy(analyzer).model is pickle.loads(pickle.dumps(analyzer)).model is _columns
    scored = create("gradient", MODEL, neuron_selection_mode=_columns)
    np.testing.assert_array_equal(maps(copy.deepcopy(scored)), maps(scored))


def _columns(y: Any) -> Any:
    return y.reshape(len(y), -1)[:, 0] if isinstance(y, np.ndarray) else y[:, 0]


def test_rows_of_ones_own_are_pickled_by_the_name_that_is_registered() -> None:
    rows = composites.lrp_composite("mine", (composites.Row(composites.type_is("Dense"), rules.Z()),))
    rows = rows.prepend(composites.everywhere(rules.Gamma(0.5)))
    expected = maps(create(rows, MODEL))
    np.testing.assert_array_equal(maps(copy.deepcopy(create(rows, MODEL))), expected)
    innexplain.register_method("mine", rows)
    try:
        content = pickle.dumps(create("smoothgrad", MODEL, analyzer="mine", augment_by_n=1, noise_scale=0.0))
        np.testing.assert_allclose(maps(pickle.loads(content)), expected, rtol=1e-6)
    finally:
        innexplain.unregister_method("mine")
    with pytest.raises(UnknownNameError, match=r"knows no method 'mine'\. Call register_method"):
        pickle.loads(content)


@pytest.mark.slow
def test_analyzers_go_to_other_processes() -> None:
    analyzer = create("lrp.epsilon", MODEL, rules={MODEL.get_layer("conv"): "Flat"})
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (found,) = pool.map(analyzer.analyze, [X])
    np.testing.assert_allclose(found, maps(analyzer), rtol=1e-5, atol=1e-6)
