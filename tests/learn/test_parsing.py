"""Old Pythons parse in one thread at a time; newer ones as they like."""

from __future__ import annotations

import ast
import builtins
import threading
import time

import pytest

from mlsysim.learn.parsing import parse_alone


@pytest.fixture
def crowded(monkeypatch):
    """How many threads were inside the parser at once, at most."""
    inside, most = [], [0]
    real = builtins.compile

    def slow(*args, **kwargs):
        inside.append(1)
        most[0] = max(most[0], len(inside))
        time.sleep(0.02)
        inside.pop()
        return real(*args, **kwargs)

    monkeypatch.setattr(builtins, "compile", slow)

    def crowd(flags):
        def parse():
            ast.parse("x = 1")
            compile("x = 1", "lesson", "exec", flags, dont_inherit=True)

        threads = [threading.Thread(target=parse) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return most[0]

    return crowd


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 11, 7), (3, 12, 0), (3, 12, 1)])
def test_an_old_python_parses_in_one_thread_at_a_time(crowded, version):
    assert parse_alone(version)
    assert crowded(ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT) == 1
    assert eval(compile("1 + 1", "lesson", "eval")) == 2


@pytest.mark.parametrize("version", [(3, 11, 8), (3, 12, 2), (3, 13, 0)])
def test_a_newer_python_is_left_as_it_is(crowded, version):
    before = builtins.compile
    assert not parse_alone(version)
    assert builtins.compile is before
    assert crowded(ast.PyCF_ONLY_AST) > 1
