"""Parsing in one thread at a time, where CPython needs it.

No `__future__` here: what is compiled through this module would inherit it.
"""

import ast
import builtins
import sys
import threading
from contextlib import nullcontext
from functools import wraps
from typing import Any

Version = tuple[int, int, int]


def parse_alone(version: Version = sys.version_info[:3]) -> bool:
    """Have all threads of this program parse one after the other, and say whether they must.

    Before 3.11.8 and 3.12.2 threads that parse at once can fail, since all share one counter of
    depth (python/cpython#106905): a lesson that many open at once then lacks a cell.
    """
    if version >= (3, 12, 2) or (3, 11, 8) <= version < (3, 12, 0):
        return False
    if not hasattr(builtins.compile, "__wrapped__"):
        compiled: Any = builtins.compile
        lock = threading.RLock()

        @wraps(compiled)
        def alone(source: Any, filename: Any, mode: str, flags: int = 0, *args: Any, **more: Any):
            with lock if flags & ast.PyCF_ONLY_AST else nullcontext():
                return compiled(source, filename, mode, flags, *args, **more)

        builtins.compile = alone
    return True
