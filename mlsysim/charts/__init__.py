"""The charts of the course: plain data in, an Altair chart out; no physics of their own.

Every chart states its finding, is as wide as its column (a phone, a page, a slide), follows the
scheme of its page, draws the learner's own prediction, describes itself in `words`, keeps the
`table` behind it, and needs no network. Numbers may be plain, quantities, or text with a unit.
"""

from mlsysim.charts.bars import ranked, stack
from mlsysim.charts.curves import lines
from mlsysim.charts.effects import tornado, waterfall
from mlsysim.charts.frame import save, svg, table, words
from mlsysim.charts.fronts import front
from mlsysim.charts.guesses import versus
from mlsysim.charts.parities import parity
from mlsysim.charts.roofs import roofline
from mlsysim.charts.rungs import ladder
from mlsysim.charts.spans import gantt, timeline

__all__ = [
    "front",
    "gantt",
    "ladder",
    "lines",
    "parity",
    "ranked",
    "roofline",
    "save",
    "stack",
    "svg",
    "table",
    "timeline",
    "tornado",
    "versus",
    "waterfall",
    "words",
]
