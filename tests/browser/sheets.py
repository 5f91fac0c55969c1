"""`python -m tests.browser.sheets [STEM ...]`: what lessons look like, for a person to look at.

Each lesson at its start, after its middle question, and at its end, on a laptop, a phone, in the
dark and as slides: `screenshots/STEM/` has the pictures, `screenshots/index.html` shows them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from mlsysim.course import lessons as course
from mlsysim.learn.rehearse import rehearse, run
from tests.browser.conftest import FLAGS, SCREENSHOTS, chromium, served
from tests.browser.walk import answers, commit, opened

LOOKS = {
    "1280": {"width": 1280},
    "390": {"width": 390},
    "dark": {"width": 1280, "scheme": "dark"},
    "slides": {"width": 1280, "slides": True},
}
PATIENCE = 180_000  # milliseconds: a busy machine draws slowly
TALLEST = 12_000  # pixels of a page that a picture takes


def shoot(stem: str, browser: object) -> None:
    """Take the pictures of one lesson."""
    with tempfile.TemporaryDirectory() as folder:
        given = answers(run(stem, rehearse(stem, Path(folder))))
    (SCREENSHOTS / stem).mkdir(parents=True, exist_ok=True)
    for name, look in LOOKS.items():
        with tempfile.TemporaryDirectory() as home, served(Path(home)) as url:
            size = {"width": look["width"], "height": 900}
            page = browser.new_page(viewport=size, color_scheme=look.get("scheme", "light"))
            page.set_default_timeout(PATIENCE)
            page.goto(f"{url}{stem}/{'?slides' * look.get('slides', False)}")
            opened(page)
            _keep(page, stem, f"{name}_start")
            for at, answer in enumerate(given, start=1):
                commit(page, answer)
                if at == (len(given) + 1) // 2:
                    page.wait_for_timeout(1500)
                    _keep(page, stem, f"{name}_mid")
            page.get_by_text("predictions are committed").wait_for()
            page.locator("details.mls-more").evaluate_all("all => all.forEach(e => e.open = true)")
            tall = page.evaluate("document.querySelector('#App').scrollHeight")
            page.set_viewport_size({**size, "height": min(tall + 40, TALLEST)})
            page.wait_for_timeout(2500)
            _keep(page, stem, f"{name}_end")
            page.close()


def _keep(page: object, stem: str, name: str) -> None:
    page.screenshot(path=str(SCREENSHOTS / stem / f"{name}.png"))


def index(folder: Path) -> Path:
    """The page that shows all pictures below a folder, a lesson a row."""
    rows = []
    for lesson in sorted(path for path in folder.iterdir() if path.is_dir()):
        shots = "".join(
            f'<a href="{lesson.name}/{shot.name}"><img src="{lesson.name}/{shot.name}" '
            f'alt="{shot.stem}" width="300"></a>'
            for shot in sorted(lesson.glob("*.png"))
        )
        rows.append(f"<h2>{lesson.name}</h2>{shots}")
    page = folder / "index.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{''.join(rows)}", encoding="utf-8")
    return page


if __name__ == "__main__":
    with sync_playwright() as playwright:
        opened_browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for chosen in sys.argv[1:] or course.stems():
            shoot(chosen, opened_browser)
    sys.stdout.write(f"{index(SCREENSHOTS)}\n")
