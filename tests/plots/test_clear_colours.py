"""A colour for every class: the same everywhere, and told apart by colour-blind readers too."""

from itertools import combinations

import numpy as np
import pytest

from innexplain import ClearMaps, plots
from innexplain.errors import ArgumentError, InputError, UnknownNameError
from innexplain.plots.class_colours import DISTINCT, OTHER, class_name, paint
from innexplain.plots.clear import AGAINST, FOR
from innexplain.plots.clear_colours import map_colours

# What red-blind and green-blind eyes see, linear RGB to linear RGB: Machado, Oliveira and Fernandes 2009,
# severity 1.
EYES = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
TEN = tuple(plots.class_colours(np.arange(10)).values())


def _lab(rgb, eye):
    """CIELAB, in which 2 is about the least difference to be seen side by side."""
    rgb = np.asarray(rgb)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(EYES[eye] @ linear, 0, 1)
    x, y, z = (t ** (1 / 3) if t > (6 / 29) ** 3 else t * 841 / 108 + 4 / 29 for t in XYZ @ seen / XYZ.sum(1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def _distance(a, b, eye):
    return float(np.linalg.norm(_lab(a, eye) - _lab(b, eye)))


def _nearest(colours, eye):
    return min(_distance(a, b, eye) for a, b in combinations(colours, 2))


def test_distances_are_those_of_cielab():
    assert _distance((1, 1, 1), (0, 0, 0), "normal") == pytest.approx(100, abs=0.01)
    np.testing.assert_allclose(_lab((1, 0, 0), "normal"), [53.24, 80.09, 67.20], atol=0.02)
    # A green-blind eye takes these two, red and an olive as dark, for nearly the same.
    assert _distance((0.8, 0, 0), (0.45, 0.36, 0), "deuteranopia") < 12
    assert _distance((0.8, 0, 0), (0.45, 0.36, 0), "normal") > 60


@pytest.mark.parametrize("eye", EYES)
def test_ten_colours_are_far_apart_and_twelve_apart(eye):
    assert _nearest(TEN, eye) > 24
    assert _nearest(plots.class_colours(np.arange(12)).values(), eye) > 16


@pytest.mark.parametrize("eye", EYES)
def test_every_colour_is_far_from_black_from_other_classes_and_from_the_grey_of_nothing(eye):
    for colour in plots.class_colours(np.arange(12)).values():
        assert _distance(colour, (0, 0, 0), eye) > 34
        assert _distance(colour, OTHER, eye) > 18
    assert _distance(FOR, AGAINST, eye) > 50


def test_hues_are_what_the_palette_is_better_than():
    hues = plots.class_colours(np.arange(10), palette="hue").values()
    assert _nearest(hues, "protanopia") < 6


def test_hues_are_evenly_spaced_on_the_wheel():
    colours = plots.class_colours([30, 10, 20, 50, 40, 60], palette="hue")
    assert list(colours) == [10, 20, 30, 40, 50, 60]
    wheel = [(1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1)]
    np.testing.assert_allclose(list(colours.values()), wheel)


def test_colours_follow_the_sorted_classes_not_their_order():
    assert plots.class_colours([[9, 3], [5, 9]]) == plots.class_colours([3, 5, 9])
    assert len(set(plots.class_colours(np.arange(12)).values())) == 12


def test_a_mapping_gives_its_own_colours_and_leaves_the_others_out():
    colours = plots.class_colours([1, 2, 3], palette={2: "#FF0080", 9: "blue", 1: (0.0, 0.5, 1.0)})
    assert list(colours) == [1, 2]
    np.testing.assert_allclose(colours[2], (1, 0, 128 / 255))
    assert plots.class_colours([3, 5], palette=plots.class_colours([1, 3, 5]))[5] == TEN[2]


def test_too_many_classes_name_the_way_out():
    with pytest.raises(ArgumentError, match=r"12 colours, received 13 classes.*palette='hue'"):
        plots.class_colours(np.arange(len(DISTINCT) + 1))
    assert len(plots.class_colours(np.arange(1000), palette="hue")) == 1000


@pytest.mark.parametrize("palette", ["rainbow", 5, None])
def test_unknown_palettes(palette):
    with pytest.raises(UnknownNameError, match="palette must be one of 'distinct', 'hue'"):
        plots.class_colours([1], palette=palette)


@pytest.mark.parametrize("classes", [[], [0.5], ["cat"]])
def test_classes_are_whole_numbers(classes):
    with pytest.raises(InputError, match="classes: expected class numbers"):
        plots.class_colours(classes)


@pytest.mark.parametrize("colour", ["no colour", None, (1, 2, 3)])
def test_colours_of_a_mapping_are_colours(colour):
    with pytest.raises(ArgumentError, match="expected colours as matplotlib takes them"):
        plots.class_colours([1], palette={1: colour})


def test_paint_puts_each_colour_in_its_place():
    place = np.array([[4, 7], [7, 5]])
    rgb = paint(place, {4: (1.0, 0.0, 0.0), 7: (0.0, 0.0, 1.0)})
    np.testing.assert_array_equal(rgb, [[(1, 0, 0), (0, 0, 1)], [(0, 0, 1), OTHER]])


def _many(strong):
    """Two samples of ten classes each, twenty in all: class c dominates at step c with `strong[c]`."""
    response = np.zeros((2, 10, 10))
    for sample in (0, 1):
        response[sample] = np.diag(strong[10 * sample : 10 * sample + 10])
    return ClearMaps.of(response, np.arange(20).reshape(2, 10))


def test_of_too_many_classes_those_that_dominate_most_have_colours():
    strong = np.ones(20)
    strong[[0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 1, 11]] = 3.0
    colours = map_colours(_many(strong))
    assert colours == plots.class_colours([0, 1, 2, 4, 6, 8, 10, 11, 12, 14, 16, 18])
    assert len(map_colours(_many(strong), "hue")) == 20


def test_each_sample_counts_the_same_however_strong_its_responses():
    """Both samples' first six dominate most, but the responses of the second are tiny."""
    strong = np.tile([3.0] * 6 + [1.0] * 4, 2) * np.repeat([1.0, 1e-6], 10)
    assert list(map_colours(_many(strong))) == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]


def test_an_outlier_does_not_take_the_colours_of_its_sample():
    """Beside it 11 and 12 are weak, but they dominate 90 places each: a quarter of their sample."""
    response = np.zeros((2, 200, 10))
    response[0] = np.repeat(np.eye(10), 20, axis=0)
    response[1, 0, 0], response[1, 1:91, 1], response[1, 91:181, 2] = 1000.0, 5.0, 5.0
    colours = map_colours(ClearMaps.of(response, np.arange(20).reshape(2, 10)))
    assert list(colours) == [*range(1, 10), 10, 11, 12]


def test_classes_asked_for_have_colours_in_any_case():
    strong = np.ones(20)
    strong[[9, 19]] = 0.0
    assert not {9, 19}.intersection(map_colours(_many(strong)))
    colours = map_colours(_many(strong), first=np.array([9, 19]))
    assert {9, 19} <= set(colours)
    assert len(colours) == 12


def test_names_come_from_a_sequence_a_dict_or_the_number():
    assert class_name(3) == "class 3"
    assert class_name(1, ["cat", "dog"]) == "dog"
    assert class_name(1, np.array(["cat", "dog"])) == "dog"
    assert class_name(1, {1: "dog"}) == "dog"
    assert class_name(2, {1: "dog"}) == "class 2"


def test_long_names_end_behind_a_whole_synonym_or_a_word():
    synonyms = "dragonfly, darning needle, devil's darning needle, sewing needle"
    assert class_name(0, [synonyms]) == "dragonfly, darning needle"
    assert class_name(0, ["a name of many words that goes on and on"]).endswith("…")
    assert len(class_name(0, ["a name of many words that goes on and on"])) <= 34


@pytest.mark.parametrize("names", [["cat", "dog"], "cats and dogs"])
def test_a_sequence_that_lacks_a_name(names):
    with pytest.raises(InputError, match="class_names: expected a name for each class number, among them 7"):
        class_name(7, names)
