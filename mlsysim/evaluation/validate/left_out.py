"""Predictions of the shipped rows by constants that were found without them."""

from mlsysim.evaluation.validate.rows import _DATA

LEFT_OUT = _DATA / "left_out.csv"
