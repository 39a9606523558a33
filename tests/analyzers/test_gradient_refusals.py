"""Where a derivative ends: what the gradient refuses, and what it rightly goes past."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

import innexplain
from innexplain import errors
from innexplain.errors import InnexplainWarning


def _model(call: Any, shape: tuple = (4,)) -> keras.Model:
    x = keras.Input(shape)
    y = call(x)
    return keras.Model(x, L.Dense(2)(y if len(y.shape) == 2 else L.Flatten()(y)))


# name -> a way to lose every derivative, what the refusal names
ENDS = {
    "comparison": (lambda x: ops.cast(x > 0, "float32"), "Greater"),
    "best": (lambda x: ops.one_hot(ops.argmax(x, axis=-1), 4), "Argmax"),
    "rounding": (lambda x: ops.round(L.Dense(3)(x)), "Round"),
    "integers": (lambda x: ops.cast(ops.cast(x, "int32"), "float32"), "Cast"),
    "discretisation": (L.Discretization(bin_boundaries=[0.0], output_mode="multi_hot"), "Discretization"),
    "mask_as_value": (lambda x: ops.cast(ops.not_equal(x, 0.0), "float32"), "NotEqual"),
}


@pytest.mark.parametrize("name", ENDS)
def test_path_without_a_derivative_is_refused(name: str) -> None:
    call, type_name = ENDS[name]
    model = _model(call)
    with pytest.raises(
        errors.UnsupportedLayerError, match=rf"gradient does not support.*(?s:.*)\({type_name}\)"
    ):
        innexplain.create_analyzer("gradient", model)
    check = innexplain.check_model(model, "gradient")
    assert not check.ok
    assert next(row.layer for row in check.rows if row.status != "supported") == type_name


@pytest.mark.parametrize("name", ENDS)
def test_caller_who_insists_gets_zeros_and_a_warning(name: str) -> None:
    analyzer = innexplain.create_analyzer("gradient", _model(ENDS[name][0]), unsupported="gradient")
    with pytest.warns(InnexplainWarning, match="zero everywhere"):
        answer = analyzer.analyze(np.ones((1, 4)))
    np.testing.assert_array_equal(answer, 0)


# name -> a call in which a comparison selects, its derivative at X
X = np.array([[1.0, -2.0, 3.0, -4.0]])
SELECTS = {
    "where": (lambda x: ops.where(x > 0, x, 0.5 * x), [1, 0.5, 1, 0.5]),
    "gate": (lambda x: x * ops.cast(x > 0, "float32"), [1, 0, 1, 0]),
    "both": (lambda x: ops.where(ops.logical_and(x > -3, x < 2), 2 * x, x), [2, 2, 1, 1]),
}


@pytest.mark.parametrize("name", SELECTS)
def test_comparison_that_selects_is_a_constant(name: str) -> None:
    call, derivative = SELECTS[name]
    x = keras.Input((4,))
    model = keras.Model(x, ops.sum(call(x), axis=1, keepdims=True))
    answer = innexplain.create_analyzer("gradient", model).analyze(X)
    np.testing.assert_allclose(answer, [derivative], rtol=1e-6)


def _padded() -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    x[0, 3:] = 0.0
    return x


def test_masked_steps_get_no_gradient_and_the_others_do() -> None:
    x = keras.Input((5, 3))
    model = keras.Model(x, L.Dense(2)(L.LSTM(4)(L.Masking()(x))))
    answer = innexplain.create_analyzer("gradient", model).analyze(_padded())
    assert not answer[0, 3:].any()
    assert (np.abs(answer[0, :3]).sum(axis=-1) > 0).all()
    assert (np.abs(answer[1]).sum(axis=-1) > 0).all()
    rows = innexplain.check_model(model, "gradient").rows
    assert [row.layer for row in rows] == ["Masking", "LSTM", "Dense"]


@pytest.mark.parametrize("name", ["deconvnet", "guided_backprop"])
def test_masks_are_no_obstacle_to_signal_methods(name: str) -> None:
    x = keras.Input((5, 3))
    y = L.Dense(8, activation="relu")(L.Masking()(x))
    model = keras.Model(x, L.Dense(2)(L.GlobalAveragePooling1D()(y)))
    analyzer = innexplain.create_analyzer(name, model)
    assert len(analyzer.overridden) == 1
    answer = analyzer.analyze(_padded())
    assert not answer[0, 3:].any()
    assert np.abs(answer[0, :3]).max() > 0


def test_truth_values_given_as_mask_get_zeros() -> None:
    x, mask = keras.Input((5, 3)), keras.Input((5,), dtype="bool")
    model = keras.Model([x, mask], L.Dense(2)(L.GlobalAveragePooling1D()(x, mask=mask)))
    given = np.array([[True, True, False, False, False], [True] * 5])
    answer, of_mask = innexplain.create_analyzer("gradient", model).analyze([_padded(), given])
    assert answer[0, :2].all()
    assert not answer[0, 2:].any()
    assert of_mask.shape == given.shape
    assert not of_mask.any()


def test_inner_code_that_stops_the_gradient_is_named_when_it_runs() -> None:
    model = _model(L.Lambda(lambda x: ops.stop_gradient(x), name="wall"))
    analyzer = innexplain.create_analyzer("gradient", model)
    with pytest.raises(errors.UnsupportedLayerError, match=r"wall \(Lambda\) passes no derivative on"):
        analyzer.analyze(X)
