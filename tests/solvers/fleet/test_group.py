"""A device's share of a divided model: by hand, and the same at every door.

Llama 3 70B (its published config.json): 80 layers of width 8192, 64 query heads and 8 key heads of
128, an ffn of 28672 and a vocabulary of 128256.
"""

from __future__ import annotations

import pytest

from mlsysim import Fleet, Hardware, Models, Systems
from mlsysim.equations import system as eq
from mlsysim.evaluation import judge
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.models.operators import ATTENTION, DECODE, PREFILL, fold
from mlsysim.models.widths import Widths
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.solvers.fleet.group import divided, grouped, layout_of, part, share
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.serving import ServingModel
from mlsysim.solvers.node.single import SingleNodeModel

equal = Widths.equal

LLAMA, LLAMA_70B = Models.Language.Llama3_8B, Models.Language.Llama3_70B
MIXTRAL = Models.Language.Mixtral_8x7B
DEEPSEEK, RESNET = Models.Language.DeepSeek_V3, Models.Vision.ResNet50
H100, DGX = Hardware.Cloud.H100, Systems.Nodes.DGX_H100
EIGHT = Fleet(name="eight", count=1, node=DGX)

LAYERS = 80 * (8192 * (8192 + 2 * 1024) + 8192 * 8192 + 3 * 8192 * 28672)
TABLE = 128256 * 8192  # the embedding, and the head as well
NORMS = (2 * 80 + 1) * 8192
PARAMETERS = (LAYERS + 2 * TABLE) / 8 + NORMS  # 8,820,367,360: of the norms each keeps all
TOKENS = 2048
PAIRS = TOKENS * (TOKENS + 1) // 2
# bytes kept by a layer for each token: both norms, qkv and up read 8192 values whole, and an eighth
# of what attention (10,240), its projection, the activation and down read
KEPT = 2 * (4 * 8192 + (10_240 + 8192 + 2 * 28672 + 28672) / 8)


def test_the_shares_arithmetic_starts_from_the_published_count():
    assert LAYERS + 2 * TABLE + NORMS == LLAMA_70B.parameters == 70_553_706_496
    assert PARAMETERS == 8_820_367_360
    assert share(LLAMA_70B, 8).parameters == PARAMETERS


def evaluated(phase, **work):
    spec = {
        "workload": {"model": "Llama3_70B", "phase": phase, **work},
        "fleet": {"node": "DGX_H100", "tensor_parallel": 8},
    }
    return judge(SystemSpec.from_spec(spec)).metrics


def test_weights_are_the_same_in_training_serving_and_evaluation():
    trained = DistributedModel().solve(LLAMA_70B, fleet=EIGHT, tensor_parallel=8, batch_size=1)
    served = ServingModel().solve(share(LLAMA_70B, 8), H100)
    found = [
        trained.weights,
        served.weights,
        *(evaluated(phase)["weights"] for phase in ("train", "serve", DECODE, PREFILL)),
    ]
    for weights in found:
        assert weights.m_as("B") == pytest.approx(2 * PARAMETERS, rel=1e-12)


def test_the_cache_of_a_device_holds_one_of_eight_heads():
    # 80 layers, a key and a value of 128 values of two bytes
    token = 80 * 2 * 128 * 2
    served = ServingModel().solve(share(LLAMA_70B, 8), H100, seq_len=1000, decode_tokens=24)
    assert served.kv_cache.m_as("B") == pytest.approx(1024 * token)
    found = evaluated("serve", prompt=1000, tokens=24)
    assert found["kv_cache"].m_as("B") == pytest.approx(1024 * token)


def test_work_is_the_same_in_training_serving_and_evaluation():
    attention = 2 * 80 * 64 * 256 * PAIRS / 8
    forward = 2 * TOKENS * (LAYERS + TABLE) / 8 + attention  # the loss reads all rows of the head
    rate = 0.5 * H100.peak("fp16").m_as("FLOP/s")
    for trained in (
        DistributedModel().solve(LLAMA_70B, fleet=EIGHT, tensor_parallel=8, batch_size=1),
        SingleNodeModel().solve(share(LLAMA_70B, 8), H100, training=True),
    ):
        busy = trained.compute_time.m_as("s")
        assert busy == pytest.approx(3 * forward / rate, rel=1e-4)  # but for the dispatch tax
    # a system is judged by operators one after the other
    ideal = DistributedModel().solve(
        LLAMA_70B, fleet=EIGHT, tensor_parallel=8, batch_size=1, stack="ideal"
    )
    assert evaluated("train", batch_size=1)["compute_time"] == ideal.compute_time
    assert ideal.compute_time.m_as("s") > 3 * forward / rate

    prompt = 2 * TOKENS * LAYERS / 8 + 2 * TABLE / 8 + attention  # one row of the head
    served = SingleNodeModel().solve(share(LLAMA_70B, 8), H100, phase=PREFILL)
    assert served.operations.m_as("FLOP") == pytest.approx(prompt)
    assert evaluated(PREFILL)["operations"].m_as("FLOP") == pytest.approx(prompt)


