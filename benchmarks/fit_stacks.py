"""Fit the stacks' constants on the measurements that ship, and say what is left without a table.

    python -m benchmarks.fit_stacks            # fit every part, print constants and scores
    python -m benchmarks.fit_stacks --write    # and write the stacks' YAML and what was left out

Each constant starts from what it would be if little were known, and leaves it only as far as rows
pull it (a prior of a factor of two); tables count with the root of their size, and rows that no
constant explains count less (Huber). A left-out table is predicted by the constants that all other
tables give, one Gauss-Newton step from the whole fit.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.parts import PARTS, Part
from mlsysim.core.errors import MLSysError
from mlsysim.core.registry import parse_yaml
from mlsysim.evaluation.validate import Row, predicted, read
from mlsysim.evaluation.validate.left_out import LEFT_OUT
from mlsysim.evaluation.validate.stack import calibrated
from mlsysim.stacks.types import Stack

DATA = Path(str(files("mlsysim.stacks") / "data"))
PRIOR = math.log(2.0)  # one standard deviation of a constant before any row is seen
NOISE = 0.1  # of a row's logarithm
HUBER = 1.5  # standard deviations from where a row counts less
STEPS, WIDTH = 12, 1e-3  # Gauss-Newton steps, and the width of a difference

Chosen = Callable[[Row], Any]


@cache
def _file(stem: str) -> Path:
    return next(DATA.glob(f"*/{stem}.yaml"))


@cache
def _plain(stem: str) -> dict[str, Any]:
    return parse_yaml(_file(stem).read_text(encoding="utf-8"), stem)


def _with(stem: str, values: dict[str, float]) -> Stack:
    """A stack with some of its constants replaced, each by its path."""
    data = {key: dict(v) if isinstance(v, dict) else v for key, v in _plain(stem).items()}
    for path, value in values.items():
        *outer, last = path.split(".")
        inner: Any = data
        for key in outer:
            inner[key] = dict(inner[key])
            inner = inner[key]
        unit = str(inner[last]).partition(" ")[2]
        inner[last] = f"{value!r} {unit}" if unit else value
    return Stack.build(data)


class Fit(NamedTuple):
    """The constants of a part, and what they leave of each row's logarithm."""

    part: Part
    rows: list[Row]
    x: np.ndarray
    left: np.ndarray
    slopes: np.ndarray

    @property
    def values(self) -> list[float]:
        """The constants."""
        return self.part.values(self.x)


def chosen(part: Part, x: np.ndarray) -> Chosen:
    """The level of each row, with a part's constants as given."""
    changed: dict[str, dict[str, float]] = {}
    for (path, *_), value in zip(part.constants, part.values(x), strict=True):
        stem, _, key = path.partition(".")
        changed.setdefault(stem, {})[key] = value
    stacks = {stem: _with(stem, values) for stem, values in changed.items()}

    def level(row: Row) -> Any:
        usual = calibrated(row)
        return stacks.get(getattr(usual, "stem", ""), usual)

    return level


def left(rows: Iterable[Row], level: Chosen) -> np.ndarray:
    """The logarithm of predicted over measured."""
    return np.array([math.log(predicted(row, level) / row.measured) for row in rows])


