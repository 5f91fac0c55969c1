"""What befalls a file: later versions, editors, full disks, other hands. Nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import threading

import pytest

from mlsysim.core.errors import BadArgument
from mlsysim.course.journal import Journal, home, unbroken


@pytest.fixture
def journal(tmp_path):
    held = Journal(tmp_path / "journal.jsonl")
    held.commit("00.1", "memory", None, 0.9)
    held.commit("00.2", 4.5, "ms", 0.3)
    return held


def rewrite(journal, change):
    """The journal again, after its file's bytes went through `change`."""
    journal.path.write_bytes(change(journal.path.read_bytes()))
    return Journal(journal.path)


def said(journal):
    return [(row.question, row.value) for row in journal]


BOTH = [("00.1", "memory"), ("00.2", 4.5)]


def test_a_byte_order_mark_costs_nothing(journal):
    again = rewrite(journal, lambda held: b"\xef\xbb\xbf" + held.replace(b"\n", b"\r\n"))
    assert (said(again), again.damaged, again.notice) == (BOTH, 0, "")
    assert again.commit("00.3", 1.0).order == 3
    assert len(Journal(journal.path)) == 3


def test_a_later_versions_journal_is_read_and_its_chain_holds(tmp_path):
    later = Journal(tmp_path / "journal.jsonl")
    later.commit("00.1", "memory")
    first = {**later.records()[0], "lesson_version": 2}
    later.path.write_text(json.dumps(first) + "\n")
    again = Journal(later.path)
    again.commit("00.2", 4.5, "ms")
    assert said(again) == BOTH
    assert again.commit("00.1", "compute").value == "memory"
    assert again.records()[0]["lesson_version"] == 2
    assert unbroken(again.records()) == (again.rows(), "")
    changed = [{**again.records()[0], "lesson_version": 3}, again.records()[1]]
    assert "does not follow" in unbroken(changed)[1]


@pytest.mark.parametrize(
    "change",
    [
        {"value": [4.5]},
        {"value": None},
        {"value": float("nan")},
        {"value": {"x": 1}},
        {"confidence": "high"},
        {"unit": 3},
        {"order": "two"},
    ],
)
def test_an_answer_that_cannot_be_read_counts_as_given(journal, change):
    lines = journal.path.read_text().splitlines()
    second = json.dumps({**json.loads(lines[1]), **change})
    again = rewrite(journal, lambda _: f"{lines[0]}\n{second}\n".encode())
    assert "00.2" in again
    assert not again.get("00.2").readable
    assert not again.commit("00.2", 9.0, "ms").readable
    assert said(again) == BOTH[:1]
    assert [row["question"] for row in again.records()] == ["00.1"]
    assert again.damaged == 1
    assert "A line of journal.jsonl cannot be read" in again.notice
    assert journal.path.read_text().splitlines() == [lines[0], second]


@pytest.mark.parametrize(
    "junk", ["null", "3", '"x"', "[]", "{}", '{"question": ["00.3"]}', "[" * 100_000, "\\ud8 \x00"]
)
def test_lines_that_are_no_record_are_kept_and_said(journal, junk):
    again = rewrite(journal, lambda held: held + junk.encode() + b"\nhalf a li")
    assert (said(again), again.damaged) == (BOTH, 2)
    again.commit("00.3", 1.0)
    last = Journal(journal.path)
    assert [row.question for row in last] == ["00.1", "00.2", "00.3"]
    assert unbroken(last.records())[1] == ""
    assert "half a li\n" in journal.path.read_text()


def test_a_line_break_inside_a_sentence_is_no_end_of_a_line(journal):
    sentence = "memory-bound\u2028because\x85of\x0bbytes"
    journal.commit("00.3", sentence)
    again = Journal(journal.path)
    assert (again.get("00.3").value, again.damaged) == (sentence, 0)


