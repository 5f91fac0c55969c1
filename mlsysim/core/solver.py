"""What every solver shares: arguments read at the door, results that carry units.

A solver's `solve` is written over plain numbers. Its signature names dimensions from the
vocabulary in `core.units`; the base class reads each argument as what it names, and derives
`requires` and `produces` from it, which is how a `Pipeline` knows what fits together.

Concrete solvers live in `mlsysim.solvers`; this module hands them out by name as well.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_origin, get_type_hints

import numpy as np

from mlsysim.core.door import guarded
from mlsysim.core.errors import UnknownArgument, UnknownField
from mlsysim.core.units import Q_, Dim, Names, Quantity, dim_of, factor, ureg

T = TypeVar("T")
if TYPE_CHECKING:
    Given = T | Any  # how a solver asks for an entry: the door takes one, its name or a mapping
else:

    class Given:
        """The entry itself, which is what the door makes of a name and of a mapping."""

        def __class_getitem__(cls, kind: Any) -> Any:
            return kind


def __getattr__(name: str) -> Any:
    """Hand out concrete solvers: `from mlsysim.core.solver import SingleNodeModel`."""
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return getattr(import_module("mlsysim.solvers"), name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no solver {name!r}") from None


class Solver:
    """Base of every Model (evaluates forward), Solver (inverts) and Optimizer (searches).

    The signature of `solve` names a dimension for each argument, which is then read with its unit
    and comes as a plain SI number; so does a default. The fields of the Result carry units out::

        from mlsysim.core import units as u
        from mlsysim.core.solver import Result, Solver


        class Racks(Result):
            count: u.Number
            power: u.Power = "kW"


        class RackModel(Solver):
            walls = (17,)

            def solve(self, power: u.Power, *, rack: u.Power = "40 kW") -> Racks:
                return Racks(count=power / rack, power=power)


        RackModel().solve("1 MW").count  # 25.0

    A package that names it under the entry point `mlsysim.solvers` brings it to the command line
    (`mlsysim run RackModel power='1 MW'`), to the tools of an agent and to the walls; one that
    names a package of YAML files under `mlsysim.registry` adds to the registries.
    """

    walls: ClassVar[tuple[int, ...]] = ()
    requires: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[dict[str, Any]] = {}
    produces: ClassVar[tuple[str, ...]] = ()

    solve: Callable[..., Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "solve" in cls.__dict__:
            function = cls.__dict__["solve"]
            parameters = list(inspect.signature(function).parameters.values())[1:]
            cls.accepts = tuple(p.name for p in parameters)
            cls.defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
            cls.requires = tuple(name for name in cls.accepts if name not in cls.defaults)
            if "produces" not in cls.__dict__:
                answer = function.__annotations__.get("return")  # its name, or the class itself
                answer = function.__globals__.get(answer, answer)
                cls.produces = tuple(getattr(answer, "_fields", ()))
                cls.feeds = getattr(answer, "feeds", {})
            cls.solve = guarded(function, cls.__name__)

    @classmethod
    def explain(cls) -> str:
        """One line: which walls, what it needs and what it gives."""
        return f"{cls.__name__} (walls {', '.join(map(str, cls.walls))}): {', '.join(cls.requires)}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Lazily:
    """A field of a Result that is worked out when it is first read: its shown unit, and how."""

    __slots__ = ("compute", "unit")

    def __init__(self, unit: str, compute: Callable[[Any], Any]) -> None:
        self.unit, self.compute = unit, compute


def lazily(unit: str, compute: Callable[..., Any], *fields: str) -> Any:
    """Declare a field that `compute` derives, in the unit of its dimension, from the others.

    It is given the result; or, where `fields` are named, their plain numbers, and what depends on
    an unknown one is unknown itself.
    """

    def of_fields(result: Result) -> Any:
        values = [result.si(name) for name in fields]
        unknown = any(v is None or (isinstance(v, float) and math.isnan(v)) for v in values)
        return None if unknown else compute(*values)

    return Lazily(unit, of_fields if fields else compute)


def because(sentence: Callable[[Any], str], answer: str = "feasible") -> Any:
    """Declare a field that says why one answer is not `feasible`; it is empty where that is so."""
    return Lazily("", lambda r: "" if r.shape or getattr(r, answer) else sentence(r))


class Result:
    """What a solver answers: named values that are plain numbers inside and carry units outside.

    A subclass lists its fields as annotations from the vocabulary; the text beside a field is the
    unit it is shown in, and a name with a leading underscore is kept but not shown. It takes no
    other names. A field is a float, or an array when an argument was an array: then `len(result)`
    rows can be looked at one by one with `result[i]`. Quantities are made when a field is read, so
    a million rows cost no more than their columns. What a bare rate counts, where the question
    decides that, is kept as `_counts`.
    """

    walls: tuple[int, ...] = ()
    feeds: ClassVar[dict[str, str | None]] = {}  # the name that a later question has for a field
    bars: ClassVar[tuple[str, ...]] = ()  # fields of one dimension of which the largest binds
    _fields: ClassVar[dict[str, _Field]] = {}
    _names: ClassVar[frozenset[str]] = frozenset()  # all that it may hold, the kept ones too
    _counts: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        fields, kept = dict(cls._fields), set(cls._names)
        for name, hint in get_type_hints(cls, include_extras=True).items():
            if name == "walls" or name in kept or get_origin(hint) is ClassVar:
                continue
            kept.add(name)
            field = _Field(name, dim_of(hint), cls.__dict__.get(name), asks=hint is bool)
            setattr(cls, name, field)
            if not name.startswith("_"):
                fields[name] = field
        cls._fields, cls._names = fields, frozenset(kept)

    def __init__(self, **values: Any) -> None:
        if not values.keys() <= self._names:
            wrong = next(name for name in values if name not in self._names)
            raise UnknownArgument(type(self).__name__, wrong, self._fields)
        self._values = values

    if not TYPE_CHECKING:  # a type checker is to see that there is no such field

        def __getattr__(self, name: str) -> Any:
            if name in self._names:  # its own reading failed: let it say why once more
                return self.si(name)
            if name.startswith("_"):  # Python or a notebook looks for a method of its own
                raise AttributeError(name)
            raise UnknownField(type(self).__name__, name, self.fields)

    def __bool__(self) -> bool:
        asked = [name for name, field in self._fields.items() if field.asks] or self.fields
        ask = " or ".join(f".{name}" for name in asked[:2])
        raise TypeError(f"a {type(self).__name__} is neither true nor false: ask {ask}")

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that this result has."""
        return tuple(
            name for name, field in self._fields.items() if field.compute or name in self._values
        )

    def si(self, name: str) -> Any:
        """The field's plain number or array, in the unit of its dimension."""
        values = self._values
        if name not in values:
            field = self._fields.get(name)
            if field is None or field.compute is None:
                raise UnknownField(type(self).__name__, name, self.fields)
            values[name] = field.compute(self)
        return values[name]

    def settled(self) -> dict[str, Any]:
        """All that an equal result is built of: each field worked out, and what is kept beside.

        What was kept to work them out from, such as a model, has then served.
        """
        kept = {k: v for k, v in self._values.items() if k.startswith("_") and _is_plain(v)}
        return {**kept, **{name: self.si(name) for name in self.fields}}

    def __getstate__(self) -> dict[str, Any]:
        return {"_values": self.settled()}

    @property
    def shape(self) -> tuple[int, ...]:
        """The common shape of the fields: () for one answer, (n,) for a column of n."""
        held = self._values.items()
        arrays = (v for name, v in held if isinstance(v, np.ndarray) and name in self._fields)
        return np.broadcast_shapes(*map(np.shape, arrays))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"this {type(self).__name__} is one answer, not a column of them")
        return int(np.prod(self.shape))

    def __getitem__(self, index: int) -> Any:
        shape = self.shape
        if not shape:
            raise TypeError(f"this {type(self).__name__} is one answer, not a column of them")
        return self.row(np.unravel_index(range(len(self))[index], shape))

    def row(self, where: tuple[Any, ...], shape: tuple[int, ...] | None = None) -> Any:
        """The single answer at an index of `shape`."""
        shape = shape or self.shape

        def at(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: at(part) for key, part in value.items()}
            if isinstance(value, tuple) and hasattr(value, "_fields"):
                return type(value)(*map(at, value))
            whole = not isinstance(value, np.ndarray)
            return value if whole else _scalar(np.broadcast_to(value, shape)[where])

        names = (name for name in self._values if not getattr(type(self), name).compute)
        return type(self)(**{name: at(self._values[name]) for name in names})

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data: `{"latency": {"value": 4.6, "unit": "ms"}, ...}`."""
        return {name: jsonable(getattr(self, name)) for name in self.fields}

    def to_json(self, indent: int | None = 2) -> str:
        """The result as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    def summary(self) -> str:
        """The result in lines that a person can read."""
        width = max(map(len, self.fields), default=0)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.lines())

    def lines(self) -> list[tuple[str, str]]:
        """Each known field in words: its name, and its value for people."""
        return [
            (name.replace("_", " "), show(getattr(self, name)))
            for name in self.fields
            if not _is_empty(self.si(name))
        ]

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={show(getattr(self, name))}" for name in self.fields)
        return f"{type(self).__name__}({parts})"

    __str__ = summary

    def _repr_html_(self) -> str:
        from mlsysim.core.markup import of_result  # for notebooks alone

        return of_result(self)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment] - Python's way to say unhashable


