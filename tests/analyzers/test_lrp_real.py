"""Relevance propagation on trained networks: what their batch norms and biases do to it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.analyzers.test_lrp import explain
from tests.zoo import real


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


@pytest.mark.parametrize("network", ["resnet20", "resnet8"])
@pytest.mark.parametrize(
    "name", ["lrp.epsilon", "lrp.alpha_2_beta_1", "lrp.epsilon_gamma_box", "deep_taylor"]
)
def test_trained_batch_norms_account_for_the_gap(shared_data, network, name):
    x = real.cifar(shared_data, network, count=4)[0]
    relevance, score, absorbed = explain(name, getattr(real, network)(shared_data), x)
    promised = np.maximum(score, 0) if name == "deep_taylor" else score
    assert np.isfinite(relevance).all() and relevance.any()
    total = relevance.sum(axis=(1, 2, 3), dtype="float64")
    slack = 1e-3 * np.abs(promised) + 1e-4 * np.abs(relevance).sum(axis=(1, 2, 3))
    assert (np.abs(total + absorbed - promised) <= slack).all()
    assert (np.abs(relevance).sum(axis=(1, 2, 3)) <= 1000 * np.abs(score)).all()
