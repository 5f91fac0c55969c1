"""A training question of many batches, lengths or rates at once: the same answers in columns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Fleet, Systems
from mlsysim.core.errors import BadArgument
from mlsysim.solvers.fleet.distributed import DistributedModel

EIGHT = Fleet(name="eight", count=1, node=Systems.Nodes.DGX_H100)
MODELS = ["Llama3_8B", "Mixtral_8x7B", "Gemma2_9B", "DeepSeek_V3", "ResNet50"]


def solve(model="Llama3_8B", place=Systems.Clusters.Research_256, **how):
    return DistributedModel().solve(model, fleet=place, **how)


def same(one, other):
    """Bit for bit; what a single answer leaves out is NaN in a column."""
    unknown = one is None or (isinstance(one, float) and math.isnan(one))
    return (other is None or math.isnan(other)) if unknown else one == other


@settings(max_examples=25)
@given(
    model=st.sampled_from(MODELS),
    tensor=st.sampled_from([1, 2, 8]),
    pipeline=st.sampled_from([1, 4]),
    zero=st.integers(0, 3),
    stack=st.sampled_from([None, "ideal"]),
    again=st.booleans(),
)
def test_each_row_is_the_answer_of_its_own_question(model, tensor, pipeline, zero, stack, again):
    batches, lengths = np.array([[256], [512], [1000]]), np.array([1024, 4096])
    layered = model != "ResNet50"
    how = {"zero_stage": zero, "stack": stack, "tokens": 1e12}
    if layered:
        how |= {"tensor_parallel": tensor, "pipeline_parallel": pipeline}
        how["recompute"] = "full" if again else "none"
    many = solve(model, batch_size=batches, **(how | ({"seq_len": lengths} if layered else {})))
    assert many.shape == ((3, 2) if layered else (3, 1))
    for i, batch in enumerate(batches.ravel()):
        for j, length in enumerate(lengths[: many.shape[1]]):
            one = solve(model, batch_size=batch, **(how | ({"seq_len": length} if layered else {})))
            row = many.row((i, j))
            assert row.reason == one.reason
            assert row.feasible == one.feasible
            for name in one.fields:
                if name not in ("reason", "feasible", "precision", "stack", "notes"):
                    assert same(one.si(name), row.si(name)), name


def test_a_batch_that_does_not_divide_leaves_the_others_alone():
    r = solve(batch_size=[256, 1000, 512], zero_stage=1)
    assert r.feasible.tolist() == [True, False, True]
    assert "use a multiple of 256" in r.reason[1]
    assert np.isnan(r.si("step_time")).tolist() == [False, True, False]
    assert (r[0].mfu, r[2].mfu) == (r.mfu[0], r.mfu[2])


def test_efficiencies_and_overlaps_may_be_columns_and_plans_may_not():
    r = solve(place=EIGHT, efficiency=[0.4, 0.5], batch_size=8, zero_stage=3)
    assert r.mfu[0] < r.mfu[1]
    hidden = solve(zero_stage=1, overlap=[0.0, 0.5, 1.0])
    assert np.all(np.diff(hidden.si("exposed_data_time")) < 0)
    with pytest.raises(BadArgument, match="one number"):
        solve(microbatch=[1, 2])
