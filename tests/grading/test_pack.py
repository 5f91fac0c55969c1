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
from mlsysim.evaluation.plan import plan as search
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
        assert not re.search(r"\{\{|\}\}|\{%|\bNone\b|\bUndefined\b|&\w+;|&#", text)
        assert not re.search(r"\n\n\n\n| \n\n\|", text)  # a block leaves no gap behind
        assert text.endswith("\n")


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


@pytest.fixture
def objectives(monkeypatch):
    """The objectives as they are, but for some that are changed or, with None, left out."""
    facts = pack._facts()

    def changed(**those):
        held = {**facts["objectives"], **{n.replace("_", "."): t for n, t in those.items()}}
        held = {name: text for name, text in held.items() if text is not None}
        monkeypatch.setattr(pack, "_facts", lambda: {**facts, "objectives": held})
        return pack.objectives()

    return changed


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"00_99": "compute it", "00_98": "compute it"}, "pack: 00.98: no lesson asks it."),
        (
            {"00_1": "know a number"},
            "pack: 00.1: know has no level; use one of ['explain', 'interpret', 'compute', "
            "'estimate', 'size', 'convert', 'compare', 'rank', 'separate', 'diagnose', 'trace', "
            "'judge', 'decide', 'choose', 'question', 'design'].",
        ),
    ],
)
def test_an_objective_of_no_prediction_or_without_a_level_is_refused(changed, words, objectives):
    with pytest.raises(InvalidEntry) as error:
        objectives(**changed)
    assert str(error.value) == words


def test_an_objective_that_nobody_wrote_has_the_verb_of_its_kind(objectives):
    found = objectives(**{"00_1": "design  a chip", "00_2": None, "00_3": None, "00_5": None})
    assert found["00_hello_roofline"] == [
        ("00.1", "design", "create", " a chip"),
        ("00.2", "decide", "evaluate", "what it asks"),  # options
        ("00.3", "estimate", "apply", "what it asks"),  # a number
        ("00.4", "compare", "analyse", "a step for one user with a step that many share"),
        ("00.5", "rank", "analyse", "what it asks"),  # an order
    ]


def test_the_rubric_shows_a_design_that_holds_and_one_that_does_not():
    held = pack.samples()
    best, poor = held["excellent"], held["insufficient"]
    assert (best.verdict, poor.verdict) == ("satisfied", "infeasible")
    assert held["challenge"] is Scenarios["Capstone"]
    assert judge(held["challenge"]).verdict == poor.verdict
    assert held["margin"] == min(best.constraints[n]["margin"] for n in (0, 1))
    assert len(best.constraints) == 2
    costs = [each.metrics["tco"].m_as("USD") for each in (poor, best)]
    assert held["dearer"] == pytest.approx(costs[0] / costs[1])
    assert held["dearer"] > 1
    found = search(held["challenge"], pack._SEARCHED).found
    names = [each.change["fleet.hardware"] for each in found]
    assert found[0].found.metrics["tco"].m_as("USD") == costs[1]
    assert (
        held["other"].change == found[names.index(next(n for n in names if n != names[0]))].change
    )
    assert held["other"].good
    assert held["other"].cost > costs[1]
    # it keeps its promises at one percent more, and at that no longer
    for eta, verdict in ((held["falls"], False), (held["falls"] + 0.01, True)):
        change = {**found[0].change, "workload.efficiency": eta}
        assert (judge(held["challenge"].changed(change)).verdict == "satisfied") == verdict
    assert 0 < held["falls"] < 0.5


def test_the_pack_is_written_into_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "pages", lambda: {"b.md": "\u00e9", "a.md": "x"})
    written = pack.write(tmp_path / "a" / "b")
    assert [(path.name, path.read_text("utf-8")) for path in written] == [
        ("b.md", "\u00e9"),
        ("a.md", "x"),
    ]
    assert pack.write(tmp_path / "a" / "b") == written
