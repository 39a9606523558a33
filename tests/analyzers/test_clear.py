"""CLEAR against its equation, written out in NumPy, and what follows from it."""

import functools

import keras
import numpy as np
import pytest
from keras import layers as L

import innexplain
from innexplain.errors import (
    AddressError,
    ArgumentError,
    InputError,
    ModelError,
    UnknownNameError,
    UnsupportedLayerError,
)
from tests.naive_clear import project
from tests.zoo import randomise

from . import assert_alike, rng

pytestmark = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")
SHAPE = (9, 8, 2)


@functools.cache
def chain(pooled=True, last_relu=False, dtype="float64"):
    """Convolution, ReLU, max-pool, convolution, global average pooling, softmax."""
    x = keras.Input(SHAPE, dtype=dtype)
    y = L.Conv2D(5, 3, padding="same", activation="relu", dtype=dtype)(x)
    y = L.MaxPooling2D(2, dtype=dtype)(y) if pooled else y
    y = L.Conv2D(4, 2, activation="relu" if last_relu else None, dtype=dtype)(y)
    y = L.GlobalAveragePooling2D(dtype=dtype)(y)
    return randomise(keras.Model(x, L.Softmax(dtype=dtype)(y)), 3)


def data(n=3, shape=SHAPE, dtype="float64"):
    return rng(1).normal(size=(n, *shape)).astype(dtype)


def create(model, **kwargs):
    return innexplain.create_analyzer("clear", model, **kwargs)


