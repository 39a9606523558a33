import pytest

from innexplain.patterns import sites


@pytest.fixture
def no_layer_is_small(monkeypatch):
    """Small kernels are summed in float64: here they stand for large ones."""
    monkeypatch.setattr(sites, "_FEW_WEIGHTS", 0)
