"""What is fitted: parts of the measurements, and the constants that explain them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

PRIOR = math.log(2.0)  # one standard deviation of a constant before any row is seen
NEAR = 0.2  # but a stack's kernels are near those that were measured one by one
_LIKE_ALL = ("operators.rate", "operators.bandwidth", "operators.attention")


class Part(NamedTuple):
    """Rows of some domains, and constants: a path, where it starts, and the most it may be.

    Those rows are published ones, or `own`.
    """

    name: str
    domains: tuple[str, ...]
    constants: tuple[tuple[str, float, float], ...]
    own: bool = False

    @property
    def start(self) -> np.ndarray:
        """The logarithms from which constants start."""
        return np.log([start for _, start, _ in self.constants])

    @property
    def width(self) -> np.ndarray:
        """One standard deviation of each logarithm before any row is seen."""
        near = (path.endswith(_LIKE_ALL) for path, *_ in self.constants)
        return np.array([NEAR if each else PRIOR for each in near])

    @property
    def top(self) -> np.ndarray:
        """The most that they may be."""
        return np.log([most for *_, most in self.constants])

    def values(self, x: np.ndarray) -> list[float]:
        """The constants of these logarithms."""
        return np.exp(np.minimum(x, self.top)).tolist()


ANY = 1e9


def _of(stack: str, most: float = 1.0, **starts: float) -> list[tuple[str, float, float]]:
    """Constants of a stack's roofs."""
    return [(f"{stack}.roofs.{name}", start, most) for name, start in starts.items()]


def _rates(stack: str, **starts: float) -> list[tuple[str, float, float]]:
    return [
        (f"{stack}.roofs.matmul.{name.replace('_', ' ')}", v, 1.0) for name, v in starts.items()
    ]


_TRAINING = (
    *_rates("megatron", Ampere=0.6, Hopper_fp8=0.5),
    *_rates("megatron", Blackwell=0.5, Blackwell_fp8=0.5, Blackwell_fp4=0.4),
    *_of("megatron", attention=0.6, bandwidth=0.6),
    ("megatron.launch", 20.0, ANY),
    ("megatron.campaign", 0.8, 1.0),
    *_rates("fsdp", Ampere=0.7, Hopper=0.6),
    *_of("fsdp", attention=0.5, bandwidth=0.6),
    ("fsdp.launch", 20.0, ANY),
    *_rates("maxtext", Google=0.7),
)


def _kernels(stack: str, host: float, **starts: float) -> list[tuple[str, float, float]]:
    """Constants around kernels that were measured one by one; times in microseconds."""
    most = {"quantised": 1.0}
    named = [(f"{stack}.operators.{k}", v, most.get(k, ANY)) for k, v in starts.items()]
    return [(f"{stack}.host", host, ANY), *named]


_SERVING = (
    *_kernels("trtllm", 100.0, small=3.0, sequence=1.0, quantised=0.4, rate=1.0, bandwidth=0.8),
    *_kernels("trtllm", 100.0, attention=1.0, exchange=2.0)[1:],
    *_kernels("torch_compile", 100.0, small=3.0, bandwidth=1.0, exchange=1.5),
    *_kernels("exllamav2", 100.0, small=3.0, bandwidth=1.0, rate=1.0),
    *_kernels("llamacpp", 100.0, rate=1.0, bandwidth=1.0, attention=1.0, passes=8.0, scores=24.0),
    *_kernels("fastertransformer_gpt", 60.0, small=10.0, rate=1.0, bandwidth=1.0, attention=1.0),
    *_kernels("fastertransformer_gpt", 60.0, exchange=2.0, passes=2.0)[1:],
)
_TINY = ("cmsis_nn", "tvm", "cube_ai", "plumerai")


def _alike(
    stacks: tuple[str, ...], path: str, start: float, most: float
) -> tuple[str, float, float]:
    """One constant of several stacks."""
    return "+".join(f"{stack}.{path}" for stack in stacks), start, most


PARTS = (
    Part("serving", ("prefill", "decode", "serve_throughput"), _SERVING),
    Part("training", ("train_single", "train_distributed"), _TRAINING),
    Part(
        "vision",
        ("cnn_infer", "cnn_train"),
        (
            *_rates("cudnn", Turing=0.8, Ampere=0.8, Ampere_tf32=0.7, Hopper=0.8),
            *_of("cudnn", attention=0.3, bandwidth=0.9),
            *_of("cudnn", ANY, depth=40.0, passes=2.0),
            ("cudnn.launch", 20.0, ANY),
            *_rates("cpu", other=0.5),
            ("cpu.launch", 20.0, ANY),
        ),
    ),
    Part(
        "torchvision",
        ("cnn_infer", "cnn_train"),
        (
            *_rates("torchvision", Hopper=0.4),
            *_of("torchvision", attention=0.3, bandwidth=0.9),
            *_of("torchvision", ANY, depth=40.0, passes=2.0),
            ("torchvision.launch", 5.0, ANY),
            ("torchvision.dispatch", 30.0, ANY),
        ),
        own=True,
    ),
    Part(
        "eager",
        ("prefill", "decode", "train_single"),
        (
            *_rates("pytorch_eager", Hopper=0.7),
            *_of("pytorch_eager", attention=0.5, bandwidth=0.7),
            *_of("pytorch_eager", ANY, passes=3.0, cache=6.0),
            ("pytorch_eager.dispatch", 100.0, ANY),
        ),
        own=True,
    ),
    Part(
        "fastertransformer",
        ("cnn_infer", "prefill", "decode"),
        (
            *_rates("fastertransformer", Ampere=0.7, Ampere_int8=0.4, Ampere_fp32=0.8),
            *_of("fastertransformer", attention=0.3, bandwidth=0.8),
            *_of("fastertransformer", ANY, passes=2.0),
            ("fastertransformer.launch", 5.0, ANY),
        ),
    ),
    Part(
        "tiny",
        ("tinyml",),
        (
            *(one for stack in _TINY for one in _of(stack, ANY, reload=6.0, depth=30.0)),
            *(one for stack in _TINY for one in _of(stack, flash=0.6)),
            ("cmsis_nn.board.share", 1.5, ANY),
            ("tvm.board.share", 1.5, ANY),
            _alike(("cube_ai", "plumerai"), "board.share", 1.5, ANY),
            _alike(_TINY, "board.operation", 0.1, ANY),
        ),
    ),
    Part(
        "kernels",
        ("comm", "kernel_gemm"),
        (
            ("nccl.talk.latency", 20.0, ANY),
            ("nccl.talk.link", 0.8, 1.0),
            ("nccl.talk.queue", 0.5, 1.0),
            *_kernels("cublas", 0.0, rate=1.0, bandwidth=1.0)[1:],
            ("cublas.launch", 10.0, ANY),
        ),
    ),
)
