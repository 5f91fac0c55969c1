"""What the whole suite shares: reproducible hypothesis, registries left as they were found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from mlsysim import Hardware, Models
from mlsysim.core import registry
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.transformer import TransformerWorkload

# the seeds' listings are data for test_listings.py: importing them would run them
collect_ignore_glob = ["listings/*.py"]

settings.register_profile(
    "mlsysim",
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("mlsysim")


@pytest.fixture
def h100() -> HardwareNode:
    """Return the device of most hand sums: 989.4 TFLOP/s dense fp16, 3.35 TB/s, 85.52 GB."""
    return Hardware.Cloud.H100


@pytest.fixture
def llama() -> TransformerWorkload:
    """Llama 3 8B: 32 layers of 4096, 32 heads sharing 8 keys of 128, ffn 14336, vocab 128256."""
    model = Models.Language.Llama3_8B
    assert isinstance(model, TransformerWorkload)
    return model


@pytest.fixture
def clean_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Registries without user folders, before the test and after it."""
    monkeypatch.delenv("MLSYSIM_REGISTRY", raising=False)
    monkeypatch.setattr(registry, "_folders", [])
    registry.forget()
    yield
    monkeypatch.undo()
    registry.forget()
