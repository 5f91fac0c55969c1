"""What a step of training moves through a device's memory, by hand."""

from __future__ import annotations

import pytest

from mlsysim import Fleet, Models
from mlsysim.solvers.fleet.distributed import DistributedModel

EIGHT = Fleet(name="eight", node="DGX_H100", count=1)


@pytest.mark.parametrize("stage", [1, 2])
def test_from_the_first_stage_of_zero_each_device_updates_its_part_alone(stage):
    """Adam reads and writes 12 bytes a parameter; of eight devices each does an eighth of that."""
    model = Models.Language.GPT2_XL
    whole, part = (
        DistributedModel().solve(
            model, fleet=EIGHT, batch_size=8, seq_len=64, zero_stage=zero, efficiency=1.0
        )
        for zero in (0, stage)
    )
    saved = 2 * 12 * model.parameters * (1 - 1 / 8) / 3.35e12
    found = (whole.compute_time - part.compute_time).m_as("s")
    assert found == pytest.approx(saved, rel=1e-6)
