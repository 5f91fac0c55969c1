"""A whole system as data: workload, fleet, environment and constraints, in one YAML file.

Models, devices, nodes, fabrics, clusters, grids and facilities are given by name, or written out in
the format of the registry's own files. A key that the question has no use for is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, InvalidEntry, UnknownName
from mlsysim.core.registry import load, parse_yaml
from mlsysim.core.search import Constraint
from mlsysim.core.units import Dim
from mlsysim.core.values import Entry, Many, Source, Value
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.types import Facility, Grid, Price
from mlsysim.models.operators import DECODE, FORWARD, PREFILL
from mlsysim.models.registry import KINDS
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.distributed import ZeroStage
from mlsysim.solvers.fleet.training import Optimizer, Recompute
from mlsysim.solvers.ops.footprint import Multiplier
from mlsysim.systems.types import Fabric, Fleet, Node

SERVE, TRAIN = "serve", "train"
PLAIN_NODE = 8  # devices in a node of which nothing else is known
Queries = Annotated[Any, Dim("1/s", bare="1/s")]

# What a section may say in each phase, beside what every phase knows.
_STEP = {"seq_len", "arrival_rate_qps"}
_USES = {
    SERVE: {"prompt", "tokens", "reasoning_steps", "arrival_rate_qps"},
    DECODE: _STEP,
    PREFILL: _STEP,
    FORWARD: _STEP,
    TRAIN: {
        "seq_len",
        "tokens",
        "optimizer",
        "overlap",
        "recompute",
        "microbatch",
        "pipeline_parallel",
        "expert_parallel",
        "zero_stage",
        "interleave",
        "sequence_parallel",
        "mtbf",
        "checkpoint_time",
        "restart_time",
    },
}
_ALWAYS = {
    "model",
    "phase",
    "batch_size",
    "precision",
    "efficiency",
    "cluster",
    "node",
    "hardware",
    "fabric",
    "count",
    "tensor_parallel",
}
PLAN = (
    "tensor_parallel",
    "pipeline_parallel",
    "expert_parallel",
    "zero_stage",
    "microbatch",
    "recompute",
)


class WorkloadSpec(Value):
    """What is asked for: a model, and one use of it.

    `phase` serve answers prompts of `prompt` tokens with `tokens` tokens (times `reasoning_steps`);
    train makes steps of `batch_size` sequences until `tokens` are seen; decode, prefill and forward
    are one step alone. `batch_size` is one replica's, except in training, where it is the fleet's.
    """

    model: Workload
    phase: Literal["serve", "decode", "prefill", "forward", "train"] | None = None
    batch_size: u.Batch | None = None
    seq_len: u.Count | None = None
    prompt: u.Count | None = None
    tokens: u.Count | None = None
    reasoning_steps: u.Count | None = None
    arrival_rate_qps: Queries | None = None
    precision: u.Precision = "fp16"
    efficiency: u.Fraction = 0.5
    optimizer: Optimizer | None = None
    overlap: u.FractionOrZero | None = None

    @property
    def use(self) -> str:
        """The phase, as given or as the model suggests: decoders serve, all others run forward."""
        return self.phase or (SERVE if DECODE in self.model.phases else FORWARD)

    def check(self) -> None:
        """The model has the phase."""
        phases = {*self.model.phases, TRAIN, *([SERVE] if DECODE in self.model.phases else [])}
        if self.use not in phases:
            known = ", ".join(sorted(phases))
            raise self.wrong("phase", f"{self.model.name} has no {self.use}; it has {known}")


class FleetSpec(Value):
    """What it runs on, and how the work is divided; `count` counts what is named.

    Give one of `cluster`, `node` and `hardware`. In training the division is searched for unless
    one part of it is given; otherwise `tensor_parallel` devices make one replica. `mtbf` is the
    whole fleet's, in place of what its parts would give.
    """

    cluster: Fleet | None = None
    node: Node | None = None
    hardware: HardwareNode | None = None
    fabric: Fabric | None = None
    count: u.Count | None = None
    tensor_parallel: u.Count | None = None
    pipeline_parallel: u.Count | None = None
    expert_parallel: u.Count | None = None
    zero_stage: ZeroStage | None = None
    microbatch: u.Batch | None = None
    recompute: Recompute | None = None
    interleave: u.Count | None = None
    sequence_parallel: bool | None = None
    mtbf: u.Seconds | None = None
    checkpoint_time: u.Seconds | None = None
    restart_time: u.Seconds | None = None

    @cached_property
    def entry(self) -> Fleet:
        """The fleet itself."""
        if self.cluster is not None:
            changes = {"count": self.count, "fabric": self.fabric}
            changes = {key: value for key, value in changes.items() if value is not None}
            return self.cluster.replace(**changes) if changes else self.cluster
        if (node := self.node) is not None:
            count = self.count or 1
            name = f"{count} x {node.name}"
            return Fleet(name=name, node=node, count=count, fabric=self.fabric)
        device = HardwareNode.build(self.hardware)
        devices = self.count or 1
        inside = min(devices, PLAIN_NODE)
        if devices % inside:
            remedy = f"use a multiple of {inside}, or give node and how many there are of it"
            raise self.wrong("count", f"{devices} devices do not fill nodes of {inside}; {remedy}")
        node = Node(
            name=device.name if inside == 1 else f"{inside} x {device.name}",
            accelerator=device,
            accelerators=inside,
            interconnect=device.interconnect,
        )
        return Fleet(
            name=f"{devices} x {device.name}",
            node=node,
            count=devices // inside,
            fabric=self.fabric,
        )

    def check(self) -> None:
        """There is one thing that it is a fleet of."""
        given = [key for key in ("cluster", "node", "hardware") if getattr(self, key) is not None]
        if len(given) != 1:
            what = f"{' and '.join(given)} are given" if given else "nothing is given"
            remedy = f"{what}; give one of cluster, node and hardware"
            raise self.wrong(given[-1] if given else "hardware", remedy)
        _ = self.entry


class EnvironmentSpec(Value):
    """Where it runs, for how long, and at which prices; without `duration` nothing is priced."""

    grid: Grid | None = None
    facility: Facility | None = None
    duration: u.Seconds | None = None
    electricity_price: u.EnergyPrice | None = None
    accelerator_price: u.Money | None = None
    amortization: u.Seconds | None = None
    infrastructure_multiplier: Multiplier | None = None
    maintenance_fraction: u.FractionOrZero | None = None
    pue: u.PowerUsageEffectiveness | None = None
    power_fraction: u.Fraction | None = None
    battery: u.Energy | None = None


class SystemSpec(Entry):
    """A whole system: what it does, what it runs on, where, and what it must keep to.

    A constraint compares a metric with a bound, as in `latency < 50 ms` or `tco <= 5e6 USD`.
    """

    name: str = "system"
    question: str | None = None
    workload: WorkloadSpec
    fleet: FleetSpec
    environment: EnvironmentSpec = EnvironmentSpec()
    constraints: Many[str] | dict[str, Any] = ()

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], name: str = "system") -> Any:
        """A system from a mapping; raises InvalidEntry that names the key and what would do."""
        if not isinstance(spec, Mapping):
            kind = type(spec).__name__
            raise InvalidEntry(name, "", f"a system is a mapping of keys, not {kind}")
        given = {"default": Source(kind="user", ref="given by the user")}
        return cls(**{"name": name, "sources": given, **{str(k): v for k, v in spec.items()}})

    @classmethod
    def from_text(cls, text: str, name: str = "system") -> Any:
        """A system from YAML text."""
        return cls.from_spec(parse_yaml(text, name), name)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Any:
        """A system from a YAML file; raises InvalidEntry that names file, key and remedy."""
        return load(Path(path), lambda data: cls.from_spec(data, Path(path).stem))

    def check(self) -> None:
        """Constraints can be read, and every key is of use in this phase."""
        super().check()
        _ = self.limits
        use = self.workload.use
        for section, part in (("workload", self.workload), ("fleet", self.fleet)):
            for key in type(part).model_fields:
                if getattr(part, key) is not None and key not in _ALWAYS | _USES[use]:
                    remedy = f"phase {use} has no use for it; leave it out"
                    raise self.wrong(f"{section}.{key}", remedy)
        if self.environment.battery is not None and self.workload.arrival_rate_qps is None:
            raise self.wrong(
                "workload.arrival_rate_qps",
                "a battery lasts as often as it is used; "
                "say how often, as in arrival_rate_qps: 0.1",
            )

    @cached_property
    def limits(self) -> tuple[Constraint, ...]:
        """The constraints, read."""
        given = self.constraints
        texts = [f"{k} {v}" for k, v in given.items()] if isinstance(given, Mapping) else given
        read = []
        for i, text in enumerate(texts):
            try:
                read.append(Constraint.read(text))
            except BadArgument as error:
                remedy = f"{text!r} will not do; {error.remedy}"
                raise self.wrong(f"constraints[{i}]", remedy) from None
        return tuple(read)

    def value(self, path: str) -> Any:
        """What stands at a path such as `workload.precision`."""
        section, _, key = path.partition(".")
        return getattr(getattr(self, section), key)

    def changed(self, changes: Mapping[str, Any]) -> Any:
        """The system with other values at paths such as `workload.precision`."""
        parts: dict[str, dict[str, Any]] = {}
        for path, value in changes.items():
            section, _, key = path.partition(".")
            if section not in ("workload", "fleet", "environment"):
                raise UnknownName("section", section, ("workload", "fleet", "environment"))
            parts.setdefault(section, {})[key] = value
        new = {key: getattr(self, key).replace(**values) for key, values in parts.items()}
        return self.replace(**new)


# ---- schemas -------------------------------------------------------------------------------------

SCHEMAS: dict[str, type[Value]] = {
    "system": SystemSpec,
    "hardware": HardwareNode,
    **KINDS,
    "grid": Grid,
    "facility": Facility,
    "price": Price,
    "node": Node,
    "fabric": Fabric,
    "cluster": Fleet,
}


def schema(kind: str = "system", others: Mapping[str, type[Value]] | None = None) -> dict[str, Any]:
    """JSON schema of one kind of file, one of `others` too; raises UnknownName.

    >>> schema("hardware")["properties"]["tdp"]["x-unit"]
    'W'
    """
    kinds = {**SCHEMAS, **(others or {})}
    if kind not in kinds:
        raise UnknownName("kind", kind, kinds)
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | kinds[kind].json_schema()
