"""What the devices of a training step say to each other, by hand, under plans of unlike numbers."""

from __future__ import annotations

import pytest

from mlsysim import Fleet, Models
from mlsysim.solvers.fleet.distributed import DistributedModel

LINK, PORT, HOP, FAR = 450e9, 50e9, 1e-6, 1.5e-6  # of a DGX H100 and NDR: B/s, and seconds
TOKEN = 4096 * 2  # bytes of what a token of Llama 3 8B or of Mixtral says
KEYS = 2 * 8 * 128 * 2  # and of its keys and values in a layer
SIX = Fleet(name="six", count=6, node="DGX_H100", fabric="InfiniBand_NDR")
ONE = Fleet(name="one", count=1, node="DGX_H100")
LLAMA, MIXTRAL = Models.Language.Llama3_8B, Models.Language.Mixtral_8x7B


def solve(place, model=LLAMA, **how):
    return DistributedModel().solve(model, fleet=place, **how)


def ring(data, ranks, rate, wait):
    return 2 * (ranks - 1) * (data / ranks / rate + wait)


def tree(data, local, nodes):
    return ring(data, local, LINK, HOP) + ring(data / local, nodes, PORT, FAR)


def seconds(answer, *names):
    return [answer.si(f"{name}_time") for name in names]


def test_five_microbatches_in_pairs_thirds_and_four_stages_of_eight_layers():
    """Two replicas of 2 x 3 x 4 devices; all is computed again, and stages are cut in two."""
    r = solve(
        SIX, tensor_parallel=2, context_parallel=3, pipeline_parallel=4, interleave=2,
        batch_size=10, seq_len=3000, recompute="full", overlap=0,
    )  # fmt: skip
    assert (r.data_parallel, r.microbatches, r.bubble_fraction) == (2, 5, 3 / (2 * 5 + 3))
    said = 1000 * TOKEN
    tensor = 5 * 8 * 6 * ring(said, 2, LINK, HOP)  # two sums forward, backward and again
    # pairs of thirds stand in one node; forward, again, and back with their gradients
    context = 5 * 8 * 4 * 2 * (1000 * KEYS / 2 / LINK + HOP)
    pipeline = 5 * 2 * 2 * (said / 2 / PORT + FAR)
    # of six that hold the same two stand in a node, which holds four pairs
    data = tree(r.si("gradients"), 2, 3)
    found = seconds(r, "tensor", "context", "pipeline", "data", "exposed_data", "expert")
    assert found == pytest.approx([tensor, context, pipeline, data, data, 0])
    whole = r.si("compute_time") + tensor + context + pipeline + r.si("bubble_time") + data
    assert r.si("step_time") == pytest.approx(whole)
    talk = (tensor + context + pipeline + data) / whole
    assert r.communication_fraction == pytest.approx(talk)


@pytest.mark.parametrize(("zero", "halves"), [(0, 2), (1, 2), (2, 1 + 4), (3, 3 * 4)])
def test_what_zero_says_for_each_of_four_microbatches(zero, halves):
    """Twelve of 16 devices each hold the same; a sequence is divided over two nodes."""
    how = {"tensor_parallel": 4, "context_parallel": 4, "batch_size": 12, "seq_len": 4000}
    plain, r = (solve(SIX, **how, zero_stage=stage, overlap=1) for stage in (0, zero))
    assert (r.data_parallel, r.microbatches, r.si("pipeline_time")) == (3, 4, 0)
    layers = 32 if zero == 3 else 1  # one after the other
    data = halves / 2 * layers * tree(plain.si("gradients") / layers, 2, 6)
    context = 4 * 32 * 3 * 3 * (1000 * KEYS / 4 / PORT + FAR)
    assert seconds(r, "data", "context") == pytest.approx([data, context])
    # from stage 2 on it hides behind all microbatches, before behind two thirds of the last one
    busy = r.si("compute_time")
    hidden = busy if zero >= 2 else 2 / 3 * busy / 4
    assert hidden < data
    assert r.si("exposed_data_time") == pytest.approx(data - hidden)


def test_what_an_adapter_leaves_frozen_is_gathered_twice_and_never_scattered():
    how = {"batch_size": 96, "seq_len": 500, "lora_rank": 16}
    plain, r = (solve(SIX, **how, zero_stage=stage) for stage in (0, 3))
    assert r.microbatches == 2
    learned = plain.si("gradients")
    frozen = plain.si("weights") - learned
    data = 32 * (3 * tree(learned / 32, 8, 6) + 2 * tree(frozen / 32, 8, 6))
    assert r.si("data_time") == pytest.approx(data)


def test_experts_sum_their_gradients_among_those_that_hold_the_same():
    """24 pairs: an expert of theirs is with six of them, all else with all."""
    how = {"expert_parallel": 4, "tensor_parallel": 2, "batch_size": 72, "recompute": "full"}
    r = solve(SIX, MIXTRAL, **how)
    experts = 2 * 32 * 2 * 3 * 4096 * 14336 / 2  # bytes: two of eight, halved
    dense = r.si("gradients") - experts
    # four replicas in a node sum there first; of six with the same experts two are in a node
    data = tree(dense, 4, 6) + tree(experts, 2, 3)
    sent = 2048 * TOKEN * 2 / 2  # to two experts, half of it by each of a pair
    expert = 3 * 32 * 6 * (3 / 4 * sent / LINK + 3 * HOP)
    assert seconds(r, "data", "expert") == pytest.approx([data, expert])


@pytest.mark.parametrize(("node", "rate"), [("DGX_H100", LINK), ("MI300X_Platform", 448e9 / 7)])
def test_neighbouring_stages_in_a_node_talk_over_the_wires_between_two(node, rate):
    r = solve(ONE.replace(node=node), tensor_parallel=2, pipeline_parallel=4, batch_size=3)
    assert r.si("pipeline_time") == pytest.approx(3 * 2 * (2048 * TOKEN / 2 / rate + HOP))


def test_samples_of_a_model_without_a_sequence_count_as_its_tokens():
    r = solve(ONE, Models.Vision.ResNet50, batch_size=256, tokens=1.28e6)
    assert r.si("training_time") == pytest.approx(5000 * r.si("step_time"))
    assert r.si("training_operations") == pytest.approx(5000 * r.si("operations"))
