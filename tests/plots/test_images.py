"""Heatmaps and overlays, as numbers."""

import numpy as np
import pytest
from PIL import Image

from innexplain import plots
from innexplain.errors import ArgumentError, InputError, UnknownNameError
from innexplain.plots.arrays import sum_channels
from innexplain.plots.colours import colours

ENDS = {-1.0: (5, 48, 97), 1.0: (103, 0, 31)}


def _pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def test_zero_is_neutral_and_nearly_white() -> None:
    red, green, blue = plots.heatmap_image(np.zeros((2, 2))).getpixel((0, 0))
    assert red == green == blue
    assert red >= 245


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_ends_are_blue_and_red_at_any_scale(scale: float) -> None:
    picture = plots.heatmap_image(np.array([[-scale, scale]]))
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [ENDS[-1.0], ENDS[1.0]]


def test_scale_is_symmetric_where_the_map_is_not() -> None:
    """-1 beside 4 is a quarter of the way to blue, not its end."""
    picture = _pixels(plots.heatmap_image(np.array([[-1.0, 0.0, 4.0]])))
    expected = colours(np.array([[-0.25, 0.0, 1.0]]), 1.0)
    np.testing.assert_array_equal(picture, expected)
    assert tuple(picture[0, 1]) == (247, 247, 247)


def test_opposite_values_are_equally_far_from_zero_in_the_colour_map() -> None:
    values = np.linspace(0, 1, 50)
    white = colours(np.zeros(1), 1.0).astype(int)
    light = [np.abs(colours(s * values, 1.0).astype(int) - white).sum(-1) for s in (-1, 1)]
    assert all((np.diff(side) >= 0).mean() > 0.9 for side in light)
    assert light[0][-1] > 400
    assert light[1][-1] > 400


def test_given_scale_clips() -> None:
    picture = _pixels(plots.heatmap_image(np.array([[0.5, 1.0, 9.0]]), scale=1.0))
    np.testing.assert_array_equal(picture[0, 2], picture[0, 1])
    np.testing.assert_array_equal(picture[0, :1], colours(np.array([0.5]), 1.0))


def test_percentile_keeps_one_pixel_from_bleaching_the_rest() -> None:
    values = np.concatenate([np.linspace(0, 1, 1000), [1000.0]])
    assert plots.symmetric_scale(values) == 1000.0
    assert plots.symmetric_scale(values, 99) == pytest.approx(0.99, abs=0.01)
    # Where nearly all is zero the percentile is too: the maximum takes its place.
    assert plots.symmetric_scale(np.eye(1, 1000) * -3.0, 50) == 3.0
    assert plots.symmetric_scale(np.zeros(3)) == 1.0


@pytest.mark.parametrize(("axis", "shape"), [(-1, (4, 5, 3)), (0, (3, 4, 5))])
def test_channels_are_summed_with_their_signs(axis: int, shape: tuple[int, ...]) -> None:
    attribution = np.random.default_rng(0).normal(size=shape)
    summed = plots.heatmap_image(attribution.sum(axis=axis))
    whole = plots.heatmap_image(attribution, channel_axis=axis)
    np.testing.assert_array_equal(_pixels(whole), _pixels(summed))
    assert whole.size == (5, 4)


def test_half_precision_does_not_overflow_in_the_sum() -> None:
    assert sum_channels(np.full((1, 1, 3), 60000, np.float16), 2)[0, 0] == 180000


def test_the_map_given_is_not_changed() -> None:
    attribution = np.random.default_rng(0).normal(size=(4, 4, 3)).astype("float32")
    before = attribution.copy()
    plots.heatmap_image(attribution)
    plots.overlay(np.zeros((4, 4, 3)), attribution)
    np.testing.assert_array_equal(attribution, before)


def test_min_side_enlarges_by_a_whole_factor() -> None:
    picture = plots.heatmap_image(np.array([[-1.0, 1.0], [0.0, 0.0]]), min_side=5)
    assert picture.size == (6, 6)
    assert {picture.getpixel((x, y)) for x in range(3) for y in range(3)} == {ENDS[-1.0]}


def test_any_colour_map_of_matplotlib_is_taken_and_its_misspelling_named() -> None:
    assert plots.heatmap_image([[1.0]], cmap="seismic").getpixel((0, 0)) == (127, 0, 0)
    with pytest.raises(UnknownNameError, match="Did you mean 'seismic'"):
        plots.heatmap_image([[1.0]], cmap="sesmic")