class _Field:
    """Reads one value of a Result: a Quantity in the unit it is shown in, or the plain value."""

    __slots__ = ("asks", "bare", "compute", "factor", "name", "unit", "word")

    def __init__(
        self, name: str, word: Dim | Names | None, declared: Lazily | str | None, *, asks: bool
    ) -> None:
        shown = declared.unit if isinstance(declared, Lazily) else declared
        self.name, self.word, self.asks = name, word, asks  # `asks`: it is True or False
        self.compute = declared.compute if isinstance(declared, Lazily) else None
        self.unit = ureg.Unit(shown or word.unit) if isinstance(word, Dim) and word.unit else None
        self.factor = (isinstance(word, Dim) and self.unit and factor(word.unit, self.unit)) or 1.0
        self.bare = shown == "1/s"  # then the question decides what it counts

    def shown(self, result: Result) -> Any:
        """The unit in which it is shown: a rate may count what was asked for."""
        counts = self.bare and result._values.get("_counts")
        return counted(counts) if counts else self.unit

    def __get__(self, result: Result | None, owner: type) -> Any:
        if result is None:
            return self
        value = result.si(self.name)
        if self.unit is None or value is None:
            return _scalar(value)
        return Q_(value * self.factor, self.shown(result) if self.bare else self.unit)

    def __set__(self, result: Result, value: Any) -> None:
        raise AttributeError(f"results do not change; {self.name} was computed")


