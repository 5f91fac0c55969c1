"""A system kept under a name, with the question that it asks."""

from __future__ import annotations

from mlsysim.evaluation import Evaluation, SystemSpec, evaluate


class Scenario(SystemSpec):
    """A named set-up for teaching; its `name` is its title, and it asks a question."""

    question: str = ""  # type: ignore[assignment] - it must ask

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
