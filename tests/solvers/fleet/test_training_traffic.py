"""What a step of training moves through a device's memory, by hand."""

from __future__ import annotations

import pytest

from mlsysim import Fleet, Models
from mlsysim.solvers.fleet.distributed import DistributedModel

LAYER = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096  # of Llama 3 8B
TABLE = 4096 * 128256

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


def test_each_stage_updates_its_own_layers_and_a_fleet_that_divides_evenly_its_part_of_all():
    """Adam reads and writes 12 bytes a parameter and plain descent 4; four stages, five batches."""
    model = Models.Language.Llama3_8B
    adam, plain = (
        DistributedModel().solve(
            model, fleet=EIGHT, pipeline_parallel=4, batch_size=10, seq_len=512, stack="ideal",
            optimizer=optimizer,
        )
        for optimizer in ("adam", "sgd")
    )  # fmt: skip
    assert adam.microbatches == 5
    more = 2 * (12 - 4) / 3.35e12
    busy = adam.si("compute_time") - plain.si("compute_time")
    assert busy == pytest.approx(more * (8 * LAYER + TABLE), rel=1e-6)
    even = [r.scaling_efficiency * r.si("step_time") for r in (adam, plain)]
    assert even[0] - even[1] == pytest.approx(more * model.parameters / 4, rel=1e-6)