def test_overlay_without_opacity_is_the_image_in_grey() -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    shown = plots.overlay(image, np.ones((6, 6)), opacity=0)
    grey = np.asarray(Image.fromarray(image).convert("L"))
    np.testing.assert_array_equal(_pixels(shown), np.repeat(grey[..., None], 3, axis=-1))


def test_overlay_mixes_by_the_strength_of_the_map() -> None:
    """pixel = (1 - alpha) pale + alpha colour, alpha = opacity |R| / scale."""
    flat = np.array([[1.0, -0.5, 0.0]])
    shown = _pixels(plots.overlay(np.zeros((1, 3)), flat, opacity=0.5, scale=2.0))
    red, blue = colours(np.array([0.8, -0.8]), 1.0).astype(float)
    pale = 0.4 * 0.5 * 255
    expected = [0.75 * pale + 0.25 * red, 0.875 * pale + 0.125 * blue, np.full(3, pale)]
    np.testing.assert_allclose(shown[0], expected, atol=0.5 + 1e-9)


def test_overlay_enlarges_the_map_of_a_deep_layer() -> None:
    flat = np.zeros((2, 2))
    flat[0, 0] = 1.0
    shown = _pixels(plots.overlay(np.zeros((8, 8)), flat))
    strength = np.abs(shown[..., 0] - shown[..., 1])
    assert strength[0, 0] == strength.max() > 50
    assert strength[7, 7] == 0


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.array([[0, 128, 255]], np.uint8), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]]), [0, 128, 255]),
        (np.array([[-2.0, 0.0, 2.0]]), [0, 128, 255]),
        (np.array([[0.0, 100.0, 200.0]]), [0, 128, 255]),
        (np.array([[7.0, 7.0, 7.0]]), [0, 0, 0]),
        (np.array([[False, True, True]]), [0, 255, 255]),
    ],
)
def test_display_range(image: np.ndarray, expected: list[int]) -> None:
    shown = plots.display_image(image)
    assert shown.shape == (1, 3, 3)
    np.testing.assert_array_equal(shown[0, :, 1], expected)


def test_display_keeps_colours_and_moves_channels_last() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    shown = plots.display_image(image, channel_axis=0)
    np.testing.assert_array_equal(shown, np.moveaxis(image, 0, -1))
    with_range = plots.display_image(np.array([[5.0]]), value_range=(0.0, 10.0))
    np.testing.assert_array_equal(with_range, 128)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: plots.heatmap_image(np.ones((2, 3, 4, 1))), InputError, "plots.gallery"),
        (lambda: plots.heatmap_image(np.ones(5)), InputError, r"received\s+shape \(5,\)"),
        (lambda: plots.heatmap_image([[np.nan, 1.0]]), InputError, "1 NaN or infinite of 2"),
        (lambda: plots.heatmap_image(np.ones((0, 3))), InputError, "empty"),
        (lambda: plots.heatmap_image([["a"]]), InputError, "expected numbers"),
        (lambda: plots.heatmap_image([[1.0]], scale=0), ArgumentError, "scale: expected a pos"),
        (lambda: plots.heatmap_image([[1.0]], scale="1"), ArgumentError, "received '1'"),
        (lambda: plots.heatmap_image([[1.0]], channel_axis=1), ArgumentError, "channel_axis"),
        (lambda: plots.display_image([[1.0]], channel_axis=1), ArgumentError, "channel_axis"),
        (
            lambda: plots.heatmap_image(np.ones((2, 2, 1)), channel_axis=None),
            InputError,
            "since channel_axis=None",
        ),
        (lambda: plots.display_image(np.ones((2, 2, 1)), channel_axis=None), InputError, "channel_axis=None"),
        (lambda: plots.overlay([[1.0]], [[1.0]], 1.1), ArgumentError, r"opacity.*1\.1"),
        (lambda: plots.overlay([[1.0]], [[1.0]], True), ArgumentError, "opacity"),
        (lambda: plots.overlay(np.ones((2, 2)), np.ones((3, 2))), InputError, "belong together"),
        (lambda: plots.display_image(np.ones(3)), InputError, "height, width"),
        (lambda: plots.display_image([[1]], value_range=(1, 0)), ArgumentError, "value_range"),
        (lambda: plots.symmetric_scale([1.0], 0), ArgumentError, "percentile"),
    ],
)
def test_errors_name_what_was_received(call, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
