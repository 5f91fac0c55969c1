"""The pages of `mlsysim learn --review` and `--quiz`: a question, what became of it, the end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from mlsysim import pages
from mlsysim.core.errors import BadArgument, ended
from mlsysim.course import calibration, inventory, review
from mlsysim.course.concepts import CODES, UNKNOWN, Ask, two
from mlsysim.course.inventory import SITTINGS, Inventory
from mlsysim.course.journal import Journal
from mlsysim.course.paths import plan
from mlsysim.course.quiz import ITEMS
from mlsysim.course.review import MOST, Review

Fields = Mapping[str, str]


class Reply(NamedTuple):
    """A page and its status; `to` is the address to go to instead."""

    body: str
    status: int = 200
    to: str = ""


def review_reply(fields: Fields, *, posted: bool) -> Reply:
    """The page of a review, or of what was answered on one."""
    held = Review(Journal())
    sitting = fields.get("s") or review.stamp(held.now)
    if posted:
        return _reviewed(held, sitting, fields)
    given = held.of(sitting)
    if given and "said" in fields:
        return Reply(_review_said(held, given))
    return _review_next(held, sitting)


def _review_next(held: Review, sitting: str, fault: str = "", typed: str = "") -> Reply:
    state = held.next(sitting)
    if state is None:
        return Reply(_review_end(held, sitting))
    given = held.of(sitting)
    asked = _ask(held.ask(state), fault, typed)
    hidden = {"s": sitting, "card": state.card.name, "count": len(state.answers)}
    page = {"kind": "ask", "title": "Review", "hidden": hidden, "action": "/review", **asked}
    place = f"Question {len(given) + 1}, of {MOST} at most"
    return Reply(pages.render("sitting.html", **page, place=place, lead="", notice=_notice(held)))


def _reviewed(held: Review, sitting: str, fields: Fields) -> Reply:
    state = held.next(sitting)
    there = f"/review?s={quote(sitting)}"
    if state is None or fields.get("card") != state.card.name:
        return Reply("", 303, there)  # sent twice, or from a page that was left open
    fault = _missing(fields)
    if not fault:
        try:
            held.answer(state, fields["answer"], fields["sure"], sitting)
        except BadArgument as error:
            fault = ended(str(error))
    if fault:
        return _review_next(held, sitting, fault, fields.get("answer", ""))
    return Reply("", 303, f"{there}&said=1")


def _review_said(held: Review, given: list[review.Reviewed]) -> str:
    done = given[-1]
    state = next(each for each in held.states if each.card.name == done.card)
    ask = held.ask(state._replace(answers=state.answers[: done.count]))
    before = review.seen_before(state.answers, done)
    slip = f"So says who thinks {CODES[done.code]}." if done.code in CODES else ""
    if slip and before:
        slip += f" On {before:%d %B} you thought the same."
    if not done.right and (done.confidence or 0) >= calibration.CERTAIN:
        slip += " You were certain: this is one to remember, and it comes again tomorrow."
    return pages.render(
        "sitting.html",
        kind="said",
        title="Right" if done.right else "Not so",
        right=done.right,
        text=ask.text,
        said=_spell(ask, done.answer),
        truth=_spell(ask, ask.truth),
        why=ask.why,
        slip=slip.strip(),
        lesson=plan()[state.card.lesson],
        onward=f"/review?s={quote(done.sitting)}",
        notice=_notice(held),
    )


def _review_end(held: Review, sitting: str) -> str:
    given = held.of(sitting)
    right, again = review.held(given)
    lines = []
    if given:
        lines.append(f"{len(given)} asked, {right} right.")
    if again:
        lines.append(f"To see again: {', '.join(name.replace('-', ' ') for name in again)}.")
    judged = [each.judged for each in held.answers]
    for told in (calibration.luck(judged), calibration.confidence(judged)):
        if told:
            lines.append(f"Over all reviews: {told}.")
    if not held.states:
        lines.append("A review asks about lessons that are finished, and there is none yet.")
    elif held.due:
        lines.append("More is due; it can wait for the next two minutes.")
    elif held.next_due:
        lines.append(f"Nothing more is due before {_day(held.next_due, held.now)}.")
    more = "/review" if held.due and given else ""
    title = "That was it" if given else "Nothing is due"
    page = {"kind": "end", "title": title, "lines": lines, "rows": [], "more": more}
    return pages.render("sitting.html", **page, verb="Two minutes more", notice=_notice(held))


def quiz_reply(fields: Fields, *, posted: bool) -> Reply:
    """The page of the concept inventory, or of an answer to one of its items."""
    held = Inventory(Journal())
    sitting = 2 if held.done(1) and (held.of(2) or fields.get("sitting") == "2") else 1
    item = held.next(sitting)
    if posted:
        there = f"/quiz?sitting={sitting}"
        if item is None or fields.get("item") != item.name:
            return Reply("", 303, there)
        fault = "" if fields.get("answer") == UNKNOWN else _missing(fields)
        if not fault:
            try:
                held.answer(item, sitting, fields["answer"], fields.get("sure", ""))
            except BadArgument as error:
                fault = ended(str(error))
        if not fault:
            return Reply("", 303, there)
        return Reply(_quiz_ask(held, sitting, fault, fields.get("answer", "")))
    return Reply(_quiz_ask(held, sitting) if item else _quiz_end(held))


def _quiz_ask(held: Inventory, sitting: int, fault: str = "", typed: str = "") -> str:
    item = held.next(sitting)
    assert item is not None
    asked = _ask(held.ask(item, sitting), fault, typed)
    asked["options"] = [*asked["options"], UNKNOWN]
    done = len(held.of(sitting))
    lead = ""
    if not done:
        lead = (
            "Twelve questions, about a minute each, before the course and again after it. This "
            "time there are no verdicts: they would teach. Not to know is an honest answer."
            if sitting == 1
            else "The same twelve ideas with other numbers. At the end you see both sittings."
        )
    return pages.render(
        "sitting.html",
        kind="ask",
        title="Quiz",
        hidden={"item": item.name, "sitting": sitting},
        action="/quiz",
        place=f"Question {done + 1} of {len(ITEMS)}",
        lead=lead,
        notice=held.lines.fault,
        **asked,
    )


def _quiz_end(held: Inventory) -> str:
    if not held.done(SITTINGS[-1]):
        lines = [
            f"All {len(ITEMS)} answers are kept. Sit the quiz again after the course: the same "
            "ideas with other numbers, and then you see what you gained."
        ]
        page = {"title": "Thank you", "lines": lines, "rows": [], "more": "/quiz?sitting=2"}
        verb = "I have done the course: sit it again"
        return pages.render("sitting.html", kind="end", **page, verb=verb, notice=held.lines.fault)
    rows = held.report()
    before, after = (inventory.told(held.of(sitting)) for sitting in SITTINGS)
    lines = [f"Before: {before}.", f"After: {after}."]
    for name, sitting in (("Before", 1), ("After", 2)):
        judged = [each.judged for each in held.of(sitting)]
        if sure := calibration.confidence(judged):
            lines.append(f"{name}, you were {sure}.")
    shown = [
        {
            "title": (row.item.make.__doc__ or "").strip().rstrip("."),
            "outcome": row.outcome,
            "text": row.ask.text,
            "truth": _spell(row.ask, row.ask.truth),
            "said": row.after.answer,
            "right": row.after.right,
            "why": row.ask.why,
            "slip": CODES.get(row.after.code, ""),
            "lesson": plan()[row.item.lesson],
        }
        for row in rows
    ]
    page = {"title": "Before and after", "lines": lines, "rows": shown, "more": "", "verb": ""}
    return pages.render("sitting.html", kind="end", **page, notice=held.lines.fault)


def _ask(ask: Ask, fault: str, typed: str) -> dict[str, Any]:
    sure = list(calibration.CONFIDENCE)
    return {
        **ask._asdict(),
        "options": list(ask.options),
        "sure": sure,
        "fault": fault,
        "typed": typed,
    }


def _missing(fields: Fields) -> str:
    if not fields.get("answer", "").strip():
        return "Answer first; a wrong answer teaches more than none."
    if fields.get("sure") not in calibration.CONFIDENCE:
        return "Say how sure you are."
    return ""


def _spell(ask: Ask, value: str | float) -> str:
    """An answer in words."""
    return value if isinstance(value, str) else f"{two(float(value))} {ask.unit}".strip()


def _day(time: dt.datetime, now: dt.datetime) -> str:
    days = (time.date() - now.date()).days
    if days < 1:
        return f"{time:%H:%M} UTC"
    return "tomorrow" if days == 1 else f"{time:%d %B}"


def _notice(held: Review) -> str:
    fault = held.lines.fault
    return f"{held.lines.path} cannot be written ({fault})." if fault else held.journal.notice
