"""Handouts: a lesson on paper says what its page says, and loads nothing."""

from __future__ import annotations

import re

import marimo as mo
import pytest

from mlsysim import Q_, charts
from mlsysim.cli import main
from mlsysim.core.errors import MLSysError
from mlsysim.course import lessons as course
from mlsysim.course.journal import Journal
from mlsysim.learn.handout import answered, export, handout
from mlsysim.learn.predict import Question
from mlsysim.learn.rehearse import Ran, run

STEM = "03_kv_cache"


def test_a_journal_of_right_answers_is_marked_right_throughout(tmp_path):
    ran = run(STEM, answered(STEM, tmp_path / "journal.jsonl"))
    assert len(ran.journal.truths()) >= len(course.lesson(STEM).questions)
    for question in ran.asked:
        assert 'class="mls-mark mls-right"' in question.page().text, question.question


@pytest.mark.parametrize("answers", [True, False])
def test_a_handout_asks_every_question_and_loads_nothing(answers):
    page = handout(STEM, answers=answers)
    assert page.count("Prediction ") == len(course.lesson(STEM).questions)
    assert not re.search(r"(src|href)=[\"'](?!data:)", page)
    assert "<script" not in page
    assert "<marimo-" not in page


def test_answers_are_told_where_they_are_asked_for_alone():
    takeaway = course.lesson(STEM).takeaway
    with_them, without = (handout(STEM, answers=asked) for asked in (True, False))
    assert takeaway in with_them
    assert '<svg role="img"' in with_them
    assert takeaway not in without
    assert "<svg" not in without
    assert "29 users" in with_them  # (0.9 x 85.5 GB - 13.5 GB) / (524 kB x 4,096)
    assert "29 users" not in without


def cannot(*_):
    raise MLSysError("a picture takes vl-convert")


def test_what_stands_before_the_first_question_is_told_to_all(monkeypatch, tmp_path):
    asked = Question("03.1", "How?", unit="ms", journal=Journal(tmp_path / "journal.jsonl"))
    asked.reveal(Q_(0.002, "s"), why="So.", chart=lambda _: charts.ranked({"a": 3}, x="Step (s)"))
    asked.journal.commit("03.1", 3.0, "ms")
    monkeypatch.setattr(charts, "svg", cannot)  # the chart is a table of one row
    texts = ("<p>before</p>", "<p>after</p>", "<marimo-slider></marimo-slider>")
    before, after, slider = map(mo.Html, texts)
    ran = Ran([before, asked, after, slider], {"q1": asked}, asked.journal)
    monkeypatch.setattr("mlsysim.learn.handout.run", lambda stem, journal: ran)
    for answers in (True, False):
        page = handout(STEM, answers=answers)
        assert texts[0] in page
        told = (texts[1], "2 ms", "So.", "Step (s)")
        assert [each in page for each in told] == [answers] * 4
        assert "marimo-slider" not in page


def test_where_nothing_can_draw_a_chart_is_its_table(monkeypatch):
    monkeypatch.setattr(charts, "svg", cannot)
    page = handout(STEM, answers=True)
    assert "<svg" not in page
    assert 'class="mls-table"' in page


def test_the_command_writes_one_lesson_or_all(tmp_path, capsys):
    assert main(["learn", "3", "--export", str(tmp_path / "one"), "--answers"]) == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == [f"{STEM}_answers.html"]
    assert f"{STEM}_answers.html" in capsys.readouterr().out


def test_answers_without_a_folder_are_refused_in_a_sentence(capsys):
    assert main(["learn", "3", "--answers"]) == 2
    assert "--export DIR --answers" in capsys.readouterr().err


def test_every_lesson_has_a_handout(tmp_path):
    written = [*export(tmp_path, answers=False)]
    assert [path.stem for path in written] == course.stems()
    assert all(path.stat().st_size > 2000 for path in written)


def test_a_learners_own_journal_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("MLSYSIM_HOME", str(tmp_path))
    handout(STEM, answers=True)
    assert len(Journal()) == 0