def test_kept_activations_are_the_same_in_training_and_evaluation():
    kept = TOKENS * (80 * KEPT + 2 * 2 * 8192)  # and the inputs of the last norm and of the head
    logits = TOKENS * 128256 / 8 * 4  # that the loss reads in fp32
    trained = DistributedModel().solve(LLAMA_70B, fleet=EIGHT, tensor_parallel=8, batch_size=1)
    assert trained.activations.m_as("B") == pytest.approx(kept + logits)
    assert evaluated("train", batch_size=1)["activations"] == trained.activations
    alone = SingleNodeModel().solve(share(LLAMA_70B, 8), H100, training=True)
    assert alone.activations.m_as("B") == pytest.approx(kept + logits)


def test_what_a_layer_reads_whole_is_not_divided():
    """Was wrong: an eighth of everything, 0.034 GB; the input of a layer is read by each device."""
    found = evaluated(PREFILL)["activations"]
    up = TOKENS * 2 * (8192 + 2 * 28672 / 8)
    assert found.m_as("B") == pytest.approx(up) == 62_914_560


def test_a_group_of_one_is_the_model():
    step = LLAMA_70B.step(3.0, 500.0, DECODE, equal(2.0))
    assert cost.demand(share(LLAMA_70B, 1), step) == cost.demand(LLAMA_70B, step)
    assert divided(LLAMA_70B, EIGHT, 1).model is LLAMA_70B


def test_whole_operators_of_latent_attention_stay_on_every_device():
    # the down-projections to 1536 and 512 + 64 values, and the router of 256 experts in 58 layers
    step = DEEPSEEK.step(1.0, None, PREFILL, equal(1.0))
    whole = fold((op for op in DEEPSEEK.operators(step) if not op.split.work), PREFILL)
    norms = (2 * 61 + 1) * 7168
    assert whole.held == 61 * 7168 * (1536 + 576) + 58 * 7168 * 256 + norms
    eight = share(DEEPSEEK, 8)
    counted = DEEPSEEK.counted_parameters()
    expected = DEEPSEEK.parameters / counted * ((counted - whole.held) / 8 + whole.held)
    assert eight.parameters == pytest.approx(expected)
    assert eight.held_state(step) == DEEPSEEK.held_state(step)  # and the latent cache


def test_experts_go_to_devices_of_their_own():
    # 32 layers of 8 experts with three matrices of 4096 x 14336: one of eight to each device
    step = MIXTRAL.step(1.0, None, PREFILL, equal(1.0))
    ops = MIXTRAL.operators(step)
    parts = fold((part(op, 1.0, 8.0) for op in ops), PREFILL)
    expert = 32 * 3 * 4096 * 14336
    assert parts.held == fold(ops, PREFILL).held - 7 * expert
    assert parts.flops == fold(ops, PREFILL).flops  # it computes as many tokens as it sends
    both = fold((part(op, 2.0, 8.0) for op in ops if op.split.experts), PREFILL)
    assert both.held == expert / 2


@pytest.mark.parametrize("phase", [PREFILL, DECODE])
def test_pieces_of_a_sequence_divide_a_prompt_and_of_a_token_the_attention_alone(phase):
    step = LLAMA.step(5.0, 600.0, phase, equal(2.0))
    two, six = (share(LLAMA, 2, 1, 1, pieces).operators(step) for pieces in (1, 3))
    for whole, piece in zip(two, six, strict=True):
        parts = 1 if phase == DECODE and whole.kind != ATTENTION else 3
        for name in ("flops", "inputs", "outputs"):
            assert getattr(piece, name) == pytest.approx(getattr(whole, name) / parts)
        assert (piece.weights, piece.held) == (whole.weights, whole.held)
    assert share(LLAMA, 2, 1, 1, 3).held_state(step) == LLAMA.held_state(step) * (4 / 8) / 3


