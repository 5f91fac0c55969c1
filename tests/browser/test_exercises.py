"""The page of an exercise in a real browser: its forms are filled in, kept, and handed in."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from mlsysim.course import lessons as course

pytestmark = pytest.mark.browser
QUICK = ("03_kv_cache",)


@pytest.mark.parametrize(
    ("stem", "width", "scheme"),
    [
        *(
            pytest.param(stem, 1280, "light", marks=() if stem in QUICK else pytest.mark.slow)
            for stem in course.stems()
        ),
        pytest.param("03_kv_cache", 390, "dark", marks=pytest.mark.slow),
        pytest.param("09_sensitivity", 390, "light", marks=pytest.mark.slow),
    ],
)
def test_an_exercise_is_filled_in_kept_and_handed_in(visit, keep, stem, width, scheme):
    page = visit(f"exercise/{stem}/", width=width, scheme=scheme)
    who = page.get_by_label("Student id")
    who.fill("ada")
    who.press("Enter")
    save = page.get_by_text("Download answers.json", exact=True).last
    save.wait_for()
    total = len(course.assignment(stem).questions)
    none = page.get_by_text(f"0 of {total} answers are complete")
    none.wait_for()
    for kind in ("radio", "checkbox"):
        if page.get_by_role(kind).count():
            page.get_by_role(kind).first.click()
    for field in page.get_by_placeholder("a number").all():
        field.fill("12")
        field.press("Tab")
    code = page.get_by_role("textbox", name="Your code")
    for editor in code.all():
        editor.fill("def answer(): pass")
    none.wait_for(state="detached")
    keep(page, f"exercise_{stem}_{width}_{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faults(page) == []
    page.wait_for_timeout(1000)
    with page.expect_download() as handed:
        save.click()
    answers = json.loads(handed.value.path().read_bytes())["answers"]
    assert answers
    page.reload()
    page.get_by_text("answers are complete").wait_for()
    assert none.count() == 0
    assert (page.outside, page.faults) == ([], [])


def faults(page):
    """What axe finds; the colours of code are those of marimo's editor, and not ours."""
    found = [
        (each["id"], str(node["target"]))
        for each in Axe().run(page).response["violations"]
        for node in each["nodes"]
    ]
    return [each for each in found if each[0] != "color-contrast" or "code-editor" not in each[1]]
