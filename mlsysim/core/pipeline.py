"""Pipeline: solvers one after the other, each fed with what was given and what came before it.

A stage is anything with `solve`, `requires`, `accepts` and `produces`, which every solver has. An
input is found in this order: given to the stage by its name (`second__batch_size=8`); found out by
the last stage before it that has a field of that name; given to all (`batch_size=8`), which means
each stage that would not be fed otherwise. A stage finds out the fields that are no inputs of its
own, and the inputs that it works out when they are left at None (`mtbf`). A default that it repeats
(`efficiency`) is not passed on; nor are the words in `OWN`, which each stage means in its own way.
Where a result says that a field `feeds` an input of another name (a training time the days that are
paid for), it does, unless that input is given; what feeds None stays with its stage.
"""

from __future__ import annotations

import inspect
import textwrap
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, get_type_hints

from mlsysim.core.errors import BadArgument, MissingValue, UnknownArgument
from mlsysim.core.units import dim_of

Given = dict[tuple[str, str], Any]  # what was given to each stage, by its name and the input's

HOOKS = ("on_start", "on_stage_start", "on_stage_end", "on_error", "on_end")
# Words by which every stage reports on its own step, and which are never passed on: the memory
# bandwidth of one is not the link bandwidth of another, nor a training batch that of a server.
# fmt: off
OWN = frozenset({
    "bandwidth", "batch_size", "context", "feasible", "latency", "mfu", "notes", "overhead", "peak",
    "precision", "reason", "seq_len", "throughput",
})
# fmt: on
# Words that ask stages for different things, if these do not declare them alike: the sequences in
# a decode step, those in a training step of a whole fleet, the samples that a loader prepares.
SEVERAL = frozenset({"batch_size"})
_ADDRESS = "__"  # `second__batch_size=8` gives an input to the stage named `second` alone


class Edge(NamedTuple):
    """A field that one stage produces and a later one takes, and the unit in which it flows."""

    producer: str
    field: str
    consumer: str
    unit: str = ""


class Gap(NamedTuple):
    """An input that a stage needs and no stage before it produces."""

    stage: str
    input: str


