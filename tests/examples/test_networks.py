"""The networks of examples/clear_paper against tables 2 to 4 of the paper, written out row by row."""

from functools import cache

import keras
import networks
import numpy as np
import pytest

# (kernel, kernels) of a convolution, "pool" for max pooling of 2 x 2 with stride 2; the paper's order.
MNIST = [(3, 32), (3, 32), (3, 32), (3, 32), "pool", (3, 64), (1, 10)]
SVHN = [
    *[(3, 32), (3, 32), (3, 32), "pool"],
    *[(3, 64), (3, 64), (3, 64), "pool"],
    *[(3, 128), (1, 128), (1, 10)],
]
DOGS = [
    *[(3, 64), (3, 64), "pool", (3, 128), (3, 128), "pool"],
    *[(3, 256), (3, 256), (3, 256), "pool", (3, 512), (3, 512), (3, 512), "pool"],
    *[(3, 512), (3, 512), (3, 512), "pool", (3, 512), (1, 512), (1, 10)],
]
BUILDERS = {
    "mnist": (networks.mnist_network, MNIST, (28, 28, 1)),
    "svhn": (networks.svhn_network, SVHN, (32, 32, 3)),
    "dogs": (networks.dogs_network, DOGS, (224, 224, 3)),
}


@cache
def network(name):
    return BUILDERS[name][0]()


@pytest.fixture(scope="module", params=BUILDERS)
def built(request):
    _, table, shape = BUILDERS[request.param]
    return network(request.param), table, shape


def rows_of(model):
    """The table that a model would have."""
    rows = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert layer.kernel_size == (layer.kernel_size[0],) * 2 and layer.strides == (1, 1)
            rows.append((layer.kernel_size[0], layer.filters))
        elif isinstance(layer, keras.layers.MaxPooling2D):
            assert layer.pool_size == (2, 2) and layer.strides == (2, 2)
            rows.append("pool")
    return rows


def weights_of(table, channels):
    """kernel x kernel x channels x kernels, and a bias each."""
    total = 0
    for row in table:
        if row != "pool":
            size, kernels = row
            total += size * size * channels * kernels + kernels
            channels = kernels
    return total


def test_layers_are_those_of_the_table(built):
    model, table, shape = built
    assert rows_of(model) == table
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds[0] == "InputLayer"
    assert kinds[-2:] == ["GlobalAveragePooling2D", "Softmax"]
    assert len(kinds) == len(table) + 3  # nothing else: no dropout, no batch norm
    assert model.input_shape == (None, *shape)


def test_weights_are_as_many_as_the_table_says(built):
    model, table, shape = built
    assert model.count_params() == weights_of(table, shape[-1])


def test_weights_counted_by_hand():
    assert weights_of(MNIST, 1) == 320 + 3 * 9_248 + 18_496 + 650 == 47_210
    assert weights_of(SVHN, 3) == 896 + 2 * 9_248 + 18_496 + 2 * 36_928 + 73_856 + 16_512 + 1_290 == 203_402
    # VGG16 without its dense layers has 14,714,688.
    assert weights_of(DOGS, 3) == 14_714_688 + 2_359_808 + 262_656 + 5_130


def test_all_convolutions_but_the_last_have_relu(built):
    model = built[0]
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.activation.__name__ for layer in convolutions[:-1]] == ["relu"] * (len(convolutions) - 1)
    assert convolutions[-1].activation.__name__ == "linear"


@pytest.mark.parametrize("build", [networks.mnist_network, networks.svhn_network, networks.dogs_network])
def test_relu_behind_the_last_convolution_if_asked_for(build):
    assert build(last_relu=True).get_layer("classes").activation.__name__ == "relu"


@pytest.mark.parametrize("last_relu", [False, True])
def test_classes_are_the_softmax_of_mean_responses(last_relu):
    model = networks.mnist_network(last_relu=last_relu)
    x = np.random.default_rng(0).random((3, 28, 28, 1), "float32")
    responses = np.asarray(keras.Model(model.input, model.get_layer("classes").output)(x))
    assert responses.shape == (3, 14, 14, 10)  # nothing is cut off at the border
    assert (responses.min() >= 0) == last_relu
    raised = np.exp(responses.mean(axis=(1, 2), dtype="float64"))
    expected = raised / raised.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model(x), expected, rtol=1e-5)


def test_body_of_dogs_is_vgg16_by_name_and_takes_its_weights(tmp_path):
    vgg = keras.applications.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    path = tmp_path / "vgg16.weights.h5"
    vgg.save_weights(path)
    model = networks.dogs_network(classes=4, weights=str(path))
    names = [layer.name for layer in vgg.layers[1:]]
    assert [layer.name for layer in model.layers[1:19]] == names
    for name in ("block1_conv1", "block5_conv3"):
        for mine, theirs in zip(model.get_layer(name).weights, vgg.get_layer(name).weights, strict=True):
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    assert model.output_shape == (None, 4)
    # The body stays as it was trained; the end is what the paper trains.
    assert [layer.name for layer in model.layers if layer.trainable_weights] == [
        layer.name for layer in model.layers[19:22]
    ]
    assert len(model.trainable_weights) == 6


def test_all_of_an_untrained_body_is_trained():
    assert len(network("dogs").trainable_weights) == 2 * (13 + 3)
