"""Lesson 00 in a real browser: commit, reveal, reload, explore; on a laptop and on a phone."""

from __future__ import annotations

import time

import pytest

from tests.browser.walk import CHART, chart, commit, committed

pytestmark = pytest.mark.browser

LESSON = "00_hello_roofline/"


def finish(page) -> None:
    """Make all four predictions."""
    for number, answer in enumerate(["compute", 0.03, "memory", 300.0], start=1):
        commit(page, answer)
        committed(page, number)
    page.get_by_role("slider").first.wait_for(timeout=20_000)


def test_the_first_chart_is_there_soon_and_nothing_leaves_the_machine(visit):
    start = time.perf_counter()
    page = visit(LESSON)
    chart(page)
    took = time.perf_counter() - start
    assert took < 20  # the aim is 4 s on an idle laptop; this only catches a page that hangs
    assert (page.outside, page.faults) == ([], [])


def test_nothing_is_revealed_before_the_commitment(visit):
    page = visit(LESSON)
    chart(page)
    for words in ("the solver says", "Why.", "spot on"):
        assert page.get_by_text(words).count() == 0
    page.get_by_role("button", name="Commit").click()  # with nothing chosen
    page.get_by_text("a wrong guess teaches more than no guess").wait_for(timeout=10_000)
    assert page.get_by_role("button", name="Commit").count() == 1


def test_a_commitment_is_final_and_survives_a_reload(visit):
    page = visit(LESSON)
    chart(page)
    commit(page, "compute")
    committed(page, 1)
    page.get_by_text("You said compute; the solver says memory.").wait_for(timeout=10_000)
    # the only form left is the next question's: the first one cannot be sent again
    assert page.get_by_role("radio", name="memory", exact=True).count() == 0
    page.reload()
    chart(page)
    committed(page, 1)
    assert page.get_by_role("radio", name="memory", exact=True).count() == 0


def test_bad_input_is_answered_in_a_sentence(visit):
    page = visit(LESSON)
    chart(page)
    commit(page, "memory")
    committed(page, 1)
    page.get_by_placeholder("a number").fill("4,5 ms")
    page.get_by_role("button", name="Commit").click()
    page.get_by_text("with a decimal point").wait_for(timeout=10_000)


def test_a_slider_moves_the_explorer_and_the_journal_can_be_taken_home(visit, keep):
    page = visit(LESSON, height=1600)
    chart(page)
    finish(page)
    page.get_by_text("At a context of 1 token, compute binds from batch 148 on.").wait_for(
        timeout=20_000
    )
    slider = page.get_by_role("slider").nth(1)
    slider.focus()
    for _ in range(4):
        slider.press("ArrowRight")
    page.get_by_text("no batch is large enough").wait_for(timeout=20_000)
    page.get_by_text("You have been off by a factor of").wait_for(timeout=20_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my journal").or_(
            page.get_by_role("link", name="Download my journal")
        ).first.click()
    text = download.value.path().read_text()
    assert text.count('"question"') == 4
    assert page.faults == []
    page.get_by_role("link", name="the exercise").click()
    page.get_by_role("heading", name="Exercise 0").wait_for(timeout=20_000)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_finished_page_fits_its_screen(visit, keep, width):
    page = visit(LESSON, width=width, height=900)
    chart(page)
    finish(page)
    page.set_viewport_size({"width": width, "height": 8200 if width < 500 else 6600})
    chart(page, at_least=6)
    page.wait_for_timeout(800)
    keep(page, f"lesson_00_{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for drawing in page.locator(CHART).all():
        box = drawing.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_someone_who_stops_half_way_can_take_the_journal_home(visit):
    page = visit(LESSON)
    chart(page)
    commit(page, "memory")
    committed(page, 1)
    page.get_by_text("1 of 4 predictions committed.").wait_for(timeout=20_000)
    with page.expect_download() as download:
        page.get_by_text("Download my journal").first.click()
    assert download.value.path().read_text().count('"question"') == 1
