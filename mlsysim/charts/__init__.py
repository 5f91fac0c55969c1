"""The charts of the course: data in, an Altair chart out. Axes name units; no physics of its own.

Every chart is as wide as its column (so it fits a phone), carries a text description for screen
readers, and needs no network.
"""

from mlsysim.charts.guesses import intuition, versus
from mlsysim.charts.parts import save
from mlsysim.charts.roofs import roofline

__all__ = ["intuition", "roofline", "save", "versus"]
