"""A form for each kind of answer: left blank, filled in by hand, computed, and reloaded."""

from __future__ import annotations

import re
from html import unescape

import pytest

from mlsysim.core.errors import BadArgument
from mlsysim.core.units import Q_
from mlsysim.course.sheet import Answer
from mlsysim.learn import answers
from mlsysim.learn.answers import AnswerSheet, identity, open_sheet
from mlsysim.learn.lesson import SERVED
from tests.grading.made_up import ASSIGNED, CHECKS, FACTS

SPEC = """release_year: 2027
compute: {peak_flops: 1 TFLOP/s}
memory: {capacity: 1 GB, bandwidth: 1 TB/s}"""
LISTED = ("bound", "levers", "order")
# what a browser sends, and what the file then holds
CODE = "def step_time(read, bandwidth, tax):\n    return read / bandwidth + tax\n"
TYPED = {
    "step": ({"value": " 12.5 ", "unit": ["s"]}, " 12.5 ", "s"),
    "bound": ({"value": "memory"}, "memory", None),
    "levers": ({"value": {"part3": True}}, ["half the context"], None),
    "range": ({"value": {"part0": "1", "part1": " 2 "}, "unit": ["ms"]}, ["1", " 2 "], "ms"),
    "chip": ({"value": SPEC}, SPEC, None),
    "code": ({"value": CODE}, CODE, None),
    "why": ({"value": "Because."}, "Because.", None),
}


@pytest.fixture
def book(tmp_path):
    return lambda student="ada": AnswerSheet(ASSIGNED, student, drafts=tmp_path / "drafts")


def typed(sheet, name, sent):
    form = sheet.ask(name)
    form._update(sent)
    return form


@pytest.mark.parametrize("name", FACTS)
def test_a_form_that_is_left_alone_is_no_answer(book, name):
    sheet = book()
    document = sheet.document(**{name: sheet.ask(name)})
    assert document.answers == {}
    assert sheet.faults(document) == {name: "not answered yet"}


@pytest.mark.parametrize("name", TYPED)
def test_what_is_typed_is_what_the_file_holds_and_what_a_reload_shows(book, name):
    sent, value, unit = TYPED[name]
    sheet = book()
    document = sheet.document(**{name: typed(sheet, name, sent)})
    assert document.answers[name] == Answer(value=value, unit=unit)
    assert sheet.faults(document) == {}
    again = book()
    assert again.document(**{name: again.ask(name)}) == document
    assert book("bob").ask(name).value["value"] in ("", None, [], ["", ""])


def test_an_order_is_chosen_place_by_place(book):
    sheet = book("eve")
    first, second, third = sheet.assignment.ask("order", sheet.variant).choices
    form = typed(sheet, "order", {"value": {"part0": [third], "part1": [first], "part2": [second]}})
    document = sheet.document(order=form)
    assert document.answers["order"].value == [third, first, second]
    assert book("eve").ask("order").value["value"] == [third, first, second]
    other = book("eva")
    half = other.document(order=typed(other, "order", {"value": {"part0": [third]}}))
    assert "name all 3, each once" in other.faults(half)["order"]


def test_what_is_computed_fills_the_form_of_every_kind_and_earns_every_point(book):
    sheet = book()
    truth = {name: CHECKS.questions[name].expected(sheet.variant) for name in LISTED}
    low, high = CHECKS.questions["range"].expected(sheet.variant)
    device = sheet.variant.device
    mine = {
        **truth,
        "step": Q_(CHECKS.questions["step"].expected(sheet.variant), "ms"),
        "range": (Q_(low, "ms"), Q_(high, "ms")),
        "chip": device.replace(memory=device.memory.replace(bandwidth=3 * device.memory.bandwidth)),
        "code": CODE,
        "why": "It is memory-bound because every weight is read.",
    }
    forms = {name: sheet.ask(name, mine=value) for name, value in mine.items()}
    document = sheet.document(**forms)
    assert sheet.faults(document) == {}
    marks = {x.question: x for x in CHECKS.judge(sheet.variant, document.answers)}
    assert sum(x.points for x in marks.values()) == sum(x.out_of for x in marks.values())
    assert {x.kind for x in marks.values()} == {"right", "kept"}


