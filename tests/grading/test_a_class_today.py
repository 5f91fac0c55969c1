"""What hurts a class: files that stall, accidents that cost all, reasons that nobody reads."""

from __future__ import annotations

import json
import os
import time
import zipfile

import pytest

from grading.judge import Judge, Refused
from grading.report import safe_cell
from mlsysim.core.errors import BadArgument
from mlsysim.course import reading
from mlsysim.course.journal import typical_factor
from mlsysim.course.reading import MOST_BYTES, parse, read_sheet
from mlsysim.course.sheet import Answer
from mlsysim.course.variants import clean_id
from tests.grading.conftest import NAME
from tests.grading.conftest import journal as committed

HOSTILE = {
    "an open string of escapes": b'"' + b'\\"' * (MOST_BYTES // 2 - 1),
    "brackets that only close": b"]" * MOST_BYTES,
    "brackets that only open": b"[" * MOST_BYTES,
    "quotes": b'"' * MOST_BYTES,
    "backslashes": b'"' + b"\\" * (MOST_BYTES - 1),
    "many keys": b"{" + b",".join(b'"%d":1' % n for n in range(20_000)) + b"}",
    "one long number": b"9" * MOST_BYTES,
    "spaces": b" " * MOST_BYTES,
}


def cpu(work):
    """Seconds of this process's own time."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_costs_the_class_more_than_its_size(name, tmp_path):
    """Twice the bytes may take about twice the time, never four times: nothing goes back to try."""
    path = tmp_path / "answers.json"

    def judged(data):
        path.write_bytes(data)
        return min(cpu(lambda: Judge().file(path)) for _ in range(3))

    whole, half = HOSTILE[name], HOSTILE[name][: MOST_BYTES // 2]
    assert judged(whole) < 3 * judged(half) + 0.2
    assert isinstance(Judge().file(path), Refused) or name == "many keys"


def test_a_system_without_unix_flags_reads_sheets_too(hand_in, right, variant, monkeypatch):
    path = hand_in("ada", right(variant("ada")))
    for flag in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC"):
        monkeypatch.delattr(os, flag)  # as on Windows
    assert read_sheet(path).student == "ada"


def test_a_folder_that_cannot_be_opened_is_named_and_costs_nobody_else(
    hand_in, grade, right, variant, monkeypatch
):
    hand_in("ada", right(variant("ada")))
    (hand_in.folder / "locked").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    code, _, err = grade()
    assert code == 0
    assert "passed over: locked: it cannot be opened (Permission denied)" in err
    assert grade.report()["skipped"] == [
        {"file": "locked", "reason": "it cannot be opened (Permission denied)"}
    ]


def test_what_is_handed_in_and_not_graded_is_listed(hand_in, grade, right, variant):
    hand_in("ada", right(variant("ada")))
    upper = hand_in.folder / "bob"
    upper.mkdir()
    hand_in("bob", right(variant("bob"))).rename(upper / "ANSWERS.JSON")
    (hand_in.folder / "answers.json.txt").write_text("{}")
    with zipfile.ZipFile(hand_in.folder / "cleo.zip", "w") as packed:
        packed.writestr("answers.json", "{}")
    (hand_in.folder / "package.json").write_text('{"name": "an editor"}')
    (hand_in.folder / "a/b/c/d/e").mkdir(parents=True)
    code, _, err = grade()
    assert code == 0  # nobody's answers were refused
    assert {row["student"] for row in grade.report()["students"]} == {"ada", "bob"}
    passed = {each["file"] for each in grade.report()["skipped"]}
    assert passed == {"answers.json.txt", "cleo.zip", "package.json", "a/b/c/d/e"}
    assert err.count("passed over: ") == 4
    assert "Passed over: 4" in (grade.out / "report.html").read_text()


def test_a_forgotten_secret_keeps_the_grades_that_stand(hand_in, grade, right, variant, tmp_path):
    secret = b"a secret of this course"
    for student in ("ada", "bob", "cleo", "dora"):
        theirs = variant(student, secret)
        hand_in(student, right(theirs), variant=theirs.fields)
    (tmp_path / "secret").write_bytes(secret)
    assert grade("--secret-file", str(tmp_path / "secret"))[0] == 0
    before = (grade.out / "grades.csv").read_bytes()
    code, _, err = grade()
    assert code == 2
    assert err.splitlines()[0].startswith("grading: ")
    assert "a secret, and none is given" in err.splitlines()[0]
    assert f"what stands in {grade.out} stays as it is" in err.splitlines()[0]
    (tmp_path / "other").write_bytes(b"another course's secret")
    assert "another secret than this one" in grade("--secret-file", str(tmp_path / "other"))[2]
    assert (grade.out / "grades.csv").read_bytes() == before


def test_a_student_whose_numbers_are_anothers_reads_why(hand_in, grade, right, variant):
    hand_in("ada", right(variant("ada")))
    hand_in("bob", right(variant("ada")), variant=variant("ada").fields)
    grade()
    pages = {
        row["student"]: (grade.out / row["page"]).read_text() for row in grade.report()["students"]
    }
    assert "These answers are for other numbers than yours" in pages["bob"]
    assert "other numbers" not in pages["ada"]
    for student, page in pages.items():
        assert f"batch {variant(student).fields['batch']}" in page


@pytest.mark.parametrize(
    ("value", "unit"), [(1e308, "year"), (5e-324, "ns"), (1e308, "tokens/s"), (0.0, "tokens/s")]
)
def test_one_absurd_prediction_spoils_neither_the_class_nor_the_answers(
    hand_in, grade, right, variant, value, unit
):
    (record,) = committed("00.1")
    hand_in("ada", right(variant("ada")), journal=[{**record, "value": value, "unit": unit}])
    assert grade()[0] == 0
    text = (grade.out / "report.json").read_text()
    report = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    (ada,) = report["students"]
    assert sum(each["points"] for each in ada["answers"].values()) == 14
    typical = report["assignments"][NAME]["calibration"]["typical_factor"]
    assert typical is None or typical <= 1e6


def test_the_factor_of_one_answer_does_not_outweigh_a_class():
    # nine that are off by 2 and one by 10^12, which counts as 10^6: 2^0.9 x 10^0.6
    assert typical_factor([2.0] * 9 + [1e12]) == pytest.approx(2**0.9 * 10**0.6)


@pytest.mark.parametrize("text", ["x;=HYPERLINK(1)", "a; +1", "\uff1d1+1", "b;@c", ";-2"])
def test_no_cell_of_a_semicolon_locale_acts_as_a_formula(text):
    for cell in safe_cell(text).split(";"):
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))


def test_an_id_is_measured_before_it_is_taken_apart():
    with pytest.raises(BadArgument, match="printable characters"):
        clean_id("\ufdfa" * 80_000)


def test_slips_of_1024_are_seen_in_bytes_alone(checks, variant):
    def told(question, factor):
        kind = checks.questions[question]
        wrong = Answer(value=kind.expected(variant("ada")) * factor, unit=kind.asked.unit)
        return kind.answered(wrong, variant("ada"))[1].message

    assert "1024" in told("q6", 1.024**3)  # GiB for GB
    assert "1024" not in told("q1", 1.024**3)  # milliseconds have no binary sister


def test_half_written_reports_leave_the_old_ones_whole(hand_in, grade, right, variant, monkeypatch):
    from grading import report as reporting

    hand_in("ada", right(variant("ada")))
    grade()
    before = (grade.out / "report.json").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    hand_in("bob", right(variant("bob")))
    monkeypatch.setattr(reporting.Path, "write_bytes", full)
    assert grade()[0] == 2
    assert (grade.out / "report.json").read_bytes() == before


def test_json_that_is_no_sheet_is_told_from_a_sheet_that_is_broken():
    with pytest.raises(reading.NoSheetError):
        reading.sheet_of(parse(b'{"name": "an editor"}'))
    with pytest.raises(reading.UnreadableError, match="schema"):
        reading.sheet_of(parse(b'{"schema": 2}'))
