"""The sandbox: what it lets through is a number, whatever a function tries."""

from __future__ import annotations

import importlib
import json
import os
import platform
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from grading import sandbox as sandboxes
from grading.check import load
from grading.code import Function
from grading.judge import Judge
from grading.sandbox import NoSandbox, Sandbox, outside
from mlsysim.course.reading import sheet_of
from mlsysim.course.sheet import Answer
from tests.grading.hostile_code import (
    ATTEMPTS,
    CANARY,
    ENDS,
    FORGED,
    GAINED,
    TRIED,
    attempt,
    forged,
)
from tests.grading.made_up import ASSIGNED, CHECKS
from tests.grading.test_code import HEAD
from tests.grading.test_exercise_sets import EXERCISED, solved

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="functions are run on Linux only")
ROOT = Path(__file__).parents[2]
V = ASSIGNED.variant({"model": "Llama3_8B", "device": "A100", "other": "H100", "batch": 16})
ONE = [{"x": 1.5}]
_CONTROL = """
import gc, io, json, math, os, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import grading.check
before = {"text": "handed-in" + "-before", "seen": []}
def control(inputs, source):
    into, out = os.pipe()
    if os.fork() == 0:
        if os.getuid() == 0:
            os.setpgid(0, 0)
        os.dup2(out, 3)
        held = {"math": math, "np": np}
        exec(source, held)
        for each in inputs:
            said = held["f"](**each)
        os.write(out, json.dumps(said).encode())
        os._exit(0)
    os.close(out)
    said = os.read(into, 64)
    os.wait()
    os.close(into)
    return json.loads(said or "null")
print(json.dumps({name: control([{"x": 1.5}, {"x": 2.5}], source)
                  for name, source in json.load(sys.stdin).items()}))
"""


@pytest.fixture(scope="module")
def sandbox():
    try:
        held = Sandbox.best()
    except NoSandbox as error:
        pytest.skip(str(error))
    held.run("KEPT = {'text': 'handed-in-before', 'seen': []}\ndef f(x): return 0", "f", ONE)
    yield held
    held.close()


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    """Every attempt's text, while what it is after is there."""
    secret = tmp_path_factory.mktemp("course") / "secret"
    secret.write_text(CANARY)
    abstract = f"mlsysim-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as named,
    ):
        udp.bind(("127.0.0.1", 0))
        named.bind(f"\0{abstract}")
        named.listen()
        where = {"port": tcp.getsockname()[1], "udp": udp.getsockname()[1], "abstract": abstract}
        where |= {"root": ROOT, "secret": secret, "grader": os.getpid()}
        yield {name: attempt(name, **where) for name in ATTEMPTS}


@pytest.fixture(scope="module")
def control(attempts):
    """What every attempt gets outside."""
    ran = subprocess.run(
        [sys.executable, "-c", _CONTROL, os.fspath(ROOT)],
        input=json.dumps(attempts),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"CANARY": CANARY},
    )
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_succeeds_outside_is_tried_and_refused_inside(name, sandbox, attempts, control):
    if platform.machine() != "x86_64" and "syscall" in attempts[name]:
        pytest.skip("its numbers are those of another processor")
    if control[name] != GAINED:
        pytest.skip(f"this machine refuses it anyway ({control[name]})")
    ran = sandbox.run(attempts[name], "f", [*ONE, {"x": 2.5}])
    assert ran == [(TRIED, ""), (TRIED, "")]


def test_nearly_all_attempts_have_their_control(control):
    assert len(ATTEMPTS) >= 30
    assert sum(said == GAINED for said in control.values()) >= 30, control


@pytest.mark.parametrize("name", FORGED)
def test_what_is_no_result_is_none_whoever_writes_it(name, sandbox, tmp_path):
    (outcome,) = sandbox.run(forged(FORGED[name]), "f", ONE)
    assert outcome == (None, "wrote something else than one result")
    assert not Path("/tmp/attack").exists()


def test_a_forged_result_is_but_an_answer_of_its_own_call(sandbox):
    source = forged(b'{"value": 7.0}').replace("os._exit(0)", "return x")
    assert sandbox.run(source, "f", ONE)[0].fault == "wrote something else than one result"
    later = "import atexit, os\ndef f(x):\n atexit.register(os.write, 3, b'x')\n return x"
    assert sandbox.run(later, "f", ONE) == [(1.5, "")]
    own = forged(b'{"value": 7.0}')
    assert sandbox.run(own, "f", [*ONE, *ONE]) == [(7.0, ""), (7.0, "")]


def test_a_flood_is_cut(sandbox):
    source = "import os\ndef f(x):\n while True: os.write(3, b'1' * 65536)"
    assert sandbox.run(source, "f", ONE)[0].fault == "wrote something else than one result"


