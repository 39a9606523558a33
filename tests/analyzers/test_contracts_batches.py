"""The answer for a sample depends on that sample: not on its batch, on how that is cut, or on luck."""

import keras
import numpy as np
import pytest
from keras import layers as L

from tests.zoo import randomise

from . import (
    EACH,
    SEEDED,
    assert_alike,
    assert_different,
    create,
    rng,
    some_analyzers,
)

# Deep Taylor and excitation backprop give zeros where the score is not positive, and say so.
pytestmark = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")
N = 7
SHAPE = (6, 6, 2)


def network(batch_size=None):
    """Convolution, batch norm, max-pool and a shortcut; logits that are mostly positive."""
    x = keras.Input(SHAPE, batch_size=batch_size)
    y = L.ReLU()(L.BatchNormalization()(L.Conv2D(3, 3, padding="same")(x)))
    y = L.MaxPooling2D(2)(L.Add()([y, L.Conv2D(3, 1)(x)]))
    y = L.Dense(5, activation="relu")(L.Dropout(0.5)(L.Flatten()(y)))
    model = randomise(keras.Model(x, L.Dense(3, activation="softmax")(y)), 4)
    model.layers[-1].bias.assign([3.0, 3.0, 3.0])
    return model


def data(n=N, seed=0):
    return rng(seed).normal(size=(n, *SHAPE)).astype("float32")


CLASSES = np.arange(N) % 3


@pytest.fixture(scope="module", params=EACH)
def analyzer(request):
    return create(request.param, network(), neuron_selection_mode="index")


@pytest.fixture(scope="module")
def whole(analyzer):
    """All rows at once."""
    maps = analyzer.analyze(data(), CLASSES)
    assert np.any(maps.reshape(N, -1), axis=1).sum() > N // 2
    return maps


def test_a_batch_is_its_samples(analyzer, whole):
    single = [analyzer.analyze(data()[i : i + 1], int(CLASSES[i])) for i in range(N)]
    assert_alike(np.concatenate(single), whole)


@pytest.mark.parametrize("batch_size", [1, 3, 7, N + 1])
def test_batch_size_makes_no_difference(analyzer, whole, batch_size):
    assert_alike(analyzer.analyze(data(), CLASSES, batch_size=batch_size), whole)


def test_order_makes_no_difference(analyzer, whole):
    order = rng(5).permutation(N)
    assert_alike(analyzer.analyze(data()[order], CLASSES[order], batch_size=3), whole[order])


def test_info_does_not_depend_on_the_batch_size(analyzer):
    infos = [analyzer.analyze(data(), CLASSES, batch_size=b, return_info=True)[1] for b in (2, 32)]
    for key in ("score", "neuron", "sum"):
        assert_alike(infos[0][key].astype("float64"), infos[1][key].astype("float64"))
    assert (infos[0]["gap"] is None) == (infos[1]["gap"] is None)


def test_neither_do_progress_and_a_second_call(analyzer, whole, capsys):
    assert_alike(analyzer.analyze(data(), CLASSES, batch_size=4, progress=True), whole)
    rows = N * analyzer.rows_per_sample
    assert f"{rows}/{rows}" in capsys.readouterr().out


def test_the_class_makes_a_difference(analyzer, whole):
    other = analyzer.analyze(data(), (CLASSES + 1) % 3)
    if analyzer.name in ("input", "random"):
        assert_alike(other, whole)
    else:
        assert_different(other, whole)


def test_one_trace_serves_fifty_images_every_class_and_a_smaller_last_batch(analyzer):
    """The first calls may compile; nothing that comes after them may."""
    analyzer.analyze(data(), CLASSES)
    before = analyzer.core.backward.traces
    assert 0 < before <= 2 + 2  # with or without info, and the scores alone
    images = data(50, seed=1)
    analyzer.analyze(images, rng(2).integers(0, 3, 50), batch_size=8)
    for i in range(50):
        analyzer.analyze(images[i : i + 1], i % 3)
    assert analyzer.core.backward.traces == before


@pytest.mark.parametrize("name", SEEDED)
def test_same_seed_same_answer_other_seed_other_answer(name):
    def maps(seed, batch_size=32):
        fresh = create(name, model, seed=seed, neuron_selection_mode="index")
        return fresh.analyze(data(), CLASSES, batch_size=batch_size)

    model = network()
    assert_alike(maps(1), maps(1), 0)
    assert_alike(maps(1, 3), maps(1))
    assert_different(maps(1), maps(2))


@pytest.mark.parametrize("name", SEEDED)
def test_noise_differs_from_sample_to_sample(name):
    model = network()
    maps = create(name, model, neuron_selection_mode="index").analyze(data(2), 0)
    noise = maps - create("gradient", model, neuron_selection_mode="index").analyze(data(2), 0)
    assert_different(noise[0], noise[1])


def test_analyzers_made_alike_answer_alike(analyzer, whole):
    again = create(analyzer.name, analyzer.model, neuron_selection_mode="index")
    assert_alike(again.analyze(data(), CLASSES), whole, 1e-7)


def test_fixed_batch_size(analyzer, whole):
    """A model that takes four rows only gets four rows, whatever the number of samples."""
    fixed = create(analyzer.name, network(batch_size=4), neuron_selection_mode="index")
    for n, batch_size in ((1, 32), (4, 4), (6, 1), (7, 3), (7, 32)):
        found = fixed.analyze(data()[:n], CLASSES[:n], batch_size=batch_size)
        # Deep Taylor may be silent about the first samples, so the whole sets the scale.
        np.testing.assert_allclose(found, whole[:n], rtol=0, atol=1e-5 * np.abs(whole).max())


@some_analyzers
def test_fixed_batch_size_that_the_code_relies_on(name):
    """A reshape to four rows fails with any other number."""
    x = keras.Input((6,), batch_size=4)
    y = keras.ops.reshape(L.Dense(4, activation="relu")(x), (4, 2, 2))
    model = randomise(keras.Model(x, L.Dense(2)(L.Flatten()(y))))
    rows = rng().normal(size=(6, 6)).astype("float32")
    analyzer = create(name, model)
    six, first = analyzer.analyze(rows), analyzer.analyze(rows[:4])
    assert_alike(six[:4], first)


@some_analyzers
def test_inputs_of_free_size_compile_once_a_size(name):
    x = keras.Input((None, None, 1))
    y = L.GlobalAveragePooling2D()(L.Conv2D(3, 3, activation="relu")(x))
    model = randomise(keras.Model(x, L.Dense(2)(y)), 2)
    analyzer = create(name, model)
    traces = []
    for size in (5, 6, 5, 6):
        maps = analyzer.analyze(np.full((2, size, size, 1), 0.5, "float32"))
        assert maps.shape[1:3] == (size, size)
        traces.append(analyzer.core.backward.traces)
    assert traces[0] < traces[1] == traces[3] == 2 * traces[0]
