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
from mlsysim.models.operators import DECODE, PREFILL, fold
from mlsysim.models.widths import Widths
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.solvers.fleet.group import divided, part, share
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.serving import ServingModel
from mlsysim.solvers.node.single import SingleNodeModel

equal = Widths.equal

LLAMA_70B, MIXTRAL = Models.Language.Llama3_70B, Models.Language.Mixtral_8x7B
DEEPSEEK = Models.Language.DeepSeek_V3
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
    ("model", "ways", "words"),
    [
        (LLAMA_70B, 3, "64 attention heads cannot be divided among 3 devices"),
        (LLAMA_70B, 16, "16 tensor-parallel devices do not divide a node of 8"),
        (Models.Vision.ResNet50, 2, "no attention heads to divide among 2"),
    ],
)
def test_a_group_that_cannot_be_says_why(model, ways, words):
    assert words in divided(model, EIGHT, ways).fault


def test_a_group_sums_twice_a_layer_over_the_wires_of_its_node():
    # 2 (N-1)/N M/BW + 2 (N-1) alpha for 8192 values a token, 160 times
    once = 2 * 7 / 8 * 100 * 8192 * 2 / 450e9 + 14 * 1e-6
    replica = divided(LLAMA_70B, EIGHT, 8)
    assert replica.talk("fp16")(100.0, 1.0, PREFILL) == pytest.approx(160 * once)
    assert divided(LLAMA_70B, EIGHT, 1).talk("fp16") is None
    assert (replica.ways, replica.replicas) == (8, 1)
