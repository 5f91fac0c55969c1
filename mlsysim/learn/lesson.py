"""What every lesson begins and ends with."""

from __future__ import annotations

from pathlib import Path

import marimo as mo

from mlsysim.course.journal import Journal
from mlsysim.course.lessons import find_lesson

SERVED = "mlsysim-learn"  # the mark of a request that came through `mlsysim learn`


def head(stem: str) -> mo.Html:
    """Title, question, and how the lesson works."""
    lesson = find_lesson(stem)
    return mo.md(
        f"# {lesson.number} · {lesson.title}\n\n"
        f"## *{lesson.question}*\n\n"
        f"{lesson.minutes} minutes · {len(lesson.predictions)} predictions · no GPU needed. "
        "You commit to each prediction before the solver's answer opens. "
        "Being wrong here is the point: "
        "the numbers that surprise you are the ones you will remember."
    )


def tail(stem: str, journal: Journal) -> mo.Html:
    """Take the journal home, and what comes next."""
    lesson = find_lesson(stem)
    done = sum(question in journal for question in lesson.questions)
    save = mo.download(
        data=lambda: journal.path.read_bytes() if journal.path.exists() else b"",
        filename="journal.jsonl",
        mimetype="application/jsonl",
        label="Download my journal",
    )
    return mo.vstack(
        [
            mo.md(
                f"**{done} of {len(lesson.questions)} predictions committed.** They are kept in "
                f"`{_short(journal.path)}`, and stay there when you reload or come back tomorrow."
            ),
            save,
            mo.md(f"**Now you:** {_next(stem)}"),
        ],
        gap=0.75,
    )


def _next(stem: str) -> str:
    """The way to the exercise: a link where `mlsysim learn` serves both, else the command."""
    request = mo.app_meta().request
    if request is not None and SERVED in request.meta:
        return (
            f"[the exercise](/exercise/{stem}/) has numbers of your own. "
            "Or go back to [all lessons](/)."
        )
    return f"the exercise has numbers of your own: `mlsysim learn {stem[:2]} --exercise` opens it."


def _short(path: Path) -> str:
    """A path as its owner would say it."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else path.name
