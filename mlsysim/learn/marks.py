"""How a prediction compares with what the solver says: a mark, and a sentence for it.

Plain functions: no notebook is needed to mark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from mlsysim.course.journal import Record, off_by, times
from mlsysim.course.lessons import ORDER
from mlsysim.learn.say import in_unit, spell

Grade = Literal["right", "near", "far", "wrong", "unread"]
SPOT_ON, CLOSE, FAR = 1.25, 2.0, 10.0
MATCHES = 1.04  # a number this near to a slip's is that slip
CERTAIN = 0.9


class Mark(NamedTuple):
    """A grade, what is said about it, and the name of the slip that was made ("" for none)."""

    grade: Grade
    sentence: str
    slip: str = ""


def mark(
    done: Record, truth: Any, slips: Mapping[str, Any] | None = None, within: float = SPOT_ON
) -> Mark:
    """The mark of a prediction; `slips` are known wrong turns.

    Of a number, a slip's name maps to the number that it gives; of an ordering, to the order; of a
    choice, an option maps to what whoever takes it is told. A slip that matches wins, even over an
    answer that happens to lie near the truth. Raises BadArgument for a truth without its unit.
    """
    slips = slips or {}
    if isinstance(truth, str) or isinstance(done.value, str):
        found = _of_words(str(done.value), truth, slips)
    else:
        found = _of_numbers(done, truth, slips, within)
    if found.grade in ("far", "wrong") and (done.confidence or 0) >= CERTAIN:
        return found._replace(
            sentence=f"{found.sentence} *You were certain: these are the ones worth remembering.*"
        )
    return found


def joined(order: Any) -> str:
    """An ordering as the journal keeps it."""
    return order if isinstance(order, str) else ORDER.join(order)


def _of_words(said: str, truth: Any, slips: Mapping[str, Any]) -> Mark:
    right = joined(truth)
    if not isinstance(truth, str):  # a choice is one word or sentence, with commas or without
        made = next((name for name, order in slips.items() if joined(order) == said), "")
        places = sum(a == b for a, b in zip(said.split(ORDER), right.split(ORDER), strict=False))
        if said == right:
            return Mark("right", f"Right: **{right}**.")
        name = f" That is the order {made}." if made else ""
        where = f"{places} of {len(right.split(ORDER))} in their place"
        return Mark("near" if places else "wrong", f"It is **{right}** ({where}).{name}", made)
    if said == right:
        return Mark("right", f"Right: **{right}**.")
    told = str(slips.get(said, ""))
    return Mark(
        "wrong", f"You said **{said}**; it is **{right}**. {told}".strip(), said * bool(told)
    )


def _of_numbers(done: Record, truth: Any, slips: Mapping[str, Any], within: float) -> Mark:
    guess, right = float(done.value), in_unit(truth, done.unit)
    said = f"You said **{spell(guess, done.unit)}**; it is **{spell(right, done.unit)}**."
    made = next((n for n, v in slips.items() if near(guess, in_unit(v, done.unit), MATCHES)), "")
    name = f" That is the number that you get when {made}." if made else ""
    if not math.isfinite(right):
        words = "there is no such number" if math.isnan(right) else "no number is large enough"
        return Mark("wrong", f"You said **{spell(guess, done.unit)}**; {words}.{name}", made)
    if near(guess, right, within) and not made:
        exact = guess == right or near(guess, right, 1.01)
        return Mark("right", f"{said} {'Exactly' if exact else 'Spot on'}.")
    if guess * right <= 0:
        why = _sides(guess, right)
        return Mark("wrong", f"{said} {why}{name}", made)
    factor = off_by(abs(guess), abs(right))
    side = "high" if guess > right else "low"
    grade: Grade = "near" if factor <= CLOSE else "far" if factor <= FAR else "wrong"
    far = f" Too {side} by a factor of {times(factor)}." if factor > MATCHES else ""
    return Mark(grade, f"{said}{far}{name}", made)


def _sides(guess: float, right: float) -> str:
    """Why no factor lies between two numbers."""
    if right == 0:
        return "Nothing changes at all."
    return "It is not nothing." if guess == 0 else "The other way round: mind the sign."


def near(guess: float, value: float, within: float) -> bool:
    """Whether a guess lies within a factor of a value; of zero only zero does."""
    if guess == value:
        return True
    return guess * value > 0 and off_by(abs(guess), abs(value)) <= within
