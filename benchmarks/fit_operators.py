"""Fit the constants of silicon on measured operators, and on nothing else.

    python -m benchmarks.fit_operators            # fit, print scores, left-out devices among them
    python -m benchmarks.fit_operators --write    # and write stacks/data/silicon.yaml

A constant is one number for all devices and a factor for each group
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

from mlsysim.evaluation.validate import operators as given
from mlsysim.stacks.silicon import FILE

RIDGE = {"": 0.0004, "family": 10.0, "name": 6.0, "kernel": 1.0, "framework": 1.0}  # of logarithms
USUAL = 0.1  # of those of other groups
NOISE = 0.1  # of a row's logarithm
STEPS, WIDTH, ENOUGH = 30, 1e-4, 3e-5
# Not fitted, but read from whitepapers and data sheets of A100, L40S, H100, B200 and RTX PRO 6000:
# products in 16 bits of a processor and cycle, the clock at which all of them make the printed
# peak, and how many more of narrower numbers; each as a number and the factors of members.
SHEETS: dict[str, tuple[float, str, dict[str, float]]] = {
    "products": (1024.0, "family", {
        "Ampere": 1.0, "Ada": 0.5, "Hopper": 2.0, "Blackwell": 4.0, "Blackwell RTX": 0.5,
    }),
    "clock": (1.83e9, "family", {
        "Ampere": 0.77, "Ada": 1.36, "Hopper": 1.0, "Blackwell": 1.05, "Blackwell RTX": 1.42,
    }),
    "narrow": (1.0, "datapath", {
        "fp8": 2.0, "int8": 2.0, "fp4": 4.0, "int4": 4.0, "tf32": 0.5, "fp32": 0.0625,
    }),
}  # fmt: skip


class Part(NamedTuple):
    """A kind of operator: its constants, where each starts, and the groups it depends on."""

    kind: str
    constants: dict[str, tuple[float, tuple[str, ...]]]


PARTS = (
    Part("gemm", {
        "gemm.rate": (0.8, ("family", "kernel")), "gemm.feed": (16e3, ()),
        "gemm.energy": (5e-11, ()), "gemm.bandwidth": (0.8, ("family",)),
        "gemm.overlap": (3.0, ()), "gemm.floor": (4.5e3, ("family", "kernel")),
        "gemm.ramp": (100.0, ()), "gemm.tail": (0.5, ()), "gemm.split": (0.5, ("path",)),
        "gemm.whole": (2000.0, ()), "quantise.floor": (4.5e3, ("maker",)), "gemm.eager": (2e-4, ()),
    }),
    Part("attn_prefill", {
        "prefill.rate": (0.8, ("path", "framework", "kernel")), "prefill.soft": (1.5, ()),
        "prefill.overlap": (1.5, ()), "prefill.split": (0.7, ()),
        "prefill.start": (5e3, ()), "prefill.narrow": (0.3, ("framework",)),
        "prefill.bandwidth": (0.9, ()), "prefill.floor": (7e-7, ("framework",)),
        "prefill.deep": (0.4, ()),
    }),
    Part("attn_decode", {
        "decode.rate": (0.1, ("family",)), "decode.rows": (11.0, ()),
        "decode.bandwidth": (0.8, ("family",)),
        "decode.floor": (2e4, ("framework", "path")), "decode.overlap": (1.2, ()),
        "decode.key_head": (2e3, ("framework",)), "decode.head": (2e2, ("framework",)),
    }),
    Part("moe", {
        "experts.rate": (25.0, ("path", "kernel", "name")), "experts.wide": (0.5, ()),
        "experts.bandwidth": (0.7, ("path", "kernel", "name")),
        "experts.floor": (3e-5, ("path", "kernel", "name")), "experts.padding": (16.0, ()),
        "experts.ramp": (80.0, ()), "experts.passes": (1.5, ()), "experts.pair": (2e-7, ()),
        "experts.overlap": (3.0, ()), "experts.crowd": (0.3, ()), "experts.few": (0.8, ()),
        "experts.far": (1.4, ()),
    }),
    Part("allreduce_custom", {
        "reduce.link": (0.7, ("wire", "family")), "reduce.crowd": (0.1, ("wire", "family")),
        "reduce.own": (0.2, ()),
        "reduce.floor": (2e3, ("wire", "kernel")), "reduce.hop": (2e-7, ("wire",)),
        "reduce.turn": (1e-5, ("wire",)), "reduce.start": (5e-5, ()), "reduce.few": (1e12, ()),
        "reduce.eager": (4e-5, ("family",)),
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
    """The constants that logarithms add up to, and those that are not fitted."""
    found = {name: np.exp(np.minimum(on @ x, TOP.get(name, 99.0))) for name, on in design.items()}
    told = {
        name: usual * np.array([members.get(each, 1.0) for each in groups[group]])
        for name, (usual, group, members) in SHEETS.items()
    }
    return {**found, **told}


def fitted(part: Part, rows: given.Rows, near: Fit | None = None) -> Fit:
    """The constants of a kind of operator on some rows, by damped Gauss-Newton steps.

    They start from the table above, or from those of `near`, where more rows were known.
    """
    names = [(name, "", "") for name in part.constants]
    for name, (_, groups) in part.constants.items():
        names += [(name, g, str(each)) for g in groups for each in sorted({*rows.groups[g]})]
    prior = np.array([0.0 if group else np.log(part.constants[n][0]) for n, group, _ in names])
    ridge = np.array([RIDGE.get(group, USUAL) for _, group, _ in names])
    design, measured = Fit(names, prior).design(rows.groups), np.log(rows.seconds)

    def told(c: Any) -> np.ndarray:
        return np.log(given.predicted(part.kind, rows, c))

    def loss(time: np.ndarray, x: np.ndarray) -> float:
        off = (time - measured) / NOISE
        return float((2 * np.sqrt(1 + off * off) - 2).sum() + (ridge * (x - prior) ** 2).sum())

    x, damped = prior, 1e-2
    if near is not None:
        before = dict(zip(near.names, near.x, strict=True))
        x = np.array([before[name] for name in names])
    c = added(design, x, rows.groups)
    time = told(c)
    for _ in range(STEPS):
        slopes = np.zeros((len(time), len(x)))
        for name, on in design.items():
            moved = time - told({**c, name: c[name] * np.exp(-WIDTH)})
            slopes += (moved / WIDTH * (on @ x <= TOP.get(name, 99.0)))[:, None] * on
        weight = 1 / np.sqrt(1 + ((time - measured) / NOISE) ** 2) / NOISE**2
        pull = slopes.T @ (weight * (time - measured)) + ridge * (x - prior)
        normal, was = slopes.T @ (weight[:, None] * slopes) + np.diag(ridge), loss(time, x)
        while damped < 1e6:
            step = np.linalg.solve(normal + damped * np.diag(np.diag(normal)), -pull)
            new = x + np.clip(step, -1, 1)
            c = added(design, new, rows.groups)
            after = told(c)
            if loss(after, new) < was:
                x, time, damped = new, after, max(damped / 5, 1e-6)
                break
            damped *= 5
        if was - loss(time, x) < ENOUGH * was:
            break
    return Fit(names, x)


def left_out(part: Part, rows: given.Rows, whole: Fit) -> np.ndarray:
    """Predictions of each device by constants that were found without it."""
    time = np.zeros(len(rows.seconds))
    for device in sorted({*rows.device}):
        there = rows.device == device
        other, own = rows.only(~there), rows.only(there)
        time[there] = given.predicted(
            part.kind, own, fitted(part, other, whole).constants(own.groups)
        )
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
            unseen = left_out(part, rows, fit)
            report(f"{part.kind}, left out", rows, unseen)
            without |= dict(zip(rows.text["id"], unseen, strict=True))
        print(
            {
                f"{n}.{g}.{m}".strip("."): float(f"{np.exp(v):.3g}")
                for (n, g, m), v in zip(fit.names, fit.x, strict=True)
            }
        )
    if options.write:
        FILE.write_text(text(fits))
    if options.write and without:
        lines = [f"{name},{time * 1e6:.4g}" for name, time in sorted(without.items())]
        given.LEFT_OUT.write_text("\n".join(["id,time_us", *lines, ""]))


def _source(kind: str, ref: str) -> dict[str, Any]:
    return {"kind": kind, "ref": ref, "read": dt.date.today()}


def text(fits: list[Fit]) -> str:
    """The file that ships, with these constants."""
    every: dict[str, Any] = {
        name: {"all": usual, "by": {group: members}}
        for name, (usual, group, members) in SHEETS.items()
    }
    for fit in fits:
        for (name, group, member), value in zip(fit.names, fit.x, strict=True):
            number = float(f"{np.exp(min(value, TOP.get(name, 99.0))):.4g}")
            own = every.setdefault(name, {})
            if not group:
                own["all"] = number
            else:
                own.setdefault("by", {}).setdefault(group, {})[member] = number
    sources = {
        "default": _source(
            "derived", "fitted on literature/data/operators.csv by benchmarks/fit_operators.py"
        )
    }
    for name in SHEETS:
        sources[f"constants.{name}"] = _source(
            "documentation",
            "NVIDIA, whitepapers and data sheets of A100, L40S, H100, B200 and RTX PRO 6000",
        )
    data = {"name": "silicon", "constants": every, "sources": sources}
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=100)


if __name__ == "__main__":
    main()
