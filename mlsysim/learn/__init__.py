"""What notebooks import: `lesson` and what it hands out, `charts`, `say`, and the journal."""

from mlsysim import charts
from mlsysim.course.journal import Journal
from mlsysim.learn import lesson
from mlsysim.learn.intuition import intuition
from mlsysim.learn.say import say

__all__ = ["Journal", "charts", "intuition", "lesson", "say"]
