"""Pipeline: solvers one after the other, each fed with what was given and what came before it.

A stage is anything with `solve`, `requires`, `accepts` and `produces`, which every solver has. A
value that you give holds throughout; otherwise a stage takes the field of that name from the last
stage before it that found it out. A stage finds out the fields that are no inputs of its own, and
the inputs that it works out when they are left at None (`mtbf`). A default that it repeats
(`efficiency`) is not passed on; nor are the words in `OWN`, which each stage means in its own way.
"""

from __future__ import annotations

import inspect
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mlsysim.core.errors import BadArgument, MissingValue, UnknownArgument

HOOKS = ("on_start", "on_stage_start", "on_stage_end", "on_error", "on_end")
# Words by which every stage reports on its own step, and which are never passed on: the memory
# bandwidth of one is not the link bandwidth of another, nor a training batch that of a server.
OWN = frozenset(
    {
        "bandwidth",
        "batch_size",
        "context",
        "feasible",
        "latency",
        "mfu",
        "notes",
        "overhead",
        "peak",
        "precision",
        "reason",
        "seq_len",
        "throughput",
    }
)
_ADDRESS = "__"  # `second__batch_size=8` gives an input to the stage named `second` alone


class Edge(NamedTuple):
    """A field that one stage produces and a later one takes."""

    producer: str
    field: str
    consumer: str


class Gap(NamedTuple):
    """An input that a stage needs and no stage before it produces."""

    stage: str
    input: str