def test_a_draft_of_another_form_is_left_aside(book):
    sheet = book()
    for junk in ([1], {"a": 1}, "x", [["a"]], [None, {"b": 2}]):
        sheet._kept = {name: Answer(value=junk, unit=junk) for name in FACTS}
        forms = {name: sheet.ask(name) for name in FACTS}
        answers = sheet.document(**forms).answers
        assert not answers.keys() & set(LISTED)
        assert all(each.unit is None for each in answers.values())


@pytest.mark.parametrize(("page", "shown"), [(True, "ada"), (False, "")])
def test_who_comes_back_to_the_page_need_not_say_again_who_they_are(
    tmp_path, monkeypatch, page, shown
):
    monkeypatch.setenv("MLSYSIM_HOME", str(tmp_path))
    monkeypatch.setattr(answers, "_is_page", lambda: page)
    assert identity("00_hello_roofline").value["student"] == ""
    open_sheet("00_hello_roofline", "ada", code="0123456789abcdef")
    again = identity("00_hello_roofline")
    assert again.value["student"] == shown
    assert "data-debounce='false'" in again.elements["student"].text  # it reacts while one types
    assert (tmp_path / "student.json").exists() == page  # what runs as a script remembers nobody
    (tmp_path / "student.json").write_text("[1]")
    assert identity("00_hello_roofline").value["student"] == ""


def test_who_one_is_cannot_be_kept_on_a_read_only_disk_and_nothing_breaks(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("MLSYSIM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(answers, "_is_page", lambda: True)
    assert open_sheet("00_hello_roofline", "ada").id == "ada"


def test_the_exercise_leads_back_where_the_course_is_served(book, monkeypatch):
    sheet = book()
    document = sheet.document(step=sheet.ask("step"))
    assert "all lessons" not in sheet.panel(document).text
    request = type("Request", (), {"meta": {SERVED: ""}})
    meta = type("Meta", (), {"request": request, "mode": "run"})
    monkeypatch.setattr(answers.mo, "app_meta", lambda: meta)
    page = sheet.panel(document).text
    assert f'href="/{sheet.assignment.name}/"' in page
    assert 'href="/"' in page


def test_the_end_says_what_is_complete_and_what_goes_with_it(book, tmp_path):
    sheet = book()
    forms = {
        "step": typed(sheet, "step", {"value": "1_2|<b>", "unit": ["s"]}),
        "why": typed(sheet, "why", {"value": "Because."}),
        "bound": sheet.ask("bound"),
    }
    journal = [{"question": "00.1", "value": 4.5}, {"question": "00.2", "value": 1.0}]
    page = sheet.panel(sheet.document(journal, **forms)).text
    assert "1 of 3 answers are complete" in page
    assert ", and your predictions (2) go with them. " in page
    assert "data-kind='&quot;neutral&quot;'" in page  # and not as if it were done
    rows = [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in page.split("<tr>")[1:]]
    assert rows[0] == "question your answer its form"
    assert unescape(rows[1]).startswith("step 1_2|<b> s ")
    assert rows[2] == "why Because. can be read"
    assert rows[3].startswith("bound - not answered yet")


def test_the_file_names_its_notebook_by_its_contents(tmp_path):
    notebook = tmp_path / "mine.py"
    notebook.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    for path, digest in ((notebook, abc), (tmp_path / "none.py", None), (None, None)):
        sheet = AnswerSheet(ASSIGNED, "ada", notebook=path, drafts=tmp_path / "drafts")
        assert sheet.document().notebook == digest


def test_a_draft_belongs_to_a_learner_a_code_and_an_exercise(tmp_path):
    def sheet(student="ada", code=""):
        return AnswerSheet(ASSIGNED, student, code=code, drafts=tmp_path)

    mine = sheet()
    mine.document(why=typed(mine, "why", {"value": "Because."}))
    assert sheet(" ADA ").ask("why").value["value"] == "Because."
    for other in (sheet("bob"), sheet(code="0123456789abcdef")):
        assert other.ask("why").value["value"] == ""
    assert sheet(code=" 0123456789ABCDEF ").variant == sheet(code="0123456789abcdef").variant
    for code in ("0123456789abcde", "0123456789abcdefa", "0123456789abcdeg"):
        with pytest.raises(BadArgument, match="a course code has 16 digits and letters from a to"):
            sheet(code=code)
