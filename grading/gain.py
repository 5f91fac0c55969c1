"""What a class learned between the two sittings of the concept inventory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mlsysim.core.errors import BadArgument
from mlsysim.course.concepts import CODES
from mlsysim.course.inventory import Sat
from mlsysim.course.lines import Lines
from mlsysim.course.quiz import ITEMS

_ENDING = ".quiz.jsonl"


def sittings(place: Path, sitting: int) -> dict[str, dict[str, Sat]]:
    """Every learner's answers of one sitting, by item: the first counts, judged anew.

    A learner is a folder, or a file's name before the first point.
    """
    files = sorted(place.rglob(f"*{_ENDING}")) if place.is_dir() else [place]
    files = [path for path in files if path.is_file()]
    if not files:
        raise BadArgument("the sittings", str(place), f"give a file or folder of *{_ENDING}")
    found: dict[str, dict[str, Sat]] = {}
    for path in files:
        inside = path.relative_to(place).parts if place.is_dir() else (path.name,)
        who = inside[0].partition(".")[0]
        answers = {}
        for each in Lines(path).values(Sat):
            item = _ITEMS.get(each.item)
            if item and each.sitting == sitting and each.variant in ("a", "b"):
                right = item.ask(each.variant).right(each.answer)
                answers.setdefault(each.item, each.replace(right=right))
        if len(answers) == len(ITEMS):
            found[who] = answers
    return found


def gain(before: Path, after: Path) -> Iterator[str]:
    """The report, line by line: the class, then each item.

    The gain is Hake's: what was learned, as a part of what there was to learn.
    """
    first, last = sittings(before, 1), sittings(after, 2)
    both = sorted(first.keys() & last.keys())
    if not both:
        raise BadArgument("the sittings", f"{before}, {after}", "nobody has finished both")
    total = len(both) * len(ITEMS)
    pre, post = (
        sum(each.right for who in both for each in held[who].values()) for held in (first, last)
    )
    learned = f"{(post - pre) / (total - pre):.2f}" if pre < total else "none was left"
    yield (
        f"{len(both)} learners sat both; {len(first) - len(both)} only the first, "
        f"{len(last) - len(both)} only the second"
    )
    yield f"right before: {pre / total:.0%}, after: {post / total:.0%}, gain: {learned}"
    for item in ITEMS:
        was = sum(first[who][item.name].right for who in both)
        now = sum(last[who][item.name].right for who in both)
        wrong = Counter(last[who][item.name].code for who in both if last[who][item.name].code)
        slip = f"  {CODES.get(wrong.most_common(1)[0][0], '')}" if wrong else ""
        title = (item.make.__doc__ or "").strip().rstrip(".")
        yield f"  {title:<40} {was / len(both):>4.0%} -> {now / len(both):>4.0%}{slip}"


_ITEMS = {item.name: item for item in ITEMS}
