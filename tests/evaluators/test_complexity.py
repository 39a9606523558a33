"""Complexity of maps: bytes, bits and sparseness that are known."""

import io

import numpy as np
import pytest
from PIL import Image

from innexplain.errors import ArgumentError, InputError
from innexplain.evaluators import entropy, gini, jpeg_size, png_size
from innexplain.plots import heatmap_image

MEASURES = {"png_size": png_size, "jpeg_size": jpeg_size, "entropy": entropy, "gini": gini}
each_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=list(MEASURES))


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def smooth(height: int = 48, width: int = 64) -> np.ndarray:
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.exp(-4 * (rows**2 + columns**2))


# --- What all of them have in common -------------------------------------------------------------


@each_measure
def test_channels_are_summed(measure) -> None:
    maps = noise(3, 12, 10, 2)
    expected = measure(maps.sum(axis=-1))
    assert expected.shape == (3,)
    np.testing.assert_allclose(measure(maps), expected, rtol=1e-12)
    np.testing.assert_allclose(measure(np.moveaxis(maps, -1, 1), channel_axis=0), expected, rtol=1e-12)
    signal = maps[:, :, 0]
    np.testing.assert_allclose(measure(signal, channels=True), measure(signal.sum(axis=-1)), rtol=1e-12)


@each_measure
def test_the_scale_of_a_map_does_not_matter(measure) -> None:
    """Powers of two keep every digit; a map of the smallest numbers is a map like any other."""
    maps = noise(2, 12, 10)
    for factor in (2.0**-20, 2.0**20, 2.0**-900, 2.0**900):
        np.testing.assert_array_equal(measure(factor * maps), measure(maps))


@each_measure
@pytest.mark.parametrize("shape", [(2, 60), (2, 12, 10), (2, 12, 10, 3), (2, 5, 6, 7, 1)])
def test_maps_are_measured_one_by_one(measure, shape: tuple) -> None:
    maps = noise(*shape)
    maps[1] = np.abs(maps[1]) ** 3
    alone = [measure(m[None])[0] for m in maps]
    np.testing.assert_array_equal(measure(maps), alone)
    assert alone[0] != alone[1]


@each_measure
def test_bad_maps_are_refused(measure) -> None:
    maps = noise(2, 12, 10)
    maps[1, 3, 4] = np.nan
    with pytest.raises(InputError, match="attributions must be finite"):
        measure(maps)
    with pytest.raises(InputError, match="at least one sample"):
        measure(np.ones(3))
    with pytest.raises(ArgumentError, match="channels must be True"):
        measure(noise(2, 12, 10), channels="yes")
    with pytest.raises(ArgumentError, match="channel_axis must be"):
        measure(noise(2, 12, 10), channel_axis=2)


# --- Bytes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [png_size, jpeg_size])
def test_noise_takes_more_bytes_than_a_smooth_map(measure) -> None:
    clean, constant = smooth(), np.ones((48, 64))
    sizes = measure(np.stack([constant, clean, clean + 0.1 * noise(48, 64), noise(48, 64)]))
    assert sizes.dtype == np.int64
    assert (np.diff(sizes) > 0).all()


def test_sizes_are_those_of_the_pictures(tmp_path) -> None:
    maps = noise(2, 20, 30)
    for i, flat in enumerate(maps):
        heatmap_image(flat).save(tmp_path / "map.png")
        heatmap_image(flat).save(tmp_path / "map.jpg", quality=75)
        assert png_size(maps)[i] == (tmp_path / "map.png").stat().st_size
        assert jpeg_size(maps)[i] == (tmp_path / "map.jpg").stat().st_size


def test_better_jpegs_are_larger() -> None:
    sizes = [jpeg_size(noise(1, 40, 40), quality=q)[0] for q in (1, 30, 75, 100)]
    assert (np.diff(sizes) > 0).all()


def test_a_signal_is_a_strip_and_a_volume_its_slices(monkeypatch) -> None:
    drawn = []

    def keep(flat: np.ndarray) -> Image.Image:
        drawn.append(flat)
        return heatmap_image(flat)

    monkeypatch.setattr("innexplain.evaluators.complexity.heatmap_image", keep)
    signal, volume = noise(1, 7), noise(1, 2, 3, 5)
    png_size(signal)
    png_size(volume, channels=False)
    np.testing.assert_array_equal(drawn[0], signal)
    np.testing.assert_array_equal(drawn[1], np.hstack([volume[0, 0], volume[0, 1]]))