# --- Equation 3 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pooled", "last_relu", "rectify"),
    [(False, False, False), (False, True, True), (True, False, True), (True, True, False)],
)
def test_equation_3_written_out(pooled, last_relu, rectify):
    model, x = chain(pooled, last_relu), data()
    maps = create(model, rectify=rectify).maps(x)
    expected = np.stack(
        [np.stack([project(model, row, c, rectify).sum(-1) for c in range(4)], axis=-1) for row in x]
    )
    assert maps.response.dtype == np.dtype("float64")
    np.testing.assert_allclose(maps.response, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("reduction", ["max", "norm"])
def test_channels_may_be_reduced_otherwise(reduction):
    model, x = chain(), data(2)
    reduce = {"max": lambda r: r.max(-1), "norm": lambda r: np.linalg.norm(r, axis=-1)}[reduction]
    maps = create(model, channel_reduction=reduction).maps(x)
    expected = np.stack([np.stack([reduce(project(model, r, c)) for c in range(4)], axis=-1) for r in x])
    np.testing.assert_allclose(maps.response, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_classes_add_up_to_the_projection_of_the_whole_layer():
    """Without rectification the projection is linear in what it starts from."""
    model, x = chain(), data()
    maps = create(model).maps(x)
    whole = np.stack([project(model, row, None).sum(-1) for row in x])
    np.testing.assert_allclose(maps.response.sum(-1), whole, rtol=0, atol=1e-9 * np.abs(whole).max())


def test_rectified_it_is_the_deconvnet_started_from_that_kernel():
    model, x = chain(dtype="float32"), data(dtype="float32")
    maps = create(model, rectify=True).maps(x)
    last = model.layers[-3]
    z = keras.Model(model.input, last.output)(x).numpy()
    deconvnet = innexplain.create_analyzer("deconvnet", model, output=last, neuron_selection_mode="weights")
    for c in range(4):
        found = deconvnet.analyze(x, z * np.eye(4)[c]).sum(-1)
        assert_alike(maps.response[..., c], found)


def test_dense_heads_start_from_the_class_score():
    """`R(x|c) = z_c dz_c/dx` where there is no ReLU to pass: the score's own channel, all others masked."""
    x = keras.Input((6, 6, 2))
    y = L.Flatten()(L.MaxPooling2D(2)(L.Conv2D(3, 3)(x)))
    model = randomise(keras.Model(x, L.Dense(4, activation="softmax")(y)), 2)
    rows = data(3, (6, 6, 2), "float32")
    maps = create(model).maps(rows)
    gradient = innexplain.create_analyzer("gradient", model, neuron_selection_mode="index")
    for c in range(4):
        slope, info = gradient.analyze(rows, c, return_info=True)
        assert_alike(maps.response[..., c], slope.sum(-1) * info["score"][:, None, None])


# --- What it answers -----------------------------------------------------------------------------


def test_dominant_is_the_largest():
    maps = create(chain(dtype="float32")).maps(data(dtype="float32"))
    place = maps.response.argmax(-1)
    np.testing.assert_array_equal(maps.dominant_class, place)
    np.testing.assert_array_equal(maps.dominant_response, maps.response.max(-1))
    np.testing.assert_array_equal(maps.classes, np.tile(np.arange(4), (3, 1)))


def test_analyze_gives_the_dominant_response_and_by_index_that_of_a_class():
    model, x = chain(dtype="float32"), data(dtype="float32")
    maps = create(model).maps(x)
    answer, info = create(model).analyze(x, return_info=True)
    np.testing.assert_array_equal(answer, maps.dominant_response)
    logits = innexplain.model_wo_softmax(model)(x).numpy()
    np.testing.assert_array_equal(info["neuron"], logits.argmax(-1))
    np.testing.assert_allclose(info["score"], logits.max(-1), rtol=1e-5)
    one, info = create(model, neuron_selection_mode="index").analyze(x, [2, 0, 3], return_info=True)
    assert_alike(one, np.stack([maps.response[i, ..., c] for i, c in enumerate((2, 0, 3))]))
    np.testing.assert_allclose(info["score"], logits[range(3), [2, 0, 3]], rtol=1e-5)


def test_info_tells_the_prediction_whatever_classes_are_compared():
    model, x = chain(dtype="float32"), data(dtype="float32")
    logits = innexplain.model_wo_softmax(model)(x).numpy()
    loser = int(np.bincount(logits.argmin(-1)).argmax())
    for kwargs in ({"classes": [loser]}, {"classes": [loser], "response": "gradient"}):
        info = create(model, **kwargs).analyze(x, return_info=True)[1]
        np.testing.assert_array_equal(info["neuron"], logits.argmax(-1))
        np.testing.assert_allclose(info["score"], logits.max(-1), rtol=1e-5)


@functools.cache
def every_class(response):
    return create(chain(dtype="float32"), response=response).maps(data(dtype="float32"))


@pytest.mark.parametrize(
    ("response", "batch_size"), [*(("deconvolution", n) for n in (1, 2, 5, 8, 32)), ("lrp.epsilon", 2)]
)
def test_class_lists_and_top_k_for_any_batch_size(batch_size, response):
    """Also where the classes of one image do not fit into one call, and do not fill the last one."""
    model, x, every = chain(dtype="float32"), data(dtype="float32"), every_class(response)
    logits = innexplain.model_wo_softmax(model)(x).numpy()
    top = create(model, top_k=3, response=response).maps(x, batch_size=batch_size)
    np.testing.assert_array_equal(top.classes, np.argsort(-logits, axis=-1)[:, :3])
    chosen = np.take_along_axis(every.response, top.classes[:, None, None, :], axis=-1)
    assert_alike(top.response, chosen)
    listed = create(model, classes=[3, 1], response=response).maps(x, batch_size=batch_size)
    assert_alike(listed.response, every.response[..., [3, 1]])
    np.testing.assert_array_equal(listed.dominant_class, np.array([3, 1])[listed.response.argmax(-1)])


@pytest.mark.compiled
def test_one_forward_sweep_and_one_trace_for_all_classes():
    model, x = chain(dtype="float32"), data(5, dtype="float32")
    analyzer = create(model)
    analyzer.maps(x, batch_size=8)
    analyzer.maps(x[:1], batch_size=8)
    analyzer.analyze(x[:3], batch_size=8)
    assert analyzer.network.runner.traces == 1


def test_kernels_that_look_at_known_corners():
    """Kernel k copies corner k of the image: class k dominates there, and nowhere else is a class."""
    corners = [(0, 0), (0, 5), (5, 0), (5, 5)]
    kernel = np.zeros((6, 6, 1, 4), "float32")
    for k, (row, column) in enumerate(corners):
        kernel[row, column, 0, k] = 1.0
    x = keras.Input((6, 6, 1))
    conv = L.Conv2D(4, 6, use_bias=False)
    model = keras.Model(x, L.Softmax()(L.GlobalAveragePooling2D()(conv(x))))
    conv.set_weights([kernel])
    image = np.arange(1.0, 37.0).reshape(1, 6, 6, 1).astype("float32")
    maps = create(model).maps(image)
    for k, (row, column) in enumerate(corners):
        assert maps.dominant_class[0, row, column] == k
        assert maps.dominant_response[0, row, column] == image[0, row, column, 0]
    assert maps.has_class.sum() == 4
    assert not maps.dominant_response[~maps.has_class].any()


def test_ties_and_places_without_positive_response_have_no_class():
    response = np.array([[[1.0, 1.0, 0.0], [0.0, -1.0, -2.0], [-3.0, -1.0, -2.0], [0.0, 2.0, 1.0]]])
    maps = innexplain.ClearMaps.of(response, np.array([[5, 8, 2]]))
    assert maps.has_class.tolist() == [[False, False, False, True]]
    assert maps.dominant_class.tolist() == [[5, 5, 8, 8]]


@pytest.mark.parametrize(
    ("response", "classes"),
    [(np.zeros((2, 4, 3)), [[0, 1, 2]]), (np.zeros((2, 3)), [[0, 1, 2]] * 2), (np.zeros((1, 4, 1)), [[0.5]])],
)
def test_maps_put_together_by_hand_are_checked(response, classes):
    with pytest.raises(InputError, match="numbers of these classes"):
        innexplain.ClearMaps.of(response, classes)
    with pytest.raises(InputError, match="different classes for each sample"):
        innexplain.ClearMaps.of(np.zeros((2, 4, 2)), [[0, 1], [3, 3]])


# --- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"classes": [0, 4]}, ArgumentError, "between 0 and 3.*4 classes.*0, 4"),
        ({"classes": [-1]}, ArgumentError, "between 0 and 3"),
        ({"classes": [1, 1]}, ArgumentError, "different numbers"),
        ({"classes": []}, ArgumentError, "list of ints"),
        ({"classes": 2}, ArgumentError, "list of ints.*2"),
        ({"classes": [0.5]}, ArgumentError, "list of ints"),
        ({"classes": [[0], [1, 2]]}, ArgumentError, "list of ints"),
        ({"top_k": 5}, ArgumentError, "at most 4.*top_k=5"),
        ({"top_k": 0}, ArgumentError, "top_k must be an int of at least 1"),
        ({"rectify": 1}, ArgumentError, "rectify must be True or False"),
        ({"channel_reduction": "mean"}, UnknownNameError, "'sum', 'max', 'norm'.*mean"),
        ({"response": "lrp.epsilom"}, UnknownNameError, "response.*Did you mean.*'lrp.epsilon'"),
        ({"response": 3}, UnknownNameError, "response.*3"),
        ({"response": "random"}, ArgumentError, "one class after the other.*'random'"),
        ({"response": "gradient", "rectify": True}, ArgumentError, "belong to response='deconvolution'"),
        ({"response": "gradient", "layer": "conv2d"}, ArgumentError, "belong to response='deconvolution'"),
        ({"layer": 1}, ArgumentError, r"layer must be a layer.*model\.layers\[1\]"),
        ({"layer": "no such layer"}, AddressError, "no such layer"),
        ({"layer": ("no", "such")}, AddressError, "no"),
        ({"layer": "conv2d", "output": 0}, ArgumentError, "give one of them"),
        ({"neuron_selection_mode": "all"}, ArgumentError, "single classes.*all"),
    ],
)
def test_refusals(kwargs, error, words):
    with pytest.raises(error, match=f"(?s){words}"):
        create(chain(dtype="float32"), **kwargs)