class Outcome(dict[str, Any]):
    """The result of each stage by its name; `faults` are the errors that callbacks raised."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = []


class Pipeline:
    """Solvers in the order given: `explain()` what fits together, `run()` them all.

    `stages` is a list, or a mapping when the stages need names of their own; a solver that stands
    twice in a list gets a number behind its name. `callbacks` are functions that take
    `(event, details)`, or objects with any of the methods `on_start(inputs)`,
    `on_stage_start(stage, inputs)`, `on_stage_end(stage, result, seconds)`,
    `on_error(stage, error)` and `on_end(results)`. A callback that raises does not end the run: its
    error is kept in the `faults` of the outcome, and a warning tells the first.

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
        self._sources = {(name, key): source for name, key, source in self._wires()}
        self._certain = {at for at, (_, field) in self._sources.items() if at[1] == field}
        for callback in self.callbacks:
            if not callable(callback) and not any(hasattr(callback, hook) for hook in HOOKS):
                remedy = f"a function of (event, details), or an object with {', '.join(HOOKS)}"
                raise BadArgument("callbacks", callback, f"give {remedy}")

    # ---- what fits together --------------------------------------------------------------------

    @property
    def edges(self) -> list[Edge]:
        """Every field that flows from one stage to a later one."""
        return [
            Edge(*source, name, _unit(self.stages[name], key))
            for (name, key), source in self._sources.items()
        ]

    @property
    def gaps(self) -> list[Gap]:
        """Every input that has to be given to `run`, and the stage that needs it."""
        return self._gaps({})

    @property
    def walls(self) -> tuple[int, ...]:
        """The numbers of the walls that the stages cover."""
        return tuple(sorted({n for stage in self.stages.values() for n in _walls(stage)}))

    def explain(self, **inputs: Any) -> str:
        """Show the stages, what flows between them, the walls covered and the gaps left.

        Inputs that are given as they would be to `run` do not count as gaps.
        """
        given = self._given(inputs)
        lines = [f"Pipeline: {_plural(len(self.stages), 'stage')}, {_wall_list(self.walls)}"]
        for number, (name, stage) in enumerate(self.stages.items(), 1):
            optional = [key for key in stage.accepts if key not in stage.requires]
            needs, takes = (
                [self._origin(name, key, given) for key in keys]
                for keys in (stage.requires, optional)
            )
            lines += [
                "",
                f"{number}. {name} ({_wall_list(_walls(stage))})",
                *_wrapped("requires", needs or ["nothing"]),
                *(_wrapped("may take", takes) if takes else ()),
                *_wrapped("produces", _found(stage) or ["nothing that it declares"]),
            ]
        flow = self._flow()
        lines += ["", "Flow" if flow else "Flow: no stage takes what another produces"]
        for text in flow:
            lines += textwrap.wrap(text, 100, subsequent_indent=" " * 6)
        gaps: dict[str, list[str]] = {}
        for gap in self._gaps(given):
            gaps.setdefault(gap.input, []).append(gap.stage)
        left = "nothing before them produces these, so give them to run()"
        lines += ["", f"Gaps: {left if gaps else 'none, it can run'}"]
        for key, stages in gaps.items():
            text = f"   {key}, for {', '.join(stages)}"
            lines += textwrap.wrap(text, 100, subsequent_indent=" " * 6)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Pipeline({' -> '.join(self.stages)})"

    # ---- running -------------------------------------------------------------------------------

    def run(self, **inputs: Any) -> Outcome:
        """Solve the stages in order; the answer is each stage's result by the stage's name.

        `name__input=...` gives an input to the stage `name` alone, and overrules what flows there.
        Before anything runs, a missing input raises MissingValue, one that no stage takes raises
        UnknownArgument, and one that would reach no stage, or stages that mean different things by
        it, raises BadArgument.
        """
        given = self._given(inputs)
        if gaps := self._gaps(given):
            wanted = ", ".join(f"{key}=..." for key in dict.fromkeys(gap.input for gap in gaps))
            remedy = f"no stage before it produces it, so give run({wanted})"
            raise MissingValue(f"Pipeline stage {gaps[0].stage}", gaps[0].input, remedy)
        results = Outcome()
        try:
            self._run(given, inputs, results)
        finally:
            for error in results.faults[:1]:
                told = f"{type(error).__name__} {error.__notes__[-1]}: {error}; the run went on"
                warnings.warn(told, RuntimeWarning, stacklevel=2)
        return results

    def _run(self, given: Given, inputs: dict[str, Any], results: Outcome) -> None:
        tell = partial(self._tell, results.faults)
        tell("on_start", inputs=dict(inputs))
        for name, stage in self.stages.items():
            try:
                arguments = self._arguments(name, stage, given, results)
                tell("on_stage_start", stage=name, inputs=arguments)
                start = time.perf_counter()
                result = stage.solve(**arguments)
                seconds = time.perf_counter() - start
            except Exception as error:
                error.add_note(f"in stage {name} of the pipeline")
                tell("on_error", stage=name, error=error)
                raise
            results[name] = result
            tell("on_stage_end", stage=name, result=result, seconds=seconds)
        tell("on_end", results=results)

    solve = run

    def _arguments(self, name: str, stage: Any, given: Given, results: Outcome) -> dict[str, Any]:
        """Gather what a stage takes: given to it, or produced before it."""
        arguments = {key: given[name, key] for key in stage.accepts if (name, key) in given}
        for key in stage.accepts:
            if key not in arguments and (name, key) in self._sources:
                producer, field = self._sources[name, key]
                value = _field(results[producer], field)
                if value is not None:
                    arguments[key] = value
                elif key in stage.requires:
                    remedy = f"{producer} leaves it unknown{_why(results, producer)}"
                    raise MissingValue(f"Pipeline stage {name}", key, remedy)
        return arguments

    def _tell(self, faults: list[Exception], event: str, **details: Any) -> None:
        for callback in self.callbacks:
            hook = getattr(callback, event, None)
            try:
                if hook is not None:
                    hook(**details)
                elif callable(callback):
                    callback(event, details)
            except Exception as error:
                who = getattr(callback, "__qualname__", type(callback).__qualname__)
                error.add_note(f"in callback {who} at {event}")
                faults.append(error)

    # ---- the graph -----------------------------------------------------------------------------

    def _wires(self) -> Iterator[tuple[str, str, tuple[str, str]]]:
        """Each input that another stage finds out: whose, which, and the stage and field."""
        newest: dict[str, tuple[str, str]] = {}
        for name, stage in self.stages.items():
            for key in stage.accepts:
                if key not in newest:
                    continue
                _, field = newest[key]
                if key == field or field not in stage.accepts:  # it may want the field itself
                    yield name, key, newest[key]
            newest |= {key: (name, field) for key, field in _outputs(stage)}

    def _flow(self) -> list[str]:
        pairs: dict[tuple[str, str], list[str]] = {}
        for (name, key), (producer, field) in self._sources.items():
            words = key if key == field else f"{field} as {key}"
            pairs.setdefault((producer, name), []).append(words)
        return [f"   {a} -> {b}: {', '.join(keys)}" for (a, b), keys in pairs.items()]

    def _gaps(self, given: Given) -> list[Gap]:
        needs = [Gap(name, key) for name, stage in self.stages.items() for key in stage.requires]
        return [gap for gap in needs if gap not in self._sources and gap not in given]

    def _given(self, inputs: Mapping[str, Any]) -> Given:
        """Tell which stage each input is for."""
        taken = {key for stage in self.stages.values() for key in stage.accepts}
        given: Given = {}
        for word, value in inputs.items():
            name, _, key = word.partition(_ADDRESS)
            if key and name in self.stages:
                if key not in (accepts := self.stages[name].accepts):
                    raise UnknownArgument(f"Pipeline stage {name}", key, accepts)
                given[name, key] = value
            elif word not in taken:
                known = {f"{a}{_ADDRESS}{k}" for a, s in self.stages.items() for k in s.accepts}
                raise UnknownArgument("Pipeline.run", word, known if key else taken)
        for key in [word for word in inputs if word in taken]:
            meant = self._meant(key, inputs[key], given)
            given |= {(name, key): inputs[key] for name in meant}
        return given

    def _meant(self, key: str, value: Any, given: Given) -> list[str]:
        """List the stages for which an input without a stage's name is meant."""
        takers = [n for n, s in self.stages.items() if key in s.accepts and (n, key) not in given]
        meant = [name for name in takers if (name, key) not in self._certain]
        solves = [self.stages[name].solve for name in meant]
        forms = {str(inspect.signature(solve).parameters.get(key)) for solve in solves}
        if meant and (len(forms) == 1 or key not in SEVERAL):
            return meant
        why = "they mean different things by it" if meant else "an earlier stage works it out"
        ways = ", ".join(f"{name}{_ADDRESS}{key}=..." for name in meant or takers)
        remedy = f"{why}; say which stage is meant, as in {ways}"
        raise BadArgument(key, value, remedy if takers else "its stages have their own; drop it")

    def _origin(self, name: str, key: str, given: Given) -> str:
        """Tell an input with where it comes from: given, a stage, or nowhere yet."""
        if (name, key) in given:
            return f"{key} (given)"
        if (name, key) not in self._sources:
            return key
        producer, field = self._sources[name, key]
        return f"{key} ({'' if field == key else f'{field} '}from {producer})"


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
        parts = ("solve", "requires", "accepts", "produces")
        missing = [part for part in parts if not hasattr(stage, part)]
        if isinstance(stage, type):
            raise BadArgument("stages", stage, f"give a solver itself, as in {stage.__name__}()")
        if missing:
            raise BadArgument("stages", stage, f"{name} has no {missing[0]}; derive it from Solver")
    return named


