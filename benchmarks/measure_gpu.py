"""Measure the GPU of this machine: operators, steps of language models and of networks.

    python benchmarks/measure_gpu.py OUT --device H100-80GB-SXM --minutes 6

Needs PyTorch, transformers, torchvision and PyYAML, and nothing of mlsysim but its models' files.
Writes OUT/own_operators.csv and OUT/own_measured.csv, a row as soon as it is measured, in the
columns of the tables that ship, each with the conditions that it was measured under. What they say
of this package: `mlsysim validate OUT/own_measured.csv`, and with `--operators` of the other.

Operators run inside a CUDA graph, one after the other over inputs that no cache holds; whole steps
run as PyTorch runs them when nobody compiles them. Weights and inputs are random.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
import yaml
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "mlsysim" / "models" / "data"
TABLES = ROOT / "mlsysim" / "literature" / "data"
CACHE = 256e6  # bytes of inputs that are gone through before one comes again
# cuDNN's attention plans anew for each length that it has not seen: some 40 ms for every token.
PLAIN = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
SHORT = 0.25  # seconds for each thing that is measured
Row = dict[str, Any]


def median(work: Callable[[], Any], patience: float = SHORT) -> tuple[float, int]:
    """Seconds of a piece of work on the GPU, and how often it ran."""
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    took: list[float] = []
    stop = time.perf_counter() + patience
    while time.perf_counter() < stop or len(took) < 5:
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        took.append(time.perf_counter() - start)
    return statistics.median(took), len(took)


def in_graph(kernels: list[Callable[[], Any]], repeats: int = 20) -> float:
    """Seconds of one kernel, of several alike that are started by a graph."""
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for kernel in kernels:
            kernel()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph, stream=stream):
        for kernel, _ in zip(itertools.cycle(kernels), range(repeats), strict=False):
            kernel()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    graph.replay()
    took = []
    for _ in range(5):
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        took.append(begin.elapsed_time(end) / repeats * 1e-3)
    return statistics.median(took)


def copies(size: float) -> range:
    """As many sets of inputs as no cache holds."""
    return range(max(1, min(20, int(CACHE / size))))


def noise(*shape: int, dtype: Any = torch.bfloat16) -> torch.Tensor:
    """Random values."""
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16).to(dtype)


# ---- operators -----------------------------------------------------------------------------------

WIDTHS = (128, 512, 1024, 2048, 2880, 4096, 5120, 7168, 8192, 14336, 28672, 65536)
ROWS = (1, 4, 16, 48, 64, 128, 200, 256, 512, 777, 1024, 2048, 4096, 8192, 16384)


def products(dice: random.Random, n: int, dtype: Any) -> Iterator[Row]:
    """Matrix products x [m, k] @ w [n, k]^T."""
    name, width = ("bfloat16", 2) if dtype == torch.bfloat16 else ("fp8", 1)
    one = torch.ones((), device="cuda")
    for _ in range(n):
        rows, columns, inner = dice.choice(ROWS), dice.choice(WIDTHS), dice.choice(WIDTHS)
        if rows * columns * inner > 6e12 or rows * columns > 1e9:
            continue
        if width == 1 and rows % 16:
            continue
        kernels: list[Callable[[], Any]] = []
        for _ in copies(width * inner * (rows + columns) + 2 * rows * columns):
            x, w = noise(rows, inner, dtype=dtype), noise(columns, inner, dtype=dtype)
            out = torch.empty(rows, columns, device="cuda", dtype=torch.bfloat16)
            if width == 2:
                kernels.append(lambda x=x, w=w, out=out: torch.mm(x, w.t(), out=out))
            else:
                kernels.append(
                    lambda x=x, w=w: torch._scaled_mm(
                        x, w.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16
                    )
                )
        yield {
            "kind": "gemm", "op": "gemm", "kernel": "cublas", "dtype": name,
            "m": rows, "n": columns, "k": inner, "time_us": in_graph(kernels) * 1e6,
        }  # fmt: skip


def attention(dice: random.Random, n: int, *, decode: bool) -> Iterator[Row]:
    """Attention of whole prompts to themselves, or of one new token to each cache."""
    kind = "attn_decode" if decode else "attn_prefill"
    for _ in range(n):
        batch = dice.choice((1, 4, 16, 64, 128) if decode else (1, 2, 4, 8, 16))
        seq = dice.choice((128, 512, 1024, 2048, 4096, 8192, 16384, 32768))
        heads, dim = dice.choice((8, 16, 32, 64)), dice.choice((64, 128, 128))
        kept = dice.choice([k for k in (1, 2, 4, 8, heads) if k <= heads])
        held, new = 4.0 * batch * seq * kept * dim, 1 if decode else seq
        if held > 8e9 or (not decode and 2.0 * batch * heads * seq**2 * dim > 2e13):
            continue
        kernels = []
        for _ in copies(held):
            q = noise(batch, heads, new, dim)
            k, v = noise(batch, kept, seq, dim), noise(batch, kept, seq, dim)
            kernels.append(
                lambda q=q, k=k, v=v: functional.scaled_dot_product_attention(
                    q, k, v, is_causal=not decode, enable_gqa=True
                )
            )
        yield {
            "kind": kind, "op": kind, "kernel": "sdpa", "dtype": "bfloat16", "kv_dtype": "bfloat16",
            "batch": batch, "seq": seq, "heads": heads, "kv_heads": kept, "head_dim": dim,
            "time_us": in_graph(kernels) * 1e6,
        }  # fmt: skip


# ---- models --------------------------------------------------------------------------------------


def entry(stem: str) -> Row:
    """A model of the registry, as its file has it."""
    (path,) = MODELS.glob(f"*/{stem}.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def language(stem: str, dtype: Any) -> nn.Module:
    """A model with random weights of its size."""
    of = entry(stem)
    if stem.startswith("GPT2"):
        config: Any = transformers.GPT2Config(
            n_embd=of["hidden"], n_layer=of["layers"], n_head=of["heads"], vocab_size=of["vocab"]
        )
    else:
        config = transformers.LlamaConfig(
            hidden_size=of["hidden"], num_hidden_layers=of["layers"], intermediate_size=of["ffn"],
            num_attention_heads=of["heads"], num_key_value_heads=of.get("kv_heads", of["heads"]),
            head_dim=of.get("head_dim"), vocab_size=of["vocab"], max_position_embeddings=32768,
            tie_word_embeddings=of.get("tied_embeddings", False),
        )  # fmt: skip
    with torch.device("cuda"):
        return transformers.AutoModelForCausalLM.from_config(
            config, attn_implementation="sdpa", dtype=dtype
        )


def words(model: Any, batch: int, length: int) -> torch.Tensor:
    """Random tokens."""
    return torch.randint(0, model.config.vocab_size, (batch, length), device="cuda")


@torch.inference_mode()
def answers(stem: str, loads: list[tuple[int, int]]) -> Iterator[Row]:
    """The prompt and the steps after it, for batches and lengths."""
    model: Any = language(stem, torch.bfloat16).eval()
    for batch, length in loads:
        prompt = words(model, batch, length)
        took, n = median(lambda p=prompt: model(p, use_cache=True, logits_to_keep=1))
        row = {"model": stem, "precision": "bf16", "batch": batch, "seq_in": length}
        yield row | {
            "domain": "prefill", "seq_out": 1, "metric": "forward_latency", "value": took * 1e3,
            "unit": "ms", "note": f"median of {n}",
        }  # fmt: skip
        cache = model(prompt, use_cache=True, logits_to_keep=1).past_key_values
        token, steps = prompt[:, -1:], []
        with sdpa_kernel(PLAIN):
            for _ in range(20):
                torch.cuda.synchronize()
                start = time.perf_counter()
                out = model(token, past_key_values=cache, use_cache=True)
                token, cache = out.logits[:, -1:].argmax(-1), out.past_key_values
                torch.cuda.synchronize()
                steps.append(time.perf_counter() - start)
        yield row | {
            "domain": "decode", "seq_out": 20, "metric": "decode_tokens_per_s",
            "value": batch / statistics.median(steps[4:]), "unit": "tokens/s",
            "note": "median of 16 steps; the cache is copied as it grows (DynamicCache)",
        }  # fmt: skip
        del cache


def training(stem: str, loads: list[tuple[int, int, bool]]) -> Iterator[Row]:
    """Steps of mixed-precision training with fused AdamW: batch, length, recompute."""
    model: Any = language(stem, torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    for batch, length, recompute in loads:
        tokens = words(model, batch, length)
        switch = "gradient_checkpointing_" + ("enable" if recompute else "disable")
        getattr(model, switch)()
        torch.cuda.reset_peak_memory_stats()

        def step(tokens: torch.Tensor = tokens) -> None:
            with torch.autocast("cuda", torch.bfloat16):
                loss = model(tokens, labels=tokens, use_cache=False).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        took, n = median(step, 1.0)
        held = torch.cuda.max_memory_allocated() / 1e9
        row = {
            "model": stem, "precision": "bf16", "batch": batch, "seq_in": length,
            "parallelism": f"mbs={batch};act_ckpt={recompute}",
            "note": f"autocast over fp32 weights, fused AdamW; median of {n}",
        }  # fmt: skip
        yield row | {
            "domain": "train_single", "metric": "tokens_per_s_per_gpu",
            "value": batch * length / took, "unit": "tokens/s/GPU",
        }  # fmt: skip
        yield row | {
            "domain": "memory", "metric": "gpu_mem_total", "value": held, "unit": "GB/GPU",
        }  # fmt: skip


def encoder(stem: str, loads: list[tuple[int, int]]) -> Iterator[Row]:
    """Texts through an encoder."""
    of = entry(stem)
    config = transformers.BertConfig(
        hidden_size=of["hidden"], num_hidden_layers=of["layers"], num_attention_heads=of["heads"],
        intermediate_size=of["ffn"], vocab_size=of["vocab"],
    )  # fmt: skip
    with torch.device("cuda"), torch.inference_mode():
        model: Any = transformers.BertModel(config).half().eval()
        for batch, length in loads:
            texts = words(model, batch, length)
            took, n = median(lambda t=texts: model(t))
            yield {
                "domain": "prefill", "model": stem, "precision": "fp16", "batch": batch,
                "seq_in": length, "metric": "forward_latency", "value": took * 1e3, "unit": "ms",
                "note": f"median of {n}",
            }  # fmt: skip


NETWORKS = {
    "ResNet50": "resnet50", "MobileNetV2": "mobilenet_v2", "ViT_B_16": "vit_b_16",
    "EfficientNet_B0": "efficientnet_b0", "ConvNeXt_Base": "convnext_base", "VGG16": "vgg16",
    "ResNet18": "resnet18", "RegNetY_032": "regnet_y_3_2gf", "DenseNet121": "densenet121",
    "ResNet152": "resnet152", "ViT_L_16": "vit_l_16",
}  # fmt: skip


def network(stem: str, batches: tuple[int, ...], train: int) -> Iterator[Row]:
    """Images through a network, and steps of training it."""
    import torchvision

    torch.backends.cudnn.benchmark = True
    make = getattr(torchvision.models, NETWORKS[stem])
    last: Any = {"memory_format": torch.channels_last}
    with torch.device("cuda"):
        model = make(weights=None).to(**last)
    for batch in batches:
        half = make(weights=None).cuda().half().eval().to(**last)
        images = noise(batch, 3, 224, 224, dtype=torch.float16).to(**last)
        with torch.inference_mode():
            took, n = median(lambda m=half, i=images: m(i))
        yield {
            "domain": "cnn_infer", "model": stem, "precision": "fp16", "batch": batch,
            "metric": "images_per_s", "value": batch / took, "unit": "img/s",
            "note": f"NHWC, cuDNN picks by trial; eager PyTorch; median of {n}",
        }  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, fused=True)
    images, labels = noise(train, 3, 224, 224).float().to(**last), torch.zeros(train).long().cuda()
    scaler = torch.amp.GradScaler("cuda")

    def step() -> None:
        with torch.autocast("cuda", torch.float16):
            loss = functional.cross_entropy(model(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)

    took, n = median(step, 0.5)
    yield {
        "domain": "cnn_train", "model": stem, "precision": "fp16", "batch": train,
        "metric": "images_per_s", "value": train / took, "unit": "img/s",
        "note": f"AMP NHWC; eager PyTorch, images already in memory; median of {n}",
    }  # fmt: skip


# ---- all of it -----------------------------------------------------------------------------------

Source = Callable[[], Iterator[Row]]


def operators(dice: random.Random) -> list[Source]:
    """Kinds of operators."""
    return [
        lambda: products(dice, 150, torch.bfloat16),
        lambda: products(dice, 60, torch.float8_e4m3fn),
        lambda: attention(dice, 60, decode=False),
        lambda: attention(dice, 80, decode=True),
    ]


def steps() -> list[Source]:
    """Whole steps, the quickest first."""
    short = [(1, 128), (1, 512), (1, 2048), (8, 512), (32, 512), (32, 2048)]
    texts = [(1, 128), (32, 128), (1, 384), (32, 384)]
    cnn = (1, 8, 32, 256)
    return [
        lambda: answers("Llama3_2_1B", short),
        lambda: answers("GPT2_XL", [(1, 128), (1, 512), (8, 512), (32, 512)]),
        lambda: answers("Llama3_8B", [*short, (1, 8192), (128, 512)]),
        lambda: answers("Llama3_2_3B", short),
        lambda: encoder("BERT_Large", texts),
        lambda: encoder("BERT_Base", texts),
        lambda: training("GPT2", [(8, 1024, False), (32, 1024, False), (32, 1024, True)]),
        lambda: training("Llama3_2_1B", [(1, 2048, False), (4, 2048, False), (4, 2048, True)]),
        lambda: training("GPT2_XL", [(4, 1024, False), (16, 1024, True)]),
        lambda: training("Llama3_2_3B", [(1, 2048, False), (2, 2048, True)]),
        lambda: answers("Llama2_13B", [(1, 512), (8, 512), (32, 512)]),
        *(lambda s=stem: network(s, cnn, 128) for stem in NETWORKS),
        lambda: answers("Mistral_7B_v0_2", [(1, 512), (16, 1024)]),
    ]


def conditions() -> str:
    """What was measured with, in words."""
    of = torch.cuda.get_device_properties(0)
    small = torch.ones(8, device="cuda")
    alone = median(lambda: [small.add_(1.0) for _ in range(1000)])[0] / 1000
    close = in_graph([lambda: small.add_(1.0)], 1000)
    much = noise(1 << 30)
    other = torch.empty_like(much)
    copied = 2 * much.nbytes / in_graph([lambda: other.copy_(much)], 3)
    return (
        f"{of.name}, {of.multi_processor_count} processors; PyTorch {torch.__version__}, "
        f"transformers {transformers.__version__}; a copy moves {copied / 1e12:.2f} TB/s, an empty "
        f"kernel takes {close * 1e6:.2f} us in a graph and {alone * 1e6:.2f} us without"
    )


class Table:
    """A table that grows by a row at a time."""

    def __init__(self, path: Path, usual: Row, *more: str) -> None:
        like = (TABLES / path.name.removeprefix("own_")).read_text(encoding="utf-8")
        self.columns = [*next(csv.reader(like.splitlines())), *more]
        self.path, self.usual, self.count = path, usual, 0
        self._write(self.columns, "w")

    def add(self, row: Row) -> None:
        """Write a row."""
        self.count += 1
        whole = {"id": f"own{self.path.stem[4:6]}{self.count:04}", **self.usual, **row}
        whole["note"] = "; ".join(filter(None, (row.get("note"), self.usual.get("note"))))
        fine = {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in whole.items()}
        self._write([fine.get(column, "") for column in self.columns], "a")

    def _write(self, cells: list[Any], mode: str) -> None:
        with self.path.open(mode, encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(cells)


def main() -> None:
    """Measure until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", required=True, help="the device's name in the tables")
    parser.add_argument("--minutes", type=float, default=6.0)
    asked = parser.parse_args()
    stop = time.monotonic() + 60 * asked.minutes
    said, day = conditions(), time.strftime("%Y-%m-%d")
    print(said, flush=True)
    source = f"measured on {day} by benchmarks/measure_gpu.py: {said}"
    usual = {"device": asked.device, "framework": "torch", "version": torch.__version__}
    kernels = Table(asked.out / "own_operators.csv", {**usual, "source": source})
    whole = {
        "hardware": asked.device, "n_devices": 1, "stack": "pytorch_eager", "note": said,
        "source_url": "", "source_table": f"benchmarks/measure_gpu.py, {day}",
    }  # fmt: skip
    whole_steps = Table(asked.out / "own_measured.csv", whole, "stack")
    for table, sources in ((kernels, operators(random.Random(0))), (whole_steps, steps())):
        for each in sources:
            start = time.monotonic()
            try:
                for row in each():
                    table.add(row)
                    if time.monotonic() > stop:
                        return
            except torch.cuda.OutOfMemoryError as error:
                print(f"left out: {str(error)[:100]}", flush=True)
            torch.cuda.empty_cache()
            print(
                f"{table.path.name}: {table.count} after {time.monotonic() - start:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
