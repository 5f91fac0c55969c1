"""A new lesson runs as it is written, before anybody has changed a word."""

from __future__ import annotations

import pytest

from mlsysim.core.errors import BadArgument
from mlsysim.core.registry import load
from mlsysim.course.lessons import Lesson
from mlsysim.learn import Journal, lesson, new
from mlsysim.learn.predict import Question
from mlsysim.learn.rehearse import answer, notebook


@pytest.fixture
def clone(tmp_path):
    (tmp_path / "mlsysim" / "course").mkdir(parents=True)
    return tmp_path


def test_its_facts_are_read_and_its_tutorial_asks_and_reveals(clone, monkeypatch):
    facts, tutorial = new.create("4", "starving_the_gpu", clone)
    made = load(facts, lambda held: Lesson.build({**held, "stem": facts.stem}))
    assert (made.stem, made.number, made.assignment) == ("04_starving_the_gpu", 4, None)
    monkeypatch.setattr(lesson, "find_lesson", lambda _: made)
    this = lesson.open(made.stem, Journal(clone / "journal.jsonl"))
    _, defs = notebook(tutorial).run(defs={"this": this})
    for asked in sorted(
        (q for q in defs.values() if isinstance(q, Question)), key=lambda q: q.question
    ):
        asked._update(answer(asked, 0))
    notebook(tutorial).run(defs={"this": this})
    assert this.journal.truths() == {
        "04.1": pytest.approx(4.57, rel=0.05),
        "04.2": "more bandwidth",
    }


def test_nothing_is_overwritten(clone):
    new.create("04", "starving_the_gpu", clone)
    with pytest.raises(BadArgument, match="take a free one"):
        new.create("04", "another", clone)


@pytest.mark.parametrize(
    ("number", "slug"),
    [("x", "good"), ("004", "good"), ("04", "Bad"), ("04", "bad-slug"), ("04", "")],
)
def test_what_can_be_no_stem_is_refused(clone, number, slug):
    with pytest.raises(BadArgument):
        new.create(number, slug, clone)


def test_outside_a_clone_it_says_where_to_stand(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert new.main(["04", "slug"]) == 2
    assert "stand in a clone" in capsys.readouterr().err
    assert new.main(["04"]) == 2
    assert "python -m mlsysim.learn.new" in capsys.readouterr().err
