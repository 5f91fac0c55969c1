"""Every exercise: what its solution earns, what copying and guessing earn, what its checks know.

The cells of solutions and exercises are run as plain functions, so that a class costs solver calls
and no notebooks. A new exercise is found by its facts.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from grading import code
from grading.check import Checks, load
from grading.code import Function
from grading.kinds import Choice, Interval, Kind, Mark, Number, Ordering, Spec
from grading.sandbox import Outcome
from mlsysim.course import lessons as course
from mlsysim.course.sheet import Answer
from mlsysim.course.variants import Variant, code_for
from tests.grading.conftest import unit_of
from tests.notebooks import ROOT

EXERCISED = [stem for stem in course.stems() if course.lesson(stem).assignment]
FEW, MANY = 20, 200
OPEN_HEAD = {"who", "student", "sheet", "document"}  # cells that need a page


@pytest.fixture(scope="module", params=EXERCISED)
def checks(request) -> Checks:
    """The checks of each exercise in turn."""
    return load(request.param)


@pytest.fixture(autouse=True)
def unwalled(monkeypatch):
    """What our own solutions wrote needs no walls, which have tests of their own."""
    monkeypatch.setattr(code, "available", lambda: None)


# ---- learners ------------------------------------------------------------------------------------


class Filled:
    """A sheet as the cells of a notebook see it: it keeps what was answered in code."""

    def __init__(self, checks: Checks, v: Variant) -> None:
        self.variant, self._assigned = v, checks.assignment
        self.sample = self._assigned.variant(self._assigned.sample)
        self.answers: dict[str, Answer] = {}

    def ask(self, name: str, mine: Any = None) -> Answer:
        """Keep an answer as it would be typed."""
        asked = self._assigned.ask(name, self.variant)
        self.answers[name] = Answer() if mine is None else asked.write(mine)
        return self.answers[name]


@cache
def cells(path: Path) -> tuple[dict[str, Any], list[tuple[str, list[str], list[str]]]]:
    """A notebook's names, and its cells that return something: name, what it takes and gives."""
    tree, kept, found = ast.parse(path.read_text(encoding="utf-8")), [], []
    for node in tree.body:
        if isinstance(node, ast.With):
            kept += node.body
        if isinstance(node, ast.FunctionDef):
            last = node.body[-1]
            gives = last.value.elts if isinstance(last, ast.Return) and last.value else []
            if given := [each.id for each in gives]:
                node.name, node.decorator_list = f"cell_{len(found)}", []
                kept.append(node)
                found.append((node.name, [arg.arg for arg in node.args.args], given))
    names: dict[str, Any] = {}
    exec(compile(ast.Module(kept, []), str(path), "exec"), names)
    return names, found


def answers(checks: Checks, v: Variant, folder: str = "solutions") -> dict[str, Answer]:
    """What a notebook answers for a variant."""
    names, found = cells(ROOT / folder / f"{checks.assignment.name}.py")
    sheet = Filled(checks, v)
    known: dict[str, Any] = {"sheet": sheet, "v": v}
    for name, takes, gives in found:
        if not OPEN_HEAD & set(gives):
            known |= zip(gives, names[name](*(known[each] for each in takes)), strict=True)
    return sheet.answers


@cache
def solved(stem: str, n: int) -> tuple[Variant, dict[str, Answer]]:
    """Student n of a class with the solution's answers."""
    held = load(stem)
    v = held.assignment.draw(code_for(f"student {n}", stem))
    return v, answers(held, v)


def drawn(checks: Checks, many: int) -> Iterator[Variant]:
    """The variants of a class."""
    stem = checks.assignment.name
    return (checks.assignment.draw(code_for(f"student {n}", stem)) for n in range(many))


def earned(checks: Checks, v: Variant, given: dict[str, Answer]) -> float:
    """The share of the points of all questions that a sheet earns."""
    marks = marked(checks, v, given)
    return sum(mark.points for mark in marks) / sum(mark.out_of for mark in marks)


