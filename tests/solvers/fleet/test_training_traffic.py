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


@pytest.mark.parametrize(("name", "experts"), [("Llama3_8B", 0), ("Mixtral_8x7B", 8)])
def test_each_stage_updates_its_own_layers_and_a_fleet_that_divides_evenly_its_part(name, experts):
    """Adam reads and writes 12 bytes a parameter and plain descent 4; four stages of two."""
    model, chip = Models.Language[name], EIGHT.node.accelerator
    roomy = chip.replace(memory=chip.memory.replace(capacity="1 TB"))
    adam, plain = (
        DistributedModel().solve(
            model,
            fleet=EIGHT.replace(node=EIGHT.node.replace(accelerator=roomy)),
            pipeline_parallel=4,
            expert_parallel=2 if experts else 1,
            batch_size=10,
            seq_len=512,
            stack="ideal",
            optimizer=optimizer,
        )
        for optimizer in ("adam", "sgd")
    )
    assert adam.microbatches == 5
    more = 2 * (12 - 4) / 3.35e12
    # matrices of 4096, of which keys and values have a quarter, norms, and three for each expert
    ffn = 3 * 4096 * 14336
    layer = 4096 * 4096 * 2.5 + 2 * 4096 + (experts * (ffn / 2 + 4096) or ffn)
    table = model.vocab * 4096
    busy = adam.si("compute_time") - plain.si("compute_time")
    assert busy == pytest.approx(more * (8 * layer + table), rel=1e-6)
    evenly = (model.parameters - 32 * experts * ffn / 2) / 4
    ideal, other = (r.scaling_efficiency * r.si("step_time") for r in (adam, plain))
    assert ideal - other == pytest.approx(more * evenly, rel=1e-6)