@pytest.mark.parametrize("source", ENDS)
def test_what_ends_badly_is_told_in_one_line(source, sandbox):
    (outcome,) = sandbox.run(source, "f", ONE)
    assert outcome.value is None
    assert ENDS[source] in outcome.fault
    assert outcome.fault.isprintable()
    assert len(outcome.fault) <= 240


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("def f(x): return x * 2", 3),
        ("def f(x): return np.float64(x)", 1.5),
        ("def f(x): return np.float32(x)", 1.5),
        ("def f(x): return np.int64(x)", 1),
        ("def f(x): return np.array(x)", 1.5),
        ("def f(x): return 7", 7),
        ("import numpy, math\nK = math.sqrt(4)\ndef f(x):\n print('!')\n return numpy.array(K)", 2),
        ("from mlsysim import Hardware\ndef f(x): return Hardware.H100.tdp.m_as('W')", 700),
        ("import statistics\ndef g(x): return x\ndef f(x): return statistics.mean([g(x)])", 1.5),
        ("from fractions import Fraction\ndef f(x): return Fraction(x)", 1.5),
    ],
)  # fmt: skip
def test_honest_functions_give_their_numbers(source, value, sandbox):
    assert sandbox.run(source, "f", ONE) == [(value, "")]


@pytest.mark.slow
@pytest.mark.parametrize("stem", EXERCISED)
def test_what_a_solution_wrote_is_right_inside_too(stem, sandbox, monkeypatch):
    monkeypatch.setattr(sandboxes, "_held", sandboxes._Held(os.getpid(), sandbox, ""))
    v, given = solved(stem, 0)
    for question in load(stem).questions.values():
        if isinstance(question, Function):
            mark = question.answered(given[question.name], v)[1]
            assert mark.kind == "right", (question.name, mark)


def test_a_loop_costs_its_own_limit_and_the_next_function_is_run(sandbox):
    loops = "import signal\nsignal.signal(24, signal.SIG_IGN)\ndef f(x):\n while True: pass"
    ran = sandbox.run(loops, "f", ONE * 3)
    assert len(ran) == 3
    assert {each.value for each in ran} == {None}
    assert sandbox.run("def f(x): return x", "f", ONE) == [(1.5, "")]


def test_who_sleeps_is_woken_by_the_clock(sandbox, monkeypatch):
    monkeypatch.setattr(outside, "WALL_SECONDS", 1.0)
    ran = sandbox.run("import time\ndef f(x): time.sleep(3600)", "f", ONE * 3)
    assert ran == [(None, "took too long: it may loop without end")] * 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "return 10 ** 10 ** 9",
        "import re; re.match('(a*)*b', 'a' * 64)",
        "[0] * 10**8; return sum(range(10**12))",
        "import sys; sys.setrecursionlimit(10**9); return (g := lambda n: g(n + 1))(0)",
        "return len('x' * 2**40)",
        "return sorted(iter(int, 1))",
        "while True:\n  try: f(x)\n  except BaseException: pass",
    ],
)
def test_what_holds_the_interpreter_is_ended(body, sandbox):
    ran = sandbox.run(f"def f(x):\n {body}", "f", ONE)
    assert ran[0].value is None
    assert ran[0].fault.startswith(("took too long", "needed more", "crashed", "stopped"))
    assert sandbox.run("def f(x): return x", "f", ONE) == [(1.5, "")]


_SLEEPS = """
import os, sys
from grading.sandbox import Sandbox
held = Sandbox.best()
print(held._warm.pid, flush=True)
while True:  # each is ended after seconds, and a busy machine may look later than that
    held.run("import time\\ndef f(x): time.sleep(3600)", "f", [{"x": 1.0}])
"""


