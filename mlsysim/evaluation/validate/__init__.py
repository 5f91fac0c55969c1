"""How far off is it? Every published measurement predicted, and nothing dropped.

    mlsysim validate                    # the measurements that ship
    mlsysim validate rows.csv --json    # others, in the same columns

A row that cannot be predicted keeps its place with the reason and counts as a miss.
"""

from __future__ import annotations

from mlsysim.evaluation.validate.predict import LEVELS, Unpredictable, predicted
from mlsysim.evaluation.validate.rows import SHIPPED, Row, read
from mlsysim.evaluation.validate.score import Prediction, Score, predictions, scores, worst

__all__ = [
    "LEVELS",
    "SHIPPED",
    "Prediction",
    "Row",
    "Score",
    "Unpredictable",
    "predicted",
    "predictions",
    "read",
    "scores",
    "worst",
]
