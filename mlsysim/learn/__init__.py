"""What notebooks import: `predict`, `reveal`, `charts`, the journal, a lesson's head and tail."""

from mlsysim.learn import charts, lesson
from mlsysim.learn.journal import Journal
from mlsysim.learn.predict import intuition, predict, reveal, wait_for

__all__ = ["Journal", "charts", "intuition", "lesson", "predict", "reveal", "wait_for"]
