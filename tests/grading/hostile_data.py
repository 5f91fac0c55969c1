"""Files that strangers may hand in, made from a sheet whose every answer is right.

`broken` are bytes that hold no sheet, `forms` sheets that no exercise writes, `answers` the right
answer to q1 in forms that are not its grammar; `placed` puts what is no regular file into a folder.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import pickle
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FORMULA, SCRIPT = "=HYPERLINK(0)", "<script>alert(1)</script>"
_DEEP = 100_000
_ASCII = "0123456789"
_WIDE = str.maketrans(_ASCII, "".join(chr(0xFF10 + n) for n in range(10)))
_ARABIC = str.maketrans(_ASCII, "".join(chr(0x660 + n) for n in range(10)))


def broken(sheet: dict[str, Any]) -> dict[str, bytes]:
    """Bytes that are refused or passed over whole, though the right answers may stand in them."""
    text = json.dumps(sheet)
    data, answer = text.encode(), json.dumps(sheet["answers"]["q1"])

    def instead(old: str, new: str) -> bytes:
        assert text.count(old), old
        return text.replace(old, new, 1).encode()

    def value(written: str) -> bytes:
        return instead(answer, '{"value": ' + written + ', "unit": "ms"}')

    return {
        "nothing": b"",
        "spaces": b" " * 1000,
        "a null byte": b"\0",
        "null bytes within": data.replace(b'"answers"', b'"answers\0"'),
        "too much": data + b" " * (256 * 1024),
        "lists in lists": b"[" * _DEEP + b"]" * _DEEP,
        "objects in objects": b'{"answers":' * 20_000,
        "a sheet in depth": instead(answer, "[" * 9 + answer + "]" * 9),
        "no number": value("NaN"),
        "infinity": value("Infinity"),
        "minus infinity": value("-Infinity"),
        "a number beyond numbers": value("1e400"),
        "a number of many digits": value("1" * 5000),
        "a hexadecimal number": value("0x10"),
        "a number with a plus": value("+1"),
        "a number with zeros before": value("007"),
        "a number without a head": value(".5"),
        "a number in two parts": value("1 0"),
        "a key twice": data[:-1] + b', "student": "victim"}',
        "answers twice": data[:-1] + b', "answers": {}}',
        "an answer twice": instead('"q1":', f'"q1": {answer}, "q1":'),
        "a value twice": instead(answer, answer[:-1] + ', "value": "1"}'),
        "UTF-16": text.encode("utf-16"),
        "UTF-16 without a mark": text.encode("utf-16-be"),
        "UTF-32": text.encode("utf-32"),
        "two marks of order": b"\xef\xbb\xbf" * 2 + data,
        "Latin letters": text.replace("mallory", "mall\xf6ry").encode("latin-1"),
        "overlong letters": data.replace(b"mallory", b"mallor\xc1\xb9"),
        "a surrogate": instead("mallory", "mallory\\ud800"),
        "half of it": data[: len(data) // 2],
        "two sheets": data * 2,
        "a sheet a line": b"\n".join([data] * 3),
        "a list of sheets": b"[" + data + b"]",
        "more behind it": data + b";",
        "a comment": b"// mine\n" + data,
        "single quotes": text.replace('"', "'").encode(),
        "a comma too many": data[:-1] + b",}",
        "a tab within": instead("mallory", "mal\tlory"),
        "a text": json.dumps(text).encode(),
        "a number": b"14",
        "truth": b"true",
        "null": b"null",
        "an empty object": b"{}",
        "a list": b"[]",
        "YAML": b"schema: 1\nstudent: mallory\n",
        "a page": f"<html>{text}</html>".encode(),
        "a pickle": pickle.dumps(sheet),
        "packed": gzip.compress(data),
        "a program": b"\x7fELF" + data,
        "a score alone": b'{"score": 16, "out_of": 16}',
    }


def forms(sheet: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Sheets that are wrong as a whole: refused, or worth no more than what was answered."""
    for name, change in {
        "another schema": {"schema": 2},
        "schema true": {"schema": True},
        "schema in words": {"schema": "1"},
        "no schema": {"schema": None},
        "no such assignment": {"assignment": "99_nothing"},
        "a path for an assignment": {"assignment": "../../etc/passwd"},
        "a module for an assignment": {"assignment": "os"},
        "a list for an assignment": {"assignment": ["00_hello_roofline"]},
        "a version in words": {"assignment_version": "2"},
        "nobody": {"student": ""},
        "spaces for a student": {"student": "\u3000\u00a0"},
        "a number for a student": {"student": 1},
        "a long student": {"student": "m" * 100_000},
        "a student that grows": {"student": "\ufdfa" * 100_000},
        "two lines for a student": {"student": "mallory\nada"},
        "a student from right to left": {"student": "mallory\u202eada"},
        "an ending for a student": {"student": "mallory\x00.html"},
        "a list of answers": {"answers": ["1"] * 7},
        "a text for answers": {"answers": "all right"},
        "many answers": {"answers": {f"q{n}": {"value": "1"} for n in range(300)}},
        "a journal of many": {"journal": [{}] * 3000},
        "a text for a journal": {"journal": "predicted"},
        "a number for a notebook": {"notebook": 1},
        "a text for numbers": {"variant": "mine"},
    }.items():
        yield name, {**sheet, **change}


