"""What notebooks import: `predict`, `reveal`, `charts`, the journal, a lesson's head and tail."""

from mlsysim import charts
from mlsysim.course.journal import Journal
from mlsysim.learn import lesson
from mlsysim.learn.intuition import intuition
from mlsysim.learn.predict import predict, reveal, wait_for

__all__ = ["Journal", "charts", "intuition", "lesson", "predict", "reveal", "wait_for"]
