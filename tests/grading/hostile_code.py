"""Code that tries to get what is not its own, each attempt with the means to know that it was made.

`gain()` is truthy when an attempt succeeded; the wrapped function gives 2 then, and 1 when the
attempt was made and refused. The same text, run outside the sandbox, must give 2.
"""

from __future__ import annotations

import textwrap

TRIED, GAINED = 1.0, 2.0
CANARY = "a-secret-of-this-course"
_WRAP = f"""
def f(x):
    try:
        return {GAINED} if gain() else {TRIED}
    except (OSError, ImportError, MemoryError, RuntimeError, ValueError, LookupError):
        return {TRIED}
"""
_C = "import ctypes\nC = ctypes.CDLL(None, use_errno=True)\n"

# {root}: the checkout; {secret}: a file of the grader's; {port}, {udp}: listeners; {grader}: its id
ATTEMPTS = {
    "read the accounts": "def gain(): return open('/etc/passwd').read()",
    "read the course's secret": "def gain(): return open('{secret}').read()",
    "read the checks": "def gain(): return open('{root}/grading/check.py').read()",
    "list the solutions": "import os\ndef gain(): return os.listdir('{root}/solutions')",
    "list the machine's settings": "import os\ndef gain(): return os.listdir('/etc')",
    "read the grader's environment": """
        def gain(): return open("/proc/{grader}/environ", "rb").read()
    """,
    "read its own environment": "import os\ndef gain(): return 'CANARY' in os.environ",
    "read where it was started": "def gain(): return open('/proc/self/environ', 'rb').read()",
    "list other processes": (
        "import os\ndef gain(): return [n for n in os.listdir('/proc') if n.isdigit()]"
    ),
    "list devices": "import os\ndef gain(): return 'null' in os.listdir('/dev')",
    "connect": (
        "import socket\ndef gain(): return socket.create_connection(('127.0.0.1', {port}), 1)"
    ),
    "send a datagram": """
        import socket
        def gain(): return socket.socket(2, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", {udp}))
    """,
    "listen": "import socket\ndef gain(): return socket.create_server(('127.0.0.1', 0))",
    "call by an abstract name": """
        import socket
        def gain(): return socket.socket(socket.AF_UNIX).connect("\\0{abstract}") is None
    """,
    "fork": """
        import os, signal
        def gain():
            child = os.fork()
            if child == 0:
                os._exit(0)
            return os.waitpid(child, 0)
    """,
    "start a thread": """
        import threading
        def gain(): return threading.Thread(target=int).start() is None
    """,
    "run a program": """
        import subprocess
        def gain(): return subprocess.run(["/bin/true"]) is not None
    """,
    "spawn": """
        import os
        def gain(): return os.posix_spawn("/bin/true", ["true"], {{}})
    """,
    "take memory": "def gain(): return bytearray(800 * 2**20)",
    "map memory": "def gain(): return __import__('mmap').mmap(-1, 2**30)",
    "take memory in numpy": "def gain(): return len(np.ones(10**8))",
    "share memory": _C + "def gain(): return C.shmget(0, 2**20, 0o1600) >= 0",
    "keep memory in a file": "import os\ndef gain(): return os.memfd_create('x')",
    "write a file": """
        import tempfile
        def gain(): return tempfile.mkstemp()
    """,
    "write beside the package": """
        import json, os
        def gain():
            path = os.path.join(os.path.dirname(json.__file__), "attack")
            open(path, "w").close()
            return os.unlink(path) is None
    """,
    "make folders": "import tempfile\ndef gain(): return tempfile.mkdtemp()",
    "make a link": """
        import os, tempfile
        def gain(): return os.symlink("/etc/passwd", tempfile.mktemp()) is None
    """,
    "open many files": "import os\ndef gain(): return [os.dup(3) for _ in range(64)]",
    "use descriptors that it was not given": """
        import os
        def gain():
            held = []
            for number in range(256):
                try: os.fstat(number)
                except OSError: continue
                held.append(number)
            return held != [3]
    """,
    "signal its parent": "import os\ndef gain(): return os.kill(os.getppid(), 0) is None",
    "signal the grader": "import os\ndef gain(): return os.kill({grader}, 0) is None",
    "signal everybody": "import os\ndef gain(): return os.kill(-1, 0) is None",
    "look into another process": _C + "def gain(): return C.syscall(434, {grader}, 0) >= 0",
    "make a namespace": _C + "def gain(): return C.unshare(0x4000000) == 0",
    "become root": "import os\ndef gain(): return os.setuid(0) is None",
    "call io_uring's kin": _C + "def gain(): return C.syscall(323, 1) >= 0",  # userfaultfd
    "use the kernel's keys": (
        _C + "def gain(): return C.syscall(248, b'user', b'k', b'v', 1, -2) >= 0"
    ),
    "raise its limits": """
        import resource
        def gain(): return resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)) is None
    """,
    "import the grader": "def gain(): return __import__('grading.check')",
    "find the grader among the modules": (
        "import sys\ndef gain(): return [m for m in sys.modules if m.startswith('grading')]"
    ),
    "find checks in memory": """
        import gc
        def gain():
            return [o for o in gc.get_objects() if str(type(o).__module__).startswith("grading.")]
    """,
    "find other inputs in the frames below": """
        import sys
        def gain():
            frame, seen = sys._getframe(), []
            while frame := frame.f_back:
                seen += [v for v in frame.f_locals.values() if isinstance(v, list) and v]
            return [held for held in seen if isinstance(held[0], dict) and "x" in held[0]]
    """,
    "find what was handed in before": """
        import gc
        def gain():
            wanted = "handed-in" + "-before"
            held = [o for o in gc.get_objects() if isinstance(o, dict)]
            return [v for d in held for v in list(d.values()) if isinstance(v, str) and wanted in v]
    """,
    "remember the last call": """
        import math
        def gain():
            seen, math.seen = getattr(math, "seen", 0), 1
            return seen
    """,
}