def answers(truth: str) -> dict[str, dict[str, Any]]:
    """The right number of q1, in milliseconds, written as no number is."""
    head, _, tail = truth.partition(".")
    values = {
        "a list of it": [truth],
        "an object of it": {"value": truth},
        "true": True,
        "wide digits": truth.translate(_WIDE),
        "Arabic digits": truth.translate(_ARABIC),
        "a comma": f"{head},{tail or 0}",
        "an underscore": f"0_{truth}",
        "a sum": f"{truth}+0",
        "a formula": f"={truth}",
        "a unit within": f"{truth} ms",
        "a hexadecimal": (float(truth)).hex(),
        "a mark from right to left": f"\u202e{truth}",
        "nothing between digits": f"{head}\u200b.{tail or 0}",
        "a null behind": f"{truth}\0",
        "two lines": f"{truth}\n{truth}",
        "two numbers": f"{truth} {truth}",
        "about": f"~{truth}",
        "a range": f"0-{truth}",
        "many zeros": "0" * 70_000 + truth,
        "a whole essay": truth + " " * 70_000 + "!",
        "no number": "nan",
        "infinity": "inf",
        "beyond numbers": "1e400",
        "zero from below": "-0",
        "less than nothing": f"-{truth}",
    }
    units = {
        "a unit in capitals": "MS",
        "a space behind the unit": "ms ",
        "a unit in a list": ["ms"],
        "a unit in an object": {"ms": 1},
        "a unit of one's own": "furlong",
        "a look-alike unit": "m\u0455",
        "a unit that computes": "ms*1",
        "no unit that is text": 1,
    }
    held = {name: {"value": value, "unit": "ms"} for name, value in values.items()}
    return held | {name: {"value": truth, "unit": unit} for name, unit in units.items()}


def placed(folder: Path, outside: Path) -> list[str]:
    """Put what is no regular file into a folder, as far as this system can; returns the names."""
    secret, theirs = outside / "secret.json", folder / "ada.json"
    makers: dict[str, Callable[[Path], Any]] = {
        "link.json": lambda path: path.symlink_to(secret),
        "classmate.json": lambda path: path.symlink_to(theirs),
        "nowhere.json": lambda path: path.symlink_to(folder / "nothing"),
        "itself.json": lambda path: path.symlink_to(path),
        "zero.json": lambda path: path.symlink_to("/dev/zero"),
        "pipe.json": lambda path: os.mkfifo(path, 0o600),
        "socket.json": _bound,
    }
    made = []
    for name, make in makers.items():
        try:
            make(folder / name)
        except (OSError, AttributeError):
            continue
        made.append(name)
    return made


def _bound(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as held:
            held.bind(path.name)
    finally:
        os.chdir(here)


def injected(sheet: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Sheets that want to act when they are looked at, in a table or on a page."""
    acting = {
        f"{FORMULA}": {},
        f"x;{FORMULA}": {},
        f"{SCRIPT}": {},
        "</style><b>": {},
        "{{7*7}}": {},
    }
    files = {name: {**copy.deepcopy(sheet), "student": name} for name in acting}
    for each in files.values():
        each["answers"] = {
            "q1": {"value": f"{FORMULA}{SCRIPT}", "unit": SCRIPT},
            SCRIPT: {"value": 1},
            f";{FORMULA}": {"value": 1},
            "__class__": {"value": 1},
        }
        each |= {"points": 16, "score": 16, "marks": {"q1": "right"}, FORMULA: 1}
    return files
