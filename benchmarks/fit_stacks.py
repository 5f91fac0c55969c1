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
from mlsysim.evaluation.validate.left_out import FEW, INTERVALS, SHEET, WITHOUT, known, spread
from mlsysim.evaluation.validate.rows import OWN
from mlsysim.evaluation.validate.stack import calibrated
from mlsysim.stacks.types import Stack

DATA = Path(str(files("mlsysim.stacks") / "data"))
NOISE = 0.1  # of a row's logarithm
HUBER = 1.5  # standard deviations from where a row counts less
STEPS, WIDTH = 8, 1e-3  # Gauss-Newton steps, and the width of a difference

KEYS: dict[str, Callable[[Row], str]] = {
    "table": lambda row: row.source_table,
    "model": lambda row: row.model,
    "device": lambda row: row.hardware,
}
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


def places(paths: str) -> list[tuple[str, str]]:
    """The stacks, and where in them, of what one constant stands for: `a.launch+b.launch`."""
    return [(stem, key) for stem, _, key in (path.partition(".") for path in paths.split("+"))]


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
    for (paths, *_), value in zip(part.constants, part.values(x), strict=True):
        for stem, key in places(paths):
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
    for j, (paths, *_) in enumerate(part.constants):
        own = {stem for stem, _ in places(paths)}
        some = [i for i, stem in enumerate(stems) if stem in own]
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
        normal = slopes.T @ (weight[:, None] * slopes) + np.diag(part.width**-2)
        target = slopes.T @ (weight * (slopes @ x - left_)) + start / part.width**2
        new = np.minimum(np.linalg.solve(normal, target), part.top)
    return new


def _loss(left_: np.ndarray, x: np.ndarray, part: Part, tables: list[str]) -> float:
    count = Counter(tables)
    off = np.abs(left_) * np.array([count[table] ** -0.25 for table in tables]) / NOISE
    huber = np.where(off < HUBER, off**2 / 2, HUBER * (off - HUBER / 2)).sum()
    return float(huber + (((x - part.start) / part.width) ** 2).sum() / 2)


def fit(part: Part, rows: Iterable[Row]) -> Fit:
    """The constants of a part, from the rows of its stacks."""
    stems = {stem for paths, *_ in part.constants for stem, _ in places(paths)}
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


def write(constants: dict[str, float]) -> None:
    """Put constants into the stacks' files."""
    for paths, value in constants.items():
        for stem, key in places(paths):
            file = _file(stem)
            text = written(file.read_text(encoding="utf-8"), key, rounded(value))
            file.write_text(text, encoding="utf-8")


def spreads(found: Fit, apart: dict[str, dict[str, float]]) -> dict[str, float]:
    """By what factors rows of each stack lie from what is said without their table, or device."""
    stems = [getattr(calibrated(row), "stem", "") for row in found.rows]
    factors = {}
    for stem in dict.fromkeys(stems):
        own = [r for r, s in zip(found.rows, stems, strict=True) if s == stem]
        own = own if len(own) >= FEW else found.rows
        for prefix, what in (("", "table"), ("new_", "device")):
            off = [math.log(apart[what][row.id] / row.measured) for row in own]
            for name, part in zip(("half", "most"), INTERVALS, strict=True):
                factors[f"{stem}.spread.{prefix}{name}"] = spread(off, part)
        for name in ("half", "most"):  # what is new is not better known
            new = f"{stem}.spread.new_{name}"
            factors[new] = max(factors[new], factors[f"{stem}.spread.{name}"])
    return factors


def write_left_out(sheet: dict[str, dict[str, float]]) -> None:
    """Each row as it is predicted by constants that are found without its table, or the like."""
    with Path(str(SHEET)).open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["id", *WITHOUT])
        for name in sorted(sheet):
            lines.writerow([name, *(f"{sheet[name][what]:.4g}" for what in WITHOUT)])


def _interval(found: Fit) -> np.ndarray:
    """One standard deviation of each constant's logarithm."""
    normal = found.slopes.T @ found.slopes / NOISE**2 + np.diag(found.part.width**-2)
    return np.sqrt(np.diag(np.linalg.inv(normal)))


def main(argv: list[str] | None = None) -> None:
    """Fit, print, and write if asked to."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--write", action="store_true")
    asked.add_argument("--part", action="append", choices=[part.name for part in PARTS])
    given = asked.parse_args(argv)
    rows, own, before = read(), read(OWN), known()
    sheet = {name: {w: float(line[w]) for w in WITHOUT} for name, line in before.items()}
    for part in PARTS:
        if given.part and part.name not in given.part:
            continue
        found = fit(part, own if part.own else rows)
        apart = {what: without(found, key) for what, key in KEYS.items()}
        report(found, apart)
        sheet |= {row.id: {w: apart[w][row.id] for w in WITHOUT} for row in found.rows}
        if given.write:
            paths = [path for path, *_ in found.part.constants]
            write(dict(zip(paths, found.values, strict=True)) | spreads(found, apart))
            write_left_out(sheet)


def report(found: Fit, apart: dict[str, dict[str, float]]) -> None:
    """The constants with what is known of them, and how far off rows are with and without them."""
    print(f"{found.part.name}: {len(found.rows)} rows")
    known_to = np.exp(_interval(found))
    for (path, *_), value, factor in zip(found.part.constants, found.values, known_to, strict=True):
        print(f"  {path:60} {value:8.3g}  x/ {factor:.2f}")
    off = {"fit": found.left}
    for what, of in apart.items():
        off[f"no {what}"] = np.array([math.log(of[r.id] / r.measured) for r in found.rows])
    for name, of in off.items():
        error, near = np.median(np.abs(np.exp(of) - 1)), np.mean(np.abs(of) < math.log(1.5))
        print(f"  {name:10} median {error:.1%}, within 1.5x {near:.0%}")
    for table in dict.fromkeys(row.source_table for row in found.rows):
        of = np.abs(off["no table"][[row.source_table == table for row in found.rows]])
        print(f"    {table[:60]:60} {len(of):3} {np.median(of):.2f} {of.max():.2f}")


if __name__ == "__main__":
    main()
