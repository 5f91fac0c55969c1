"""The grader's commands: `python -m grading -h`."""

from __future__ import annotations

import argparse
import csv
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from grading import derive as deriving
from grading import sandbox
from grading.book import Gradebook, read_gradebook
from grading.judge import LIMIT
from grading.roster import read_roster
from grading.run import BAD, Run, say
from mlsysim.core.errors import MLSysError
from mlsysim.core.table import safe_cell
from mlsysim.course.lessons import assignment, find_lesson
from mlsysim.course.variants import code_for

_SHORTEST_SECRET = 16


def grade(args: argparse.Namespace) -> int:
    """Grade every answer sheet in HAND_INS, a folder or a zip; exit 2 when some could not be."""
    if args.jobs < 1 or args.limit <= 0:
        raise MLSysError("--jobs must be at least 1, and --limit a time")
    gradebook = read_gradebook(Path(args.gradebook)) if args.gradebook else Gradebook()
    if args.trusted:
        sandbox.trust()
    run = Run(
        source=Path(args.hand_ins),
        out=Path(args.out),
        secret=_secret(args),
        roster=read_roster(Path(args.roster)) if args.roster else None,
        gradebook=gradebook.replace(accept=(*gradebook.accept, *args.accept)),
        jobs=args.jobs,
        limit=args.limit,
        passing=args.passing,
    )
    return run.grade() if args.student is None else run.grade_one(args.student)


def codes(args: argparse.Namespace) -> int:
    """One code a student, to hand out: it draws the student's numbers in the notebook."""
    secret = _secret(args)
    if secret is None:
        raise MLSysError(
            "give --secret-file or $GRADING_SECRET: without a course secret no codes are needed"
        )
    name = assignment(find_lesson(args.assignment).stem).name
    students = read_roster(Path(args.students)).students.values()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["student", "code"])
    for each in students:
        writer.writerow([safe_cell(each.id), code_for(each.id, name, secret)])
    return 0


