"""What an entry is taken to be where its file says nothing: a key left out is a claim as well.

A model's file that leaves `tied_embeddings` out gains or loses the parameters of its head.
"""

from __future__ import annotations

import pytest

from mlsysim import Hardware, Infrastructure, Literature, Models, Systems
from mlsysim.models.types import Workload

MINE = {"sources": {"default": {"kind": "user", "ref": "a test"}}, "name": "mine"}
SIZES = {"layers": 2, "hidden": 64, "heads": 4, "ffn": 128, "parameters": 1}
EXPERTS = {"experts": 8, "per_token": 2, "ffn": 128}
CHIP = {
    "release_year": 2027,
    "compute": {"peak_flops": "100 TFLOP/s"},
    "memory": {"capacity": "80 GB", "bandwidth": "1 TB/s"},
}

MODELS = [
    (
        {"kind": "transformer", **SIZES, "vocab": 1000, "context": 512},
        {
            "gated": True,
            "tied_embeddings": False,
            "learned_positions": 0,
            "biases": False,
            "qkv_bias": False,
            "norm_bias": False,
            "causal": True,
            "moe": None,
            "mla": None,
            "key_heads": 4,  # one for each query head
            "key_dim": 16,  # an even share of 64
        },
    ),
    (
        {"kind": "vision_transformer", **SIZES, "image": 224, "patch": 16, "classes": 10},
        {
            "gated": False,
            "biases": True,
            "norm_bias": True,
            "causal": False,
            "image_channels": 3,
            "vocab": 0,
            "context": 197,  # 14 x 14 patches and the class
        },
    ),
    (
        {
            "kind": "statespace", "parameters": 1, "layers": 2, "hidden": 64,
            "state": 16, "conv_kernel": 4, "dt_rank": 4, "vocab": 1000,
        },
        {"expand": 2, "tied_embeddings": True, "inner": 128},
    ),
    (
        {
            "kind": "diffusion", "parameters": 1, "latent": 8, "latent_channels": 4,
            "channels": [32], "blocks": 1, "text_width": 64, "text_tokens": 7, "steps": 20,
        },
        {"guidance": True, "macs": None},
    ),
    (
        {
            "kind": "recommendation", "parameters": 1, "dense_features": 13, "bottom": [16],
            "top": [1], "embedding_dim": 16, "tables": [100], "lookups": [1],
        },
        {"interaction": "dot", "cross_layers": 0, "cross_rank": None},
    ),
    (
        {
            "kind": "convnet", "parameters": 1, "input": {"height": 8},
            "layers": [{"conv": {"out": 4}}],
        },
        {"batchnorm": True, "macs": None},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), MODELS, ids=[spec["kind"] for spec, _ in MODELS])
def test_a_model_is_taken_to_be_so_where_its_file_says_nothing(spec, expected):
    model = Models.from_spec({**MINE, **spec})
    assert {name: getattr(model, name) for name in expected} == expected


def test_experts_are_routed_in_every_layer_and_none_is_shared_unless_said():
    spec = {"kind": "transformer", **SIZES, "vocab": 1000, "context": 512, "moe": EXPERTS}
    moe = Models.from_spec({**MINE, **spec}).moe
    assert (moe.shared, moe.dense_layers) == (0, 0)


def test_a_convolution_is_three_by_three_at_every_pixel_with_zeros_around():
    # 8 x 1 pixels of one channel; 3 x 3 taps to 4 channels, no bias, two numbers of batch
    # normalisation a channel, and the image keeps its size: 8 x 9 x 4 products
    one = {"kind": "convnet", "parameters": 1, "input": {"height": 8}}
    model = Models.from_spec({**MINE, **one, "layers": [{"conv": {"out": 4}}]})
    assert model.counted_parameters() == 9 * 4 + 2 * 4
    assert model.counted_macs() == 8 * 9 * 4


def test_a_device_has_one_datapath_and_no_flash_unless_said():
    chip = Hardware.from_spec({**MINE, **CHIP})
    assert chip.compute.peak_precision == "fp16"
    assert list(chip.compute.datapaths) == ["fp16"]
    unknown = ("tdp", "sleep_power", "dispatch_tax", "unit_cost", "interconnect", "host_link")
    assert all(getattr(chip, name) is None for name in unknown)
    assert chip.memory.flash is None


def test_a_server_holds_eight_devices_and_no_ports_unless_said():
    node = Systems.Nodes.from_spec({**MINE, "accelerator": "H100"})
    assert (node.accelerators, node.nics) == (8, 0)
    assert all(getattr(node, name) is None for name in ("power", "unit_cost", "storage"))


def test_a_fabric_is_a_fat_tree_without_oversubscription_unless_said():
    spec = {**MINE, "bandwidth": "50 GB/s", "latency": "1 us"}
    fabric = Systems.Fabrics.from_spec(spec)
    assert (fabric.topology, fabric.oversubscription) == ("fat_tree", 1)


def test_a_grid_is_a_place_counted_over_the_life_of_its_plants_unless_said():
    grid = Infrastructure.Grids.from_spec({**MINE, "year": 2025, "carbon_intensity": "30 g/kWh"})
    assert (grid.basis, grid.place, grid.electricity_price) == ("lifecycle", True, None)


def test_a_finding_claims_no_conditions_that_it_does_not_name():
    found = Literature.from_spec({**MINE, "value": 0.5, "context": "a test"})
    assert {found.stack, found.model, found.hardware, found.precision} == {None}


@pytest.mark.parametrize("name", Models)
def test_parameters_that_nobody_says_are_those_of_the_dimensions(name):
    said = {k: v for k, v in Models[name].to_dict().items() if k not in ("parameters", "sources")}
    assert Workload.build(said).parameters == pytest.approx(Models[name].parameters, rel=3e-3)


def test_a_device_that_nobody_has_built_needs_no_year():
    chip = {k: v for k, v in {**MINE, **CHIP}.items() if k != "release_year"}
    assert Hardware.from_spec(chip).release_year is None
    assert all(Hardware[name].release_year for name in Hardware)
