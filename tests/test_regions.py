"""Regions: windows cover every location once, in reading order, axis by axis."""

import itertools

import numpy as np
import pytest

from innexplain.errors import ArgumentError
from innexplain.regions import Grid, channel_position, spatial_shape

GRIDS = [
    ((7,), 3),
    ((7,), 1),
    ((6, 4), (3, 2)),
    ((5, 8), (2, 3)),
    ((9, 2), (9, 1)),
    ((3, 4, 5), (2, 2, 2)),
    ((2, 3, 2, 4), (1, 2, 2, 3)),
]
each_grid = pytest.mark.parametrize(("shape", "size"), GRIDS, ids=str)


def naive_labels(shape: tuple, size: tuple) -> np.ndarray:
    """Window after window in reading order, each filled location by location."""
    labels = np.full(shape, -1)
    starts = [range(0, d, s) for d, s in zip(shape, size, strict=True)]
    for number, corner in enumerate(itertools.product(*starts)):
        labels[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = number
    return labels


def whole(shape: tuple, size: int | tuple) -> tuple:
    return size if isinstance(size, tuple) else (size,) * len(shape)


@each_grid
def test_windows_stand_in_reading_order(shape: tuple, size: int | tuple) -> None:
    grid = Grid(shape, size)
    expected = naive_labels(shape, whole(shape, size))
    np.testing.assert_array_equal(grid.labels, expected)
    assert len(grid) == expected.max() + 1
    assert grid.size == whole(shape, size)


@each_grid
def test_sums_are_those_of_the_windows(shape: tuple, size: int | tuple) -> None:
    grid = Grid(shape, size)
    maps = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    labels = naive_labels(shape, whole(shape, size))
    expected = [[m[labels == k].astype("float64").sum() for k in range(len(grid))] for m in maps]
    found = grid.sums(maps)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_last_windows_hold_the_remainder() -> None:
    """Five rows and seven columns in windows of 2 x 3: three by three, the last of one row, one column."""
    counts = np.bincount(Grid((5, 7), (2, 3)).labels.ravel())
    assert counts.tolist() == [6, 6, 2, 6, 6, 2, 3, 3, 1]


def test_size_belongs_to_its_axis() -> None:
    assert Grid((6, 4), (6, 1)).labels[0].tolist() == [0, 1, 2, 3]
    assert Grid((6, 4), (1, 4)).labels[:, 0].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [[3, 2], np.array([3, 2]), (np.int64(3), np.int32(2))])
def test_sizes_may_be_lists_and_arrays(size) -> None:
    assert Grid((6, 4), size) == Grid((6, 4), (3, 2))


@pytest.mark.parametrize(
    ("shape", "size", "words"),
    [
        ((5, 4), 0, "at least 1"),
        ((5, 4), -1, "at least 1"),
        ((5, 4), 1.0, "at least 1"),
        ((5, 4), True, "at least 1"),
        ((5, 4), "3", "at least 1"),
        ((5, 4), None, "at least 1"),
        ((5, 4), (2, 2.0), "at least 1"),
        ((5, 4), (2,), "one a spatial axis"),
        ((5, 4), (2, 2, 2), "one a spatial axis"),
        ((5, 4), np.ones((1, 3), int), "one a spatial axis"),
        ((5, 4), 5, "must not exceed"),
        ((5, 4), (4, 5), "must not exceed"),
        ((3,), 4, "must not exceed"),
    ],
)
def test_bad_sizes_are_refused(shape: tuple, size, words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        Grid(shape, size)
    assert f"region_size={size!r}" in str(caught.value) or "region_size=2.0" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "axis", "expected"),
    [
        ((6, 5, 3), -1, (6, 5)),
        ((3, 6, 5), 0, (6, 5)),
        ((6, 5), None, (6, 5)),
        ((6, 5), -1, (6,)),
        ((6, 5), 0, (5,)),
        ((4, 6, 5, 3), -1, (4, 6, 5)),
        ((7,), -1, (7,)),
        ((7,), 0, (7,)),
        ((7,), None, (7,)),
    ],
)
def test_channels_are_left_out_of_the_spatial_shape(shape: tuple, axis, expected: tuple) -> None:
    assert spatial_shape(shape, axis) == expected
    position = channel_position(len(shape), axis)
    assert (position is None) == (expected == shape)


@pytest.mark.parametrize("axis", [1, -2, 2, "last", True, False, 0.5])
def test_other_channel_axes_are_refused(axis) -> None:
    with pytest.raises(ArgumentError, match=r"channel_axis must be -1 .* Received: channel_axis="):
        spatial_shape((6, 5, 3), axis)
