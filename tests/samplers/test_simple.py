"""What samplers put into regions: values, ranges, axes."""

import numpy as np
import pytest

from innexplain.errors import ArgumentError
from innexplain.regions import Grid
from innexplain.samplers import BlurSampler, ConstantSampler, MeanSampler, Sampler, UniformSampler
from innexplain.samplers.base import check_sampler, content_for

SAMPLERS = [
    UniformSampler(-1.0, 2.0),
    UniformSampler((0.0, 1.0, 2.0), (0.5, 1.5, 2.5)),
    ConstantSampler(0.25),
    ConstantSampler((0.1, 0.2, 0.3)),
    MeanSampler(),
    MeanSampler("image"),
    BlurSampler(1.0),
]
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture(*shape: int, dtype: str = "float32") -> np.ndarray:
    return rng(1).random(shape).astype(dtype)


LABELS = Grid((6, 5), (2, 3)).labels


@each_sampler
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_fills_keep_shape_and_dtype_and_leave_the_image_alone(sampler: Sampler, dtype: str) -> None:
    image = picture(6, 5, 3, dtype=dtype)
    before = image.copy()
    filled = sampler.fill(image, LABELS, rng())
    assert filled.shape == image.shape
    assert filled.dtype == image.dtype
    assert not np.array_equal(filled, image)
    np.testing.assert_array_equal(image, before)


