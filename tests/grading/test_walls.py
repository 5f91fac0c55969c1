"""The parts of the sandbox one by one, without a process: what is let through, read and told."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import mlsysim
from grading import sandbox as sandboxes
from grading.sandbox import NoSandbox, Outcome, Sandbox, outside

if sys.platform != "linux":
    pytest.skip("functions are run on Linux only", allow_module_level=True)

from grading.sandbox import zygote

# ---- the kernel's walls --------------------------------------------------------------------------

# calls by name, with their numbers on x86_64 and on aarch64
# (Linux: syscall_64.tbl and asm-generic/unistd.h)
LET_THROUGH = """
read 0 63, write 1 64, close 3 57, fstat 5 80, lseek 8 62, mmap 9 222, mprotect 10 226, munmap
11 215, brk 12 214, rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, pread64 17
67, readv 19 65, writev 20 66, sched_yield 24 124, mremap 25 216, madvise 28 233, nanosleep 35
101, getpid 39 172, exit 60 93, uname 63 160, getcwd 79 17, gettimeofday 96 169, getrusage 98
165, sysinfo 99 179, times 100 153, getuid 102 174, getgid 104 176, geteuid 107 175, getegid 108
177, sigaltstack 131 132, gettid 186 178, futex 202 98, sched_getaffinity 204 123, getdents64
217 61, clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115, exit_group 231 94,
openat 257 56, newfstatat 262 79, readlinkat 267 78, getrandom 318 278, membarrier 324 283,
statx 332 291, rseq 334 293
"""
OLD = {"open": 2, "stat": 4, "lstat": 6, "access": 21, "readlink": 89, "time": 201}  # x86_64 alone


def filtered(held, arch, call):
    """What a filter of calls answers: its program, run as the kernel runs it."""
    count, where = struct.unpack_from("@HP", held.raw)
    program = [*struct.iter_unpack("=HBBI", ctypes.string_at(where, 8 * count))]
    assert struct.calcsize("@HP") + 8 * count == len(held)
    word, step = 0, 0
    while True:
        code, yes, no, constant = program[step]
        step += 1
        if code == 0x20:  # load a word of (the call's number, the processor)
            word = {0: call, 4: arch}[constant]
        elif code == 0x15:  # jump if it is equal
            step += yes if word == constant else no
        else:
            assert code == 0x06
            return constant


@pytest.mark.parametrize(("machine", "arch"), [("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)])
def test_the_filter_lets_through_what_stands_on_the_list_and_nothing_else(
    machine, arch, monkeypatch
):
    monkeypatch.setattr(zygote.os, "uname", lambda: SimpleNamespace(machine=machine))
    held = zygote.filter_of_calls()
    which = ["x86_64", "aarch64"].index(machine)
    wanted = {int(each.split()[1 + which]) for each in LET_THROUGH.split(",")}
    wanted |= {*OLD.values()} if machine == "x86_64" else set()
    answers = {call: filtered(held, arch, call) for call in range(600)}
    assert {call for call, said in answers.items() if said == 0x7FFF0000} == wanted
    assert {answers[call] for call in answers.keys() - wanted} == {0x50001}  # refused, with EPERM
    assert filtered(held, arch ^ 1, min(wanted)) == 0x80000000  # another processor's: killed
    monkeypatch.setattr(zygote.os, "uname", lambda: SimpleNamespace(machine="riscv64"))
    assert zygote.filter_of_calls() is None


def test_bounds_are_one_second_half_a_gigabyte_and_nothing_that_lasts(monkeypatch):
    bounds = {}
    monkeypatch.setattr(zygote.resource, "setrlimit", bounds.__setitem__)
    zygote.limit(1000)
    assert outside.WALL_SECONDS == 10  # of all calls of a function together
    assert bounds == {
        resource.RLIMIT_CPU: (1, 2),  # a signal, and a second later the end
        resource.RLIMIT_AS: (1000 + 512 * 1024**2,) * 2,
        resource.RLIMIT_NOFILE: (16, 16),
        resource.RLIMIT_NPROC: (0, 0),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }


@pytest.mark.parametrize(
    ("version", "held"),
    [  # by Landlock's version: 13 rights of files, then 14, 15, 16; ports; signals and sockets
        (1, [2**13 - 1]),
        (2, [2**14 - 1]),
        (3, [2**15 - 1]),
        (4, [2**15 - 1, 3]),
        (5, [2**16 - 1, 3]),
        (6, [2**16 - 1, 3, 3]),
        (9, [2**16 - 1, 3, 3]),
    ],
)
def test_landlock_handles_all_that_its_version_knows(monkeypatch, tmp_path, version, held):
    calls = []

    def syscall(number, first, *rest):
        calls.append((number, first, *rest))
        return version if first is None else 77

    monkeypatch.setattr(zygote, "_LIBC", SimpleNamespace(syscall=syscall))
    assert zygote.rules([str(tmp_path)]) == 77
    asked, made, rule = calls
    assert asked == (444, None, 0, 1)
    assert made == (444, struct.pack(f"={len(held)}Q", *held), 8 * len(held), 0)
    assert rule[:3] == (445, 77, 1)
    rights, beneath = struct.unpack("=Qi", rule[3])
    assert rights == 0b1100  # read files, list folders
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(beneath)
    monkeypatch.setattr(zygote, "_LIBC", SimpleNamespace(syscall=lambda *_: 0))
    assert zygote.rules([]) is None


def test_folders_that_a_function_needs_stand_once_and_whole():
    paths = zygote.readable()
    assert paths == sorted(paths)
    assert all(Path(path).is_dir() for path in paths)
    assert not [a for a in paths for b in paths if a.startswith(f"{b}/")]
    here = (os.__file__, pytest.__file__, mlsysim.__file__)
    assert all(any(file.startswith(f"{path}/") for path in paths) for file in here)


# ---- one call ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return x + 1", {"value": 2.5}),
        ("return math.sqrt(np.float64(4))", {"value": 2.0}),
        ("return '7'", {"error": "gave no number but '7'"}),
        ("return b'7'", {"error": "gave no number but b'7'"}),
        ("return x > 1", {"error": "gave no number but True"}),
        ("pass", {"error": "gave no number but None"}),
        ("return 'x' * 99", {"error": f"gave no number but '{'x' * 59}"}),
        ("raise MemoryError", {"error": "needed more than 512 MB of memory"}),
        (
            "\n return 1 / 0",
            {"error": "stopped in line 3 with ZeroDivisionError: division by zero"},
        ),
        (
            "return math.sqrt(g())\ndef g():\n raise KeyError",
            {"error": "stopped in line 4 with KeyError"},
        ),
        (
            "raise ValueError('y' * 201)",
            {"error": f"stopped in line 2 with ValueError: {'y' * 200}"},
        ),
        ("raise SystemExit(3)", {"error": "stopped in line 2 with SystemExit: 3"}),
        (
            "return [x]",
            {
                "error": "stopped with TypeError: float() argument must be a string or a "
                "real number, not 'list'"
            },
        ),
    ],
)
def test_a_call_comes_to_a_number_or_to_words(body, told):
    import numpy  # noqa: F401 - as the warm process has it

    assert zygote.call(f"def f(x):\n {body}", "f", {"x": 1.5}) == told


@pytest.mark.parametrize(
    ("ended", "written", "outcome"),
    [
        (0, b'{"value": 1.5}', Outcome(1.5)),
        (-signal.SIGXCPU, b'{"value": 1.5}', Outcome(1.5)),
        (None, b"", "took too long: it may loop without end"),
        (-signal.SIGXCPU, b"", "took too long: it may loop without end"),
        (-signal.SIGKILL, b"", "ended without a result"),
        (0, b"", "ended without a result"),
        (3, b"", "ended without a result"),
        (-signal.SIGSEGV, b"", "crashed Python (signal 11)"),
        (0, b'{"error": "a\\n  b\\u0000"}', "a b\ufffd"),
        (0, b'{"error": "' + b"x" * 241 + b'"}', "x" * 240),
        (0, b'{"value": NaN}', "gave nan: not finite"),
        (0, b'{"value": -Infinity}', "gave -inf: not finite"),
        *(
            (0, text, "wrote something else than one result")
            for text in (
                *(b'{"value": 1}', b'{"value": true}', b'{"value": "1"}', b'{"value": [1.5]}'),
                *(b"{}", b"[1.5]", b"1.5", b"{", b"\xff", b"[" * 100_000),
            )
        ),
    ],
)
def test_of_what_a_call_wrote_nothing_is_more_than_a_number_or_a_line(ended, written, outcome):
    wanted = Outcome(None, outcome) if isinstance(outcome, str) else outcome
    assert outside._outcome(ended, written) == wanted


def test_a_frame_is_read_whole_and_what_follows_is_left():
    into, out = os.pipe()
    soon = time.monotonic() + 5
    os.write(out, struct.pack("=iI", -9, 3) + b"abc" + struct.pack("=iI", 1, 70_000))
    os.set_blocking(out, False)
    assert outside._frame(into, soon) == (-9, b"abc")
    part = os.write(out, b"x" * 40_000)
    assert part == 40_000
    assert outside._frame(into, time.monotonic() + 0.05) == (None, b"")  # the rest never came
    assert outside._frame(into, time.monotonic() - 1) == (None, b"")
    os.write(out, b"abc")  # half a head
    os.close(out)
    assert outside._frame(into, soon) == (-9, b"")
    os.close(into)


# ---- which walls ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "trusted", "tier"),
    [
        ({"namespaces": 0, "landlock": 0}, True, "namespaces"),
        ({"namespaces": 0b100000, "landlock": 0b110000}, False, "landlock"),
        ({"namespaces": None, "landlock": 0}, False, "landlock"),
        ({"landlock": 0b010000}, False, "landlock"),  # the first does not start
        ({"namespaces": 1, "landlock": 0b000001}, True, "none"),
        ({"namespaces": None, "landlock": None}, True, "none"),
        ({"namespaces": 0b010000, "landlock": 0b111000}, False, None),
    ],
)
def test_the_strongest_walls_that_hold_are_taken(got, trusted, tier):
    opened, closed = [], []

    class Tried(Sandbox):
        def __init__(self, tier):
            if tier != "none" and tier not in got:
                raise NoSandbox
            self.tier = tier
            opened.append(tier)

        def attacked(self):
            return got[self.tier]

        def close(self):
            closed.append(self.tier)

    if tier is None:
        with pytest.raises(NoSandbox) as error:
            Tried.best(trusted=trusted)
        assert str(error.value) == (
            "this machine offers no walls for strangers' code; --i-trust-these runs it without"
        )
        assert closed == opened
        return
    assert Tried.best(trusted=trusted).tier == tier
    assert closed == [each for each in opened if each != tier]


def test_a_process_keeps_its_sandbox_until_it_dies_or_is_shut(monkeypatch):
    made, closed = [], []

    class Held:
        def __init__(self, tier="namespaces"):
            self.alive, self.tier, self.walls = True, tier, f"{tier} alone"
            made.append(self)

        def close(self):
            closed.append(self)

    def best(*, trusted):
        return Held("none" if trusted else "namespaces")

    monkeypatch.setattr(Sandbox, "best", best)
    monkeypatch.setattr(sandboxes, "_held", sandboxes._Held(0, None, ""))
    for name in ("GRADING_TRUSTS_CODE", "GRADING_RUNS_NO_CODE"):
        monkeypatch.setenv(name, "")  # what is set below is taken back with it
        monkeypatch.delenv(name)
    assert sandboxes.weaker() == ""
    first = sandboxes.available()
    assert sandboxes.available() is first
    assert (sandboxes.why_not(), sandboxes.weaker()) == ("", "")
    first.alive = False
    second = sandboxes.available()
    assert second is not first
    monkeypatch.setattr(sandboxes.os, "getpid", lambda: -1)  # as after a fork
    sandboxes.trust()
    third = sandboxes.available()
    assert (len(made), third.tier, sandboxes.weaker()) == (3, "none", "none alone")
    sandboxes.shut("the secret lies here")
    assert closed == [third]
    assert sandboxes.available() is None
    assert sandboxes.why_not() == "the secret lies here"
    assert sandboxes.weaker() == ""
    del os.environ["GRADING_RUNS_NO_CODE"]
    monkeypatch.setattr(sandboxes, "_held", sandboxes._Held(-2, second, ""))
    sandboxes.shut("again")  # another process's is not this one's to close
    assert closed == [third]


def test_where_no_walls_are_it_is_said_why(monkeypatch):
    monkeypatch.setattr(sandboxes, "_held", sandboxes._Held(0, None, ""))
    monkeypatch.setattr(outside.sys, "platform", "darwin")
    assert sandboxes.available() is None
    assert sandboxes.why_not() == "functions are run on Linux only, and this is darwin"
