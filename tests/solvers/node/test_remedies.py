"""What an answer says would make it fit, carried out."""

from __future__ import annotations

import re

import pytest

from mlsysim import Engine, Hardware, Models, ServingModel

DEVICES = ["H100", "A100", "L4", "RTX_4090", "B200", "MI300X", "Gaudi2"]
MODELS = ["Llama3_8B", "Llama3_70B", "Llama3_405B", "Mixtral_8x22B", "DeepSeek_V3", "Gemma2_9B"]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("training", [False, True])
def test_a_precision_that_is_advised_fits(device, training):
    """Was wrong: fp8 for a training state of which only weights shrink, int8 where none learn."""
    said = set()
    for name in MODELS:
        for precision in ("fp16", "bf16"):
            how = {"batch_size": 1, "seq_len": 512, "training": training}
            answer = Engine.solve(name, device, precision=precision, **how)
            if answer.feasible or " or store it as " not in answer.reason:
                continue
            for narrower in re.findall(r"fp16|bf16|fp8|int8|fp4|int4|w4a4", answer.reason):
                said.add(narrower)
                assert Engine.solve(name, device, precision=narrower, **how).feasible
    if not training and device == "H100":
        assert said >= {"fp8", "int8"}  # 70B at a byte a weight


def test_an_adam_state_does_not_shrink_with_the_weights():
    answer = Engine.solve("Llama3_8B", "H100", training=True)
    assert "split the training state over 2 devices" in answer.reason
    assert "store it as" not in answer.reason


def test_activations_that_do_not_fit_are_computed_again():
    how = {"batch_size": 8, "training": True, "lora_rank": 16}
    answer = Engine.solve(Models.Llama3_8B, Hardware.H100, **how)
    assert not answer.feasible
    assert "recompute='full'" in answer.reason
    assert Engine.solve(Models.Llama3_8B, Hardware.H100, **how, recompute="full").feasible


def remedy(model, device, solve=Engine.solve, **how):
    """What is advised, after by how much it is short."""
    answer = solve(model, device, **how)
    assert not answer.feasible
    return answer.reason.rpartition("; ")[2]


def test_each_remedy_in_a_sentence():
    """70.55e9 weights at two bytes are 141.1 GB; an H100 has 85.52, an L40S 48.3 and a T4 15.8."""
    serve, train = ServingModel().solve, {"training": True, "seq_len": 512}
    for solve in (Engine.solve, serve):
        assert remedy("Llama3_70B", "H100", solve) == (
            "split the model over 2 devices or store it as fp8 or int8."
        )
        assert remedy("Llama3_405B", "H100", solve).startswith("split the model over 10 devices")
    # the door to many answers does not ask again below a byte a weight, where tables do not shrink
    assert remedy("Llama3_70B", "L40S", serve) == "split the model over 3 devices."
    assert remedy("Llama3_70B", "L40S") == (
        "split the model over 3 devices or store it as fp4 or int4."
    )
    assert remedy("Llama3_8B", "H100", batch_size=512) == (
        "use a smaller batch or a shorter context."
    )
    assert remedy(
        "Llama3_8B", "H100", batch_size=8, lora_rank=16, **(train | {"seq_len": 2048})
    ) == (
        "use a smaller batch or a shorter context, or compute activations again (recompute='full')."
    )
    assert remedy(
        "Llama3_8B",
        "H100",
        batch_size=8,
        lora_rank=16,
        recompute="full",
        **train | {"seq_len": 200_000},
    ) == ("use a smaller batch or a shorter context.")
    assert remedy("GPT2", "T4", batch_size=4096, **train) == (
        "use a smaller batch or a shorter context."
    )


def test_a_sentence_names_what_it_needs_and_what_there_is():
    """70.55e9 parameters; 2,048 tokens of 327,680 bytes, and one row of logits."""
    said = Engine.solve("Llama3_70B", "H100").reason
    weights, cache, logits = 2 * 70_553_706_496, 2048 * 327_680, 2 * (8192 + 128_256)
    whole, room = weights + cache + logits, 81_559 * 2**20
    assert said.partition(";")[0] == (
        f"It needs {whole / 1e9:.4g} GB (weights {weights / 1e9:.4g} GB, KV cache "
        f"{cache / 1e6:.4g} MB, activations {logits / 1e3:.4g} kB) and the device holds "
        f"{room / 1e9:.4g} GB: short by {(whole - room) / 1e9:.4g} GB"
    )
    (row,) = Engine.sweep("Llama3_8B", "Coral_EdgeTPU", precisions=["fp16"])
    assert row["profile"].reason == "The device has no datapath that can run fp16."
