"""Names in published tables lead to entries that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlsysim
from mlsysim import Hardware, Literature, Models
from mlsysim.core.registry import parse_yaml

FILE = Path(mlsysim.__file__).parent / "literature" / "data" / "names.yaml"
NAMES = parse_yaml(FILE.read_text(encoding="utf-8"), "names.yaml")


@pytest.mark.parametrize(("layer", "catalog"), [("models", Models), ("hardware", Hardware)])
def test_every_name_leads_to_an_entry(layer, catalog):
    assert NAMES[layer]
    assert [stem for stem in NAMES[layer].values() if stem not in catalog] == []


def test_a_file_beside_the_shelves_is_no_entry():
    assert "names" not in Literature


def test_one_network_under_two_names_is_one_entry():
    names = NAMES["models"]
    assert names["deit_base_patch16_224"] == names["vit_base_patch16_224"]
    assert names["Llama-7B"] == names["LLaMA-7B"] != names["Llama-2-7B"]
