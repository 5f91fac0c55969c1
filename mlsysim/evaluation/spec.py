"""A whole system as data: workload, fleet, environment and constraints, in one YAML file.

Models, devices, nodes, fabrics, clusters, grids and facilities are given by name, or written out in
the format of the registry's own files. What a section may say depends on the phase: each phase has
its own type, closed to keys that it has no use for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from mlsysim.core import units as u
from mlsysim.core.errors import InvalidEntry, UnknownName, did_you_mean, shown
from mlsysim.core.registry import load, parse_yaml
from mlsysim.core.schemas import having, spelled
from mlsysim.core.search import Constraint
from mlsysim.core.solver import Solver
from mlsysim.core.units import NUMBER, Word
from mlsysim.core.values import BY_USER, Entry, Home, Many, Value
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.types import Facility, Grid
from mlsysim.models.operators import DECODE, FORWARD, PREFILL
from mlsysim.models.registry import Models
from mlsysim.models.transformer import DEFAULT_CONTEXT
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.distributed import ZeroStage
from mlsysim.solvers.fleet.parallelism import PlanSearch
from mlsysim.solvers.fleet.training import Optimizer, Recompute, TrainingPrecision
from mlsysim.solvers.node.serving import ServingModel
from mlsysim.solvers.ops.footprint import Multiplier
from mlsysim.systems.types import Fabric, Fleet, Node

SERVE, TRAIN = "serve", "train"
PLAIN_NODE = 8  # devices in a node of which nothing else is known


class Section(Value):
    """A part of a system."""

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
        kinds = [causal, {"kind": {"const": "statespace"}}]
        written = [{"type": "object", "required": ["kind"], "properties": each} for each in kinds]
        decodes = {"anyOf": [{"enum": names}, *written]}
        return {"allOf": [handler(core), decodes if self.so else {"not": decodes}]}


class WorkloadSpec(Section):
    """A model, and what is asked of it in one phase; `batch_size` is that of one replica."""

    model: Workload
    phase: Any  # its name; each type has its own
    batch_size: u.Batch = 1
    precision: u.Precision = "fp16"
    efficiency: u.Fraction = 0.5

    step: ClassVar[str | None] = None  # the model must have this one

    def check(self) -> None:
        """The model has the phase."""
        has = self.model.phases
        if self.step not in (None, *has):
            known: list[str] = sorted({*has, TRAIN, *([SERVE] if DECODE in has else [])})
            remedy = f"{self.model.name} has no {self.phase}; it has {', '.join(known)}"
            raise self.wrong("phase", remedy)


class Serve(WorkloadSpec):
    """Answers prompts of `prompt` tokens with `tokens` tokens, `reasoning_steps` times over."""

    model: Annotated[Workload, Decodes(so=True)]
    phase: Literal["serve"] = "serve"
    prompt: u.Count = DEFAULT_CONTEXT
    tokens: u.Count = int(ServingModel.defaults["decode_tokens"])
    reasoning_steps: u.Count = 1
    kv_precision: u.Precision | None = None
    arrival_rate_qps: u.Queries | None = None

    step = DECODE


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
    precision: TrainingPrecision = "fp16"
    seq_len: u.Count | None = None
    tokens: u.Count | None = None
    optimizer: Optimizer | None = None
    overlap: u.FractionOrZero | None = None


# ---- fleet and environment -----------------------------------------------------------------------


_FILLING = {"anyOf": [{"maximum": PLAIN_NODE}, {"multipleOf": PLAIN_NODE}]}


class FleetSpec(Section):
    """What it runs on: a cluster, or `count` nodes or devices on a `fabric`.

    `tensor_parallel` devices make one replica.
    """

    cluster: Fleet | None = None
    node: Node | None = None
    hardware: HardwareNode | None = None
    fabric: Fabric | None = None
    count: u.Count | None = None
    tensor_parallel: u.Count | None = None

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
            node, count = _plain(self.hardware, count)
        return Fleet(name=name, node=node, count=count, fabric=self.fabric)

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


def _plain(device: Any, count: int) -> tuple[Node, int]:
    """`count` devices in nodes of which nothing else is known, and how many nodes that takes."""
    inside = min(count, PLAIN_NODE)
    node = Node(
        name=device.name if inside == 1 else f"{inside} x {device.name}",
        accelerator=device,
        accelerators=inside,
        interconnect=device.interconnect,
    )
    return node, count // inside


class TrainingFleet(FleetSpec):
    """What a model is trained on, and how the work is divided.

    The division is searched for unless one part of it is given. `mtbf` is the whole fleet's, in
    place of what its parts would give.
    """

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


PLAN = [key for key in TrainingFleet.model_fields if key in PlanSearch._fields]  # what is searched


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


# ---- the whole -----------------------------------------------------------------------------------

PHASES: dict[str, tuple[type[WorkloadSpec], type[FleetSpec]]] = {
    SERVE: (Serve, FleetSpec),
    DECODE: (Generate, FleetSpec),
    PREFILL: (Generate, FleetSpec),
    FORWARD: (Forward, FleetSpec),
    TRAIN: (Train, TrainingFleet),
}
_TRAINING = [key for key in TrainingFleet.model_fields if key not in FleetSpec.model_fields]
_OF_SOME_PHASE = {key for kinds in PHASES.values() for kind in kinds for key in kind.model_fields}
_METRIC, _NAME = r"[A-Za-z_]\w*", r"[A-Za-z_][\w .-]*"
_BOUND = (
    rf"\s*(?:(?:==|!=)\s*(?:'{_NAME}'|\"{_NAME}\"|{_NAME})|"
    rf"(?:<=|>=|==|!=|<|>)\s*{NUMBER.pattern}\s*(?:{spelled()}|%)?)\s*$"
)


class Limit(Word):
    """A constraint, written as a comparison."""

    def quantity(self, value: Any, argument: str = "constraints") -> Constraint:
        """The constraint that a text states; raises a BadArgument."""
        return value if isinstance(value, Constraint) else Constraint.read(value)

    def plain(self, value: Constraint) -> str:
        """The constraint as it was written."""
        return value.text

    def schema(self) -> dict[str, Any]:
        """JSON schema of a comparison."""
        about = "a metric and its bound, such as 'latency < 50 ms'"
        return {"type": "string", "pattern": rf"^\s*{_METRIC}{_BOUND}", "description": about}


class SystemSpec(Entry):
    """A whole system: what it does, what it runs on, where, and what it must keep to.

    Where the phase is left out decoders serve, and all others run forward. A constraint compares a
    metric with a bound, as in `latency < 50 ms` or `tco <= 5e6 USD`.
    """

    home: ClassVar = Home("system", "scenarios", "FirstLook")

    name: str = "system"
    question: str | None = None
    workload: Serve | Generate | Forward | Train = Field(discriminator="phase")
    fleet: TrainingFleet | FleetSpec
    environment: EnvironmentSpec = EnvironmentSpec()
    constraints: Many[Annotated[Any, Limit()]] = ()

    between = {
        "allOf": [
            {
                "if": having("workload", having("phase", {"const": TRAIN})),
                "else": {"properties": {"fleet": {"properties": dict.fromkeys(_TRAINING, False)}}},
            },
            {
                "if": having("environment", having("battery")),
                "then": {"properties": {"workload": having("arrival_rate_qps")}},
            },
        ]
    }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], name: str = "system") -> Self:
        """A system from a mapping; raises InvalidEntry that names the key and what would do."""
        if not isinstance(spec, Mapping):
            kind = type(spec).__name__
            raise InvalidEntry(name, "", f"a system is a mapping of keys, not {kind}")
        return cls.build({"name": name, "sources": BY_USER, **spec})

    @classmethod
    def from_text(cls, text: str, name: str = "system") -> Self:
        """A system from YAML text."""
        return cls.from_spec(parse_yaml(text, name), name)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """A system from a YAML file; raises InvalidEntry that names file, key and remedy."""
        return load(Path(path), lambda data: cls.from_spec(data, Path(path).stem))

    @classmethod
    def meant(cls, given: Any) -> Any:
        """The sections as the phase reads them; constraints may be a mapping."""
        given = super().meant(given)
        if not isinstance(given, dict):
            return given
        if isinstance(given.get("constraints"), Mapping):
            limits = [f"{metric} {bound}" for metric, bound in given["constraints"].items()]
            given = {**given, "constraints": limits}
        if "workload" in given:
            phase = _phase(_said(given, "workload"))
            for section, kind in zip(("workload", "fleet"), PHASES[phase], strict=True):
                if section not in given or type(given[section]) is kind:
                    continue
                said = _said(given, section)
                for key in [k for k in said if k in _OF_SOME_PHASE - kind.model_fields.keys()]:
                    remedy = f"phase {phase} has no use for it; leave it out"
                    raise InvalidEntry("", f"{section}.{key}", remedy)
                given = {**given, section: kind.build(said, section)}
        return given

    def check(self) -> None:
        """A battery is used now and then."""
        super().check()
        if self.environment.battery and self.value("workload.arrival_rate_qps") is None:
            remedy = "say how often, as in arrival_rate_qps: 0.1"
            remedy = f"a battery lasts as often as it is used; {remedy}"
            raise self.wrong("workload.arrival_rate_qps", remedy)

    def value(self, path: str) -> Any:
        """What stands at a path such as `workload.precision`; None where nothing does."""
        section, _, key = path.partition(".")
        return getattr(getattr(self, section), key, None)

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """The system with other values at paths such as `workload.precision`."""
        parts: dict[str, dict[str, Any]] = {}
        for path, value in changes.items():
            section, _, key = path.partition(".")
            if section not in (known := ("workload", "fleet", "environment")):
                raise UnknownName("section", section, known)
            parts.setdefault(section, _said(dict(self), section))[key] = value
        return self.replace(**parts)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> dict[str, Any]:
        found = super().__get_pydantic_json_schema__(core, handler)
        at = found["anyOf"][-1]["properties"]
        at["fleet"] = at["fleet"]["anyOf"][0]  # that of training; `between` says what others lack
        bound = {"type": "string", "pattern": f"^{_BOUND}"}
        metrics = {"propertyNames": {"pattern": f"^{_METRIC}$"}, "additionalProperties": bound}
        at["constraints"] = {"anyOf": [at["constraints"], {"type": "object", **metrics}]}
        return found


def _said(given: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What a section says, and nothing that it leaves out."""
    section = given[key]
    if isinstance(section, Value):
        return {name: getattr(section, name) for name in section.model_fields_set}
    if not isinstance(section, Mapping):
        remedy = "give a mapping of keys and values"
        raise InvalidEntry("", key, f"{shown(section)} will not do; {remedy}")
    return {str(name): value for name, value in section.items()}


def _phase(work: dict[str, Any]) -> str:
    """The phase that a workload names, or the one that its model suggests."""
    phase = work.get("phase")
    if phase is None:
        model = Workload.build(work["model"], "workload.model") if "model" in work else None
        return FORWARD if model and DECODE not in model.phases else SERVE
    if phase not in [*PHASES]:
        remedy = f"{shown(phase)} is not known; {did_you_mean(phase, [*PHASES])}"
        raise InvalidEntry("", "workload.phase", remedy)
    return phase
