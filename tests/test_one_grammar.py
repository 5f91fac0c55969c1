"""A number is written in one way, whichever door it comes through."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.check import load as load_checks
from mlsysim import CheckpointModel, Engine, Hardware, Models
from mlsysim.cli import main
from mlsysim.core.constraint import Constraint
from mlsysim.core.errors import BadArgument, MLSysError
from mlsysim.core.registry import parse_yaml
from mlsysim.core.units import LONGEST_NUMBER, NUMBER, Q_, Dim, parse, read_number
from mlsysim.course.journal import Journal
from mlsysim.course.lessons import assignment
from mlsysim.course.sheet import Answer
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.hardware.types import MemoryHierarchy
from mlsysim.learn.answers import AnswerSheet
from mlsysim.learn.predict import Question
from mlsysim.mcp.tools import tools

LESSON = "00_hello_roofline"
CHIP = """\
name: chip
release_year: 2027
compute: {{peak_flops: 989 TFLOP/s}}
memory: {{capacity: 80 GB, bandwidth: {}}}
"""
SYSTEM = """\
workload: {{model: Llama3_8B, phase: decode, efficiency: {efficiency}}}
fleet: {{hardware: {{name: chip, release_year: 2027, compute: {{peak_flops: 989 TFLOP/s}},
        memory: {{capacity: 80 GB, bandwidth: {bandwidth}}}}}}}
