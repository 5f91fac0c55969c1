"""`mlsysim learn` before any page is served: whose journal, and how to start anew."""

from __future__ import annotations

import io

import pytest

from mlsysim.cli import main
from mlsysim.course.journal import Journal


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


def test_a_reset_of_nothing_says_so(say):
    code, out, _ = say("--reset")
    assert (code, "nothing to start anew from" in out) == (0, True)


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
