"""Trained networks and the families of keras.applications."""

import functools
import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import innexplain
from tests.zoo import real, undisturbed_random_state

from . import NAMES, PATHS, SPATIAL, create, over

GRADIENTS = ("gradient", "sensitivity", "input_t_gradient", "integrated_gradients", "smoothgrad")
SIGNALS = ("deconvnet", "guided_backprop")
PATTERNS = ("pattern.net", "pattern.attribution")


@functools.cache
def _network(name: str, data: Path) -> tuple[keras.Model, np.ndarray, list]:
    """A network, two inputs that it classifies rightly, and the classes that are right for each."""
    if name in ("resnet8", "resnet20"):
        model = getattr(real, name)(data)
        x, labels = real.cifar(data, name, count=40)
        right = np.flatnonzero(model(x, training=False).numpy().argmax(axis=1) == labels)[:2]
        return model, x[right], [(int(k),) for k in labels[right]]
    if name == "squeezenet":
        model, photos = real.squeezenet(data), real.photographs(data)
    else:
        model = real.mobilenet_v2(data, with_bn=name == "mobilenet_v2_bn")
        photos = real.photographs(data, "mobilenet_v2")
    return model, photos.x[:2], list(photos.accepted[:2])


# One small network with convolutions, trained batch norms and shortcuts is enough for every day.
QUICK = "resnet8"
NETWORKS = ("squeezenet", "mobilenet_v2", "mobilenet_v2_bn", QUICK, "resnet20")
each_network = pytest.mark.parametrize(
    "network", [pytest.param(n, marks=() if n == QUICK else pytest.mark.slow) for n in NETWORKS]
)


def _pairs() -> list:
    """The small network with every method, the others with one a code path."""
    return [
        pytest.param(n, a, marks=() if n == QUICK and a in PATHS else pytest.mark.slow, id=f"{n}-{a}")
        for n in NETWORKS
        for a in (NAMES if n == QUICK else PATHS)
    ]


@pytest.mark.parametrize(("network", "name"), _pairs())
def test_network_is_explained(network: str, name: str, shared_data: Path) -> None:
    model, x, accepted = _network(network, shared_data)
    answer, info = create(name, model).analyze(x, return_info=True)
    assert answer.shape == (x.shape[:-1] if name in SPATIAL else x.shape)
    assert np.isfinite(answer).all()
    assert (np.abs(answer).reshape(2, -1).max(axis=1) > 0).all()
    assert all(int(k) in classes for k, classes in zip(info["neuron"], accepted, strict=True))
    logits = model(x, training=False).numpy()
    np.testing.assert_allclose(info["score"], logits.max(axis=1), rtol=1e-3, atol=1e-3)


@each_network
def test_gradient_is_that_of_a_tape(network: str, shared_data: Path) -> None:
    model, x, _ = _network(network, shared_data)
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        score = tf.reduce_max(model(tensor, training=False), axis=1)
    expected = tape.gradient(score, tensor).numpy()
    answer = innexplain.create_analyzer("gradient", model).analyze(x)
    np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


class _Rectified(L.Layer):
    """A ReLU with another derivative, as others write these methods: by `custom_gradient`."""

    def __init__(self, maximum: float | None, gated: bool):
        super().__init__()
        self.maximum, self.gated = maximum, gated

    def call(self, z: Any) -> Any:
        @tf.custom_gradient
        def relu(z: Any) -> Any:
            def back(r: Any) -> Any:
                on = tf.logical_and(z > 0, z < (self.maximum or np.inf))
                return tf.nn.relu(r) * (tf.cast(on, r.dtype) if self.gated else 1.0)

            return tf.clip_by_value(z, 0.0, self.maximum or np.inf), back

        return relu(z)


@over(*SIGNALS)
@each_network
def test_signal_is_that_of_custom_gradients(network: str, name: str, shared_data: Path) -> None:
    model, x, _ = _network(network, shared_data)

    def replaced(layer: Any) -> Any:
        if isinstance(layer, L.ReLU):
            return _Rectified(layer.max_value, name == "guided_backprop")
        fused = getattr(getattr(layer, "activation", None), "__name__", "linear")
        assert fused == "linear", "these networks write their ReLUs as layers"
        return layer.__class__.from_config(layer.get_config())

    with undisturbed_random_state():
        clone = keras.models.clone_model(model, clone_function=replaced)
    clone.set_weights(model.get_weights())
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        score = tf.reduce_max(clone(tensor, training=False), axis=1)
    expected = tape.gradient(score, tensor).numpy()
    answer = innexplain.create_analyzer(name, model).analyze(x)
    np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
