"""What each command takes, what it passes on, and what it says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from grading import commands, derive
from grading.book import Gradebook
from grading.commands import main, parser
from mlsysim.course.variants import code_for
from tests.grading.conftest import NAME

COMMANDS = {  # the least of each, the most of each, and what that means
    "grade in --out o": {
        "hand_ins": "in",
        "out": "o",
        "roster": None,
        "gradebook": None,
        "jobs": 1,
        "limit": 30,
        "trusted": False,
        "student": None,
        "accept": [],
        "passing": 0,
        "secret_file": None,
    },
    "grade in --out o --roster r --gradebook g --jobs 3 --limit 2.5 --i-trust-these --student s "
    "--accept late attempts --passing 60 --secret-file f": {
        "hand_ins": "in",
        "out": "o",
        "roster": "r",
        "gradebook": "g",
        "jobs": 3,
        "limit": 2.5,
        "trusted": True,
        "student": "s",
        "accept": ["late", "attempts"],
        "passing": 60,
        "secret_file": "f",
    },
    "export r s --out o": {"report": "r", "sheet": "s", "out": "o", "assignment": ""},
    "export r s --out o --assignment a": {
        "report": "r",
        "sheet": "s",
        "out": "o",
        "assignment": "a",
    },
    "release g --out o": {"gradebook": "g", "out": "o"},
    "build-gradescope --out o": {
        "out": "o",
        "roster": None,
        "gradebook": None,
        "secret_file": None,
    },
    "build-gradescope --out o --roster r --gradebook g --secret-file f": {
        "out": "o",
        "roster": "r",
        "gradebook": "g",
        "secret_file": "f",
    },
    "quiz a b": {"pre": "a", "post": "b"},
    "rehearse a --out o": {"assignment": "a", "students": 30, "out": "o", "secret_file": None},
    "rehearse a --out o --students 7 --secret-file f": {
        "assignment": "a",
        "students": 7,
        "out": "o",
        "secret_file": "f",
    },
    "codes a b": {"assignment": "a", "students": "b", "secret_file": None},
    "codes a b --secret-file f": {"assignment": "a", "students": "b", "secret_file": "f"},
    "secret f": {"file": "f"},
    "pack --out o": {"out": "o"},
    "derive": {"check": False, "stubs": False},
    "derive --check": {"check": True, "stubs": False},
    "derive --stubs": {"check": False, "stubs": True},
}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_read_into_what_it_means(line):
    held = vars(parser().parse_args(line.split()))
    assert held.pop("run") is getattr(commands, line.split()[0].replace("-", "_"))
    assert held == COMMANDS[line]


LESS = ["grade in", "grade --out o", "export r s", "export r --out o", "release g", "codes a"]
LESS += ["release --out o", "build-gradescope", "quiz a", "rehearse a", "rehearse --out o"]


@pytest.mark.parametrize("line", [*LESS, "secret", "pack", "derive --nonsense"])
def test_a_command_without_what_it_needs_is_no_command(line, capsys):
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m grading")


def test_every_command_has_its_help(capsys):
    text = " ".join(parser().format_help().split())
    for name in {line.split()[0] for line in COMMANDS}:
        about = getattr(commands, name.replace("-", "_")).__doc__
        assert f"{name} {about}"[:60] in text
        with pytest.raises(SystemExit) as ended:
            main([name, "-h"])
        assert ended.value.code == 0
        assert about.split(";")[0][:40] in " ".join(capsys.readouterr().out.split())


@pytest.fixture
def asked(monkeypatch):
    """What a run would be made of."""
    made = {}

    def run(**how):
        made.update(how)
        return SimpleNamespace(grade=lambda: 7, grade_one=lambda student: student)

    monkeypatch.setattr(commands, "Run", run)
    monkeypatch.setattr(commands.sandbox, "trust", lambda: made.update(trusted=True))
    monkeypatch.delenv("GRADING_SECRET", raising=False)
    return made


def test_grading_gathers_what_a_run_needs(asked, tmp_path, monkeypatch):
    assert main(["grade", "in", "--out", "o"]) == 7
    assert asked == {
        "source": Path("in"),
        "out": Path("o"),
        "secret": None,
        "roster": None,
        "gradebook": Gradebook(),
        "jobs": 1,
        "limit": 30,
        "passing": 0,
    }
    (tmp_path / "g.yaml").write_text("course: x\naccept: [late]\n")
    (tmp_path / "r.csv").write_text("student\nada\n")
    files = ["--gradebook", str(tmp_path / "g.yaml"), "--roster", str(tmp_path / "r.csv")]
    more = ["--accept", "attempts", "--i-trust-these", "--student", "0"]
    monkeypatch.setenv("GRADING_SECRET", " sixteen letters! ")
    assert main(["grade", "in", "--out", "o", *files, *more]) == "0"
    assert asked["trusted"]
    assert asked["secret"] == b"sixteen letters!"
    assert [*asked["roster"].students] == ["ada"]
    assert asked["gradebook"] == Gradebook(course="x", accept=("late", "attempts"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--jobs", "0"], "grading: --jobs must be at least 1, and --limit a time\n"),
        (["--limit", "0"], "grading: --jobs must be at least 1, and --limit a time\n"),
        (
            ["--secret-file", "none"],
            "grading: the secret file cannot be read (No such file or directory)\n",
        ),
        (["--roster", "none"], "grading: none: No such file or directory\n"),
    ],
)
def test_what_cannot_be_graded_with_is_said_in_one_line(asked, capsys, arguments, words):
    assert main(["grade", "in", "--out", "o", *arguments]) == 2
    assert capsys.readouterr() == ("", words)
    assert main(["grade", "in", "--out", "o", "--jobs", "1", "--limit", "0.1"]) == 7


def test_a_secret_has_sixteen_characters_wherever_it_stands(asked, monkeypatch, tmp_path, capsys):
    path = tmp_path / "secret"
    path.write_bytes(b" 123456789012345 \n")
    assert main(["grade", "in", "--out", "o", "--secret-file", str(path)]) == 2
    assert capsys.readouterr().err == "grading: a course secret has at least 16 characters\n"
    path.write_bytes(b" 1234567890123456 \n")
    monkeypatch.setenv("GRADING_SECRET", "of the environment")
    main(["grade", "in", "--out", "o", "--secret-file", str(path)])
    assert asked["secret"] == b"1234567890123456"  # the file's, and not the environment's
    monkeypatch.setenv("GRADING_SECRET", " ")
    main(["grade", "in", "--out", "o"])
    assert asked["secret"] is None


def test_codes_are_a_table_of_every_student(asked, monkeypatch, tmp_path, capsys):
    (tmp_path / "ids").write_text("=ada\nbob\n")
    assert main(["codes", "0", str(tmp_path / "ids")]) == 2
    assert capsys.readouterr().err == (
        "grading: give --secret-file or $GRADING_SECRET: "
        "without a course secret no codes are needed\n"
    )
    monkeypatch.setenv("GRADING_SECRET", "sixteen letters!")
    assert main(["codes", "0", str(tmp_path / "ids")]) == 0
    ada, bob = (code_for(who, NAME, b"sixteen letters!") for who in ("=ada", "bob"))
    assert capsys.readouterr().out == f"student,code\n'=ada,{ada}\nbob,{bob}\n"


def test_a_secret_is_said_where_it_lies_and_never_overwritten(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["secret", "s"]) == 0
    said = "s: keep it until the course is graded, out of every repository.\n"
    assert capsys.readouterr() == (said, "")
    made = Path("s").read_text()
    assert (len(made), made[-1]) == (65, "\n")
    assert main(["secret", "s"]) == 2
    said = "grading: s exists: a new secret would draw other numbers for everybody\n"
    assert capsys.readouterr() == ("", said)
    assert Path("s").stat().st_mode & 0o777 == 0o600


def test_what_was_written_is_said_a_line_each(tmp_path, monkeypatch, capsys):
    from grading import bundle, gain, pack, platforms, rehearse

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRADING_SECRET", raising=False)
    (tmp_path / "g.yaml").write_text("course: x")
    calls = []

    def told(answer):
        return lambda *given: calls.append(given) or answer

    monkeypatch.setattr(platforms, "export", told([Path("a"), Path("b")]))
    monkeypatch.setattr(bundle, "release", told([Path("c")]))
    monkeypatch.setattr(bundle, "gradescope", told(Path("z.zip")))
    monkeypatch.setattr(gain, "gain", told(["one", "two"]))
    monkeypatch.setattr(pack, "write", told([Path("p.md")]))
    monkeypatch.setattr(rehearse, "rehearse", told(Path("o/roster.csv")))
    for line, said in {
        "export r s --out o --assignment n": "a\nb\n",
        "release g.yaml --out o": "c\n",
        "build-gradescope --out z.zip --roster r": "z.zip: upload it as the autograder.\n",
        "quiz x y": "one\ntwo\n",
        "pack --out o": "wrote p.md\n",
        "rehearse 0 --out o --students 7": "o/roster.csv, and o/hand-ins\n",
    }.items():
        assert main(line.split()) == 0
        assert capsys.readouterr() == (said, "")
    assert calls == [
        (Path("r"), Path("s"), Path("o"), "n"),
        (Gradebook(course="x"), Path("o")),
        (Path("z.zip"), {"secret": None, "roster.csv": Path("r"), "gradebook.yaml": None}),
        (Path("x"), Path("y")),
        (Path("o"),),
        (NAME, 7, Path("o"), None),
    ]
    monkeypatch.setenv("GRADING_SECRET", "short")
    assert main(["build-gradescope", "--out", "z.zip"]) == 2


def test_what_is_derived_is_looked_at_or_written(monkeypatch, capsys):
    monkeypatch.setattr(derive, "stale", lambda: ["a is old", "b is old"])
    assert main(["derive", "--check"]) == 1
    assert capsys.readouterr() == ("", "a is old\nb is old\n")
    monkeypatch.setattr(derive, "stale", list)
    assert main(["derive", "--check"]) == 0
    monkeypatch.setattr(derive, "write", lambda derived: [derive.ROOT / "x" / derived.__name__])
    assert main(["derive"]) == main(["derive", "--stubs"]) == 0
    assert capsys.readouterr() == ("wrote x/wanted\nwrote x/stubs\n", "")


def test_a_system_that_fails_without_a_file_is_told_as_well(asked, monkeypatch, capsys):
    def fails(path):
        raise OSError(28, "No space left")

    monkeypatch.setattr(commands, "read_roster", fails)
    assert main(["grade", "in", "--out", "o", "--roster", "r"]) == 2
    assert capsys.readouterr() == ("", "grading: a file: No space left\n")
