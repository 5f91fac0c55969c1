"""The gallery and the pages beside it in a real browser: by keyboard, on a phone, in the dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = pytest.mark.browser

PAGES = {
    "gallery": "",
    "path": "?path=conference",
    "missing": "no/such/page",
    "quiz": "quiz",
    "review": "review",
    "cheatsheet": "cheatsheet",
}


def faults(page):
    """What axe finds on a page."""
    found = Axe().run(page).response["violations"]
    return [(each["id"], [node["html"][:100] for node in each["nodes"]]) for each in found]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_screen_and_axe_finds_nothing_by_day_and_by_night(visit, keep, name):
    for width, scheme in ((1280, "light"), (390, "light"), (1280, "dark")):
        page = visit("", width=width)
        page.emulate_media(color_scheme=scheme)
        page.goto(page.url + PAGES[name])
        keep(page, f"{name}_{width}_{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert faults(page) == []
        # of a page that is missing a browser itself reports the 404
        told = [fault for fault in page.faults if not (name == "missing" and "404" in fault)]
        assert (page.outside, told) == ([], [])
        if name == "cheatsheet":  # small print is small
            continue
        sizes = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.innerText)"
            ".map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 15  # code is a little smaller than the 16 px of what is around it


def test_a_lesson_is_found_and_begun_by_keyboard(visit):
    page = visit("")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("roofline")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?words=roofline&level=")
    assert page.get_by_role("article").count() == 1
    page.get_by_role("link", name="Start lesson 0").press("Enter")
    page.wait_for_url("**/00_hello_roofline/")
    page.get_by_role("button", name="Commit").first.wait_for()


def test_the_quiz_is_answered_by_keyboard(visit, keep):
    page = visit("quiz")
    page.get_by_role("heading", name="Quiz").wait_for()
    page.keyboard.press("Space")  # the first option has the focus
    for _ in range(2):  # on to how sure one is, which nothing preselects
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "sure":
            break
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.get_by_text("Question 2 of 12").wait_for()
    page.get_by_role("button", name="Answer").click()
    page.get_by_role("alert").wait_for()
    keep(page, "quiz_fault")
    assert faults(page) == []
    assert (page.outside, page.faults) == ([], [])


def test_on_paper_the_cheat_sheet_is_as_wide_as_its_page(visit, keep):
    page = visit("cheatsheet", width=733)  # 210 mm less two margins of 8
    page.emulate_media(media="print")
    keep(page, "cheatsheet_print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 733
