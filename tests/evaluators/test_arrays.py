"""Inputs, attributions and labels as evaluators take them."""

import numpy as np
import pytest

from innexplain.errors import ArgumentError, InputError
from innexplain.evaluators.arrays import check_inputs, check_labels, lone_maps, spatial_maps


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("shape", "axis", "summed"),
    [
        ((2, 6, 5, 3), -1, 3),
        ((2, 3, 6, 5), 0, 1),
        ((2, 4, 6, 5, 3), -1, 4),
        ((2, 3, 4, 6, 5), 0, 1),
        ((2, 7, 3), -1, 2),
        ((2, 3, 7), 0, 1),
        ((2, 6, 5), None, None),
        ((2, 7), -1, None),
        ((2, 7), 0, None),
    ],
)
def test_channels_are_summed_and_maps_without_stay(shape: tuple, axis, summed: int | None) -> None:
    x = values(*shape)
    expected = x.astype("float64")
    expected = expected if summed is None else expected.sum(axis=summed)
    found = spatial_maps(x, x, axis)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(spatial_maps(expected, x, axis), expected)


def test_maps_may_have_other_channels_than_the_input() -> None:
    maps = values(2, 6, 5, 1)
    np.testing.assert_array_equal(spatial_maps(maps, values(2, 6, 5, 3)), maps[..., 0])


def test_maps_of_whole_numbers_and_truth_values() -> None:
    mask = values(2, 6, 5, 3) > 0
    np.testing.assert_array_equal(spatial_maps(mask, mask), mask.sum(axis=-1))
    assert spatial_maps(np.full((1, 2, 200), 255, "uint8"), np.zeros((1, 2, 200))).tolist() == [[51000.0] * 2]


@pytest.mark.parametrize(
    "shape",
    [(3, 6, 5, 3), (2, 5, 6, 3), (2, 5, 6), (6, 5, 3), (2, 6), (2, 90), (2, 1, 6, 5, 3), (2, 3, 6, 5)],
)
def test_maps_that_do_not_fit_are_refused(shape: tuple) -> None:
    with pytest.raises(InputError, match="attributions must have the shape of x") as caught:
        spatial_maps(values(*shape), values(2, 6, 5, 3))
    assert str(shape) in str(caught.value) and "channel_axis=0" in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.nan, r"1 NaN or infinite value\(s\), the first at \(1, 2, 3, 0\)"),
        (np.inf, "1 NaN or infinite"),
    ],
)
def test_values_that_are_not_finite_are_named(bad: float, words: str) -> None:
    x = values(2, 6, 5, 3)
    maps = x.copy()
    maps[1, 2, 3, 0] = bad
    with pytest.raises(InputError, match="attributions must be finite.*" + words):
        spatial_maps(maps, x)
    with pytest.raises(InputError, match="x must be finite"):
        check_inputs(maps)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (None, "array of numbers"),
        ("cat.png", "array of numbers"),
        (np.ones(3), r"batch axis: x\[numpy.newaxis\]"),
        (1.0, "batch axis"),
        (np.ones((0, 3)), "at least one sample"),
        (np.ones((2, 0)), "at least one sample"),
        (np.array([["a"]]), "array of numbers"),
        (np.ones((2, 2), complex), "array of numbers"),
        ({"a": np.ones((2, 2))}, "dict of arrays"),
        ([np.ones((2, 2)), np.ones((2, 3))], "list of arrays"),
        ([[1, 2], [[3], 4]], "Received: list"),
    ],
)
def test_bad_inputs_are_refused(x, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_inputs(x)


def test_lists_of_samples_are_stacked() -> None:
    x = values(3, 4, 2)
    np.testing.assert_array_equal(check_inputs(list(x)), x)


def test_labels_are_one_class_a_sample() -> None:
    for y in ([2, 0, 1], np.array([[2], [0], [1]], "uint8"), (2, 0, 1)):
        assert check_labels(y, 3).tolist() == [2, 0, 1]
        assert check_labels(y, 3).dtype == np.int64


@pytest.mark.parametrize(
    "y", [[0, 1], [0, 1, 2, 3], 1, np.eye(3, dtype=int), [0.0, 1.0, 2.0], "abc", [[0], [1, 2], 3]]
)
def test_bad_labels_are_refused(y) -> None:
    with pytest.raises(InputError, match="y must be 3 class indices, one a sample"):
        check_labels(y, 3)


# --- Maps without an input beside them -----------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "channels", "axis", "summed"),
    [
        ((2, 7), None, -1, None),
        ((2, 6, 5), None, -1, None),
        ((2, 6, 5), None, 0, None),
        ((2, 6, 5, 3), None, -1, 3),
        ((2, 3, 6, 5), None, 0, 1),
        ((2, 4, 6, 5), None, None, None),
        ((2, 6, 5), True, -1, 2),
        ((2, 6, 5), True, 0, 1),
        ((2, 4, 6, 5), False, -1, None),
        ((2, 4, 6, 5, 3), None, -1, 4),
    ],
)
def test_lone_maps_have_channels_from_four_axes_on(shape: tuple, channels, axis, summed) -> None:
    maps = values(*shape)
    expected = maps.astype("float64")
    expected = expected if summed is None else expected.sum(axis=summed)
    found = lone_maps(maps, channels, axis)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ("shape", "channels", "axis", "error", "words"),
    [
        ((2, 7), True, -1, InputError, "must have another one beside it"),
        ((2, 6, 5, 3), True, None, InputError, "must have another one beside it"),
        ((2, 6, 5, 3), 3, -1, ArgumentError, "channels must be True"),
        ((2, 6, 5, 3), None, 3, ArgumentError, "channel_axis must be"),
        ((7,), None, -1, InputError, "at least one sample"),
    ],
)
def test_lone_maps_that_make_no_sense_are_refused(shape: tuple, channels, axis, error, words: str) -> None:
    with pytest.raises(error, match=words):
        lone_maps(values(*shape), channels, axis)
