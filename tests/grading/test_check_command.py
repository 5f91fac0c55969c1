"""`mlsysim check`: what a student may know of a sheet before handing it in."""

from __future__ import annotations

import json

import pytest

from mlsysim.cli import main


@pytest.fixture
def check(capsys):
    """Run `mlsysim check` on a file."""

    def run(path):
        code = main(["check", str(path)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_check_speaks_of_form_and_never_of_truth(hand_in, variant, right, check):
    code, good, _ = check(hand_in("ada", right(variant("ada"))))
    assert code == 0
    wrong = right(variant("ada"))
    for answer in wrong.values():
        if answer["value"].replace(".", "").isdigit():
            answer["value"] = "1"
    assert check(hand_in("ada", wrong)) == (0, good, "")
    bad = {
        "q1": {"value": "4,5", "unit": "ms"},
        "q2": {"value": "2"},
        "q6": {"value": "2", "unit": "ms"},
    }
    code, said, _ = check(hand_in("ada", bad))
    assert code == 1
    assert "without commas" in said
    assert "wrong kind of unit" in said
    assert said.count("not answered yet") == 5


def test_check_says_whose_the_sheet_is_and_what_goes_with_it(hand_in, variant, right, check):
    _, said, _ = check(hand_in("Ada", right(variant("ada"))))
    assert said.startswith("00_hello_roofline, student 'Ada', the public numbers\n")
    assert "5 of 5 predictions of the lesson go with it" in said
    secret = variant("ada", b"a secret of this course")
    _, said, _ = check(hand_in("ada", {}, variant=secret.fields, journal=[]))
    assert "numbers of a course code" in said
    assert "0 of 5 predictions" in said


def test_check_tells_of_an_exercise_that_has_changed_since(hand_in, variant, right, check):
    code, said, _ = check(hand_in("ada", right(variant("ada")), assignment_version=1))
    assert code == 1
    assert "made for version 1 of the exercise, this is version 3" in said


@pytest.mark.parametrize("data", ["", "{", '{"schema": 1}', '{"a": 1, "a": 2}'])
def test_what_a_grader_refuses_check_refuses_as_well(tmp_path, check, data):
    path = tmp_path / "answers.json"
    path.write_text(data)
    code, said, err = check(path)
    assert (code, said) == (2, "")
    assert err.startswith(f"mlsysim: {path}: ")
    assert err.count("\n") == 1


def test_check_refuses_a_sheet_of_no_lesson(hand_in, check):
    path = hand_in("ada", {})
    path.write_text(json.dumps({**json.loads(path.read_text()), "assignment": "99_none"}))
    assert check(path)[0] == 2
