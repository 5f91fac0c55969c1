"""Double entry: what the registry took from one document stands in another one as well.

A digit that is mistyped in a YAML file is a value with a source, and nothing else would look at
it. `second_documents.csv` holds values typed from other documents, never from the registry.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import mlsysim
from mlsysim import Q_, Hardware, Infrastructure, Models

LINES = Path(__file__).with_name("second_documents.csv").read_text(encoding="utf-8").splitlines()
DOCUMENTS = {line[2:].split()[0] for line in LINES if line.startswith("# ") and line[2] != " "}
ROWS = list(csv.DictReader(line for line in LINES if not line.startswith("#")))
STREET = 0.25  # no list price is published, and two documents differ by so much
WITHIN = 0.02  # 2.0 TB/s is printed for 2,039 GB/s, and 1,300 TFLOP/s for 1,307.4


def registered(entry, field):
    catalog, name = entry.split(".")
    value = getattr(mlsysim, catalog)[name]
    if field.startswith("peak "):  # the datapath itself, and no other that would do
        return value.compute.datapaths[field.removeprefix("peak ")]
    for part in field.split("."):
        value = getattr(value, part)
    return value


def _learns_positions(model) -> bool:
    return bool(getattr(model, "learned_positions", 0))


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['entry']} {row['field']}" for row in ROWS])
def test_a_second_document_says_the_same(row):
    ours = registered(row["entry"], row["field"])
    typed = Q_(row["value"]) if " " in row["value"] else float(row["value"])
    # what is counted is so to the last digit, and shares are printed with two or three
    within = WITHIN if " " in row["value"] else 0.004 if row["field"] == "pue" else 1e-12
    if row["entry"] in ("Hardware.H200", "Hardware.L40S", "Hardware.T4") and "cost" in row["field"]:
        within = STREET
    assert float(Q_(ours / typed).m_as("")) == pytest.approx(1, abs=within)
    assert row["document"] in DOCUMENTS


@pytest.mark.parametrize(("one", "other"), [("B200", "DGX_B200")])
def test_a_node_holds_the_device_itself(one, other):
    assert Hardware[one] == mlsysim.Systems[other].accelerator


@pytest.mark.parametrize(("one", "other"), [("H100", "H800")])
def test_a_chip_for_export_has_a_slower_link_and_next_to_no_fp64(one, other):
    one, other = Hardware[one], Hardware[other]
    assert {**other.compute.datapaths, "fp64": one.peak("fp64")} == one.compute.datapaths
    assert (one.memory, one.tdp) == (other.memory, other.tdp)


# Authors say in thousands (of 1,024) how long a sequence may be, in papers, cards and names
THOUSANDS = {
    "DeepSeek_V3": 128,
    "Falcon_180B": 2,
    "Gemma2_9B": 8,
    "Gemma3_27B": 128,
    "LLaMA_7B": 2,
    "LLaMA_33B": 2,
    "LLaMA_65B": 2,
    "Llama2_7B": 4,
    "Llama2_13B": 4,
    "Llama2_70B": 4,
    "Llama3_8B": 8,
    "Llama3_70B": 8,
    "Llama3_405B": 128,
    "Llama3_1_8B": 128,
    "Llama3_2_1B": 128,
    "Llama3_2_3B": 128,
    "Llama3_3_70B": 128,
    "Mixtral_8x7B": 32,
    "Mixtral_8x22B": 64,
    "Phi3_mini": 4,
    "Qwen2_5_7B": 128,
    "Qwen2_5_72B": 128,
    "TinyLlama_1_1B": 2,
}


@pytest.mark.parametrize("name", THOUSANDS)
def test_a_sequence_is_as_long_as_authors_say(name):
    assert Models[name].context == 1024 * THOUSANDS[name]


@pytest.mark.parametrize("name", [n for n, m in Models.entries() if _learns_positions(m)])
def test_a_table_of_positions_is_as_long_as_the_context(name):
    assert Models[name].context == Models[name].learned_positions


# in trillions, as abstracts and announcements say
TOKENS = {
    "BLOOM_176B": 0.366,
    "DeepSeek_V3": 14.8,
    "GPT3_175B": 0.3,
    "LLaMA_7B": 1,
    "LLaMA_33B": 1.4,
    "LLaMA_65B": 1.4,
    "Llama2_7B": 2,
    "Llama2_13B": 2,
    "Llama2_70B": 2,
    "Llama3_8B": 15,
    "Llama3_70B": 15,
    "Llama3_405B": 15.6,
    "Qwen2_5_7B": 18,
    "Qwen2_5_72B": 18,
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_model_saw_as_many_tokens_as_its_authors_say(name):
    assert Models[name].training_tokens == pytest.approx(TOKENS[name] * 1e12, rel=1e-9)


@pytest.mark.parametrize("name", [name for name, one in Infrastructure.entries() if one.year])
def test_no_figure_is_of_a_year_to_come(name):
    assert 2000 <= Infrastructure[name].year <= 2026


# Authors and hubs print these numbers of parameters to the last digit (torchvision's tables, the
# sizes of the tensors on the hub); the architecture adds up to them.
TO_THE_LAST = {
    "ResNet18": 11_689_512,
    "ResNet50": 25_557_032,
    "MobileNetV2": 3_504_872,
    "VGG16": 138_357_544,
    "ViT_B_16": 86_567_656,
    "ViT_L_16": 304_326_632,
    "GPT2": 124_439_808,
    "GPT2_XL": 1_557_611_200,
    "Llama2_7B": 6_738_415_616,
    "Llama2_13B": 13_015_864_320,
    "Llama2_70B": 68_976_648_192,
    "Llama3_8B": 8_030_261_248,
    "Llama3_70B": 70_553_706_496,
    "Llama3_405B": 405_853_388_800,
    "Llama3_2_1B": 1_235_814_400,
    "Llama3_2_3B": 3_212_749_824,
    "Llama3_3_70B": 70_553_706_496,
    "Mistral_7B": 7_241_732_096,
    "Mixtral_8x7B": 46_702_792_704,
    "Mixtral_8x22B": 140_620_634_112,
    "Qwen2_5_7B": 7_615_616_512,
    "Qwen2_5_72B": 72_706_203_648,
    "Phi3_mini": 3_821_079_552,
    "Mamba1_2_8B": 2_768_345_600,
    "StableDiffusion1_5": 859_520_964,
}
# what is published counts something that the architecture here leaves out
BESIDE = {
    "BERT_Base": 2 * 768,  # the two types of a token
    "BERT_Large": 2 * 1024,
    "BLOOM_176B": 2 * 14336,  # a norm behind the embedding
    "Gemma2_9B": 42 * 2 * 3584,  # two more norms in each layer
    "Whisper_large_v3": 1500 * 1280 - 96 * 1280,  # waves for positions, but no biases of keys
}
# published in round numbers
ROUND = {
    "GPT3_175B": 175e9,
    "DeepSeek_V3": 671e9,
    "OPT_175B": 175e9,
    "PaLM_540B": 540.35e9,
    "Qwen3_30B_A3B": 30.5e9,
    "ResNet26": 16.0e6,
    "SE_ResNet50": 28.09e6,
}


@pytest.mark.parametrize("name", TO_THE_LAST)
def test_parameters_are_those_that_are_published_to_the_last_digit(name):
    assert Models[name].parameters == TO_THE_LAST[name]


# their configurations are typed in the tests, and tests/models holds both to them
IMPORTED = {path.stem for path in (Path(__file__).parent / "models/configs").glob("*.json")}


@pytest.mark.parametrize("name", sorted({*Models} - {*ROUND} - IMPORTED))
def test_an_architecture_adds_up_to_the_last_digit(name):
    model = Models[name]
    assert model.counted_parameters() + BESIDE.get(name, 0) == model.parameters


@pytest.mark.parametrize("name", ROUND)
def test_an_architecture_adds_up_to_the_round_number(name):
    assert Models[name].parameters == ROUND[name]
    assert Models[name].counted_parameters() == pytest.approx(ROUND[name], rel=0.003)
