"""Values: built from plain data, closed to unknown keys, and unchanging."""

from __future__ import annotations

import copy
import datetime as dt
import json
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from typing import Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Hardware
from mlsysim.core.errors import InvalidEntry
from mlsysim.core.identity import once
from mlsysim.core.units import Q_, Bandwidth, Bytes, Count, Precision
from mlsysim.core.values import Day, Many, Value, leaves


class Spare(Value):
    """Something to nest."""

    name: str
    capacity: Bytes


class Disk(Value):
    """Something with every kind of field."""

    name: str
    capacity: Bytes
    bandwidth: Bandwidth | None = None
    heads: Count = 1
    kind: Literal["flash", "magnetic"] = "flash"
    precision: Precision = "fp16"
    tags: Many[str] = ()
    speeds: dict[str, Bandwidth] = {}
    bought: Day | None = None
    spare: Spare | None = None
    share: float = 1.0
    new: bool = True
    size: Count | Many[Count] = 3


WHOLE = {
    "name": "d",
    "capacity": "1 TB",
    "bandwidth": "3 GB/s",
    "heads": 2,
    "kind": "magnetic",
    "precision": "int8",
    "tags": ["a", "b"],
    "speeds": {"read": "3 GB/s"},
    "bought": "2026-11-20",
    "share": 1,
    "new": False,
    "spare": {"name": "s", "capacity": "2 TB"},
    "size": [1, 2],
}


def test_plain_data_builds_typed_values():
    disk = Disk(**WHOLE)
    assert disk.capacity == Q_("1 TB")
    assert disk.speeds["read"] == Q_("3 GB/s")
    assert disk.bought == dt.date(2026, 11, 20)
    assert disk.spare.capacity.m_as("B") == 2e12
    assert disk.tags == ("a", "b")
    assert disk.share == 1.0
    assert isinstance(disk.share, float)
    assert disk.size == (1, 2)


def test_plain_data_comes_out_and_builds_the_same_again():
    disk = Disk(**WHOLE)
    assert Disk(**disk.to_dict()) == disk
    assert disk.to_dict()["capacity"] == "1 TB"


def test_unknown_fields_are_left_out_of_plain_data():
    assert "bandwidth" not in Disk(name="d", capacity="1 TB").to_dict()


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ({"capcity": "1 TB"}, "capcity", "did you mean 'capacity'?"),
        ({"capacity": "1 TB/s"}, "capacity", "such as '80 GB'"),
        ({"capacity": 80}, "capacity", "such as '80 GB'"),
        ({"capacity": "80"}, "capacity", "such as '80 GB'"),
        ({"capacity": None}, "capacity", "such as '80 GB'"),
        ({"capacity": [1, 2]}, "capacity", "such as '80 GB'"),
        ({"capacity": "0 B"}, "capacity", "above 0"),
        ({"capacity": "-1 GB"}, "capacity", "above 0"),
        ({"capacity": "1e999 B"}, "capacity", "above 0"),
        ({"capacity": Q_(float("nan"), "B")}, "capacity", "finite"),
        ({"heads": 1.5}, "heads", "whole number"),
        ({"heads": 0}, "heads", "at least 1"),
        ({"heads": True}, "heads", "whole number"),
        ({"kind": "flsh"}, "kind", "did you mean 'flash'?"),
        ({"precision": "fp61"}, "precision", "did you mean"),
        ({"name": 3}, "name", "give text"),
        ({"name": None}, "name", "give text"),
        ({"tags": "ab"}, "tags", "a list"),
        ({"tags": [1]}, "tags[0]", "give text"),
        ({"speeds": ["3 GB/s"]}, "speeds", "a mapping"),
        ({"speeds": {"read": "3 GB"}}, "speeds.read", "such as '3.35 TB/s'"),
        ({"bought": "yesterday"}, "bought", "2026-11-20"),
        ({"bought": 3}, "bought", "2026-11-20"),
        ({"spare": 3}, "spare", "a Spare"),
        ({"spare": {"name": "s", "capacity": "2 s"}}, "spare.capacity", "such as '80 GB'"),
        ({"spare": {"name": "s"}}, "spare.capacity", "it is required"),
        ({"spare": {"name": "s", "cpacity": "2 TB"}}, "spare.cpacity", "did you mean 'capacity'?"),
        ({"spare": {"name": "s", "capacity": "2 s"}, "capcity": 1}, "spare.capacity", "80 GB"),
        ({"spare": {3: 1}}, "spare.3", "no such key"),
        ({"speeds": {"read": 3, "write": "3 GB/s"}}, "speeds.read", "such as '3.35 TB/s'"),
        ({"size": [1, 2.5]}, "size[1]", "whole number"),
        ({"tags": {"a": 1}}, "tags", "a list"),
        ({"bought": dt.datetime(2026, 11, 20, 12)}, "bought", "2026-11-20"),
        ({"capacity": "1,5 TB"}, "capacity", "as in 1.5 TB"),
        ({"share": True}, "share", "a number"),
        ({"share": "1"}, "share", "a number"),
        ({"new": 1}, "new", "true or false"),
        ({"size": "x"}, "size", ""),
        ({"size": [1, 0]}, "size", ""),
    ],
)
def test_a_wrong_value_is_named_with_what_would_do(change, key, words):
    with pytest.raises(InvalidEntry) as caught:
        Disk(**{**WHOLE, **change})
    assert caught.value.key.startswith(key)
    assert words in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


