"""`mlsysim learn` before any page is served: whose journal, and how to start anew."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlsysim.cli import course, main
from mlsysim.course.journal import Journal
from mlsysim.course.lessons import find_lesson
from mlsysim.course.paths import find_path
from mlsysim.learn import server


@pytest.fixture
def say(monkeypatch, tmp_path, capsys):
    """Run `mlsysim learn` in a home of its own, answering what it asks."""
    monkeypatch.setenv("MLSYSIM_HOME", str(tmp_path))
    monkeypatch.setenv("MLSYSIM_LEARNER", "")
    monkeypatch.setenv("MLSYSIM_JOURNAL", "")

    def go(*words, answer=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer + "\n"))
        code = main(["learn", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


def test_a_reset_asks_first_and_keeps_the_old_journal(say, tmp_path):
    Journal().commit("00.1", "memory")
    code, out, _ = say("--reset", answer="n")
    assert (code, "Put 1 prediction away" in out) == (0, True)
    assert len(Journal()) == 1
    _, out, _ = say("--reset", answer="y")
    assert len(Journal()) == 0
    (kept,) = tmp_path.glob("journal-*.jsonl")
    assert str(kept) in out.replace("\n", "")
    assert Journal(kept).get("00.1").value == "memory"


def test_a_reset_without_an_answer_changes_nothing(say, monkeypatch):
    Journal().commit("00.1", "memory")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    say("--reset", answer="")
    assert len(Journal()) == 1


def test_a_reset_of_nothing_says_so(say, tmp_path):
    code, out, _ = say("--reset")
    said = f"{tmp_path}/journal.jsonl does not exist: there is nothing to start anew from.\n"
    assert (code, out) == (0, said)


def test_a_reset_counts_what_it_puts_away(say):
    for question in ("00.1", "00.2"):
        Journal().commit(question, "memory")
    _, out, _ = say("--reset", answer="n")
    asked = "Put 2 predictions away and start anew? The old journal stays in the folder [y/N]: "
    assert out == asked


def test_a_reset_is_of_one_learner(say, tmp_path):
    Journal().commit("00.1", "memory")
    ada = Journal(tmp_path / "learners" / "ada" / "journal.jsonl")
    ada.commit("00.1", "compute")
    say("--reset", "--learner", "Ada", answer="y")
    assert not ada.path.exists()
    assert (tmp_path / "journal.jsonl").exists()


def test_a_learners_name_that_no_folder_can_have_is_told(say):
    code, _, err = say("--learner", "../ada", "--reset")
    assert code == 2
    assert "learner cannot be '../ada'" in err
    assert err.count("\n") == 1


def test_the_help_says_where_predictions_are_kept(say):
    _, out, _ = say("--help")
    assert "MLSYSIM_HOME" in out
    assert "~/.mlsysim" in out


# ---- which page is opened, and where it is served ------------------------------------------------


@pytest.fixture
def opened(say, monkeypatch):
    """What would be served: the page, the path, place and browser, and what was said of it."""

    def go(*words):
        asked = []
        monkeypatch.setattr(server, "serve", lambda *page, **how: asked.append((*page, how)))
        code, out, err = say(*words)
        assert (code, err) == (0, "")
        ((page, way, how),) = asked
        return page, way, how, out

    return go


STEM, EXERCISE = "00_hello_roofline", "/exercise/00_hello_roofline/"


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ([], "/"),
        (["--review"], "/review"),
        (["--quiz"], "/quiz"),
        (["--slides"], "/?slides"),
        (["00"], f"/{STEM}/"),
        (["0", "--slides"], f"/{STEM}/?slides"),
        (["00", "--exercise"], EXERCISE),
        (["00", "--exercise", "--slides"], f"{EXERCISE}?slides"),
    ],
)
def test_what_is_asked_for_is_the_page_that_opens(opened, words, page):
    first, way, how, out = opened(*words)
    assert (first, way, how["room"], out) == (page, None, None, "")
    assert how["place"] == server.Place("127.0.0.1", None, "")
    assert how["browser"] is True


def test_a_path_a_place_and_no_browser_are_passed_on(opened):
    where = ["--host", "192.0.2.7", "--port", "2719", "--base-url", "/course/"]
    page, way, how, _ = opened("--path", "B", *where, "--no-browser")
    assert (page, way) == ("/", find_path("B"))
    assert how["place"] == server.Place("192.0.2.7", 2719, "/course")
    assert how["browser"] is False


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--edit"], "which lesson? Say so, as in 'mlsysim learn 00 --edit'."),
        (["--exercise"], "which lesson? Say so, as in 'mlsysim learn 00 --exercise'."),
        (["--present"], "which class? Say so, as in '--class monday' or '--path D --present'."),
        (["--code", "a1"], "which class? Say so, as in '--class monday' or '--path D --present'."),
        (
            ["--base-url", "course"],
            "'course' is no base of addresses: write it as in '--base-url /course'.",
        ),
        (
            ["--base-url", "/a//b"],
            "'/a//b' is no base of addresses: write it as in '--base-url /course'.",
        ),
        (["--answers"], "answers are for handouts: say where to, as in '--export DIR --answers'."),
        (
            ["--model", "ResNet50"],
            "--model ResNet50: lessons explore models that write; it does not.",
        ),
    ],
)
def test_what_cannot_be_opened_is_told_in_a_sentence(say, words, sentence):
    assert say(*words) == (2, "", f"mlsysim: {sentence}\n")


@pytest.mark.parametrize(
    ("more", "name"), [([], f"{STEM}.py"), (["--exercise"], f"{STEM}_exercise.py")]
)
def test_the_editor_opens_a_copy_of_the_lesson_or_of_its_exercise(
    say, monkeypatch, tmp_path, more, name
):
    become = []
    monkeypatch.setattr(course, "_become", lambda *program: become.append(program))
    monkeypatch.setattr(server, "serve", lambda *_, **__: None)
    folder = tmp_path / "mine"
    say("00", "--edit", *more, "--folder", str(folder), "--port", "0", "--no-browser")
    ((command, environment),) = become
    kind = "exercises" if more else "tutorials"
    own, again = folder / name, server.editable_copy(find_lesson("00"), kind, tmp_path / "again")
    assert own.read_bytes() == again.read_bytes()
    edit = [sys.executable, "-m", "marimo", "edit", str(own), "--host", "127.0.0.1"]
    assert command[:7] == edit
    assert command[-1] == "--headless"
    assert environment.items() >= {"MLSYSIM_HOME": str(tmp_path)}.items()


def test_the_program_becomes_the_editor_where_it_can_and_else_calls_it(monkeypatch):
    became = []
    monkeypatch.setattr(os, "execve", lambda *program: became.append(program))
    monkeypatch.setattr(course.subprocess, "call", lambda command, env: len(command) + len(env))
    with pytest.raises(course.typer.Exit):  # for the exec that here did nothing
        course._become(["a", "b"], {"c": "d"})
    assert became == [("a", ["a", "b"], {"c": "d"})]
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(course.typer.Exit) as ended:
        course._become(["a", "b"], {"c": "d"})
    assert (len(became), ended.value.exit_code) == (1, 3)


@pytest.mark.parametrize(
    ("code", "prints", "told"), [(0, True, None), (3, True, "no fonts"), (0, False, "no fonts")]
)
def test_a_pdf_is_printed_by_the_chromium_that_is_named(
    tmp_path, monkeypatch, capsys, code, prints, told
):
    out = tmp_path / "sheet.PDF"

    def printer(command, *, capture_output, text, **_):
        assert capture_output  # what it says is told where it fails
        assert text
        name, page = command[0], Path(command[-1].removeprefix("file://"))
        (target,) = (word.partition("=")[2] for word in command if "--print-to-pdf=" in word)
        assert (name, page.suffix, target) == ("own-chromium", ".html", str(out))
        if prints:
            out.write_text(page.read_text(encoding="utf-8")[:15], encoding="utf-8")
        return subprocess.CompletedProcess(command, code, "", " no fonts\n")

    monkeypatch.setenv("CHROMIUM", "own-chromium")
    monkeypatch.setattr(course.subprocess, "run", printer)
    assert main(["cheatsheet", "--out", str(out)]) == (2 if told else 0)
    said = capsys.readouterr()
    if told:
        assert (said.out, said.err) == ("", f"mlsysim: Chromium did not print it: {told}\n")
    else:
        assert (said.out, said.err) == (f"{out}: one A4 page.\n", "")
        assert out.read_text(encoding="utf-8") == "<!doctype html>"
