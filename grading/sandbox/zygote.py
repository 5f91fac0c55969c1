"""The warm process: it forks, walls itself in and runs one function; it never imports the grader.

It runs as a file of its own, isolated and with an empty environment, so that nothing of a check is
in its memory or in its reach. For each submission it forks a keeper, the first process of a
namespace of its own, which forks again for every input: no call learns of another. The learner's
process can read the standard library, numpy and the package, and write to one pipe.
"""

from __future__ import annotations

import ctypes
import gc
import json
import math
import os
import resource
import signal
import socket
import struct
import sys
import sysconfig
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

CPU_SECONDS = 1  # of one call; kernels count whole ones
MEMORY = 512 * 2**20  # beyond what the warm process holds already
MOST_BYTES = 64 * 2**10  # of a result
NOBODY = 65534
OUT = 3  # the descriptor that a result goes to
FRAME = struct.Struct("=iI")  # how the call ended, and how many bytes it wrote
_MOST_FILES = 16

# ---- the kernel, of which Python knows too little ------------------------------------------------

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER = 0x20000, 0x4000000, 0x8000000, 0x10000000
_NEWPID, _NEWNET = 0x20000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_LOCKED = 0xF | 1024 | 2048 | 1 << 21  # flags that a namespace may not take off again
_DETACH = 2
_DEATHSIG, _DUMPABLE, _SECCOMP, _NO_NEW_PRIVS = 1, 4, 22, 38
_RULESET, _RULE, _RESTRICT = 444, 445, 446  # Landlock's calls have one number everywhere
_PIVOT = {"x86_64": 155, "aarch64": 41}
_CAPSET = {"x86_64": 126, "aarch64": 91}
# what a call may ask of the kernel: memory, time, its own files; no process, socket or signal
_ALLOWED = {
    "x86_64": (0xC000003E, "0 1 2 3 4 5 6 8 9 10 11 12 13 14 15 17 19 20 21 24 25 28 35 39 60 63 79"
               " 89 96 98 99 100 102 104 107 108 131 186 201 202 204 217 228 229 230 231 257 262"
               " 267 318 324 332 334"),
    "aarch64": (0xC00000B7, "17 56 57 61 62 63 64 65 66 67 78 79 80 93 94 98 101 113 114 115 123"
                " 124 132 134 135 139 153 160 165 169 172 174 175 176 177 178 179 214 215 216 222"
                " 226 233 278 283 291 293"),
}  # fmt: skip


def _asked(done: int) -> int:
    """What a call to the kernel returned; raises OSError."""
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    texts = (each.encode() if each is not None else None for each in (source, target, kind))
    _asked(_LIBC.mount(*texts, ctypes.c_ulong(flags), data.encode()))


def _prctl(option: int, *given: int) -> None:
    _asked(_LIBC.prctl(option, *map(ctypes.c_ulong, (*given, 0, 0, 0)[:4])))


# ---- walls ---------------------------------------------------------------------------------------


