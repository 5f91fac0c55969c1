"""Registries: YAML that is right loads when asked for, YAML that is wrong says where and why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlsysim
from mlsysim import Engine, Hardware, Infrastructure, Literature, Models, Systems
from mlsysim.core import registry
from mlsysim.core.errors import InvalidEntry, MLSysError, UnknownEntry
from mlsysim.core.registry import (
    add_folder,
    alike,
    forget,
    load,
    parse_yaml,
    registry_hash,
    shelf_name,
)

PACKAGE = Path(mlsysim.__file__).parent
CATALOGS = [Hardware, Models, Systems, Infrastructure, Literature]
CHIP = """
name: My chip
release_year: 2027
compute: {peak_flops: 1200 TFLOP/s}
memory: {capacity: 144 GB, bandwidth: 5 TB/s}
"""
SPEC = parse_yaml(CHIP, "spec")
pytestmark = pytest.mark.usefixtures("clean_registry")


def written(folder: Path, text: str | bytes, name: str = "hardware/cloud/MyChip.yaml") -> Path:
    """Write a registry folder that holds one file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


# ---- what ships ----------------------------------------------------------------------------------


@pytest.mark.parametrize("catalog", CATALOGS, ids=lambda catalog: catalog._title)
def test_every_shipped_entry_loads_and_is_found_by_its_flat_name(catalog):
    entries = dict(catalog.entries())
    assert len(entries) == len(catalog) > 0
    for name, entry in entries.items():
        assert catalog[name] is entry
        assert getattr(catalog, name) is entry
        assert entry.stem == name


@pytest.mark.parametrize("layer", registry.LAYERS)
def test_names_are_unique_across_the_shelves_of_a_layer(layer):
    stems = [path.stem for path in (PACKAGE / layer).rglob("*.yaml")]
    shelves = {shelf_name(path.name) for path in (PACKAGE / layer / "data").glob("*")}
    assert len(stems) == len(set(stems))
    assert not shelves & set(stems)
    assert all(stem.isidentifier() for stem in stems)


def test_flat_and_shelved_names_give_the_same_entry():
    assert Hardware.H100 is Hardware.Cloud.H100
    assert Models.ResNet50 is Models.Vision.ResNet50
    assert Hardware["H100"] is Hardware.Cloud["H100"]


def test_registries_behave_like_collections():
    assert "H100" in Hardware
    assert "H100" in Hardware.Cloud
    assert "H10O" not in Hardware
    assert "H100" in [*Hardware.Cloud]
    assert len(Hardware) == sum(len(shelf) for _, shelf in Hardware.shelves())
    assert {"Cloud", "H100", "from_spec"} <= set(dir(Hardware))
    assert "H100" in dir(Hardware.Cloud)
    shelves = dict(Hardware.shelves())
    lines = [f"  Hardware.{name}: {', '.join(sorted(shelf))}" for name, shelf in shelves.items()]
    assert repr(Hardware).splitlines() == ["Hardware", *lines]
    assert dir(Hardware.Cloud) == [*Hardware.Cloud] == sorted(Hardware.Cloud)


def test_an_entry_shows_its_quantities_as_they_are_written():
    assert "precision={bf16: 989.4 TFLOP/s, " in repr(Hardware.H100)
    assert not [name for name, device in Hardware.entries() if "<Quantity" in repr(device)]