def _slopes(part: Part, rows: list[Row], x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """How each row's logarithm changes with each constant's; other stacks' rows do not."""
    slopes = np.zeros((len(rows), len(x)))
    stems = [getattr(calibrated(row), "stem", "") for row in rows]
    for j, (path, *_) in enumerate(part.constants):
        some = [i for i, stem in enumerate(stems) if stem == path.partition(".")[0]]
        other = x.copy()
        other[j] -= WIDTH  # downwards: upwards it may be cut off
        moved = left([rows[i] for i in some], chosen(part, other))
        slopes[some, j] = (at[some] - moved) / WIDTH
    return slopes


def _step(
    left_: np.ndarray, slopes: np.ndarray, x: np.ndarray, part: Part, tables: list[str]
) -> np.ndarray:
    """The constants that are best if each row changes as its slope says."""
    count = Counter(tables)
    size = np.array([count[table] ** -0.25 for table in tables])
    start, new = part.start, x
    for _ in range(8):
        now = np.abs(left_ + slopes @ (new - x)) * size / NOISE
        weight = (size / NOISE) ** 2 * np.minimum(1.0, HUBER / np.maximum(now, 1e-9))
        normal = slopes.T @ (weight[:, None] * slopes) + np.eye(len(x)) / PRIOR**2
        target = slopes.T @ (weight * (slopes @ x - left_)) + start / PRIOR**2
        new = np.minimum(np.linalg.solve(normal, target), part.top)
    return new


def _loss(left_: np.ndarray, x: np.ndarray, part: Part, tables: list[str]) -> float:
    count = Counter(tables)
    off = np.abs(left_) * np.array([count[table] ** -0.25 for table in tables]) / NOISE
    huber = np.where(off < HUBER, off**2 / 2, HUBER * (off - HUBER / 2)).sum()
    return float(huber + ((x - part.start) ** 2).sum() / (2 * PRIOR**2))


def fit(part: Part, rows: Iterable[Row]) -> Fit:
    """The constants of a part, from the rows of its stacks."""
    stems = {path.partition(".")[0] for path, *_ in part.constants}
    own = [row for row in rows if row.domain in part.domains and _known(row)]
    own = [row for row in own if getattr(calibrated(row), "stem", "") in stems]
    tables = [row.source_table for row in own]
    x = part.start
    now = left(own, chosen(part, x))
    for _ in range(STEPS):
        slopes = _slopes(part, own, x, now)
        aim, share = _step(now, slopes, x, part, tables), 1.0
        while True:
            new = x + share * (aim - x)
            after = left(own, chosen(part, new))
            if _loss(after, new, part, tables) <= _loss(now, x, part, tables) or share < 0.1:
                break
            share /= 2
        moved, x, now = np.abs(new - x).max(), new, after
        if moved < 2e-3:
            break
    return Fit(part, own, x, now, _slopes(part, own, x, now))


def _known(row: Row) -> bool:
    try:
        return math.isfinite(predicted(row, calibrated))
    except MLSysError:
        return False


def without(found: Fit, key: Callable[[Row], str]) -> dict[str, float]:
    """Predictions of rows by the constants that are found without all rows of the same key."""
    predictions = {}
    tables = [row.source_table for row in found.rows]
    for group in dict.fromkeys(map(key, found.rows)):
        keep = np.array([key(row) != group for row in found.rows])
        x = found.part.start
        if keep.any():
            some = [table for table, kept in zip(tables, keep, strict=True) if kept]
            x = _step(found.left[keep], found.slopes[keep], found.x, found.part, some)
        level = chosen(found.part, x)
        for row in found.rows:
            if key(row) == group:
                predictions[row.id] = predicted(row, level)
    return predictions


# ---- writing -------------------------------------------------------------------------------------


def rounded(value: float) -> float:
    """Three digits."""
    return float(f"{value:.3g}")


def written(text: str, path: str, value: float) -> str:
    """A YAML text with one constant changed, all else as it stands."""
    lines, keys = text.splitlines(keepends=True), path.split(".")
    depth, place = 0, -1
    for key in keys:
        head = "  " * depth + f"{key}:"
        place = next(i for i in range(place + 1, len(lines)) if lines[i].startswith(head))
        depth += 1
    head = "  " * (depth - 1) + f"{keys[-1]}: "
    lines[place] = re.sub(rf"^{re.escape(head)}[\d.eE+-]+", head + f"{value:g}", lines[place])
    return "".join(lines)


def write(found: Fit) -> None:
    """Put the constants into the stacks' files."""
    for (path, *_), value in zip(found.part.constants, found.values, strict=True):
        stem, _, key = path.partition(".")
        file = _file(stem)
        text = written(file.read_text(encoding="utf-8"), key, rounded(value))
        text = re.sub(r"(?m)^(    read: ).*$", rf"\g<1>{dt.date.today()}", text)
        file.write_text(text, encoding="utf-8")


def write_left_out(rows: list[Row], tables: dict[str, float], models: dict[str, float]) -> None:
    """Each row as it is predicted by constants that are found without its table, and its model."""
    with Path(str(LEFT_OUT)).open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(["id", "table", "model"])
        for row in rows:
            if row.id in tables:
                sheet.writerow([row.id, f"{tables[row.id]:.4g}", f"{models[row.id]:.4g}"])


def _interval(found: Fit) -> np.ndarray:
    """One standard deviation of each constant's logarithm."""
    normal = found.slopes.T @ found.slopes / NOISE**2 + np.eye(len(found.x)) / PRIOR**2
    return np.sqrt(np.diag(np.linalg.inv(normal)))


def main(argv: list[str] | None = None) -> None:
    """Fit, print, and write if asked to."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--write", action="store_true")
    asked.add_argument("--part", action="append", choices=[part.name for part in PARTS])
    given = asked.parse_args(argv)
    rows = read()
    tables: dict[str, float] = {}
    models: dict[str, float] = {}
    for part in PARTS:
        if given.part and part.name not in given.part:
            continue
        found = fit(part, rows)
        tables |= without(found, lambda row: row.source_table)
        models |= without(found, lambda row: row.model)
        print(f"{part.name}: {len(found.rows)} rows")
        for (path, *_), value, spread in zip(
            part.constants, found.values, _interval(found), strict=True
        ):
            print(
                f"  {path:40} {value:10.3g}  {'/' if spread > 0.4 else ''}x {math.exp(spread):.2f}"
            )
        for name, of in (("fit", found.left), *_left(found, tables, models)):
            off = np.abs(np.exp(of) - 1)
            near = np.mean(np.abs(of) < math.log(1.5))
            print(f"  {name:10} median {np.median(off):.1%}, within 1.5x {near:.0%}")
        off = np.array([abs(math.log(tables[row.id] / row.measured)) for row in found.rows])
        for table in dict.fromkeys(row.source_table for row in found.rows):
            of = off[[row.source_table == table for row in found.rows]]
            print(f"    {table[:60]:60} {len(of):3} {np.median(of):.2f} {of.max():.2f}")
        if given.write:
            write(found)
    if given.write and not given.part:
        write_left_out(rows, tables, models)


def _left(found: Fit, *predictions: dict[str, float]) -> list[tuple[str, np.ndarray]]:
    return [
        (name, np.array([math.log(of[row.id] / row.measured) for row in found.rows]))
        for name, of in zip(("table out", "model out"), predictions, strict=True)
    ]


if __name__ == "__main__":
    main()
