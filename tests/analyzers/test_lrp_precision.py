"""Relevance propagation under mixed precision."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from tests.analyzers.test_lrp import explain, inputs
from tests.zoo import randomise


def test_mixed_precision_stays_close_to_single():
    def build(policy):
        dtype = keras.DTypePolicy(policy)
        model = keras.Sequential(
            [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu", dtype=dtype),
             layers.BatchNormalization(dtype=dtype), layers.GlobalAveragePooling2D(dtype=dtype),
             layers.Dense(3, dtype=dtype)]
        )  # fmt: skip
        randomise(model, 0)
        return model

    x = inputs()
    expected, _, _ = explain("lrp.epsilon", build("float32"), x)
    found, _, _ = explain("lrp.epsilon", build("mixed_float16"), x)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= 0.02 * np.abs(expected).max()
