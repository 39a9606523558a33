"""Figures of CLEAR are placed in inches: no title is cut or covers a cell, whatever the shape of the maps."""

from itertools import product

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from innexplain import ClearMaps, plots

RNG = np.random.default_rng(0)
LONG = "robin, American robin, Turdus migratorius x"


def _maps(*shape):
    return ClearMaps.of(RNG.normal(size=shape), np.tile(np.arange(shape[-1]), (shape[0], 1)))


def _names(count):
    return [LONG if number % 4 == 1 else f"c{number}" for number in range(count)]


def _complaints(figure):
    """Texts that leave the figure or lie on cells or on each other."""
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    texts = [text for axes in figure.axes for text in (axes.title, axes.yaxis.label) if text.get_text()]
    texts += [text for legend in figure.legends for text in (legend.get_title(), *legend.get_texts())]
    texts += [tick for tick in figure.axes[-1].get_xticklabels() if tick.get_text()]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    cells = [axes.patch.get_window_extent(renderer) for axes in figure.axes]
    page, found = figure.bbox, []
    for i, (text, box) in enumerate(boxes):
        if box.x0 < 0 or box.y0 < 0 or box.x1 > page.x1 or box.y1 > page.y1:
            found.append(("cut", text))
        found += [("covers a cell", text) for cell in cells if box.overlaps(cell)]
        found += [("covers", text, other) for other, taken in boxes[:i] if box.overlaps(taken)]
    assert len(boxes) > 4
    return found


STRIPS = list(product([(32, 32), (32, 64), (227, 227), (60, 8), (40,)], [1, 10, 20], [False, True]))
ROWS = list(product([(32, 32), (8, 60), (40,)], [(1, 3), (3, 3), (4, 12), (2, 30)]))


def _some(cases, *fast):
    """Those at these places, and all others among the slow tests."""
    assert max(fast) < len(cases)
    return [pytest.param(*c, marks=() if i in fast else pytest.mark.slow) for i, c in enumerate(cases)]


# Each number of classes, with an image and without; each shape but the one that is square as well.
@pytest.mark.parametrize(("shape", "count", "with_image"), _some(STRIPS, 0, 3, 9, 10, 20, 23, 29))
def test_strip(shape, count, with_image):
    image = RNG.random(shape) if with_image else None
    figure = plots.response_strip(_maps(1, *shape, count), image, class_names=_names(count))
    assert _complaints(figure) == []


@pytest.mark.parametrize(("shape", "size_count"), _some(ROWS, 0, 5, 7, 10))
def test_rows(shape, size_count):
    size, count = size_count
    figure = plots.clear_rows(
        _maps(size, *shape, count), RNG.random((size, *shape)), 1, class_names=[LONG] * count
    )
    assert _complaints(figure) == []


def test_cells_have_the_shape_of_their_maps():
    """The boxes in inches: images are neither stretched nor shrunk within them."""
    figure = plots.clear_rows(_maps(2, 20, 40, 3), RNG.random((2, 20, 40)), 1)
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        size = axes.get_position().size * figure.get_size_inches()
        np.testing.assert_allclose(size, (1.5, 0.75))


def test_labels_keep_their_own_lines_and_long_lines_are_wrapped():
    own = "a 9, wrong\npredicted 4, p = 0.958"
    long = "a label of one line that is far too long for the room at the left of its row\nand one"
    figure = plots.clear_rows(_maps(2, 8, 8, 3), RNG.random((2, 8, 8)), 1, labels=[own, long])
    assert figure.axes[0].get_ylabel() == own
    lines = figure.axes[4].get_ylabel().split("\n")
    assert max(map(len, lines)) <= 24
    assert lines[-1] == "and one"
    assert " ".join(lines) == long.replace("\n", " ")
    assert _complaints(figure) == []


def test_labels_of_more_lines_than_a_low_row_holds():
    labels = ["\n".join("line" for _ in range(6))] * 3
    figure = plots.clear_rows(_maps(3, 8, 40, 3), RNG.random((3, 8, 40)), 1, labels=labels)
    assert _complaints(figure) == []
