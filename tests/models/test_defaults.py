"""What a description of a model means by what it leaves out: the same as by the words for it."""

from __future__ import annotations

import pytest

from mlsysim import Hardware, Models
from mlsysim.models.operators import (
    BETWEEN,
    COLUMNS,
    EMBEDDING,
    END,
    EXPERTS,
    HEAD,
    LOSS,
    ROWS,
    WHOLE,
    Step,
)
from mlsysim.models.widths import ONE

DECODER = {
    "kind": "transformer",
    "layers": 5,
    "hidden": 24,
    "heads": 4,
    "ffn": 56,
    "vocab": 100,
    "context": 64,
}
PLAIN = {
    "tied_embeddings": False,
    "learned_positions": 0,
    "qkv_bias": False,
    "gated_attention": False,
    "bare_layers": 0,
}
MLA = {"q_rank": 6, "kv_rank": 4, "nope_dim": 3, "rope_dim": 2, "v_dim": 5}
LEFT_OUT = {
    "a decoder": (
        DECODER,
        {**PLAIN, "gated": True, "biases": False, "norm_bias": False, "causal": True},
    ),
    "experts": (
        {**DECODER, "moe": {"experts": 7, "per_token": 2, "ffn": 9}},
        {"moe": {"experts": 7, "per_token": 2, "ffn": 9, "shared": 0, "dense_layers": 0}},
    ),
    "a window": ({**DECODER, "window": {"tokens": 9}}, {"window": {"tokens": 9, "chunked": False}}),
    "a recurrence": (
        {
            **DECODER,
            "recurrence": {"layers": 3, "heads": 4, "head_dim": 3, "groups": 2, "key_dim": 5},
        },
        {
            "recurrence": {
                "layers": 3,
                "heads": 4,
                "head_dim": 3,
                "groups": 2,
                "key_dim": 5,
                "gates": 1,
                "conv_kernel": 0,
                "conv_bias": False,
            }
        },
    ),
    "compression": (
        {
            **DECODER,
            "compressed": {
                "q_rank": 6,
                "o_rank": 4,
                "o_groups": 2,
                "window": 8,
                "streams": [{"layers": 3, "rate": 4}],
            },
        },
        {
            "compressed": {
                "q_rank": 6,
                "o_rank": 4,
                "o_groups": 2,
                "window": 8,
                "streams": [{"layers": 3, "rate": 4, "overlap": False}],
            }
        },
    ),
    "an encoder of images": (
        {
            "kind": "vision_transformer",
            "layers": 2,
            "hidden": 24,
            "heads": 4,
            "ffn": 56,
            "image": 12,
            "patch": 4,
            "classes": 10,
        },
        {
            **PLAIN,
            "gated": False,
            "biases": True,
            "norm_bias": True,
            "causal": False,
            "image_channels": 3,
            "vocab": 0,
            "context": 3 * 3 + 1,
        },
    ),
    "speech": (
        {**DECODER, "kind": "speech", "encoder_layers": 3, "frames": 20, "bins": 8},
        {
            **PLAIN,
            "gated": False,
            "biases": True,
            "norm_bias": True,
            "causal": True,
            "tied_embeddings": True,
        },
    ),
    "a state space": (
        {
            "kind": "statespace",
            "layers": 3,
            "hidden": 8,
            "state": 4,
            "conv_kernel": 3,
            "dt_rank": 2,
            "vocab": 100,
        },
        {"expand": 2, "groups": 1, "tied_embeddings": True},
    ),
    "diffusion": (
        {
            "kind": "diffusion",
            "latent": 8,
            "latent_channels": 4,
            "channels": [8, 16],
            "blocks": 2,
            "text_width": 12,
            "text_tokens": 7,
            "steps": 20,
        },
        {"depths": [], "added": 0, "guidance": True},
    ),
    "tables": (
        {
            "kind": "recommendation",
            "dense_features": 3,
            "bottom": [5, 4],
            "top": [6, 1],
            "embedding_dim": 4,
            "tables": [9, 8],
            "lookups": [1, 2],
        },
        {"interaction": "dot", "cross_layers": 0},
    ),
    "layers of a network": (
        {"kind": "convnet", "input": {"height": 8}, "layers": [{"conv": {"out": 4}}]},
        {
            "input": {"height": 8, "width": 1, "channels": 1},
            "batchnorm": True,
            "layers": [
                {
                    "conv": {
                        "out": 4,
                        "kernel": 3,
                        "stride": 1,
                        "padding": "same",
                        "groups": 1,
                        "expand": 1,
                        "repeat": 1,
                        "bias": False,
                    }
                }
            ],
        },
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_left_out_is_what_it_would_say(case):
    least, said = LEFT_OUT[case]
    written = Models.from_spec({"name": case, **least, **said})
    left = Models.from_spec({"name": case, **least})
    assert left == written
    assert left.to_dict() == written.to_dict()


def test_a_device_states_its_peak_in_halves_and_its_links_are_no_mesh():
    least = {
        "name": "chip",
        "compute": {"peak_flops": "7 TFLOP/s", "precision": {"int8": "11 TOP/s"}},
        "memory": {"capacity": "3 GB", "bandwidth": "2 TB/s"},
        "interconnect": {"bandwidth": "5 GB/s"},
    }
    chip = Hardware.from_spec(least)
    assert (chip.compute.peak_precision, chip.interconnect.mesh) == ("fp16", False)
    assert [chip.peak().m_as("TFLOP/s"), chip.ridge().m_as("FLOP/B")] == [7, 3.5]
    assert [chip.peak("int8").m_as("TFLOP/s"), chip.ridge("int8").m_as("FLOP/B")] == [11, 5.5]


def test_bytes_of_a_model_are_those_of_one_sequence_in_halves():
    llama = Models.Llama3_8B
    assert llama.weights() == llama.weights("bf16") == 2 * llama.weights("int8")
    for model in (llama, Models.Mamba1_2_8B):
        one = model.kv_cache(9)
        assert one == model.kv_cache(9, 1, "fp16") == 2 * model.kv_cache(9, precision="fp8")
        assert model.kv_cache(9, 4) == 4 * one


def test_a_step_is_no_training_unless_it_says():
    llama = Models.Llama3_8B
    assert Step(1.0, 1.0, 0.0, "decode", ONE).training is False
    assert llama.step(1.0, None, None) == Step(1.0, 1.0, 2047.0, "decode", ONE, False)
    # a Mamba takes 2048 tokens as well, and a short model all that it takes
    assert Models.Mamba1_2_8B.step(3.0, None, None) == Step(3.0, 1.0, 2047.0, "decode", ONE, False)
    assert Models.BERT_Base.step(3.0, None, None) == Step(3.0, 512.0, 0.0, "forward", ONE, False)


def test_devices_of_a_group_divide_what_megatron_divides():
    """Columns give a part of the values, rows take one; what lies between them is in parts."""
    divided = {
        WHOLE: "",
        END: "end",
        EMBEDDING: "work end",
        LOSS: "inputs end",
        COLUMNS: "work outputs",
        BETWEEN: "work inputs outputs",
        ROWS: "work inputs",
        HEAD: "work outputs end",
        EXPERTS[0]: "work outputs experts",
        EXPERTS[1]: "work inputs outputs experts",
        EXPERTS[2]: "work inputs experts",
    }
    for split, words in divided.items():
        assert " ".join(name for name, parted in split._asdict().items() if parted) == words
