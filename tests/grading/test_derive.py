"""What is derived is fresh, and what is not is told with the command that mends it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from grading import derive
from mlsysim.core.errors import InvalidEntry
from mlsysim.course.lessons import Prediction
from mlsysim.learn import rehearse


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


def test_what_is_stale_is_told_in_whole_sentences(tmp_path, monkeypatch):
    lesson = ({"07.1": {"text": "Wie groß?"}}, {"07.1": 42.5})
    monkeypatch.setattr(derive, "predictions", lambda tutorial: lesson)
    for name, text in {
        "solutions/07_x.py": "x = 1\n    # answer: now  \nx = 2\n  \ny = 3",
        "solutions/08_y.py": "x = 1  # answer: none\n",
        "tutorials/07_x.py": "",
        "exercises/notes.md": "x",
        "exercises/09_z.py": "",
        "grading/truths/09_z.yaml": "",
        "mlsysim/course/predictions/07_x.yaml": "old",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(derive, "stubs", lambda root: {root / "r" / "s" / "t.pyi": "stub"})
    mark = "has no `# answer:` mark: its exercise would hold the answers"
    old = "is not what its source gives: run `python -m grading derive`"
    stray = "has no source: write one, or remove it"
    assert derive.stale(tmp_path) == [
        f"solutions/08_y.py {mark}",
        f"exercises/07_x.py {old}",
        f"exercises/08_y.py {old}",
        f"mlsysim/course/predictions/07_x.yaml {old}",
        f"grading/truths/07_x.yaml {old}",
        f"r/s/t.pyi {old}",
        f"exercises/09_z.py {stray}",
        f"grading/truths/09_z.yaml {stray}",
    ]
    assert len(derive.write(tmp_path)) == 5
    assert (tmp_path / "exercises/07_x.py").read_text() == "x = 1\n    # answer: now  \n  \ny = 3"
    head = "# Derived from tutorials/07_x.py by `python -m grading derive`.\n"
    asked = (tmp_path / "mlsysim/course/predictions/07_x.yaml").read_text()
    assert asked == f"{head}'07.1':\n  text: Wie groß?\n"
    assert (tmp_path / "grading/truths/07_x.yaml").read_text() == f"{head}'07.1': 42.5\n"
    assert derive.stale(tmp_path) == [
        f"solutions/08_y.py {mark}",
        f"exercises/09_z.py {stray}",
        f"grading/truths/09_z.yaml {stray}",
    ]
    assert derive.write(tmp_path, derive.stubs) == []


def test_a_tutorial_says_what_it_asks_and_what_it_reveals(tmp_path, monkeypatch):
    class Asked:
        def __init__(self, question, **facts):
            self.question = question
            self.facts = {name: Prediction(text=text) for name, text in facts.items()}

    truths = {"b": "memory", "a": 1234.5674, "c": 2.0}
    first, then = Asked("1", b="Which?", c="Why?"), Asked("2", a="How long?")
    ran = SimpleNamespace(asked=[first, then, first])  # a cell shows one of them twice

    def gone_through(stem, folder, path):
        assert (stem, folder.is_dir(), path) == ("07_x", True, tmp_path / "07_x.py")
        return SimpleNamespace(truths=lambda: truths)

    monkeypatch.setattr(rehearse, "rehearse", gone_through)
    monkeypatch.setattr(rehearse, "run", lambda stem, journal, path: ran)
    facts, rounded = derive.predictions(tmp_path / "07_x.py")
    assert [*facts.items()] == [
        ("a", {"text": "How long?"}),
        ("b", {"text": "Which?"}),
        ("c", {"text": "Why?"}),
    ]
    assert [*rounded.items()] == [("a", 1234.57), ("b", "memory"), ("c", 2.0)]
    ran.asked.append(Asked("2", d="Another?"))
    with pytest.raises(InvalidEntry) as error:
        derive.predictions(tmp_path / "07_x.py")
    assert str(error.value) == "07_x.py: ask: give each question a number of its own."
