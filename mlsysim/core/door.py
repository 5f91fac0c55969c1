"""The door of a solver: where its arguments are read and become plain SI numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from mlsysim.core.errors import BadArgument, OutOfRange, UnknownArgument
from mlsysim.core.units import Dim, Quantity, dim_of
from mlsysim.core.values import Entry

Solve = TypeVar("Solve", bound=Callable[..., Any])


def guarded(function: Solve, owner: str) -> Solve:
    """`function` behind a door, where its arguments are read and become plain SI numbers."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    names = [p.name for p in parameters]
    positional = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    label = f"{owner}.{function.__name__}"
    readers: dict[str, Callable[[Any, str], Any]] = {}
    written: dict[str, Any] = {}  # defaults with a unit, as plain numbers like all that is given

    @wraps(function)
    def door(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not readers:
            hints = get_type_hints(function, include_extras=True)
            readers.update({name: _reader(hints.get(name)) for name in names})
            for p in parameters:
                text = isinstance(p.default, str) and isinstance(dim_of(hints.get(p.name)), Dim)
                if text or isinstance(p.default, Quantity):
                    written[p.name] = readers[p.name](p.default, p.name)
        if len(args) > len(positional):
            raise TypeError(
                f"{label} takes at most {len(positional)} arguments by place; name the others"
            )
        for name, value in zip(positional, args):  # noqa: B905 - fewer arguments than names is normal
            if name in kwargs:
                raise TypeError(f"{label} got two values for argument {name!r}")
            kwargs[name] = value
        shapes = {}
        for name, value in kwargs.items():
            if name not in readers:
                raise UnknownArgument(label, name, names)
            kwargs[name] = given = readers[name](value, name)
            if isinstance(given, np.ndarray):
                shapes[name] = given.shape
        if len(shapes) > 1:
            _broadcast(shapes)
        return function(self, **(written | kwargs if written else kwargs))

    return door  # type: ignore[return-value] - it takes what `function` takes


def _broadcast(shapes: dict[str, tuple[int, ...]]) -> None:
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError:
        sizes = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise OutOfRange(
            " and ".join(shapes), sizes, "their shapes do not broadcast; make them equal"
        ) from None


def _reader(hint: Any) -> Callable[[Any, str], Any]:
    """The function that reads an argument annotated with `hint`."""
    word = dim_of(hint)
    if get_origin(hint) is Sequence:
        one = _reader(*get_args(hint))
        return lambda value, name: tuple(one(each, name) for each in _several(value))
    optional = type(None) in get_args(hint)
    kinds = tuple(t for t in (hint, *get_args(hint)) if isinstance(t, type) and t is not type(None))
    if word is not None:
        read = word.si
    elif kinds and issubclass(kinds[0], Entry):
        read = kinds[0].asked
    else:
        read = _instance_of(kinds)
    if optional:
        return lambda value, name: None if value is None else read(value, name)
    return read


def _several(value: Any) -> Iterable[Any]:
    alone = isinstance(value, (str, Mapping, Entry)) or not isinstance(value, Iterable)
    return [value] if alone else value


def _instance_of(kinds: tuple[type, ...]) -> Callable[[Any, str], Any]:
    def read(value: Any, name: str) -> Any:
        if float in kinds and type(value) is int:
            return float(value)
        if kinds and not isinstance(value, kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise BadArgument(name, value, f"give a {wanted}{': True or False' * (bool in kinds)}")
        return value

    return read
