"""Wall 14 and training memory: worked by hand, against papers, in the limits, and at random."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Q_, Fleet, Hardware, Literature, Models, SingleNodeModel, Systems
from mlsysim.core.errors import BadArgument, MissingValue, UnknownName
from mlsysim.equations import fleet as eq
from mlsysim.equations import memory
from mlsysim.models.operators import Step
from mlsysim.models.widths import Widths
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.solvers.fleet.group import part
from mlsysim.solvers.fleet.parallelism import ParallelismOptimizer
from mlsysim.solvers.node.learning import Recipe, work
from mlsysim.systems.types import Node

equal = Widths.equal

LLAMA, LLAMA_70B, GPT3 = (
    Models.Language.Llama3_8B,
    Models.Language.Llama3_70B,
    Models.Language.GPT3_175B,
)
RESEARCH, THOUSAND = Systems.Clusters.Research_256, Systems.Clusters.Training_1K
DGX, NDR = Systems.Nodes.DGX_H100, Systems.Fabrics.InfiniBand_NDR
ONE = Fleet(
    name="one", count=1, node=Node(name="one H100", accelerator=Hardware.Cloud.H100, accelerators=1)
)
EIGHT = Fleet(name="eight", count=1, node=DGX)
LLAMA_3_PLAN = {
    "model": Models.Language.Llama3_405B,
    "fleet": Systems.Clusters.Llama3_16K,
    "tensor_parallel": 8,
    "pipeline_parallel": 16,
    "zero_stage": 1,
    "batch_size": 2048,
    "seq_len": 8192,
}


def solve(model=LLAMA, fleet=RESEARCH, **how):
    return DistributedModel().solve(model, fleet=fleet, **how)


# ---- training memory ---------------------------------------------------------------------------


def test_zero_divides_memory_as_the_paper_prints():
    # figure 1 of the ZeRO paper: 7.5B parameters, 64 ranks, 2 + 2 + 12 bytes a parameter
    parts = {"weights": 2 * 7.5, "gradients": 2 * 7.5, "optimizer": 12 * 7.5, "ranks": 64}
    printed = [120, 31.4, 16.6, 1.9]  # GB
    ours = [memory.zero_memory(**parts, stage=stage) for stage in range(4)]
    assert ours == pytest.approx(printed, rel=0.02)


def microbatch(model, batch=1, tensor=1.0, *, sequence=False):
    step = Step(batch, 2048, 0.0, "forward", equal(2.0), training=True)
    return work(model, step, Recipe(), ways=tensor, part=part, sequence=sequence)


@pytest.mark.parametrize(
    ("tensor", "sequence", "units"), [(1, False, 34 - 2), (8, False, 8 + 24 / 8), (8, True, 32 / 8)]
)
def test_activations_of_a_layer_are_those_of_korthikanti(tensor, sequence, units):
    # 34 sbh a layer, of which two are dropout masks that none of these models has, and the
    # 5 a s / h of unfused attention: norms 2 + 2, qkv in 2, q k v 6, projection in 2, up in 2,
    # activation in 8, down in 8. Tensor parallelism divides 24 of them, sequence parallelism all
    asked = microbatch(GPT3, 2, tensor, sequence=sequence)
    assert asked.layer == units * 2 * 2048 * 12288


def test_unfused_attention_keeps_its_scores():
    # of 5 a s s b bytes, 3 are dropout's: the softmax output of 2 a s s b bytes is left
    scores = 2 * 96 * 2048 * 2048
    assert microbatch(GPT3).scores == scores
    how = {"fleet": EIGHT, "tensor_parallel": 8, "seq_len": 2048, "batch_size": 1}
    fused, plain = solve(GPT3, **how), solve(GPT3, **how, flash_attention=False)
    extra = (plain.activations - fused.activations).m_as("B")
    assert extra == pytest.approx(96 * scores / 8)
    again = solve(GPT3, **how, flash_attention=False, recompute="selective")
    assert again.activations == fused.activations


def test_full_recomputation_keeps_the_input_of_each_layer():
    # 2 sbh for each of 96 layers, 32 sbh for the layer at work, 4 sbh and 4 s b v behind the last
    r = solve(GPT3, ONE, recompute="full", batch_size=1, seq_len=2048)
    sbh = 2048 * 12288
    assert r.activations.m_as("B") == pytest.approx((2 * 96 + 32 + 4) * sbh + 4 * 2048 * 50257)
    # the forward pass is done once more: 4 / 3 of the arithmetic
    assert r.compute_time / solve(GPT3, ONE, batch_size=1, seq_len=2048).compute_time == (
        pytest.approx(4 / 3)
    )


def test_memory_of_one_device_is_sixteen_bytes_a_parameter():
    r = solve(LLAMA, ONE, batch_size=1)
    single = SingleNodeModel().solve(LLAMA, Hardware.Cloud.H100, training=True)
    states = r.weights + r.gradients + r.optimizer_state
    assert states.m_as("B") == 16 * LLAMA.parameters == single.weights.m_as("B")
    assert r.activations.m_as("B") == pytest.approx(single.activations.m_as("B"))


@pytest.mark.parametrize(
    ("optimizer", "bytes_a_parameter"),
    [
        ("adam", 2 * 4 + 4),
        ("adamw", 2 * 4 + 4),
        ("adamw_8bit", 2 + 4),
        ("lion", 4 + 4),
        ("sgd_momentum", 4 + 4),
        ("sgd", 4),
    ],
)
def test_an_optimizer_keeps_its_moments_and_a_master_copy(optimizer, bytes_a_parameter):
    r = solve(LLAMA, ONE, batch_size=1, optimizer=optimizer)
    assert r.optimizer_state.m_as("B") == pytest.approx(bytes_a_parameter * LLAMA.parameters)


def test_full_precision_needs_no_master_copy():
    r = solve(LLAMA, ONE, batch_size=1, precision="fp32")
    assert r.optimizer_state.m_as("B") == 8 * LLAMA.parameters


def test_an_unknown_optimizer_is_not_taken_for_another():
    with pytest.raises(UnknownName, match="adamw"):
        solve(optimizer="adamm_w")


def test_the_published_plan_of_llama_3_fits_only_with_sequence_parallelism():
    # tensor 8, pipeline 16, data 128, 16M tokens a step of 8,192, no recomputation (its table 4)
    r = solve(**LLAMA_3_PLAN, sequence_parallel=True)
    assert (r.data_parallel, r.microbatches, r.feasible) == (128, 16, True)
    assert not solve(**LLAMA_3_PLAN).feasible


def test_stages_of_the_pipeline_keep_microbatches_in_flight():
    # 8 stages of 10 layers: the first keeps its part of 8 microbatches at a time
    r = solve(LLAMA_70B, tensor_parallel=8, pipeline_parallel=8, batch_size=64, zero_stage=1)
    # of 8192 values a token: two norms, qkv and up read them whole; an eighth of 10,240 for
    # attention, 8,192 for its projection, 2 x 28,672 for the activation and 28,672 for down
    layer = 2048 * 2 * (4 * 8192 + (10_240 + 8192 + 3 * 28_672) / 8)
    assert r.activations.m_as("B") == pytest.approx(8 * 10 * layer)


# ---- collectives -------------------------------------------------------------------------------


def test_a_ring_moves_almost_twice_the_data():
    # 1 GB over 8 ranks at 100 GB/s and 1 us a hop: 2 x 7/8 x 10 ms + 14 us
    assert eq.ring_all_reduce(1e9, 8, 100e9, 1e-6) == pytest.approx(0.0175 + 14e-6)
    assert eq.ring_all_reduce(1e9, 1, 100e9, 1e-6) == 0


@given(local=st.integers(1, 16), nodes=st.integers(1, 64), data=st.floats(1, 1e12))
def test_a_hierarchy_of_equal_wires_is_one_ring(local, nodes, data):
    # so neither of its inner legs moves more than a share of the data
    tree = eq.hierarchical_all_reduce(
        data, local, nodes, link=50e9, link_latency=0.0, network=50e9, network_latency=0.0
    )
    flat = eq.ring_all_reduce(data, local * nodes, 50e9, 0.0)
    assert tree == pytest.approx(flat, rel=1e-9, abs=1e-15)


def test_gradients_are_summed_inside_the_node_and_then_across():
    r = solve(zero_stage=1)
    data = 2 * LLAMA.parameters
    inside = 2 * 7 / 8 * data / 450e9 + 14 * 1e-6
    across = 2 * 31 / 32 * data / 8 / 50e9 + 62 * 1.5e-6  # a port of 400 Gbps for each device
    assert r.data_time.m_as("s") == pytest.approx(inside + across)


def test_zero_3_talks_half_as_much_again():
    # with one microbatch: two all-gathers and a reduce-scatter, against one of each
    still = RESEARCH.replace(fabric=NDR.replace(latency="0 s"))
    how = {"fleet": still, "batch_size": 256, "link_latency": "0 s"}
    plain, sharded = (solve(**how, zero_stage=stage) for stage in (1, 3))
    assert sharded.data_time / plain.data_time == pytest.approx(1.5)


def test_zero_3_waits_for_each_of_its_layers():
    # 32 layers, gathered twice and scattered once: three halves of a ring of 31 + 7 hops each way
    how = {"batch_size": 256, "zero_stage": 3}
    still = RESEARCH.replace(fabric=NDR.replace(latency="0 s"))
    waits = solve(**how).data_time - solve(**how, fleet=still, link_latency="0 s").data_time
    assert waits.m_as("s") == pytest.approx(1.5 * 32 * (2 * 31 * 1.5e-6 + 2 * 7 * 1e-6))


def test_tensor_parallelism_has_four_all_reduces_a_layer():
    r = solve(LLAMA_70B, EIGHT, tensor_parallel=8, batch_size=3)
    message = 2048 * 8192 * 2
    one = 2 * 7 / 8 * message / 450e9 + 14 * 1e-6
    assert r.tensor_time.m_as("s") == pytest.approx(3 * 80 * 4 * one)


def test_an_oversubscribed_fabric_slows_only_what_crosses_it():
    half = RESEARCH.replace(fabric=NDR.replace(oversubscription=2.0))
    even, slow = solve(zero_stage=1), solve(fleet=half, zero_stage=1)
    data = 2 * LLAMA.parameters
    assert (slow.data_time - even.data_time).m_as("s") == pytest.approx(
        2 * 31 / 32 * data / 8 / 50e9
    )
    inside = {"tensor_parallel": 8, "zero_stage": 1}
    assert solve(**inside).tensor_time == solve(fleet=half, **inside).tensor_time


def test_experts_are_divided_and_their_tokens_sent():
    # Mixtral: 32 layers of 8 experts with 3 matrices of 4096 x 14336; two experts a token
    model = Models.Language.Mixtral_8x7B
    experts = 32 * 8 * 3 * 4096 * 14336
    r = solve(model, EIGHT, expert_parallel=8, batch_size=8)
    assert r.weights.m_as("B") == pytest.approx(2 * (model.parameters - experts + experts / 8))
    sent = 2048 * 2 * 4096 * 2  # bytes each device hands out, of which 7 / 8 leave it
    assert r.expert_time.m_as("s") == pytest.approx(32 * 4 * (7 / 8 * sent / 450e9 + 7 * 1e-6))
    assert solve(model, EIGHT, batch_size=8).expert_time.m == 0


def test_stages_divide_experts_and_the_rest_alike():
    # half of the layers on each stage, an eighth of their experts on each of eight ranks
    model = Models.Language.Mixtral_8x7B
    experts = 32 * 8 * 3 * 4096 * 14336
    how = {"pipeline_parallel": 2, "expert_parallel": 8, "batch_size": 256}
    r = solve(model, RESEARCH, **how)
    held = (model.parameters - experts) / 2 + experts / 8 / 2
    assert r.weights.m_as("B") == pytest.approx(2 * held)
    assert r.optimizer_state.m_as("B") == pytest.approx(12 * held)
    # and where ZeRO divides it: among 128 replicas, of which 16 hold the same experts
    r = solve(model, RESEARCH, **how, zero_stage=1)
    sharded = (model.parameters - experts) / 2 / 128 + experts / 8 / 2 / 16
    assert r.optimizer_state.m_as("B") == pytest.approx(12 * sharded)


def test_tokens_for_experts_in_other_nodes_take_the_fabric():
    # pairs of devices share a layer, so a node of 8 holds 4 of the 8 experts' ranks: half of what a
    # rank hands out leaves the node at 50 GB/s, which takes longer than 3 / 8 of it at 450 GB/s
    how = {"expert_parallel": 8, "tensor_parallel": 2, "batch_size": 128}
    r = solve(Models.Language.Mixtral_8x7B, RESEARCH, **how)
    sent = 2048 * 2 * 4096 * 2 / 2
    latency = RESEARCH.fabric.latency.m_as("s")
    by_hand = 32 * 4 * (4 / 8 * sent / 50e9 + 7 * latency)
    assert r.expert_time.m_as("s") == pytest.approx(by_hand)


# ---- the step ----------------------------------------------------------------------------------


def test_one_device_takes_what_the_single_node_model_says():
    for batch in (1, 4):
        fleet = solve(LLAMA, ONE, batch_size=batch, microbatch=batch, seq_len=1024)
        single = SingleNodeModel().solve(
            LLAMA, Hardware.Cloud.H100, batch_size=batch, seq_len=1024, training=True
        )
        assert fleet.step_time.m_as("s") == pytest.approx(single.latency.m_as("s"))


def test_a_fleet_of_one_scales_perfectly():
    r = solve(Models.Language.GPT2, ONE, batch_size=8)
    assert r.scaling_efficiency == 1
    assert r.step_time == r.compute_time


def test_sequence_length_counts_once():
    # six FLOP a parameter and token, with some attention more and the embedding table less
    r = solve(batch_size=1024, seq_len=2048)
    assert r.operations.m_as("FLOP") == pytest.approx(6 * LLAMA.parameters * 1024 * 2048, rel=0.1)
    twice = solve(batch_size=1024, seq_len=4096)
    assert 2 < twice.operations / r.operations < 2.2


def test_the_bubble_is_p_minus_one_of_m_plus_p_minus_one():
    # 4 stages, 256 / (8 x 4) = 8 replicas, 72 / 8 = 9 microbatches: 3 of 12 slots are empty
    r = solve(tensor_parallel=8, pipeline_parallel=4, batch_size=72)
    assert r.bubble_fraction == 3 / 12
    # the last stage has the head, so the others are done sooner
    talk = r.tensor_time + r.pipeline_time
    slot, other = (r.compute_time + talk) / 9, (r.compute_time / HEADED[4] + talk) / 9
    assert r.bubble_time.m_as("s") == pytest.approx(3 * other.m_as("s"), rel=1e-3)
    whole = 9 * slot + r.bubble_time + r.exposed_data_time
    assert r.step_time.m_as("s") == pytest.approx(whole.m_as("s"))


# Llama-3 8B, multiply-accumulates a token at 2,048: a layer with its causal attention, and the head
LAYER = 2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2049 / 2 * 2 * 4096
HEAD = 4096 * 128256
HEADED = {p: (32 / p * LAYER + HEAD) / (32 / p * LAYER) for p in (4, 8)}  # last stage over others


@pytest.mark.parametrize("p", [4, 8])
def test_the_stage_with_the_head_sets_the_pace(p):
    # with a vocabulary of 128k it has 1.2 times the mean of four stages, 1.5 times that of eight
    r, whole = (
        solve(tensor_parallel=8, pipeline_parallel=stages, batch_size=64, overlap=0)
        for stages in (p, 1)
    )
    over_mean = (32 / p * LAYER + HEAD) * p / (32 * LAYER + HEAD)
    assert over_mean == pytest.approx({4: 1.20, 8: 1.47}[p], abs=0.01)
    assert (r.compute_time / whole.compute_time).m_as("") == pytest.approx(over_mean, rel=1e-2)


def test_the_last_stage_has_one_layer_at_least_beside_the_head():
    # eleven of twelve stages have three of 32 layers, and none would be left
    twelve = EIGHT.replace(node=DGX.replace(accelerators=12))
    r = solve(fleet=twelve, pipeline_parallel=12, batch_size=600, overlap=0)
    ideal = r.scaling_efficiency * r.step_time
    slowest = (LAYER + HEAD) * 12 / (32 * LAYER + HEAD)
    assert 3 * LAYER < LAYER + HEAD < 3.5 * LAYER
    assert (r.compute_time / ideal).m_as("") == pytest.approx(slowest, rel=1e-3)


def test_neighbouring_stages_pass_activations_both_ways():
    r = solve(tensor_parallel=8, pipeline_parallel=4, batch_size=72)
    message = 2048 * 4096 * 2 / 8  # each of the eight tensor ranks passes its slice
    assert r.pipeline_time.m_as("s") == pytest.approx(9 * 2 * (message / 50e9 + 1.5e-6))


def test_interleaving_shrinks_the_bubble_and_keeps_more_activations():
    plain, woven = (
        solve(tensor_parallel=8, pipeline_parallel=4, batch_size=72, interleave=v) for v in (1, 2)
    )
    assert woven.bubble_fraction == 3 / (2 * 9 + 3)
    # 4 + 3 / 2 microbatches in flight, not 4
    assert woven.activations / plain.activations == pytest.approx(5.5 / 4)


def test_uneven_stages_wait_for_the_fullest():
    # 32 layers over 5 stages: four of them have 7, and the last has the head and the other 4
    node = DGX.replace(accelerators=5)
    r = solve(
        Models.Language.Llama2_7B,
        Fleet(name="five", count=1, node=node),
        pipeline_parallel=5,
        batch_size=1000,
    )
    assert r.bubble_fraction == 4 / 1004
    ideal = r.scaling_efficiency * r.step_time
    layer = 4 * 4096**2 + 3 * 4096 * 11008 + 2049 / 2 * 2 * 4096  # multiply-accumulates a token
    fullest = 7 * layer / ((32 * layer + 4096 * 32000) / 5)
    assert (r.compute_time / ideal).m_as("") == pytest.approx(fullest, rel=1e-3)  # dispatch tax


def test_overlap_hides_no_more_than_there_is_arithmetic():
    # 3 s of talk behind 2 s of arithmetic leave 1 s, however eager the overlap
    assert eq.exposed_time(3.0, 1.0, 2.0) == 1.0
    bare, half, whole = (solve(zero_stage=1, overlap=part) for part in (0, 0.5, 1))
    assert half.exposed_data_time.m_as("s") == pytest.approx(bare.data_time.m_as("s") / 2)
    # the last of four microbatches goes backward for two thirds of its time, and no longer
    window = 2 / 3 * bare.compute_time / 4
    assert window < bare.data_time
    assert whole.exposed_data_time.m_as("s") == pytest.approx((bare.data_time - window).m_as("s"))
    assert whole.data_time == bare.data_time


def test_what_does_not_fit_has_no_efficiency():
    # 16 bytes for each of 70.6e9 parameters on one device
    r = solve(LLAMA_70B, tokens=15e12)
    assert not r.feasible
    assert "1.1" in r.reason
    assert "85.52 GB" in r.reason
    for name in ("scaling_efficiency", "mfu", "throughput", "token_throughput", "training_time"):
        assert getattr(r, name) is None
    assert r.memory_required > r.memory_capacity


def test_a_token_budget_takes_a_time():
    r = solve(zero_stage=1, tokens=15e12, batch_size=1024, seq_len=2048)
    steps = 15e12 / (1024 * 2048)
    assert r.training_time.m_as("s") == pytest.approx(steps * r.step_time.m_as("s"))
    assert r.token_throughput / r.throughput == pytest.approx(2048)


def test_the_iron_law_of_the_fleet_holds():
    r = solve(zero_stage=1, efficiency=0.4)
    law = eq.fleet_time(
        r.si("operations"),
        r.devices,
        Hardware.Cloud.H100.peak("fp16").m_as("FLOP/s"),
        mfu=0.4,
        scaling=r.scaling_efficiency,
        goodput=1.0,
    )
    assert r.step_time.m_as("s") == pytest.approx(law, rel=1e-3)  # but for the dispatch tax


def test_the_published_mfu_of_llama_3_is_near():
    # its interleaved schedule (four chunks a stage assumed), gradients hidden, and the default
    # half of the peak on each device: nothing here is fitted, so a fifth is near
    published = Literature.Efficiency.Llama3_405B.value
    r = solve(**LLAMA_3_PLAN, sequence_parallel=True, interleave=4, overlap=1.0)
    assert r.mfu == pytest.approx(published, rel=0.2)


def test_models_without_layers_are_trained_by_data_parallelism_alone():
    model = Models.Vision.ResNet50
    r = solve(model, batch_size=256 * 64)
    assert (r.feasible, r.microbatches, r.microbatch, r.token_throughput) == (True, 1, 64, None)
    for how in ({"tensor_parallel": 8}, {"pipeline_parallel": 2}, {"recompute": "full"}):
        assert "ResNet-50" in solve(model, **how).reason


def test_a_size_alone_is_enough_for_six_p_d():
    # 1e9 parameters, 2e10 tokens, 256 devices at 45 % of 989.4 TFLOP/s, before any talk
    r = DistributedModel().solve(
        fleet=RESEARCH, optimal_parameters=1e9, optimal_tokens=2e10, mfu=0.45
    )
    alone = 6 * 1e9 * 2e10 / (256 * 989.4e12 * 0.45)
    assert r.training_time.m_as("s") * r.scaling_efficiency == pytest.approx(alone, rel=0.01)
    assert r.activations.m == 0
    assert "activations are not counted" in r.notes[0]


def test_a_question_without_a_model_says_what_is_missing():
    with pytest.raises(MissingValue, match="optimal_parameters"):
        DistributedModel().solve(fleet=RESEARCH)
    with pytest.raises(MissingValue, match="layers"):
        DistributedModel().solve(fleet=RESEARCH, optimal_parameters=1e9, pipeline_parallel=2)


def test_wires_are_asked_for_only_where_messages_take_them():
    plain = Fleet(name="plain", hw=Hardware.Cloud.H100, count=2)
    with pytest.raises(MissingValue, match=r"fabric\.bandwidth"):
        solve(fleet=plain)
    assert solve(fleet=plain.replace(count=1, node=None), zero_stage=1).step_time.m > 0
    joined = Fleet(name="joined", hw=Hardware.Cloud.H100, count=2, fabric=NDR)
    assert "one port of the fabric for each device" in solve(fleet=joined).notes[0]


def test_a_column_of_plans_is_refused_in_words():
    with pytest.raises(BadArgument, match="one number"):
        solve(tensor_parallel=[1, 2])


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"tensor_parallel": 5}, "32 attention heads cannot be divided among 5"),
        ({"pipeline_parallel": 64}, "32 layers are too few for 64"),
        (
            {"tensor_parallel": 4, "pipeline_parallel": 3},
            "256 devices cannot be divided into groups",
        ),
        ({"expert_parallel": 2}, "1 experts and 256 replicas cannot both be divided by 2"),
        ({"batch_size": 1000}, "use a multiple of 256"),
        ({"batch_size": 8}, "use a multiple of 256"),
    ],
)
def test_a_plan_that_divides_nothing_evenly_is_an_answer(how, words):
    r = solve(**how)
    assert not r.feasible
    assert words in r.reason
    assert r.step_time is None
    assert r.communication_fraction is None


@given(
    tensor=st.sampled_from([1, 2, 4, 8]),
    pipeline=st.sampled_from([1, 2, 4, 8]),
    stage=st.integers(0, 3),
    part=st.floats(0, 1),
    again=st.sampled_from(["none", "full"]),
)
def test_efficiencies_stay_below_one(tensor, pipeline, stage, part, again):
    r = solve(
        LLAMA_70B,
        THOUSAND,
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        zero_stage=stage,
        overlap=part,
        recompute=again,
        efficiency=0.6,
    )
    if r.feasible:
        assert 0 < r.scaling_efficiency <= 1
        assert 0 < r.mfu <= 0.6
    assert r.memory_required.m_as("B") == pytest.approx(
        sum(r.si(name) for name in ("weights", "gradients", "optimizer_state", "activations"))
    )


@given(faster=st.floats(1, 100))
def test_a_faster_fabric_is_never_slower(faster):
    fleet = RESEARCH.replace(
        fabric=NDR.replace(bandwidth=NDR.bandwidth * faster),
        node=DGX.replace(nic_bandwidth=DGX.nic_bandwidth * faster),
    )
    assert solve(fleet=fleet).step_time <= solve().step_time


@given(stage=st.integers(0, 2), pipeline=st.sampled_from([1, 2, 4]))
def test_a_higher_zero_stage_never_needs_more_memory(stage, pipeline):
    lower, higher = (
        solve(pipeline_parallel=pipeline, zero_stage=s).memory_required for s in (stage, stage + 1)
    )
    assert higher <= lower


# ---- the search --------------------------------------------------------------------------------


def search(model=LLAMA_70B, fleet=THOUSAND, **how):
    return ParallelismOptimizer().solve(model, fleet, **how)


def test_the_best_plan_is_what_the_model_says_of_it():
    r = search(tokens=15e12)
    again = solve(
        LLAMA_70B,
        THOUSAND,
        tensor_parallel=r.tensor_parallel,
        pipeline_parallel=r.pipeline_parallel,
        microbatch=r.microbatch,
        zero_stage=r.zero_stage,
        recompute=r.recompute,
        interleave=r.interleave,
        context_parallel=r.context_parallel,
        sequence_parallel=r.sequence_parallel,
        batch_size=1024,
        tokens=15e12,
        stack="ideal",  # plans are compared at it
    )
    assert r.best == again
    assert r.step_time == again.step_time
    assert r.training_time == again.training_time


def test_no_plan_that_one_can_write_down_is_faster():
    best = search(Models.Language.Llama2_13B, RESEARCH, batch_size=512).step_time
    for t in (1, 2, 4, 8):
        for p in (1, 2, 4, 8):
            for stage in range(4):
                for mb in (1, 2):
                    r = solve(
                        Models.Language.Llama2_13B,
                        batch_size=512,
                        tensor_parallel=t,
                        pipeline_parallel=p,
                        zero_stage=stage,
                        microbatch=mb,
                        stack="ideal",
                    )
                    assert not r.feasible or r.step_time.m_as("s") >= best.m_as("s") - 1e-12


def test_plans_are_ranked_and_the_rest_has_reasons():
    r = search()
    times = [row["step_time"].m_as("s") for row in r.ranked]
    assert times == sorted(times)
    assert times[0] == r.step_time.m_as("s")
    assert len(times) == r.fitting
    assert r.fitting + sum(r.rejected_because.values()) == r.considered
    assert len(r.rejected) == r.considered - r.fitting
    room = Hardware.Cloud.H100.memory.capacity
    for row in r.rejected:
        assert row["reason"].endswith(".")
        assert "holds" not in row["reason"] or row["memory_required"] > room
    assert all(row["memory_required"] <= room for row in r.ranked)


def test_a_search_that_finds_nothing_names_the_leanest_plan():
    # 16 bytes x 405.9e9 parameters over 16 devices are 406 GB and more
    pair = Fleet(name="pair", count=2, node=DGX, fabric=NDR)
    r = search(Models.Language.Llama3_405B, pair)
    assert (r.feasible, r.best, r.ranked, r.step_time, r.fitting) == (False, None, [], None, 0)
    leanest = float(r.reason.split("needs ")[1].split(" GB")[0])
    assert 16 * 405.85e9 / 16 / 1e9 < leanest < 420
    assert r.reason.endswith("on a device that holds 85.52 GB.")  # 81,559 MiB
    needs = [row["memory_required"].m_as("GB") for row in r.rejected if "holds" in row["reason"]]
    assert min(needs) == pytest.approx(leanest, rel=1e-3)


def test_a_model_that_fits_one_device_is_not_split_when_talk_can_hide():
    r = search(Models.Language.GPT2, RESEARCH, batch_size=4096, overlap=1.0)
    assert (r.tensor_parallel, r.pipeline_parallel, r.data_parallel) == (1, 1, 256)


def test_the_search_divides_experts_and_spares_models_without_layers():
    moe = search(Models.Language.Mixtral_8x22B, RESEARCH)
    assert moe.feasible
    assert {row["expert_parallel"] for row in moe.ranked} >= {1, 8}
    flat = search(Models.Vision.ResNet50, RESEARCH, batch_size=2**14)
    assert (flat.tensor_parallel, flat.pipeline_parallel, flat.recompute) == (1, 1, "none")


def test_searching_is_vectorised_as_the_equations_are():
    # one plan at a time and all at once are the same numbers
    r = search(Models.Language.Llama2_13B, EIGHT, batch_size=16)
    for row in r.ranked[::7]:
        one = solve(
            Models.Language.Llama2_13B,
            EIGHT,
            batch_size=16,
            stack="ideal",
            sequence_parallel=True,
            **{
                key: row[key]
                for key in (
                    "tensor_parallel",
                    "pipeline_parallel",
                    "interleave",
                    "microbatch",
                    "zero_stage",
                    "recompute",
                )
            },
        )
        assert one.step_time.m_as("s") == pytest.approx(row["step_time"].m_as("s"))
        assert one.memory_required.m_as("B") == pytest.approx(row["memory_required"].m_as("B"))


def test_results_are_plain_data():
    assert solve(zero_stage=1).to_dict()["step_time"]["unit"] == "s"
    assert search().to_dict()["tensor_parallel"] in (1, 2, 4, 8)
    assert isinstance(search().ranked[0]["step_time"], Q_)
    assert np.isfinite(search().ranked[0]["memory_required"].m)
