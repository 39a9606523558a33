"""CLEAR as pixels: each picture against numbers worked out by hand."""

import numpy as np
import pytest

from innexplain import ClearMaps, plots
from innexplain.errors import ArgumentError, InputError
from innexplain.plots.class_colours import OTHER
from innexplain.plots.clear import AGAINST, FOR, GREEN, HOT
from innexplain.plots.clear_colours import joint_scale

DTYPES = ("float32", "float64")
# One image, 2 x 3 places, classes 4 and 8: each place is a case of its own.
PLACES = {
    "only 4, strongest": (4.0, -1.0),
    "8, half as strong": (1.0, 2.0),
    "tie": (3.0, 3.0),
    "none positive": (-1.0, -2.0),
    "nothing": (0.0, 0.0),
    "4, a quarter": (1.0, 0.0),
}


def _maps(dtype="float64", factor=1.0):
    response = factor * np.array(list(PLACES.values()), dtype=dtype).reshape(1, 2, 3, 2)
    return ClearMaps.of(response.astype(dtype), np.array([[4, 8]]))


def _at(picture):
    """The pixels of the first sample by the name of their place."""
    return dict(zip(PLACES, picture[0].reshape(-1, 3).astype(int), strict=True))


def _pixel(colour, strength=1.0):
    return np.rint(255 * strength * np.array(colour)).astype(int)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30])
def test_clear_image_is_colour_times_strength_and_black_without_a_class(dtype, factor):
    four, eight = plots.class_colours([4, 8]).values()
    picture = plots.clear_image(_maps(dtype, factor))
    assert picture.dtype == np.uint8
    assert picture.shape == (1, 2, 3, 3)
    expected = [_pixel(four), _pixel(eight, 0.5), *[(0, 0, 0)] * 3, _pixel(four, 0.25)]
    np.testing.assert_array_equal(list(_at(picture).values()), expected)


def test_equation_6_in_hsv():
    from colorsys import rgb_to_hsv

    at = _at(plots.clear_image(_maps(), palette="hue"))
    hue, saturation, value = rgb_to_hsv(*at["8, half as strong"] / 255)
    assert (hue, saturation) == (0.5, 1.0)
    assert value == pytest.approx(0.5, abs=0.003)


def test_strength_is_of_each_sample_its_own_unless_a_scale_is_given():
    response = np.zeros((2, 1, 2, 2))
    response[0, 0, :, 0] = 4.0, 2.0
    response[1, 0, :, 0] = 40.0, 20.0
    maps = ClearMaps.of(response, np.array([[0, 1], [0, 1]]))
    own = plots.clear_image(maps)
    np.testing.assert_array_equal(own[0], own[1])
    white = {0: "white"}
    assert plots.clear_image(maps, palette=white, scale=8.0)[..., 0].tolist() == [[[128, 64]], [[255, 255]]]


def test_strongest_place_without_a_class_does_not_darken_the_others():
    maps = ClearMaps.of(np.array([[[[9.0, 9.0], [2.0, 0.0]]]]), np.array([[0, 1]]))
    assert plots.clear_image(maps, palette={0: "white"})[0, 0, :, 0].tolist() == [0, 255]


def test_percentile_is_of_the_responses_that_are_there():
    response = np.zeros((1, 1, 1000, 2))
    response[0, 0, :5, 0] = 1.0, 1.0, 1.0, 1.0, 100.0
    maps = ClearMaps.of(response, np.array([[0, 1]]))
    red = plots.clear_image(maps, palette={0: "red"})[0, 0, :6, 0]
    np.testing.assert_array_equal(red, [3, 3, 3, 3, 255, 0])
    red = plots.clear_image(maps, palette={0: "red"}, percentile=75)[0, 0, :6, 0]
    np.testing.assert_array_equal(red, [255, 255, 255, 255, 255, 0])
    assert joint_scale(response) == 100.0
    assert joint_scale(np.zeros(3)) == 1.0
    green = plots.binary_heatmap_image(maps, 1, percentile=75)[0, 0, :6, 1]
    np.testing.assert_array_equal(green, [*_pixel(GREEN)[[1] * 5], 0])


def test_a_class_has_one_colour_in_samples_that_look_at_other_classes():
    """Class 7 stands second in the first sample and first in the second one."""
    response = np.zeros((2, 1, 2, 2))
    response[0, 0, 0], response[0, 0, 1] = (1.0, 0.0), (0.0, 1.0)
    response[1, 0, 0], response[1, 0, 1] = (1.0, 0.0), (0.0, 1.0)
    picture = plots.clear_image(ClearMaps.of(response, np.array([[3, 7], [7, 5]])))
    colours = plots.class_colours([3, 5, 7])
    np.testing.assert_array_equal(picture[0, 0], [_pixel(colours[3]), _pixel(colours[7])])
    np.testing.assert_array_equal(picture[1, 0], [_pixel(colours[7]), _pixel(colours[5])])


