"""The sections of a system as data: what is done in a phase, what it runs on, and where.

Each phase has types of its own, closed to keys that it has no use for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic_core import core_schema

from mlsysim.core import units as u
from mlsysim.core.errors import InvalidEntry, shown
from mlsysim.core.identity import once
from mlsysim.core.schemas import NULL, having
from mlsysim.core.solver import Solver
from mlsysim.core.units import Dim
from mlsysim.core.values import Value
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.types import Facility, Grid
from mlsysim.models.operators import DECODE, FORWARD, PREFILL
from mlsysim.models.registry import Models
from mlsysim.models.transformer import DEFAULT_CONTEXT
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.distributed import ZeroStage
from mlsysim.solvers.node.learning import Optimizer, Recompute, TrainingPrecision
from mlsysim.solvers.node.replica import RESERVE
from mlsysim.solvers.node.serving import ServingModel
from mlsysim.solvers.ops.footprint import Multiplier
from mlsysim.stacks.registry import usual
from mlsysim.stacks.types import IDEAL, Level, named
from mlsysim.systems.types import PLAIN_NODE, Fabric, Fleet, Node, plain_node

T = TypeVar("T")


class _OrNull:
    """Null may stand for the default."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.nullable_schema(handler(source))


OrDefault = Annotated[T, _OrNull()]
SERVE, TRAIN = "serve", "train"


KeptFree = Annotated[Any, Dim("", open_low=False, high=0.99)]

# what other tools call a key, where another key of ours looks more like it
MEANT = {
    "workload": {
        **dict.fromkeys(("input_tokens", "prompt_tokens", "input_len", "isl"), "prompt"),
        **dict.fromkeys(("output_tokens", "decode_tokens", "max_tokens", "osl"), "tokens"),
        **dict.fromkeys(("qps", "rate", "request_rate"), "arrival_rate_qps"),
        **dict.fromkeys(("weights", "activations", "dtype"), "precision"),
        **dict.fromkeys(("kv", "kv_cache_dtype"), "kv_precision"),
    },
    "fleet": {"gpus": "count", "devices": "count", "gpu_memory_utilization": "kept_free"},
}


class Section(Value):
    """A part of a system; a null in it means the same as leaving the key out."""

    @classmethod
    def meant(cls, given: Any) -> Any:
        """What it says; nulls say nothing."""
        given = super().meant(given)
        if not isinstance(given, dict):
            return given
        return {k: v for k, v in given.items() if v is not None or k not in cls.model_fields}

    def given(self, solver: type[Solver]) -> dict[str, Any]:
        """What it says of the arguments that a solver takes."""
        values = {key: getattr(self, key) for key in type(self).model_fields}
        return {k: v for k, v in values.items() if k in solver.accepts and v is not None}


# ---- workload: a model, and one phase of it ------------------------------------------------------


class Decodes:
    """In a JSON schema: a model that decodes, or one that does not."""

    def __init__(self, *, so: bool) -> None:
        self.so = so

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        names = [name for name, model in Models.entries() if DECODE in model.phases]
        causal = {"kind": {"const": "transformer"}, "causal": {"const": True}}
        kinds = [causal, {"kind": {"enum": ["statespace", "speech"]}}]
        written = [{"type": "object", "required": ["kind"], "properties": each} for each in kinds]
        decodes = {"anyOf": [{"enum": names}, *written]}
        return {"allOf": [handler(core), decodes if self.so else {"not": decodes}]}


class WorkloadSpec(Section):
    """A model, and what is asked of it in one phase; `batch_size` is that of one replica."""

    model: Workload
    phase: Any  # its name; each type has its own
    batch_size: OrDefault[u.Batch] = 1
    precision: OrDefault[u.Precision] = "fp16"
    efficiency: u.Fraction | None = None
    stack: Level | None = None

    step: ClassVar[str | None] = None  # the model must have this one

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> dict[str, Any]:
        named = super().__get_pydantic_json_schema__(core, handler)
        at = handler.resolve_ref_schema(named)["properties"]
        if "default" in at["phase"]:
            at["phase"] = {"anyOf": [at["phase"], NULL]}
        # keys of other phases may say nothing
        at.update(dict.fromkeys(OF_SOME_PHASE["workload"] - at.keys(), NULL))
        return named

    def level(self, device: HardwareNode) -> Any:
        """At what level of cost its steps are: the stack that was told, or what usually runs there.

        Whoever tells an efficiency has the law's, and so has what nobody measured: ideal.
        """
        if self.stack is not None:
            return self.stack
        kind = getattr(self.model, "kind", "")
        found = usual(self.phase, kind, device.vendor, device.family)
        return found if found and self.efficiency is None else IDEAL

    def ran(self, device: HardwareNode) -> tuple[Any, Any, str | None]:
        """What runs it, on a device of which generation, and a model of which kind."""
        return self.level(device), device.generation, getattr(self.model, "kind", None)

    def run_by(self, device: HardwareNode) -> str:
        """A note on the stack whose times they are."""
        name = named(self.level(device))
        chosen = ", which usually runs there" if self.stack is None else ""
        return "" if name == IDEAL else f"times are those of the stack {name!r}{chosen}"

    def check(self) -> None:
        """The model has the phase."""
        has = self.model.phases
        if self.step not in (None, *has):
            known: list[str] = sorted({*has, TRAIN, *([SERVE] if DECODE in has else [])})
            remedy = f"{self.model.name} has no {self.phase}; it has {', '.join(known)}"
            raise self.wrong("phase", remedy)


