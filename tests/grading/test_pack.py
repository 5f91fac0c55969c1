"""The instructor's pack: written from the course as it is, and true of it."""

from __future__ import annotations

import re

import pytest

from grading import pack
from grading.commands import main
from mlsysim import Scenarios
from mlsysim.core.errors import InvalidEntry
from mlsysim.course.lessons import lessons
from mlsysim.course.paths import find_path, plan
from mlsysim.evaluation.verdict import judge


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    out = tmp_path_factory.mktemp("pack")
    assert main(["pack", "--out", str(out)]) == 0
    return {path.name: path.read_text("utf-8") for path in out.iterdir()}


def test_every_page_is_linked_from_the_first_and_holds_no_blank_placeholder(pages):
    linked = set(re.findall(r"\]\((\w+\.md)\)", pages["README.md"]))
    assert linked | {"README.md"} == set(pages)
    for text in pages.values():
        assert text.startswith("# ")
        assert not re.search(r"\{\{|\}\}|\{%|\bNone\b|\bUndefined\b", text)


def test_ten_weeks_hold_every_lesson_once(pages):
    weeks = pages["weeks.md"].split("\n## Week ")[1:]
    assert len(weeks) == 10
    told = [int(n) for week in weeks for n in re.findall(r"^- \*\*(\d+) · ", week, re.MULTILINE)]
    assert sorted(told) == sorted(plan())
    for week in weeks:  # what is due was asked before
        due = re.search(r"Exercises? ([\d, to]+?)(?: and (\d+))? (?:is|are) due", week)
        place = weeks.index(week)
        if due:
            before = [int(n) for each in weeks[:place] for n in re.findall(r"\*\*(\d+) · ", each)]
            assert {int(n) for n in re.findall(r"\d+", due[0])} <= set(before)


def test_timetables_are_those_of_the_paths_and_fill_their_minutes(pages):
    for name, path in (("guest_lecture.md", "conference"), ("half_day.md", "half-day")):
        slots = re.findall(r"^## (\d+)-(\d+) min", pages[name], re.MULTILINE)
        assert [a for a, _ in slots[1:]] == [b for _, b in slots[:-1]]
        assert int(slots[-1][1]) <= find_path(path).minutes


def test_every_prediction_has_its_objective_and_every_verb_its_level():
    found = pack.objectives()
    for lesson in lessons():
        assert [each.prediction for each in found.get(lesson.stem, [])] == lesson.questions
    every = [each for those in found.values() for each in those]
    assert len({(each.verb, each.rest) for each in every}) > 0.9 * len(every)
    assert {each.level for each in every} == set(pack._facts()["verbs"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"00.99": "compute nothing"}, "no lesson asks it"),
        ({"00.1": "know a number"}, "know has no level"),
    ],
)
def test_an_objective_of_no_prediction_or_without_a_level_is_refused(changed, words, monkeypatch):
    facts = pack._facts()
    held = {**facts, "objectives": {**facts["objectives"], **changed}}
    monkeypatch.setattr(pack, "_facts", lambda: held)
    with pytest.raises(InvalidEntry, match=words):
        pack.objectives()


def test_the_rubric_shows_a_design_that_holds_and_one_that_does_not():
    held = pack.samples()
    assert held["excellent"].verdict == "satisfied"
    assert held["insufficient"].verdict == "infeasible"
    assert held["other"].good
    assert held["other"].cost > held["excellent"].metrics["tco"].m_as("USD")
    assert held["dearer"] > 1
    assert judge(Scenarios["Capstone"]).verdict == held["insufficient"].verdict
    assert 0 < held["falls"] < 0.5