@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (lambda: Hardware.Cloud.H10O, "Hardware.Cloud has no entry 'H10O': did you mean 'H100'?"),
        (lambda: Hardware.Clud, "did you mean 'Cloud'?"),
        (lambda: Hardware["h1o0"], "did you mean 'H100'?"),
        (lambda: Hardware.h100, "did you mean 'H100'?"),
        (lambda: Models.Language["Llama3_9B"], "did you mean 'Llama3_8B'?"),
        (lambda: Models["zzzzzz"], "known are"),
        (lambda: Systems.Clusters.Research_265, "did you mean 'Research_256'?"),
    ],
)
def test_a_name_that_is_not_held_is_told_the_nearest(ask, hint):
    with pytest.raises(UnknownEntry) as caught:
        ask()
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("llama3_8b", "Llama3_8B"),
        ("LLAMA3-8B", "Llama3_8B"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "Llama3_8B"),
        ("Qwen/Qwen2.5-72B-Instruct", "Qwen2_5_72B"),
        ("openai/gpt-oss-120b", "GPT_OSS_120B"),
    ],
)
def test_a_name_is_found_whatever_its_case_and_by_its_hugging_face_id(said, meant):
    assert Models[said] is Models[meant]
    assert Engine.solve(said, "h200", precision="int4").feasible


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("my model.2-b", "My_Model_2_B"),  # case, and what stands between words
        ("mymodel2b", None),
        ("me/my-model-2B", "My_Model_2_B"),  # behind an owner nothing stands between them
        ("me/Meta-My-Model-2b-chat-hf", "My_Model_2_B"),
        ("me/my-model-2b-it", "My_Model_2_B"),
        ("me/my-model-2b-base", "My_Model_2_B"),
        ("My-Model-2b-chat", None),  # nor is anything left out without one
        ("me/them/my-model-2b", None),
        ("", None),
        (3, None),
    ],
)
def test_of_a_name_what_tells_models_apart_is_kept(said, meant):
    assert alike(said, ["Other", "My_Model_2_B"]) == meant


def test_a_name_that_two_entries_share_is_not_guessed():
    assert alike("a-b", ["A_B", "A_b"]) is None
    assert alike("A_b", ["A_B", "A_b"]) == "A_b"  # exactly this one


def test_hasattr_and_getattr_with_a_default_work():
    assert not hasattr(Hardware, "H10O")
    assert getattr(Hardware.Cloud, "H10O", None) is None


@pytest.mark.parametrize("held", [Hardware, Hardware.Cloud], ids=["catalog", "shelf"])
def test_what_python_itself_looks_for_is_no_name_of_an_entry(held):
    with pytest.raises(AttributeError, match=r"^__wrapped__$") as caught:
        held.__wrapped__  # noqa: B018 - reading is the test
    assert type(caught.value) is AttributeError


# ---- specifications ------------------------------------------------------------------------------


def test_a_specification_needs_no_source_because_the_user_is_it():
    chip = Hardware.from_spec(SPEC)
    assert chip.source_of("memory.bandwidth").kind == "user"
    assert chip.memory.bandwidth.m_as("TB/s") == 5


@pytest.mark.parametrize("spec", [None, 3, "H100", [SPEC], set()], ids=repr)
def test_a_specification_is_a_mapping(spec):
    told = f"a specification is a mapping of keys, not {type(spec).__name__}"
    for title, shelf in (("Hardware", Hardware), ("Hardware.Cloud", Hardware.Cloud)):
        with pytest.raises(InvalidEntry, match=rf"^{title}: {told}\.$"):
            shelf.from_spec(spec)


