"""What an answer says would make it fit, carried out."""

from __future__ import annotations

import re

import pytest

from mlsysim import Engine, Hardware, Models

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