def test_stages_and_experts_have_sequences_of_their_own_by_hand():
    # of 24 sequences stages and expert groups compute two each, and of the experts' work on eight
    # a quarter; the fullest of the stages holds 11 of 32 layers, the embedding and the last norm
    model = share(MIXTRAL, 2, 3, 4)
    step = MIXTRAL.step(24.0, 100.0, DECODE, equal(2.0))
    two, eight = (MIXTRAL.operators(step._replace(batch=batch)) for batch in (2.0, 8.0))
    for mine, own, sent in zip(model.operators(step), two, eight, strict=True):
        half = 2 if own.split.work else 1
        flops = sent.flops / 4 if own.split.experts else own.flops
        assert mine.flops == pytest.approx(flops / half)
        held = own.held / half / (4 if own.split.experts else 1)
        kept = 11 / 32 if not own.split.end else own.name != "head"
        assert mine.held == pytest.approx(held * kept), own.name
        assert mine.state == pytest.approx(own.state / 2)
    assert model.held_state(step) == MIXTRAL.held_state(step) / 2 / 3 / 4
    # and never less than one sequence
    few = [model.operators(step._replace(batch=batch)) for batch in (3.0, 1.0)]
    assert [op.flops for op in few[0]] == [op.flops for op in few[1]]


def test_a_share_of_a_mixture_has_a_part_of_each_expert():
    # but for its norms and its routers to 8 experts in 32 layers, both of two devices hold a half
    whole = 65 * 4096 + 32 * 4096 * 8
    assert share(MIXTRAL, 2).parameters == (MIXTRAL.parameters - whole) / 2 + whole


@pytest.mark.parametrize(("ways", "heads"), [(2, 4), (8, 1), (16, 1)])
def test_a_key_head_is_kept_whole(ways, heads):
    state = 2 * 80 * 128 * heads
    step = LLAMA_70B.step(1.0, 1.0, DECODE, equal(1.0))
    assert share(LLAMA_70B, ways).held_state(step) == state
    assert share(LLAMA_70B, ways).totals(step).state == state
    assert eq.cache_share(8.0, float(ways)) == heads / 8


