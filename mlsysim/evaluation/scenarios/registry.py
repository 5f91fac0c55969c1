"""Every scenario, a whole system with a question: one YAML file each, shelved by what is done."""

from __future__ import annotations

from pathlib import Path

from mlsysim.core.errors import InvalidEntry, UnknownEntry
from mlsysim.core.registry import Catalog
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

        >>> Scenarios.Serving.FirstLook.run().bottleneck
        'Memory'
        """
        return evaluate(self)


Scenarios: Catalog[Scenario] = Catalog(Scenario)


def find(system: str) -> SystemSpec:
    """The system in the YAML file at a path, or the scenario of that name."""
    path = Path(system)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return SystemSpec.from_yaml(path)
    try:
        return Scenarios[system]
    except UnknownEntry as error:
        raise InvalidEntry(system, "", f"no such file; {error}") from None