@pytest.mark.parametrize(
    ("change", "key", "hint"),
    [
        ({"memry": {}}, "memry", "did you mean 'memory'?"),
        (
            {"memory": {"capacity": "144 GB", "bandwith": "5 TB/s"}},
            "memory.bandwith",
            "did you mean 'bandwidth'?",
        ),
        (
            {"memory": {"capacity": "144 GB", "bandwidth": "5 TB"}},
            "memory.bandwidth",
            "such as '3.35 TB/s'",
        ),
        (
            {"memory": {"capacity": "144 GB", "bandwidth": 5}},
            "memory.bandwidth",
            "such as '3.35 TB/s'",
        ),
        ({"memory": {"capacity": "144 KB", "bandwidth": "5 TB/s"}}, "memory.capacity", "KiB"),
        ({"memory": {"capacity": "-144 GB", "bandwidth": "5 TB/s"}}, "memory.capacity", "above 0"),
        ({"memory": {"capacity": "144 GB", "bandwidth": "0 TB/s"}}, "memory.bandwidth", "above 0"),
        ({"memory": {"capacity": "144 GB"}}, "memory.bandwidth", "required"),
        ({"memory": "144 GB"}, "memory", "a MemoryHierarchy"),
        ({"memory": None}, "memory", "a MemoryHierarchy"),
        ({"compute": {"peak_flops": "0 FLOP/s"}}, "compute.peak_flops", "above 0"),
        (
            {"compute": {"peak_flops": "9**9**9 FLOP/s"}},
            "compute.peak_flops",
            "such as '989 TFLOP/s'",
        ),
        (
            {"compute": {"peak_flops": "1 TFLOP/s", "peak_precision": "fp61"}},
            "compute.peak_precision",
            "did you mean",
        ),
        (
            {"compute": {"peak_flops": "1 TFLOP/s", "precision": {"int9": "1 TOP/s"}}},
            "compute.precision.int9",
            "int8",
        ),
        ({"tdp": "-1 W"}, "tdp", "above 0"),
        ({"dispatch_tax": "-1 us"}, "dispatch_tax", "at least 0"),
        ({"release_year": 2020.5}, "release_year", "whole number"),
        ({"release_year": 20200}, "release_year", "at most 2,100"),
        ({"release_year": True}, "release_year", "whole number"),
        ({"name": 5}, "name", "text"),
        ({"name": ""}, "name", ""),
        ({"sources": None}, "sources", "a mapping"),
    ],
)
def test_a_wrong_specification_says_which_key_and_what_would_do(change, key, hint):
    with pytest.raises(InvalidEntry) as caught:
        Hardware.from_spec({**SPEC, **change})
    assert caught.value.key == key
    assert hint in str(caught.value)


@pytest.mark.parametrize("key", ["name", "compute", "memory"])
def test_a_missing_key_is_named(key):
    with pytest.raises(InvalidEntry, match=f"{key}: it is required; add it"):
        Hardware.from_spec({k: v for k, v in SPEC.items() if k != key})


@pytest.mark.parametrize("kind", [None, "transfomer", 3, ["transformer"], {}], ids=repr)
def test_a_model_of_no_known_kind_is_refused(kind):
    with pytest.raises(InvalidEntry, match=r"kind: it says of which kind it is"):
        Models.from_spec({"name": "x", "kind": kind})


def test_a_catalog_of_several_types_asks_for_the_shelf():
    told = "^Systems.Custom: its shelves hold different types; use one of nodes, fabrics, clusters"
    with pytest.raises(InvalidEntry, match=told):
        Systems.from_spec({"name": "x"})
    fabric = Systems.Fabrics.from_spec({"name": "x", "bandwidth": "400 Gbps", "latency": "1 us"})
    assert fabric.bandwidth.m_as("GB/s") == 50


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "1e999 s", True, None, "fast"], ids=repr
)
def test_a_cited_value_is_a_finite_number(value):
    with pytest.raises(InvalidEntry, match="value"):
        Literature.from_spec({"name": "x", "value": value, "context": "c"})


# ---- YAML ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it should hold a mapping"),
        ("# only a comment\n", "it should hold a mapping"),
        ("- a\n- b\n", "it should hold a mapping"),
        ("just text", "it should hold a mapping"),
        ("3", "it should hold a mapping"),
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' stands twice"),
        ("a:\n  b: 1\n  b: 2\n", "line 3: key 'b' stands twice"),
        ("a: [{b: 1, b: 2}]", "line 1: key 'b' stands twice"),
        ("a: [1, 2", "line 2: it is not YAML"),
        ("a: b: c", "line 1: it is not YAML"),
        ("a: 1\n---\nb: 2\n", "it is not YAML"),
        ("a: \0", "it is not YAML"),
        ("a: !!python/object/apply:os.getcwd []", "it is not YAML"),
        ("a: *nowhere", "it is not YAML"),
        ("read: 2026-13-45\n", "f.yaml"),
        ("a: !!int abc\n", "f.yaml"),
        ("? [a, b]\n: c\n", "f.yaml"),
        ("a: &a [*a]\n", "line 1: an alias repeats it elsewhere; write it out"),
        ("a: 1\nb:\n  1: 2\n", "line 3: a key is a word; put quotes around it"),
        ("a: &x {b: 1}\nc: [*x]\n", "line 1: an alias repeats it elsewhere; write it out"),
    ],
)
def test_text_that_is_no_entry_says_where_and_why(text, words):
    with pytest.raises(InvalidEntry) as caught:
        parse_yaml(text, "f.yaml")
    assert str(caught.value).startswith("f.yaml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_of_aliases_do_not_explode():
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    text = "\n".join(lines)
    code = f"from mlsysim.core.registry import parse_yaml; parse_yaml({text!r}, 'f.yaml')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert "InvalidEntry" in done.stderr
    assert "alias" in done.stderr


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path):
    with pytest.raises(InvalidEntry, match=r"Nowhere\.yaml"):
        Hardware.from_yaml(tmp_path / "Nowhere.yaml")
    latin = tmp_path / "Latin.yaml"
    latin.write_bytes("name: caf\u00e9".encode("latin-1"))
    with pytest.raises(InvalidEntry, match=r"Latin\.yaml: it cannot be read"):
        Hardware.from_yaml(latin)
    with pytest.raises(InvalidEntry, match="it cannot be read"):
        Hardware.from_yaml(tmp_path)


