"""A learner explores with a model and a chip of their own; the lesson's predictions stay."""

from __future__ import annotations

import json

import pytest

from mlsysim import Hardware, Models
from mlsysim.core.errors import MLSysError
from mlsysim.learn.own import CHIP, MODEL, choose, own
from mlsysim.learn.rehearse import rehearse, run

CONFIG = {
    "model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 8192, "vocab_size": 128256, "head_dim": 64,
    "max_position_embeddings": 131072, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
}  # fmt: skip
MINE = """name: My chip
release_year: 2027
compute: {peak_flops: 500 TFLOP/s}
memory: {capacity: 64 GB, bandwidth: 2 TB/s}
"""


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    for name in (MODEL, CHIP):
        monkeypatch.setenv(name, "")


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (tmp_path / "chip.yaml").write_text(MINE, encoding="utf-8")
    return tmp_path


def test_without_a_word_the_lessons_own_stand():
    model, chip = Models.Llama3_8B, Hardware.H100
    assert own(model, chip) == (model, chip)


def test_files_and_names_of_ones_own_take_their_place(mine, monkeypatch):
    choose(str(mine / "config.json"), str(mine / "chip.yaml"))
    monkeypatch.chdir(mine.parent)  # a notebook runs elsewhere
    model, chip = own(Models.Llama3_8B, Hardware.H100)
    assert (model.layers, model.key_heads) == (16, 8)
    assert chip.memory.bandwidth.m_as("TB/s") == 2
    choose("Qwen2_5_7B", "L4")
    assert own(model, chip) == (Models.Qwen2_5_7B, Hardware.L4)


def test_lesson_00_explores_with_them_and_asks_what_it_asked(mine, tmp_path):
    before = run("00_hello_roofline", rehearse("00_hello_roofline", tmp_path / "a"))
    choose(str(mine / "config.json"), str(mine / "chip.yaml"))
    after = run("00_hello_roofline", rehearse("00_hello_roofline", tmp_path / "b"))
    assert after.journal.truths() == before.journal.truths()
    shown = [
        "".join(str(getattr(each, "text", "")) for each in ran.outputs) for ran in (before, after)
    ]
    assert "of 64 GB" in shown[1]
    assert "of 64 GB" not in shown[0]


@pytest.mark.parametrize(
    ("model", "chip", "words"),
    [
        ("Lama3_8B", None, "Llama3_8B"),
        (None, "H10", "H100"),
        ("ResNet50", None, "models that write"),
        ("nowhere.json", None, "nowhere.json"),
        (None, "nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_what_cannot_be_is_said_before_anything_opens(model, chip, words):
    with pytest.raises((MLSysError, OSError), match=words):
        choose(model, chip)
