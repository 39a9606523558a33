"""As users have it: what analyzers do is compiled once, and answers as it does eagerly."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers as L

from tests.eagerly import eagerly
from tests.zoo import randomise
from tests.zoo.models import MODELS

from . import NAMES, SPATIAL, assert_alike, assert_different, create, over, rng, shared, traces
from .networks import CLASSES, IMAGES, A, B, images, tables
from .snapshots import global_snapshot, snapshot

pytestmark = pytest.mark.compiled


@contextlib.contextmanager
def other_weights(model):
    """Inside, every weight of a model is another."""
    weights = model.get_weights()
    model.set_weights([w * 0.8 + 0.05 for w in weights])
    try:
        yield
    finally:
        model.set_weights(weights)


@over(*NAMES)
def test_compiled_once_a_name_answers_as_it_does_eagerly(name):
    """As users have it: one trace for every class and number of rows, and weights are read when it runs."""
    before, shared_before = snapshot(images()), global_snapshot()
    analyzer = shared(name, images, neuron_selection_mode="index")

    def answers():
        with eagerly():
            expected = analyzer.analyze(IMAGES, CLASSES)
        assert_alike(analyzer.analyze(IMAGES, CLASSES), expected)
        return expected

    maps = answers()
    assert maps.shape == (IMAGES.shape[:-1] if name in SPATIAL else IMAGES.shape)
    compiled, order = traces(analyzer), np.array([2, 0, 3, 1])
    assert_alike(analyzer.analyze(IMAGES[order], CLASSES[order], batch_size=3), maps[order])
    assert_alike(analyzer.analyze(IMAGES[:1], int(CLASSES[0])), maps[:1])
    with other_weights(images()):
        after = answers()
    if name not in ("input", "random"):
        assert_different(after, maps)
    assert traces(analyzer) == compiled > 0
    assert snapshot(images()) == before
    assert global_snapshot() == shared_before


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


@pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")
@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("conv_1d", "lrp.alpha_2_beta_1"),
        ("conv_3d", "lrp.gamma"),
        ("u_net", "lrp.epsilon"),
        ("token_two_inputs", "clear"),
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
