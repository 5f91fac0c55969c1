"""A learner's own model and chip in the Explore section of a lesson; predictions stay as they are.

    model, chip = this.own(llama, h100)

`mlsysim learn 00 --model config.json --hardware my.yaml` names them; without, the lesson's stand.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mlsysim.core.errors import MLSysError
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.huggingface import from_config
from mlsysim.models.registry import Models
from mlsysim.models.types import Workload

MODEL, CHIP = "MLSYSIM_MODEL", "MLSYSIM_HARDWARE"


def own(model: Workload, chip: HardwareNode) -> tuple[Any, HardwareNode]:
    """The learner's own model and chip, or those of the lesson where none are named."""
    mine, silicon = os.environ.get(MODEL), os.environ.get(CHIP)
    return model_of(mine) if mine else model, chip_of(silicon) if silicon else chip


def choose(model: str | None, chip: str | None) -> None:
    """Name them for this program and what it starts; raises an MLSysError for what cannot be."""
    if model is not None:
        found = model_of(model)
        if not hasattr(found, "kv_cache"):
            raise MLSysError(f"--model {model}: lessons explore models that write; it does not.")
        os.environ[MODEL] = _lasting(model)
    if chip is not None:
        chip_of(chip)
        os.environ[CHIP] = _lasting(chip)


def model_of(named: str) -> Workload:
    """A model of the registry by its name, or of a file: YAML, or a Hugging Face config.json."""
    path = Path(named)
    if path.suffix == ".json" or path.is_dir():
        return from_config(path)
    return Models.from_yaml(path) if path.suffix in _YAML else Workload.asked(named, "--model")


def chip_of(named: str) -> HardwareNode:
    """A device of the registry by its name, or of a YAML file."""
    path = Path(named)
    return (
        Hardware.from_yaml(path)
        if path.suffix in _YAML
        else HardwareNode.asked(named, "--hardware")
    )


_YAML = (".yaml", ".yml")


def _lasting(named: str) -> str:
    """A name, or a path that holds wherever a notebook runs."""
    return str(Path(named).resolve()) if Path(named).exists() else named
