"""Fit the constants of silicon on measured operators, and on nothing else.

    python -m benchmarks.fit_operators            # fit, print scores, left-out devices among them
    python -m benchmarks.fit_operators --write    # and write stacks/data/silicon.yaml

It needs `pip install scipy`. A constant is one number for all devices and a factor for each group
that it depends on (family of devices, datapath, framework), each drawn to one by a ridge: what a
device does not tell stays what the others say, and a device that is not there is the product
without its own. The loss is the logarithm of the time, and grows evenly for rows that nothing
explains.
"""

from __future__ import annotations

import argparse
import datetime as dt
from typing import Any, NamedTuple

import numpy as np
import yaml
from scipy.optimize import least_squares

from mlsysim.evaluation.validate import operators as given
from mlsysim.stacks.silicon import FILE

RIDGE = {
    "family": 1.0,
    "memory": 0.1,
    "path": 0.1,
    "kernel": 0.1,
    "op": 0.1,
    "framework": 0.1,
    "dim": 0.1,
}
# Streaming multiprocessors: NVIDIA, whitepapers and data sheets of A100, L40S, H100, B200, RTX PRO.
UNITS = {"Ampere": 108, "Ada": 142, "Hopper": 132, "Blackwell": 148, "Blackwell RTX": 188}
USUAL = 142.0
NOISE = 0.1  # of a row's logarithm


class Part(NamedTuple):
    """A kind of operator: its constants, where each starts, and the groups it depends on."""

    kind: str
    constants: dict[str, tuple[float, tuple[str, ...]]]


PARTS = (
    Part("gemm", {
        "gemm.rate": (0.8, ("family", "path", "kernel")), "gemm.bandwidth": (0.8, ("family",)),
        "gemm.floor": (2.5e-6, ("family", "kernel")), "gemm.ramp": (100.0, ()),
        "gemm.tail": (0.5, ()), "gemm.split": (0.5, ()),
        "quantise.floor": (2.5e-6, ("framework", "kernel")), "gemm.eager": (2e-4, ()),
    }),
    Part("attn_prefill", {
        "prefill.rate": (0.6, ("memory", "family", "path", "framework", "dim")),
        "prefill.ramp": (256.0, ("framework",)),
        "prefill.tile": (30.0, ()), "prefill.split": (0.7, ()), "prefill.bandwidth": (0.9, ()),
        "prefill.floor": (1.1e-5, ("memory", "family", "framework")),
    }),
    Part("attn_decode", {
        "decode.rate": (0.1, ("family",)), "decode.bandwidth": (0.8, ("family", "path")),
        "decode.floor": (1e-5, ("family", "framework", "path")), "decode.overlap": (1.2, ()),
        "decode.key_head": (1e-6, ("framework",)), "decode.head": (1e-7, ("framework",)),
    }),
    Part("moe", {
        "experts.rate": (0.5, ("family", "path", "kernel")),
        "experts.bandwidth": (0.7, ("family", "path", "kernel")),
        "experts.floor": (3e-5, ("family", "path", "kernel")), "experts.padding": (16.0, ()),
        "experts.ramp": (80.0, ()), "experts.passes": (1.5, ()), "experts.pair": (2e-7, ()),
        "experts.overlap": (3.0, ()), "experts.crowd": (0.3, ()), "experts.few": (0.8, ()),
        "experts.far": (1.4, ()),
    }),
    Part("allreduce_custom", {
        "reduce.link": (0.7, ("wire", "family")), "reduce.crowd": (0.1, ("wire", "family")),
        "reduce.floor": (3e-6, ("wire", "kernel")), "reduce.hop": (2e-7, ("wire",)),
        "reduce.turn": (3e-6, ("wire",)), "reduce.eager": (2e-5, ("kernel", "family")),
    }),
    Part("nccl", {
        "nccl.link": (0.8, ("family", "op")), "nccl.crowd": (0.1, ("wire", "family")),
        "nccl.floor": (5e-6, ("family", "op")), "nccl.rank": (1e-6, ("family", "op")),
        "nccl.queue": (0.5, ()),
    }),
)  # fmt: skip
SHARES = ("gemm.tail", "gemm.split", "prefill.split", "experts.crowd", "experts.few", "nccl.queue")
TOP = dict.fromkeys(SHARES, 0.0)  # logarithms of shares


