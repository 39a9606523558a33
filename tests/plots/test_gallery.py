"""The gallery: which colours its cells have, what is written, and that nothing overlaps."""

import numpy as np
import pytest

from innexplain import plots
from innexplain.errors import ArgumentError, InputError, UnknownNameError
from innexplain.plots.colours import colours

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(3, 6, 6, 2))
MAPS = {
    "gradient": RNG.normal(size=(3, 6, 6, 2)) * np.array([1, 10, 100]).reshape(3, 1, 1, 1),
    "sensitivity": np.abs(RNG.normal(size=(3, 6, 6))),
}


@pytest.fixture(scope="module")
def figure():
    """What the defaults draw."""
    return plots.gallery(IMAGES, MAPS)


def _cells(figure, rows: int, columns: int) -> list[list]:
    """The axes row by row, without the colour bar, which comes last."""
    return [figure.axes[r * columns : (r + 1) * columns] for r in range(rows)]


def _shown(axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


def test_sample_scale_uses_each_maps_own_maximum(figure) -> None:
    cells = _cells(figure, 3, 3)
    for i, row in enumerate(cells):
        for axes, name in zip(row[1:], MAPS, strict=True):
            flat = MAPS[name][i].sum(-1) if MAPS[name].ndim == 4 else MAPS[name][i]
            np.testing.assert_array_equal(_shown(axes), colours(flat, np.abs(flat).max()))
            ends = {"gradient": "±", "sensitivity": "0 to "}[name]  # sensitivity is never below zero
            assert axes.get_xlabel().startswith(ends)
            limit = float(axes.get_xlabel().removeprefix(ends))
            assert limit == pytest.approx(np.abs(flat).max(), rel=0.01)


def test_joint_scale_is_one_for_all_maps_of_an_analyzer() -> None:
    cells = _cells(plots.gallery(IMAGES, MAPS, scale="joint"), 3, 3)
    flat = MAPS["gradient"].sum(-1)
    for i, row in enumerate(cells):
        np.testing.assert_array_equal(_shown(row[1]), colours(flat[i], np.abs(flat).max()))
    assert cells[0][1].get_title().startswith("gradient\n±")
    assert cells[0][1].get_xlabel() == ""


def test_first_column_shows_the_inputs(figure) -> None:
    cells = _cells(figure, 3, 3)
    for image, row in zip(IMAGES, cells, strict=True):
        np.testing.assert_array_equal(_shown(row[0]), plots.display_image(image))


def test_channels_first_images(figure) -> None:
    first = {**MAPS, "gradient": np.moveaxis(MAPS["gradient"], -1, 1)}
    other = plots.gallery(np.moveaxis(IMAGES, -1, 1), first, channel_axis=0)
    for a, b in zip(other.axes[:9], figure.axes[:9], strict=True):
        np.testing.assert_array_equal(_shown(a), _shown(b))


def test_labels_titles_and_legend_are_written() -> None:
    figure = plots.gallery(IMAGES, MAPS, ["a cat\n0.9", "a dog", "an owl"], title="Why?")
    cells = _cells(figure, 3, 3)
    assert [row[0].get_ylabel() for row in cells] == ["a cat\n0.9", "a dog", "an owl"]
    assert [axes.get_title() for axes in cells[0]] == ["image", "gradient", "sensitivity"]
    assert [text.get_text() for text in figure.texts] == ["Why?"]
    assert _legends(figure)[0] == (
        ["against the explained class", "zero", "for the explained class"],
        "gradient",
    )


def _legends(figure) -> list[tuple[list[str], str]]:
    """Of every colour bar its words, and the lines below."""
    bars = [axes for axes in figure.axes if axes.get_xticklabels()]
    return [([t.get_text() for t in axes.get_xticklabels()], axes.get_xlabel()) for axes in bars]


def test_strength_has_a_bar_from_low_to_high() -> None:
    """Maps that are never below zero: half of the colours, and no word on for and against."""
    figure = plots.gallery(IMAGES, {"mine": MAPS["sensitivity"]}, meaning="strength")
    assert [words for words, _ in _legends(figure)] == [["no strength", "highest strength"]]
    assert figure.axes[-1].get_xlim() == (0, 1)
    largest = [float(f"{m.max():.3g}") for m in MAPS["sensitivity"]]
    assert [float(a.get_xlabel().removeprefix("0 to ")) for a in figure.axes[1:6:2]] == pytest.approx(largest)


def test_maps_of_different_meaning_have_a_bar_each() -> None:
    """By the names of analyzers, where nothing else is said."""
    maps = {**MAPS, "lrp.z": MAPS["gradient"], "pattern.net": MAPS["gradient"], "mine": MAPS["gradient"]}
    (relevance, others), (strength, second), (signal, third) = _legends(
        plots.gallery(IMAGES, maps, meaning={"mine": "signal"})
    )
    assert relevance == ["against the explained class", "zero", "for the explained class"]
    assert strength == ["no strength", "highest strength"]
    assert signal == ["signal below zero", "zero", "signal above zero"]
    assert (others, second) == ("gradient, lrp.z", "sensitivity")
    assert third == "pattern.net, mine\neach map has its own colour ends (written below it)"


def test_a_long_list_of_names_is_all_others() -> None:
    many = {f"lrp.number_{i}": MAPS["gradient"][:1] for i in range(30)}
    both = {**many, "sensitivity": MAPS["sensitivity"][:1]}
    (_, others), (_, strength) = _legends(plots.gallery(IMAGES[:1], both))
    assert others == "all other maps" and strength.startswith("sensitivity\n")
    ((_, alone),) = _legends(plots.gallery(IMAGES[:1], many))
    assert alone == "each map has its own colour ends (written below it)"


def test_more_analyzers_than_columns_go_on_below_in_even_blocks() -> None:
    maps = {f"method_{i}": np.full((1, 4, 4), float(i + 1)) for i in range(7)}
    figure = plots.gallery(np.zeros((1, 4, 4, 1)), maps, columns=4)
    titles = [axes.get_title() for axes in figure.axes[:-1] if axes.get_title()]
    assert titles == ["image", *list(maps)[:4], "image", *list(maps)[4:]]


@pytest.mark.parametrize(
    ("scale", "meaning"),
    [("sample", {"integrated_gradients": "strength"}), ("joint", "relevance")],
    ids=["two legends", "one legend"],
)
def test_no_text_or_cell_overlaps_another(scale: str, meaning) -> None:
    """Measured by the renderer: the boxes of all axes with their titles and labels are disjoint."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    names = ["input_t_gradient", "lrp.sequential_preset_b_flat_until_idx", "integrated_gradients"]
    maps = {name: RNG.normal(size=(2, 8, 8)) * 1e-7 for name in names}
    labels = ["a 3, right\npredicted 3, p = 0.999\nscore 12.1", "a 5"]
    maps |= {f"another_name_that_is_long_enough_to_fill_lines_{i}": maps[names[0]] for i in range(3)}
    figure = plots.gallery(
        np.zeros((2, 8, 8, 1)), maps, labels, scale=scale, columns=2, title="One\nTwo", meaning=meaning
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes]
    boxes += [text.get_window_extent(renderer) for text in figure.texts]
    for i, one in enumerate(boxes):
        assert figure.bbox.x0 <= one.x0
        assert one.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= one.y0
        assert one.y1 <= figure.bbox.y1
        for other in boxes[i + 1 :]:
            assert not one.overlaps(other)


def test_signals_are_lines_over_strips() -> None:
    signals = RNG.normal(size=(2, 20, 3))
    maps = {"gradient": RNG.normal(size=(2, 20, 3)), "sensitivity": np.ones((2, 20))}
    cells = _cells(plots.gallery(signals, maps), 2, 3)
    for i, row in enumerate(cells):
        for c in range(3):
            np.testing.assert_array_equal(row[0].lines[c].get_ydata(), signals[i, :, c])
        flat = maps["gradient"][i].sum(-1)
        np.testing.assert_array_equal(_shown(row[1])[0], colours(flat, np.abs(flat).max()))


def test_tables_are_bars_of_the_maps_height_and_colour() -> None:
    maps = {"gradient": np.array([[1.0, -2.0, 0.0]])}
    cells = _cells(plots.gallery(np.array([[3.0, 4.0, 5.0]]), maps), 1, 2)
    assert [bar.get_height() for bar in cells[0][0].patches] == [3.0, 4.0, 5.0]
    bars = cells[0][1].patches
    assert [bar.get_height() for bar in bars] == [1.0, -2.0, 0.0]
    found = np.array([bar.get_facecolor()[:3] for bar in bars]) * 255
    np.testing.assert_allclose(found, colours(maps["gradient"][0], 2.0))
    low, high = cells[0][1].get_ylim()
    assert low == -high


def _pixels(figure) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def test_images_without_a_channel_axis_are_images() -> None:
    """As evaluators and `compare` take them; by their rank alone they would be signals."""
    grey, maps = IMAGES.mean(axis=-1), {"a": np.ones(IMAGES.shape[:-1])}
    figure = plots.gallery(grey, maps, channel_axis=None)
    assert [axes.get_title() for axes in figure.axes][:2] == ["image", "a"]
    same = plots.gallery(grey, maps, kind="image")
    for one, other in zip(_pixels(figure), _pixels(same), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"images": IMAGES}, r"draws \(n, height, width\) or \(n, features\), received"),
        ({"images": IMAGES, "kind": "image"}, r"expects 3 axes \(no channels\), .*channel_axis=None"),
        ({"images": IMAGES[:, 0], "kind": "signal"}, r"expects 2 axes"),
        ({"images": IMAGES[..., 0], "maps": {"a": IMAGES}}, r"\(height, width\), since channel_axis=None"),
    ],
)
def test_a_channel_axis_that_should_not_be_there(call: dict, words: str) -> None:
    call = {"maps": {"a": IMAGES[..., 0]}, **call}
    with pytest.raises(InputError, match=words):
        plots.gallery(**call, channel_axis=None)


def test_kind_image_takes_images_without_channels() -> None:
    figure = plots.gallery(IMAGES[..., 0], {"gradient": MAPS["gradient"]}, kind="image")
    np.testing.assert_array_equal(_shown(figure.axes[0]), plots.display_image(IMAGES[0, ..., 0]))


def test_constant_signal_and_zero_map_are_drawn() -> None:
    figure = plots.gallery(np.ones((1, 5, 1)), {"gradient": np.zeros((1, 5, 1))})
    assert np.unique(_shown(figure.axes[1])).tolist() == [247]


def test_no_global_figure_is_left() -> None:
    from matplotlib import _pylab_helpers

    plots.gallery(IMAGES[:1], {"mine": MAPS["sensitivity"][:1]})
    assert _pylab_helpers.Gcf.get_all_fig_managers() == []


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"images": np.zeros((1, 2, 2, 2, 1))}, InputError, "draw slices"),
        ({"maps": {}}, ArgumentError, "at least one entry"),
        ({"maps": [1]}, ArgumentError, "received list"),
        ({"maps": {"a": np.zeros((2, 6, 6))}}, InputError, r"maps\['a'\]: expected 3 maps"),
        ({"maps": {"a": np.zeros((3, 6))}}, InputError, r"maps\['a'\]\[0\]: expected one map"),
        ({"maps": {"a": np.full((3, 6, 6), np.inf)}}, InputError, r"maps\['a'\].*finite"),
        ({"row_labels": ["x"]}, InputError, "row_labels: expected 3"),
        ({"scale": "all"}, ArgumentError, "'sample' or 'joint'"),
        ({"kind": "video"}, ArgumentError, "received 'video'"),
        ({"kind": "table"}, InputError, "kind='table' expects 2 axes"),
        ({"columns": 0}, ArgumentError, "columns"),
        ({"meaning": "strenth"}, UnknownNameError, "meaning must be one of.*Did you mean 'strength'"),
        ({"meaning": {"gradient": "sign"}}, UnknownNameError, "meaning must be one of"),
        (
            {"meaning": {"gradeint": "signal"}},
            UnknownNameError,
            "no maps of 'gradeint'.*Did you mean 'gradient'",
        ),
    ],
)
def test_errors_name_the_argument(arguments: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        plots.gallery(**{"images": IMAGES, "maps": MAPS, **arguments})


def test_percentile_bounds_the_colours() -> None:
    """One extreme pixel of a thousand sets the colour ends, or does not."""
    values = np.ones((1, 40, 25))
    values[0, 0, 0] = 100
    captions = []
    for percentile in (100.0, 99.5):
        figure = plots.gallery(np.zeros((1, 40, 25, 1)), {"a": values}, percentile=percentile)
        captions.append(figure.axes[1].get_xlabel())
    assert captions == ["\N{PLUS-MINUS SIGN}100", "\N{PLUS-MINUS SIGN}1"]
