"""What software makes of silicon: the constants of one stack; and how a level of cost is asked."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Annotated, Any, ClassVar

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, MissingValue, UnknownName
from mlsysim.core.identity import once
from mlsysim.core.units import Word
from mlsysim.core.values import Entry, Home
from mlsysim.stacks.roofs import OTHER, Board, Held, Roofs, Spread, Talk, Usual
from mlsysim.stacks.silicon import Operators, shipped

IDEAL = "ideal"  # operators one after the other, each under its own roof, and nothing wasted


class Stack(Entry):
    """The software that runs a model. With nothing told but its name, it is as good as ideal.

    A step pays `host` once, which by default is the device's dispatch tax, and `launch` for each
    kernel, beside what its kernels take. A host that sends operators one by one, while those before
    them run, sends each in `dispatch`: a quicker device waits for it.
    """

    home: ClassVar = Home("stack", "stacks", "trtllm")

    summary: str | None = None
    launch: u.SecondsOrZero | None = None
    dispatch: u.SecondsOrZero | None = None
    host: u.SecondsOrZero | None = None
    roofs: Roofs | None = None
    talk: Talk | None = None
    held: Held | None = None
    board: Board | None = None
    spread: Spread | None = None
    campaign: u.Fraction = 1.0  # of its device hours in which a run learns what it keeps
    operators: Operators | None = None
    usual: Usual | None = None

    @property
    def generations(self) -> list[str]:
        """Those of the devices that it was measured on."""
        if self.operators:
            return shipped().families
        told = self.roofs.matmul if self.roofs else {}
        return list(dict.fromkeys(key.split()[0] for key in told if key != OTHER))

    def new(self, generation: Any) -> bool:
        """Whether nothing like this device was measured; where none is named, all are alike."""
        return bool(self.generations) and generation not in self.generations


class _Level(Word):
    """`ideal`, or a stack, its name or a mapping."""

    __slots__ = ()

    def si(self, value: Any, argument: str = "stack") -> Any:
        """The stack itself, or the word ideal; raises UnknownName for another name."""
        if isinstance(value, str) and value == IDEAL:
            return IDEAL
        if value == {}:
            raise BadArgument(argument, value, "write the constants of a stack, such as its host")
        try:
            return Stack.asked(value, argument)
        except UnknownName as error:
            raise UnknownName(argument, value, [IDEAL, *error.known]) from None

    quantity = si

    def plain(self, value: Any) -> Any:
        """Its name where it is known by one, else what it was described by."""
        return (
            value if not isinstance(value, Stack) else vars(value).get("_stem") or value.to_dict()
        )

    def schema(self) -> dict[str, Any]:
        """JSON schema of a name, or of a mapping that describes a stack."""
        return {"type": ["string", "object"]}


Level = Annotated[Any, _Level()]  # at what a step is costed: None is the Iron Law


def named(level: Any) -> str | None:
    """The name of a level, as results tell it."""
    return level.stem if isinstance(level, Stack) else level


def interval(value: Any, level: Any, generation: Any, part: float) -> tuple[Any, Any]:
    """From where to where so large a part of what is measured lies, when `value` is predicted.

    Raises MissingValue where the level is no stack that was held against measurements.
    """
    if not isinstance(level, Stack) or level.spread is None:
        why = "ask at a stack that was held against measurements, such as stack='megatron'"
        raise MissingValue(str(named(level)), "interval", why)
    factor = level.spread.factor(part, new=level.new(generation))
    return value / factor, value * factor


def chance(level: Any, generation: str, times: float) -> float | None:
    """How probable it is that a measurement is at most so many `times` what a stack says.

    Half of them lie within its one factor and nine tenths within the other, as logarithms of a
    normal distribution do between and beyond; None for other levels.
    """
    if not isinstance(level, Stack) or level.spread is None:
        return None
    spread, new = level.spread, level.new(generation)
    ends = [math.log(spread.factor(part, new=new)) for part in (0.5, 0.9)]
    places = [NormalDist().inv_cdf(0.5 + part / 2) for part in (0.5, 0.9)]
    off = math.log(times) if times > 0 else -math.inf
    slope = (places[1] - places[0]) / max(ends[1] - ends[0], 1e-9)
    near = abs(off) / ends[0] * places[0]
    place = near if abs(off) < ends[0] else places[0] + (abs(off) - ends[0]) * slope
    return NormalDist().cdf(math.copysign(place, off))


def trust(level: Any, generation: Any) -> tuple[str, ...]:
    """How far a stack's answers were from measurements, in a sentence; none for other levels."""
    if not isinstance(level, Stack) or level.spread is None or not isinstance(generation, str):
        return ()
    new = level.new(generation)
    half, most = (level.spread.factor(part, new=new) for part in (0.5, 0.9))
    unseen = f" on devices like {generation}, which it was not measured on" if new else ""
    return (
        f"half of what was measured lay within {half:.2f} times of what {named(level)} says, "
        f"nine of ten within {most:.2f} times{unseen}",
    )


def seconds(value: Any, default: Any = 0.0) -> Any:
    """A constant of a stack as a plain number, or `default` where it is not told."""
    return default if value is None else _plain(value)


@once
def _plain(value: Any) -> float:
    return float(value.m_as("s"))
