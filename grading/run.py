"""One run over a class: collect, judge, book, report; and what it says on the screen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grading import report as reporting
from grading import sandbox
from grading.book import Book, Gradebook, anonymous, book
from grading.code import NOT_RUN
from grading.collect import collected
from grading.flags import kinds
from grading.judge import LIMIT, Judge, Ledger, Outcome, Refused, Skipped, judge_all
from grading.roster import Roster
from mlsysim.core.errors import BadArgument, MLSysError
from mlsysim.course.variants import PUBLIC_SECRET, clean_id

BAD = 2
LEDGER = "graded.part.jsonl"
_SECRETS = {  # by whether one was given
    True: ("were made with another secret than this one", "give the course's own"),
    False: ("were made with a secret, and none is given", "give --secret-file or $GRADING_SECRET"),
}


def say(line: str = "", *, to_errors: bool = False) -> None:
    """One line to the reader."""
    (sys.stderr if to_errors else sys.stdout).write(line + "\n")


@dataclass(frozen=True)
class Run:
    """What a class is graded with; `passing` is the percentage that everybody should reach."""

    source: Path
    out: Path
    secret: bytes | None = None
    roster: Roster | None = None
    gradebook: Gradebook = field(default_factory=Gradebook)
    jobs: int = 1
    limit: float = LIMIT
    passing: float = 0.0

    def grade(self) -> int:
        """Grade everybody; 1 when somebody stays below `passing`, 2 when a file was refused.

        Raises MLSysError, and leaves the grades that stand, when so many share a flag that the
        class is not to blame.
        """
        judge = Judge(self.secret or PUBLIC_SECRET, self.roster)
        ledger = Ledger(self.out / LEDGER, judge)
        held = self._book(self._judged(judge, ledger))
        if held.alarms:
            raise MLSysError(self._alarm(held))
        before = reporting.earlier(self.out)
        report, names = self._report(held, judge)
        reporting.write(report, self.out, names)
        ledger.done()
        self._tell(report, held)
        for change in reporting.differences(before, report):
            say(f"  {change}")
        say(f"Report: {self.out / 'report.html'}")
        if report["unreadable"]:
            return BAD
        return int(any(reporting.percent(row) < self.passing for row in report["students"]))

    def grade_one(self, student: str) -> int:
        """Show one student's marks and renew that student's page; the report stays as it is."""
        wanted = self.roster and self.roster.find(student)
        key = clean_id(wanted.id if wanted else student)
        judge = Judge(self.secret or PUBLIC_SECRET, self.roster)
        held = self._book(self._judged(judge, None))
        own = tuple(row for row in held.rows if row.of.id == key)
        if not own:
            raise BadArgument("student", student, "no sheet is this student's")
        report, _ = self._report(replace(held, rows=own), judge)
        reporting.write_students(report, self.out)
        for row in report["students"]:
            say(f"{row['file']}: {row['score']:g} of {row['out_of']:g}")
            for name, answer in row["answers"].items():
                say(f"  {name:<4} {answer['points']:g}/{answer['out_of']:g}  {answer['message']}")
            for flag in row["flags"]:
                say(f"  ! {flag['says']}")
            say(f"Page: {self.out / row['page']}")
        return int(any(reporting.percent(row) < self.passing for row in report["students"]))

    def _judged(self, judge: Judge, ledger: Ledger | None) -> list[Outcome]:
        with collected(self.source, self.roster, self.out) as (handed, passed):
            if not handed:
                remedy = f"there are no answer sheets (*.json) in {self.source}"
                raise MLSysError(remedy)
            outcomes = _with_progress(
                len(handed),
                lambda tick: judge_all(
                    handed, judge, ledger, jobs=self.jobs, limit=self.limit, tick=tick
                ),
            )
        return outcomes + [Skipped(name, why) for name, why in passed]

    def _report(self, held: Book, judge: Judge) -> tuple[dict[str, Any], dict[str, str] | None]:
        """The report, and whose each alias in it is, if there are any."""
        names = None
        if self.gradebook.anonymous:
            held, aliases = anonymous(held, judge.secret)
            names = {alias: who for who, alias in aliases.items()}
        return reporting.report_of(held, course_secret=self.secret is not None), names

    def _book(self, outcomes: list[Outcome]) -> Book:
        return book(outcomes, self.roster, self.gradebook)

    def _alarm(self, held: Book) -> str:
        """Why a class is not graded as it stands, what would do, and what stays."""
        said = []
        alarms = sorted(held.alarms.items(), key=lambda each: (-each[1], each[0]))
        for kind, times in alarms:
            fact = kinds()[kind]
            why, remedy = f"say {kind}: {fact.says.format('something else')}", fact.remedy
            if kind == "other-numbers" and times > len(held.rows) / 2:
                why, remedy = _SECRETS[self.secret is not None]
            said.append(f"{times} of {len(held.rows)} sheets {why}: {remedy}")
        kept = f"what stands in {self.out} stays as it is; " * (self.out / "grades.csv").exists()
        accept = f"{kept}where it is meant so, --accept {' '.join(kind for kind, _ in alarms)}"
        return "; ".join([*said, accept])

    def _tell(self, report: dict[str, Any], held: Book) -> None:
        for name, summary in report["assignments"].items():
            away = len(report["missing"].get(name, ()))
            gone = f", {away} missing" if self.roster else ""
            say(
                f"{name}: {summary['students']} graded{gone}, {summary['mean']:.0%} on average, "
                f"{summary['median']:.0%} in the middle"
            )
        look = sum(any(f["severity"] == "look" for f in row["flags"]) for row in report["students"])
        if look:
            say(f"look at {look} of them first: the report says why")
        for name, those in report["missing"].items():
            shown = ", ".join(each["student"] for each in those[:10])
            say(f"missing in {name}: {shown}{', ...' * (len(those) > 10)}")
        if kept := sum(mark.name == NOT_RUN for row in held.rows for mark in row.marks):
            say(f"kept, not run: {kept} functions: {sandbox.why_not()}", to_errors=True)
        for words, files in (("not graded", Refused), ("passed over", Skipped)):
            for each in held.outcomes:
                if isinstance(each, files):
                    say(f"{words}: {each.file}: {each.reason}", to_errors=True)


def _with_progress(
    total: int, work: Callable[[Callable[[int], None]], list[Outcome]]
) -> list[Outcome]:
    if not sys.stderr.isatty():
        return work(lambda _: None)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Grading", total=total)
        return work(lambda done: progress.advance(task, done))
