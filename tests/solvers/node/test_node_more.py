"""Walls 3 and 6: what software reaches of a roof, and weights that stream in from outside."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Engine, Hardware, Literature, Models
from mlsysim.core.errors import BadArgument, MissingValue, OutOfRange, UnknownName
from mlsysim.core.units import Q_
from mlsysim.models.operators import Totals
from mlsysim.solvers import EfficiencyModel, ServingModel, SingleNodeModel, WeightStreamingModel
from mlsysim.solvers.node.cost import Demand
from mlsysim.solvers.node.streaming import _layers, _resident, _roof

EFFICIENCY, STREAMING = EfficiencyModel(), WeightStreamingModel()
CS3 = Hardware.Cloud.CS3

# Llama 3 8B by hand: weights of one layer and of the head
LAYER = 4096 * (4096 + 2 * 1024) + 4096 * 4096 + 4096 * 2 * 14336 + 14336 * 4096
HEAD = 4096 * 128256
KV = 2 * 32 * 8 * 128 * 2  # bytes that one token leaves in the cache, fp16


# ---- wall 3 --------------------------------------------------------------------------------------


def test_an_efficiency_is_one_that_somebody_measured():
    found = EFFICIENCY.solve("MegaScale")
    assert found.efficiency == Literature.Efficiency.MegaScale_175B.value
    assert found.count == 1
    ((name, value, source),) = found.measurements
    assert (name, value) == ("MegaScale 175B training MFU", found.efficiency)
    assert "yinminzhong.com" in source


def test_several_measurements_give_their_median_and_their_spread():
    shelf = Literature.Efficiency
    stems = [stem for stem in shelf if stem.startswith("MPT") and "H100" in stem]
    values = [shelf[stem].value for stem in stems]
    found = EFFICIENCY.solve("llm-foundry", hardware=Hardware.H100)
    assert (found.efficiency, found.count) == (median(values), len(values))
    assert (found.low, found.high) == (min(values), max(values))


def test_measurements_are_told_apart_by_model_device_and_precision():
    deepseek = EFFICIENCY.solve(model=Models.DeepSeek_V3, precision="fp8")
    assert deepseek.efficiency == Literature.Efficiency.DeepSeek_V3.value
    resnet = EFFICIENCY.solve("PyTorch and DALI", model=Models.ResNet50, hardware=Hardware.V100)
    assert resnet.efficiency == Literature.Efficiency.ResNet50_V100.value


def test_no_efficiency_of_training_is_invented_from_a_bandwidth():
    decode = EFFICIENCY.solve("gpt-fast", metric="bandwidth")
    assert decode.high == Literature.Efficiency.GptFast_decode_Llama3_8B.value
    with pytest.raises(UnknownName):
        EFFICIENCY.solve("gpt-fast")
    everything = EFFICIENCY.solve()
    assert not any("bandwidth" in name for name, *_ in everything.measurements)
    assert 0.1 < everything.low < everything.high < 0.7


def test_an_unknown_stack_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'Megatron-LM'") as caught:
        EFFICIENCY.solve("megatron")
    assert caught.value.argument == "stack"


def test_a_stack_that_nobody_measured_there_is_a_missing_value():
    with pytest.raises(MissingValue, match="MegaScale A100"):
        EFFICIENCY.solve("MegaScale", hardware=Hardware.H100)


def test_what_was_measured_is_told_when_nothing_matches():
    """By its stack as one says it, its model, device and precision, as far as they are known."""
    with pytest.raises(MissingValue) as missing:
        EFFICIENCY.solve("MegaScale", hardware="H100", precision="fp8", model="GPT3_175B")
    model, device = Models.GPT3_175B.name, Hardware.H100.name
    finding = Literature.Efficiency.MegaScale_175B
    known = ("MegaScale", finding.model, finding.hardware, finding.precision)
    assert str(missing.value) == (
        f"Literature has no known mfu for stack MegaScale, hardware {device}, model {model}, "
        f"precision fp8: measured are {' '.join(part for part in known if part)}."
    )
    # one that names no precision was not made at the one that is asked for
    silent = next(
        each for each in map(Literature.Efficiency.__getitem__, Literature.Efficiency)
        if each.precision is None and each.stack and "bandwidth" not in each.name
    )  # fmt: skip
    with pytest.raises(MissingValue):
        EFFICIENCY.solve(silent.stack, precision="fp4")
    assert silent.value in [value for _, value, _ in EFFICIENCY.solve(silent.stack).measurements]
    assert EFFICIENCY.solve(silent.stack.upper()).count > 0


def test_what_goes_with_a_rate_of_ones_own_in_a_sentence():
    own = {"achieved": "156 TFLOP/s", "hardware": "A100"}
    for wrong, said in (
        (
            {"stack": "MegaScale"},
            "stack cannot be 'MegaScale': leave it out where achieved is given",
        ),
        ({"metric": "bandwidth"}, "metric cannot be 'bandwidth': an achieved rate of arithmetic"),
        ({"achieved": "313 TFLOP/s"}, "achieved cannot be '313 TFLOP/s': .* peaks at 312 TFLOP/s"),
        ({"hardware": None}, "hardware cannot be None: give the device on which the rate was"),
    ):
        with pytest.raises(BadArgument, match=said):
            EFFICIENCY.solve(**own | wrong)
    assert EFFICIENCY.solve(**own | {"achieved": "312 TFLOP/s"}).efficiency == 1
    found = EFFICIENCY.solve(**own | {"achieved": Q_([78.0, 156.0], "TFLOP/s")})
    assert found.efficiency.tolist() == pytest.approx([0.25, 0.5])
    one = EFFICIENCY.solve(**own)
    assert (one.low, one.high, one.count, one.metric, one.measurements) == (0.5, 0.5, 1, "mfu", ())
    assert (one.achieved.m_as("TFLOP/s"), one.peak.m_as("TFLOP/s")) == pytest.approx((156, 312))


def test_an_achieved_rate_is_divided_by_the_dense_peak():
    own = EFFICIENCY.solve(achieved="156 TFLOP/s", hardware=Hardware.A100)
    assert own.efficiency == pytest.approx(156 / 312)
    half = EFFICIENCY.solve(achieved="156 TFLOP/s", hardware=Hardware.A100, precision="int8")
    assert half.efficiency == pytest.approx(156 / 624)
    with pytest.raises(BadArgument, match="peaks at 312 TFLOP/s"):
        EFFICIENCY.solve(achieved="624 TFLOP/s", hardware=Hardware.A100)
    with pytest.raises(BadArgument, match="hardware"):
        EFFICIENCY.solve(achieved="156 TFLOP/s")
    with pytest.raises(OutOfRange):
        EFFICIENCY.solve(achieved="-1 TFLOP/s", hardware=Hardware.A100)


# ---- wall 6 --------------------------------------------------------------------------------------


def test_bits_are_not_bytes(llama):
    """1.2 Tb/s of input bring the matrices in 15.0 GB / 150 GB/s = 0.1 s, not in 12.5 ms."""
    assert CS3.host_link is not None
    assert CS3.host_link.bandwidth == Q_("1.2 Tb/s").to("GB/s")
    step = STREAMING.solve(llama, CS3)
    streamed = 2 * (32 * LAYER + HEAD + 4096)
    assert step.si("streamed") == streamed
    assert step.latency.m_as("s") == pytest.approx(streamed / 150e9 + 10e-6, rel=1e-9)
    assert step.bottleneck == "Injection"


def test_each_layer_takes_the_longer_of_its_weights_and_its_arithmetic(llama):
    """At 32 prompts of 2,048 tokens the body computes; embedding and head wait for weights."""
    batch, length, peak, inlet = 32, 2048, 15.6e15, 150e9
    tokens, pairs = batch * length, batch * length * (length + 1) / 2
    layer = 2 * (LAYER * tokens + 32 * 256 * pairs) / (peak * 0.5)
    alone = (2 * tokens * 4096 + 2 * HEAD) / inlet
    step = STREAMING.solve(llama, CS3, batch_size=batch, seq_len=length, phase="prefill")
    assert step.latency.m_as("s") == pytest.approx(32 * layer + alone + 10e-6, rel=1e-6)
    assert step.bottleneck == "Compute"


def test_layers_that_differ_wait_more_than_their_totals():
    """Early convolutions compute while late ones wait for weights: neither roof alone tells."""
    step = STREAMING.solve(Models.ResNet50, CS3, batch_size=300, efficiency=0.1)
    roofs = step.si("injection_time"), step.si("compute_time")
    assert max(roofs) < step.si("latency") - step.si("overhead") < sum(roofs)


def test_sram_caps_the_batch(llama):
    """44 GB hold the cache of 163 sequences of 2,048 tokens, with the head's logits."""
    sequence = KV * 2048 + 2 * (4096 + 128256)
    full = STREAMING.solve(llama, CS3, batch_size=int(44e9 // sequence), seq_len=2048)
    assert full.max_batch == 44e9 // sequence == 163
    assert full.feasible
    over = STREAMING.solve(llama, CS3, batch_size=164, seq_len=2048)
    assert not over.feasible
    assert "at most 163 fit" in over.reason


def test_the_crossover_lies_beyond_what_sram_holds(llama):
    """Injection binds until 2 B/(peak eta) per weight of 2 bytes exceeds 2/150e9: B = 52,000.

    A sequence looks up a row of 8,192 bytes besides, so a little later.
    """
    step = STREAMING.solve(llama, CS3, seq_len=1)
    body = 32 * LAYER + HEAD
    work = 2 * (body + 32 * 32 * 256) / (15.6e15 * 0.5)
    rows = 2 * 4096 / 150e9
    assert step.crossover_batch == pytest.approx(2 * body / 150e9 / (work - rows), rel=1e-6)
    assert step.crossover_batch == pytest.approx(15.6e15 * 0.5 / 150e9, rel=0.03)
    assert STREAMING.solve(llama, CS3, seq_len=2048).max_batch < 0.01 * step.crossover_batch


@pytest.mark.parametrize("name", ["Mixtral_8x22B", "DeepSeek_V3", "Llama3_8B"])
def test_the_crossover_does_not_depend_on_the_batch_that_is_asked_about(name):
    """A larger batch touches more experts: at the crossover those that it touches take as long."""
    model = getattr(Models.Language, name)
    few, many = (STREAMING.solve(model, CS3, batch_size=b, seq_len=2048) for b in (1, 64))
    assert few.crossover_batch == pytest.approx(many.crossover_batch)
    at = STREAMING.solve(model, CS3, batch_size=round(few.crossover_batch), seq_len=2048)
    assert at.si("injection_time") == pytest.approx(at.si("compute_time"), rel=1e-3)


def test_a_card_keeps_what_fits_and_streams_the_rest():
    """Llama 3 70B at int8 on an RTX 4090: what 24 GB do not hold comes in over PCIe each step."""
    card = Hardware.RTX_4090
    how = {"precision": "int8", "seq_len": 1000}
    some = STREAMING.solve(Models.Llama3_70B, card, keep_what_fits=True, **how)
    every = STREAMING.solve(Models.Llama3_70B, card, **how)
    room = card.memory.capacity.m_as("B") - some.si("held")
    weights = Models.Llama3_70B.parameters
    assert some.si("resident") == pytest.approx(room)
    assert some.si("streamed_from") == pytest.approx(weights - room)
    part = (weights - room) / weights
    assert some.si("injection_time") == pytest.approx(part * every.si("injection_time"))
    assert some.si("latency") < every.si("latency")
    inlet = card.host_link.bandwidth.m_as("B/s")
    matrices = 80 * (8192 * (8192 + 2 * 1024) + 8192 * 8192 + 3 * 8192 * 28672) + 128256 * 8192
    assert some.si("latency") == pytest.approx(part * matrices / inlet, rel=0.01)


def test_a_model_that_fits_streams_nothing_when_what_fits_is_kept(llama, h100):
    kept = STREAMING.solve(llama, h100, seq_len=1000, keep_what_fits=True)
    assert kept.si("streamed") == kept.si("streamed_from") == 0
    assert kept.si("resident") == pytest.approx(2 * llama.parameters)
    own = SingleNodeModel().solve(llama, h100, seq_len=1000, stack="ideal")
    assert kept.si("latency") == pytest.approx(own.si("latency"), rel=0.01)
    assert kept.notes == ()


def test_the_host_has_to_hold_what_the_device_does_not():
    ask = {"model": Models.Llama3_70B, "hardware": Hardware.RTX_4090, "precision": "int8"}
    assert "the host has to hold 70.55 GB" in STREAMING.solve(**ask).notes[-1]
    small, large = (STREAMING.solve(**ask, host_memory=m) for m in ("64 GB", "128 GB"))
    assert (small.feasible, large.feasible) == (False, True)
    assert "holds 64 GB" in small.reason
    assert not large.notes
    # of several batches it is the one that leaves least room for weights
    ask = {**ask, "keep_what_fits": True, "seq_len": 4096, "batch_size": [2, 10, 3]}
    few, most, _ = (STREAMING.solve(**{**ask, "batch_size": n}) for n in ask["batch_size"])
    assert STREAMING.solve(**ask).notes == most.notes != few.notes


def test_a_model_that_outgrows_the_wafer_still_streams():
    large = STREAMING.solve(Models.Llama3_70B, CS3)
    assert large.feasible
    assert "the host has to hold 141.1 GB" in large.notes[-1]
    assert not SingleNodeModel().solve(Models.Llama3_70B, CS3).feasible


def test_weights_that_fit_need_not_be_streamed(llama):
    assert any("fit on the device" in note for note in STREAMING.solve(llama, CS3).notes)


def test_a_wafer_says_how_far_its_roofline_lies_above_what_it_does(llama, h100):
    """The vendor announced about 1,800 tokens a second for 8B, where the roofline says 82,905."""
    for solve in (STREAMING.solve, Engine.solve, ServingModel().solve):
        assert any("wafer" in note for note in solve(llama, CS3).notes)
    assert not Engine.solve(llama, h100).notes


def test_a_gpu_streams_over_its_host_link(llama, h100):
    """63 GB/s of PCIe are 53 times slower than HBM: why offloading decodes slowly."""
    step, local = STREAMING.solve(llama, h100), SingleNodeModel().solve(llama, h100)
    assert step.latency.m_as("s") == pytest.approx(2 * (32 * LAYER + HEAD + 4096) / 63e9 + 10e-6)
    assert step.latency > 40 * local.latency


def test_a_device_without_a_link_cannot_stream(llama):
    bare = CS3.replace(host_link=None, sources={"default": CS3.source_of("memory")})
    with pytest.raises(MissingValue, match="host_link"):
        STREAMING.solve(llama, bare)


def test_columns_of_batches_and_contexts_broadcast(llama):
    columns = STREAMING.solve(llama, CS3, batch_size=[[1], [200]], seq_len=[[128, 8192, 1024]])
    assert columns.shape == (2, 3)
    one = STREAMING.solve(llama, CS3, batch_size=200, seq_len=8192)
    assert columns[4].si("latency") == pytest.approx(one.si("latency"))
    assert columns[4].feasible == one.feasible is False


@given(batch=st.integers(1, 1000), length=st.integers(1, 8192), factor=st.floats(1, 100))
def test_a_faster_way_in_is_never_slower(batch, length, factor):
    link = CS3.host_link
    assert link is not None
    wide = CS3.replace(
        host_link={"bandwidth": link.bandwidth * factor},
        sources={"default": CS3.source_of("memory")},
    )
    how = {"batch_size": batch, "seq_len": length, "phase": "prefill"}
    slow = STREAMING.solve(Models.Llama3_8B, CS3, **how)
    fast = STREAMING.solve(Models.Llama3_8B, wide, **how)
    assert fast.si("latency") <= slow.si("latency") * (1 + 1e-12)
    assert fast.si("latency") >= slow.si("latency") / factor * (1 - 1e-12)


@pytest.mark.parametrize(
    ("injection", "compute", "memory", "overhead", "roof"),
    [
        (3.0, 2.0, 1.0, 0.5, "Injection"),
        (3.0, 3.0, 3.0, 3.0, "Injection"),  # of what is as long, what comes first
        (2.0, 3.0, 3.0, 3.0, "Compute"),
        (2.0, 2.5, 3.0, 3.0, "Memory"),
        (2.0, 2.5, 3.0, 3.1, "Overhead"),
    ],
)
def test_a_streamed_step_waits_for_the_longest(injection, compute, memory, overhead, roof):
    assert _roof(injection, compute, memory, overhead) == roof


def test_layers_that_stream_by_hand():
    """A layer takes its weights' way in, its arithmetic or its traffic, whichever is longest."""
    layers = [  # FLOP, attention, weights, state and traffic
        Totals(60.0, 10.0, 300.0, 20.0, 30.0, 0.0, 0.0, 0.0),
        Totals(600.0, 100.0, 30.0, 2.0, 3.0, 0.0, 0.0, 0.0),
        Totals(6.0, 1.0, 30.0, 200.0, 3000.0, 0.0, 0.0, 0.0),
    ]
    supply = CS3.supply("fp16")._replace(peak=10.0, attention_peak=4.0, bandwidth=7.0)
    ways = [0.3 * weights / 2 for weights in (300, 30, 30)]
    work = [50 / 5 + 10 / 2, 500 / 5 + 100 / 2, 5 / 5 + 1 / 2]
    inside = [350 / 7, 35 / 7, 3230 / 7]
    assert [max(each) for each in zip(ways, work, inside, strict=True)] == [50, 150, 3230 / 7]
    found = _layers(layers, supply, 2.0, 0.5, 0.3)
    assert found == pytest.approx((200 + 3230 / 7, sum(ways), sum(work), sum(inside)))


def test_what_does_not_fit_is_told_by_what_would():
    """A token of Llama 3 8B keeps 131,072 bytes, and each sequence a row of logits."""
    over = STREAMING.solve("Llama3_8B", CS3, batch_size=200, seq_len=2048)
    held = 200 * (KV * 2048 + 2 * (4096 + 128256))
    assert over.reason == (
        f"A batch of 200 keeps {held / 1e9:.4g} GB of state and activations and the device holds "
        "44 GB: at most 163 fit."
    )
    how = {"precision": "int8", "seq_len": 1000}
    exact = Models.Llama3_70B.parameters
    small = STREAMING.solve("Llama3_70B", CS3, host_memory=Q_(exact - 1.0, "B"), **how)
    assert small.reason == (
        "The host has to hold 70.55 GB of weights and holds 70.55 GB: give it more memory, or use "
        "a narrower precision."
    )
    assert STREAMING.solve("Llama3_70B", CS3, host_memory=Q_(float(exact), "B"), **how).feasible
    large = STREAMING.solve("Llama3_70B", CS3, **how)
    assert large.notes[-1] == "the host has to hold 70.55 GB of weights"
    assert STREAMING.solve("Llama3_8B", CS3).notes[-2] == (
        "the weights fit on the device; SingleNodeModel gives the step without streaming"
    )


def test_what_just_fits_need_not_be_streamed():
    supply = CS3.supply("fp16")._replace(capacity=60.0)
    for held, notes in (((30.0, 20.0, 10.0), 1), ((30.0, 20.0, 10.1), 0), ((31.0, 20.0, 10.0), 0)):
        assert len(_resident(Demand(1.0, 0.0, 1.0, 0.0, 0.0, *held), supply)) == notes