@pytest.mark.parametrize(
    ("model", "counts", "fault"),
    [
        (LLAMA_70B, (3, 1, 1, 1), "64 attention heads cannot be divided among 3 devices."),
        (LLAMA_70B, (16, 1, 1, 1), "16 tensor-parallel devices do not divide a node of 8."),
        (RESNET, (2, 1, 1, 3), "ResNet-50 has no attention heads to divide among 6 devices."),
        (LLAMA_70B, (1, 81, 1, 1), "80 layers cannot be divided among 81 stages."),
        (LLAMA_70B, (1, 80, 1, 1), ""),
        (LLAMA_70B, (1, 1, 2, 1), "0 experts cannot be divided among 2 devices."),
        (MIXTRAL, (1, 1, 3, 1), "8 experts cannot be divided among 3 devices."),
        (MIXTRAL, (1, 1, 8, 1), ""),
        (LLAMA_70B, (8, 6, 1, 2), "A replica of 96 devices needs more than the fleet's 88."),
        (LLAMA_70B, (8, 11, 1, 1), ""),
    ],
)  # fmt: skip
def test_a_group_that_cannot_be_says_why(model, counts, fault):
    ways, stages, experts, pieces = counts
    eleven = EIGHT.replace(count=11)
    group = divided(model, eleven, ways, stages=stages, experts=experts, pieces=pieces)
    assert group.fault == fault
    assert (group.model is model) == bool(fault)  # who cannot divide it has all of it
    assert group.replicas == max(88 // (ways * stages * experts * pieces), 1)


LINK, PORT, HOP, FAR = 450e9, 50e9, 1e-6, 1.5e-6  # of a DGX H100 and NDR: B/s, and seconds
TOKEN = 4096 * 2  # bytes of what a token of Mixtral or of Llama 3 8B says


def ring(data, ranks, rate, wait):
    return 2 * (ranks - 1) * (data / ranks / rate + wait)


@pytest.mark.parametrize(
    ("model", "layout", "phase", "by_hand"),
    [
        # 5 sequences of 700 tokens. A third of each: 64 sums in pairs, and keys and values of all,
        # 4 of 8 heads of 128, go round in 32 layers
        (LLAMA, (2, 1, 1, 3), PREFILL, 64 * ring(3500 / 3 * TOKEN, 2, LINK, HOP)
         + 3500 * 32 * 2 * 4 * 128 * 2 * (2 / 3) / LINK + 64 * HOP),
        (LLAMA, (8, 1, 1, 3), PREFILL, 64 * ring(3500 / 3 * TOKEN, 8, LINK, HOP)
         + 3500 * 32 * 2 * 128 * 2 * (2 / 3) / PORT + 64 * FAR),
        # a token is not divided, and each layer sums once what the pieces of its past gave
        (LLAMA, (2, 1, 1, 3), DECODE, 64 * ring(5 * TOKEN, 2, LINK, HOP)
         + 32 * ring(5 * TOKEN, 3, LINK, HOP)),
        (LLAMA, (4, 1, 1, 3), DECODE, 64 * ring(5 * TOKEN, 4, LINK, HOP)
         + 32 * ring(5 * TOKEN, 3, PORT, FAR)),
        # stages and experts answer sequences of their own, and one at least
        (LLAMA, (2, 3, 1, 1), DECODE, 64 * ring(5 / 3 * TOKEN, 2, LINK, HOP)
         + 2 * (5 / 3 * TOKEN / LINK + HOP)),
        (LLAMA, (2, 2, 1, 1), DECODE, 64 * ring(5 / 2 * TOKEN, 2, LINK, HOP)
         + 5 / 2 * TOKEN / LINK + HOP),
        (LLAMA, (2, 7, 1, 1), DECODE, 64 * ring(TOKEN, 2, LINK, HOP) + 6 * (TOKEN / PORT + FAR)),
        # two experts a token, there and back in 32 layers: three quarters of it leave a device
        (MIXTRAL, (2, 1, 4, 1), DECODE, 64 * ring(5 / 4 * TOKEN, 2, LINK, HOP)
         + 64 * (3 / 4 * 2 * 5 / 4 * TOKEN / LINK + 3 * HOP)),
        # in nodes of eight two of eight expert groups fit, and six eighths leave the node
        (MIXTRAL, (4, 1, 8, 1), DECODE, 64 * ring(TOKEN, 4, LINK, HOP)
         + 64 * (6 / 8 * 2 * TOKEN / PORT + 7 * FAR)),
    ],
)  # fmt: skip
def test_what_a_group_says_by_hand(model, layout, phase, by_hand):
    place = EIGHT.replace(count=6, fabric="InfiniBand_NDR")
    ways, stages, experts, pieces = layout
    group = divided(model, place, ways, stages=stages, experts=experts, pieces=pieces)
    said = group.talk("fp16")(5.0, 1.0 if phase == DECODE else 700.0, phase)
    assert said == pytest.approx(by_hand, rel=1e-12)


def test_a_latent_cache_goes_round_whole():
    # 61 layers of 512 and 64 values, which no head of a group of four divides
    group = divided(DEEPSEEK, EIGHT, 4, pieces=2)
    sums = 122 * ring(150 * 7168 * 2, 4, LINK, HOP)
    passed = 300 * 61 * 576 * 2 / 2 / LINK + 61 * HOP
    assert group.talk("fp16")(3.0, 100.0, PREFILL) == pytest.approx(sums + passed)


def test_a_mesh_gives_a_small_group_the_wires_among_its_own():
    # a wire of 64 GB/s to each of the seven others
    mesh = Fleet(name="mesh", count=1, node="MI300X_Platform")
    group = divided(LLAMA, mesh, 2)
    assert group.talk("fp16")(5.0, 1.0, DECODE) == pytest.approx(64 * ring(5 * TOKEN, 2, 64e9, HOP))


@pytest.mark.parametrize(("devices", "nodes"), [(1, 1), (8, 1), (16, 2), (24, 3)])
def test_devices_without_a_fleet_stand_in_plain_nodes_of_eight(devices, nodes):
    group = grouped(LLAMA, H100, None, layout_of(min(devices, 8), -(-devices // 8), 1, 1))
    assert (group.fleet.count, group.fleet.devices) == (nodes, 8 * nodes)
    assert group.fleet.name == "H100 SXM group"


def test_a_group_sums_twice_a_layer_over_the_wires_of_its_node():
    # 2 (N-1)/N M/BW + 2 (N-1) alpha for 8192 values a token, 160 times
    once = 2 * 7 / 8 * 100 * 8192 * 2 / 450e9 + 14 * 1e-6
    replica = divided(LLAMA_70B, EIGHT, 8)
    assert replica.talk("fp16")(100.0, 1.0, PREFILL) == pytest.approx(160 * once)
    assert divided(LLAMA_70B, EIGHT, 1).talk("fp16") is None
    assert (replica.ways, replica.replicas) == (8, 1)
