"""A whole system as data: workload, fleet, environment and constraints, in one YAML file.

Models, devices, nodes, fabrics, clusters, grids and facilities are given by name, or written out in
the format of the registry's own files. What a section may say depends on the phase: each phase has
its own types (`sections`), closed to keys that it has no use for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from mlsysim.core.errors import InvalidEntry, UnknownName, did_you_mean, shown
from mlsysim.core.registry import load, parse_yaml
from mlsysim.core.schemas import NULL, having, spelled
from mlsysim.core.search import Constraint
from mlsysim.core.units import NUMBER, Word
from mlsysim.core.values import BY_USER, Entry, Home, Many, Value
from mlsysim.evaluation.sections import (
    MEANT,
    OF_SOME_PHASE,
    OF_TRAINING,
    PHASES,
    SERVE,
    TRAIN,
    EnvironmentSpec,
    FleetSpec,
    Forward,
    Generate,
    OrDefault,
    Serve,
    Train,
    TrainingFleet,
)
from mlsysim.models.operators import DECODE, FORWARD
from mlsysim.models.types import Workload

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
    hint: ClassVar = ", as `mlsysim eval --example serve` does"

    name: OrDefault[str] = "system"
    question: str | None = None
    workload: Serve | Generate | Forward | Train = Field(discriminator="phase")
    fleet: TrainingFleet | FleetSpec
    environment: OrDefault[EnvironmentSpec] = EnvironmentSpec()
    constraints: OrDefault[Many[Annotated[Any, Limit()]]] = ()

    between = {
        "allOf": [
            {
                "if": having("workload", having("phase", {"const": TRAIN})),
                "else": {"properties": {"fleet": {"properties": dict.fromkeys(OF_TRAINING, NULL)}}},
            },
            {
                "if": having("environment", having("battery")),
                "then": {"properties": {"workload": having("arrival_rate_qps")}},
            },
        ]
    }

    @classmethod
    def read(cls, system: Self | str | Mapping[str, Any] | Path) -> Self:
        """A system, a scenario's name, a mapping, or the path of a YAML file; as a system."""
        if isinstance(system, Path):
            return cls.from_yaml(system)
        return cls.from_spec(system) if isinstance(system, Mapping) else cls.build(system)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], name: str = "system") -> Self:
        """A system from a mapping; raises InvalidEntry that names the key and what would do."""
        if not isinstance(spec, Mapping):
            kind = type(spec).__name__
            raise InvalidEntry(name, "", f"a system is a mapping of keys, not {kind}")
        said = {key: value for key, value in spec.items() if value is not None}
        return cls.build({"name": name, "sources": BY_USER, **said})

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
        given = {k: v for k, v in given.items() if v is not None or k not in cls.model_fields}
        if isinstance(given.get("constraints"), Mapping):
            limits = [f"{metric} {bound}" for metric, bound in given["constraints"].items()]
            given = {**given, "constraints": limits}
        if "workload" in given:
            phase = _phase(_said(given, "workload"))
            for section, kind in zip(("workload", "fleet"), PHASES[phase], strict=True):
                if section not in given or type(given[section]) is kind:
                    continue
                said = _said(given, section)
                for key in said.keys() - kind.model_fields.keys():
                    if key in OF_SOME_PHASE[section]:
                        remedy = f"phase {phase} has no use for it; leave it out"
                        raise InvalidEntry("", f"{section}.{key}", remedy)
                    if (near := MEANT[section].get(key)) in kind.model_fields:
                        remedy = f"{kind.__name__} has no such key; did you mean {near!r}?"
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
    known = OF_SOME_PHASE.get(key, ())
    return {str(k): value for k, value in section.items() if value is not None or k not in known}


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
