"""The grader's commands: `python -m grading {grade,check,codes,derive}`."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Callable
from pathlib import Path

from grading import derive as deriving
from grading import report as reporting
from grading import sandbox
from grading.check import load
from grading.code import NOT_RUN
from grading.grade import OTHER_VARIANT, Graded, Outcome, Refused, Skipped, grade_files, shown_path
from grading.reading import UnreadableError, read_sheet, submissions
from mlsysim.core.errors import MLSysError
from mlsysim.course.lessons import assignment
from mlsysim.course.sheet import Answer
from mlsysim.course.variants import PUBLIC_SECRET, clean_id, code_for

BAD = 2
_SEVERAL = 3  # so many sheets with numbers of others are no accident of one student
_SHORTEST_SECRET = 16


class BadRequestError(Exception):
    """A question to the grader that makes no sense; the sentence says what would do."""


def say(line: str = "", *, to_errors: bool = False) -> None:
    """One line to the reader."""
    (sys.stderr if to_errors else sys.stdout).write(line + "\n")


def grade(args: argparse.Namespace) -> int:
    """Grade every answer sheet below FOLDER; exit 0, or 2 when some files could not be read."""
    secret, folder, out = _secret(args), _folder(args.folder), Path(args.out)
    if args.trusted:
        sandbox.trust()
    if args.jobs < 1:
        raise BadRequestError("--jobs must be at least 1")
    paths, passed = submissions(folder, leave_out=out)
    if not paths:
        raise BadRequestError(f"there are no answer sheets (*.json) below {folder}")
    key = secret or PUBLIC_SECRET
    outcomes = _with_progress(
        len(paths), lambda tick: grade_files(paths, folder, key, args.jobs, tick)
    )
    if args.student is not None:
        return _grade_one(args.student, outcomes, out, course_secret=secret is not None)
    outcomes += [Skipped(shown_path(path, folder.resolve()), why) for path, why in passed]
    if others := _others(outcomes):
        raise BadRequestError(_wrong_secret(others, outcomes, out, given=secret is not None))
    before = reporting.earlier(out)
    report = reporting.report_of(outcomes, course_secret=secret is not None)
    reporting.write(report, out)
    for name, summary in report["assignments"].items():
        say(f"{name}: {summary['students']} graded, {summary['mean']:.0%} on average")
    for change in reporting.differences(before, report):
        say(f"  {change}")
    refused = [o for o in outcomes if isinstance(o, Refused)]
    for each in refused:
        say(f"not graded: {each.file}: {each.reason}", to_errors=True)
    for each in outcomes:
        if isinstance(each, Skipped):
            say(f"passed over: {each.file}: {each.reason}", to_errors=True)
    graded = [each for each in outcomes if isinstance(each, Graded)]
    if kept := sum(mark.name == NOT_RUN for each in graded for mark in each.marks):
        say(f"kept, not run: {kept} functions: {sandbox.why_not()}", to_errors=True)
    say(f"Report: {out / 'report.html'}")
    return BAD if refused else 0


def _others(outcomes: list[Outcome]) -> int:
    """How many sheets are for other numbers than their students', if most are; else none."""
    graded = [each for each in outcomes if isinstance(each, Graded)]
    others = sum(OTHER_VARIANT in each.flags for each in graded)
    return others if others >= _SEVERAL and others > len(graded) / 2 else 0


def _wrong_secret(others: int, outcomes: list[Outcome], out: Path, *, given: bool) -> str:
    """Why a class whose numbers do not fit is not graded."""
    graded = sum(isinstance(each, Graded) for each in outcomes)
    fault = "another secret than this one" if given else "a secret, and none is given"
    remedy = "give the course's own" if given else "give --secret-file or $GRADING_SECRET"
    kept = f"; what stands in {out} stays as it is" if (out / "grades.csv").exists() else ""
    return f"{others} of {graded} sheets were made with {fault}: {remedy}{kept}"


def _grade_one(student: str, outcomes: list[Outcome], out: Path, *, course_secret: bool) -> int:
    """Show one student's marks and renew that student's page; the report stays as it is."""
    wanted = clean_id(student)
    own = [o for o in outcomes if isinstance(o, Graded) and o.id == wanted]
    if not own:
        raise BadRequestError(f"no sheet names student {student!r}")
    report = reporting.report_of(own, course_secret=course_secret)
    reporting.write_students(report, out)
    for row in report["students"]:
        say(f"{row['file']}: {row['score']:g} of {row['out_of']:g}")
        for name, answer in row["answers"].items():
            say(f"  {name:<4} {answer['points']:g}/{answer['out_of']:g}  {answer['message']}")
        say(f"Page: {out / row['page']}")
    return 0


