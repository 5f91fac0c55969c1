"""The pipeline under the name that decks import it by."""

from mlsysim.core.pipeline import Pipeline

__all__ = ["Pipeline"]
