"""Rows predicted by constants that were found without them, and how far off others may be."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from mlsysim.evaluation.validate.rows import Row, Unpredictable, device_of, model_of
from mlsysim.evaluation.validate.stack import calibrated
from mlsysim.stacks.ranges import PARTS as INTERVALS
from mlsysim.stacks.ranges import Within, within

if TYPE_CHECKING:
    from mlsysim.evaluation.validate.score import Prediction

SHEET = files("mlsysim.literature") / "data" / "left_out.csv"
WITHOUT = ("table", "model", "device")  # what a row's constants were found without
FEW = 10  # rows of other tables by which a domain knows how far off it is; else all domains tell


@cache
def known() -> dict[str, dict[str, str]]:
    """What was written of each row that ships."""
    lines = SHEET.read_text(encoding="utf-8").splitlines() if SHEET.is_file() else []
    return {line["id"]: line for line in csv.DictReader(lines)}


def left_out(found: Sequence[Prediction], what: str) -> list[Prediction]:
    """Calibrated predictions, by constants that were found without a row's table, model or device.

    What no constant was fitted for stays as it is.
    """
    return [each._replace(value=_without(each.row, each.value, what)) for each in found]


def _without(row: Row, value: float | None, what: str) -> float | None:
    line = known().get(row.id)
    return value if line is None or value is None else float(line[what])


def told(row: Row) -> Within | None:
    """Those factors as the stack that ran a row tells them; none where it was not measured."""
    kind = None
    with suppress(Unpredictable):  # a kernel alone has no model
        kind = getattr(model_of(row), "kind", None)
    return within(calibrated(row), device_of(row).generation, kind)


def spread(off: Sequence[float], part: float) -> float:
    """The factor within which so large a part of some logarithms of ratios lie."""
    ordered = sorted(map(abs, off))
    place = min(math.ceil(part * (len(ordered) + 1)), len(ordered))
    return math.exp(ordered[place - 1])


def covered(found: Sequence[Prediction]) -> dict[str, tuple[float, ...]]:
    """For each row, by what factor it may be off half of the time, and nine times of ten.

    The rows of its domain in other tables tell, and where these are few those of all domains; where
    there is no other table, the stack.
    """
    off = [(e.row, math.log(e.ratio)) for e in found if e.ratio]
    factors: dict[tuple[str, str], tuple[float, ...]] = {}
    known = {}
    for row, _ in off:
        key = row.domain, row.source_table
        if key not in factors:
            others = [(r, of) for r, of in off if r.source_table != row.source_table]
            near = [of for r, of in others if r.domain == row.domain]
            near = near if len(near) >= FEW else [of for _, of in others]
            factors[key] = tuple(spread(near, part) for part in INTERVALS) if near else ()
        known[row.id] = factors[key] or told(row) or ()
    return known
