"""From one sentence to a fleet and its bill: which devices, how many, divided how, and what binds.

Every device is searched for by itself (`plan.plan`), over all divisions inside a node. What stays
is the front of money against time. What would change the choice is the same search asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Given, Solver, show
from mlsysim.core.units import PRECISIONS, Q_
from mlsysim.evaluation.offers import Desk, Question
from mlsysim.evaluation.planned import Plan
from mlsysim.evaluation.sections import SERVE, TRAIN, Serve
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.infrastructure.types import Grid
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.stacks.types import Level, named

_USUAL = Serve.model_fields


class Planner(Solver):
    """Which devices, how many and how divided, for so many requests or for a training run.

    Fallacy: "The fastest device is the dearest." Who pays by the request asks how many it takes.
    """

    walls = (5, 7, 14, 17, 18)

    def solve(
        self,
        model: Given[Workload],
        devices: Sequence[Given[HardwareNode]] = (),
        *,
        rate: u.Queries | None = None,
        prompt: u.Count = _USUAL["prompt"].default,
        tokens: u.Count | None = None,
        ttft: u.Seconds | None = None,
        itl: u.Seconds | None = None,
        weights: u.Precision | None = None,
        kv_precision: u.Precision | None = None,
        budget: u.Money | None = None,
        region: Given[Grid] | None = None,
        stack: Level | None = None,
        train: bool = False,
        deadline: u.Seconds | None = None,
        batch_size: u.Batch | None = None,
        seq_len: u.Count | None = None,
        lora_rank: u.Count | None = None,
        progress=None,  # a Progress: no part of the question, so no schema tells it
    ) -> Plan:
        """The front of fleets that serve `rate` requests a second, or that train.

        Of the whole zoo where no `devices` are named. Each request has `prompt` tokens and gets
        `tokens`; 99 of 100 see the first within `ttft`, and the next ones every `itl`. `weights`
        are kept in this precision (fp16, and bf16 in training), the cache in `kv_precision`. With
        `train` the model sees `tokens` until a `deadline`, in steps of `batch_size` sequences of
        `seq_len`; with `lora_rank` adapters learn beside frozen `weights`. `budget` is that of a
        month, or of the run. Energy is paid and emits as in `region`, on average American. Without
        a `stack` each device has the one that usually runs there.

        >>> found = Planner().solve(
        ...     "Llama3_70B",
        ...     ["H200"],
        ...     rate=50,
        ...     prompt=2000,
        ...     tokens=300,
        ...     ttft="500 ms",
        ...     weights="fp8",
        ... )
        >>> found.best.devices, found.best.plan
        (32, 'TP 2')
        """
        asked = {k: v for k, v in locals().items() if k not in ("self", "devices", "progress")}
        question = _training(asked) if train else _serving(asked)
        among = tuple(devices) or tuple(device for _, device in Hardware.entries())
        desk = Desk(question, region or Infrastructure.Grids.US_Average, budget, progress)
        return desk.told(among, asked=bool(devices))


def _serving(asked: dict[str, Any]) -> Question:
    if asked["rate"] is None:
        raise BadArgument(
            "rate", None, "say how often requests arrive, as in rate=50, or train=True"
        )
    for name in ("deadline", "batch_size", "seq_len", "lora_rank"):
        if asked[name] is not None:
            raise BadArgument(name, asked[name], "only training has one; give train=True as well")
    weights, tokens = asked["weights"] or "fp16", asked["tokens"] or _USUAL["tokens"].default
    spec = {
        "model": asked["model"],
        "phase": SERVE,
        "prompt": int(asked["prompt"]),
        "tokens": int(tokens),
        "arrival_rate_qps": asked["rate"],
        "precision": weights,
        "kv_precision": asked["kv_precision"],
        "stack": asked["stack"],
    }
    bounds = {"p99_ttft": asked["ttft"], "itl": asked["itl"]}
    limits = {name: f"{name} <= {s} s" for name, s in bounds.items() if s is not None}
    narrower = [n for n in ("fp8", "int4") if PRECISIONS[n] < PRECISIONS[weights]]
    others = [(f"weights in {name}", {"precision": name}, (*limits.values(),)) for name in narrower]
    for name, text in limits.items():
        rest = tuple(each for key, each in limits.items() if key != name)
        others.append((f"without {_bound(text)}", {}, rest))
    others.append(("twice the rate", {"arrival_rate_qps": 2 * asked["rate"]}, (*limits.values(),)))
    bounded = "".join(f", {_bound(text)}" for text in limits.values())
    text = (
        f"{asked['model'].name} in {weights}{_on(asked)}, {asked['rate']:g} requests a second of "
        f"{asked['prompt']:,.0f} + {tokens:,.0f} tokens{bounded}; money of a month"
    )
    return Question(text, spec, (*limits.values(),), (*others,))


def _training(asked: dict[str, Any]) -> Question:
    for name in ("rate", "ttft", "itl", "kv_precision"):
        if asked[name] is not None:
            raise BadArgument(name, asked[name], "a training run has none; leave it out")
    if asked["tokens"] is None:
        raise BadArgument("tokens", None, "say how many it trains on, as in tokens=2e9")
    rank, weights = asked["lora_rank"], asked["weights"]
    spec = {
        "model": asked["model"],
        "phase": TRAIN,
        "tokens": asked["tokens"],
        "precision": "bf16" if rank or weights is None else weights,
        "batch_size": asked["batch_size"],
        "seq_len": asked["seq_len"],
        "lora_rank": rank,
        "base_precision": weights if rank else None,
        "stack": asked["stack"],
    }
    how = (f"LoRA of rank {rank:.0f}" if rank else "training") + _on(asked)
    late, deadline = "", asked["deadline"]
    others: list[Any] = []
    if deadline is not None:
        late = f" within {show(Q_(deadline, 's').to('day'))}"
        others.append(("in half the time", {"deadline": deadline / 2}, ()))
    if not rank and spec["precision"] != "fp8":
        others.append(("in fp8", {"precision": "fp8"}, ()))
    if not rank and isinstance(asked["model"], TransformerWorkload):
        others.append(("LoRA of rank 16 instead", {"lora_rank": 16}, ()))
    text = f"{asked['model'].name}, {how} on {asked['tokens']:.3g} tokens{late}; money of the run"
    return Question(text, spec, (), (*others,), deadline)


def _on(asked: dict[str, Any]) -> str:
    """The software that runs it, where one is named."""
    return f" on {named(asked['stack'])}" if asked["stack"] else ""


def _bound(limit: str) -> str:
    """A constraint in a person's words."""
    name, _, bound = limit.partition(" <= ")
    words = {"p99_ttft": "99 % of first tokens within", "itl": "a token every"}
    return f"{words[name]} {show(u.parse(bound))}"


plan = Planner().solve
