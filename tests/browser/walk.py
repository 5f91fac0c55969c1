"""What a learner does on a page."""

from __future__ import annotations

CHART = "canvas.marks, svg.marks"


def chart(page, at_least: int = 1) -> None:
    """Wait until that many charts are drawn."""
    page.locator(CHART).nth(at_least - 1).wait_for(timeout=20_000)


def commit(page, answer: str | float) -> None:
    """Answer the one open question."""
    if isinstance(answer, str):
        page.get_by_role("radio", name=answer, exact=True).first.click()
    else:
        page.get_by_placeholder("a number").fill(str(answer))
    page.get_by_role("button", name="Commit").click()


def committed(page, count: int) -> None:
    """Wait until that many commitments are shown."""
    cards = page.get_by_text("You predicted:")
    cards.nth(count - 1).wait_for(timeout=20_000)
    assert cards.count() == count
