import pytest

from innexplain.patterns import sites


@pytest.fixture
def no_layer_is_small(monkeypatch):
    """Small layers that read data or rows are summed in float64: here they stand for others."""
    monkeypatch.setattr(sites, "_FEW_WEIGHTS", 0)