def readable() -> list[str]:
    """The folders that a function needs: the standard library, installed packages, this package."""
    paths = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", f"{sys.base_prefix}/lib"]
    paths += [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    if package := getattr(sys.modules.get("mlsysim"), "__file__", None):
        paths.append(str(Path(package).parent))
    kept: list[str] = []
    for path in sorted({path for path in paths if Path(path).is_dir()}):
        if not any(path.startswith(f"{held}/") for held in kept):
            kept.append(path)
    return kept


def enter(paths: list[str]) -> None:
    """Leave this machine for a read-only root of these folders, without a network; OSError."""
    uid, gid = os.geteuid(), os.getegid()
    apart = _NEWNS | _NEWNET | _NEWIPC | _NEWUTS
    _asked(_LIBC.unshare(apart if uid == 0 else apart | _NEWUSER))
    if uid:
        for name, line in (("setgroups", "deny"), ("uid_map", uid), ("gid_map", gid)):
            text = line if name == "setgroups" else f"{line} {line} 1"
            Path(f"/proc/self/{name}").write_text(str(text), encoding="ascii")
    _mount(None, "/", None, _REC | _PRIVATE)
    root = "/proc"  # where the new root is built: nothing that is bound lies there
    _mount("none", root, "tmpfs", _NOSUID | _NODEV, "size=1m,nr_inodes=1k,mode=755")
    for path in paths:
        target = root + path
        Path(target).mkdir(parents=True, exist_ok=True)
        _mount(path, target, None, _BIND | _REC)
        locked = os.statvfs(target).f_flag & _LOCKED
        _mount(None, target, None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV | locked)
    os.chdir(root)
    _asked(_LIBC.syscall(_PIVOT[os.uname().machine], b".", b"."))
    _asked(_LIBC.umount2(b".", _DETACH))
    os.chdir("/")
    _mount(None, "/", None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


def limit(size: int) -> None:
    """Bounds that hold whatever else does: time, memory, files, processes."""
    for what, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, size + MEMORY),
        (resource.RLIMIT_NOFILE, _MOST_FILES),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        most_of_all = most + 1 if what == resource.RLIMIT_CPU else most
        resource.setrlimit(what, (most, most_of_all))


def become_nobody() -> None:
    """Give up every right: of root, or of root in a namespace."""
    if os.geteuid() == 0:
        with suppress(OSError):  # root of a container that knows no other user
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
    if machine := _CAPSET.get(os.uname().machine):
        header, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)
        _asked(_LIBC.syscall(machine, header, none))
    _prctl(_NO_NEW_PRIVS, 1)
    _prctl(_DEATHSIG, signal.SIGKILL)