def test_a_file_that_is_wrong_is_named_with_the_key(tmp_path):
    path = tmp_path / "MyChip.yaml"
    path.write_text(CHIP.replace("5 TB/s", "5 TB"), encoding="utf-8")
    with pytest.raises(InvalidEntry, match=r"MyChip\.yaml: memory\.bandwidth: '5 TB' will not do"):
        Hardware.from_yaml(path)


@pytest.mark.parametrize("line", ["1: a", "yes: a", "2026-01-01: a", "null: a"])
def test_a_key_that_is_no_text_is_refused_in_a_file_too(tmp_path, line):
    path = tmp_path / "MyChip.yaml"
    path.write_text(CHIP + line, encoding="utf-8")
    for read in (Hardware.from_yaml, lambda path: load(path, Hardware.from_spec)):
        with pytest.raises(InvalidEntry, match="a key is a word"):
            read(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("+7", 7),
        ("-7", -7),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-2.", -2.0),
        *((text, text) for text in ("1_000", "0x10", "1:30", "7 GB", "2026-13", ".inf", ".nan")),
        ("010", 10),  # and not eight
    ],
)
def test_a_number_of_a_file_is_one_in_our_grammar_and_else_text(text, value):
    held = parse_yaml(f"a: {text}", "f.yaml")["a"]
    assert (held, type(held)) == (value, type(value))


def test_a_byte_order_mark_and_windows_lines_do_no_harm(tmp_path):
    path = tmp_path / "MyChip.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + CHIP.replace("\n", "\r\n").encode())
    assert Hardware.from_yaml(path).name == "My chip"


# ---- folders of the user -------------------------------------------------------------------------


def test_a_folder_of_the_user_adds_entries_and_shelves(tmp_path):
    add_folder(written(tmp_path, CHIP))
    written(tmp_path, CHIP, "hardware/my_lab/Proto.yaml")
    written(tmp_path, CHIP, "hardware/Loose.yaml")
    forget()
    assert Hardware.Cloud.MyChip.name == "My chip"
    assert Hardware.MyLab.Proto is Hardware.Proto
    assert Hardware.Custom.Loose is Hardware.Loose
    assert Hardware.Cloud.H100.name == "H100 SXM"


def test_the_environment_names_folders_too(tmp_path, monkeypatch):
    one, other = tmp_path / "one", tmp_path / "other"
    written(one, CHIP, "hardware/cloud/One.yaml")
    written(other, CHIP, "hardware/cloud/Other.yaml")
    monkeypatch.setenv("MLSYSIM_REGISTRY", os.pathsep.join([str(one), str(other)]))
    forget()
    assert {"One", "Other", "H100"} <= set(Hardware)


def test_an_entry_of_the_user_replaces_a_shipped_one_even_from_another_shelf(tmp_path):
    add_folder(written(tmp_path, CHIP, "hardware/my_lab/H100.yaml"))
    assert Hardware.H100.name == "My chip"
    assert Hardware.MyLab.H100 is Hardware.H100
    assert "H100" not in Hardware.Cloud
    assert [*Hardware].count("H100") == 1


