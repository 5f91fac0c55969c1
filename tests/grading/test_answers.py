"""The answer sheet in a notebook: forms, drafts, and the document that is handed in."""

from __future__ import annotations

import json

import pytest

from mlsysim.core.errors import BadArgument, UnknownName, WrongUnit
from mlsysim.core.units import Q_
from mlsysim.course.lessons import assignment
from mlsysim.course.reading import parse, sheet_of
from mlsysim.course.sheet import Answer, Sheet
from mlsysim.course.variants import code_for
from mlsysim.learn.answers import AnswerSheet
from tests.grading.conftest import NAME


@pytest.fixture
def book(tmp_path):
    """A sheet whose drafts lie in a folder of the test's own."""
    return lambda student="ada", **how: AnswerSheet(
        NAME, student, drafts=tmp_path / "drafts", **how
    )


def with_answers(document, **answers):
    return document.replace(answers={**document.answers, **answers})


def test_the_same_id_draws_the_same_numbers_and_a_code_others(book):
    assert book("Ada").variant == book(" ada ").variant
    codes = [code_for(str(n), NAME, b"course") for n in range(20)]
    assert len({book(code=code).variant for code in codes}) > 10
    assert book(code=codes[0].upper()).variant == assignment(NAME).draw(codes[0])


@pytest.mark.parametrize("code", ["x", "0" * 15, "g" * 16, "0" * 17])
def test_a_code_that_cannot_be_one_is_refused(book, code):
    with pytest.raises(BadArgument, match="course code"):
        book(code=code)


def test_forms_left_alone_make_a_valid_document_without_answers(book):
    sheet = book()
    document = sheet.document(q1=sheet.ask("q1"), q3=sheet.ask("q3"))
    assert document.answers == {}
    assert "score" not in document.to_json()
    assert sheet_of(parse(document.to_json().encode())) == document


def test_a_computed_answer_is_written_in_the_first_unit_that_is_offered(book):
    sheet = book()
    document = sheet.document(
        q1=sheet.ask("q1", mine=Q_(0.0123456789, "s")),
        q2=sheet.ask("q2", mine=1.5),
        q5=sheet.ask("q5", mine=Q_(80.0, "")),
        q3=sheet.ask("q3", mine="Memory"),
    )
    assert document.answers["q1"] == Answer(value="12.3457", unit="ms")
    assert [document.answers[q].value for q in ("q2", "q5", "q3")] == ["1.5", "80", "memory"]


def test_a_computed_answer_of_the_wrong_kind_says_so_at_once(book):
    with pytest.raises(WrongUnit):
        book().ask("q1", mine=Q_(1.0, "GB"))
    with pytest.raises(WrongUnit):
        book().ask("q1", mine=3.0)
    with pytest.raises(WrongUnit):
        book().ask("q2", mine=Q_(1.0, "ms"))
    with pytest.raises(BadArgument):
        book().ask("q2", mine=float("nan"))
    with pytest.raises(UnknownName, match="did you mean"):
        book().ask("q3", mine="memry")
    with pytest.raises(UnknownName, match="known are compute, memory"):
        book().ask("q3", mine=3)


def test_a_draft_survives_a_reload_and_belongs_to_one_learner(book):
    first = book()
    first.document(q1=first.ask("q1", mine=Q_(2.0, "s")))
    again = book()
    form = again.ask("q1")
    assert (form.value["value"], form.value["unit"]) == ("2000", "ms")
    assert book("bob").ask("q1").value["value"] == ""


@pytest.mark.parametrize(
    "junk",
    ["", "[]", "{", '{"q1": 3}', '{"q1": {"value": {}, "unit": [1], "assumption": {"a": 1}}}'],
)
def test_a_damaged_draft_costs_nothing(book, junk):
    first = book()
    first.document(q2=first.ask("q2", mine=2.0))
    first._draft.write_text(junk)
    again = book()
    forms = {name: again.ask(name) for name in ("q1", "q2", "q3")}
    assert [forms[name].value["value"] for name in forms] == ["", "", None]
    assert again.document(**forms).answers == {}
    rescued = book()
    rescued.document(q2=rescued.ask("q2", mine=3.0))
    assert book().ask("q2").value["value"] == "3"


def test_the_panel_speaks_of_form_only(book):
    sheet = book()
    forms = {"q1": sheet.ask("q1"), "q2": sheet.ask("q2", mine=2.0), "q6": sheet.ask("q6")}
    document = sheet.document(**forms)
    document = with_answers(
        document, q1=Answer(value="4,5", unit="ms"), q6=Answer(value="4.5", unit=None)
    )
    faults = sheet.faults(document)
    assert "without commas" in faults["q1"]
    assert faults["q6"] == "choose the unit"
    assert "q2" not in faults
    assert "1 of 3 answers are complete" in sheet.panel(document).text
    assert "neutral" in sheet.panel(document).text
    whole = book()
    document = whole.document(q2=whole.ask("q2", mine=2.0))
    assert "1 of 1 answers are complete" in whole.panel(document).text
    assert "success" in whole.panel(document).text


def test_what_a_learner_typed_is_text_in_the_panel(book):
    sheet = book()
    document = sheet.document(q2=sheet.ask("q2"))
    document = with_answers(document, q2=Answer(value="<img src=x onerror=alert(1)>|**b**"))
    shown = sheet.panel(document).text
    assert "<img" not in shown
    assert "<strong>b</strong>" not in shown


def test_braces_in_a_question_are_text(book):
    whole = assignment(NAME)
    asked = whole.questions["q2"].replace(text="Is {{x}} a set of {batch}?")
    sheet = AnswerSheet(whole.replace(questions={**whole.questions, "q2": asked}), "ada")
    assert f"Is {{x}} a set of {sheet.variant.batch}?" in sheet.ask("q2").text


def test_a_question_that_is_not_asked_is_refused_with_the_nearest(book):
    with pytest.raises(UnknownName, match="did you mean 'q1'"):
        book().ask("q11")


def test_what_was_answered_is_said_in_short_and_without_what_is_not_printed():
    given = Answer(value=["a\x07b", None, "c\nd" * 20], unit="m\u202es")
    assert given.said(12) == "ab, " + "c\nd" * 4 + " ms"
    assert Answer(value=[*range(30)]).said() == ", ".join(map(str, range(20)))


def test_the_document_survives_json(book):
    sheet = book("Zoë")
    document = sheet.document(q2=sheet.ask("q2", mine=2))
    assert document.to_json().startswith('{\n "schema": ')  # a line for each key, for a diff
    assert '\n "student": "Zoë",\n' in document.to_json()
    held = json.loads(document.to_json())
    assert list(held) == [
        "schema",
        "assignment",
        "assignment_version",
        "mlsysim",
        "registry",
        "student",
        "variant",
        "answers",
        "journal",
        "notebook",
    ]
    assert held["student"] == "Zoë"
    assert held["answers"] == {"q2": {"value": "2", "unit": None, "assumption": None}}
    assert Sheet.read(held) == document
