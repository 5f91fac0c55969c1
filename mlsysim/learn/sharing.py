"""What marimo works out for each page anew, though it is the same for all: worked out once.

Private parts of marimo: where a version has others, its pages only open more slowly, and a test
tells.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import MISSING, fields, replace
from functools import cache, lru_cache, wraps
from importlib import import_module
from typing import Any

_MOST = 4000  # cells: two forms of each of some 20, in twice as many notebooks as there are


def read_once() -> None:
    """Have a notebook's file parsed, and its cells compiled, once for all who open it.

    Who installs a plugin for marimo starts the server anew.
    """
    _put(cache, "get_entry_points", "marimo._entrypoints.registry")
    _put(lru_cache(100), "parse_notebook", "marimo._ast.parse")
    _put(_compiled_once, "compile_cell", "marimo._ast.compiler", "marimo._runtime.runtime")
    views = "marimo._messaging.serde", "marimo._session.state.session_view"
    _put(_decoded_by_one, "deserialize_kernel_message", *views)


def _put(shared: Callable[..., Any], name: str, *modules: str) -> None:
    """Put what shares a function in its place, once, wherever it is known."""
    held = [import_module(each) for each in modules]
    real = getattr(held[0], name, None)
    if real is None or hasattr(real, "__wrapped__"):
        return
    instead = shared(real)
    for module in held:
        setattr(module, name, instead)


def _decoded_by_one(real: Callable[..., Any]) -> Callable[..., Any]:
    import msgspec  # with which marimo writes and reads
    from marimo._messaging.notification import NotificationMessage

    # what reads every message of a page takes longer to build than a hundred messages to read
    decoder: Any = msgspec.json.Decoder(NotificationMessage, strict=True)

    @wraps(real)
    def decoded(message: Any) -> Any:
        return decoder.decode(message)

    return decoded


def _compiled_once(real: Callable[..., Any]) -> Callable[..., Any]:
    held = lru_cache(_MOST)(real)

    @wraps(real)
    def compiled(code: str, *args: Any, **more: Any) -> Any:
        if not more.get("carried_imports"):
            more.pop("carried_imports", None)
        try:
            cell = held(code, *args, **more)
        except TypeError:  # compiled among imports or at a place of its own: not to be shared
            return real(code, *args, **more)
        # code and names are everybody's; what a cell starts with empty is each page's own
        own = [each.name for each in fields(cell) if each.default_factory is not MISSING]
        return replace(cell, **{name: deepcopy(getattr(cell, name)) for name in own})

    return compiled