def marked(checks: Checks, v: Variant, given: dict[str, Answer]) -> list[Mark]:
    """The marks of a sheet, its functions judged as where code can run."""
    marks = checks.judge(v, given)
    return [
        run(q, given[q.name], v) if isinstance(q, Function) and mark.kind == "kept" else mark
        for q, mark in zip(checks.questions.values(), marks, strict=True)
    ]


def run(q: Function, answer: Answer, v: Variant) -> Mark:
    """What a function of our own solutions earns: it is run here, as no stranger's is."""
    names: dict[str, Any] = {}
    exec(answer.value, names)
    mine = names[q.asked.function]
    return q.judge_outcomes([Outcome(float(mine(**each))) for each in q.inputs(v)], v)


def average(checks: Checks, sheets: list[tuple[Variant, dict[str, Answer]]]) -> float:
    """What sheets earn on average."""
    return sum(earned(checks, *each) for each in sheets) / len(sheets)


def typed(q: Kind, value: Any) -> Answer:
    """A value that a check knows, as a learner writes it."""
    if isinstance(q, Interval):
        return Answer(value=[f"{end:.9g}" for end in value], unit=unit_of(q))
    if isinstance(q, Number):
        return Answer(value=f"{value:.9g}", unit=unit_of(q))
    return Answer(value=value if isinstance(value, str) else sorted(value, key=_place(value)))


def _place(value: Any) -> Any:
    return value.index if isinstance(value, tuple) else str


def judged(checks: Checks, *kinds: type[Kind]) -> list[Kind]:
    """The judged questions of some kinds, or of all but functions and specifications."""
    return [
        q
        for q in checks.questions.values()
        if q.judged and not isinstance(q, (Function, Spec)) and isinstance(q, kinds or Kind)
    ]


# ---- what is earned ------------------------------------------------------------------------------


def test_the_untouched_exercise_and_the_empty_sheet_earn_nothing(checks):
    for v in drawn(checks, 3):
        untouched = answers(checks, v, "exercises")
        assert set(untouched) == set(checks.questions)
        assert earned(checks, v, untouched) == earned(checks, v, {}) == 0


