"""What changed since an earlier report."""

from __future__ import annotations

from grading.report import differences


def report(**scores):
    return {"students": [{"student": who, "score": score} for who, score in scores.items()]}


def test_each_sheet_is_told_once_as_changed_new_or_gone():
    before, after = report(a=1.0, b=2.0, c=3.0), report(a=1.0, b=2.5, d=4.0)
    assert differences(before, after) == ["b: 2 -> 2.5", "d: new, 4", "c: no longer graded, was 3"]


def test_a_first_report_differs_from_nothing():
    assert differences(None, report(a=1.0)) == []
