# Derived from the names of the YAML files by `python -m grading derive`.
from typing import Any

from mlsysim.core.registry import Catalog, Shelf
from mlsysim.stacks.types import Stack as Stack

def usual(
    use: str, kind: str, vendor: str | None, family: str | None = None
) -> Stack | None: ...

class _Kernels:
    cublas: Stack
    nccl: Stack

class _KernelsShelf(_Kernels, Shelf[Stack]): ...

class _Serving:
    exllamav2: Stack
    fastertransformer_gpt: Stack
    llamacpp: Stack
    pytorch_eager: Stack
    sglang: Stack
    torch_compile: Stack
    trtllm: Stack
    vllm: Stack

class _ServingShelf(_Serving, Shelf[Stack]): ...

class _Tiny:
    cmsis_nn: Stack
    cube_ai: Stack
    plumerai: Stack
    tvm: Stack

class _TinyShelf(_Tiny, Shelf[Stack]): ...

class _Training:
    fsdp: Stack
    maxtext: Stack
    megatron: Stack

class _TrainingShelf(_Training, Shelf[Stack]): ...

class _Vision:
    cpu: Stack
    cudnn: Stack
    fastertransformer: Stack
    torchvision: Stack

class _VisionShelf(_Vision, Shelf[Stack]): ...

class _Stacks(_Kernels, _Serving, _Tiny, _Training, _Vision, Catalog[Stack]):
    Kernels: _KernelsShelf
    Serving: _ServingShelf
    Tiny: _TinyShelf
    Training: _TrainingShelf
    Vision: _VisionShelf

Stacks: _Stacks
