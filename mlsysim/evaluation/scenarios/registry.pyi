# Derived from the names of the YAML files by `python -m grading derive`.
from typing import Any

from mlsysim.core.registry import Catalog, Shelf
from mlsysim.evaluation.scenarios.types import Scenario as Scenario
from mlsysim.evaluation import SystemSpec

def find(system: str) -> SystemSpec: ...

class _Serving:
    Capstone: Scenario
    FirstLook: Scenario
    LongContext: Scenario
    NineMillionDollars: Scenario

class _ServingShelf(_Serving, Shelf[Scenario]): ...

class _Tiny:
    Doorbell: Scenario

class _TinyShelf(_Tiny, Shelf[Scenario]): ...

class _Training:
    Geography_Poland: Scenario
    Geography_Quebec: Scenario
    Llama3_405B_training: Scenario

class _TrainingShelf(_Training, Shelf[Scenario]): ...

class _Scenarios(_Serving, _Tiny, _Training, Catalog[Scenario]):
    Serving: _ServingShelf
    Tiny: _TinyShelf
    Training: _TrainingShelf

Scenarios: _Scenarios
