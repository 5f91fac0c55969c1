"""What just fits, just counts or is just allowed: the edge itself, and one step beyond it."""

from __future__ import annotations

import pytest

from mlsysim import (
    Q_,
    DistributedModel,
    Fleet,
    Hardware,
    Models,
    OrchestrationModel,
    ReliabilityModel,
    SingleNodeModel,
    Systems,
    WeightStreamingModel,
)
from mlsysim.core.errors import InvalidEntry, OutOfRange, WrongUnit, did_you_mean, shown
from mlsysim.core.units import Dim, unit_of
from mlsysim.models.huggingface import from_config
from tests.test_defaults_of_entries import CHIP, MINE, SIZES

LLAMA, H100 = Models.Language.Llama3_8B, Hardware.Cloud.H100
RESEARCH = Systems.Clusters.Research_256


def holding(quantity):
    """An H100 with just so much memory."""
    memory = H100.memory.replace(capacity=f"{quantity.m_as('B'):.0f} B")
    return H100.replace(memory=memory, sources={})


# ---- memory --------------------------------------------------------------------------------------


def test_what_takes_all_of_the_memory_fits():
    need = SingleNodeModel().solve(LLAMA, H100).memory_required
    assert SingleNodeModel().solve(LLAMA, holding(need)).feasible
    assert not SingleNodeModel().solve(LLAMA, holding(need - Q_("2 B"))).feasible


def test_a_training_step_that_takes_all_of_the_memory_fits():
    def step(device):
        node = Systems.Nodes.DGX_H100.replace(accelerator=device, accelerators=1, sources={})
        one = Fleet(name="one", count=1, node=node)
        return DistributedModel().solve(Models.Language.GPT2, fleet=one, batch_size=1)

    need = step(H100).memory_required
    assert step(holding(need)).feasible
    assert not step(holding(need - Q_("2 B"))).feasible


def test_what_a_wafer_holds_beside_the_weights_may_fill_it():
    def step(device):
        device = device.replace(host_link=H100.host_link)
        return WeightStreamingModel().solve(LLAMA, device, batch_size=4)

    need = step(H100).held
    assert step(holding(need)).feasible
    assert not step(holding(need - Q_("2 B"))).feasible


# ---- plans ---------------------------------------------------------------------------------------


def test_a_pipeline_may_have_a_stage_for_each_layer():
    plan = {"tensor_parallel": 8, "batch_size": 8}
    assert DistributedModel().solve(LLAMA, fleet=RESEARCH, pipeline_parallel=32, **plan).feasible
    deeper = Systems.Clusters.Production_2K
    refused = DistributedModel().solve(LLAMA, fleet=deeper, pipeline_parallel=64, **plan)
    assert "32 layers are too few for 64" in refused.reason


def test_gradients_are_sent_once_a_step_until_they_are_divided():
    # four microbatches: up to stage 1 one all-reduce, which moves 2 (n - 1) / n of the gradients;
    # at stage 2 each microbatch scatters its own and the weights are gathered once; at stage 3
    # each gathers them twice and scatters its own; but for latencies, which come layer by layer
    still = RESEARCH.replace(fabric=RESEARCH.fabric.replace(latency="0 s"))

    def talk(stage):
        how = {"batch_size": 1024, "microbatch": 1, "zero_stage": stage, "link_latency": "0 s"}
        return DistributedModel().solve(LLAMA, fleet=still, **how).data_time.m_as("s")

    assert talk(0) == talk(1)
    assert talk(2) / talk(1) == pytest.approx((1 + 4) / 2)
    assert talk(3) / talk(1) == pytest.approx(3 * 4 / 2)


# ---- queues --------------------------------------------------------------------------------------


def test_a_queue_that_gets_just_what_it_can_do_never_settles():
    # four partitions finish 16 jobs of six hours a day
    ask = {"job_duration": "6 hour", "devices_per_job": 64}
    assert OrchestrationModel().solve(RESEARCH, jobs_per_day=15.9, **ask).stable
    full = OrchestrationModel().solve(RESEARCH, jobs_per_day=16, **ask)
    assert not full.stable
    assert full.wait is None
    assert "the queue has no end" in full.reason


def test_a_job_may_take_the_whole_fleet():
    ask = {"jobs_per_day": 1, "job_duration": "6 hour"}
    whole = OrchestrationModel().solve(RESEARCH, devices_per_job=256, **ask)
    assert (whole.servers, whole.idle_devices, whole.stable) == (1, 0, True)
    more = OrchestrationModel().solve(RESEARCH, devices_per_job=257, **ask)
    assert not more.feasible
    assert "257 devices does not fit" in more.reason


