"""The answer for a sample depends on that sample: not on its batch, on how that is cut, or on luck."""

import functools

import keras
import numpy as np
import pytest
from keras import layers as L

from tests.eagerly import eagerly
from tests.zoo import randomise
from tests.zoo.models import MODELS

from . import (
    PATHS,
    SEEDED,
    assert_alike,
    assert_different,
    create,
    over,
    rng,
    rows_of_calls,
    shared,
    traces,
)
from .networks import CLASSES, IMAGES, A, B, N, images, images_network, tables


@functools.cache
def whole(name):
    """All images at once."""
    return shared(name, images, neuron_selection_mode="index").analyze(IMAGES, CLASSES)


@over(*PATHS)
def test_a_batch_of_images_is_its_samples(name):
    """Through convolutions, batch norm, pooling and a shortcut."""
    analyzer = shared(name, images, neuron_selection_mode="index")
    single = [analyzer.analyze(IMAGES[i : i + 1], int(CLASSES[i])) for i in range(N)]
    assert_alike(np.concatenate(single), whole(name))
    order = np.array([2, 0, 3, 1])
    assert_alike(analyzer.analyze(IMAGES[order], CLASSES[order], batch_size=3), whole(name)[order])


@functools.cache
def four_images():
    return images_network(batch_size=4)


@over("input", "random", "gradient", "integrated_gradients", "smoothgrad", "lrp.epsilon", "clear")
def test_fixed_batch_size(name):
    """A model that takes four rows only gets four rows, whatever the number of samples."""
    fixed = shared(name, four_images, neuron_selection_mode="index")
    x, classes, expected = (np.concatenate([a, a[:2]]) for a in (IMAGES, CLASSES, whole(name)))
    for n, batch_size in ((1, 32), (4, 4), (6, 1), (6, 3)):
        with rows_of_calls() as rows:
            maps = fixed.analyze(x[:n], classes[:n], batch_size=batch_size)
        assert set(rows) == {4}
        assert_alike(maps, expected[:n])


@pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")
@over("gradient", "smoothgrad", "guided_backprop", "lrp.epsilon")
def test_fixed_batch_size_that_the_code_relies_on(name):
    """A reshape to four rows fails with any other number."""
    x = keras.Input((6,), batch_size=4)
    y = keras.ops.reshape(L.Dense(4, activation="relu")(x), (4, 2, 2))
    model = randomise(keras.Model(x, L.Dense(2)(L.Flatten()(y))))
    rows = rng().normal(size=(6, 6)).astype("float32")
    analyzer = create(name, model)
    six, first = analyzer.analyze(rows), analyzer.analyze(rows[:4])
    assert_alike(six[:4], first)


def test_the_user_decides_about_the_rows_in_flight():
    """Fifty noisy copies of three samples go by seven at a time."""
    analyzer = create("smoothgrad", tables(), output=0, augment_by_n=50)
    with rows_of_calls() as rows:
        analyzer.analyze([A[:3], B[:3]], batch_size=7)
    assert sum(rows) >= 150
    assert max(rows) == 7


@pytest.mark.parametrize("name", SEEDED)
def test_noise_differs_from_sample_to_sample(name):
    """As what is left of the maps without the gradient shows."""
    noise = whole(name) - whole("gradient")
    assert_different(noise[0], noise[1])


# --- Compiled once -------------------------------------------------------------------------------


@pytest.mark.compiled
@over("input", "gradient", "lrp.epsilon", "integrated_gradients", "smoothgrad", "clear")
def test_one_trace_serves_fifty_samples_every_class_and_a_smaller_last_batch(name):
    """The first calls may compile, with and without info, and the scores alone; nothing after them may."""
    analyzer = create(name, tables(), output=0, neuron_selection_mode="index")
    for return_info in (False, True):
        analyzer.analyze([A, B], CLASSES, return_info=return_info)
    before = traces(analyzer)
    assert 0 < before <= 2 + 1
    fifty = [np.tile(a, (13, 1))[:50] for a in (A, B)]
    analyzer.analyze(fifty, rng(2).integers(0, 3, 50), batch_size=8, return_info=True)
    for i in range(50):
        analyzer.analyze([a[i : i + 1] for a in fifty], i % 3)
    assert traces(analyzer) == before


@pytest.mark.compiled
@over("gradient", "lrp.alpha_2_beta_1")
def test_inputs_of_free_size_compile_once_a_size(name):
    x = keras.Input((None, None, 1))
    y = L.GlobalAveragePooling2D()(L.Conv2D(3, 3, activation="relu")(x))
    model = randomise(keras.Model(x, L.Dense(2)(y)), 2)
    analyzer = create(name, model)
    counts = []
    for size in (5, 6, 5, 6):
        maps = analyzer.analyze(np.full((2, size, size, 1), 0.5, "float32"))
        assert maps.shape[1:3] == (size, size)
        counts.append(traces(analyzer))
    assert counts[0] < counts[1] == counts[3] == 2 * counts[0]


@pytest.mark.compiled
@pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")
@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("conv_1d", "lrp.alpha_2_beta_1"),
        ("conv_3d", "lrp.gamma"),
        ("depthwise_separable", "lrp.alpha_2_beta_1"),
        ("u_net", "lrp.epsilon"),
        ("token_two_inputs", "clear"),
        ("lstm_net", "gradient"),
    ],
)
def test_the_number_of_rows_is_left_open(case, name):
    """Layers that `images` lacks: compiled for three rows, the answer for two is that of eager calls."""
    analyzer = create(name, MODELS[case].build())
    three = MODELS[case].inputs(3, rng())
    two = keras.tree.map_structure(lambda a: a[1:], three)
    analyzer.analyze(three)
    before = traces(analyzer)
    maps = analyzer.analyze(two)
    assert traces(analyzer) == before
    with eagerly():
        assert_alike(maps, analyzer.analyze(two))