"""


table = cache(tools)  # what an agent's client is shown once


# ---- doors at which a quantity is read: each gives a bandwidth in B/s ----------------------------


def of_a_chip(chip):
    return chip.memory.bandwidth.m_as("B/s")


def by_a_spec(text):
    return of_a_chip(Hardware.from_spec(parse_yaml(CHIP.format("1 B/s"), "") | memory(text)))


def memory(text):
    return {"memory": {"capacity": "80 GB", "bandwidth": text}}


def by_a_file(text, folder):
    path = folder / "chip.yaml"
    path.write_text(CHIP.format(json.dumps(text)), encoding="utf-8")
    return of_a_chip(Hardware.from_yaml(path))


def by_a_system(text):
    spec = SystemSpec.from_text(SYSTEM.format(efficiency=0.5, bandwidth=json.dumps(text)))
    return of_a_chip(spec.fleet.entry.hw)


def by_an_agent(text):
    chip = {"release_year": 2027, "compute": {"peak_flops": "989 TFLOP/s"}, **memory(text)}
    step = table()["solve"].call({"model": "Llama3_8B", "hardware": chip})
    return step["traffic"]["value"] * 1e9 / (step["memory_time"]["value"] * 1e-3)  # GB, ms


FIVE_DIGITS = 5e-5  # what an agent is answered in

QUANTITY_DOORS = {
    "parse": lambda text, _: parse(text).m_as("B/s"),
    "Q_": lambda text, _: Q_(text).m_as("B/s"),
    "a dimension": lambda text, _: Dim("B/s").si(text, "bandwidth"),
    "a solver's argument": lambda text, _: (
        CheckpointModel().solve(Models.GPT2, storage_bandwidth=text, interval="1 hour")
    ).si("storage_bandwidth"),
    "a constructor": lambda text, _: MemoryHierarchy(
        capacity="80 GB", bandwidth=text
    ).bandwidth.m_as("B/s"),
    "from_spec": lambda text, _: by_a_spec(text),
    "replace": lambda text, _: of_a_chip(
        Hardware.H100.replace(memory=Hardware.H100.memory.replace(bandwidth=text))
    ),
    "a YAML file": by_a_file,
    "a system's YAML": lambda text, _: by_a_system(text),
    "a constraint": lambda text, _: Constraint.read(f"bandwidth < {text}").bound.m_as("B/s"),
    "MCP": lambda text, _: by_an_agent(text),
}
BANDWIDTHS = {
    "3.35 TB/s": 3.35e12,
    "+3.35e0 TB/s": 3.35e12,
    "3350GB/s": 3.35e12,
    ".5 TB/s": 5e11,
    "5. TB/s": 5e12,
    "5e-1  TB/s": 5e11,
}
COMMAS = {  # what was written, and what the sentence shows instead
    "3,35 TB/s": "3.35 TB/s",
    "1,5e3 GB/s": "1.5e3 GB/s",
    "1.234,5 GB/s": "1234.5 GB/s",
    "1,234.5 GB/s": "1234.5 GB/s",
    "1,234,567 B/s": "1234567 B/s",
    "1,024 GB/s": "1024 GB/s or 1.024 GB/s",
    "0,125 TB/s": "0.125 TB/s",
}
NO_QUANTITIES = [
    "3_350 GB/s",
    "٣ TB/s",
    "３ TB/s",
    "1 000 GB/s",
    "1.2.3 TB/s",
    "--1 TB/s",
    "TB/s 1",
]


@pytest.mark.parametrize("door", QUANTITY_DOORS)
@pytest.mark.parametrize(("text", "expected"), BANDWIDTHS.items())
def test_a_quantity_is_the_same_at_every_door(door, text, expected, tmp_path):
    within = FIVE_DIGITS if door == "MCP" else 1e-12
    assert QUANTITY_DOORS[door](text, tmp_path) == pytest.approx(expected, rel=within)


@pytest.mark.parametrize("door", QUANTITY_DOORS)
@pytest.mark.parametrize(("text", "shown"), COMMAS.items())
def test_a_comma_is_refused_at_every_door_with_one_sentence(door, text, shown, tmp_path):
    sentence = f"write it without commas and with a decimal point, as in {shown}."
    with pytest.raises(MLSysError) as caught:
        QUANTITY_DOORS[door](text, tmp_path)
    assert str(caught.value).endswith(sentence)


@pytest.mark.parametrize("door", QUANTITY_DOORS)
@pytest.mark.parametrize("text", NO_QUANTITIES)
def test_what_is_no_quantity_passes_no_door(door, text, tmp_path):
    with pytest.raises(MLSysError):
        QUANTITY_DOORS[door](text, tmp_path)


# ---- doors at which a plain number is read: each gives an efficiency -----------------------------


def of_a_step(step):
    """The efficiency that a step's compute time tells: operations over peak times time."""
    operations, time = step["operations"]["value"] * 1e9, step["compute_time"]["value"] * 1e-3
    return operations / (Hardware.H100.compute.peak_flops.m_as("FLOP/s") * time)


def by_the_command_line(text):
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["solve", "Llama3_8B", "H100", f"--efficiency={text}", "--json"])
    if code:
        raise MLSysError(err.getvalue().strip())
    return of_a_step(json.loads(out.getvalue()))


def by_an_agents_solve(text):
    return of_a_step(
        table()["solve"].call({"model": "Llama3_8B", "hardware": "H100", "efficiency": text})
    )


def by_a_lesson(text, folder):
    journal = Journal(folder / "journal.jsonl")
    question = Question("99.1", "How much?", journal=journal)
    sent = {"value": text, "confidence": "certain"}
    if fault := question.fault(sent):
        raise MLSysError(fault)
    question._update(sent)
    return journal.get("99.1").value


def by_an_answer_sheet(text, folder):
    sheet = AnswerSheet(assignment(LESSON), "ada", drafts=folder)
    document = sheet.document(q2=sheet.ask("q2"))
    document = document.replace(answers={"q2": Answer(value=text)})
    if fault := sheet.faults(document).get("q2"):
        raise MLSysError(fault)
    return by_the_grader(text)


def by_the_grader(text):
    checks = load_checks(LESSON)
    variant = checks.assignment.draw("0" * 16)
    own, mark = checks.questions["q2"].answered(Answer(value=text), variant)
    if mark.kind in ("unreadable", "blank"):
        raise MLSysError(mark.message)
    return own.m_as("")