def test_a_class_asked_for_must_be_one():
    analyzer = create(chain(dtype="float32"), neuron_selection_mode="index")
    with pytest.raises(ArgumentError, match=r"between 0 and 3.*4"):
        analyzer.analyze(data(1, dtype="float32"), 4)


def test_a_response_analyzer_of_another_model():
    other = innexplain.create_analyzer("gradient", chain(pooled=False, dtype="float32"))
    with pytest.raises(ArgumentError, match="response explains another model"):
        create(chain(dtype="float32"), response=other)


@pytest.mark.parametrize("units", [1, (4, 4, 3)])
def test_models_without_one_number_a_class(units):
    x = keras.Input((6, 6, 2))
    y = L.Dense(1)(L.Flatten()(x)) if units == 1 else L.Conv2D(3, 3)(x)
    with pytest.raises(ModelError, match=r"compares classes.*layer="):
        create(keras.Model(x, y))


def test_other_non_linearities_are_refused_as_in_the_deconvnet():
    x = keras.Input((6, 6, 2))
    y = L.GlobalAveragePooling2D()(L.Conv2D(3, 3)(L.Conv2D(3, 3, activation="tanh", name="bent")(x)))
    model = randomise(keras.Model(x, y))
    with pytest.raises(UnsupportedLayerError, match=r"(?s)clear.*bent.*response='lrp.epsilon'"):
        create(model)
    assert not innexplain.check_model(model, "clear").ok
    rows = data(1, (6, 6, 2), "float32")
    assert create(model, unsupported="gradient").maps(rows).response.any()
    assert create(model, response="lrp.epsilon").maps(rows).response.any()