class Fit(NamedTuple):
    """The logarithms of a part's constants: of each for all, and of its factors."""

    names: list[tuple[str, str, str]]  # constant, group, member
    x: np.ndarray

    def design(self, groups: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Which of the logarithms add up to each constant of each row."""
        rows = len(groups["family"])
        on = {name: np.zeros((rows, len(self.names))) for name, *_ in self.names}
        for place, (name, group, member) in enumerate(self.names):
            on[name][:, place] = groups[group] == member if group else 1.0
        return on

    def constants(self, groups: dict[str, np.ndarray]) -> dict[str, Any]:
        """The constants of rows."""
        return added(self.design(groups), self.x, groups)


def added(design: dict[str, np.ndarray], x: np.ndarray, groups: dict[str, np.ndarray]) -> Any:
    """The constants that logarithms add up to."""
    units = [UNITS.get(each, USUAL) for each in groups["family"]]
    found = {name: np.exp(np.minimum(on @ x, TOP.get(name, 99.0))) for name, on in design.items()}
    return {**found, "units": np.array(units)}


def fitted(part: Part, rows: given.Rows) -> Fit:
    """The constants of a kind of operator on some rows."""
    names = [(name, "", "") for name in part.constants]
    for name, (_, groups) in part.constants.items():
        names += [(name, g, str(each)) for g in groups for each in sorted({*rows.groups[g]})]
    start = np.array([0.0 if group else np.log(part.constants[n][0]) for n, group, _ in names])
    ridge = np.array([RIDGE.get(group, 0.1) if group else 0.0004 for _, group, _ in names]) ** 0.5
    design = Fit(names, start).design(rows.groups)

    def left(x: np.ndarray) -> np.ndarray:
        time = given.predicted(part.kind, rows, added(design, x, rows.groups))
        off = (np.log(time) - np.log(rows.seconds)) / NOISE
        off = np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off * off) - 1))
        return np.concatenate([off, ridge * (x - start)])

    return Fit(names, least_squares(left, start, max_nfev=40, ftol=1e-4).x)


def left_out(part: Part, rows: given.Rows) -> np.ndarray:
    """Predictions of each device by constants that were found without it."""
    time = np.zeros(len(rows.seconds))
    for device in sorted({*rows.device}):
        there = rows.device == device
        other, own = rows.only(~there), rows.only(there)
        time[there] = given.predicted(part.kind, own, fitted(part, other).constants(own.groups))
    return time


def report(name: str, rows: given.Rows, time: np.ndarray) -> None:
    """Print how far off predictions are."""
    off = np.abs(time / rows.seconds - 1)
    near = np.mean(np.maximum(time / rows.seconds, rows.seconds / time) < 1.5)
    devices = {
        str(d): round(float(np.median(off[rows.device == d])), 3) for d in sorted({*rows.device})
    }
    print(f"{name:28} n {len(off)} median {np.median(off):.3f} within 1.5x {near:.2f} {devices}")


def main() -> None:
    """Fit, print, and write where it is asked."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--write", action="store_true")
    asked.add_argument("--kind")
    asked.add_argument("--no-left-out", action="store_true")
    options = asked.parse_args()
    everything, fits, without = given.read(), [], {}
    for part in PARTS:
        if options.kind not in (None, part.kind):
            continue
        rows = everything[part.kind]
        fits.append(fit := fitted(part, rows))
        report(part.kind, rows, given.predicted(part.kind, rows, fit.constants(rows.groups)))
        if not options.no_left_out:
            unseen = left_out(part, rows)
            report(f"{part.kind}, left out", rows, unseen)
            without |= dict(zip(rows.text["id"], unseen, strict=True))
        print(
            {
                f"{n}.{g}.{m}".strip("."): float(f"{np.exp(v):.3g}")
                for (n, g, m), v in zip(fit.names, fit.x, strict=True)
            }
        )
    if options.write:
        write(fits)
    if options.write and without:
        lines = [f"{name},{time * 1e6:.4g}" for name, time in sorted(without.items())]
        given.LEFT_OUT.write_text("\n".join(["id,time_us", *lines, ""]))


def write(fits: list[Fit]) -> None:
    """Write the constants to the file that ships."""
    every: dict[str, Any] = {}
    for fit in fits:
        for (name, group, member), value in zip(fit.names, fit.x, strict=True):
            number = float(f"{np.exp(min(value, TOP.get(name, 99.0))):.4g}")
            own = every.setdefault(name, {})
            if not group:
                own["all"] = number
            else:
                own.setdefault("by", {}).setdefault(group, {})[member] = number
    ref = "fitted on literature/data/operators.csv by benchmarks/fit_operators.py"
    source = {"kind": "derived", "ref": ref, "read": dt.date.today()}
    papers = "NVIDIA, whitepapers of A100, L40S, H100, B200 and RTX PRO 6000: multiprocessors"
    told = {"kind": "documentation", "ref": papers, "read": dt.date.today()}
    data = {
        "name": "silicon",
        "units": UNITS,
        "constants": every,
        "sources": {"default": source, "units": told},
    }
    FILE.write_text(yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=100))


if __name__ == "__main__":
    main()
