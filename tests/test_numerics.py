"""Numbers: precision, division, the vector-Jacobian product."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from innexplain import numerics


def _t(x, dtype: str = "float32"):
    return ops.convert_to_tensor(np.asarray(x), dtype)


# --- Precision -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "floating", "wide"),
    [
        ("float16", True, "float32"),
        ("bfloat16", True, "float32"),
        ("float32", True, "float32"),
        ("float64", True, "float64"),
        (tf.float16, True, "float32"),
        ("int32", False, "float32"),
        ("bool", False, "float32"),
    ],
)
def test_dtypes(dtype, floating: bool, wide: str) -> None:
    assert numerics.is_float(dtype) == floating
    assert numerics.accumulation_dtype(dtype) == wide


def test_cast_like_and_widen_leave_what_fits() -> None:
    x = _t([1.5, 2.0])
    assert numerics.cast_like(x, _t([0.0])) is x
    assert numerics.cast_like(x, _t([0.0], "float16")).dtype == "float16"
    assert numerics.widen(x) is x
    assert numerics.widen(_t([1.5], "float16")).dtype == "float32"
    assert numerics.widen(_t([1.5], "float64")).dtype == "float64"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_narrow_keeps_finite_numbers_finite(dtype: str) -> None:
    x = np.array([1e300, -1e300, 0.1, 0.0])
    answer = numerics.narrow(x, np.dtype(dtype))
    assert answer.dtype == dtype
    assert np.isfinite(answer).all()
    assert float(answer[0]) == min(1e300, float(np.finfo(dtype).max))
    assert answer[1] == -answer[0]
    np.testing.assert_allclose(answer[2], 0.1, rtol=1e-3)


def test_narrow_keeps_what_is_not_finite_visible() -> None:
    answer = numerics.narrow(np.array([np.nan]), np.dtype("float32"))
    assert np.isnan(answer).all()


# --- Division ------------------------------------------------------------------------------------


def test_parts_by_sign_add_up() -> None:
    x = np.array([-2.0, 0.0, 3.0], "float32")
    np.testing.assert_array_equal(numerics.positive(_t(x)), [0, 0, 3])
    np.testing.assert_array_equal(numerics.negative(_t(x)), [-2, 0, 0])


def test_stabiliser_pushes_away_from_zero() -> None:
    answer = numerics.stabilise(_t([-1.0, -0.0, 0.0, 1.0], "float64"), 0.25)
    np.testing.assert_allclose(answer, [-1.25, 0.25, 0.25, 1.25])
    x = _t([1.0])
    assert numerics.stabilise(x, 0) is x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_safe_division_is_finite_everywhere(dtype: str) -> None:
    z = np.array([0.0, -0.0, 1e-40, 2.0, -4.0, np.finfo(dtype).max])
    answer = np.asarray(numerics.safe_divide(_t(np.ones(6), dtype), _t(z, dtype)))
    assert np.isfinite(answer).all()
    np.testing.assert_allclose(answer[[0, 1, 3, 4]], [0, 0, 0.5, -0.25])


# --- Vector-Jacobian product ---------------------------------------------------------------------


def test_vjp_of_a_matrix_is_its_transpose() -> None:
    rng = np.random.default_rng(0)
    matrix, x, r = rng.normal(size=(4, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 3))
    (y,), pullback = numerics.vjp(lambda t: [t @ _t(matrix, "float64")], _t(x, "float64"))
    np.testing.assert_allclose(y, x @ matrix, rtol=1e-12)
    np.testing.assert_allclose(pullback([_t(r, "float64")])[0], r @ matrix.T, rtol=1e-12)


def test_pullback_can_be_asked_again() -> None:
    _, pullback = numerics.vjp(lambda t: [t**3], _t([2.0]))
    np.testing.assert_allclose(pullback([_t([1.0])])[0], [12.0])
    np.testing.assert_allclose(pullback([_t([-0.5])])[0], [-6.0])


def test_several_inputs_and_outputs() -> None:
    (_, _), pullback = numerics.vjp(lambda a, b: [a * b, a + b], _t([2.0]), _t([5.0]))
    both = pullback([_t([1.0]), _t([10.0])])
    np.testing.assert_allclose(np.ravel(both), [5 + 10, 2 + 10])
    first = pullback([_t([1.0]), None])
    np.testing.assert_allclose(np.ravel(first), [5, 2])
    assert pullback([None, None]) == [None, None]


def test_one_tensor_given_twice_is_two_inputs() -> None:
    """A layer that does nothing hands its input on: `x + dropout(x)` sees one tensor twice."""
    x = _t([3.0])
    _, pullback = numerics.vjp(lambda a, b: [2.0 * a + 5.0 * b], x, x)
    np.testing.assert_allclose(np.ravel(pullback([_t([1.0])])), [2, 5])


def test_masks_survive_being_told_apart() -> None:
    x = tf.constant([[1.0]])
    x._keras_mask = tf.constant([True])
    seen = []
    numerics.vjp(lambda a, b: [seen.extend([a, b]) or a + b], x, x)
    assert [hasattr(t, "_keras_mask") for t in seen] == [True, True]


def test_function_that_hands_its_input_on() -> None:
    x = _t([3.0])
    (y,), pullback = numerics.vjp(lambda a: [a], x)
    assert y is x
    np.testing.assert_allclose(pullback([_t([7.0])])[0], [7.0])


def test_what_is_no_float_has_no_derivative() -> None:
    (y, n), pullback = numerics.vjp(
        lambda a, k: [ops.take(a, k, axis=1), k + 1], _t([[1.0, 2.0, 3.0]]), _t([2, 0], "int32")
    )
    np.testing.assert_array_equal(y, [[3, 1]])
    np.testing.assert_array_equal(n, [3, 1])
    answer = pullback([_t([[1.0, 10.0]]), None])
    np.testing.assert_array_equal(answer[0], [[10, 0, 1]])
    assert answer[1] is None
    assert pullback([None, _t([1, 1], "int32")]) == [None, None]


def test_input_that_does_not_matter_has_none() -> None:
    _, pullback = numerics.vjp(lambda a, b: [a * 2.0], _t([1.0]), _t([1.0]))
    answer = pullback([_t([1.0])])
    np.testing.assert_allclose(answer[0], [2.0])
    assert answer[1] is None


def test_gather_gives_a_tensor_and_no_slices() -> None:
    x = _t(np.arange(12.0).reshape(4, 3))
    _, pullback = numerics.vjp(lambda a: [tf.gather(a, [2, 0, 2])], x)
    (answer,) = pullback([_t(np.ones((3, 3)))])
    assert tf.is_tensor(answer)
    np.testing.assert_array_equal(answer, [[1] * 3, [0] * 3, [2] * 3, [0] * 3])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_answered_in_float32(dtype: str) -> None:
    (y,), pullback = numerics.vjp(lambda a: [a * a], _t([3.0, 0.5], dtype))
    assert y.dtype == dtype
    (answer,) = pullback([_t([1.0, 1.0])])
    assert answer.dtype == "float32"
    np.testing.assert_allclose(answer, [6.0, 1.0])


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e7])
def test_cotangents_beyond_half_precision_pass_through_it(scale: float) -> None:
    _, pullback = numerics.vjp(lambda a: [a * _t([3.0, 0.5], "float16")], _t([1.0, 1.0], "float16"))
    (answer,) = pullback([_t([scale, scale])])
    np.testing.assert_allclose(answer, [3.0 * scale, 0.5 * scale], rtol=1e-3)


def test_zero_cotangents_in_half_precision_stay_zero() -> None:
    _, pullback = numerics.vjp(lambda a: [a * a], _t([1.0], "float16"))
    np.testing.assert_array_equal(pullback([_t([0.0])])[0], [0.0])


def test_vjp_works_in_a_compiled_function() -> None:
    @tf.function(autograph=False)
    def both(x, r):
        (y,), pullback = numerics.vjp(lambda a: [ops.tanh(a)], x)
        return y, pullback([r])[0]

    y, g = both(tf.constant([0.5, -1.0]), tf.constant([1.0, 2.0]))
    np.testing.assert_allclose(y, np.tanh([0.5, -1.0]), rtol=1e-5)
    np.testing.assert_allclose(g, (1 - np.tanh([0.5, -1.0]) ** 2) * [1, 2], rtol=1e-5)


def test_variables_are_not_watched() -> None:
    variable = tf.Variable([2.0])
    _, pullback = numerics.vjp(lambda a: [a * variable], _t([3.0]))
    answer = pullback([_t([1.0])])
    assert len(answer) == 1
    np.testing.assert_allclose(answer[0], [2.0])


def test_late_is_the_same_number() -> None:
    x = _t([1.0, 2.0])
    np.testing.assert_array_equal(numerics.late(x, _t([0.0])), x)