def rules(paths: list[str]) -> int | None:
    """Landlock's rules: read these folders, and nothing else of files, sockets or signals.

    As far as this kernel can; None where it cannot at all.
    """
    version = _LIBC.syscall(_RULESET, None, 0, 1)
    if version < 1:
        return None
    files = (1 << (13, 14, 15, 15, 16)[min(version, 5) - 1]) - 1
    held = struct.pack("=QQQ", files, 3, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _asked(_LIBC.syscall(_RULESET, held, len(held), 0))
    for path in paths:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", 1 << 2 | 1 << 3, beneath)  # read files, list folders
        _asked(_LIBC.syscall(_RULE, ruleset, 1, rule, 0))
        os.close(beneath)
    return ruleset


def filter_of_calls() -> Any:
    """What refuses every call to the kernel that is not on the list of this processor, if any."""
    if (machine := os.uname().machine) not in _ALLOWED:
        return None
    arch, numbers = _ALLOWED[machine]
    allowed = [int(number) for number in numbers.split()]
    load, equal, back = 0x20, 0x15, 0x06
    lines = [(load, 0, 0, 4), (equal, 1, 0, arch), (back, 0, 0, 0x80000000), (load, 0, 0, 0)]
    lines += [(equal, len(allowed) - i, 0, number) for i, number in enumerate(allowed)]
    lines += [(back, 0, 0, 0x50000 | 1), (back, 0, 0, 0x7FFF0000)]
    program = b"".join(struct.pack("=HBBI", *line) for line in lines)
    head = struct.calcsize("@HP")
    held = ctypes.create_string_buffer(head + len(program))
    held.raw = struct.pack("@HP", len(lines), ctypes.addressof(held) + head) + program
    return held


# ---- one call ------------------------------------------------------------------------------------


def call(source: str, name: str, given: dict[str, float]) -> dict[str, Any]:
    """What a function returns for one input, or what happened, in words."""
    try:
        module = types.ModuleType("answer")
        module.__dict__.update(math=math, np=sys.modules.get("numpy"))
        exec(compile(source, "answer", "exec"), module.__dict__)
        value = getattr(module, name)(**given)
        if isinstance(value, (str, bytes, bool)) or value is None:
            return {"error": f"gave no number but {value!r:.60}"}
        return {"value": float(value)}
    except MemoryError:
        return {"error": f"needed more than {MEMORY // 2**20} MB of memory"}
    except BaseException as error:
        line, trace = "", error.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename == "answer":
                line = f" in line {trace.tb_lineno}"
            trace = trace.tb_next
        said = f": {str(error)[:200]}" if str(error) else ""
        return {"error": f"stopped{line} with {type(error).__name__}{said}"}


def answer(asked: dict[str, Any], given: dict[str, float], out: int, walls: dict[str, Any]) -> None:
    """The learner's process: wall in, run, write, and be gone."""
    ruleset = walls["rules"] and os.dup(walls["rules"])  # above OUT, as a pipe's end was
    os.dup2(out, OUT)
    os.closerange(0, OUT)
    os.closerange(OUT + 1, ruleset or OUT + 1)
    os.closerange((ruleset or OUT) + 1, 4096)
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    try:
        if walls["tier"] != "none":
            become_nobody()
            limit(walls["size"])
            if ruleset:
                _asked(_LIBC.syscall(_RESTRICT, ruleset, 0))
                os.close(ruleset)
            if walls["calls"]:
                _prctl(_SECCOMP, 2, ctypes.addressof(walls["calls"]))
        else:
            _prctl(_DEATHSIG, signal.SIGKILL)
        sys.stdout = sys.stderr = types.SimpleNamespace(write=len, flush=lambda: None)
        document = json.dumps(call(asked["source"], asked["function"], given))
    except BaseException as error:
        document = json.dumps({"error": f"could not be run ({type(error).__name__})"})
    left = document.encode()
    while left:
        left = left[os.write(OUT, left) :]
    os._exit(0)


def keep(request: int, result: int, walls: dict[str, Any]) -> None:
    """The keeper of a submission: a new process for every input, and nothing left of the last."""
    asked: dict[str, Any] = {}
    with os.fdopen(request, "rb") as lines:
        for line in lines:
            told = json.loads(line)
            if not asked:
                asked = told
                continue
            into, out = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(into)
                answer(asked, told, out, walls)
            os.close(out)
            written = b""
            while len(written) <= MOST_BYTES and (more := os.read(into, MOST_BYTES)):
                written += more
            os.close(into)
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
            written = written[: MOST_BYTES + 1]
            os.write(result, FRAME.pack(os.waitstatus_to_exitcode(status), len(written)) + written)
    os._exit(0)


def submission(request: int, result: int, walls: dict[str, Any]) -> None:
    """Between the warm process and the keeper: the end of one is the end of what is below it."""
    _prctl(_DEATHSIG, signal.SIGKILL)
    if walls["tier"] == "namespaces":
        _asked(_LIBC.unshare(_NEWPID))
        if keeper := os.fork():
            os.close(request)
            os.close(result)
            os.waitpid(keeper, 0)
            os._exit(0)
    _prctl(_DEATHSIG, signal.SIGKILL)
    _prctl(_DUMPABLE, 0)  # nobody looks into it, or takes its descriptors
    keep(request, result, walls)


def main(control: socket.socket, tier: str) -> None:
    """Warm up, wall in, then serve one submission after the other until the grader is gone."""
    for name in ("numpy", "mlsysim", "cmath", "heapq", "statistics"):  # what functions import
        with suppress(ImportError):
            __import__(name)
    with suppress(Exception):
        sys.modules["mlsysim"].Engine  # noqa: B018 - what it needs is loaded while it can be read
    paths = readable()
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf(
        "SC_PAGESIZE"
    )
    if tier == "namespaces":
        enter(paths)
        paths = ["/"]
    walls = {"tier": tier, "size": size, "calls": filter_of_calls(), "rules": None}
    if tier != "none":
        walls["rules"] = rules(paths)
    gc.freeze()  # a collection would copy what every fork shares
    control.send(b"ready")
    while True:
        told, handles, _, _ = socket.recv_fds(control, 16, 2)
        if not told:
            return
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if (child := os.fork()) == 0:
            control.close()
            try:
                submission(handles[0], handles[1], walls)
            finally:
                os._exit(1)
        for handle in handles:
            os.close(handle)
        watched = os.pidfd_open(child)
        socket.send_fds(control, [b"started"], [watched])
        os.close(watched)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
