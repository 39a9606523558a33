"""How alike two maps are, against SciPy and against plain loops."""

import itertools

import numpy as np
import pytest
from scipy import stats

from innexplain.errors import ArgumentError, InputError
from innexplain.evaluators import rank_correlation, ssim

SHAPES = [(3, 40), (3, 17, 13), (3, 4, 30), (3, 3, 4), (3, 12, 7, 13), (3, 1, 9), (3, 2, 2)]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
both_measures = pytest.mark.parametrize("measure", [rank_correlation, ssim])


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def pair(shape: tuple) -> tuple[np.ndarray, np.ndarray]:
    a = noise(*shape)
    return a, 0.6 * a + 0.5 * noise(*shape, seed=1)


# --- What both have in common --------------------------------------------------------------------


@both_measures
@pytest.mark.parametrize("absolute", [True, False])
@each_shape
def test_a_map_is_like_itself_at_any_scale(measure, absolute: bool, shape: tuple) -> None:
    a, b = pair(shape)
    np.testing.assert_allclose(measure(a, 2.5 * a, absolute, channels=False), 1, rtol=1e-12)
    np.testing.assert_allclose(measure(a, b, absolute, channels=False),
                               measure(1e-30 * b, 1e30 * a, absolute, channels=False), rtol=1e-9)  # fmt: skip


@both_measures
def test_signs_count_only_where_asked(measure) -> None:
    a, b = pair((3, 17, 13))
    np.testing.assert_allclose(measure(a, -a), 1, rtol=1e-12)
    assert (measure(a, -a, absolute=False) < -0.5).all()
    np.testing.assert_allclose(measure(a, b), measure(np.abs(a), np.abs(b)), rtol=1e-12)


@both_measures
def test_channels_are_summed(measure) -> None:
    a, b = noise(3, 17, 13, 2), noise(3, 17, 13, 2, seed=1)
    expected = measure(a.sum(axis=-1), b.sum(axis=-1))
    np.testing.assert_allclose(measure(a, b), expected, rtol=1e-9)
    first = [np.moveaxis(m, -1, 1) for m in (a, b)]
    np.testing.assert_allclose(measure(*first, channel_axis=0), expected, rtol=1e-9)
    # A map with channels may be compared with one without.
    mixed = measure(a, b.sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(mixed, expected, rtol=1e-9)


@both_measures
@pytest.mark.parametrize(
    ("a", "b", "error", "words"),
    [
        (noise(3, 5, 4), noise(3, 4, 5), InputError, "must have one shape"),
        (noise(3, 5, 4), noise(2, 5, 4), InputError, "must have one shape"),
        (noise(3, 5), np.full((3, 5), np.nan), InputError, "b must be finite"),
        (np.full((3, 5), np.inf), noise(3, 5), InputError, "a must be finite"),
        (noise(3), noise(3), InputError, "a must be an array"),
    ],
)
def test_maps_that_do_not_fit_are_refused(measure, a, b, error, words: str) -> None:
    with pytest.raises(error, match=words):
        measure(a, b)


# --- Ranks ---------------------------------------------------------------------------------------


@each_shape
@pytest.mark.parametrize("absolute", [True, False])
def test_rank_correlation_is_that_of_scipy(shape: tuple, absolute: bool) -> None:
    a, b = pair(shape)
    a, b = np.round(2 * a), np.round(3 * b, 1)  # with ties
    found = rank_correlation(a, b, absolute, channels=False)
    for x, y, value in zip(a, b, found, strict=True):
        x, y = (np.abs(x), np.abs(y)) if absolute else (x, y)
        assert value == pytest.approx(stats.spearmanr(x.ravel(), y.ravel()).statistic, abs=1e-12)


def test_ranks_go_by_order_alone() -> None:
    a = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert rank_correlation(a, np.exp(a)).tolist() == [1]
    assert rank_correlation(a, -np.exp(a), absolute=False).tolist() == [-1]
    assert rank_correlation(a, np.array([[2.0, 1.0, 4.0, 3.0]])) == pytest.approx([0.6])


def test_a_map_without_an_order_correlates_with_none() -> None:
    constant, other = np.ones((1, 6)), noise(1, 6)
    assert rank_correlation(constant, other).tolist() == [0]
    assert rank_correlation(0 * other, other).tolist() == [0]
    assert rank_correlation(constant, constant).tolist() == [0]


# --- Structure -----------------------------------------------------------------------------------


def naive_ssim(a: np.ndarray, b: np.ndarray, absolute: bool, window: str) -> float:
    """Window after window, in float64, from the definition of each moment."""
    a, b = (np.abs(a), np.abs(b)) if absolute else (a, b)
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    a, b = (a, b) if absolute else ((1 + a) / 2, (1 + b) / 2)
    c1, c2 = 0.01**2, 0.03**2
    radii = [min(5, (d - 1) // 2) for d in a.shape]
    centres = itertools.product(*(range(r, d - r) for r, d in zip(radii, a.shape, strict=True)))
    values = []
    for centre in centres:
        weights, xs, ys = [], [], []
        for offset in itertools.product(*(range(-r, r + 1) for r in radii)):
            at = tuple(c + o for c, o in zip(centre, offset, strict=True))
            distance = sum(o * o for o in offset)
            weights.append(np.exp(-distance / (2 * 1.5**2)) if window == "gaussian" else 1.0)
            xs.append(a[at])
            ys.append(b[at])
        w, x, y = np.array(weights) / sum(weights), np.array(xs), np.array(ys)
        mean_x, mean_y = (w * x).sum(), (w * y).sum()
        var_x, var_y = (w * (x - mean_x) ** 2).sum(), (w * (y - mean_y) ** 2).sum()
        covariance = (w * (x - mean_x) * (y - mean_y)).sum()
        luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        values.append(luminance * (2 * covariance + c2) / (var_x + var_y + c2))
    return float(np.mean(values))


@each_shape
@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_ssim_is_that_of_a_plain_loop(shape: tuple, absolute: bool, window: str) -> None:
    a, b = pair(shape)
    found = ssim(a, b, absolute, window=window, channels=False)
    expected = [naive_ssim(x, y, absolute, window) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert (np.abs(found) < 1).all()


def test_more_noise_means_less_likeness() -> None:
    rows, columns = np.mgrid[-1:1:40j, -1:1:30j]
    clean = np.exp(-4 * (rows**2 + columns**2))
    noisy = np.stack([clean + s * noise(40, 30) for s in (0, 0.01, 0.1, 1)])
    found = ssim(np.repeat(clean[None], 4, axis=0), noisy)
    assert found[0] == pytest.approx(1)
    assert (np.diff(found) < [-0.005, -0.2, -0.2]).all()


def test_a_map_moved_by_some_pixels_is_less_alike() -> None:
    a = noise(1, 30, 30)
    assert ssim(a, np.roll(a, 4, axis=1)) < 0.3


def test_maps_of_zeros() -> None:
    zeros, other = np.zeros((1, 12, 12)), noise(1, 12, 12)
    assert ssim(zeros, zeros).tolist() == [1]
    assert 0 <= ssim(zeros, other)[0] < 0.2


def test_the_window_has_a_name() -> None:
    with pytest.raises(ArgumentError, match="Did you mean 'gaussian'"):
        ssim(noise(1, 5, 5), noise(1, 5, 5), window="gauss")
