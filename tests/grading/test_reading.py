"""What strangers hand in: hostile, broken, huge or merely odd files."""

from __future__ import annotations

import json
import os

import pytest

from grading.collect import collected
from mlsysim.course.reading import (
    DEEPEST,
    MOST_BYTES,
    UnreadableError,
    parse,
    read_bytes,
    read_sheet,
    sheet_of,
)


@pytest.fixture
def good(sheet):
    return sheet("ada", {"q1": {"value": "1", "unit": "ms"}})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "is empty"),
        (b"{", "not JSON"),
        (b"[]", "no answer sheet"),
        (b"3", "no answer sheet"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"schema": NaN}', "NaN"),
        (b'{"schema": Infinity}', "Infinity"),
        (b'{"schema": -Infinity}', "-Infinity"),
        (b'{"schema": 1e999}', "infinite"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "digits"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 9 + b"1" + b"}" * 9, "nested"),
        (b'{"schema": 2}', "schema 1"),
        (b'{"schema": true}', "schema 1"),
        (b'{"schema": 1}', "assignment"),
    ],
)
def test_what_is_no_sheet_is_refused_with_the_reason(text, why):
    with pytest.raises(UnreadableError, match=why):
        sheet_of(parse(text))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"assignment": "../../etc/passwd"}, "assignment"),
        ({"assignment": ["x"]}, "assignment"),
        ({"student": ""}, "student"),
        ({"student": 5}, "student"),
        ({"student": "x" * 101}, "printable"),
        ({"student": "a\u202eb"}, "printable"),
        ({"student": "a\x00b"}, "printable"),
        ({"student": "\ud800"}, "printable"),
        ({"answers": []}, "answers"),
        ({"answers": {str(i): 1 for i in range(201)}}, "answers"),
        ({"journal": {}}, "journal"),
        ({"journal": [1] * 2001}, "journal"),
        ({"variant": 1}, "variant"),
        ({"assignment_version": "1"}, "assignment_version"),
        ({"assignment_version": True}, "assignment_version"),
    ],
)
def test_a_sheet_of_the_wrong_form_is_refused_with_the_reason(good, change, why):
    with pytest.raises(UnreadableError, match=why):
        sheet_of(good | change)


def test_a_score_in_the_file_is_not_used(good):
    assert sheet_of(good | {"score": 100}).ignored == ("score",)


def test_eight_levels_are_allowed_and_brackets_in_text_do_not_count():
    assert parse(b"[" * DEEPEST + b"]" * DEEPEST)
    assert parse(json.dumps(['[[[[[[[[[[["{{{{\\']).encode())


def test_a_byte_order_mark_is_no_fault(good):
    assert sheet_of(parse(b"\xef\xbb\xbf" + json.dumps(good).encode())).student == "ada"


def test_links_pipes_folders_devices_and_huge_files_are_refused_without_waiting(tmp_path, good):
    real = tmp_path / "real.json"
    real.write_text(json.dumps(good))
    (tmp_path / "link.json").symlink_to(real)
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "huge.json").write_bytes(b" " * (MOST_BYTES + 1))
    (tmp_path / "dangling.json").symlink_to("/nowhere")
    for name, why in [
        ("link", "link"),
        ("pipe", "regular"),
        ("folder", "regular"),
        ("huge", "bytes"),
        ("dangling", "link"),
        ("absent", "opened"),
    ]:
        with pytest.raises(UnreadableError, match=why):
            read_bytes(tmp_path / f"{name}.json")
    assert read_sheet(real).student == "ada"
    with pytest.raises(UnreadableError, match="regular"):
        read_bytes("/dev/null")


def test_a_file_may_have_so_many_bytes_and_not_one_more(tmp_path):
    full = tmp_path / "full.json"
    full.write_bytes(b" " * MOST_BYTES)
    assert len(read_bytes(full)) == MOST_BYTES
    full.write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(UnreadableError, match=f"it has more than {MOST_BYTES:,} bytes"):
        read_bytes(full)


def test_submissions_are_found_in_folders_but_not_through_links_or_in_the_report(tmp_path):
    for name in (
        "b.json",
        "a/answers.json",
        "a/deep/er/still/x.json",
        "a/1/2/3/4/5/too_deep.json",
        "out/report.json",
        ".hidden.json",
        "__MACOSX/a.json",
        "notes.txt",
    ):
        (tmp_path / "class" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "class" / name).write_text("{}")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.json").write_text("{}")
    (tmp_path / "class" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with collected(tmp_path / "class", leave_out=tmp_path / "class/out") as (handed, _):
        found = [each.file for each in handed]
    assert found == ["a/answers.json", "a/deep/er/still/x.json", "b.json"]
