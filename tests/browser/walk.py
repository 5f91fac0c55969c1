"""What a learner does on a page."""

from __future__ import annotations

from typing import Any

from mlsysim.learn.predict import BECAUSE, CAUSE
from mlsysim.learn.rehearse import Ran

CHART = "canvas.marks, svg.marks"
FORM = "form.mls-ask"


def chart(page, at_least: int = 1) -> None:
    """Wait until that many charts are drawn where they can be seen."""
    page.locator(CHART).filter(visible=True).nth(at_least - 1).wait_for()


def opened(page) -> None:
    """Wait until the page asks."""
    page.locator(FORM).first.wait_for()


def answers(ran: Ran) -> list[dict[str, Any]]:
    """What a rehearsal answered to each question, as a browser types it."""
    kept = ran.journal.get
    return [
        {
            "question": each.question,
            "value": each.guess(),
            "cause": kept(each.question + CAUSE).value if each.why else None,
            "because": kept(each.question + BECAUSE).value if each.because else None,
        }
        for each in ran.asked
    ]


def commit(page, answer: dict[str, Any]) -> None:
    """Answer a question, by keyboard alone, and wait for its mark."""
    form = page.locator(f"""mlsysim-ask[data-question*='"{answer["question"]}"'] form""")
    form.wait_for()
    value = answer["value"]
    if isinstance(value, list):
        _arrange(form, value)
    elif isinstance(value, str):
        _choose(form, value)
    if answer.get("cause"):
        _choose(form, answer["cause"])
    if answer.get("because"):
        form.locator("[name=because]").press_sequentially(answer["because"])
    if isinstance(value, (int, float)):
        field = form.get_by_placeholder("a number")
        field.press_sequentially(f"{value!r}")
        field.press("Enter")
    else:
        form.get_by_role("button", name="Commit").press("Enter")
    mark(page, answer["question"]).wait_for()


def mark(page, question: str) -> Any:
    """Where a question's mark stands."""
    return page.locator(f'[data-mark="{question}"]')


def _choose(form, option: str) -> None:
    radio = form.get_by_role("radio", name=option, exact=True)
    radio.focus()
    radio.press("Space")


def _arrange(form, order: list[str]) -> None:
    for place, item in enumerate(order):
        while _places(form).index(item) > place:
            form.get_by_role("button", name=f"Move {item} up", exact=True).press("Enter")


def _places(form) -> list[str]:
    return form.locator("[data-item]").evaluate_all("all => all.map(each => each.dataset.item)")
