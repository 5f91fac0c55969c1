"""Every lesson in a real browser, from its first question to its end: on a laptop and a phone."""

from __future__ import annotations

import pytest

from mlsysim.course import lessons as course
from mlsysim.course.journal import Journal
from tests.browser.walk import CHART, chart, commit, committed
from tests.notebooks import answered_journal

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("stem", course.stems())
def test_a_lesson_is_walked_from_its_first_question_to_its_end(visit, keep, tmp_path, stem, width):
    answers = Journal(answered_journal(stem, tmp_path)).rows()
    page = visit(f"{stem}/", width=width)
    for number, answer in enumerate(answers, start=1):
        commit(page, answer.value)
        committed(page, number)
    page.get_by_text(f"{len(answers)} of {len(answers)} predictions committed.").wait_for()
    page.reload()
    committed(page, len(answers))
    chart(page)
    slider = page.get_by_role("slider")
    for at in range(slider.count()):
        slider.nth(at).focus()
        slider.nth(at).press("ArrowRight")
    page.wait_for_timeout(800)
    keep(page, f"{stem}_{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for drawing in page.locator(CHART).all():
        box = drawing.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert (page.outside, page.faults) == ([], [])
    page.goto(page.url.replace(f"/{stem}/", f"/exercise/{stem}/"))
    page.get_by_role("heading", name=f"Exercise {int(stem[:2])}").wait_for(timeout=20_000)
    assert (page.outside, page.faults) == ([], [])
