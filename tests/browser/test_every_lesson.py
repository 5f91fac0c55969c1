"""Every lesson in a real browser, by keyboard, from its first question to its end."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from mlsysim.course import lessons as course
from mlsysim.learn.rehearse import rehearse, run
from tests.browser.walk import CHART, FORM, answers, chart, commit, mark, opened

pytestmark = pytest.mark.browser
FIRST, *LATER = course.stems()


@pytest.mark.parametrize(
    ("stem", "look"),
    [
        (FIRST, {"width": 1280}),
        *(pytest.param(stem, {"width": 1280}, marks=pytest.mark.slow) for stem in LATER),
        *(
            pytest.param(stem, look, marks=pytest.mark.slow)
            for stem in course.stems()
            for look in ({"width": 390}, {"scheme": "dark"}, {"slides": True})
        ),
    ],
)
def test_a_lesson_is_walked_from_its_first_question_to_its_end(visit, keep, tmp_path, stem, look):
    given = answers(run(stem, rehearse(stem, tmp_path)))
    slides = look.get("slides", False)
    page = visit(
        f"{stem}/{'?slides' * slides}",
        width=look.get("width", 1280),
        scheme=look.get("scheme", "light"),
    )
    opened(page)
    for answer in given:
        commit(page, answer)
        assert page.evaluate("document.activeElement.dataset.mark") == answer["question"]
        said = mark(page, answer["question"]).locator(".mls-mark > div").all_inner_texts()
        assert page.locator("#mls-live").inner_text().split() == " ".join(said).split()
    page.get_by_text(f"All {len(given)} predictions are committed").wait_for()
    assert page.locator(FORM).count() == 0
    page.reload()
    mark(page, given[-1]["question"]).wait_for()
    assert page.locator("[data-mark]").count() == len(given)
    chart(page)
    slider = page.get_by_role("slider")
    for at in range(slider.count()):
        before = slider.nth(at).get_attribute("aria-valuenow")
        slider.nth(at).press("ArrowRight")
        assert slider.nth(at).get_attribute("aria-valuenow") != before
    page.locator("h1").click()  # marimo's own bubble over a slider goes
    page.wait_for_timeout(800)
    name = "_".join([stem, *(f"{key}_{value}" for key, value in look.items())])
    keep(page, name)
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for drawing in page.locator(CHART).all():
        if box := drawing.bounding_box():
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
    assert (page.outside, page.faults) == ([], [])
    found = Axe().run(page)
    faults = found.response["violations"]
    assert [(each["id"], [n["target"] for n in each["nodes"]]) for each in faults] == []
