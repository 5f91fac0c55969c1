"""The machine that this runs on: measured in seconds, and kept as a device and its stack."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from mlsysim.evaluation.validate.silicon import product
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.types import flop
from mlsysim.stacks.types import Stack

PATIENCE = 0.5  # seconds for each thing that is measured
STREAM = 1 << 24  # values of an array that no cache holds
LARGE = (2048.0, 2048.0, 2048.0)
SHALLOW = (2048.0, 32.0, 2048.0)
HELD_OUT = (
    (512.0, 512.0, 512.0),
    (1024.0, 128.0, 1024.0),
    (64.0, 2048.0, 2048.0),
    (1.0, 4096.0, 4096.0),
)


class Machine(NamedTuple):
    """A device and a stack as they were measured, and products that they were not made from.

    `checked` holds rows, inner size and columns of each, its seconds, and what is predicted.
    """

    device: HardwareNode
    stack: Stack
    checked: list[tuple[tuple[float, float, float], float, float]]

    @property
    def error(self) -> float:
        """The median part by which those predictions are off."""
        return float(np.median([abs(said / took - 1) for _, took, said in self.checked]))


def measure(name: str = "This_Machine") -> Machine:
    """Time matrix products and a stream through memory in fp32, and check on other products."""
    start, filled, once = np.zeros(STREAM, np.float32), np.ones(STREAM, np.float32), np.float32(3)
    moved = filled.nbytes + start.nbytes
    stream = moved / best(lambda: np.multiply(filled, once, out=start))
    launch = best(_product((1.0, 1.0, 1.0)))
    peak = flop(np.prod(LARGE)) / best(_product(LARGE))
    shallow = flop(np.prod(SHALLOW)) / best(_product(SHALLOW))
    depth = max(SHALLOW[1] * (peak / shallow - 1), 0.0)
    today = dt.datetime.now(dt.UTC).date()
    sources = {"default": {"kind": "measurement", "ref": "mlsysim measure", "read": f"{today}"}}
    device = HardwareNode.build(
        {
            "name": name.replace("_", " "),
            "release_year": today.year,
            "compute": {"peak_flops": f"{peak:.4g} FLOP/s", "peak_precision": "fp32"},
            "memory": {"capacity": "1 GiB", "bandwidth": f"{stream:.4g} B/s"},
            "sources": sources,
        }
    )
    stack = Stack.build(
        {
            "name": f"numpy on {name.replace('_', ' ')}",
            "summary": "matrix products in numpy",
            "launch": f"{launch:.4g} s",
            "host": "0 s",
            "roofs": {"matmul": {"other": 1.0}, "depth": float(f"{depth:.4g}")},
            "sources": sources,
        }
    )
    took = [(sizes, best(_product(sizes))) for sizes in HELD_OUT]
    checked = [(s, seconds, product(s, device, "fp32", stack)) for s, seconds in took]
    return Machine(device, stack, checked)


def save(machine: Machine, folder: Path, name: str = "This_Machine") -> list[Path]:
    """Write both as entries of a registry of one's own; gives the files."""
    files = []
    for layer, entry in (("hardware", machine.device), ("stacks", machine.stack)):
        path = folder / layer / "custom" / f"{name if layer == 'hardware' else name.lower()}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        text: Any = yaml.safe_dump(entry.to_dict(), sort_keys=False, allow_unicode=True)
        path.write_text(text, encoding="utf-8")
        files.append(path)
    return files


def best(work: Callable[[], Any]) -> float:
    """Seconds of the fastest of several runs: what disturbs a run only makes it slower."""
    work()
    fastest, stop = np.inf, time.perf_counter() + PATIENCE
    while time.perf_counter() < stop:
        start = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - start)
    return float(fastest)


def _product(sizes: tuple[float, float, float]) -> Callable[[], Any]:
    rows, inner, columns = map(int, sizes)
    left, right = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
    out = np.empty((rows, columns), np.float32)
    return lambda: np.matmul(left, right, out=out)
