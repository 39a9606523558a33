"""Relevance propagation on every family of keras.applications, with batch norms that matter."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

import innexplain

pytestmark = pytest.mark.slow

FAMILIES = (
    "VGG16", "ResNet50", "ResNet50V2", "InceptionV3", "InceptionResNetV2", "Xception", "MobileNet",
    "MobileNetV2", "MobileNetV3Small", "DenseNet121", "NASNetMobile", "EfficientNetB0", "EfficientNetV2B0",
    "ConvNeXtTiny",
)  # fmt: skip
METHODS = ("lrp.epsilon", "lrp.sequential_preset_a", "deep_taylor")


def calibrated(family):
    """A random network whose batch norms fit its data, then moved a little, so that they matter."""
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, family)(weights=None, classes=10, input_shape=(96, 96, 3))
    rng = np.random.default_rng(0)
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    if norms:
        model(rng.normal(size=(8, 96, 96, 3)).astype("float32"), training=True)
    for layer in norms:
        deviation = np.sqrt(np.asarray(layer.moving_variance))
        shape = deviation.shape
        layer.moving_mean.assign_add(rng.normal(size=shape) * 0.1 * deviation)
        if layer.center:
            layer.beta.assign(rng.normal(size=shape) * 0.1)
        if layer.scale:
            layer.gamma.assign(rng.uniform(0.8, 1.2, shape))
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_families_run_and_account_for_their_gap(family):
    model = calibrated(family)
    x = np.random.default_rng(1).normal(size=(1, 96, 96, 3)).astype("float32")
    for name in METHODS:
        core = innexplain.create_analyzer(name, model).network
        data = core.target.data(None, 1, (10,))
        answer = core.backward.recorded([ops.convert_to_tensor(x)], ops.convert_to_tensor(data), ())
        relevance = ops.convert_to_numpy(answer["relevance"][0])
        score = float(answer["score"][0])
        promised = max(score, 0.0) if name == "deep_taylor" else score
        absorbed = sum(float(ops.sum(a)) for a in answer["absorbed"].values())
        travelled = max(float(ops.max(ops.abs(r))) for r in answer["sums"].values())
        print(f"{family:20s} {name:25s} score {score:9.4f} gap {promised - relevance.sum():11.4f} "
              f"absorbed {absorbed:11.4f} largest {np.abs(relevance).max():.3g}")  # fmt: skip
        assert np.isfinite(relevance).all()
        assert relevance.any()
        unexplained = abs(promised - relevance.sum(dtype="float64") - absorbed)
        assert unexplained <= 0.01 * abs(promised) + 1e-3 * travelled + 1e-5 * np.abs(relevance).sum()
