"""What CLEAR's pictures refuse by name, and the colours that one sample of many classes has."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from innexplain import ClearMaps, plots
from innexplain.errors import ArgumentError, InputError
from innexplain.plots.class_colours import OTHER, class_name

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(2, 8, 8, 3))
MAPS = ClearMaps.of(RNG.normal(size=(2, 8, 8, 3)), np.array([[2, 7, 9]] * 2))
STEPS = ClearMaps.of(RNG.normal(size=(2, 6, 3)), np.array([[2, 7, 9]] * 2))
DRAW = {
    "clear_map": plots.clear_map,
    "binary_heatmap": lambda maps, image, **k: plots.binary_heatmap(maps, 7, image, **k),
    "binary_map": lambda maps, image, **k: plots.binary_map(maps, 7, image, **k),
    "response_strip": plots.response_strip,
}


def _top_ten():
    """Five samples that look at ten classes each, 50 in all; each dominates at places of its own."""
    response = np.tile(np.eye(10), (5, 1, 1)) * np.linspace(1, 2, 50).reshape(5, 10, 1)
    return ClearMaps.of(response, np.arange(50).reshape(5, 10))


def _legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize("sample", [0, 3])
def test_a_sample_of_a_batch_of_too_many_classes_has_colours_for_its_own(sample):
    maps = _top_ten()
    own = maps.classes[sample].tolist()
    axes = plots.clear_map(maps, sample=sample, scale=1e-9)
    assert _legend(axes) == [f"class {number}" for number in own]
    expected = np.rint(255 * np.array(list(plots.class_colours(own).values())))
    np.testing.assert_array_equal(axes.images[0].get_array()[0], expected)
    frames = [
        panel.spines["left"].get_edgecolor()[:3] for panel in plots.response_strip(maps, sample=sample).axes
    ]
    np.testing.assert_allclose(frames[:10], list(plots.class_colours(own).values()))


def test_of_a_sample_of_too_many_classes_those_that_dominate_in_it_have_colours():
    """All look at 20 classes; the first six dominate most in sample 0, the last twelve in sample 1."""
    response = np.zeros((2, 20, 20))
    response[0] = np.diag([3.0] * 12 + [1.0] * 8)
    response[1] = np.diag([1.0] * 8 + [3.0] * 12)
    maps = ClearMaps.of(response, np.tile(np.arange(20), (2, 1)))
    for sample, own in ((0, range(12)), (1, range(8, 20))):
        assert _legend(plots.clear_map(maps, sample=sample)) == [
            *(f"class {number}" for number in own),
            "other classes (8)",
        ]


def test_colours_are_kept_over_samples_by_a_palette_as_the_docstring_says():
    response = np.tile(np.eye(10), (2, 1, 1))
    maps = ClearMaps.of(response, np.stack([np.arange(10), np.arange(9, 19)]))
    palette = plots.class_colours([3, 9, 14])
    for sample, place in ((0, 9), (1, 0)):
        pixels = plots.clear_map(maps, sample=sample, palette=palette).images[0].get_array()[0]
        np.testing.assert_array_equal(pixels[place], np.rint(255 * np.array(palette[9])))
        grey = np.rint(255 * np.array(OTHER))
        assert (pixels == grey).all(axis=-1).sum() == 8
    hues = [plots.clear_map(maps, sample=s, palette="hue").images[0].get_array()[0] for s in (0, 1)]
    np.testing.assert_array_equal(hues[0][9], hues[1][0])


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_one_input_has_the_size_of_its_map(draw):
    with pytest.raises(InputError, match=r"image: expected the steps of the maps \(6,\), received \(9,\)"):
        draw(STEPS, np.zeros(9))
    with pytest.raises(InputError, match=r"steps of the maps \(6,\), received \(9,\).*shape \(9, 2\)"):
        draw(STEPS, np.zeros((9, 2)))
    with pytest.raises(
        InputError, match=r"height and width of the maps \(8, 8\), received \(5, 9\).*channel_axis right"
    ):
        draw(MAPS, np.zeros((5, 9)))
    assert draw(STEPS, np.zeros((2, 6)), channel_axis=0)
    assert draw(MAPS, np.moveaxis(IMAGES[0], -1, 0), channel_axis=0)


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
@pytest.mark.parametrize(("maps", "batch"), [(MAPS, IMAGES), (STEPS, np.zeros((2, 6, 2)))])
def test_a_whole_batch_is_told_how_to_draw_one_sample(draw, maps, batch):
    with pytest.raises(
        InputError, match=r"received shape \(2, .*`image=x\[sample\], sample=sample`.*`clear_rows\(maps, x"
    ):
        draw(maps, batch)


@pytest.mark.parametrize("over", [False, True])
def test_rows_refuse_inputs_of_another_size(over):
    with pytest.raises(InputError, match=r"images: expected the steps of the maps \(6,\), received \(9,\)"):
        plots.clear_rows(STEPS, np.zeros((2, 9)), 7, over_image=over)
    with pytest.raises(
        InputError, match=r"images: expected the height and width .*\(8, 8\), received \(5, 5\)"
    ):
        plots.clear_rows(MAPS, np.zeros((2, 5, 5)), 7, over_image=over)


@pytest.mark.parametrize(
    "draw",
    [
        lambda **k: plots.clear_image(MAPS, IMAGES, **k),
        lambda **k: plots.binary_map_image(MAPS, 7, IMAGES, **k),
        lambda **k: plots.clear_map(MAPS, IMAGES[0], **k),
        lambda **k: plots.clear_rows(STEPS, np.zeros((2, 6)), 7, **k),
    ],
)
def test_the_channel_axis_is_first_or_last_or_none(draw):
    with pytest.raises(
        ArgumentError, match=r"channel_axis must be -1 .* or None .* Received: channel_axis=5"
    ):
        draw(channel_axis=5)


def test_without_a_channel_axis_inputs_have_the_shape_of_maps():
    grey = IMAGES[..., 0]
    for draw, maps, images in (
        (plots.clear_image, MAPS, grey),
        (lambda m, x, **k: plots.binary_heatmap_image(m, 7, x, **k), MAPS, grey),
    ):
        expected = draw(maps, images)
        np.testing.assert_array_equal(draw(maps, images, channel_axis=None), expected)
        with pytest.raises(InputError, match=r"shape \(height, width\), since channel_axis=None"):
            draw(maps, images[..., np.newaxis], channel_axis=None)
    plots.clear_map(STEPS, np.zeros(6), channel_axis=None)
    with pytest.raises(InputError, match="since channel_axis=None"):
        plots.clear_rows(STEPS, np.zeros((2, 6, 1)), 7, channel_axis=None)


@pytest.mark.parametrize("names", [3, True, {"cat", "dog"}, np.array(3), np.array([["a"], ["b"]]), b"cats"])
def test_names_are_a_sequence_or_a_dict(names):
    with pytest.raises(InputError, match=f"class_names: expected a name .* received {type(names).__name__}"):
        class_name(0, names)


@pytest.mark.parametrize("axes", [3, Figure(), np.array([Figure().add_subplot()])])
def test_axes_are_axes(axes):
    with pytest.raises(ArgumentError, match=f"axes: expected one matplotlib Axes.*{type(axes).__name__}"):
        plots.clear_map(MAPS, axes=axes)


@pytest.mark.parametrize("labels", ["ab", 3, b"ab", {"a": 1, "b": 2}])
def test_labels_are_a_list_and_not_the_letters_of_one_text(labels):
    with pytest.raises(InputError, match=f"labels: expected a list .* received {type(labels).__name__}"):
        plots.clear_rows(MAPS, IMAGES, 7, labels=labels)


@pytest.mark.parametrize("opacity", [1.0, 0.5])
def test_heatmap_legend_over_an_image_shows_what_is_drawn(opacity):
    """On a white image the pixels at 0.3, 0.6 and 0.9 of the scale are the entries on the white figure."""
    response = np.zeros((1, 2, 3, 2))
    response[0, 0, :, 0] = response[0, 1, :, 1] = 0.3, 0.6, 0.9
    maps = ClearMaps.of(response, np.array([[4, 8]]))
    axes = plots.binary_heatmap(maps, 4, np.ones((2, 3)), scale=1.0, opacity=opacity)
    swatches = np.array([patch.get_facecolor() for patch in _swatches(axes)]).reshape(2, 3, 4)
    on_white = 1 - swatches[..., 3:] * (1 - swatches[..., :3])
    np.testing.assert_allclose(axes.images[0].get_array(), 255 * on_white, atol=0.51)


def test_heatmap_legend_on_black_shows_what_is_drawn():
    response = np.zeros((1, 2, 3, 2))
    response[0, 0, :, 0] = response[0, 1, :, 1] = 0.3, 0.6, 0.9
    axes = plots.binary_heatmap(ClearMaps.of(response, np.array([[4, 8]])), 4, scale=1.0)
    swatches = np.array([patch.get_facecolor()[:3] for patch in _swatches(axes)]).reshape(2, 3, 3)
    # The colours of "hot" are tabulated: one step is up to 3 of 255.
    np.testing.assert_allclose(axes.images[0].get_array(), 255 * swatches, atol=3)


def _swatches(axes):
    """Sorted as drawn: the three of the true class, the three of the others."""
    from matplotlib.patches import Rectangle

    return [one for one in axes.get_legend().findobj(Rectangle) if one is not axes.get_legend().legendPatch]


def test_every_class_compared_needs_a_name():
    """Whichever of them happens to dominate in the sample that is drawn."""
    response = np.zeros((1, 2, 2, 3))
    response[..., 0] = 1.0
    maps = ClearMaps.of(response, np.array([[0, 1, 2]]))
    with pytest.raises(InputError, match="a name for each class number, among them 2"):
        plots.clear_map(maps, class_names=["cat", "dog"])
    assert plots.clear_map(maps, class_names=["cat", "dog", "owl"]).get_legend() is not None