def test_classes_without_a_colour_are_grey():
    at = _at(plots.clear_image(_maps(), palette={8: "red"}))
    np.testing.assert_array_equal(at["only 4, strongest"], _pixel(OTHER))
    np.testing.assert_array_equal(at["8, half as strong"], (128, 0, 0))


IMAGE = np.linspace(0, 1, 6).reshape(1, 2, 3)
GREY = np.rint(255 * IMAGE[0]).astype(int)[..., None]


@pytest.mark.parametrize(
    "draw",
    [
        lambda image, **k: plots.clear_image(_maps(), image, **k),
        lambda image, **k: plots.binary_heatmap_image(_maps(), [4], image, **k),
        lambda image, **k: plots.binary_map_image(_maps(), [4], image, **k),
    ],
)
def test_opacity_0_is_the_grey_image_and_1_shows_pure_colours(draw):
    np.testing.assert_array_equal(draw(IMAGE, opacity=0.0)[0], np.repeat(GREY, 3, axis=-1))
    full = _at(draw(IMAGE, opacity=1.0))
    # The image is paler below colours, and stays grey where there is no class.
    pale = np.rint(GREY + 0.4 * (255 - GREY)).reshape(-1)
    for place, grey in zip(PLACES, pale, strict=True):
        if place in ("tie", "none positive", "nothing"):
            np.testing.assert_array_equal(full[place], [grey] * 3)
    np.testing.assert_array_equal(full["only 4, strongest"], _at(draw(None))["only 4, strongest"])


@pytest.mark.parametrize("opacity", [0.3, 1.0])
def test_overlay_mixes_by_opacity_times_strength(opacity):
    _, eight = plots.class_colours([4, 8]).values()
    at = _at(plots.clear_image(_maps(), IMAGE, opacity=opacity))
    grey = float(GREY[0, 1, 0])
    pale, alpha = grey + 0.4 * opacity * (255 - grey), 0.5 * opacity
    expected = (1 - alpha) * pale + alpha * 255 * np.array(eight)
    np.testing.assert_allclose(at["8, half as strong"], expected, atol=0.51)


