"""The answers of a search in a file, so that one that was cut off goes on where it was.

The first line says which search it is, each further line is the place of a point and its metrics,
as JSON. Lines are only ever added; one that was cut off is dropped. Failed points are not saved,
so that a second run tries them again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np

from mlsysim.core.errors import BadArgument
from mlsysim.core.executors import Answers, Fault
from mlsysim.core.solver import Result
from mlsysim.core.units import Q_, Quantity


def load(path: Path, search: Mapping[str, Any]) -> dict[int, Any]:
    """Read the answers by place, or begin the file; raises BadArgument for another search's."""
    if not path.exists():
        path.write_text(json.dumps(search) + "\n", encoding="utf-8")
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    try:
        head, *answers = (json.loads(line, object_hook=_restored) for line in whole.splitlines())
        other = [part for part in search if head[part] != search[part]]
        held = dict(answers)
    except (ValueError, TypeError, LookupError, AttributeError, ImportError):
        raise BadArgument("save", str(path), "it is no saved search; give another file") from None
    if other:
        remedy = f"it holds a search with another {other[0]}; give another file, or delete this one"
        raise BadArgument("save", str(path), remedy)
    os.truncate(path, len(whole))
    return held


def saving(path: Path, answers: Answers) -> Answers:
    """Add answers to the file as they pass."""
    for places, found in answers:
        with path.open("a", encoding="utf-8") as file:
            for place, answer in zip(places, found, strict=True):
                if not isinstance(answer, Fault):
                    file.write(json.dumps([place, answer], default=_plain) + "\n")
        yield places, found


def _plain(value: Any) -> Any:
    """Turn what JSON does not know into what it does."""
    kind = type(value)
    if isinstance(value, Quantity):
        return {"$quantity": value.magnitude, "unit": str(value.units)}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Result) and "<" not in kind.__qualname__:
        return {"$result": f"{kind.__module__}:{kind.__qualname__}", "values": value.settled()}
    raise BadArgument("save", value, "only numbers, quantities, words and Results are saved")


def _restored(data: dict[str, Any]) -> Any:
    if "$quantity" in data:
        return Q_(data["$quantity"], data["unit"])
    if "$result" in data and issubclass(kind := resolve_name(data["$result"]), Result):
        return kind(**data["values"])
    return data
