"""CLEAR on models of every form: where class maps are found, nested and shared layers, other ranks."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L
from keras import ops

from tests.zoo import randomise, real

from . import assert_alike, assert_different
from .clear_cases import SHAPE, body, create, data, shared, through

pytestmark = pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning")
HEADS = {
    "GlobalAveragePooling2D": lambda y: L.GlobalAveragePooling2D()(y),
    "keepdims, Reshape": lambda y: L.Reshape((4,))(L.GlobalAveragePooling2D(keepdims=True)(y)),
    "keepdims, Flatten, Dropout": lambda y: L.Dropout(0.5)(
        L.Flatten()(L.GlobalAveragePooling2D(keepdims=True)(y))
    ),
    "ops.mean": lambda y: ops.mean(y, axis=(1, 2)),
    "ops.mean, keepdims, squeeze": lambda y: ops.squeeze(ops.mean(y, axis=[-3, -2], keepdims=True), (1, 2)),
    "ops.mean, one axis after the other": lambda y: ops.mean(ops.mean(y, axis=1), axis=1),
    "temperature": lambda y: L.GlobalAveragePooling2D()(y) / 2.0,
    "temperature of kept axes": lambda y: ops.squeeze(
        ops.mean(y, axis=(1, 2), keepdims=True) * np.full((1, 1, 1, 4), 0.5, "float32"), (1, 2)
    ),
    "Rescaling": lambda y: L.Rescaling(0.5)(L.GlobalAveragePooling2D()(y)),
    "AveragePooling2D, Flatten": lambda y: L.Flatten()(L.AveragePooling2D(2)(y)),
}


ENDED = [(head, bool(i % 2)) for i, head in enumerate(HEADS)] + [("GlobalAveragePooling2D", True)]


@pytest.mark.parametrize(("head", "softmax"), ENDED)
def test_class_maps_are_found_in_every_spelling(head, softmax):
    """All give what the plain spelling gives; `layer=` gives it, too."""
    plain = shared()
    expected, y = create(plain).maps(data()), HEADS[head](plain.get_layer("last").output)
    model = keras.Model(plain.inputs[0], L.Softmax()(y) if softmax else y)
    found, told = create(model), create(model, layer="last")
    assert_alike(found.maps(data()).response, expected.response)
    assert_alike(told.maps(data()).response, expected.response)
    assert found.network.start.slot == told.network.start.slot


@pytest.mark.parametrize(
    "head",
    [
        lambda y: L.Dense(4)(L.GlobalAveragePooling2D()(y)),
        lambda y: L.GlobalMaxPooling2D()(y),
        lambda y: ops.flip(ops.mean(y, axis=(1, 2)), axis=1),
        lambda y: ops.mean(y, axis=(1, 2)) * -2.0,
        lambda y: ops.mean(y, axis=(1, 2)) * np.array([1.0, 2.0, 1.0, 1.0], "float32"),
        lambda y: L.Rescaling(0.5, offset=0.1)(ops.mean(y, axis=(1, 2))),
    ],
    ids=["Dense", "max", "flipped", "negative", "one factor a class", "shifted"],
)
def test_other_heads_start_from_the_scores(head):
    x = keras.Input(SHAPE)
    model = randomise(keras.Model(x, L.Softmax()(head(through(body(), x)))), 2)
    analyzer = create(model)
    assert analyzer.network.canonical.graph.values[analyzer.network.start.slot].shape == (None, 4)
    assert analyzer.maps(data()).response.any()


def test_the_relu_behind_the_last_convolution_belongs_to_it():
    x = keras.Input(SHAPE)
    y = L.ReLU(name="gate")(through(body(), x))
    model = randomise(keras.Model(x, L.GlobalAveragePooling2D()(y)), 2)
    assert_alike(create(model).maps(data()).response, create(model, layer="gate").maps(data()).response)
    assert_different(create(model).maps(data()).response, create(model, layer="last").maps(data()).response)


def test_channels_of_any_layer():
    """Of an inner layer, its kernels are the classes; the most activated ones have the largest mean."""
    x = keras.Input(SHAPE)
    model = randomise(keras.Model(x, L.Dense(2)(L.Flatten()(through(body(), x)))), 2)
    first = model.get_layer("first")
    z = keras.Model(x, first.output)(data()).numpy()
    maps = create(model, layer=first, top_k=2).maps(data())
    np.testing.assert_array_equal(maps.classes, np.argsort(-z.mean((1, 2)), axis=-1)[:, :2])
    kernel = first.get_weights()[0]
    for i, c in enumerate(maps.classes[0]):
        kept = tf.constant(z[:1] * (np.arange(5) == c).astype("float32"))
        down = tf.nn.conv2d_transpose(kept, kernel, (1, *SHAPE), 1, "VALID").numpy().sum(-1)
        assert_alike(maps.response[:1, ..., i], down)
    one = create(model, layer="first", neuron_selection_mode="index").analyze(data(), 4)
    assert_alike(one, create(model, layer="first", classes=[4]).maps(data()).response[..., 0])


def test_nested_is_inlined_and_shared_is_copied():
    x, layers = keras.Input(SHAPE), body()
    z = through(layers, x)
    flat = randomise(keras.Model(x, L.Softmax()(L.GlobalAveragePooling2D()(z))), 2)
    inner = keras.Model(x, z, name="inner")
    nested = keras.Model(x, L.Softmax()(L.GlobalAveragePooling2D()(inner(x))))
    expected = create(flat).maps(data())
    assert_alike(create(nested).maps(data()).response, expected.response)
    copy = keras.models.clone_model(inner)
    copy = keras.Model(copy.inputs, copy.outputs[0], name="copy")
    copy.set_weights(inner.get_weights())
    shared, copied = (
        keras.Model(x, L.GlobalAveragePooling2D()(L.Add()([inner(x), other(-x)]))) for other in (inner, copy)
    )
    found = create(shared).maps(data()).response
    assert_alike(found, create(copied).maps(data()).response)
    assert_different(found, expected.response)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_any_rank(rank):
    """A batch norm and a shortcut on the way; the class maps add up."""
    d, shape = f"{rank}D", (6,) * rank + (2,)
    conv, pool = getattr(L, f"Conv{d}"), getattr(L, f"GlobalAveragePooling{d}")
    x = keras.Input(shape)
    y = L.ReLU()(L.BatchNormalization()(conv(3, 3, padding="same")(x)))
    z = conv(4, 2, name="last")(L.Add()([y, conv(3, 1)(x)]))
    model = randomise(keras.Model(x, L.Softmax()(pool()(z))), 2)
    rows = data(2, shape)
    maps = create(model).maps(rows, batch_size=3)
    assert maps.response.shape == (2, *shape[:-1], 4)
    assert maps.dominant_class.shape == maps.has_class.shape == (2, *shape[:-1])
    for c in (0, 3):
        assert_alike(create(model, classes=[c]).maps(rows).response[..., 0], maps.response[..., c])


def test_channels_first():
    """Told by the layers; only the shapes differ, and a transposed model gives the same."""
    last, first = keras.Input(SHAPE), keras.Input((2, 8, 8))
    layers = body()
    z = through(layers, last)
    model = randomise(keras.Model(last, L.GlobalAveragePooling2D()(z)), 2)
    moved = through(layers, L.Permute((2, 3, 1))(first))
    pooled = L.GlobalAveragePooling2D(data_format="channels_first")(L.Permute((3, 1, 2))(moved))
    other = create(keras.Model(first, pooled))
    start, graph = other.network.start, other.network.canonical.graph
    assert (start.axis, graph.values[start.slot].shape) == (1, (None, 4, 2, 2))
    found = other.maps(np.moveaxis(data(), -1, 1)).response
    expected = create(model).maps(data()).response
    assert_alike(found.sum((1, 2)), expected.sum((1, 2)))


def test_frames_that_are_rows_for_a_while():
    """Then rows must not be repeated; without ReLUs, the gradient of the masked maps is the reference."""
    x = keras.Input((4, 8, 8, 3))
    y = L.MaxPooling2D(2)(L.Conv2D(4, 3)(ops.reshape(x, (-1, 8, 8, 3))))
    z = L.Conv3D(3, 1)(ops.reshape(y, (-1, 4, 3, 3, 4)))
    model = randomise(keras.Model(x, L.Softmax()(L.GlobalAveragePooling3D()(z))), 2)
    rows = data(2, (4, 8, 8, 3))
    found = [create(model).maps(rows, batch_size=n).response for n in (1, 2, 3, 32)]
    to_maps, v = keras.Model(x, z), tf.constant(rows)
    for c in range(3):
        with tf.GradientTape() as tape:
            tape.watch(v)
            own = to_maps(v)[..., c]
            half = tf.reduce_sum(own * tf.stop_gradient(own))
        expected = tape.gradient(half, v).numpy().sum(-1)
        for response in found:
            assert_alike(response[..., c], expected)


@pytest.mark.parametrize("form", ["fixed batch", "samples on another axis"])
def test_models_whose_rows_cannot_be_repeated(form):
    """Then one class after the other goes backwards, of as many rows as the model takes."""
    x = keras.Input((6,), batch_size=4 if form == "fixed batch" else None)
    y = L.Dense(5, activation="relu", name="inner")(x)
    if form != "fixed batch":
        y = ops.transpose(ops.transpose(y, (1, 0)) * np.arange(1.0, 6.0, dtype="float32")[:, None], (1, 0))
    model = randomise(keras.Model(x, L.Dense(3)(y)), 2)
    analyzer = create(model)
    assert not analyzer.network.backward.repeatable
    maps = analyzer.maps(data(6, (6,)))
    for c in range(3):
        one = create(model, neuron_selection_mode="index").analyze(data(6, (6,)), c)
        assert_alike(maps.response[..., c], one)


@pytest.mark.slow
@pytest.mark.compiled
def test_the_predicted_class_dominates_inside_the_object(shared_data):
    """SqueezeNet on photographs: more often inside the box than outside in most, by weight in all but one."""
    model, photos = real.squeezenet(shared_data, softmax=True), real.photographs(shared_data)
    maps = create(model).maps(photos.x)
    assert maps.classes.shape == (5, 10)
    predicted = model.predict_on_batch(photos.x).argmax(-1)
    np.testing.assert_array_equal(maps.classes[:, 0], predicted)
    more = []
    for i, boxes in enumerate(photos.boxes):
        inside = np.zeros(maps.has_class.shape[1:], bool)
        for left, top, right, bottom in np.rint(boxes).astype(int).clip(0):
            inside[top:bottom, left:right] = True
        own = (maps.dominant_class[i] == predicted[i]) & maps.has_class[i]
        more.append(own[inside].mean() > own[~inside].mean())
    assert sum(more) >= 4


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_a_temperature_in_any_precision(dtype):
    x = keras.Input(SHAPE, dtype=dtype)
    y = L.GlobalAveragePooling2D(dtype=dtype)(L.Conv2D(3, 3, dtype=dtype, name="last")(x))
    model = randomise(keras.Model(x, L.Softmax(dtype=dtype)(L.Rescaling(0.5, dtype=dtype)(y / 2.0))), 2)
    assert create(model).starts_at == "last [linear]"