class Pipeline:
    """Solvers in the order given: `explain()` what fits together, `run()` them all.

    `stages` is a list, or a mapping when the stages need names of their own; a solver that stands
    twice in a list gets a number behind its name. `callbacks` are functions that take
    `(event, details)`, or objects with any of the methods `on_start(inputs)`,
    `on_stage_start(stage, inputs)`, `on_stage_end(stage, result, seconds)`,
    `on_error(stage, error)` and `on_end(results)`.

    >>> from mlsysim import Hardware, Models, SingleNodeModel
    >>> pipe = Pipeline([SingleNodeModel()])
    >>> pipe.gaps
    [Gap(stage='SingleNodeModel', input='model'), Gap(stage='SingleNodeModel', input='hardware')]
    >>> results = pipe.run(model=Models.ResNet50, hardware=Hardware.H100)
    >>> results["SingleNodeModel"].feasible
    True
    """

    def __init__(
        self, stages: Iterable[Any] | Mapping[str, Any], *, callbacks: Iterable[Any] = ()
    ) -> None:
        self.stages = _named(stages)
        self.callbacks = list(callbacks)
        self._sources = {(edge.consumer, edge.field): edge.producer for edge in self._edges()}
        for callback in self.callbacks:
            if not callable(callback) and not any(hasattr(callback, hook) for hook in HOOKS):
                raise BadArgument(
                    "callbacks",
                    callback,
                    f"give a function of (event, details), or an object with {', '.join(HOOKS)}",
                )

    # ---- what fits together --------------------------------------------------------------------

    @property
    def edges(self) -> list[Edge]:
        """Every field that flows from one stage to a later one."""
        return list(self._edges())

    @property
    def gaps(self) -> list[Gap]:
        """Every input that has to be given to `run`, and the stage that needs it."""
        return self._gaps(())

    @property
    def walls(self) -> tuple[int, ...]:
        """The numbers of the walls that the stages cover."""
        return tuple(sorted({n for stage in self.stages.values() for n in _walls(stage)}))

    def explain(self, **inputs: Any) -> str:
        """Show the stages, what flows between them, the walls covered and the gaps left.

        Inputs that are given as they would be to `run` do not count as gaps.
        """
        self._refuse_unknown(inputs)
        lines = [f"Pipeline: {_plural(len(self.stages), 'stage')}, {_wall_list(self.walls)}"]
        for number, (name, stage) in enumerate(self.stages.items(), 1):
            optional = [key for key in stage.accepts if key not in stage.requires]
            needs = [_origin(name, key, inputs, self._sources) for key in stage.requires]
            takes = [_origin(name, key, inputs, self._sources) for key in optional]
            lines += [
                "",
                f"{number}. {name} ({_wall_list(_walls(stage))})",
                *_wrapped("requires", needs or ["nothing"]),
                *(_wrapped("may take", takes) if takes else ()),
                *_wrapped("produces", _found(stage) or ["nothing that it declares"]),
            ]
        flow = self._flow()
        lines += ["", "Flow" if flow else "Flow: no stage takes what another produces", *flow]
        gaps: dict[str, list[str]] = {}
        for gap in self._gaps(inputs):
            gaps.setdefault(gap.input, []).append(gap.stage)
        lines += [
            "",
            "Gaps: nothing before them produces these, so give them to run()"
            if gaps
            else "Gaps: none, it can run",
        ]
        for key, stages in gaps.items():
            lines += textwrap.wrap(
                f"   {key}, for {', '.join(stages)}", 100, subsequent_indent=" " * 6
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Pipeline({' -> '.join(self.stages)})"

    # ---- running -------------------------------------------------------------------------------

    def run(self, **inputs: Any) -> dict[str, Any]:
        """Solve the stages in order; the answer is each stage's result by the stage's name.

        `name__input=...` gives an input to the stage `name` alone. Before anything runs, a missing
        input raises MissingValue and one that no stage takes raises UnknownArgument.
        """
        self._refuse_unknown(inputs)
        if gaps := self._gaps(inputs):
            wanted = ", ".join(f"{key}=..." for key in dict.fromkeys(gap.input for gap in gaps))
            raise MissingValue(
                f"Pipeline stage {gaps[0].stage}",
                gaps[0].input,
                f"no stage before it produces it, so give run({wanted})",
            )
        results: dict[str, Any] = {}
        self._tell("on_start", inputs=dict(inputs))
        for name, stage in self.stages.items():
            try:
                arguments = self._arguments(name, stage, inputs, results)
                self._tell("on_stage_start", stage=name, inputs=arguments)
                start = time.perf_counter()
                result = stage.solve(**arguments)
                seconds = time.perf_counter() - start
            except Exception as error:
                error.add_note(f"in stage {name} of the pipeline")
                self._tell("on_error", stage=name, error=error)
                raise
            results[name] = result
            self._tell("on_stage_end", stage=name, result=result, seconds=seconds)
        self._tell("on_end", results=results)
        return results

    solve = run

    def _arguments(
        self, name: str, stage: Any, inputs: Mapping[str, Any], results: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Gather what a stage takes: given to it, given to all, or produced before it."""
        arguments = {}
        for key in stage.accepts:
            if (own := f"{name}{_ADDRESS}{key}") in inputs:
                arguments[key] = inputs[own]
            elif key in inputs:
                arguments[key] = inputs[key]
            elif (name, key) in self._sources:
                producer = self._sources[name, key]
                value = _field(results[producer], key)
                if value is not None:
                    arguments[key] = value
                elif key in stage.requires:
                    raise MissingValue(
                        f"Pipeline stage {name}",
                        key,
                        f"{producer} leaves it unknown{_why(results[producer])}",
                    )
        return arguments

    def _tell(self, event: str, **details: Any) -> None:
        for callback in self.callbacks:
            hook = getattr(callback, event, None)
            if hook is not None:
                hook(**details)
            elif callable(callback):
                callback(event, details)

    # ---- the graph -----------------------------------------------------------------------------

    def _edges(self) -> Iterator[Edge]:
        newest: dict[str, str] = {}
        for name, stage in self.stages.items():
            for key in stage.accepts:
                if key in newest:
                    yield Edge(newest[key], key, name)
            newest |= dict.fromkeys(_outputs(stage), name)

    def _flow(self) -> list[str]:
        pairs: dict[tuple[str, str], list[str]] = {}
        for edge in self._edges():
            pairs.setdefault((edge.producer, edge.consumer), []).append(edge.field)
        return [f"   {a} -> {b}: {', '.join(keys)}" for (a, b), keys in pairs.items()]

    def _gaps(self, inputs: Iterable[str]) -> list[Gap]:
        known, gaps = set(inputs), []
        for name, stage in self.stages.items():
            gaps += [
                Gap(name, key)
                for key in stage.requires
                if key not in known and f"{name}{_ADDRESS}{key}" not in known
            ]
            known |= set(_outputs(stage))
        return gaps

    def _refuse_unknown(self, inputs: Iterable[str]) -> None:
        taken = {key for stage in self.stages.values() for key in stage.accepts}
        for key in inputs:
            owner, _, own = key.partition(_ADDRESS)
            if owner in self.stages and own:
                accepts = self.stages[owner].accepts
                if own not in accepts:
                    raise UnknownArgument(f"Pipeline stage {owner}", own, accepts)
            elif key not in taken:
                raise UnknownArgument("Pipeline.run", key, taken)


def _named(stages: Iterable[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Name each stage: by its key, or by its class, with a number when it stands twice."""
    if isinstance(stages, (str, bytes)) or not isinstance(stages, (Mapping, Iterable)):
        raise BadArgument("stages", stages, "give a list of solvers, as in [SingleNodeModel()]")
    if isinstance(stages, Mapping):
        named = {str(name): stage for name, stage in stages.items()}
    else:
        named = {}
        for stage in stages:
            base = name = type(stage).__name__
            count = 1
            while name in named:
                count += 1
                name = f"{base}_{count}"
            named[name] = stage
    if not named:
        raise BadArgument("stages", "an empty list", "give at least one solver")
    for name, stage in named.items():
        missing = [
            part
            for part in ("solve", "requires", "accepts", "produces")
            if not hasattr(stage, part)
        ]
        if isinstance(stage, type):
            raise BadArgument("stages", stage, f"give a solver itself, as in {stage.__name__}()")
        if missing:
            raise BadArgument("stages", stage, f"{name} has no {missing[0]}; derive it from Solver")
    return named


def _outputs(stage: Any) -> list[str]:
    """List what a stage finds out for others: all that it works out but its own step's numbers."""
    return [field for field in _found(stage) if field not in OWN]


def _found(stage: Any) -> list[str]:
    """List the fields that a stage works out: no inputs, or inputs that may be left at None."""
    inputs = inspect.signature(stage.solve).parameters
    return [
        field
        for field in stage.produces
        if field not in stage.accepts or (field in inputs and inputs[field].default is None)
    ]


def _field(result: Any, key: str) -> Any:
    return result.get(key) if isinstance(result, Mapping) else getattr(result, key, None)


def _why(result: Any) -> str:
    reason = getattr(result, "reason", "")
    return f": {reason}" if reason else ""


def _walls(stage: Any) -> tuple[int, ...]:
    return tuple(getattr(stage, "walls", ()))


def _wall_list(walls: tuple[int, ...]) -> str:
    """Write the numbers with their runs drawn together: walls 1-3, 7."""
    if not walls:
        return "no wall"
    runs: list[list[int]] = []
    for number in walls:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"wall{'s' if len(walls) > 1 else ''} {', '.join(parts)}"


def _wrapped(label: str, words: list[str]) -> list[str]:
    text = f"   {label:<10} {', '.join(words)}"
    return textwrap.wrap(text, 100, subsequent_indent=" " * 14, break_long_words=False)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _origin(
    name: str, key: str, inputs: Mapping[str, Any], sources: Mapping[tuple[str, str], str]
) -> str:
    """Tell an input with where it comes from: given, a stage, or nowhere yet."""
    if key in inputs or f"{name}{_ADDRESS}{key}" in inputs:
        return f"{key} (given)"
    producer = sources.get((name, key))
    return f"{key} (from {producer})" if producer else key