@over("gradient", "input_t_gradient", *SIGNALS)
def test_both_mobilenets_are_one_network(name: str, shared_data: Path) -> None:
    """Whether biases stand in convolutions or in batch norms is no part of the function."""
    maps = []
    for network in ("mobilenet_v2", "mobilenet_v2_bn"):
        model, x, _ = _network(network, shared_data)
        maps.append(innexplain.create_analyzer(name, model).analyze(x))
    # A rounding may tip one ReLU in a million: near in the mean, and near at all pixels of one image.
    assert np.linalg.norm(maps[0] - maps[1]) < 2e-3 * np.linalg.norm(maps[0])
    near = np.isclose(maps[0], maps[1], rtol=1e-3, atol=1e-5 * np.abs(maps[0]).max())
    assert near.reshape(2, -1).mean(axis=1).max() > 0.999


RELUS = {"squeezenet": 26, "mobilenet_v2": 35, "mobilenet_v2_bn": 35, "resnet8": 7, "resnet20": 19}


@each_network
def test_every_relu_is_overridden(network: str, shared_data: Path) -> None:
    model, _, _ = _network(network, shared_data)
    overridden = innexplain.create_analyzer("guided_backprop", model).overridden
    assert len(overridden) == RELUS[network]
    assert set(overridden) == {layer.name for layer in model.layers if isinstance(layer, L.ReLU)}


# --- keras.applications --------------------------------------------------------------------------

# module -> its smallest network, the smallest input that it takes
FAMILIES = {
    "convnext": ("ConvNeXtTiny", 64),
    "densenet": ("DenseNet121", 64),
    "efficientnet": ("EfficientNetB0", 64),
    "efficientnet_v2": ("EfficientNetV2B0", 64),
    "inception_resnet_v2": ("InceptionResNetV2", 96),
    "inception_v3": ("InceptionV3", 96),
    "mobilenet": ("MobileNet", 64),
    "mobilenet_v2": ("MobileNetV2", 64),
    "mobilenet_v3": ("MobileNetV3Small", 64),
    "nasnet": ("NASNetMobile", 224),
    "resnet": ("ResNet50", 64),
    "resnet_v2": ("ResNet50V2", 64),
    "vgg16": ("VGG16", 64),
    "vgg19": ("VGG19", 64),
    "xception": ("Xception", 96),
}
OLD_NAMES = {"resnet50", "imagenet_utils"}
NO_RELU_ONLY = {"convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3"}


@functools.lru_cache(maxsize=1)
def _application(family: str) -> keras.Model:
    name, size = FAMILIES[family]
    with undisturbed_random_state():
        return getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)


def test_every_family_is_listed() -> None:
    modules = {name for name, value in vars(keras.applications).items() if inspect.ismodule(value)}
    assert {name for name in modules if not name.startswith("_")} - OLD_NAMES == set(FAMILIES)


@pytest.mark.slow
@over(*PATHS, "deconvnet", "pattern.attribution")
@pytest.mark.parametrize("family", FAMILIES)
def test_family_passes_the_check(family: str, name: str, capsys: Any) -> None:
    model = _application(family)
    check = innexplain.check_model(model, name)
    assert capsys.readouterr().out.rstrip() == str(check)
    assert check.problem is None
    refused = [row for row in check.rows if row.status != "supported"]
    assert all(row.status.startswith("refused: ") and row.rule == "-" for row in refused)
    names = {layer.name for layer in model._flatten_layers()} | {op.name for op in model.operations}
    assert {row.path[-1] for row in check.rows} <= names
    if name in ("input", "random"):
        assert check.rows == ()
    if name in GRADIENTS:
        assert refused == []
        assert len(check.rows) > 20
    if name in SIGNALS + PATTERNS:
        assert bool(refused) == (family in NO_RELU_ONLY)
    if refused:
        with pytest.raises(innexplain.errors.UnsupportedLayerError, match=refused[0].path[-1]):
            innexplain.create_analyzer(name, model)
    else:
        innexplain.create_analyzer(name, model)
