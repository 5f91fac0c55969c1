"""How good predictions are: per domain and over all, with what could not be predicted counted."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, NamedTuple

from mlsysim.core.errors import MLSysError
from mlsysim.evaluation.validate.left_out import INTERVALS, WITHOUT, covered, left_out
from mlsysim.evaluation.validate.predict import CALIBRATED, LEVELS, predicted
from mlsysim.evaluation.validate.rows import Row, read

WITHIN = (1.5, 2.0, 3.0)
WORST = 5


class Prediction(NamedTuple):
    """A row and what is predicted of it, in the row's unit; `reason` where there is nothing."""

    row: Row
    value: float | None
    reason: str

    @property
    def ratio(self) -> float | None:
        """Predicted over measured."""
        return None if self.value is None else self.value / self.row.measured

    @property
    def factor(self) -> float:
        """How many times too large or too small; infinite where nothing is predicted."""
        ratio = self.ratio
        return math.inf if not ratio or not math.isfinite(ratio) else max(ratio, 1 / ratio)

    @property
    def error(self) -> float:
        """The part of the measurement by which the prediction is off."""
        return math.inf if self.ratio is None else abs(self.ratio - 1)


class Score(NamedTuple):
    """How good the predictions of some rows are; medians and shares count all of them.

    `within` are the shares no more than so many times off, `bias` the geometric mean of predicted
    over measured, `tables` the median over the medians of the source tables. `covered` are the
    shares within the intervals of one half and nine tenths that other tables give.
    """

    name: str
    rows: int
    answered: int
    error: float
    within: tuple[float, ...]
    bias: float | None
    tables: float
    covered: tuple[float, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON has it: what is infinite is null."""
        shares = zip((f"within_{limit:g}x" for limit in WITHIN), self.within, strict=True)
        hits = zip((f"covered_{part:.0%}" for part in INTERVALS), self.covered, strict=False)
        return {
            "rows": self.rows,
            "answered": self.answered,
            "median_error": _finite(self.error),
            **dict(shares),
            **dict(hits),
            "geometric_mean_ratio": self.bias,
            "median_over_tables": _finite(self.tables),
        }


def predictions(rows: Iterable[Row], stack: Any) -> list[Prediction]:
    """Every row with its prediction, or with the reason why it has none."""
    return [_prediction(row, stack) for row in rows]


def judged(rows: Sequence[Row]) -> dict[str, list[Prediction]]:
    """Every row at every level; of rows that ship, the calibrated one without what is left out."""
    found = {name: predictions(rows, level) for name, level in LEVELS.items()}
    if any(row in read() for row in rows[:1]):
        found |= {f"without its {what}": left_out(found[CALIBRATED], what) for what in WITHOUT}
    return found


def _prediction(row: Row, stack: Any) -> Prediction:
    try:
        value = float(predicted(row, stack))
    except MLSysError as error:
        return Prediction(row, None, str(error))
    if not (math.isfinite(value) and value > 0):
        return Prediction(row, None, "the answer is not a positive number")
    return Prediction(row, value, "")


def scores(found: Sequence[Prediction]) -> list[Score]:
    """One score for each domain, and one over all."""
    domains = defaultdict(list)
    for each in found:
        domains[each.row.domain].append(each)
    near = covered(found)
    return [*(_score(name, of, near) for name, of in domains.items()), _score("all", found, near)]


def _score(name: str, found: Sequence[Prediction], near: dict[str, tuple[float, ...]]) -> Score:
    tables = defaultdict(list)
    for each in found:
        tables[each.row.source_table].append(each.error)
    ratios = [each.ratio for each in found if each.ratio]
    hits = [[f.factor <= most for most in of] for f in found if (of := near.get(f.row.id))]
    return Score(
        name=name,
        rows=len(found),
        answered=len(ratios),
        error=median(each.error for each in found),
        within=tuple(sum(f.factor <= limit for f in found) / len(found) for limit in WITHIN),
        bias=math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None,
        tables=median(median(errors) for errors in tables.values()),
        covered=tuple(map(_share, zip(*hits, strict=True))),
    )


def _share(of: Iterable[bool]) -> float:
    kept = list(of)
    return sum(kept) / len(kept)


def worst(found: Iterable[Prediction], count: int = WORST) -> list[Prediction]:
    """The answered rows that are farthest off, the farthest first."""
    answered = [each for each in found if each.value is not None]
    return sorted(answered, key=lambda each: -each.factor)[:count]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
