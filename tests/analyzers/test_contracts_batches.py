"""The answer for a sample depends on that sample: not on its batch, on how that is cut, or on luck."""

import functools

import keras
import numpy as np
import pytest
from keras import layers as L

from tests.zoo import randomise

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
