"""How far off is it? Every published measurement predicted, and nothing dropped.

    mlsysim validate                    # the measurements that ship
    mlsysim validate rows.csv --json    # others, in the same columns
    mlsysim validate --chart parity.svg # each against its measurement

A row that cannot be predicted keeps its place with the reason and counts as a miss.
"""

from __future__ import annotations

from mlsysim.evaluation.validate.left_out import INTERVALS, WITHOUT, left_out, told
from mlsysim.evaluation.validate.predict import CALIBRATED, LEVELS, Unpredictable, predicted
from mlsysim.evaluation.validate.rows import SHIPPED, Row, read
from mlsysim.evaluation.validate.score import Prediction, Score, judged, predictions, scores, worst

__all__ = [
    "CALIBRATED",
    "INTERVALS",
    "LEVELS",
    "SHIPPED",
    "WITHOUT",
    "Prediction",
    "Row",
    "Score",
    "Unpredictable",
    "judged",
    "left_out",
    "predicted",
    "predictions",
    "read",
    "scores",
    "told",
    "worst",
]
