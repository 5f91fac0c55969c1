"""Which stack ran a row: the one that it names, else the usual one of its model on its device."""

from __future__ import annotations

from typing import Any

from mlsysim.core.errors import MLSysError
from mlsysim.evaluation.validate.rows import Row, device_of, model_of, names
from mlsysim.models.operators import PREFILL
from mlsysim.stacks.registry import Stacks, usual
from mlsysim.stacks.types import IDEAL

_DECODERS = {"fastertransformer": "fastertransformer_gpt"}  # of which decoders are another part
_KERNELS = {"comm": "nccl", "kernel_gemm": "cublas"}


def calibrated(row: Row) -> Any:
    """The stack that a row is costed with; `ideal` where none was measured."""
    name = stack_name(row)
    return name if name == IDEAL else Stacks[name]


def stack_name(row: Row) -> str:
    """Its name: told by the row's column, or by the software that its words name, or usual."""
    if row.stack in Stacks:
        return row.stack
    for text in (row.stack, row.note, row.source_table):
        for word, stack in names()["stacks"].items():
            if word.lower() in text.lower():
                return _DECODERS.get(stack, stack) if _decodes(row) else stack
    if row.domain in _KERNELS:
        return _KERNELS[row.domain]
    try:
        model, device = model_of(row), device_of(row)
    except MLSysError:
        return IDEAL
    if row.domain.startswith("train") or "mbs" in row.divided:
        return "maxtext" if device.generation == "Google" else "megatron"
    if PREFILL not in model.phases:  # it answers at once
        if device.memory.flash is not None:
            return "cmsis_nn"
        if (device.memory.technology or "").startswith("DDR"):
            return "cpu"
        found = usual("forward", "convnet", device.vendor, device.family)
        return found.stem if found else "cudnn"
    if row.batch in ("", "1") and not (device.memory.technology or "").startswith("HBM"):
        return "llamacpp"  # what people run at home
    return "trtllm" if device.vendor == "NVIDIA" else "vllm"


def _decodes(row: Row) -> bool:
    try:
        return PREFILL in model_of(row).phases
    except MLSysError:
        return False