def attempt(name: str, **where: object) -> str:
    """The text of an attempt, with the addresses of what it is after."""
    return textwrap.dedent(ATTEMPTS[name]).format(**where) + _WRAP


# what is written to the pipe in place of a result: none of it is a number
FORGED = {
    "two results": b'{"value": 1.0}{"value": 1.0}',
    "a whole number": b'{"value": 1}',
    "a text": b'{"value": "1.0"}',
    "a truth value": b'{"value": true}',
    "a number for an error": b'{"error": 1.0}',
    "a list": b"[1.0]",
    "nothing": b"null",
    "half a result": b'{"value": 1.',
    "a pickle": b"cos\nsystem\n(S'touch /tmp/attack'\ntR.",
    "no text": b"\xff\xfe\x00",
    "deep brackets": b"[" * 60_000,
    "a number of many digits": b'{"value": ' + b"1" * 60_000 + b"}",
}


def forged(written: bytes) -> str:
    """A function that writes this itself, before anything else can."""
    return f"import os\ndef f(x):\n    os.write(3, {written!r})\n    os._exit(0)\n"


# what ends badly, and what is said about it
ENDS = {
    "def f(x):\n raise SystemExit": "stopped in line 2 with SystemExit",
    "raise KeyboardInterrupt\ndef f(x): pass": "stopped in line 1 with KeyboardInterrupt",
    "def f(x): return f(x)": "RecursionError",
    "import os\ndef f(x): os._exit(0)": "ended without a result",
    "import os\ndef f(x): os.close(3)": "ended without a result",
    "import ctypes\ndef f(x): return ctypes.string_at(0)": "crashed Python (signal 11)",
    "def f(x): return float('nan')": "gave nan: not finite",
    "def f(x): return -np.inf": "gave -inf: not finite",
    "def f(x): return 10**400": "OverflowError",
    "def f(x): return '2'": "gave no number but '2'",
    "def f(x): return True": "gave no number but True",
    "def f(x): pass": "gave no number but None",
    "def f(x): return x / 0": "line 1 with ZeroDivisionError: float division by zero",
    "def f(x): return [x]": "TypeError",
    "def f(x): return np.array([x, x])": "TypeError",
    "def f(y): return y": "TypeError",
    "def g(x): return x": "AttributeError",
    "def f(x): return capacity": "name 'capacity' is not defined",
    "import pandas_of_nobody\ndef f(x): return x": "No module named",
    "f = lambda x: open('/x' + chr(10) + chr(0x202e) + '<b>')": "stopped in line 1",
    "class E(Exception):\n def __str__(self): raise self\ndef f(x): raise E": "could not be run",
    "def f(x): raise ValueError('v' * 10**6)": "ValueError: vvv",
}
