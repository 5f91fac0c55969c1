"""The places of a module that `benchmarks.mutants` changes, and those that it leaves alone."""

from __future__ import annotations

import ast
from pathlib import Path

import yaml

from benchmarks.changes import sites_of

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for room in ("mlsysim", "grading") for path in (ROOT / room).rglob("*.py"))

SOURCE = '''
"""Adds 1 + 1, in a docstring."""
import numpy as np
__all__ = ["rate"]
LIMIT: float = 3.0
def rate(a, b, *, share=0.5, precision="fp16"):  # 2 + 2 in a comment
    """Not here: 1 + 1 == 2."""
    if not a > 0:
        raise ValueError(f"a is {a + 1:.3g}")
    if a is None and b <= LIMIT:
        return np.maximum(a, b) if a == b else False
    return np.where(b < 1, (a) * # 5 * 5
        b, 1) + 2.0, Q_(a, "GB"), x["s"]
'''.lstrip()

EXPECTED = {
    ("default", "LIMIT: float = 3.0", "LIMIT: float = 6.0"),
    ("default", "share=0.5", "share=1.0"),
    ("default", 'precision="fp16"', 'precision="int8"'),
    ("dropped not", "if not a > 0:", "if  a > 0:"),
    ("compare", "if not a > 0:", "if not a >= 0:"),
    ("guard", "if not a > 0:", "if False:"),
    ("number", "if not a > 0:", "if not a > 1:"),
    ("and/or", "a is None and b", "a is None or b"),
    ("compare", "b <= LIMIT", "b < LIMIT"),
    ("max/min", "np.maximum(a, b)", "np.minimum(a, b)"),
    ("compare", "if a == b", "if a != b"),
    ("bool", "else False", "else True"),
    ("other branch", "return np.maximum", "return (False) if (a == b) else (np.maximum(a, b))"),
    ("compare", "np.where(b < 1", "np.where(b <= 1"),
    ("number", "np.where(b < 1", "np.where(b < 2"),
    ("+ - * /", "(a) * #", "(a) / #"),
    ("+ - * /", "1) + 2.0", "1) - 2.0"),
    ("number", "b, 1) +", "b, 2) +"),
    ("number", "+ 2.0", "+ 4.0"),
    ("unit", '"GB"', '"B"'),
    ("other branch", "return np.where", "return np.where(b < 1, 1, (a) * # 5 * 5"),
}


def test_every_kind_of_place_is_found_and_nothing_in_prose():
    source = SOURCE.encode()
    found = set()
    for site in sites_of("mlsysim/room/module.py", source):
        changed = source[: site.start] + site.options[0].encode() + source[site.end :]
        line = changed.decode().splitlines()[site.line - 1]
        (match,) = {
            each
            for each in EXPECTED
            if each[0] == site.kind
            and each[1] in source.decode().splitlines()[site.line - 1]
            and each[2] in line
        }
        found.add(match)
        assert site.room == "room"
    assert found == EXPECTED


def test_a_changed_module_is_a_module():
    for path in MODULES:
        source = path.read_bytes()
        sites = list(sites_of(path.relative_to(ROOT).as_posix(), source))
        for site in sites[:: len(sites) // 3 or 1]:  # a few of each
            assert source[site.start : site.end].decode() not in site.options
            new = site.options[-1].encode()
            ast.parse(source[: site.start] + new + source[site.end :])


def test_each_change_that_nobody_can_see_says_why():
    """Was wrong: a line with a colon made the file none, and no report could be written."""
    named = yaml.safe_load((ROOT / "benchmarks" / "equivalents.yaml").read_text(encoding="utf-8"))
    for change in named:
        assert list(change) == ["file", "within", "line", "becomes", "reason"], change
        assert change["line"] != change["becomes"]
        assert (ROOT / change["file"]).is_file()
