"""CLEAR on axes and in figures: what is drawn where, what legends say, and that nothing is cut."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from innexplain import ClearMaps, plots
from innexplain.errors import InputError
from innexplain.plots.class_colours import OTHER
from innexplain.plots.colours import colours

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(3, 8, 8, 3))
NAMES = {7: "horse", 9: "truck"}
LONG = "a name of many words, as long as it may be"


def _corners(dtype="float64"):
    """8 x 8: class 7, 9 and 2 dominate a corner each, fully; the fourth has a tie, the rest nothing."""
    response = np.zeros((1, 8, 8, 3), dtype)
    response[0, :2, :2, 1] = response[0, :2, -2:, 2] = response[0, -2:, :2, 0] = 5.0
    response[0, -2:, -2:, :] = 5.0
    return ClearMaps.of(response, np.array([[2, 7, 9]]))


CORNERS = {2: (-1, 0), 7: (0, 0), 9: (0, -1)}


def _batch(count=10, size=3):
    return ClearMaps.of(RNG.normal(size=(size, 8, 8, count)), np.tile(np.arange(count), (size, 1)))


def _shown(axes):
    return np.asarray(axes.images[-1].get_array())


def _entries(legend):
    faces = [patch.get_facecolor()[:3] for patch in legend.get_patches()]
    return dict(zip([text.get_text() for text in legend.get_texts()], faces, strict=True))


def _drawn(figure):
    FigureCanvasAgg(figure).draw()
    return figure.canvas.get_renderer()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("palette", ["distinct", "hue", {2: "red", 7: "#0000FF", 9: (0, 1, 0)}])
def test_a_class_has_the_colour_of_its_legend(dtype, palette):
    axes = plots.clear_map(_corners(dtype), class_names=NAMES, palette=palette)
    entries = _entries(axes.get_legend())
    assert list(entries) == ["class 2", "horse", "truck", "no class"]
    for name, corner in zip(entries, CORNERS.values(), strict=False):
        np.testing.assert_array_equal(_shown(axes)[corner], np.rint(255 * np.array(entries[name])))
    assert not _shown(axes)[-1, -1].any()
    assert entries["no class"] == (0, 0, 0)


def test_over_an_image_strong_colours_are_those_of_the_legend_too():
    axes = plots.clear_map(_corners(), IMAGES[0], class_names=NAMES)
    entries = _entries(axes.get_legend())
    np.testing.assert_array_equal(_shown(axes)[0, 0], np.rint(255 * np.array(entries["horse"])))
    red, green, blue = _shown(axes)[4, 4]
    assert red == green == blue
    assert axes.get_legend().get_patches()[-1].get_facecolor()[3] == 0  # "no class" shows what is below


def test_legend_leaves_out_what_is_nowhere():
    response = np.zeros((1, 2, 2, 3))
    response[..., 1] = [[[1.0, 2.0], [3.0, 4.0]]]
    axes = plots.clear_map(ClearMaps.of(response, np.array([[2, 7, 9]])))
    assert list(_entries(axes.get_legend())) == ["class 7"]


def test_a_sample_has_the_colours_of_its_batch():
    """Samples look at classes 0 to 4, 3 to 7 and 6 to 10; alone each would begin with the first colour."""
    classes = np.array([0, 3, 6])[:, None] + np.arange(5)
    maps = ClearMaps.of(RNG.normal(size=(3, 8, 8, 5)), classes)
    whole, colours_of = plots.clear_image(maps), plots.class_colours(np.arange(11))
    for sample in range(3):
        axes = plots.clear_map(maps, sample=sample, percentile=100)
        np.testing.assert_array_equal(_shown(axes), whole[sample])
        entries = _entries(axes.get_legend())
        np.testing.assert_allclose(
            [entries[f"class {c}"] for c in classes[sample]], [colours_of[c] for c in classes[sample]]
        )
        strip = plots.response_strip(maps, sample=sample, percentile=100)
        np.testing.assert_array_equal(_shown(strip.axes[6]), whole[sample])


def test_classes_without_a_colour_are_one_entry():
    axes = plots.clear_map(_corners(), palette={7: "red"})
    entries = _entries(axes.get_legend())
    assert list(entries) == ["class 7", "other classes (2)", "no class"]
    np.testing.assert_allclose(entries["other classes (2)"], OTHER)


def test_legend_counts_what_it_does_not_list():
    response = np.zeros((1, 2, 20, 30))
    for number in range(30):
        response[0, 0 if number < 20 else 1, number % 20, number] = 1.0
    response[0, 1, 10:, 29] = 1.0  # the largest area
    maps = ClearMaps.of(response, np.arange(30)[None])
    entries = list(_entries(plots.clear_map(maps, palette="hue").get_legend()))
    assert len(entries) == 25
    assert entries[-2:] == ["class 29", "and 6 more"]


def test_two_classes_of_one_name_are_two_entries():
    axes = plots.clear_map(_corners(), class_names=dict.fromkeys((2, 7, 9), "crane"))
    assert list(_entries(axes.get_legend())) == ["crane", "crane (7)", "crane (9)", "no class"]


def test_heatmap_and_binary_map_show_their_pixels():
    maps, true = _batch(), [3, 1, 4]
    heatmap = plots.binary_heatmap(maps, true, sample=2, percentile=100)
    np.testing.assert_array_equal(_shown(heatmap), plots.binary_heatmap_image(maps, true)[2])
    names = [text.get_text() for text in heatmap.get_legend().get_texts()]
    assert names == ["for class 4", "for another class"]
    binary = plots.binary_map(maps, 3, IMAGES[1], sample=1, class_names=["n"] * 3 + ["dog"], threshold=0.5)
    expected = plots.binary_map_image(maps, [3] * 3, IMAGES, threshold=0.5)[1]
    np.testing.assert_array_equal(_shown(binary), expected)
    entries = _entries(binary.get_legend())
    assert list(entries) == ["for dog", "for another class"]
    pixels = {tuple(pixel) for pixel in expected.reshape(-1, 3).tolist()}
    assert {tuple(np.rint(255 * np.array(c)).astype(int).tolist()) for c in entries.values()} <= pixels


def test_only_the_sample_drawn_must_have_looked_at_the_true_class():
    maps = ClearMaps.of(np.ones((2, 2, 2, 2)), np.array([[1, 2], [3, 4]]))
    assert plots.binary_map(maps, 4, sample=1).images
    with pytest.raises(InputError, match=r"one of its classes \[1, 2\], received 4.*classes="):
        plots.binary_map(maps, 4, sample=0)


def test_axes_given_are_drawn_on():
    axes = Figure().add_subplot()
    assert plots.clear_map(_corners(), axes=axes) is axes
    assert plots.binary_heatmap(_corners(), 7, axes=axes) is axes
    assert len(axes.images) == 2


@pytest.mark.parametrize("draw", [plots.clear_map, plots.response_strip])
@pytest.mark.parametrize("sample", [-1, 3, 0.0, True])
def test_samples_that_are_not_there(draw, sample):
    with pytest.raises(InputError, match="sample: expected a number from 0 to 2"):
        draw(_batch(), sample=sample)


def test_a_signal_stands_above_its_band():
    response = np.zeros((1, 20, 2))
    response[0, :, 0], response[0, :, 1] = np.linspace(-1, 1, 20), np.linspace(1, -1, 20)
    maps, signal = ClearMaps.of(response, np.array([[7, 9]])), np.sin(np.arange(20.0))[None, :, None]
    axes = plots.clear_map(maps, signal[0], percentile=100)
    np.testing.assert_array_equal(_shown(axes)[0], plots.clear_image(maps)[0])
    left, right, bottom, top = axes.images[0].get_extent()
    assert (left, right) == axes.get_xlim() == (-0.5, 19.5)
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), signal[0, :, 0])
    assert bottom == axes.get_ylim()[0]
    assert top <= signal.min() < signal.max() <= axes.get_ylim()[1]
    alone = plots.clear_map(maps, percentile=100)
    assert not alone.lines
    np.testing.assert_array_equal(_shown(alone), _shown(axes))


def test_strip_shows_responses_on_one_scale_then_what_dominates():
    maps = _batch(count=4)
    figure = plots.response_strip(maps, IMAGES[1], sample=1, class_names=["a", "b", "c", "d"], percentile=100)
    panels = figure.axes[:-1]  # the colour bar comes last
    assert [axes.get_title() for axes in panels] == ["input", *"abcd", "dominant response", "CLEAR map"]
    limit = np.abs(maps.response[1]).max()
    for number, axes in enumerate(panels[1:5]):
        np.testing.assert_array_equal(_shown(axes), colours(maps.response[1, ..., number], limit))
        frame = axes.spines["left"].get_edgecolor()[:3]
        np.testing.assert_allclose(frame, plots.class_colours(np.arange(4))[number])
    np.testing.assert_array_equal(_shown(panels[5]), colours(maps.dominant_response[1], limit))
    np.testing.assert_array_equal(_shown(panels[6]), plots.clear_image(maps)[1])
    assert [text.get_text()[:4] for text in figure.axes[-1].get_xticklabels()] == [
        f"-{limit:.3g}"[:4],
        "0",
        f"{limit:.3g}"[:4],
    ]


def test_strip_of_very_many_classes_says_how_to_take_some():
    maps = ClearMaps.of(np.zeros((1, 2, 2, 61)), np.arange(61)[None])
    with pytest.raises(InputError, match=r"at most 60 classes, received 61.*maps.response\[..., :10\]"):
        plots.response_strip(maps)
    few = ClearMaps.of(maps.response[..., :10], maps.classes[:, :10])
    assert len(plots.response_strip(few).axes) == 13


@pytest.mark.parametrize("over", [False, True])
def test_rows_show_input_heatmap_binary_map_and_clear_map(over):
    maps, true = _batch(), [3, 1, 4]
    figure = plots.clear_rows(
        maps, IMAGES, true, over_image=over, percentile=100, class_names=[*"abcdefghij"]
    )
    below = IMAGES if over else None
    columns = [
        np.stack([plots.display_image(image) for image in IMAGES]),
        plots.binary_heatmap_image(maps, true, below),
        plots.binary_map_image(maps, true, below),
        plots.clear_image(maps, below),
    ]
    for row in range(3):
        for column, expected in enumerate(columns):
            np.testing.assert_array_equal(_shown(figure.axes[4 * row + column]), expected[row])
    assert [figure.axes[4 * row].get_ylabel() for row in range(3)] == ["d", "b", "e"]
    (legend,) = figure.legends
    shown = set(np.unique(maps.dominant_class[maps.has_class]))
    assert [ord(name) - ord("a") for name in list(_entries(legend))[: len(shown)]] == sorted(shown)


def test_rows_colour_the_true_classes_in_any_case():
    """20 classes dominate at a place each, 0 and 19 least of all."""
    response = np.zeros((2, 1, 10, 10))
    response[:, 0] = np.eye(10)
    response[0, 0, 0, 0] = response[1, 0, 9, 9] = 0.1
    maps = ClearMaps.of(response, np.arange(20).reshape(2, 10))
    images = np.zeros((2, 1, 10))
    entries = _entries(plots.clear_rows(maps, images, [0, 19]).legends[0])
    assert {"class 0", "class 19", "other classes (8)"} <= set(entries)
    entries = _entries(plots.clear_rows(maps, images, [1, 18]).legends[0])
    assert not {"class 0", "class 19"} & set(entries)


def test_rows_of_signals():
    maps = ClearMaps.of(RNG.normal(size=(2, 30, 3)), np.array([[2, 7, 9]] * 2))
    signals = RNG.normal(size=(2, 30, 2))
    figure = plots.clear_rows(maps, signals, 7, labels=["first", "second"], percentile=100)
    assert [len(axes.lines) for axes in figure.axes] == [2, 0, 0, 0] * 2
    np.testing.assert_array_equal(_shown(figure.axes[7])[0], plots.clear_image(maps)[1])
    assert figure.axes[4].get_ylabel() == "second"
    strip = plots.response_strip(maps, signals[0], percentile=100)
    limit = np.abs(maps.response[0]).max()
    np.testing.assert_array_equal(_shown(strip.axes[2])[0], colours(maps.response[0, :, 1], limit))


def test_rows_count_images_and_labels():
    with pytest.raises(InputError, match="images: expected 3, one a sample, received 2"):
        plots.clear_rows(_batch(), IMAGES[:2], 1)
    with pytest.raises(InputError, match="labels: expected 3, one a sample, received 1"):
        plots.clear_rows(_batch(), IMAGES, 1, labels=["one"])


def _line(maps):
    return ClearMaps.of(maps.response.reshape(3, 64, -1), maps.classes)


@pytest.mark.parametrize(
    "draw",
    [
        lambda m, names: plots.clear_map(m, class_names=names, palette="hue").figure,
        lambda m, names: plots.binary_heatmap(m, 3, class_names=names).figure,
        lambda m, names: plots.clear_rows(m, IMAGES, 3, class_names=names, palette="hue"),
        lambda m, names: plots.response_strip(m, IMAGES[0], class_names=names),
        lambda m, names: plots.clear_map(_line(m), class_names=names, palette="hue").figure,
        lambda m, names: plots.clear_rows(_line(m), np.zeros((3, 64)), 3, class_names=names),
    ],
    ids=["map", "heatmap", "rows", "strip", "signal", "rows of signals"],
)
@pytest.mark.parametrize("count", [pytest.param(4, marks=pytest.mark.slow), 30])
def test_no_text_is_cut_or_covers_another(draw, count):
    figure = draw(_batch(count), [f"{LONG} {number}" for number in range(count)])
    renderer = _drawn(figure)
    legends = [*figure.legends, *filter(None, [axes.get_legend() for axes in figure.axes])]
    texts = [text for legend in legends for text in legend.get_texts()]
    texts += [text for axes in figure.axes for text in (axes.title, axes.yaxis.label) if text.get_text()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    assert len(boxes) > 1
    for i, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert not any(box.overlaps(axes.patch.get_window_extent(renderer)) for axes in figure.axes)
