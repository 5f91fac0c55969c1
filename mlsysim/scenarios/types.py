"""A scenario: a whole system with a question, ready to run."""

from __future__ import annotations

from mlsysim.engine.evaluate import Evaluation, evaluate
from mlsysim.engine.system import SystemSpec


class Scenario(SystemSpec):
    """A named set-up for teaching; its `name` is its title."""

    question: str

    def run(self) -> Evaluation:
        """Evaluate the system: verdict, bottleneck, and what would help.

        >>> from mlsysim import Scenarios
        >>> Scenarios.Serving.FirstLook.run().bottleneck
        'Memory'
        """
        return evaluate(self)
