"""What a learner may see of lessons and exercises stands once, in data that is checked."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from mlsysim.core.errors import InvalidEntry, UnknownName, WrongUnit
from mlsysim.course import lessons as course
from mlsysim.course.lessons import assignment, find_lesson, lesson
from mlsysim.course.questions import Amount, Answer, Choice, Number, Question
from mlsysim.course.variants import UNITS, read_unit

STEMS = [stem for stem in course.stems() if course.lesson(stem).assignment]
each = pytest.mark.parametrize("stem", STEMS)

# what 64 codes draw, beside the version: whoever lets a code draw other numbers raises the version,
# or answers handed in before are graded against numbers that the learner never saw
DRAWS = (Path(__file__).parent / "draws.txt").read_text(encoding="utf-8").splitlines()


@each
def test_a_code_draws_the_numbers_that_it_drew_when_its_version_was_made(stem):
    asked = assignment(stem)
    codes = [f"{n:016x}" for n in range(0, 2**60, 2**54)]
    drawn = json.dumps([asked.draw(code).fields for code in codes], sort_keys=True)
    assert len(codes) == 64
    digest = hashlib.sha256(drawn.encode()).hexdigest()[:12]
    assert f"{stem} {asked.version} {digest}" in DRAWS


@each
def test_every_question_is_filled_with_the_numbers_of_a_variant_and_of_the_sample(stem):
    asked = assignment(stem)
    for v in (asked.draw("0" * 16), asked.variant(asked.sample)):
        for name in asked.questions:
            text = asked.ask(name, v).text
            assert not re.search(r"[{}]", text), text


def test_a_question_names_the_learners_own_numbers():
    asked = assignment("00_hello_roofline")
    v = asked.variant(
        {
            "model": "Llama2_13B",
            "device": "H100",
            "other": "B200",
            "batch": 12,
            "context": 1536,
            "crowd": 1024,
            "short": 70,
        }
    )
    q1, q3 = asked.ask("q1", v), asked.ask("q3", v)
    assert "your 12 requests at 1,536 tokens on the H100 SXM" in q1.text
    assert "Now 1,024 requests of 70 tokens each" in q3.text
    assert q1.assumptions == ("counted the whole embedding table as read",)


def test_a_lesson_is_found_by_number_or_stem_and_a_near_miss_is_told():
    assert find_lesson("0") is find_lesson("00") is lesson("00_hello_roofline")
    with pytest.raises(UnknownName, match="known are 00"):
        find_lesson("77")
    with pytest.raises(UnknownName, match="00_hello_roofline"):
        assignment("../../etc/passwd")


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("minutes: 15", "minuets: 15", "minuets", "did you mean 'minutes'"),
        ("minutes: 15", 'minutes: "15"', "minutes", "a whole number"),
        ("  version: 3 ", "  verison: 1 ", "verison", "did you mean 'version'"),
        ("kind: choice", "kind: choose", "q3.kind", "did you mean 'choice'"),
        ("units: [GB,", "unit: [GB,", "q6.unit", "did you mean 'units'"),
        ("      choices: [memory, compute]\n", "", "q3.choices", "required"),
        (
            "assumptions: [whole_table]",
            "assumptions: [hole_table]",
            "q1.assumptions",
            "whole_table",
        ),
        ("crowd: 300, ", "", "sample", "crowd"),
        ("[A100, H200]", "[A100]", "axes.device other", "each of its picks has 2 values"),
        ("[A100, H200]", "[A100, H200, 7]", "axes.device other", "each of its picks has 2 values"),
        ("[A100, H200]", "7", "axes.device other", "each of its picks has 2 values"),
        ("model: models", "model: modles", "entries", "did you mean 'models'"),
    ],
)
def test_a_fact_that_is_misspelt_or_missing_is_refused_in_a_sentence(
    tmp_path, monkeypatch, old, new, key, words
):
    text = (course._HERE / f"{STEMS[0]}.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / f"{STEMS[0]}.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    monkeypatch.setattr(course, "_HERE", tmp_path)
    with pytest.raises(InvalidEntry) as caught:
        lesson.__wrapped__(STEMS[0])
    assert caught.value.file.endswith(f"{STEMS[0]}.yaml")
    assert key in caught.value.key
    assert words in caught.value.remedy


WRITTEN = """
    % min hour day year s ms us ns
    B kB MB GB TB PB KiB MiB GiB TiB  b kb Mb Gb Tb
    B/s kB/s MB/s GB/s TB/s PB/s KiB/s MiB/s GiB/s TiB/s  b/s kb/s Mb/s Gb/s Tb/s
    FLOP MFLOP GFLOP TFLOP PFLOP EFLOP ZFLOP  FLOP/B
    FLOP/s MFLOP/s GFLOP/s TFLOP/s PFLOP/s EFLOP/s ZFLOP/s
    W mW kW MW  J mJ kJ MJ GJ  Wh kWh MWh
    g kg t L g/kWh L/kWh  USD USD/hour USD/year USD/kWh  1/s
"""


def test_the_units_that_a_student_may_write():
    by_hand = WRITTEN.split()
    assert sorted(UNITS) == sorted(["", *by_hand])
    assert [read_unit(unit) for unit in by_hand] == by_hand
    assert read_unit(None) == read_unit("") == ""
    for unit in ("furlong", "MS", "ms ", "h", "bytes"):
        with pytest.raises(WrongUnit, match="from the list"):
            read_unit(unit)


class TestReading:
    """What a question makes of what was typed or computed."""

    number = Question.build({"kind": "number", "title": "?", "text": "?", "units": ["ms", "s"]})
    plain = Question.build({"kind": "number", "title": "?", "text": "?"})
    choice = Question.build({"kind": "choice", "title": "?", "text": "?", "choices": ["a", "B"]})

    def test_kinds_are_told_by_their_name(self):
        assert isinstance(self.number, Number)
        assert isinstance(self.choice, Choice)

    def test_a_number_has_its_unit_beside_it(self):
        assert self.number.read(Answer(value=" 4.5", unit="s")) == Amount(4.5, "s")
        assert Amount(4.5, "s").within("ms") == pytest.approx(4500)
        assert Amount(4.5, "s").within("GB") is None

    @pytest.mark.parametrize(
        ("asked", "answer", "fault"),
        [
            (number, Answer(), "not answered yet"),
            (number, Answer(value="  ", unit="ms"), "not answered yet"),
            (number, Answer(value="4.5"), "choose the unit"),
            (number, Answer(value="4.5", unit="GB"), "GB is the wrong kind of unit"),
            (number, Answer(value="4,5", unit="ms"), "decimal point"),
            (number, Answer(value="4.5", unit="us"), ""),
            (plain, Answer(value="4.5"), ""),
            (plain, Answer(value="4.5", unit="ms"), "a plain number without a unit"),
            (choice, Answer(value="b"), "give one of a, B"),
            (choice, Answer(value="B"), ""),
        ],
    )
    def test_a_fault_of_form_is_a_sentence(self, asked, answer, fault):
        assert fault in asked.fault(answer)
        assert bool(fault) == bool(asked.fault(answer))

    def test_of_an_answer_in_json_only_its_own_keys_count(self):
        assert Answer.build({"value": "1", "unit": "ms", "points": 100}) == Answer(
            value="1", unit="ms"
        )
        assert Answer.build(3) == Answer(value=3)
        assert Answer.build(None).blank