def secret(args: argparse.Namespace) -> int:
    """Make a course secret in FILE, which must not exist yet; keep it, and show it to nobody."""
    try:
        handle = os.open(args.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise MLSysError(
            f"{args.file} exists: a new secret would draw other numbers for everybody"
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
    say(f"{args.file}: keep it until the course is graded, out of every repository.")
    return 0


def export(args: argparse.Namespace) -> int:
    """Fill in SHEET, Canvas's table or Moodle's worksheet, with the marks of REPORT."""
    from grading import platforms

    for path in platforms.export(
        Path(args.report), Path(args.sheet), Path(args.out), args.assignment
    ):
        say(f"{path}")
    return 0


def release(args: argparse.Namespace) -> int:
    """Write what learners get: the package with its exercises, no solutions and no checks."""
    from grading import bundle

    for path in bundle.release(read_gradebook(Path(args.gradebook)), Path(args.out)):
        say(f"{path}")
    return 0


def build_gradescope(args: argparse.Namespace) -> int:
    """Write the zip of an autograder for Gradescope, with the secret and the roster in it."""
    from grading import bundle
    from grading.gradescope import GRADEBOOK, ROSTER, SECRET

    _secret(args)  # one that is too short is said here, and not by the container
    given = {SECRET: args.secret_file, ROSTER: args.roster, GRADEBOOK: args.gradebook}
    kept = {name: Path(path) if path else None for name, path in given.items()}
    say(f"{bundle.gradescope(Path(args.out), kept)}: upload it as the autograder.")
    return 0


def quiz(args: argparse.Namespace) -> int:
    """What a class learned between two sittings of the quiz: folders of *.quiz.jsonl."""
    from grading.gain import gain

    for line in gain(Path(args.pre), Path(args.post)):
        say(line)
    return 0


def rehearse(args: argparse.Namespace) -> int:
    """Make up a class that hands in ASSIGNMENT, to try everything before a real one does."""
    from grading import rehearse as rehearsing

    name = assignment(find_lesson(args.assignment).stem).name
    roster = rehearsing.rehearse(name, args.students, Path(args.out), _secret(args))
    say(f"{roster}, and {Path(args.out) / 'hand-ins'}")
    return 0


def derive(args: argparse.Namespace) -> int:
    """Write exercises, predictions' facts and registries' stubs anew; --check only looks."""
    if args.check:
        faults = deriving.stale()
        for fault in faults:
            say(fault, to_errors=True)
        return 1 if faults else 0
    for path in deriving.write(derived=deriving.stubs if args.stubs else deriving.wanted):
        say(f"wrote {path.relative_to(deriving.ROOT).as_posix()}")
    return 0


def pack(args: argparse.Namespace) -> int:
    """Write the instructor's pack: weeks, timetables, objectives, a rubric, AI tools."""
    from grading.pack import write  # it searches a fleet, and grading needs none

    for path in write(Path(args.out)):
        say(f"wrote {path}")
    return 0


def _secret(args: argparse.Namespace) -> bytes | None:
    """The course's secret, None when there is none; raises MLSysError."""
    if args.secret_file:
        try:
            text = Path(args.secret_file).read_bytes().strip()
        except OSError as error:
            raise MLSysError(f"the secret file cannot be read ({error.strerror})") from None
    else:
        text = os.environ.get("GRADING_SECRET", "").strip().encode()
        if not text:
            return None
    if len(text) < _SHORTEST_SECRET:
        raise MLSysError(f"a course secret has at least {_SHORTEST_SECRET} characters")
    return text


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m grading", description="Judge answers against the solvers."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        name = run.__name__.replace("_", "-")
        sub = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        sub.set_defaults(run=run)
        return sub

    sub = command(grade)
    sub.add_argument("hand_ins", metavar="HAND_INS", help="a folder, or a platform's zip")
    written = "folder for grades.csv, report.* and students/"
    sub.add_argument("--out", required=True, metavar="OUT", help=written)
    sub.add_argument("--roster", metavar="CSV", help="the class: who is missing, who is who")
    sub.add_argument("--gradebook", metavar="YAML", help="due times, weights, overrides")
    sub.add_argument("--jobs", type=int, default=1, metavar="N", help="processes to grade with (1)")
    limit = "wall time that one file may take (30 s)"
    sub.add_argument("--limit", type=float, default=LIMIT, metavar="S", help=limit)
    trusting = "run students' functions even where nothing walls them in"
    sub.add_argument("--i-trust-these", action="store_true", dest="trusted", help=trusting)
    sub.add_argument("--student", metavar="ID", help="show this student only")
    accept = "a flag that stops no run, though a tenth of the class has it"
    sub.add_argument("--accept", nargs="+", default=[], metavar="FLAG", help=accept)
    passing = "exit 1 when somebody has less than this percentage"
    sub.add_argument("--passing", type=float, default=0.0, metavar="PERCENT", help=passing)
    sub = command(export)
    sub.add_argument("report", metavar="REPORT", help="the folder that `grade` wrote")
    sub.add_argument("sheet", metavar="SHEET", help="the platform's CSV, as it exports it")
    sub.add_argument("--out", required=True, metavar="DIR")
    sub.add_argument("--assignment", default="", metavar="NAME", help="where there are several")
    sub = command(release)
    sub.add_argument("gradebook", metavar="GRADEBOOK")
    sub.add_argument("--out", required=True, metavar="DIR")
    sub = command(build_gradescope)
    sub.add_argument("--out", required=True, metavar="ZIP")
    sub.add_argument("--roster", metavar="CSV")
    sub.add_argument("--gradebook", metavar="YAML")
    sub = command(quiz)
    sub.add_argument("pre", metavar="PRE")
    sub.add_argument("post", metavar="POST")
    sub = command(rehearse)
    sub.add_argument("assignment", metavar="ASSIGNMENT")
    sub.add_argument("--students", type=int, default=30, metavar="N")
    sub.add_argument("--out", required=True, metavar="DIR")
    sub = command(codes)
    sub.add_argument("assignment", metavar="ASSIGNMENT")
    sub.add_argument("students", metavar="STUDENTS", help="the roster, or one id a line")
    for name in ("grade", "codes", "build-gradescope", "rehearse"):
        given = "the course's secret (or $GRADING_SECRET)"
        commands.choices[name].add_argument("--secret-file", metavar="FILE", help=given)
    command(secret).add_argument("file", metavar="FILE")
    command(pack).add_argument("--out", required=True, metavar="DIR")
    _flags(
        command(derive),
        check="write nothing; exit 1 when one is stale",
        stubs="those alone, at once",
    )
    return top


def _flags(command: argparse.ArgumentParser, **flags: str) -> None:
    """Words that are said or not, with what they mean."""
    for flag, about in flags.items():
        command.add_argument(f"--{flag}", action="store_true", help=about)


def main(argv: list[str] | None = None) -> int:
    """Run a command; a bad question costs one line and exit 2."""
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except OSError as error:
        say(f"grading: {error.filename or 'a file'}: {error.strerror or error}", to_errors=True)
    except MLSysError as error:
        say(f"grading: {error}", to_errors=True)
    return BAD
