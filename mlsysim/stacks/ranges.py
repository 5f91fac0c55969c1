"""How far what is measured lies from what a stack says, where that is known."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlsysim.core.errors import BadArgument, MissingValue
from mlsysim.core.solver import Result
from mlsysim.stacks.types import Stack, named

PARTS = (0.5, 0.9)  # of what is measured: what an interval may hold


class Within(NamedTuple):
    """The factors within which those parts lie."""

    half: Any
    most: Any


def within(level: Any, generation: Any, kind: str | None = None) -> Within | None:
    """By what factor half of what was measured, and nine of ten, lay from what a stack says.

    Wider where nothing like the device was measured, or no model of its kind; None for other
    levels.
    """
    if not isinstance(level, Stack) or level.spread is None:
        return None
    if isinstance(generation, np.ndarray):  # one of each device
        each = [within(level, one, kind) for one in generation.flat]
        return Within(*(np.reshape(part, generation.shape) for part in zip(*each, strict=True)))
    of, new = level.spread, level.new(generation, kind)
    half, most = (of.new_half, of.new_most) if new else (of.half, of.most)
    return Within(float(half), float(most))


def interval(value: Any, off: Within, part: float) -> tuple[Any, Any]:
    """From where to where so large a part of what is measured lies, when `value` is predicted."""
    if part not in PARTS:
        raise BadArgument("part", part, "an interval holds 0.5 or 0.9 of what is measured")
    factor = off[PARTS.index(part)]
    return value / factor, value * factor


class Ranged(Result):
    """An answer whose times are those of a level: what is measured lies about them."""

    leads: ClassVar[str] = "latency"  # what it is asked for first
    _within: Any

    def interval(self, part: float = 0.9, of: str | None = None) -> tuple[Any, Any]:
        """From where to where a time or a rate is with a probability of 0.5 or 0.9.

        `of` names another than the one that leads. As far as measurements lay that the stack's
        constants were not fitted on; raises MissingValue where no such stack was asked, and
        BadArgument for a field that is no time and no rate.
        """
        off, name = self.si("_within"), of or self.leads
        if off is None:
            why = "ask at a stack that was held against measurements, such as stack='trtllm'"
            raise MissingValue(type(self).__name__, "interval", why)
        value = getattr(self, name)
        if not any(hasattr(value, "check") and value.check(unit) for unit in ("s", "1/s")):
            raise BadArgument("of", name, f"give a time or a rate, such as {self.leads!r}")
        return interval(value, off, part)


def chance(off: Within | None, times: float) -> float | None:
    """How probable it is that a measurement is at most so many `times` what a stack says.

    Half of them lie within its one factor and nine tenths within the other, as logarithms of a
    normal distribution do between and beyond; None where nothing was measured.
    """
    if off is None:
        return None
    ends = [math.log(factor) for factor in off]
    places = [NormalDist().inv_cdf(0.5 + part / 2) for part in PARTS]
    far = math.log(times) if times > 0 else -math.inf
    slope = (places[1] - places[0]) / max(ends[1] - ends[0], 1e-9)
    near = abs(far) / ends[0] * places[0]
    place = near if abs(far) < ends[0] else places[0] + (abs(far) - ends[0]) * slope
    return NormalDist().cdf(math.copysign(place, far))


def trust(level: Any, generation: Any, kind: str | None = None) -> tuple[str, ...]:
    """How far a stack's answers were from measurements, in a sentence; none for other levels."""
    off = None if isinstance(generation, np.ndarray) else within(level, generation, kind)
    if off is None:
        return ()
    like = [f"devices like {generation or 'this one'}"] * level.new(generation)
    like += [f"models of the kind {kind!r}"] * (level.new(generation, kind) and not like)
    unseen = f" on {like[0]}, which it was not measured on" if like else ""
    return (
        f"half of what was measured lay within {off[0]:.2f} times of what {named(level)} says, "
        f"nine of ten within {off[1]:.2f} times{unseen}",
    )
