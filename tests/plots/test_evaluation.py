"""Curves and boxes: the lines, bands, places and colours, not the pixels."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from innexplain.errors import InputError
from innexplain.plots import bars, boxes, curves, save_figure

RNG = np.random.default_rng(0)


def _texts(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_line_is_the_mean_and_a_band_its_standard_error() -> None:
    values = RNG.normal(size=(5, 4))
    axes = curves({"a": values}).axes[0]
    zero, line = axes.lines
    assert set(zero.get_ydata()) == {0}
    np.testing.assert_array_equal(line.get_xdata(), [0, 1, 2, 3])
    np.testing.assert_allclose(line.get_ydata(), values.mean(axis=0))
    error = values.std(axis=0, ddof=1) / np.sqrt(5)
    corners = axes.collections[0].get_paths()[0].vertices
    for step in range(4):
        heights = corners[corners[:, 0] == step, 1]
        assert heights.min() == pytest.approx(values.mean(axis=0)[step] - error[step])
        assert heights.max() == pytest.approx(values.mean(axis=0)[step] + error[step])


def test_one_curve_has_no_band() -> None:
    axes = curves({"a": [[0.0, 1.0]], "b": [[0.0, 2.0], [0.0, 4.0]]}).axes[0]
    assert len(axes.collections) == 1
    np.testing.assert_array_equal(axes.lines[2].get_ydata(), [0, 3])


def test_the_legend_lists_methods_as_their_lines_end() -> None:
    ends = {"low": -1.0, "best": 3.0, "middle": 0.5}
    figure = curves({name: [[0.0, 9.0, end], [0.0, -9.0, end]] for name, end in ends.items()})
    assert _texts(figure) == ["best", "middle", "low"]
    handles = dict(zip(_texts(figure), figure.legends[0].legend_handles, strict=True))
    for line in figure.axes[0].lines[1:]:
        assert handles[line.get_label()].get_color() == line.get_color()


def test_many_methods_differ_in_colour_or_stroke() -> None:
    figure = curves({str(i): [[0.0, float(i)]] for i in range(20)})
    styles = [(to_hex(line.get_color()), line.get_linestyle()) for line in figure.axes[0].lines[1:]]
    assert len(set(styles)) == 20


def test_curves_of_different_length_and_texts() -> None:
    figure = curves({"a": np.zeros((2, 3)), "b": np.ones((2, 6))}, xlabel="x", ylabel="y", title="t")
    axes = figure.axes[0]
    assert [len(line.get_xdata()) for line in axes.lines[1:]] == [3, 6]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("x", "y", "t")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "at least one method"),
        ({"a": [1.0, 2.0]}, r"received \{'a': \(2,\)\}"),
        ({"a": np.zeros((1, 2, 3))}, r"\(1, 2, 3\)"),
        ({"a": np.zeros((0, 3))}, "curves of a: expected values"),
        ({"a": [[0.0, np.nan]]}, "curves of a: expected finite numbers"),
        ({"a": [["b"]]}, "curves of a: expected numbers"),
    ],
)
def test_bad_curves(values: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        curves(values)


def test_boxes_have_the_medians_and_quartiles_of_the_numbers() -> None:
    values = {"bytes": {"a": RNG.normal(size=9), "b": RNG.normal(size=9)}, "bits": {"a": [1.0], "b": [2.0]}}
    figure = boxes(values, title="how")
    assert figure.get_suptitle() == "how"
    assert [axes.get_xlabel() for axes in figure.axes] == ["bytes", "bits"]
    for axes, methods in zip(figure.axes, values.values(), strict=True):
        drawn = zip((2, 1), methods.values(), axes.patches, _medians(axes), strict=True)
        for place, numbers, box, median in drawn:
            assert median.get_xdata() == pytest.approx([np.median(numbers)] * 2)
            assert np.mean(median.get_ydata()) == pytest.approx(place)
            edges = box.get_path().vertices
            assert edges[:, 0].min() == pytest.approx(np.quantile(numbers, 0.25))
            assert edges[:, 0].max() == pytest.approx(np.quantile(numbers, 0.75))


def _medians(axes) -> list:
    return [line for line in axes.lines if line.get_linewidth() == 1.2]


def test_a_method_keeps_its_place_and_colour_where_another_is_missing() -> None:
    figure = boxes({"one": {"a": [1.0], "b": [2.0], "c": [3.0]}, "two": {"c": [5.0], "b": [4.0]}})
    first, second = figure.axes
    assert [text.get_text() for text in first.get_yticklabels()] == ["a", "b", "c"]
    assert list(first.get_yticks()) == [3, 2, 1]
    assert first.get_ylim() == second.get_ylim() == (0.4, 3.6)
    places = {line.get_xdata()[0]: np.mean(line.get_ydata()) for line in _medians(second)}
    assert places == {5.0: 1.0, 4.0: 2.0}
    colours = {np.mean(box.get_path().vertices[:4, 1]): box.get_facecolor() for box in first.patches}
    for box in second.patches:
        assert colours[np.mean(box.get_path().vertices[:4, 1])] == box.get_facecolor()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "at least one measure"),
        ({"bytes": {}}, "at least one measure"),
        ({"bytes": {"a": [1.0]}, "bits": {}}, "at least one measure"),
        ({"bytes": {"a": [[1.0, 2.0]]}}, r"bytes of a to be numbers of images, \(n,\), received \(1, 2\)"),
        ({"bytes": {"a": []}}, "bytes of a: expected values"),
        ({"bytes": {"a": [np.inf]}}, "bytes of a: expected finite numbers"),
    ],
)
def test_bad_boxes(values: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        boxes(values)


def test_pictures_are_drawn_without_a_warning(tmp_path) -> None:
    values = {f"method.{i}": RNG.normal(size=(3, 5)) for i in range(9)}
    save_figure(curves(values), tmp_path / "curves")
    save_figure(boxes({"end": {name: v[:, -1] for name, v in values.items()}}), tmp_path / "boxes")
    assert min(path.stat().st_size for path in tmp_path.iterdir()) > 5000


def test_bars_stand_side_by_side_and_are_as_high_as_their_numbers() -> None:
    values = {"S_w": [0.1, 0.2, 0.3], "S_a": [0.7, 0.8, -0.1]}
    figure = bars(values, ["conv", "high", "top"], ylabel="rho", title="quality")
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["conv", "high", "top"]
    assert axes.get_ylabel() == "rho" and axes.get_title() == "quality" and _texts(figure) == list(values)
    first, second = axes.containers
    for drawn, heights in zip((first, second), values.values(), strict=True):
        assert [bar.get_height() for bar in drawn] == heights
        assert len({to_hex(bar.get_facecolor()) for bar in drawn}) == 1
    for group, (left, right) in enumerate(zip(first, second, strict=True)):
        assert left.get_x() + left.get_width() == pytest.approx(right.get_x())
        assert left.get_x() > group - 0.5 and right.get_x() + right.get_width() < group + 0.5


def test_bars_say_where_there_is_no_number(tmp_path) -> None:
    """rho of layers that cannot be judged is NaN: no bar there, and a word in its place."""
    figure = bars({"S_w": [np.nan, 0.2], "S_a": [np.nan, np.nan]}, ["conv", "top"], ylabel="rho")
    axes = figure.axes[0]
    assert [bar.get_height() for bar in axes.containers[0]] == [0.0, 0.2]
    places = [bar.get_x() + bar.get_width() / 2 for c in axes.containers for bar in c]
    assert [text.get_text() for text in axes.texts] == ["no number"] * 3
    assert [text.get_position()[0] for text in axes.texts] == pytest.approx([places[i] for i in (0, 2, 3)])
    save_figure(figure, tmp_path / "bars.png")
    save_figure(bars({"S_a": [np.nan]}, ["conv"]), tmp_path / "none.png")
    with pytest.raises(InputError, match="finite"):
        bars({"S_w": [np.inf, np.nan]}, ["conv", "top"])


def test_bars_refuse_what_does_not_fit() -> None:
    for values, groups in (
        ({}, ["a"]),
        ({"S_w": [1.0]}, ["a", "b"]),
        ({"S_w": [[1.0]]}, ["a"]),
        ({"S_w": []}, []),
    ):
        with pytest.raises(InputError, match="bars"):
            bars(values, groups)