def check(args: argparse.Namespace) -> int:
    """What is wrong with the form of FILE: numbers, units, gaps; nothing about the truth."""
    try:
        sheet = read_sheet(Path(args.file))
        checks = load(sheet.assignment)
    except UnreadableError as error:
        raise BadRequestError(f"{args.file}: {error}") from None
    say(f"{sheet.assignment}, student {sheet.student!r}")
    faults = {
        name: question.asked.fault(sheet.answers.get(name, Answer()))
        for name, question in checks.questions.items()
    }
    for name, fault in faults.items():
        say(f"  {name:<6} {fault or 'can be read'}")
    return BAD if any(faults.values()) else 0


def codes(args: argparse.Namespace) -> int:
    """One code a student, to hand out: it draws the student's numbers in the notebook."""
    secret = _secret(args)
    if secret is None:
        raise BadRequestError(
            "give --secret-file or $GRADING_SECRET: without a course secret no codes are needed"
        )
    name = assignment(args.assignment).name
    text = Path(args.students).read_text(encoding="utf-8") if args.students else sys.stdin.read()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["student", "code"])
    for line in filter(str.strip, text.splitlines()):
        writer.writerow([reporting.safe_cell(line.strip()), code_for(line, name, secret)])
    return 0


def derive(args: argparse.Namespace) -> int:
    """Write exercises from solutions and predictions' facts from tutorials; --check only looks."""
    if args.check:
        faults = deriving.stale()
        for fault in faults:
            say(fault, to_errors=True)
        return 1 if faults else 0
    for path in deriving.write():
        say(f"wrote {path.relative_to(deriving.ROOT).as_posix()}")
    return 0


def _secret(args: argparse.Namespace) -> bytes | None:
    """The course's secret, None when there is none; raises BadRequestError."""
    if args.secret_file:
        try:
            text = Path(args.secret_file).read_bytes().strip()
        except OSError as error:
            raise BadRequestError(f"the secret file cannot be read ({error.strerror})") from None
    else:
        text = os.environ.get("GRADING_SECRET", "").strip().encode()
        if not text:
            return None
    if len(text) < _SHORTEST_SECRET:
        raise BadRequestError(f"a course secret has at least {_SHORTEST_SECRET} characters")
    return text


def _folder(name: str) -> Path:
    folder = Path(name)
    if not folder.is_dir():
        raise BadRequestError(f"there is no folder {name}")
    return folder


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


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m grading", description="Judge answers against the solvers."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        sub.set_defaults(run=run)
        return sub

    written = "folder for grades.csv, report.* and students/"
    sub = command(grade)
    sub.add_argument("folder", metavar="FOLDER")
    sub.add_argument("--out", required=True, metavar="OUT", help=written)
    sub.add_argument("--jobs", type=int, default=1, metavar="N", help="processes to grade with (1)")
    trusting = "run students' functions even where nothing walls them in"
    sub.add_argument("--i-trust-these", action="store_true", dest="trusted", help=trusting)
    sub.add_argument("--student", metavar="ID", help="grade this student only")
    command(check).add_argument("file", metavar="FILE")
    ids = "file with one id a line (standard input)"
    sub = command(codes)
    sub.add_argument("assignment", metavar="ASSIGNMENT")
    sub.add_argument("students", nargs="?", metavar="STUDENTS", help=ids)
    for name in ("grade", "codes"):
        secret = "the course's secret (or $GRADING_SECRET)"
        commands.choices[name].add_argument("--secret-file", metavar="FILE", help=secret)
    look = "write nothing; exit 1 when one is stale"
    command(derive).add_argument("--check", action="store_true", help=look)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run a command; a bad question costs one line and exit 2."""
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except OSError as error:
        say(f"grading: {error.filename or 'a file'}: {error.strerror or error}", to_errors=True)
    except UnicodeDecodeError:
        say("grading: the list of students is not UTF-8 text", to_errors=True)
    except (BadRequestError, MLSysError) as error:
        say(f"grading: {error}", to_errors=True)
    return BAD


if __name__ == "__main__":
    sys.exit(main())
