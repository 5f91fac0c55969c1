"""Provenance: a number without a source is found, and a source without a number is refused."""

from __future__ import annotations

import datetime as dt

import pytest

from mlsysim import Q_, Hardware, Infrastructure, Literature, Models, Systems, audit_provenance
from mlsysim.core.errors import InvalidEntry
from mlsysim.core.provenance import Source, TraceableConstant, audit
from mlsysim.hardware.types import HardwareNode
from mlsysim.models import types
from mlsysim.models.types import FLOP_PER_MAC

DATASHEET = {"kind": "datasheet", "ref": "a datasheet", "read": "2026-11-20"}
CHIP = {
    "name": "Chip",
    "release_year": 2026,
    "compute": {"peak_flops": "1 TFLOP/s", "precision": {"int8": "2 TOP/s"}},
    "memory": {
        "capacity": "1 GB",
        "bandwidth": "1 GB/s",
        "flash": {"capacity": "8 GB", "bandwidth": "0.1 GB/s"},
    },
}


def chip(**sources):
    """Build the chip with these sources, dots written as two underscores."""
    return HardwareNode(
        **CHIP, sources={path.replace("__", "."): source for path, source in sources.items()}
    )


def test_every_shipped_number_has_a_source():
    found = audit_provenance()
    assert found.passed, str(found)
    layers = (Hardware, Models, Systems, Infrastructure, Literature)
    assert found.entries >= sum(len(layer) for layer in layers)
    assert sum(found.kinds.values()) == found.values


def test_a_number_without_a_source_is_found():
    partly = chip(release_year=DATASHEET, compute=DATASHEET, memory__capacity=DATASHEET)
    found = audit(iter([("Hardware.Chip", partly)]))
    assert not found.passed
    assert found.missing == [
        "Hardware.Chip.memory.bandwidth",
        "Hardware.Chip.memory.flash.capacity",
        "Hardware.Chip.memory.flash.bandwidth",
    ]
    # release year, two peaks, two capacities, two bandwidths
    assert found.values == 7
    assert str(found).splitlines() == [
        "7 values in 1 entries: 3 without a source (4 datasheet)",
        *(f"  no source: {path}" for path in found.missing),
    ]
    assert found.to_dict() == {
        "entries": 1,
        "values": 7,
        "passed": False,
        "kinds": {"datasheet": 4},
        "missing": found.missing,
    }


def test_an_audit_names_the_kinds_of_sources_by_how_often_they_answer():
    article = {"kind": "article", "ref": "a page", "read": "2026-11-20"}
    one, other = chip(default=article, memory=DATASHEET), chip(default=DATASHEET)
    found = audit(iter([("One", one), ("Other", other)]))
    # of the first the memory's four, of the second all seven
    assert [*found.kinds.items()] == [("datasheet", 4 + 7), ("article", 3)]
    assert str(found) == "14 values in 2 entries: 0 without a source (11 datasheet, 3 article)"


def test_no_sources_at_all_leave_every_number_without_one():
    assert len(audit(iter([("Chip", HardwareNode(**CHIP))])).missing) == 7


def test_the_nearest_source_answers_for_a_number():
    special = {**DATASHEET, "ref": "another"}
    one = chip(default=DATASHEET, memory=special)
    assert one.source_of("memory.flash.bandwidth").ref == "another"
    assert one.source_of("compute.precision.int8").ref == "a datasheet"
    assert audit(iter([("Chip", one)])).passed


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("memory.bandwith", "did you mean 'memory.bandwidth'?"),
        ("memroy", "did you mean 'memory'?"),
        ("memory.flsh", "did you mean 'memory.flash'?"),  # a path with others below it
        ("tpd", "did you mean 'tdp'?"),  # of which nothing is known so far
        ("compute.precision.int9", "did you mean 'compute.precision.int8'?"),
    ],
)
def test_a_source_that_names_no_field_is_refused(path, hint):
    with pytest.raises(InvalidEntry) as caught:
        HardwareNode(**CHIP, sources={"default": DATASHEET, path: DATASHEET})
    assert caught.value.key == f"sources.{path}"
    assert hint in str(caught.value)


def test_of_several_sources_that_name_no_field_the_first_is_told():
    with pytest.raises(InvalidEntry, match=r"sources\.memory\.wide: it names no field; did you"):
        chip(tpd=DATASHEET, memory__wide=DATASHEET, vendr=DATASHEET)


def test_a_source_may_stand_for_a_field_that_is_unknown_so_far():
    assert chip(default=DATASHEET, tdp=DATASHEET).tdp is None


def test_a_document_was_opened_on_some_day():
    with pytest.raises(InvalidEntry, match="read"):
        Source(kind="paper", ref="somewhere")
    assert Source(kind="estimate", ref="order of magnitude").read is None


@pytest.mark.parametrize(
    ("bad", "key"),
    [
        ({"kind": "hearsay", "ref": "x"}, "kind"),
        ({"kind": "paper"}, "ref"),
        ({"kind": "paper", "ref": "x", "read": "soon"}, "read"),
        ({"kind": "paper", "ref": "x", "page": 3}, "page"),
    ],
)
def test_a_malformed_source_is_refused(bad, key):
    with pytest.raises(InvalidEntry) as caught:
        chip(default=bad)
    assert caught.value.key == f"sources.default.{key}"


def test_every_document_was_opened_on_a_day_that_has_been():
    sources = [
        source
        for layer in (Hardware, Models, Systems, Infrastructure, Literature)
        for _, entry in layer.entries()
        for source in entry.sources.values()
    ]
    assert len(sources) > 200
    assert all(source.read is None or dt.date(2020, 1, 1) <= source.read for source in sources)
    assert all(
        source.url is None or source.url.startswith(("http://", "https://")) for source in sources
    )


def test_a_constant_without_a_source_cannot_be_built():
    with pytest.raises(TypeError):
        TraceableConstant(2, "FLOP", name="FLOP_PER_MAC")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="rumour"):
        TraceableConstant(2, "FLOP", name="FLOP_PER_MAC", source=None)  # type: ignore[arg-type]


def test_a_constant_computes_like_a_number_and_knows_its_unit():
    assert FLOP_PER_MAC * 3 == 6
    assert FLOP_PER_MAC.quantity == Q_("2 FLOP")
    assert FLOP_PER_MAC.quantity == Q_("1 MAC")


def test_every_constant_in_the_module_has_a_source():
    found = [value for value in vars(types).values() if isinstance(value, TraceableConstant)]
    assert found
    assert all(
        isinstance(value, TraceableConstant) and isinstance(value.source, Source) for value in found
    )