NUMBER_DOORS = {
    "read_number": lambda text, _: read_number(text),
    "a dimension": lambda text, _: Dim("").si(text, "efficiency"),
    "a solver's argument": lambda text, _: of_a_step(
        Engine.solve(Models.Llama3_8B, Hardware.H100, efficiency=text).to_dict()
    ),
    "a YAML scalar": lambda text, _: read_number(parse_yaml(f"a: {text}", "file")["a"]),
    "a system's YAML": lambda text, _: (
        (
            SystemSpec.from_text(SYSTEM.format(efficiency=text, bandwidth="1 TB/s"))
        ).workload.efficiency
    ),
    "a system's quoted YAML": lambda text, _: (
        (
            SystemSpec.from_text(SYSTEM.format(efficiency=json.dumps(text), bandwidth="1 TB/s"))
        ).workload.efficiency
    ),
    "the command line": lambda text, _: by_the_command_line(text),
    "MCP": lambda text, _: by_an_agents_solve(text),
    "a lesson": by_a_lesson,
    "an answer sheet": by_an_answer_sheet,
    "the grader": lambda text, _: by_the_grader(text),
}
NUMBERS = {
    "0.5": 0.5,
    ".5": 0.5,
    "+.5": 0.5,
    "1.": 1.0,
    "+1": 1.0,
    "5e-1": 0.5,
    "5E-01": 0.5,
    "0.05e+1": 0.5,
    "01": 1.0,  # no octal
    " 0.5 ": 0.5,
}
NO_NUMBERS = [
    *("0_5", "0.5_0", "٠.٥", "٠", "０.５", "½", "0x1", "0b1", "0:1", "half", "--1", "0.5.", "."),
    *("1e", "e1", "1 000", "1/2", "50 ms", "0.5f", "nan", "inf", "-inf", "1e999", "True"),
    "0." + "5" * LONGEST_NUMBER,
]  # fmt: skip


@pytest.mark.parametrize("door", NUMBER_DOORS)
@pytest.mark.parametrize(("text", "expected"), NUMBERS.items())
def test_a_plain_number_is_the_same_at_every_door(door, text, expected, tmp_path):
    within = FIVE_DIGITS if door == "MCP" else 1e-12
    assert NUMBER_DOORS[door](text, tmp_path) == pytest.approx(expected, rel=within)


@pytest.mark.parametrize("door", [each for each in NUMBER_DOORS if each != "a system's YAML"])
@pytest.mark.parametrize(
    ("text", "shown"),
    [("3,35", "3.35"), ("0,5", "0.5"), ("1,024", "1024 or 1.024"), ("1,234.5", "1234.5")],
)
def test_a_comma_in_a_plain_number_is_refused_with_one_sentence(door, text, shown, tmp_path):
    sentence = f"write it without commas and with a decimal point, as in {shown}."
    with pytest.raises(MLSysError) as caught:
        NUMBER_DOORS[door](text, tmp_path)
    assert str(caught.value).endswith(sentence)


@pytest.mark.parametrize("door", NUMBER_DOORS)
@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_passes_no_door(door, text, tmp_path):
    with pytest.raises(MLSysError):
        NUMBER_DOORS[door](text, tmp_path)


# ---- whatever is written -------------------------------------------------------------------------


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_was_written_reads_back_as_itself(number):
    assert read_number(repr(number)) == number
    if abs(number) < sys.float_info.max / 1e12:
        assert parse(f"{number!r} TB").m_as("TB") == number


@given(st.text("0123456789,.+-e_ ", max_size=12))
def test_text_is_the_number_that_python_reads_or_a_typed_error(text):
    try:
        number = read_number(text)
    except BadArgument as error:
        assert str(error).endswith(".")  # noqa: PT017 - most texts fail, and each must fail well
    else:
        assert NUMBER.fullmatch(text.strip())
        assert number == float(text)