def of_session(number):
    """The processes that belong to a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, *held = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(held[2]) == number and state != "Z":
                found.append(int(folder.name))
    return found


def test_who_sleeps_does_not_outlive_a_grader_that_is_killed(sandbox):
    grader = subprocess.Popen([sys.executable, "-c", _SLEEPS], stdout=subprocess.PIPE, cwd=ROOT)
    warm = int(grader.stdout.readline())
    ends = time.monotonic() + 60
    while len(seen := of_session(warm)) < 3 and time.monotonic() < ends:  # it sleeps by now
        time.sleep(0.05)
    grader.kill()
    grader.communicate()
    assert len(seen) >= 3
    while of_session(warm) and time.monotonic() < ends:
        time.sleep(0.05)
    assert of_session(warm) == []


def test_a_warm_process_that_died_is_replaced(monkeypatch):
    monkeypatch.setattr(sandboxes, "_held", sandboxes._Held(0, None, ""))
    first = sandboxes.available()
    if first is None:
        pytest.skip(sandboxes.why_not())
    first.close()
    second = sandboxes.available()
    try:
        assert second.run("def f(x): return x", "f", ONE) == [(1.5, "")]
        assert sandboxes.available() is second
    finally:
        second.close()


@pytest.fixture(scope="module")
def weaker():
    """The tier of a machine without namespaces, where this kernel has it."""
    zygote = importlib.import_module("grading.sandbox.zygote")
    rules = zygote.rules([])
    if rules is None or zygote.filter_of_calls() is None:
        pytest.skip("this kernel has no Landlock, or no filter of calls for this processor")
    os.close(rules)
    held = Sandbox("landlock")
    yield held
    held.close()


def test_the_weaker_tier_holds_against_the_attack_on_itself(weaker):
    assert weaker.attacked() == 0


_AMONG = ("read the course's secret", "read the checks", "connect", "send a datagram", "fork")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in _AMONG else pytest.mark.slow) for n in ATTEMPTS]
)
def test_the_weaker_tier_says_so_and_refuses_the_same(name, weaker, attempts):
    assert "weaker" in weaker.walls
    ran = weaker.run(attempts[name], "f", [*ONE, {"x": 2.5}])
    assert ran == [(TRIED, ""), (TRIED, "")]


def test_without_walls_the_attack_on_itself_succeeds_and_needs_a_word_of_trust(monkeypatch):
    monkeypatch.setattr(Sandbox, "walled", ())
    with pytest.raises(NoSandbox, match="--i-trust-these runs it without"):
        Sandbox.best()
    trusted = Sandbox.best(trusted=True)
    try:
        assert (trusted.tier, trusted.walls) == ("none", "no walls at all")
        assert trusted.attacked() & 0b000111 == 0b000111
        assert trusted.run("def f(x): return x", "f", ONE) == [(1.5, "")]
    finally:
        trusted.close()


def test_a_sheet_whose_functions_ran_behind_less_says_so(monkeypatch, sheet):
    function = {"q6": {"value": "def gain(share):\n    return 1.0\n"}}
    told = sheet("ada", function, assignment="01_memory_wall", variant={}, journal=[])

    def flags(answers):
        held = Judge().sheet(sheet_of(told | {"answers": answers}))
        return [str(flag) for flag in held.flags if flag.kind == "weak-walls"]

    monkeypatch.setattr(Sandbox, "walled", ())
    monkeypatch.setenv("GRADING_TRUSTS_CODE", "1")
    monkeypatch.setattr(sandboxes, "_held", sandboxes._Held(0, None, ""))
    try:
        assert flags(function) == ["its functions were run behind no walls at all"]
        assert flags({}) == []
    finally:
        sandboxes.available().close()


def test_a_tier_that_its_own_attack_breaks_is_not_used(monkeypatch, sandbox):
    if sandbox.tier != "namespaces":
        pytest.skip("this machine has no namespaces to break")
    monkeypatch.setattr(Sandbox, "walled", (("namespaces", 0),))
    monkeypatch.setattr(Sandbox, "attacked", lambda self: 0b000010)
    with pytest.raises(NoSandbox):
        Sandbox.best()


def test_both_sides_frame_alike():
    assert outside.FRAME.format == importlib.import_module("grading.sandbox.zygote").FRAME.format


def test_on_another_system_functions_are_kept_for_later(monkeypatch):
    monkeypatch.setattr(sandboxes, "_held", sandboxes._Held(0, None, ""))
    monkeypatch.setattr(outside.sys, "platform", "win32")
    mark = CHECKS.questions["code"].answered(Answer(value=f"{HEAD} return 1"), V)[1]
    assert (mark.kind, mark.out_of) == ("kept", 0)
    assert sandboxes.why_not() == "functions are run on Linux only, and this is win32"


@pytest.mark.parametrize(
    ("body", "kind", "points", "words"),
    [
        ("return read / bandwidth + tax", "right", 2, "Right"),
        ("return 8 * read / bandwidth + tax", "misconception", 0.5, "counted in bytes"),
        ("return read / bandwidth + tax if tax else 1 / tax", "partly", 1.5, "ZeroDivisionError"),
        ("return tax", "wrong", 0, "Not so. Bytes over bandwidth"),
        ("return bandwith", "wrong", 0, "name 'bandwith' is not defined"),
    ],
)
def test_a_function_is_judged_by_what_it_gives(body, kind, points, words, sandbox, monkeypatch):
    # one of the four inputs has no tax
    monkeypatch.setattr(sandboxes, "_held", sandboxes._Held(os.getpid(), sandbox, ""))
    mark = CHECKS.questions["code"].answered(Answer(value=f"{HEAD} {body}"), V)[1]
    assert mark.kind == kind, mark
    assert (mark.points, mark.out_of) == (points, 2)
    assert words in mark.message