def test_what_jpeg_cannot_hold_is_refused() -> None:
    long = np.ones((1, 65501))
    with pytest.raises(InputError, match=r"at most 65500 pixels a side.*png_size"):
        jpeg_size(long)
    assert png_size(long)[0] > 0
    stream = io.BytesIO()
    heatmap_image(np.ones((1, 65500))).save(stream, "JPEG", quality=75)
    assert jpeg_size(np.ones((1, 65500)))[0] == stream.tell()


@pytest.mark.parametrize("quality", [0, 101, -1, 75.0, True, "high", None])
def test_bad_qualities_are_refused(quality) -> None:
    with pytest.raises(ArgumentError, match=f"quality must be an int.*quality={quality!r}"):
        jpeg_size(noise(1, 5, 5), quality=quality)


# --- Entropy -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        ([0, 0, 0, 0], 0),
        ([3, 3, 3, 3], 0),
        ([-1, -1, 1, 1], 1),
        ([1, 1, 1, -1], 2 - 0.75 * np.log2(3)),
        ([-1, 0, 1, 0], 1.5),
        ([-1, -0.5, 0.5, 1], 2),
        (np.linspace(-1, 1, 257)[:256], 8),
    ],
)
def test_entropy_of_known_histograms(values, bits: float) -> None:
    found = entropy(np.array([values], float))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [bits], atol=1e-12)
    assert not np.signbit(found).any()


def test_bins_divide_the_symmetric_scale() -> None:
    """0.2 and 0.9 of a map whose strongest value is -1 lie in one half, and in different quarters."""
    values = np.array([[-1.0, -0.9, 0.2, 0.9]])
    assert entropy(values, bins=1).tolist() == [0]
    assert entropy(values, bins=2).tolist() == [1]
    assert entropy(values, bins=4).tolist() == [1.5]


def test_entropy_against_plain_counting() -> None:
    maps = noise(3, 20, 15)
    for flat, bits in zip(maps, entropy(maps), strict=True):
        width = 2 * np.abs(flat).max() / 256
        bins: dict[int, int] = {}
        for value in flat.ravel():
            number = min(int((value + np.abs(flat).max()) / width), 255)
            bins[number] = bins.get(number, 0) + 1
        shares = np.array(list(bins.values())) / flat.size
        assert bits == pytest.approx(-(shares * np.log2(shares)).sum(), rel=1e-12)


@pytest.mark.parametrize("bins", [0, -2, 256.0, None, True])
def test_bad_bins_are_refused(bins) -> None:
    with pytest.raises(ArgumentError, match="bins must be an int"):
        entropy(noise(1, 5, 5), bins=bins)


# --- Gini ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_one_location_alone_and_all_alike(n: int) -> None:
    one_hot = np.zeros((1, n))
    one_hot[0, n // 2] = -3
    np.testing.assert_allclose(gini(one_hot), [1 - 1 / n], atol=1e-12)
    np.testing.assert_allclose(gini(np.full((1, n), 0.1)), [0], atol=1e-12)
    np.testing.assert_allclose(gini(np.zeros((1, n))), [0], atol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_a_share_of_equal_locations(k: int) -> None:
    """k of N alike, the others zero: `1 - k/N`."""
    values = np.zeros((1, 10))
    values[0, :k] = 2
    np.testing.assert_allclose(gini(values), [1 - k / 10], atol=1e-12)


def test_gini_is_half_the_relative_mean_difference() -> None:
    """`sum_ij |r_i - r_j| / (2 N sum r)`, the definition without sorting."""
    maps = noise(3, 6, 5)
    r = np.abs(maps.reshape(3, -1))
    differences = np.abs(r[:, :, None] - r[:, None]).sum(axis=(1, 2))
    np.testing.assert_allclose(gini(maps), differences / (2 * 30 * r.sum(axis=1)), rtol=1e-12)
