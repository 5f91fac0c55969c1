"""A design space: named axes of labelled values, and what asks a question at one point of it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from mlsysim.core.errors import BadArgument, OutOfRange, UnknownArgument, WrongUnit
from mlsysim.core.solver import Solver
from mlsysim.core.units import Q_, Quantity, parse
from mlsysim.core.values import Entry


class Space:
    """Every combination of the values of some axes; the last axis runs fastest.

    An axis is a list, a range, an array, one fixed value, or a mapping of labels to values. A value
    is its own label, but for an entry, whose label is its name in the registry.

    >>> space = Space({"x": {"small": 1, "large": 5}, "y": [[1, 2], [3]]})
    >>> len(space), space.labels(2), space.values(2)
    (4, {'x': 'large', 'y': [1, 2]}, {'x': 5, 'y': [1, 2]})
    """

    def __init__(self, axes: Mapping[str, Any]) -> None:
        if not isinstance(axes, Mapping) or not axes:
            raise BadArgument("space", axes, "give a mapping, as in {'batch_size': [1, 8, 64]}")
        self.axes = {name: _axis(name, values) for name, values in axes.items()}
        sizes = [len(axis) for axis in self.axes.values()]
        self._steps = [math.prod(sizes[n:]) for n in range(1, len(sizes) + 1)]

    def __len__(self) -> int:
        return math.prod(len(axis) for axis in self.axes.values())

    def __repr__(self) -> str:
        return " x ".join(f"{len(axis)} {name}" for name, axis in self.axes.items())

    def labels(self, place: int) -> dict[str, Any]:
        """The parameters at a place as they are told."""
        return self._at(place, 0)

    def values(self, place: int) -> dict[str, Any]:
        """The parameters at a place as they are evaluated."""
        return self._at(place, 1)

    def _at(self, place: int, side: int) -> dict[str, Any]:
        axes = zip(self.axes.items(), self._steps, strict=True)
        return {name: axis[place // step % len(axis)][side] for (name, axis), step in axes}

    def asked(self, evaluate: Any) -> Callable[[dict[str, Any]], Any]:
        """Make a function of a point of a solver, or of a function of several arguments.

        Raises UnknownArgument for an axis that it does not take, and BadArgument for a missing one.
        """
        made = isinstance(evaluate, type) and issubclass(evaluate, Solver)
        solve = getattr(evaluate() if made else evaluate, "solve", evaluate)
        if not callable(solve):
            raise BadArgument("evaluate", evaluate, "give a function of a point, or a solver")
        takes: Mapping[str, inspect.Parameter] = {}
        with suppress(ValueError):  # of some built-in functions nothing is known
            takes = inspect.signature(solve).parameters
        named = {name: p for name, p in takes.items() if p.kind in _BY_NAME}
        needs = [name for name, p in named.items() if p.default is p.empty]
        bound = isinstance(getattr(solve, "__self__", None), Solver)
        if solve is evaluate and len(needs) < 2 and not bound:
            return solve
        label = solve.__qualname__
        for name in self.axes:
            if name not in named and not any(p.kind is p.VAR_KEYWORD for p in takes.values()):
                raise UnknownArgument(label, name, named)
        for name in needs:
            if name not in self.axes:
                raise BadArgument("space", ", ".join(self.axes), f"{label} also needs {name}")
        return partial(_by_name, solve)


_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _by_name(solve: Callable[..., Any], point: dict[str, Any]) -> Any:
    return solve(**point)


def _axis(name: str, values: Any) -> list[tuple[Any, Any]]:
    """Read the values of one axis, each behind its label."""
    if isinstance(values, Mapping):
        axis = list(values.items())
    else:
        if isinstance(values, np.ndarray):
            values = values.ravel().tolist()
        try:
            listed = [values] if isinstance(values, (str, bytes, Entry)) else list(values)
        except TypeError:
            listed = [values]
        axis = [(value.stem if isinstance(value, Entry) else value, value) for value in listed]
    if not axis:
        raise BadArgument(f"space[{name!r}]", "an empty list", "give at least one value")
    for _, value in axis:
        if isinstance(value, float) and not math.isfinite(value):
            raise OutOfRange(f"space[{name!r}]", value, "give finite numbers")
    return axis


def combined(axes: Mapping[str, list[Any]]) -> dict[str, Quantity]:
    """All combinations of some quantities, as columns of equal length."""
    places = np.meshgrid(*(np.arange(len(values)) for values in axes.values()), indexing="ij")
    columns = {}
    for (name, values), place in zip(axes.items(), places, strict=True):
        read = [parse(value, name) if isinstance(value, str) else Q_(value) for value in values]
        unit = read[0].units
        if not all(each.is_compatible_with(unit) for each in read):
            raise WrongUnit(f"space[{name!r}]", values, "give quantities of one dimension")
        columns[name] = Q_(np.array([each.m_as(unit) for each in read])[place.ravel()], unit)
    return columns