class Serve(WorkloadSpec):
    """Answers prompts of `prompt` tokens with `tokens` tokens, `reasoning_steps` times over.

    `batch_size` is the most that a replica answers together, as many as fit unless given; without
    an arrival rate it is how many there are, one unless given. A `draft_model` guesses some tokens.
    """

    model: Annotated[Workload, Decodes(so=True)]
    phase: Literal["serve"] = "serve"
    batch_size: u.Batch | None = None
    prompt: OrDefault[u.Count] = DEFAULT_CONTEXT
    tokens: OrDefault[u.Count] = int(ServingModel.defaults["decode_tokens"])
    reasoning_steps: OrDefault[u.Count] = 1
    kv_precision: u.Precision | None = None
    cached_prefix_len: u.CountOrZero | None = None
    prefill_chunk_tokens: u.Count | None = None
    draft_model: Workload | None = None
    draft_tokens: u.Count | None = None
    draft_acceptance_rate: u.FractionOrZero | None = None
    arrival_rate_qps: u.Queries | None = None

    step = DECODE

    def check(self) -> None:
        """Some of the prompt is left to read."""
        super().check()
        if (self.cached_prefix_len or 0) >= self.prompt:
            raise self.wrong("cached_prefix_len", f"it leaves nothing of the {self.prompt} tokens")


class OneStep(WorkloadSpec):
    """One step alone, at a context of `seq_len` tokens."""

    seq_len: u.Count | None = None
    arrival_rate_qps: u.Queries | None = None


class Generate(OneStep):
    """One step of a decoder: the next token of each sequence, or whole prompts at once."""

    model: Annotated[Workload, Decodes(so=True)]
    phase: Literal["decode", "prefill"]
    kv_precision: u.Precision | None = None

    step = DECODE


class Forward(OneStep):
    """One pass of a model that does not decode."""

    model: Annotated[Workload, Decodes(so=False)]
    phase: Literal["forward"] = "forward"

    step = FORWARD


class Train(WorkloadSpec):
    """Steps of `batch_size` sequences in the whole fleet, until `tokens` are seen."""

    phase: Literal["train"]
    batch_size: u.Batch | None = None
    precision: OrDefault[TrainingPrecision] = "fp16"
    seq_len: u.Count | None = None
    tokens: u.Count | None = None
    optimizer: Optimizer | None = None
    lora_rank: u.Count | None = None
    base_precision: u.Precision | None = None
    overlap: u.FractionOrZero | None = None

    @classmethod
    def meant(cls, given: Any) -> Any:
        """What it says; adapters have a key of their own."""
        given = super().meant(given)
        if isinstance(given, dict) and given.get("optimizer") in ("lora", "qlora"):
            remedy = "is no optimizer; say how wide its adapters are, as in lora_rank: 16"
            raise InvalidEntry("", "optimizer", f"{shown(given['optimizer'])} {remedy}")
        return given


# ---- fleet and environment -----------------------------------------------------------------------


_FILLING = {"anyOf": [{"maximum": PLAIN_NODE}, {"multipleOf": PLAIN_NODE}]}


