"""Relevance propagation on trained networks: what their batch norms and biases do to it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zoo import real

from . import create


def explain(name, model, x):
    """Relevance, the explained score, and what biases and epsilon absorbed."""
    relevance, info = create(name, model).analyze(x, return_info=True)
    return relevance, info["score"], sum(info["absorbed"].values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lrp.epsilon", "lrp.sequential_preset_a", "deep_taylor"])
def test_folded_and_separate_batch_norms_give_the_same_map(shared_data, name):
    x = real.photographs(shared_data, "mobilenet_v2").x[:1]
    folded, score, _ = explain(name, real.mobilenet_v2(shared_data), x)
    separate, same_score, _ = explain(name, real.mobilenet_v2(shared_data, with_bn=True), x)
    np.testing.assert_allclose(score, same_score, rtol=1e-4)
    # The two networks round their weights differently, and epsilon divides by what nearly cancels.
    assert np.linalg.norm(folded - separate) <= 1e-4 * np.linalg.norm(folded)
    assert np.abs(folded - separate).max() <= 3e-4 * np.abs(folded).max()
    assert folded.any()


# One small network and one method are enough for every day.
QUICK = ("resnet8", "lrp.epsilon")
PAIRS = [
    pytest.param(network, name, marks=() if (network, name) == QUICK else pytest.mark.slow)
    for network in ("resnet8", "resnet20")
    for name in ("lrp.epsilon", "lrp.alpha_2_beta_1", "lrp.epsilon_gamma_box", "deep_taylor")
]


@pytest.mark.parametrize(("network", "name"), PAIRS)
def test_trained_batch_norms_account_for_the_gap(shared_data, network, name):
    x = real.cifar(shared_data, network, count=4)[0]
    relevance, score, absorbed = explain(name, getattr(real, network)(shared_data), x)
    promised = np.maximum(score, 0) if name == "deep_taylor" else score
    assert np.isfinite(relevance).all()
    assert relevance.any()
    total = relevance.sum(axis=(1, 2, 3), dtype="float64")
    slack = 1e-3 * np.abs(promised) + 1e-4 * np.abs(relevance).sum(axis=(1, 2, 3))
    assert (np.abs(total + absorbed - promised) <= slack).all()
    assert (np.abs(relevance).sum(axis=(1, 2, 3)) <= 1000 * np.abs(score)).all()
