"""JSON schemas come from the types: of entries, and of what a solver's question may say."""

from __future__ import annotations

import json
import re
from functools import cache

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Hardware, Models, Systems, solvers
from mlsysim.core.errors import WrongUnit
from mlsysim.core.schemas import example_of, schema_of, schema_of_arguments, spelled
from mlsysim.core.units import (
    EXAMPLES,
    Bytes,
    Count,
    Days,
    Dim,
    Names,
    Precision,
    Seconds,
    dim_of,
    parse,
)
from mlsysim.core.values import Many, Value
from mlsysim.hardware.types import HardwareNode
from tests.solvers.test_bad_input import VALID, baseline, hints_of

SOLVERS = {name: getattr(solvers, name) for name in solvers.SOLVERS}
each_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)


@each_solver
def test_the_arguments_of_a_solver_have_a_schema_that_is_one(solver):
    schema = schema_of_arguments(solver.solve)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == [*solver.requires]
    assert [*schema["properties"]] == [*solver.accepts]
    assert schema["additionalProperties"] is False


@each_solver
def test_a_word_of_the_vocabulary_is_published_as_the_door_reads_it(solver):
    for name, part in schema_of_arguments(solver.solve)["properties"].items():
        word = dim_of(hints_of(solver)[name])
        if isinstance(word, Names):
            assert part["enum"] == [*word.known]
        elif isinstance(word, Dim):
            assert part.get("x-unit", "") == word.unit
        if "default" in part:  # it is written as somebody would write it
            jsonschema.validate(part["default"], part)
            if word is not None:
                assert word.si(part["default"], name) == solver.defaults[name]


@each_solver
def test_the_example_of_an_argument_has_the_size_of_such_a_thing(solver):
    for name, usual in solver.defaults.items():
        word = dim_of(hints_of(solver)[name])
        if example_of(name) and word.unit and isinstance(usual, float) and usual:
            assert 0.1 <= word.si(example_of(name), name) / usual <= 10, name


@pytest.mark.parametrize(
    ("solver", "argument", "least", "most"),
    [
        ("ReliabilityModel", "device_mtbf", "1 year", "100 year"),
        ("ReliabilityModel", "mtbf", "1 hour", "1 week"),
        ("EconomicsModel", "duration_days", "1 day", "10 year"),
        ("SynthesisSolver", "dispatch_tax", "1 us", "1 ms"),
        ("DataModel", "bytes_per_sample", "1 kB", "1 GB"),
    ],
)
def test_a_wrong_argument_is_shown_one_that_would_do(solver, argument, least, most):
    with pytest.raises(WrongUnit, match=f"{argument} cannot be") as caught:
        SOLVERS[solver]().solve(**{**baseline(solver), argument: "5 apples"})
    shown = parse(re.search("such as '(.*)'", str(caught.value))[1])
    assert parse(least) <= shown <= parse(most)


def test_a_file_of_an_entry_must_have_a_name_and_an_entry_in_another_need_not():
    assert "name" in HardwareNode.json_schema()["required"]
    named, written = schema_of_arguments(solvers.SingleNodeModel.solve)["properties"]["hardware"][
        "anyOf"
    ]
    assert named["x-entries"] == "Hardware"
    assert {*written["required"]} == {"compute", "memory"}


@pytest.mark.parametrize("name", ["hardware", "model", "fleet", "node", "datacenter", "facility"])
def test_an_entry_its_name_and_its_mapping_keep_the_schema_of_an_argument(name):
    solver = next(each for each in SOLVERS.values() if name in each.accepts)
    schema = schema_of_arguments(solver.solve)["properties"][name]
    for way in (VALID[name].stem, VALID[name].to_dict()):
        jsonschema.validate(way, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(3, schema)


@pytest.mark.parametrize("catalog", [Hardware, Models, Systems], ids=lambda held: held._title)
def test_what_an_entry_writes_keeps_the_schema_of_its_type(catalog):
    checker = cache(lambda kind: jsonschema.Draft202012Validator(kind.json_schema()))
    for _, entry in catalog.entries():
        checker(type(entry)).validate(json.loads(json.dumps(entry.to_dict())))


@pytest.mark.parametrize("unit", EXAMPLES)
@given(data=st.data())
def test_every_spelling_that_a_schema_allows_is_a_unit_of_the_dimension(unit, data):
    text = data.draw(st.from_regex(spelled(unit), fullmatch=True))
    assert parse(f"3 {text}").is_compatible_with(parse(f"1 {unit}"))
    parse(f"3 {data.draw(st.from_regex(spelled(), fullmatch=True))}")


class Lid(Value):
    """What closes it."""

    name: str
    size: Bytes


class Box(Value):
    """A box."""

    size: Bytes
    note: str | None = None
    heads: Count | None = 2
    lid: Lid | None = None
    lids: Many[Lid] = ()


SIZE = {"type": "string", "exclusiveMinimum": 0.0, "x-unit": "B", "examples": ["80 GB"]}
SIZE |= {"description": "quantity in B, such as '80 GB'"}
NULL = {"type": "null"}


def closed(title, about, required, **properties):
    told = {"title": title, "description": about, "required": required, "properties": properties}
    return {"type": "object", "additionalProperties": False, **told}


def test_a_type_is_written_out_for_people_and_exactly_for_programs():
    """Its words are told where there are some; what may be left out may be null for programs."""
    name = {"type": "string", "description": "what to call it"}
    lid = closed("Lid", "What closes it.", ["name", "size"], name=name, size=SIZE)
    note, many = {"type": "string"}, {"type": "integer", "exclusiveMinimum": 0.0, "maximum": 1e15}
    rest = {"lid": lid, "lids": {"type": "array", "items": lid}}
    heads = {**many, "default": 2}
    assert (
        schema_of(Box)
        == Box.json_schema()
        == closed(*("Box", "A box.", ["size"]), size=SIZE, note=note, heads=heads, **rest)
    )
    there = {"$ref": "#/$defs/Lid"}
    rest = {"lid": {"anyOf": [there, NULL]}, "lids": {"type": "array", "items": there}}
    heads = {"anyOf": [many, NULL], "default": 2}
    assert Box.json_schema(exact=True) == {"$defs": {"Lid": lid}} | closed(
        *("Box", "A box.", ["size"]),
        **{"size": SIZE, "note": {"anyOf": [note, NULL]}, "heads": heads, **rest},
    )


def test_the_defaults_of_a_function_are_written_as_somebody_would_write_them():
    def ask(
        time: Seconds,
        size: Bytes = 3.5e9,
        limit: Seconds = "2 hour",
        many: Count = 4.0,
        days: Days | None = None,
        precision: Precision = "fp8",
        plain=3,
    ):
        """A question."""

    schema = schema_of_arguments(ask)
    told = {name: part.get("default") for name, part in schema["properties"].items()}
    assert told == {
        "time": None,
        "size": "3500000000 B",
        "limit": "7200 s",
        "many": 4,
        "days": None,
        "precision": "fp8",
    }
    assert type(told["many"]) is int
    assert schema["required"] == ["time"]
    about = schema["properties"]["limit"]["description"]  # a word of another question, and its unit
    assert about == "rows to send back; quantity in s, such as '50 ms'"
    assert schema["properties"]["size"] == {**SIZE, "default": "3500000000 B"}
