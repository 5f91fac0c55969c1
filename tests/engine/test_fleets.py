"""Why one fleet's step is faster than another's, in sentences."""

from __future__ import annotations

import pytest

from mlsysim import Engine, Hardware, Systems
from mlsysim.core.errors import BadArgument
from mlsysim.solvers.fleet.distributed import DistributedModel

RESEARCH = Systems.Clusters.Research_256


def solve(place=RESEARCH, **how):
    return DistributedModel().solve("Llama3_8B", fleet=place, zero_stage=1, **how)


def test_a_slower_fabric_is_named_as_what_costs_the_time():
    fast = solve(overlap=0)
    slow = solve(RESEARCH.replace(fabric="Ethernet_100G"), overlap=0)
    why = Engine.explain(fast, slow, names=("over InfiniBand", "over Ethernet"))
    assert why.speedup == pytest.approx((fast.step_time / slow.step_time).m_as(""))
    longer = slow.exposed_data_time - fast.exposed_data_time
    assert why.parts["exposed_data_time"] == pytest.approx(longer.m_as("s"))
    first, second = str(why).splitlines()
    assert "over InfiniBand" in first
    assert f"{why.speedup:.2f}x as fast" in first
    assert second.endswith("more goes to gradients and weights that nothing hides.")


def test_the_parts_are_all_of_the_difference():
    one, other = solve(tensor_parallel=8), solve(pipeline_parallel=4, batch_size=1024)
    why = Engine.explain(one, other)
    assert sum(why.parts.values()) == pytest.approx((other.step_time - one.step_time).m_as("s"))


def test_steps_of_other_batches_are_compared_for_as_many_sequences():
    why = Engine.explain(solve(batch_size=1024), solve(batch_size=2048))
    assert 1 < why.speedup < 1.2  # the exchange is shared by more
    assert "for 2x the sequences" in why.sentences[0]


def test_what_cannot_be_explained_is_refused_in_a_sentence():
    """Was wrong: the refusal began with the whole profile."""
    single = Engine.solve("Llama3_8B", Hardware.H100)
    with pytest.raises(BadArgument, match=r"before cannot be 'FleetProfile': give a Profile"):
        Engine.explain(solve(), single)
    with pytest.raises(BadArgument, match="use a multiple of 256"):
        Engine.explain(solve(), solve(batch_size=1000))
    with pytest.raises(BadArgument, match="a column of profiles"):
        Engine.explain(solve(), solve(batch_size=[256, 512]))