def test_faults_of_several_keys_are_told_and_the_deepest_comes_first():
    remedy = "will not do; it is not a quantity in B, such as '80 GB'"
    given = {"capacity": "3 s", "spare": {"name": "s", "capacity": "2 s"}, "heads": 0, "nw": 1}
    with pytest.raises(InvalidEntry) as caught:
        Disk(**{**WHOLE, **given})
    first, *others = str(caught.value).split("; ")
    assert first == "d: spare.capacity: '2 s' will not do"
    assert others[:3] == [remedy[13:], "capacity: '3 s' will not do", remedy[13:]]
    assert others[3:5] == [
        "heads: 0 will not do",
        "give a finite whole number of at least 1 and at most 1,000,000,000,000,000",
    ]
    assert others[5:] == ["nw: Disk has no such key", "did you mean 'new'?"]


def test_a_key_inside_a_mapping_may_be_called_as_another_that_is_wrong_too():
    with pytest.raises(
        InvalidEntry, match=r"^d: speeds\.capacity: 3 will .*; capacity: '3 s' will"
    ):
        Disk(**{**WHOLE, "capacity": "3 s", "speeds": {"capacity": 3}})


def test_a_missing_key_is_named():
    with pytest.raises(InvalidEntry, match=r"d: capacity: it is required; add it\."):
        Disk(name="d")


def test_a_key_that_is_unknown_comes_before_one_that_is_missing():
    with pytest.raises(InvalidEntry, match=r"Disk: nme: Disk has no such key; did you mean 'name'"):
        Disk(nme="d", capacity="1 TB")


def test_keys_are_written_and_never_only_placed():
    told = r"^Disk: write its keys, as in Disk\(name=\.\.\., capacity=\.\.\.\)\.$"
    with pytest.raises(InvalidEntry, match=told):
        Disk("d", "1 TB")


def test_a_value_says_what_it_is_in_one_line():
    assert str(Spare(name="s", capacity="2 TB")) == "Spare(name=s, capacity=2.0 TB)"
    rest = "share=1.0, new=True, size=3"
    told = "Disk(name=d, capacity=1.0 TB, heads=1, kind=flash, precision=fp16, tags=(), {}, {})"
    speeds = {"read": "3 GB/s", "write": "0.5 GB/s"}
    disk = Disk(name="d", capacity="1 TB", speeds=speeds)
    assert repr(disk) == told.format("speeds={read: 3.0 GB/s, write: 0.5 GB/s}", rest)


def test_the_ends_of_a_value_are_its_facts():
    disk = Disk(**WHOLE)
    ends = [*leaves(disk)]
    assert [path for path, _ in ends] == [
        *("name", "capacity", "bandwidth", "heads", "kind", "precision", "tags", "tags"),
        *("speeds.read", "bought", "spare.name", "spare.capacity", "share", "new", "size", "size"),
    ]
    assert ends[6:8] == [("tags", "a"), ("tags", "b")]
    least = Disk(name="d", capacity="1 TB")
    assert "bandwidth" not in dict(leaves(least))
    unknown = dict(leaves(least, unknown=True))
    # lists and mappings count as well, whatever is in them
    assert {path for path, held in unknown.items() if held is None} == {
        *("bandwidth", "tags", "speeds", "bought", "spare")
    }


