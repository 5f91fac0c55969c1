"""Why one fleet's step is faster than another's, in sentences."""

from __future__ import annotations

import pytest

from mlsysim import Engine, Hardware, Systems
from mlsysim.core.errors import BadArgument
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.solvers.fleet.profile import FleetProfile

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


def made_up(**given):
    """A step of 100 s, made of parts that are all different."""
    parts = {"compute": 40, "bubble": 23, "tensor": 17, "context": 5, "pipeline": 7, "expert": 3}
    times = {f"{part}_time": float(seconds) for part, seconds in parts.items()}
    whole = {"step_time": 100.0, "exposed_data_time": 5.0, "batch_size": 8.0, "feasible": True}
    return FleetProfile(**{**times, **whole, **given})


def test_each_sentence_by_hand():
    """Twice the sequences in 240 s are 120 s for as many; a twentieth of that is not told."""
    after = made_up(
        step_time=240.0, batch_size=16.0, compute_time=120.0, bubble_time=26.0, tensor_time=46.5,
        context_time=22.0, pipeline_time=0.0, expert_time=18.0, exposed_data_time=10.0,
        feasible=False, reason="It is too large.",
    )  # fmt: skip
    why = Engine.explain(made_up(), after, names=("here", "there"))
    assert str(why).splitlines() == [
        "The step takes 100 s here and 240 s there for 2x the sequences: 0.83x as fast.",
        "20 s more goes to each device's own work.",
        "10 s less goes to waiting in the pipeline.",
        "7 s less goes to passing from stage to stage.",
        "6.25 s more goes to sums inside layers.",
        "It does not fit there: It is too large.",
    ]
    assert why.parts == {
        "compute_time": 20.0,
        "bubble_time": -10.0,
        "tensor_time": 6.25,
        "context_time": 6.0,
        "pipeline_time": -7.0,
        "expert_time": 6.0,
        "exposed_data_time": 0.0,
    }
    assert why.speedup == pytest.approx(100 / 120)


def test_each_part_has_its_words_and_is_judged_by_the_slower_step():
    """Of 240 s a twentieth are 12: what changes by more is told, the largest first."""
    seconds = {
        "compute_time": 40 - 13, "bubble_time": 23 - 14, "tensor_time": 17 - 15,
        "context_time": 5 + 16, "pipeline_time": 7 + 17, "expert_time": 3 + 18,
        "exposed_data_time": 5 + 19,
    }  # fmt: skip
    slow = made_up(**{part: float(time) for part, time in seconds.items()}, step_time=240.0)
    said = [
        "19 s {} goes to gradients and weights that nothing hides.",
        "18 s {} goes to sending tokens to experts.",
        "17 s {} goes to passing from stage to stage.",
        "16 s {} goes to keys and values that go round.",
        "15 s {} goes to sums inside layers.",
        "14 s {} goes to waiting in the pipeline.",
        "13 s {} goes to each device's own work.",
    ]
    for sides, words in (
        ((made_up(), slow), ["more"] * 4 + ["less"] * 3),
        ((slow, made_up()), ["less"] * 4 + ["more"] * 3),
    ):
        first, *told = str(Engine.explain(*sides)).splitlines()
        assert told == [line.format(word) for line, word in zip(said, words, strict=True)]
    assert first == "The step takes 240 s before and 100 s after: 2.40x as fast."
    quick = made_up(compute_time=27.0, step_time=120.0), made_up(step_time=260.0)
    assert len(str(Engine.explain(*quick)).splitlines()) == 1  # 13 is a twentieth of 260, no more
