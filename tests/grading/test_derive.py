"""What is derived is fresh, and what is not is told with the command that mends it."""

from __future__ import annotations

from grading import derive


def test_a_stale_exercise_is_told_with_the_command_that_mends_it(tmp_path):
    solutions, exercises = tmp_path / "solutions", tmp_path / "exercises"
    solutions.mkdir()
    (solutions / "00_x.py").write_text("mine = None\n# answer: now\nmine = 1\n\nask(mine)\n")
    (solutions / "01_y.py").write_text("mine = 1\n")
    exercises.mkdir()
    (exercises / "02_stray.py").write_text("")
    faults = derive.stale(tmp_path)
    assert [fault.split(" ", 1)[0] for fault in faults] == [
        "solutions/01_y.py",
        "exercises/00_x.py",
        "exercises/01_y.py",
        "exercises/02_stray.py",
    ]
    assert "python -m grading derive" in faults[1]
    assert [path.name for path in derive.write(tmp_path)] == ["00_x.py", "01_y.py"]
    assert (exercises / "00_x.py").read_text() == "mine = None\n# answer: now\n\nask(mine)\n"
    assert derive.write(tmp_path) == []
