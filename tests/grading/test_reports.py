"""The pages that people look at: who is named first, what a student reads, what may run in them."""

from __future__ import annotations

import base64
import hashlib
import html
import re

import pytest

from mlsysim import pages
from mlsysim.course.lessons import lessons
from mlsysim.course.sheet import Answer


def page(grade, student):
    (row,) = [row for row in grade.report()["students"] if row["student"] == student]
    return html.unescape((grade.out / row["page"]).read_text())


def class_page(grade):
    return html.unescape((grade.out / "report.html").read_text())


def test_a_student_reads_the_question_with_the_own_numbers_and_why_the_answer_is_right(
    hand_in, grade, right, variant, checks
):
    v = variant("ada")
    hand_in("ada", {**right(v), "q4": {"value": "capacity"}})
    grade()
    said = page(grade, "ada")
    for name, asked in checks.assignment.questions.items():
        assert asked.text.format_map(v) in said
        if name != "q4":
            assert f"Right. {checks.questions[name].hint}" in said
    assert said.count("mlsysim learn 00") == 1  # where to go on, beside the one that was wrong
    assert "What do they wait for?" in said.split("mlsysim learn 00")[0].rsplit("Next:")[1]


def test_the_numbers_that_were_drawn_are_folded_away(hand_in, right, variant, grade):
    """Each question tells its own; whole sentences of some would stand above all answers."""
    hand_in("ada", right(variant("ada")))
    grade()
    folded = page(grade, "ada").partition("<details")[2].partition("</details>")[0]
    assert folded.startswith(' class="drawn muted"><summary>Your numbers, as they were drawn')
    for key, value in variant("ada").fields.items():
        assert f"{key} {value}" in folded


def test_a_student_reads_which_predictions_were_made_and_how_far_off_they_were(
    hand_in, grade, right, variant
):
    from tests.grading.conftest import journal

    hand_in("ada", right(variant("ada")), journal=journal("00.1", "00.2"))
    grade()
    said = re.sub(r"<[^>]*>", "", page(grade, "ada"))
    assert re.search(r"00\.1 made, off by a factor of \d", said)
    assert "00.2 made, not right" in said
    assert "00.3 not made" in said


def test_the_class_page_names_who_shares_a_mistake_and_links_to_them(
    hand_in, grade, right, variant, checks
):
    slip = checks.questions["q2"].check.misconceptions["scaled by peak FLOPS"]
    for student in ("ada", "bob"):
        peak = {"value": f"{slip(variant(student)).m_as(''):.6g}"}
        hand_in(student, {**right(variant(student)), "q2": peak})
    hand_in("cleo", right(variant("cleo")))
    grade()
    said = class_page(grade)
    (chip,) = re.findall(r"<details.*?scaled by peak FLOPS.*?</details>", said, re.DOTALL)
    assert "<b>2</b>" in chip
    assert re.findall(r'href="([^"]+)">(\w+)<', chip) == [
        (row["page"], row["student"]) for row in grade.report()["students"][:2]
    ]


def test_who_is_missing_and_whom_to_look_at_stand_before_everything_else(
    hand_in, grade, right, variant, tmp_path
):
    hand_in("ada", right(variant("bob")), variant=variant("bob").fields)
    (tmp_path / "roster.csv").write_text("student\nada\nzoe\n")
    grade("--roster", str(tmp_path / "roster.csv"))
    first = class_page(grade).partition("<svg")[0]
    assert "Look at these first" in first
    assert "zoe" in first
    assert "its numbers are not this student's" in first


def test_drawings_say_in_words_what_they_show(hand_in, grade, right, variant):
    hand_in("ada", right(variant("ada")))
    hand_in("bob", {})
    grade()
    labels = re.findall(r'<svg[^>]*aria-label="([^"]*)"', class_page(grade))
    # 16 and 2 of 16: a quarter of the way between them, half, three quarters
    assert labels[0] == (
        "Scores in tenths: 0, 1, 0, 0, 0, 0, 0, 0, 0, 1 students; "
        "half of them between 34% and 78%, the middle one at 56%"
    )
    assert labels[1].startswith("How sure learners said they were")


def test_only_the_pages_own_script_may_run_and_nothing_is_loaded(hand_in, grade):
    hand_in("<script>alert(1)</script>", {}, file="x.json")
    grade()
    said = (grade.out / "report.html").read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", said, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.unescape(said)
    assert not re.findall(r"(?:src|href)=\"(?!students/|data:)", said)


@pytest.mark.parametrize(
    ("times", "said"), [(3.3, "too large by more"), (0.33, "too small by more"), (1.7, "Not so.")]
)
def test_an_answer_that_is_no_known_mistake_is_told_on_which_side_it_lies(
    checks, variant, times, said
):
    question = checks.questions["q6"]
    wrong = Answer(value=question.expected(variant("ada")) * times, unit="GB")
    mark = question.answered(wrong, variant("ada"))[1]
    assert (mark.kind, mark.points) == ("wrong", 0)
    assert said in mark.message


def test_where_to_read_on_is_a_prediction_of_the_lesson():
    for lesson in lessons():
        for asked in lesson.assignment.questions.values() if lesson.assignment else ():
            assert asked.see in {"", *lesson.predictions}


def test_nine_in_ten_questions_say_where_to_read_on():
    """The others ask for what no prediction of their lesson teaches, and point nowhere."""
    exercises = [each.assignment for each in lessons() if each.assignment]
    says = [bool(asked.see) for each in exercises for asked in each.questions.values()]
    assert len(exercises) == 19
    assert sum(says) >= 0.9 * len(says)


def test_a_question_keeps_its_emphasis_and_its_code_and_nothing_that_a_hand_may_have_typed():
    """Lesson 02 asks of one in bold, and of a function; a less-than sign is no tag."""
    words = pages.marked("**at most 7** of `x < 2`, *once*, 3 * 4 * 5, <b>")
    assert words == (
        "<strong>at most 7</strong> of <code>x &lt; 2</code>, <em>once</em>, 3 * 4 * 5, &lt;b&gt;"
    )


def test_a_block_of_code_is_code_without_its_fence():
    """Prediction 15.2 shows two lines of Python, and is quoted to whoever missed question 4."""
    words = pages.marked("A chain:\n\n```python\nrun(a=3)\nrun(*b)\n```\n\nWhy *so*?")
    assert words == "A chain:\n\n<code>run(a=3)\nrun(*b)</code>\n\nWhy <em>so</em>?"