@given(
    capacity=st.floats(1e-9, 1e9),
    speeds=st.dictionaries(
        st.text("abc", min_size=1, max_size=3), st.floats(1e-6, 1e12), max_size=3
    ),
    heads=st.integers(1, 10**9),
    share=st.floats(allow_nan=False, allow_infinity=False),
    size=st.lists(st.integers(1, 99), min_size=1, max_size=4) | st.integers(1, 99),
    bought=st.none() | st.dates(),
)
def test_whatever_builds_a_value_comes_out_as_plain_data_that_builds_its_equal(
    capacity, speeds, heads, share, size, bought
):
    speeds = {name: Q_(rate, "GB/s") for name, rate in speeds.items()}
    disk = Disk(
        name="d", capacity=Q_(capacity, "TB"), speeds=speeds, heads=heads, share=share,
        size=size, bought=bought,
    )  # fmt: skip
    written = json.loads(json.dumps(disk.to_dict()))
    assert Disk(**written) == disk
    assert Disk.build(written) == disk
    jsonschema.validate(written, Disk.json_schema())


def test_a_value_does_not_change():
    disk = Disk(**WHOLE)
    with pytest.raises(
        AttributeError, match=r"^Disk does not change; build another with replace\(heads=\.\.\.\)$"
    ):
        disk.heads = 3  # type: ignore[misc]
    with pytest.raises(AttributeError, match=r"^Disk does not change; heads stays$"):
        del disk.heads


def test_replace_checks_like_building():
    disk = Disk(**WHOLE)
    assert disk.replace(heads=3).heads == 3
    assert disk.heads == 2
    with pytest.raises(InvalidEntry, match="heads"):
        disk.replace(heads=-3)
    with pytest.raises(InvalidEntry, match="no such key"):
        disk.replace(hads=3)


def test_equality_is_by_type_and_content():
    assert Disk(**WHOLE) == Disk(**WHOLE)
    assert hash(Disk(**WHOLE)) == hash(Disk(**WHOLE))
    assert Disk(**WHOLE) != Disk(**{**WHOLE, "heads": 4})
    assert Disk(**WHOLE) != "d"


def test_values_survive_pickling_and_copying():
    disk = Disk(**WHOLE)
    assert pickle.loads(pickle.dumps(disk)) == disk
    assert copy.deepcopy(disk) == disk


def test_the_schema_is_closed_and_lists_what_is_required():
    schema = Disk.json_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "capacity"]
    assert schema["properties"]["capacity"]["x-unit"] == "B"
    assert schema["properties"]["kind"] == {"enum": ["flash", "magnetic"], "default": "flash"}
    assert schema["properties"]["tags"] == {"type": "array", "items": {"type": "string"}}
    assert schema["properties"]["bought"] == {"type": "string", "format": "date"}


def test_the_default_of_one_value_is_not_the_default_of_another():
    one, other = Disk(name="a", capacity="1 B"), Disk(name="b", capacity="1 B")
    with suppress(TypeError):  # a mapping that refuses to change is as good
        one.speeds["read"] = Q_("1 GB/s")
    assert other.speeds == {}


@given(st.floats(1e-3, 1e12), st.sampled_from(["GB", "MB", "TB", "GiB"]))
def test_equal_values_have_one_hash_and_others_of_that_name_have_others(size, unit):
    disk = Disk(name="d", capacity=Q_(size, unit), spare={"name": "s", "capacity": "1 TB"})
    same = disk.replace(capacity=disk.capacity.to("B"), spare={"name": "s", "capacity": "1e6 MB"})
    assert hash(same) == hash(disk)
    others = [
        disk.replace(capacity=disk.capacity * 1.001),
        disk.replace(heads=2),
        disk.replace(speeds={"read": "3 GB/s"}),
        disk.replace(spare={"name": "s", "capacity": "2 TB"}),
    ]
    assert len({hash(each) for each in [disk, *others]}) == 5  # they shared one: a search crawled


def test_a_hash_survives_the_way_to_another_process():
    code = (
        "import pickle, sys; held = pickle.loads(sys.stdin.buffer.read()); "
        "from mlsysim import Hardware; "
        "assert {held[0]: 1}[Hardware.H100.replace(name='mine')] == 1"
    )
    mine = Hardware.H100.replace(name="mine")
    assert hash(mine)  # looked at before it leaves
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    sent = pickle.dumps([mine])
    subprocess.run([sys.executable, "-c", code], input=sent, env=env, check=True, timeout=120)


def test_what_is_worked_out_once_is_that_of_the_entry_itself_and_not_of_an_equal_one():
    """An equal device under another name in the registry is rented at another price."""
    asked = []

    @once
    def stem_of(entry, suffix):
        asked.append(entry)
        return entry.stem + suffix

    h100, other = Hardware.H100, Hardware.H100.replace()
    assert h100 == other
    assert (stem_of(h100, "!"), stem_of(other, "!")) == ("H100!", f"{h100.name}!")
    assert (stem_of(h100, "!"), stem_of(h100, "?")) == ("H100!", "H100?")
    assert len(asked) == 3