class TestDisk:
    """Answers on a disk that takes no more."""

    def test_on_a_home_that_cannot_be_written_an_answer_is_kept_in_memory_and_told(self, tmp_path):
        (tmp_path / "home").write_text("this is a file, so no folder can be made in it")
        journal = Journal(tmp_path / "home" / "journal.jsonl")
        assert journal.commit("00.1", "memory").value == "memory"
        assert journal.commit("00.1", "compute").value == "memory"
        journal.reveal("00.1", "memory")
        reloaded = Journal(journal.path)
        assert said(reloaded) == BOTH[:1]
        assert reloaded.truths() == {"00.1": "memory"}
        assert "cannot be written" in reloaded.notice
        assert "your last answer is kept in memory" in reloaded.notice
        assert json.loads(reloaded.to_bytes())["question"] == "00.1"
        (tmp_path / "home").unlink()  # room is made, and the next commitment brings both to disk
        reloaded.commit("00.2", 4.5, "ms")
        assert (reloaded.notice, len(journal.path.read_text().splitlines())) == ("", 2)
        assert unbroken(Journal(journal.path).records()) == (reloaded.rows(), "")

    def test_a_disk_that_fills_up_within_a_line_leaves_no_half_of_it(self, journal):
        resource = pytest.importorskip("resource")
        signal = pytest.importorskip("signal")
        before = journal.path.read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 40, hard))
            journal.commit("00.3", 1.0)
            journal.reveal("00.3", 2.0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, ignored)
        assert journal.path.read_bytes() == before
        assert [row.question for row in Journal(journal.path)] == ["00.1", "00.2", "00.3"]
        assert "kept in memory" in journal.notice
        assert journal.truths()["00.3"] == 2.0
        journal.commit("00.4", 1.0)
        assert journal.notice == ""
        assert journal.path.read_bytes().startswith(before)
        assert Journal(journal.path).damaged == 0

    def test_a_reveal_is_written_whole_or_not_at_all(self, journal, monkeypatch):
        journal.reveal("00.1", "memory")
        beside = journal.path.with_suffix(".revealed.json")
        before = beside.read_text()

        def full(*_, **__):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(type(beside), "write_text", full)
        journal.reveal("00.2", 4.5)
        assert beside.read_text() == before
        assert journal.truths() == {"00.1": "memory", "00.2": 4.5}
        assert sorted(path.name for path in journal.path.parent.iterdir()) == [
            "journal.jsonl",
            "journal.revealed.json",
        ]

    @pytest.mark.parametrize("junk", ["[1, 2]", "", "{", "null", "[" * 100_000, '{"00.1": [1]}'])
    def test_a_cache_of_reveals_that_is_junk_is_made_anew(self, journal, junk):
        journal.path.with_suffix(".revealed.json").write_text(junk)
        assert journal.truths() == {}
        journal.reveal("00.1", "memory")
        assert Journal(journal.path).truths() == {"00.1": "memory"}


def test_a_folder_in_place_of_the_journal_is_said(tmp_path):
    (tmp_path / "journal.jsonl").mkdir()
    journal = Journal(tmp_path / "journal.jsonl")
    assert (len(journal), journal.damaged) == (0, 0)
    assert "cannot be read" in journal.notice


def test_a_journal_that_is_put_away_is_kept_and_a_new_one_begins(journal):
    before = journal.path.read_bytes()
    journal.reveal("00.1", "memory")
    beside = journal.path.with_name("journal.reviews.jsonl")
    beside.write_text("{}\n")
    first = journal.put_away()
    assert (len(journal), journal.truths(), beside.exists()) == (0, {}, False)
    assert first.read_bytes() == before
    assert first.with_name(f"{first.stem}.reviews.jsonl").read_text() == "{}\n"
    journal.commit("00.1", "compute")
    second = journal.put_away()
    assert first != second
    assert len(Journal(second)) == 1
    assert journal.put_away() is None


class TestLearners:
    """Several people at one machine."""

    def test_each_has_a_journal_of_their_own(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MLSYSIM_HOME", str(tmp_path))
        monkeypatch.delenv("MLSYSIM_JOURNAL", raising=False)
        monkeypatch.setenv("MLSYSIM_LEARNER", "Ada")
        Journal().commit("00.1", "memory")
        monkeypatch.setenv("MLSYSIM_LEARNER", "Bob")
        assert len(Journal()) == 0
        monkeypatch.setenv("MLSYSIM_LEARNER", " ada ")
        assert len(Journal()) == 1
        assert home() == tmp_path / "learners" / "ada"

    @pytest.mark.parametrize("name", ["..", "../x", "a/b", "a\\b", ".x", "", " ", "x" * 41, "a."])
    def test_a_name_that_no_folder_can_have_is_refused(self, monkeypatch, name):
        monkeypatch.setenv("MLSYSIM_LEARNER", name or "/")
        with pytest.raises(BadArgument, match="learner"):
            home()


def test_outside_a_class_every_question_is_released(journal):
    assert journal.released("00.1")
    assert b"\r" not in journal.path.read_bytes()


def test_a_disk_that_is_slow_for_one_learner_keeps_no_other_waiting(tmp_path, monkeypatch):
    stuck, free, fsync = threading.Event(), threading.Event(), os.fsync
    ada, bob = (Journal(tmp_path / name / "journal.jsonl") for name in ("ada", "bob"))

    def slow(file):
        if threading.current_thread().name == "ada":
            stuck.set()
            assert free.wait(60)
        fsync(file)

    monkeypatch.setattr(os, "fsync", slow)
    threads = {
        name: threading.Thread(target=held.commit, args=["00.1", 4.0], name=name, daemon=True)
        for name, held in (("ada", ada), ("bob", bob))
    }
    threads["ada"].start()
    assert stuck.wait(60)
    threads["bob"].start()
    threads["bob"].join(30)
    assert "00.1" in Journal(bob.path)
    free.set()
    threads["ada"].join(30)
    assert "00.1" in Journal(ada.path)
