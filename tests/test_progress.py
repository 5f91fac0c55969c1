"""A bar of progress is for people at a terminal."""

from __future__ import annotations

import pytest

from mlsysim.cli.app import progress


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_and_nowhere_else(terminal, monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda _: terminal))
    with progress("counting") as seen:
        seen(1, 2)
    said = capsys.readouterr()
    assert ("counting" in said.err) == terminal
    assert said.out == ""
    assert terminal or said.err == ""