def test_the_last_folder_wins(tmp_path):
    add_folder(written(tmp_path / "one", CHIP))
    add_folder(written(tmp_path / "other", CHIP.replace("My chip", "Newer chip")))
    assert Hardware.MyChip.name == "Newer chip"


def test_adding_a_folder_twice_is_adding_it_once(tmp_path):
    add_folder(written(tmp_path, CHIP))
    add_folder(tmp_path)
    assert registry.user_folders() == [tmp_path]


def test_an_edited_file_is_read_again_after_forget(tmp_path):
    add_folder(written(tmp_path, CHIP))
    assert Hardware.MyChip.release_year == 2027
    written(tmp_path, CHIP.replace("2027", "2028"))
    assert Hardware.MyChip.release_year == 2027
    forget()
    assert Hardware.MyChip.release_year == 2028


def test_a_broken_file_breaks_only_itself(tmp_path):
    add_folder(written(tmp_path, "name: [", "hardware/cloud/Broken.yaml"))
    assert Hardware.H100.name == "H100 SXM"
    with pytest.raises(InvalidEntry, match=r"Broken\.yaml"):
        Hardware.Broken  # noqa: B018 - loading is the test


def test_a_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InvalidEntry, match="there is no folder"):
        add_folder(tmp_path / "nowhere")
    monkeypatch.setenv("MLSYSIM_REGISTRY", str(tmp_path / "nowhere"))
    forget()
    with pytest.raises(InvalidEntry, match="MLSYSIM_REGISTRY: there is no folder"):
        Hardware.H100  # noqa: B018 - loading is the test


def test_a_folder_with_none_of_the_layers_is_refused(tmp_path):
    (tmp_path / "hardwear").mkdir()
    with pytest.raises(InvalidEntry) as caught:
        add_folder(tmp_path)
    layers = "hardware, models, infrastructure, systems, literature, stacks, scenarios"
    told = f"folder {str(tmp_path)!r} holds none of the sub-folders {layers}"
    assert str(caught.value) == f"registry: {told}."


def test_a_shelf_of_no_known_type_is_refused_where_types_differ(tmp_path):
    add_folder(written(tmp_path, "name: x", "systems/gadgets/X.yaml"))
    with pytest.raises(InvalidEntry, match="use one of nodes, fabrics, clusters"):
        Systems.X  # noqa: B018 - loading is the test


def test_a_cluster_names_a_device_of_the_user(tmp_path):
    written(tmp_path, CHIP)
    add_folder(written(tmp_path, "name: Lab\nhw: MyChip\ncount: 4\n", "systems/clusters/Lab.yaml"))
    assert Systems.Clusters.Lab.hw is Hardware.MyChip
    assert Systems.Clusters.Lab.devices == 32  # four plain nodes of eight


def test_a_cluster_that_names_no_device_says_which_key(tmp_path):
    add_folder(written(tmp_path, "name: Lab\nhw: H10O\ncount: 4\n", "systems/clusters/Lab.yaml"))
    with pytest.raises(InvalidEntry, match=r"Lab\.yaml: hw: .*did you mean 'H100'"):
        Systems.Clusters.Lab  # noqa: B018 - loading is the test


def test_the_fingerprint_of_the_registry_changes_with_its_content(tmp_path):
    shipped = registry_hash()
    add_folder(written(tmp_path, CHIP))
    added = registry_hash()
    written(tmp_path, CHIP.replace("5 TB/s", "6 TB/s"))
    changed = registry_hash()
    assert len({shipped, added, changed}) == 3
    assert len(shipped) == 16
    path = tmp_path / "hardware/cloud/MyChip.yaml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert registry_hash() == changed  # another system's lines are no other content
    path.rename(path.with_name("Other.yaml"))
    assert registry_hash() not in (shipped, added, changed)


@pytest.mark.parametrize("catalog", CATALOGS, ids=lambda catalog: catalog._title)
def test_no_wrong_question_to_a_registry_escapes_the_error_tree(catalog):
    for name in ("", " ", "H10O", "../H100", "None", "a" * 1000):
        with pytest.raises(MLSysError):
            catalog[name]
