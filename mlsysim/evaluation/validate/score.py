"""How good predictions are: per domain and over all, with what could not be predicted counted."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, NamedTuple

from mlsysim.core.errors import MLSysError
from mlsysim.evaluation.validate.predict import predicted
from mlsysim.evaluation.validate.rows import Row

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
    over measured, `tables` the median over the medians of the source tables.
    """

    name: str
    rows: int
    answered: int
    error: float
    within: tuple[float, ...]
    bias: float | None
    tables: float

    def plain(self) -> dict[str, Any]:
        """As JSON has it: what is infinite is null."""
        shares = zip((f"within_{limit:g}x" for limit in WITHIN), self.within, strict=True)
        return {
            "rows": self.rows,
            "answered": self.answered,
            "median_error": _finite(self.error),
            **dict(shares),
            "geometric_mean_ratio": self.bias,
            "median_over_tables": _finite(self.tables),
        }


def predictions(rows: Iterable[Row], stack: str | None) -> list[Prediction]:
    """Every row with its prediction, or with the reason why it has none."""
    return [_prediction(row, stack) for row in rows]


def _prediction(row: Row, stack: str | None) -> Prediction:
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
    return [*(_score(name, of) for name, of in domains.items()), _score("all", found)]


def _score(name: str, found: Sequence[Prediction]) -> Score:
    tables = defaultdict(list)
    for each in found:
        tables[each.row.source_table].append(each.error)
    ratios = [each.ratio for each in found if each.ratio]
    return Score(
        name=name,
        rows=len(found),
        answered=len(ratios),
        error=median(each.error for each in found),
        within=tuple(sum(f.factor <= limit for f in found) / len(found) for limit in WITHIN),
        bias=math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None,
        tables=median(median(errors) for errors in tables.values()),
    )


def worst(found: Iterable[Prediction], count: int = WORST) -> list[Prediction]:
    """The answered rows that are farthest off, the farthest first."""
    answered = [each for each in found if each.value is not None]
    return sorted(answered, key=lambda each: -each.factor)[:count]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
