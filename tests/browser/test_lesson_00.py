"""Lesson 00 in a real browser: what a learner may type, what is final, what is kept."""

from __future__ import annotations

import pytest

from tests.browser.walk import FORM, commit, mark, opened

pytestmark = pytest.mark.browser

LESSON = "00_hello_roofline/"
FIRST = {"question": "00.1", "value": 60000}
SECOND = {"question": "00.2", "value": "nothing, they run below their peak"}


def test_the_first_question_is_there_and_nothing_leaves_the_machine(visit):
    page = visit(LESSON)
    opened(page)
    assert (page.outside, page.faults) == ([], [])


def test_nothing_is_revealed_before_the_commitment_and_bad_input_is_answered_in_a_sentence(visit):
    page = visit(LESSON)
    opened(page)
    for words in ("it is", "Two clocks", "To take away", "Your intuition", "Download"):
        assert page.get_by_text(words).count() == 0
    field, told = page.get_by_label("Your number in tokens/s"), page.locator(".mls-fault")
    for typed, words in (("", "a wrong guess teaches more"), ("4,5", "with a decimal point")):
        field.fill(typed)
        field.press("Enter")
        told.get_by_text(words).wait_for()
        assert page.evaluate("document.activeElement.name") == "value"
    assert page.get_by_role("radio", checked=True).count() == 0
    assert page.get_by_role("button", name="Commit").count() == 1


def test_a_commitment_is_final_survives_a_reload_and_folds(visit):
    page = visit(LESSON)
    opened(page)
    commit(page, FIRST)
    page.get_by_text("You said 60,000 tokens/s; it is 219 tokens/s.").first.wait_for()
    commit(page, SECOND)
    page.reload()
    mark(page, "00.2").wait_for()
    assert page.locator(FORM).count() == 1  # the next question's: no answer can be sent again
    assert page.get_by_role("radio", name=SECOND["value"], exact=True).count() == 0
    third = {"question": "00.3", "value": 9360}
    commit(page, third)
    open_ = "all => all.map(each => each.open)"
    assert page.locator("details.mls-more").evaluate_all(open_) == [False, True]


def test_two_tabs_agree_on_the_answer_that_came_first(visit):
    one, other = visit(LESSON), visit(LESSON)
    opened(one)
    opened(other)
    commit(one, FIRST)
    commit(other, {"question": "00.1", "value": 219})
    other.get_by_text("You said 60,000 tokens/s").first.wait_for()


def test_slides_turn_by_keys(visit):
    page = visit(LESSON + "?slides")
    opened(page)
    commit(page, FIRST)
    size = page.evaluate(
        "parseFloat(getComputedStyle(document.querySelector('.mls-asked')).fontSize)"
    )
    assert size >= 22
    page.evaluate("document.activeElement.blur()")
    places = "document.querySelector('.mls-head').getBoundingClientRect().top"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(1500)
    before = page.evaluate(places)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(1500)
    assert page.evaluate(places) < before


def test_text_is_large_enough_to_read(visit):
    page = visit(LESSON, width=390)
    opened(page)
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('.mls-head *, .mls-ask *, .markdown *')]
            .filter(each => each.children.length === 0 && each.textContent.trim())
            .map(each => parseFloat(getComputedStyle(each).fontSize))"""
    )
    assert min(sizes) >= 16
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_whole_journal_can_be_taken_home_at_the_end(visit, tmp_path):
    from mlsysim.learn.rehearse import rehearse, run
    from tests.browser.walk import answers

    page = visit(LESSON)
    opened(page)
    for answer in answers(run("00_hello_roofline", rehearse("00_hello_roofline", tmp_path))):
        commit(page, answer)
    with page.expect_download() as download:
        page.get_by_text("Download my journal").first.click()
    assert download.value.path().read_text().count('"question"') == 6
    page.get_by_role("link", name="the exercise").click()
    page.get_by_role("heading", name="Exercise 0").wait_for()