def _unit(stage: Any, key: str) -> str:
    """Tell the unit of an input in the vocabulary; empty where it has none."""
    hints = get_type_hints(stage.solve, include_extras=True)
    return getattr(dim_of(hints.get(key)), "unit", "")


def _outputs(stage: Any) -> list[tuple[str, str]]:
    """List what a stage finds out for others, by the input that it is for, and its field.

    That is all that it works out but its own step's numbers.
    """
    feeds = getattr(stage, "feeds", {})
    own = OWN.union(field for field, key in feeds.items() if key is None)
    fed = [(key, field) for field, key in feeds.items() if key is not None]
    return fed + [(field, field) for field in _found(stage) if field not in own]


def _found(stage: Any) -> list[str]:
    """List the fields that a stage works out: no inputs, or inputs that may be left at None."""
    inputs = inspect.signature(stage.solve).parameters
    left = {name for name in inputs if inputs[name].default is None}
    return [field for field in stage.produces if field not in stage.accepts or field in left]


def _field(result: Any, key: str) -> Any:
    return result.get(key) if isinstance(result, Mapping) else getattr(result, key, None)


def _why(results: Mapping[str, Any], producer: str) -> str:
    """The reason that a stage gives, or else the first of those before it."""
    told = (getattr(result, "reason", "") for result in [results[producer], *results.values()])
    reason = next(filter(None, told), "")
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
