"""Mixtures of experts in training, and the published runs that all of training is held against."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mlsysim import Fleet, Hardware, Models, Systems
from mlsysim.core.errors import BadArgument
from mlsysim.equations import node as eq
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.systems.types import Node

# The pretraining runs of NVIDIA-NeMo/Megatron-Bridge, docs/performance-summary.md at 00b7660,
# container 25.11, plans as printed there; model TFLOP/s of each GPU. Loads of experts were forced
# to be even. The page prints no batch for Qwen3 235B on H100: 8,192 as in its other runs on 256.
WORDS = ("model", "hardware", "precision")
ROWS = [
    {key: value if key in WORDS else int(value) for key, value in row.items()}
    for row in csv.DictReader((Path(__file__).parent / "bridge.csv").read_text().splitlines())
]
MIXTRAL = Models.Language.Mixtral_8x7B
ALONE = Fleet(
    name="one", count=1, node=Node(name="one H100", accelerator=Hardware.H100, accelerators=1)
)
EIGHT = Fleet(name="eight", count=1, node=Systems.Nodes.DGX_H100)
RACK = 64  # of the 72 devices of a rack, runs take a power of two


def solve(model=MIXTRAL, place=EIGHT, **how):
    return DistributedModel().solve(model, fleet=place, **how)


def ours(row, stack="ideal"):
    """Model TFLOP/s of each GPU under the published plan, with nothing else given."""
    if row["hardware"] == "GB200":
        inside = min(row["devices"], RACK)
        node = Systems.Nodes.GB200_NVL72.replace(accelerators=inside)
    else:
        node = {"H100": Systems.Nodes.DGX_H100, "B200": Systems.Nodes.DGX_B200}[row["hardware"]]
    count = row["devices"] // int(node.accelerators)
    fabric = Systems.Fabrics.InfiniBand_NDR if count > 1 else None
    r = solve(
        row["model"],
        Fleet(name="published", node=node, count=count, fabric=fabric),
        batch_size=row["batch"],
        microbatch=row["microbatch"],
        seq_len=row["seq_len"],
        precision=row["precision"],
        tensor_parallel=row["tp"],
        pipeline_parallel=row["pp"],
        context_parallel=row["cp"],
        interleave=row["vp"],
        expert_parallel=row["ep"],
        zero_stage=3 if row["fsdp"] else 1,
        sequence_parallel=True,
        stack=stack,
    )
    return (r.operations / r.step_time / r.devices).m_as("TFLOP/s")


def test_published_runs_are_near():
    """Was wrong: 8 of 15, and up to 7.9 times too fast."""
    assert len(ROWS) == 15
    off = [(max(ratio, 1 / ratio), row) for row in ROWS for ratio in [ours(row) / row["tflops"]]]
    dense = [one for one, row in off if row["model"].startswith("Llama")]
    assert max(dense) < 1.3
    assert sum(one <= 1.5 for one, _ in off) >= 11
    assert max(one for one, _ in off) < 5  # what the note of a mixture says


def test_published_runs_are_nearer_with_what_was_measured_of_megatron():
    """One is left: Qwen3 30B on H100, whose experts of 768 values are predicted twice too fast."""
    ratios = [ours(row, "megatron") / row["tflops"] for row in ROWS]
    assert sum(max(ratio, 1 / ratio) <= 1.5 for ratio in ratios) >= 13


def test_every_mixture_says_how_far_its_answer_may_be_off():
    assert any("many small experts" in note for note in solve(batch_size=8).notes)
    assert not any("experts" in note for note in solve("Llama3_8B", batch_size=8).notes)


def test_products_of_small_experts_are_slower():
    # measured: 590, 1,025 and 1,358 TFLOP/s where 512, 2,048 and 16,384 values are summed
    for inner, measured in ((512, 590), (2048, 1025), (16_384, 1358)):
        assert 1416 * eq.short_product(inner, 700) == pytest.approx(measured, rel=0.03)


def test_products_of_experts_and_the_order_of_tokens_take_their_time_by_hand():
    """Of Mixtral's 32 layers, at half of 989.4 TFLOP/s: up sums 4,096 values, down 14,336."""
    tokens, bandwidth, rate = 2048, 3.35e12, 989.4e12 / 2
    how = {"batch_size": 1, "stack": "ideal", "efficiency": 0.5}
    mixed = solve(place=ALONE, **how)
    # the same model without its experts, and with the products that every token passes instead
    plain = MIXTRAL.replace(moe=None, ffn=2 * 14336)
    products = {4096: 2 * 2 * tokens * 2 * 4096 * 14336, 14336: 2 * 2 * tokens * 4096 * 14336}
    slower = sum(work / rate * 700 / inner for inner, work in products.items())
    ordered = 2 * 2 * (2 * tokens * 4096 * 2) / bandwidth  # two experts a token; there and back
    router = 2 * tokens * 4096 * 8 / rate
    extra = 3 * 32 * (slower + ordered)  # backward twice
    dense = solve(plain, ALONE, **how)
    # what a step of the optimizer moves differs by the experts that rest
    state = 2 * 12 * (MIXTRAL.parameters - plain.parameters) / bandwidth
    found = (mixed.compute_time - dense.compute_time).m_as("s") - state
    assert found == pytest.approx(extra + 3 * 32 * router, rel=0.1)


def test_the_fullest_device_sets_the_pace_of_its_experts():
    even, crowded = (
        solve(batch_size=64, expert_parallel=8, imbalance=times) for times in (1, 1.25)
    )
    # up, gate and down of two experts a token, a quarter more; and so are the tokens sent
    share = 2 * 3 * 4096 * 14336
    extra = 0.25 * 3 * 2 * 32 * share * 2048 * 8 / (989.4e12 / 2)
    found = (crowded.compute_time - even.compute_time).m_as("s")
    assert found == pytest.approx(extra, rel=1e-2)
    assert crowded.operations == even.operations
    assert crowded.step_time > even.step_time
    with pytest.raises(BadArgument, match="no experts"):
        solve("Llama3_8B", imbalance=1.25)
