"""Every truth, slip and alternative of one variant of each exercise, worked out on paper.

Registry values are written as the data sheet has them; `known` is what the checks say instead.
"""

from __future__ import annotations

from typing import Any

from grading.check import load
from grading.code import Function
from grading.kinds import Mark, Sentence, Spec
from mlsysim.course.sheet import Answer


def variant(stem: str, **fields: Any) -> Any:
    """The sample's variant of an exercise, with other numbers."""
    assigned = load(stem).assignment
    return assigned.variant({**assigned.sample, **fields})


def judged(stem: str, name: str, answer: Any, **fields: Any) -> Mark:
    """The mark of an answer: of a specification's text, for one."""
    return load(stem).questions[name].answered(Answer(value=answer), variant(stem, **fields))[1]


def known(stem: str, name: str, **fields: Any) -> dict[str, Any]:
    """What the check of a question knows: the truth as "", slips and alternatives by name.

    A slip that the variant cannot have is left out.
    """
    question, v = load(stem).questions[name], variant(stem, **fields)
    assert not isinstance(question, (Function, Spec, Sentence)), "see `called`, or judge an answer"
    named = {**question.check.accept, **question.check.misconceptions}
    values = {"": question.expected(v), **{n: question.plain(f(v)) for n, f in named.items()}}
    return {n: value for n, value in values.items() if value is not None}


def called(stem: str, name: str, arguments: tuple[Any, ...], **fields: Any) -> dict[str, Any]:
    """What the function that a question asks for returns, and those that slips would write."""
    check, v = load(stem).questions[name].check, variant(stem, **fields)
    named = {"": check.truth, **check.accept, **check.misconceptions}
    return {n: f(v)(*arguments) for n, f in named.items() if f(v) is not None}


def followed(stem: str, name: str, own: Any, **fields: Any) -> Any:
    """What is right for a learner who found `own` in the part that a question follows."""
    question = load(stem).questions[name]
    assert question.check.follow is not None, f"{name} follows nothing"
    return question.plain(question.check.follow(variant(stem, **fields), own))


def drawn(stem: str, axis: str, which: int) -> dict[str, Any]:
    """Fields that are drawn together: those of the first drawing of an axis are 0."""
    return dict(zip(axis.split(), load(stem).assignment.axes[axis][which], strict=True))
