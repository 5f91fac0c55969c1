"""A scenario: a whole system with a question, ready to run."""

from __future__ import annotations

from mlsysim.evaluation.evaluate import Evaluation, evaluate
from mlsysim.evaluation.spec import SystemSpec


class Scenario(SystemSpec):
    """A named set-up for teaching; its `name` is its title, and it asks a question."""

    question: str = ""

    def check(self) -> None:
        """It asks something."""
        super().check()
        if not self.question.strip():
            raise self.wrong("question", "it is required; say what the scenario asks")

    def run(self) -> Evaluation:
        """Evaluate the system: verdict, bottleneck, and what would help.

        >>> from mlsysim import Scenarios
        >>> Scenarios.Serving.FirstLook.run().bottleneck
        'Memory'
        """
        return evaluate(self)