@each_sampler
def test_only_the_random_ones_differ_from_draw_to_draw(sampler: Sampler) -> None:
    image = picture(6, 5, 3)
    first, same, other = (sampler.fill(image, LABELS, rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert sampler.random == (not np.array_equal(first, other))


@pytest.mark.parametrize("sampler", [s for s in SAMPLERS if not s.random], ids=repr)
def test_channels_first_is_channels_last_moved(sampler: Sampler) -> None:
    image = picture(6, 5, 3)
    last = sampler.fill(image, LABELS, rng())
    first = sampler.fill(np.moveaxis(image, -1, 0), LABELS, rng(), channel_axis=0)
    np.testing.assert_array_equal(np.moveaxis(first, 0, -1), last)


@pytest.mark.parametrize("sampler", [MeanSampler(), MeanSampler("image"), BlurSampler(1.0)], ids=repr)
def test_a_picture_without_channels_is_one_of_one_channel(sampler: Sampler) -> None:
    image = picture(6, 5)
    alone = sampler.fill(image, LABELS, rng(), channel_axis=None)
    np.testing.assert_array_equal(alone[..., None], sampler.fill(image[..., None], LABELS, rng()))


# --- Uniform noise -------------------------------------------------------------------------------


@pytest.mark.parametrize(("axis", "kept"), [(-1, 3), (0, 1)])
def test_noise_has_the_range_of_each_channel(axis: int, kept: int) -> None:
    x = picture(4, 6, 5, 7) * np.array([1, 10, 100, 1000, 5, 6, 7])
    x = x if axis == -1 else np.moveaxis(x, -1, 1)
    others = tuple(a for a in range(4) if a != kept)
    sampler = UniformSampler().fitted(x, axis)
    np.testing.assert_allclose(sampler.low, x.min(axis=others))
    np.testing.assert_allclose(sampler.high, x.max(axis=others))
    fills = np.stack([sampler.fill(x[0], LABELS, rng(seed), axis) for seed in range(200)])
    assert (fills.min(axis=others) >= sampler.low).all()
    assert (fills.max(axis=others) <= sampler.high).all()
    # 6000 draws a channel: the ends are nearly reached, the mean is half way.
    unit = (np.moveaxis(fills, kept, -1) - sampler.low) / np.subtract(sampler.high, sampler.low)
    unit = unit.reshape(-1, 7)
    assert unit.min(axis=0).max() < 0.01 and unit.max(axis=0).min() > 0.99
    np.testing.assert_allclose(unit.mean(axis=0), 0.5, atol=5 / np.sqrt(12 * len(unit)))


def test_features_of_tables_have_a_range_each() -> None:
    x = np.array([[0.0, 10.0], [1.0, 30.0]])
    assert UniformSampler().fitted(x) == UniformSampler((0.0, 10.0), (1.0, 30.0))
    assert UniformSampler().fitted(x, None) == UniformSampler().fitted(x, 0)


def test_pictures_without_channels_have_one_range() -> None:
    x = picture(4, 6, 5)
    assert UniformSampler().fitted(x, None) == UniformSampler(float(x.min()), float(x.max()))


def test_a_given_end_is_kept() -> None:
    x = picture(4, 6, 5, 1)
    assert UniformSampler(low=-3).fitted(x) == UniformSampler(-3.0, (float(x.max()),))
    with pytest.raises(ArgumentError, match="low must not exceed high"):
        UniformSampler(low=3).fitted(x)


def test_noise_of_a_constant_is_that_constant() -> None:
    image = np.full((6, 5, 1), 0.1, "float32")
    np.testing.assert_array_equal(UniformSampler().fill(image, LABELS, rng()), image)


def test_the_widest_range_does_not_overflow() -> None:
    largest = float(np.finfo("float32").max)
    filled = UniformSampler(-largest, largest).fill(picture(6, 5, 3), LABELS, rng())
    assert np.isfinite(filled).all() and np.ptp(np.sign(filled)) == 2


# --- Constants, means, blur ----------------------------------------------------------------------


def test_a_constant_a_channel_lands_in_its_channel() -> None:
    filled = ConstantSampler([0.1, 0.2, 0.3]).fill(picture(3, 6, 5), LABELS, rng(), channel_axis=0)
    np.testing.assert_allclose(filled.mean(axis=(1, 2)), [0.1, 0.2, 0.3], rtol=1e-6)
    assert np.ptp(filled, axis=(1, 2)).max() == 0


def test_a_constant_a_feature_lands_in_its_feature() -> None:
    filled = ConstantSampler((1, 2)).fill(np.zeros(2), np.arange(2), rng())
    assert filled.tolist() == [1.0, 2.0]


def test_means_of_regions() -> None:
    image = picture(6, 5, 3)
    filled = MeanSampler().fill(image, LABELS, rng())
    for label in range(LABELS.max() + 1):
        inside = label == LABELS
        expected = image[inside].mean(axis=0, dtype="float64")
        np.testing.assert_allclose(filled[inside], np.tile(expected, (inside.sum(), 1)), rtol=1e-6)


def test_the_mean_of_the_image_and_of_a_table() -> None:
    image = picture(6, 5, 3)
    filled = MeanSampler("image").fill(image, LABELS, rng())
    np.testing.assert_allclose(filled, np.broadcast_to(image.mean(axis=(0, 1)), image.shape), rtol=1e-6)
    assert MeanSampler("image").fill(np.array([1.0, 2.0, 6.0]), np.arange(3), rng()).tolist() == [3.0] * 3
    assert MeanSampler().fill(np.array([1.0, 2.0, 6.0]), np.array([0, 0, 1]), rng()).tolist() == [1.5, 1.5, 6]


def test_blur_is_a_gaussian_along_spatial_axes_alone() -> None:
    image = np.zeros((41, 31, 2))
    image[20, 15, 0] = 1
    filled = BlurSampler(2.0).fill(image, np.zeros((41, 31)), rng())
    rows, columns = np.mgrid[-20:21, -15:16]
    expected = np.exp(-(rows**2 + columns**2) / 8) / (8 * np.pi)
    np.testing.assert_allclose(filled[..., 0], expected, atol=2e-5)
    assert not filled[..., 1].any()


@pytest.mark.parametrize("shape", [(8, 1), (5, 6, 1), (4, 5, 6, 1), (9,)])
def test_blur_and_means_leave_a_constant_as_it_is(shape: tuple) -> None:
    image = np.full(shape, 0.7)
    labels = np.zeros(shape[:-1] if len(shape) > 1 else shape, int)
    for sampler in (BlurSampler(), MeanSampler(), MeanSampler("image")):
        np.testing.assert_allclose(sampler.fill(image, labels, rng()), image, rtol=1e-12)


# --- Content in the dtype of the sample ----------------------------------------------------------


def test_whole_numbers_are_rounded_and_stay_in_range() -> None:
    x = rng().integers(3, 250, (4, 6, 5, 1), "uint8")
    sampler = UniformSampler().fitted(x)
    filled = np.stack([content_for(sampler, x[0], LABELS, rng(s)) for s in range(300)])
    assert filled.dtype == np.uint8
    assert filled.min() == x.min() and filled.max() == x.max()
    assert content_for(ConstantSampler(1.6), x[0], LABELS, rng()).max() == 2


def test_large_whole_numbers_are_not_rounded_to_float32() -> None:
    x = np.array([[16777217, 16777219]])
    assert content_for(UniformSampler().fitted(x), x[0], np.arange(2), rng()).tolist() == x[0].tolist()


def test_truth_values_stay_truth_values() -> None:
    x = rng().random((3, 6, 5, 1)) > 0.5
    filled = content_for(UniformSampler().fitted(x), x[0], LABELS, rng())
    assert filled.dtype == np.bool_
    assert 0 < filled.mean() < 1


class Wrong(Sampler):
    def __init__(self, answer: np.ndarray) -> None:
        self.answer = answer

    def fill(self, image, labels, rng, channel_axis=-1):
        image[...] = 7  # a copy: the user's own array is not to change
        return self.answer

    def __repr__(self) -> str:
        return "Wrong()"


@pytest.mark.parametrize(
    ("dtype", "answer", "words"),
    [
        ("float32", np.zeros((6, 5)), "in its own shape"),
        ("float32", np.full((6, 5, 1), np.nan), "finite"),
        ("float32", np.full((6, 5, 1), 1e300), "fit the dtype of x, float32"),
        ("uint8", np.full((6, 5, 1), 256.0), "fit the dtype of x, uint8"),
        ("uint8", np.full((6, 5, 1), -1.0), "fit the dtype of x, uint8"),
        ("bool", np.full((6, 5, 1), 2.0), "fit the dtype of x, bool"),
    ],
)
def test_content_that_does_not_fit_is_refused(dtype: str, answer: np.ndarray, words: str) -> None:
    image = np.ones((6, 5, 1), dtype)
    with pytest.raises(ArgumentError, match=words):
        content_for(Wrong(answer), image, LABELS, rng())
    assert image.all() and image.max() == 1


# --- Bad settings --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "0", np.nan, np.inf, True, [[1, 2]], [1, [2]], [], [1, None]])
def test_bad_values_are_refused(value) -> None:
    with pytest.raises(ArgumentError, match="value must be a finite number"):
        ConstantSampler(value)
    if value is not None:
        with pytest.raises(ArgumentError, match="low must be a finite number"):
            UniformSampler(low=value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: UniformSampler(1, 0), "low must not exceed high"),
        (lambda: UniformSampler([0, 2], [1, 1]), "low must not exceed high"),
        (lambda: UniformSampler([0, 1], [1, 2, 3]), "of the same channels"),
        (lambda: MeanSampler("picture"), "of must be one of 'region', 'image'"),
        (lambda: BlurSampler(-1), "sigma must be a finite number"),
        (lambda: BlurSampler("wide"), "sigma must be a finite number"),
        (lambda: check_sampler("sampler", 0.5), "one of innexplain.samplers"),
        (lambda: check_sampler("sampler", UniformSampler), "one of innexplain.samplers"),
    ],
)
def test_bad_settings_are_refused(make, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


@pytest.mark.parametrize(
    ("shape", "axis", "words"),
    [
        ((6, 5, 3), -1, "each of the 3 channels"),
        ((3, 6, 5), 0, "each of the 3 channels"),
        ((7,), -1, "each of the 7 channels"),
        ((6, 5), None, r"must be a number\. "),
    ],
)
def test_a_value_a_channel_must_fit_the_channels(shape: tuple, axis, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        ConstantSampler((1, 2)).fill(np.zeros(shape), LABELS, rng(), axis)


def test_samplers_are_equal_by_their_settings() -> None:
    assert ConstantSampler(np.array([1.0, 2.0])) == ConstantSampler([1, 2])
    assert len({UniformSampler([0], [1]), UniformSampler((0.0,), (1.0,)), UniformSampler(0, 1)}) == 2