@pytest.mark.parametrize("many", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_the_solution_earns_every_point_whoever_hands_it_in(checks, many):
    for n in range(many):
        v, given = solved(checks.assignment.name, n)
        marks = marked(checks, v, given)
        assert {mark.kind for mark in marks} <= {"right", "kept"}, (n, v, marks)


def test_the_answers_of_the_worked_example_are_worth_little_to_anybody(checks):
    sample = checks.assignment.variant(checks.assignment.sample)
    shown = answers(checks, sample)
    assert earned(checks, sample, shown) == 1
    assert average(checks, [(v, shown) for v in drawn(checks, FEW)]) < 0.3


def test_a_classmates_answers_are_worth_little(checks):
    stem = checks.assignment.name
    sheets = [(solved(stem, n)[0], solved(stem, (n + 1) % FEW)[1]) for n in range(FEW)]
    assert average(checks, sheets) < 0.3


def test_no_sheet_is_worth_much_to_everybody(checks):
    """Of each question the answer that serves a class best, all on one sheet."""
    class_of = list(drawn(checks, 60))
    given = [solved(checks.assignment.name, n)[1] for n in range(FEW)]
    best: dict[str, Answer] = {}
    for q in checks.questions.values():
        tried = {str(each[q.name]): each[q.name] for each in given}
        best[q.name] = max([*tried.values()][:12], key=_worth(q, class_of))
    assert average(checks, [(v, best) for v in class_of]) < 0.3


def _worth(q: Kind, class_of: list[Variant]) -> Any:
    """What an answer is worth to a class; of numbers, how many it is right for."""
    if isinstance(q, Function):
        return lambda answer: sum(run(q, answer, v).points for v in class_of)
    if not isinstance(q, Number):
        some = class_of[:: 4 if isinstance(q, Spec) else 1]  # a specification is read and solved
        return lambda answer: sum(q.answered(answer, v)[1].points for v in some)
    truths = [q.expected(v) for v in class_of]
    return lambda answer: sum(q.close(q.asked.read(answer).number, truth) for truth in truths)


# ---- what the checks know ------------------------------------------------------------------------


def test_it_asks_enough_of_enough_kinds_and_some_code(checks):
    asked = [q for q in checks.questions.values() if q.judged]
    assert len(asked) >= 5
    assert len({type(q) for q in asked}) >= 3
    assert any(isinstance(q, (Function, Spec)) for q in checks.questions.values())


def test_whoever_writes_a_function_reads_how_it_is_called(checks):
    for v in drawn(checks, 1):
        for q in checks.questions.values():
            if isinstance(q, Function):
                asked = checks.assignment.ask(q.name, v)
                assert f"`{asked.signature}`" in asked.text, q.name


def test_every_question_advises_whoever_is_wrong_or_right(checks):
    for q in checks.questions.values():
        if q.judged:
            assert q.hint, q.name
            assert len(q.check.misconceptions) >= (1 if isinstance(q, Choice) else 2), q.name
        for name, wrong in {**q.check.misconceptions, **q.check.accept}.items():
            assert wrong.__doc__, (q.name, name)


@pytest.mark.parametrize("many", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_what_is_accepted_can_be_told_from_every_misconception(checks, many):
    def span(q, value):
        margin = max(q.check.within * abs(value), q.check.slack)
        return value - margin, value + margin

    def overlap(q, one, other):
        ends = zip(
            *((each if isinstance(q, Interval) else [each]) for each in (one, other)), strict=True
        )
        pairs = [(span(q, a), span(q, b)) for a, b in ends]
        return all(a[0] <= b[1] and b[0] <= a[1] for a, b in pairs)

    for v in drawn(checks, many):
        for q in judged(checks, Number):
            accepted = [q.expected(v), *(q.plain(f(v)) for f in q.check.accept.values())]
            for name, wrong in q.check.misconceptions.items():
                value = q.plain(wrong(v))
                for truth in accepted if value is not None else ():
                    assert not overlap(q, value, truth), (v, q.name, name)


def test_every_misconception_is_named_to_somebody(checks):
    for q in judged(checks):
        for name, wrong in q.check.misconceptions.items():
            values = ((v, q.plain(wrong(v))) for v in drawn(checks, 60))
            marks = (q.answered(typed(q, x), v)[1] for v, x in values if x is not None)
            assert any(
                mark.name == name and mark.message.startswith(f"It looks as if you {name}.")
                for mark in marks
            ), (q.name, name)


def test_a_misconceived_function_is_right_for_nobody_and_named_to_somebody(checks):
    for q in checks.questions.values():
        for name, wrong in q.check.misconceptions.items() if isinstance(q, Function) else ():
            marks = [
                q.judge_outcomes([Outcome(float(wrong(v)(**each))) for each in q.inputs(v)], v)
                for v in drawn(checks, 60)
            ]
            assert not any(mark.kind == "right" for mark in marks), (q.name, name)
            assert any(mark.name == name for mark in marks), (q.name, name)


def test_no_hidden_input_turns_on_the_last_digit_of_a_float(checks):
    stem = checks.assignment.name
    # a whole number of users; and "what is exactly at a limit may be chosen", which reads the same
    stated = {("08_nine_million_dollar", "slots"), ("11_design_space", "step")}
    for q in checks.questions.values():
        for v in drawn(checks, 60) if isinstance(q, Function) else ():
            f = q.check.truth(v)
            for row, by in product(q.inputs(v), (-1e-12, 1e-12)):
                for name in (name for name in row if (stem, name) not in stated):
                    moved = f(**{**row, name: row[name] * (1 + by)})
                    assert q.close(moved, f(**row)), (q.name, name, row, moved)


def test_a_class_has_at_least_a_hundred_answers_to_every_number(checks):
    for q in judged(checks, Number):
        truths = {str(q.expected(v)) for v in drawn(checks, MANY)}
        assert len(truths) >= 100, (q.name, len(truths))


def test_an_order_and_a_choice_differ_from_learner_to_learner(checks):
    for q in judged(checks):
        if not isinstance(q, Number):
            truths = [str(q.expected(v)) for v in drawn(checks, 60)]
            most = max(map(truths.count, truths))
            assert most <= (24 if isinstance(q, Ordering) else 40), (q.name, most)