def test_images_of_any_layout():
    three = np.repeat(IMAGE[..., None], 3, axis=-1)
    expected = plots.clear_image(_maps(), IMAGE)
    np.testing.assert_array_equal(plots.clear_image(_maps(), three), expected)
    first = np.moveaxis(three, -1, 1)
    np.testing.assert_array_equal(plots.clear_image(_maps(), first, channel_axis=0), expected)
    wide = plots.clear_image(_maps(), 2 * IMAGE, value_range=(0, 2))
    np.testing.assert_array_equal(wide, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_heatmap_shows_what_is_larger(dtype):
    import matplotlib

    hot = matplotlib.colormaps[HOT].resampled(513)
    at = _at(plots.binary_heatmap_image(_maps(dtype), [4]))
    np.testing.assert_array_equal(at["only 4, strongest"], (255, 255, 255))
    np.testing.assert_array_equal(at["4, a quarter"], _pixel(hot(0.25)[:3]))
    np.testing.assert_array_equal(at["8, half as strong"], _pixel(GREEN, 0.5))
    assert not any(at[place].any() for place in ("tie", "none positive", "nothing"))


def test_binary_heatmap_compares_with_the_strongest_of_the_others():
    maps = ClearMaps.of(np.array([[[[2.0, 1.0, 4.0], [5.0, 1.0, 2.0]]]]), np.array([[4, 8, 9]]))
    picture = plots.binary_heatmap_image(maps, 4)[0, 0].astype(int)
    np.testing.assert_array_equal(picture, [_pixel(GREEN, 0.8), (255, 255, 255)])


def test_binary_heatmap_of_one_class_has_no_green():
    maps = ClearMaps.of(np.array([[[[2.0], [-1.0]]]]), np.array([[4]]))
    picture = plots.binary_heatmap_image(maps, [4])[0, 0]
    np.testing.assert_array_equal(picture, [(255, 255, 255), (0, 0, 0)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_map_is_red_for_and_blue_against_whatever_the_strength(dtype):
    for true, against in ((4, False), (8, True)):
        at = _at(plots.binary_map_image(_maps(dtype), [true]))
        sides = (AGAINST, FOR) if against else (FOR, AGAINST)
        np.testing.assert_array_equal(at["only 4, strongest"], _pixel(sides[0]))
        np.testing.assert_array_equal(at["4, a quarter"], _pixel(sides[0]))
        np.testing.assert_array_equal(at["8, half as strong"], _pixel(sides[1]))
        assert not any(at[place].any() for place in ("tie", "none positive", "nothing"))


@pytest.mark.parametrize(("threshold", "drawn"), [(0.0, 3), (0.25, 3), (0.26, 2), (0.51, 1), (1.0, 1)])
def test_threshold_is_a_part_of_the_strongest_response(threshold, drawn):
    picture = plots.binary_map_image(_maps(), [4], threshold=threshold)
    assert picture.any(axis=-1).sum() == drawn


def test_rounding_errors_are_not_drawn_by_default():
    maps = ClearMaps.of(np.array([[[[1.0, 0.0], [1e-9, 0.0]]]]), np.array([[4, 8]]))
    assert plots.binary_map_image(maps, 4).any(axis=-1).tolist() == [[[True, False]]]


def test_true_class_is_of_each_sample_its_own_or_one_for_all():
    maps = ClearMaps.of(np.tile([2.0, 1.0], (2, 1, 1, 1)), np.array([[4, 8], [8, 4]]))
    both = plots.binary_map_image(maps, [4, 4])[:, 0, 0]
    np.testing.assert_array_equal(both, [_pixel(FOR), _pixel(AGAINST)])
    np.testing.assert_array_equal(plots.binary_map_image(maps, 4)[:, 0, 0], both)
    same = plots.binary_map_image(maps, np.array([4, 8]))[:, 0, 0]
    np.testing.assert_array_equal(same, [_pixel(FOR), _pixel(FOR)])


def test_signals_are_lines_of_pixels():
    flat = ClearMaps.of(_maps().response.reshape(1, 6, 2), np.array([[4, 8]]))
    for line, whole in (
        (plots.clear_image(flat), plots.clear_image(_maps())),
        (plots.binary_heatmap_image(flat, 4), plots.binary_heatmap_image(_maps(), 4)),
        (plots.binary_map_image(flat, 4), plots.binary_map_image(_maps(), 4)),
    ):
        np.testing.assert_array_equal(line, whole.reshape(1, 6, 3))


def test_maps_without_any_response_are_black():
    maps = ClearMaps.of(np.zeros((1, 2, 2, 2)), np.array([[4, 8]]))
    for picture in (
        plots.clear_image(maps),
        plots.binary_heatmap_image(maps, 4),
        plots.binary_map_image(maps, 4),
    ):
        assert not picture.any()


def test_maps_given_are_not_changed():
    maps, before = _maps(), _maps()
    plots.clear_image(maps, IMAGE)
    plots.binary_heatmap_image(maps, 4)
    plots.binary_map_image(maps, 4)
    for a, b in zip(maps, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_true_class_that_was_not_looked_at():
    with pytest.raises(InputError, match=r"sample 0 one of its classes \[4, 8\], received 5.*classes="):
        plots.binary_heatmap_image(_maps(), [5])


@pytest.mark.parametrize("true_class", [[4, 4], 4.0, "cat", [[4]]])
def test_true_classes_are_one_number_a_sample(true_class):
    with pytest.raises(InputError, match="true_class: expected one class number, or 1, one a sample"):
        plots.binary_map_image(_maps(), true_class)


@pytest.mark.parametrize("shape", [(1, 2, 2, 2, 2), (1, 2)])
def test_volumes_must_be_sliced(shape):
    classes = np.array([[4, 8]])
    maps = ClearMaps(np.zeros(shape), np.zeros(shape[:-1], int), np.zeros(shape[:-1]), classes)
    with pytest.raises(InputError, match=r"Slice volumes .* `ClearMaps.of\(maps.response\[:, z\]"):
        plots.clear_image(maps)


def test_slicing_a_volume_as_the_message_says():
    volume = ClearMaps.of(np.stack([_maps().response, 0 * _maps().response], axis=1), np.array([[4, 8]]))
    one = ClearMaps.of(volume.response[:, 0], volume.classes)
    np.testing.assert_array_equal(plots.clear_image(one), plots.clear_image(_maps()))


def test_arguments_that_do_not_fit():
    with pytest.raises(InputError, match=r"expected ClearMaps, as .* received ndarray"):
        plots.clear_image(np.zeros((1, 2, 3, 2)))
    with pytest.raises(InputError, match="images: expected 1, one a map, received shape"):
        plots.clear_image(_maps(), np.zeros((2, 2, 3)))
    with pytest.raises(InputError, match=r"the height and width of the maps \(2, 3\), received \(3, 2\)"):
        plots.clear_image(_maps(), np.zeros((1, 3, 2)))
    with pytest.raises(InputError, match="1 NaN or infinite"):
        plots.clear_image(ClearMaps.of(np.array([[[np.nan, 1.0]]]), np.array([[4, 8]])))
    flat = ClearMaps.of(np.zeros((1, 6, 2)), np.array([[4, 8]]))
    with pytest.raises(InputError, match="`clear_map` draws a signal above its map"):
        plots.clear_image(flat, np.zeros((1, 6)))


@pytest.mark.parametrize(
    "option", [{"opacity": 1.1}, {"scale": -1.0}, {"percentile": 0}, {"palette": "reds"}]
)
def test_options_that_cannot_be(option):
    with pytest.raises(ArgumentError, match=next(iter(option))):
        plots.clear_image(_maps(), **option)


def test_thresholds_that_cannot_be():
    with pytest.raises(ArgumentError, match="threshold must be a finite number"):
        plots.binary_map_image(_maps(), 4, threshold=2)