class FleetSpec(Section):
    """What it runs on: a cluster, or `count` nodes or devices on a `fabric`.

    More than 8 devices come in nodes of 8. `tensor_parallel` of them make one replica, as few as
    hold the model unless given, times those that share its layers and experts. `kept_free` is the
    part of each memory that nothing is put in.
    """

    cluster: Fleet | None = None
    node: Node | None = None
    hardware: HardwareNode | None = None
    fabric: Fabric | None = None
    count: u.Count | None = None
    tensor_parallel: u.Count | None = None
    pipeline_parallel: u.Count | None = None
    expert_parallel: u.Count | None = None
    context_parallel: u.Count | None = None
    kept_free: OrDefault[KeptFree] = RESERVE

    things: ClassVar = ("cluster", "node", "hardware")
    between = {
        "oneOf": [having(key) for key in things],
        "if": having("hardware"),
        "then": {"properties": {"count": _FILLING}},
    }

    @cached_property
    def entry(self) -> Fleet:
        """The fleet itself."""
        if self.cluster is not None:
            changes = {"count": self.count, "fabric": self.fabric}
            changes = {key: value for key, value in changes.items() if value is not None}
            return self.cluster.replace(**changes) if changes else self.cluster
        node, count = self.node, self.count or 1
        name = f"{count} x {getattr(node or self.hardware, 'name', '')}"
        if node is None:
            inside = min(count, PLAIN_NODE)
            node, count = plain_node(self.hardware, inside), count // inside
        return Fleet(name=name, node=node, count=count, fabric=self.fabric)

    @cached_property
    def usable(self) -> Fleet:
        """The fleet with as much memory as is not kept free."""
        return self.entry.replace(node=keeping(self.entry.node, self.kept_free))

    @property
    def inside(self) -> int:
        """The most devices that share a node."""
        alone = self.hardware is not None
        return PLAIN_NODE if alone else int(self.entry.node.accelerators)

    @property
    def each(self) -> int:
        """Devices in what `count` counts: one, or a node of them."""
        return 1 if self.hardware is not None else int(self.entry.node.accelerators)

    @property
    def counted(self) -> int:
        """The `count`, whether it is given or not."""
        return int(self.entry.devices) // self.each

    def holding(self, devices: int) -> int:
        """The smallest `count` with so many devices; beyond one node, bare ones fill nodes."""
        fill = PLAIN_NODE if self.hardware is not None and devices > PLAIN_NODE else self.each
        return -(-devices // fill) * fill // self.each

    def around(self, factors: Sequence[int]) -> list[int]:
        """Counts so many times as large and as small as this one that fill their nodes."""
        given = {self.counted * by for by in factors} | {self.counted // by for by in factors}
        full = (n if self.holding(n * self.each) == n else n - n % PLAIN_NODE for n in given if n)
        return sorted({self.counted, *full})

    def check(self) -> None:
        """It is a fleet of one thing, and devices fill their nodes."""
        given = [key for key in self.things if getattr(self, key) is not None]
        if len(given) != 1:
            what = f"{' and '.join(given)} are given" if given else "nothing is given"
            remedy = f"{what}; give one of cluster, node and hardware"
            raise self.wrong(given[-1] if given else "hardware", remedy)
        count = self.count or 1
        if self.hardware is not None and count > PLAIN_NODE and count % PLAIN_NODE:
            what = f"{count} devices do not fill nodes of {PLAIN_NODE}"
            remedy = f"use a multiple of {PLAIN_NODE}, or give node and how many there are of it"
            raise self.wrong("count", f"{what}; {remedy}")


@once
def keeping(node: Node, free: float) -> Node:
    """The same with a part of each memory kept free."""
    memory = node.accelerator.memory
    memory = memory.replace(capacity=memory.capacity * (1 - free))
    return node.replace(accelerator=node.accelerator.replace(memory=memory))


class TrainingFleet(FleetSpec):
    """What it runs on: a cluster, or `count` nodes or devices on a `fabric`.

    More than 8 devices come in nodes of 8; `kept_free` is the part of each memory that nothing is
    put in. Outside training, `tensor_parallel` devices make one replica, as few as hold the model
    unless given, and the keys from `zero_stage` on are of no use. In training the division
    is searched for unless one part of it is given; `mtbf` is the whole fleet's.
    """

    zero_stage: ZeroStage | None = None
    microbatch: u.Batch | None = None
    recompute: Recompute | None = None
    interleave: u.Count | None = None
    sequence_parallel: bool | None = None
    mtbf: u.Seconds | None = None
    checkpoint_time: u.Seconds | None = None
    restart_time: u.Seconds | None = None


class EnvironmentSpec(Section):
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


# ---- phases ------------------------------------------------------------------------------------

_KINDS = {"workload": (Serve, Generate, Forward, Train), "fleet": (FleetSpec, TrainingFleet)}
PHASES: dict[str, tuple[type[WorkloadSpec], type[FleetSpec]]] = {
    SERVE: (Serve, FleetSpec),
    DECODE: (Generate, FleetSpec),
    PREFILL: (Generate, FleetSpec),
    FORWARD: (Forward, FleetSpec),
    TRAIN: (Train, TrainingFleet),
}
OF_TRAINING = [key for key in TrainingFleet.model_fields if key not in FleetSpec.model_fields]
OF_SOME_PHASE = {
    section: {key for kind in kinds for key in kind.model_fields}
    for section, kinds in _KINDS.items()
}