@cache
def counted(what: str) -> Any:
    """The unit of a rate that counts something, such as `token`."""
    return ureg.Unit(f"{what}/s")


def show(value: Any) -> str:
    """A value for people: four digits, and a prefix that keeps the number readable."""
    if isinstance(value, Quantity):
        if isinstance(value.magnitude, np.ndarray):
            return f"{value:~P}".replace("\n", " ")
        q = compact(value)
        money = f"{q.units:~P}" == "USD"
        return (
            f"{q.magnitude:,.0f} USD"
            if money and abs(q.magnitude) >= 100
            else f"{_digits(q.magnitude)} {q.units:~P}"
        )
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _digits(value)
    if isinstance(value, (list, tuple)):
        return "; ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {show(part)}" for key, part in value.items())
    return str(value)


def _digits(number: float) -> str:
    """Four digits, without an exponent where a person still reads the number."""
    short = float(f"{number:.4g}")
    return f"{short:,.0f}" if 1e4 <= abs(short) < 1e9 else f"{number:.4g}"


_PREFIXED = ("B", "FLOP", "s", "W", "J")  # prefixes help here: not on 1/s, USD, days or g/kWh


def compact(value: Quantity) -> Quantity:
    """A quantity under the prefix that keeps its number readable, where prefixes help."""
    amount, _, per = f"{value.units:~P}".partition("/")
    takes = amount.endswith(_PREFIXED) and per in ("", "s") and amount not in ("1",)
    return value.to_compact() if takes and value.magnitude else value


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str, np.ndarray, np.generic))


def _is_empty(value: Any) -> bool:
    if isinstance(value, (str, tuple, list)):
        return not value
    return value is None or (isinstance(value, float) and math.isnan(value))


def jsonable(value: Any) -> Any:
    """JSON's own types for a value; NaN and infinity, which JSON has not, become null.

    >>> jsonable({"ratio": float("inf"), "parts": (1, 2.5), "time": Q_("3 ms")})
    {'ratio': None, 'parts': [1, 2.5], 'time': {'value': 3.0, 'unit': 'ms'}}
    """
    if isinstance(value, Quantity):
        return {"value": jsonable(value.magnitude), "unit": f"{value.units:~P}"}
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): jsonable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(part) for part in value]
    if isinstance(value, Result):
        return value.to_dict()
    return None if isinstance(value, float) and not math.isfinite(value) else value


__all__ = ["Result", "Solver", "because", "compact", "guarded", "jsonable", "lazily", "show"]
