"""What a class has learned: whose sittings count, and what is told of each item."""

from __future__ import annotations

import pytest

from grading.gain import gain, sittings
from mlsysim.core.errors import BadArgument
from mlsysim.course.concepts import CODES
from mlsysim.course.inventory import Sat
from mlsysim.course.quiz import ITEMS


def answered(path, sitting, *, right=12, code="", more=(), items=ITEMS, variant="a"):
    """A sitting whose first items are right, though its lines claim that all are."""
    lines = []
    for number, item in enumerate(items):
        ask = item.ask(variant)
        wrong = next(option for option in ask.options if not ask.right(option))
        said = ask.truth if number < right else wrong
        slip = {"code": "" if number < right else code}
        lines.append(Sat(item=item.name, sitting=sitting, variant=variant, answer=str(said),
                         right=True, **slip))  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{each.model_dump_json()}\n" for each in [*lines, *more]))


def test_a_sitting_counts_when_every_item_of_it_was_answered(tmp_path):
    first = ITEMS[0]
    truth = str(first.ask("b").truth)
    again = [  # each of them would make the first item right
        Sat(item=first.name, sitting=1, variant="b", answer=truth, right=True),
        Sat(item="no item", sitting=1, variant="a", answer="x", right=True),
    ]
    answered(tmp_path / "ada.old" / "deep" / "x.quiz.jsonl", 1, right=0, more=again)
    answered(tmp_path / "bob.2.quiz.jsonl", 1, right=3, variant="b")
    answered(tmp_path / "cleo.quiz.jsonl", 1, items=ITEMS[:-1])
    answered(tmp_path / "dan.quiz.jsonl", 2)
    odd = Sat(item=ITEMS[-1].name, sitting=1, variant="c", answer="x", right=True)
    answered(tmp_path / "eve.quiz.jsonl", 1, items=ITEMS[:-1], more=[odd])
    (tmp_path / "notes.jsonl").write_text("x")
    (tmp_path / "folder.quiz.jsonl").mkdir()
    held = sittings(tmp_path, 1)
    assert {who: sum(each.right for each in of.values()) for who, of in held.items()} == {
        "ada": 0,
        "bob": 3,
    }
    assert [*sittings(tmp_path, 2)] == ["dan"]
    assert [*sittings(tmp_path / "bob.2.quiz.jsonl", 1)] == ["bob"]


def test_the_gain_is_told_by_item_with_the_commonest_slip(tmp_path, monkeypatch):
    before, after = tmp_path / "before", tmp_path / "after"
    ends = [("ada", 2, 7, "peak-rules"), ("bob", 5, 8, "peak-rules"), ("cleo", 5, 12, "middle")]
    for who, one, other, code in ends:
        answered(before / f"{who}.quiz.jsonl", 1, right=one, code="nothing-moves")
        answered(after / f"{who}.quiz.jsonl", 2, right=other, code=code)
    answered(after / "dan.quiz.jsonl", 2)
    assert len(ITEMS) == 12
    title, *rest = gain(before, after)
    assert title == "3 learners sat both; 0 only the first, 1 only the second"
    # 12 of 36 before and 27 of 36 after: 15 of 24 were learned
    assert rest[0] == "right before: 33%, after: 75%, gain: 0.62"
    titles = [" ".join(item.make.__doc__.split("\n")[0].split())[:-1] for item in ITEMS]
    shares = [(100, 100)] * 2 + [(67, 100)] * 3 + [(0, 100)] * 2 + [(0, 67)] + [(0, 33)] * 4
    slips = [""] * 7 + [f"  {CODES['peak-rules']}"] * 5
    assert rest[1:] == [
        f"  {each:<40} {f'{was}%':>4} -> {f'{now}%':>4}{slip}"
        for each, (was, now), slip in zip(titles, shares, slips, strict=True)
    ]
    answered(before / "ada.quiz.jsonl", 1)
    (before / "bob.quiz.jsonl").unlink()
    (before / "cleo.quiz.jsonl").unlink()
    assert [*gain(before, after)][1] == "right before: 100%, after: 58%, gain: none was left"
    (after / "ada.quiz.jsonl").unlink()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadArgument) as told:
        [*gain(before, after)]
    assert str(told.value).endswith(": nobody has finished both.")
    with pytest.raises(BadArgument, match=r"^the sittings cannot be .*: give a file or folder of "):
        sittings(tmp_path / "none", 1)