def test_a_checkpoint_of_a_tenth_of_the_time_between_failures_is_not_yet_long():
    def notes(checkpoint):
        return ReliabilityModel().solve(RESEARCH, checkpoint_time=checkpoint, mtbf="600 s").notes

    assert notes("60 s") == ()
    assert "more than a tenth" in notes("61 s")[0]


# ---- entries -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("year", "known"), [(1939, 0), (1940, 1), (2100, 1), (2101, 0)])
def test_devices_are_of_the_years_in_which_there_are_computers(year, known):
    spec = {**MINE, **CHIP, "release_year": year}
    if known:
        assert Hardware.from_spec(spec).release_year == year
    else:
        with pytest.raises(InvalidEntry, match="release_year"):
            Hardware.from_spec(spec)


def test_a_token_may_pick_every_expert_and_every_layer_may_be_dense():
    def mixture(**moe):
        spec = {"kind": "transformer", **SIZES, "vocab": 1000, "context": 512}
        return Models.from_spec({**MINE, **spec, "moe": {"experts": 8, "ffn": 128, **moe}})

    assert mixture(per_token=8, dense_layers=2).moe.per_token == 8
    with pytest.raises(InvalidEntry, match="per_token"):
        mixture(per_token=9)
    with pytest.raises(InvalidEntry, match="dense_layers"):
        mixture(per_token=8, dense_layers=3)


def test_a_convolution_may_leave_one_pixel():
    def net(kernel):
        layer = {"conv": {"out": 4, "kernel": kernel, "padding": 0}}
        size = {"height": 8, "width": 8}
        spec = {"kind": "convnet", "parameters": 1, "input": size, "layers": [layer]}
        return Models.from_spec({**MINE, **spec})

    assert net(8).counted_macs() == 8 * 8 * 4
    with pytest.raises(InvalidEntry, match="layers"):
        net(9)


def test_a_configuration_may_be_ten_million_bytes_long(tmp_path):
    file = tmp_path / "config.json"
    text = '{"model_type": "unheard-of"}'
    for spaces, words in ((0, "model_type"), (1, "too long")):
        file.write_text(text.ljust(10_000_000 + spaces), encoding="utf-8")
        with pytest.raises(InvalidEntry, match=words):
            from_config(file)


# ---- numbers and sentences -----------------------------------------------------------------------


def test_a_number_may_be_as_large_as_products_can_take():
    plain, zero = Dim("s"), Dim("s", open_low=False)
    assert plain.si(Q_(1e40, "s")) == 1e40
    assert plain.si(Q_(1.1e-40, "s")) == 1.1e-40
    assert zero.si(Q_(1e-50, "s")) == 1e-50  # where none at all makes sense, so does next to none
    for absurd in (1.1e40, 0.9e-40):
        with pytest.raises(OutOfRange, match="of a size that there is"):
            plain.si(Q_(absurd, "s"))


def test_a_range_holds_its_upper_end_and_its_lower_one_where_it_says_so():
    share, ratio = Dim("", high=1.0), Dim("", low=1.0, open_low=False)
    assert share.si(1.0) == ratio.si(1.0) == 1.0
    for word, outside in ((share, 1.001), (share, 0.0), (ratio, 0.999)):
        with pytest.raises(OutOfRange):
            word.si(outside)


def test_a_unit_takes_sixty_characters():
    sixty, more = ("*".join(["s"] * (30 - n) + ["ms"] * n) for n in (1, 2))
    assert unit_of(sixty).dimensionality == {"[time]": 30}
    with pytest.raises(WrongUnit):
        unit_of(more)


def test_a_value_of_sixty_characters_is_shown_whole():
    assert shown("x" * 58) == repr("x" * 58)  # and its quotes
    assert shown("x" * 59) == repr("x" * 59)[:57] + "..."


def test_forty_names_are_listed_without_dots_and_the_nearest_first():
    names = [f"alpha{i}" for i in range(41)]
    assert did_you_mean("zzz", names[:40]) == "known are " + ", ".join(names[:40])
    assert did_you_mean("zzz", names) == "known are " + ", ".join(names[:40]) + ", ..."
    # "cost" has three letters of "total_cost_of_it_all" in this order, and none of the others
    assert did_you_mean("cost", [*names, "total_cost_of_it_all"]).startswith("known are total_cost")
