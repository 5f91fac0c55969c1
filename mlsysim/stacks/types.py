"""What software makes of silicon: the constants of one stack; and how a level of cost is asked."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, UnknownName
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

    def new(self, generation: Any, kind: str | None = None) -> bool:
        """Whether no device like this one, or no model of this kind, was measured.

        Where a stack names none, all are alike.
        """
        models = self.spread.models if self.spread else []
        unseen = bool(self.generations) and generation not in self.generations
        return unseen or bool(models and kind and kind not in models)


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


def seconds(value: Any, default: Any = 0.0) -> Any:
    """A constant of a stack as a plain number, or `default` where it is not told."""
    return default if value is None else _plain(value)


@once
def _plain(value: Any) -> float:
    return float(value.m_as("s"))
