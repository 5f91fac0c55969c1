"""Design space exploration: a space, an objective and constraints, searched exhaustively.

An analytical model answers in microseconds, so every point is looked at: constraints first, then
the objective, and with several objectives the Pareto front. Points that fail are kept with their
reason, because why a design falls out is half of what a search can tell.
"""

from __future__ import annotations

import hashlib
import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from html import escape
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mlsysim.core.constraint import Constraint, Objective
from mlsysim.core.errors import BadArgument, FailedPoint, UnknownName, WrongUnit, at_point
from mlsysim.core.solver import show
from mlsysim.core.space import Space, combined
from mlsysim.core.table import Table
from mlsysim.core.units import Quantity

Progress = Callable[[int, int], None]
Texts = str | Iterable[str]
Wanted = Objective | Constraint
Row = Callable[[int], dict[str, Any]]

SWEEP_AXES = ("hardware", "precision", "batch_size", "seq_len")
VARIED = ("peak", "bandwidth", "capacity", "tdp")  # fields of a device


class DSE:
    """Exhaustive search of a design space.

    `space` maps each parameter to its values: a list, a range, an array, one fixed value, or a
    mapping of labels to values; an entry's label is its name. `objective` is `maximize: metric` or
    `minimize: metric`, or a list of them for a Pareto front. `constraints` compare a metric or a
    parameter with a bound. A point whose metrics say `feasible` False never wins.

    >>> dse = DSE({"x": range(10)}, "maximize: area", ["side <= 3"])
    >>> found = dse.search(lambda p: {"side": p["x"], "area": p["x"] ** 2})
    >>> found["best_params"], found["best"]["area"], len(found["infeasible"])
    ({'x': 3}, 9, 6)
    """

    def __init__(self, space: Mapping[str, Any], objective: Texts, constraints: Texts = ()) -> None:
        self.space = Space(space)
        texts = [objective] if isinstance(objective, str) else list(objective)
        if not texts:
            raise BadArgument("objective", "an empty list", "give at least one")
        self.objectives = [Objective.read(text) for text in texts]
        if isinstance(constraints, str):
            constraints = [constraints]
        self.constraints = [Constraint.read(text) for text in constraints]

    def __len__(self) -> int:
        return len(self.space)

    def __repr__(self) -> str:
        return f"DSE of {len(self):,} points ({self.space!r})"

    # ---- one point at a time -------------------------------------------------------------------

    def search(
        self,
        evaluate: Any,
        *,
        executor: Any = None,
        progress: Progress | None = None,
        on_error: str = "raise",
        save: str | Path | None = None,
    ) -> Found:
        """Evaluate every point; `evaluate` takes its parameters and gives a mapping or a Result.

        `evaluate` may also be a solver, or a function of several arguments: then each axis is one
        of them. `executor` is one of concurrent.futures, a Dask Client, a pool of multiprocessing
        or Ray, or a function that makes one; points go there in blocks. When a worker dies, the
        point at which it died is tried once more, and then kept as failed; a ProcessPoolExecutor,
        which breaks of that, is replaced by one like it. `progress` is called with (done, total).
        `save` names a file for the answers: a search that was cut off goes on from there.

        A point whose device lacks a datapath, or whose question needs an unpublished value, is
        infeasible. Any other error raises FailedPoint, which names the point, unless `on_error` is
        "keep": then the point stands among the infeasible, with the error as its reason.

        The answer holds `best_params`, `best` (what `evaluate` gave for them), `front` and `knee`,
        `evaluated` (how many), `points` and `infeasible` (with reasons), and a `reason` when
        nothing is feasible.
        """
        from mlsysim.core import executors, saved  # they load what only a search needs

        if on_error not in ("keep", "raise"):
            raise UnknownName("on_error", on_error, ("keep", "raise"))
        ask, total = self.space.asked(evaluate), len(self)
        held = saved.load(Path(save), self._about(evaluate)) if save else {}
        left = [place for place in range(total) if place not in held]
        points: list[Any] = [None] * total
        costs = np.full((total, len(self.objectives)), math.inf)
        units: dict[str, Any] = {}
        done = lost = 0
        with closing(executors.answers(ask, left, self.space.values, executor)) as fresh:
            answers = saved.saving(Path(save), fresh) if save else fresh
            for places, found in chain([(held, held.values())] if held else (), answers):
                for place, answer in zip(places, found, strict=True):
                    params, metrics = self.space.labels(place), answer
                    if isinstance(answer, executors.Fault):
                        if answer.error and on_error == "raise":
                            raise FailedPoint(params, answer.error) from answer.error
                        lost += answer.error is None
                        metrics = {"feasible": False, "reason": answer.reason}
                    points[place] = {"params": params, "metrics": metrics}
                    costs[place] = self._costs(params, metrics, units)
                done += len(places)
                if progress is not None:
                    progress(done, total)
        if lost:
            said = f"{lost} of {total} points are lost: see why among the infeasible"
            warnings.warn(said, RuntimeWarning, stacklevel=2)
        return self._answer(points, costs, points.__getitem__)

    def _about(self, evaluate: Any) -> dict[str, Any]:
        """Say which search this is, for the file in which it is saved."""
        axes, asked = (re.sub(" at 0x[0-9a-f]+", "", repr(x)) for x in (self.space.axes, evaluate))
        return {
            "space": hashlib.sha256(axes.encode()).hexdigest(),
            "objective": [objective.text for objective in self.objectives],
            "constraints": [constraint.text for constraint in self.constraints],
            "evaluate": f"{getattr(evaluate, '__module__', '')} {asked}",
        }

    def _costs(self, params: dict[str, Any], metrics: Any, units: dict[str, Any]) -> list[float]:
        """Weigh a point by each objective; infinite when it cannot be chosen."""
        if self._fault(params, metrics) is not None:
            return [math.inf] * len(self.objectives)
        costs = []
        for o in self.objectives:
            value = _value(o, params, metrics)
            old, where = units.setdefault(o.metric, (value, params))
            if _dimension(old) != _dimension(value):
                said = f"{show(old)} at {at_point(where)} and {show(value)} at {at_point(params)}"
                raise WrongUnit("objective", o.text, f"{o.metric} is {said}; give one dimension")
            costs.append(o.cost(value))
        return costs

    def _fault(self, params: dict[str, Any], metrics: Any) -> tuple[Any, Any] | None:
        """Find what keeps a point from being chosen, as (what was asked, what was found)."""
        fits = _lookup(metrics, "feasible", default=True)
        unfit = isinstance(fits, (bool, np.bool_)) and not fits
        if unfit and isinstance(metrics, Mapping):
            return None, None  # which need not hold anything else
        # all are read, so that a name or a unit that is wrong is told whatever else fails
        faults: list[tuple[Any, Any]] = []
        for constraint in self.constraints:
            value = _value(constraint, params, metrics)
            if value is None or not constraint.holds(value):
                faults.append((constraint, value))
        for objective in self.objectives:
            value = _value(objective, params, metrics)
            if value is None or not np.isfinite(objective.cost(value)):
                faults.append((objective, value))
        if unfit:
            return None, None
        return faults[0] if faults else None

    def why_not(self, params: dict[str, Any], metrics: Any) -> str:
        """Say why a point cannot be chosen; empty when it can."""
        fault = self._fault(params, metrics)
        if fault is None:
            return ""
        wanted, value = fault
        if wanted is None:
            return str(_lookup(metrics, "reason", default="") or "it is not feasible")
        found = f"{wanted.metric} is {'unknown' if value is None else show(value)}"
        if isinstance(wanted, Constraint):
            return f"{found}, and the constraint is {wanted.text.strip()}"
        return found

    # ---- all points at once --------------------------------------------------------------------

    def search_sweep(
        self,
        sweep: Callable[..., Any],
        model: Any,
        hardware: Any = None,
        *,
        progress: Progress | None = None,
        **how: Any,
    ) -> Found:
        """Search the columns of an `Engine.sweep`: `dse.search_sweep(Engine.sweep, model)`.

        The space may have the axes hardware, precision, batch_size and seq_len, and of one device
        its peak, bandwidth, capacity and tdp: all combinations are looked at. `hardware` is given
        here when it is none of them, and `how` is passed on to the sweep, which tells its
        `progress`. The answer is that of `search`, with rows made only when they are looked at.
        Besides metrics, objectives and constraints may name any of the sweep's `columns`, such as
        the devices' tdp or unit_cost.
        """
        for name in self.space.axes:
            if name not in (*SWEEP_AXES, *VARIED):
                raise UnknownName("space", name, (*SWEEP_AXES, *VARIED))
        axes = {name: [v for _, v in axis] for name, axis in self.space.axes.items()}
        varied = combined({name: axes.pop(name) for name in VARIED if name in axes})
        devices = axes.pop("hardware", hardware)
        if devices is None:
            raise BadArgument("hardware", None, "give devices here, or as an axis of the space")
        if progress is not None:
            how["progress"] = progress
        several = {f"{name}s": values for name, values in axes.items()}
        points = sweep(model, devices, **several, **varied, **how)
        asked = {w.metric: _column(points, w) for w in (*self.constraints, *self.objectives)}
        good = points.column("feasible")
        for constraint in self.constraints:
            good = good & constraint.holds(asked[constraint.metric])
        costs = np.stack([o.cost(asked[o.metric]) for o in self.objectives], axis=1)
        costs = np.where(good[:, None] & np.isfinite(costs), costs, np.inf)
        return self._answer(points, costs, partial(_row, points), asked)

    def _answer(
        self, points: Any, costs: np.ndarray, row: Row, columns: Mapping[str, Any] | None = None
    ) -> Found:
        """Rank what can be chosen, and keep what cannot; `columns` are numbers of all points."""
        good = np.isfinite(costs).all(axis=1)

        def why(place: int, point: Mapping[str, Any]) -> str:
            known = {name: column[place] for name, column in (columns or {}).items()}
            return self.why_not({**known, **point["params"]}, point["metrics"])

        failed = Failed(np.flatnonzero(~good), row, why)
        chosen, where = np.flatnonzero(good), 0
        if chosen.size:
            chosen = chosen[pareto(costs[chosen])]
            where = knee(costs[chosen])
        front = [row(int(i)) for i in chosen]
        best = front[where] if front else {"params": None, "metrics": None}
        none = f"none of {len(points):,} points can be chosen; the first: "
        asked = (wanted.metric for wanted in (*self.objectives, *self.constraints))
        return Found(
            (*self.space.axes, *asked, "feasible"),
            chosen,
            best_params=best["params"],
            best=best["metrics"],
            front=front,
            knee=best if front else None,
            evaluated=len(points),
            points=points,
            infeasible=failed,
            reason="" if front else none + failed[0]["reason"],
        )


class Found(dict[str, Any]):
    """What a search found, by the names that `DSE.search` tells; its points are a table, too.

    Write `found.table()` for pandas and polars, which look for columns in any mapping.

    >>> found = DSE({"x": range(3)}, "maximize: area").search(lambda p: {"area": p["x"] ** 2})
    >>> print(found.to_csv(), end="")
    x,area
    0,0
    1,1
    2,4
    """

    def __init__(self, asked: Iterable[str], chosen: np.ndarray, **found: Any) -> None:
        super().__init__(found)
        self.asked, self._chosen = [*dict.fromkeys(asked)], chosen

    def table(self, names: Iterable[str] = (), *, of: str = "points") -> Table:
        """The `points`, or the `front`: parameters, what was asked of them, and what is named."""
        points, names = self[of], [*dict.fromkeys((*self.asked, *names))]
        if isinstance(self["points"], Columns):
            table = self["points"].table(names)
            return table.at(self._chosen, names) if of == "front" else table
        rows = [{n: _lookup(p["metrics"], n, p["params"].get(n)) for n in names} for p in points]
        known = (name for name in names if any(row[name] is not None for row in rows))
        return Table.rows(rows, [*known])

    def to_csv(self, path: Any = None) -> str | None:
        """The table of all points as CSV, to a file or as text."""
        return self.table().to_csv(path)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table().__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        words = self["reason"] or repr(self)
        return (
            f"<p>{escape(words)}</p>{self.table(of='front')._repr_html_() if self['front'] else ''}"
        )

    def __repr__(self) -> str:
        lost = f", {len(self['infeasible']):,} cannot be chosen" if self["infeasible"] else ""
        front = f", {len(self['front']):,} on the front" if len(self["front"]) > 1 else ""
        return f"{self['evaluated']:,} points{lost}{front}; best {self['best_params']}"


@runtime_checkable
class Columns(Protocol):
    """What a sweep gives: points that are columns already."""

    def table(self, names: Iterable[str]) -> Table:
        """Those of its columns that are named."""
        ...


class Failed(Sequence[dict[str, Any]]):
    """The points that cannot be chosen; the reason is worked out when one is looked at."""

    def __init__(self, where: np.ndarray, row: Row, why_not: Callable[..., str]) -> None:
        self._where, self._row, self._why_not = where, row, why_not

    def __len__(self) -> int:
        return len(self._where)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = int(self._where[index])
        point = self._row(place)
        return {**point, "reason": self._why_not(place, point)}

    def __repr__(self) -> str:
        return f"{len(self):,} points that cannot be chosen"


def _dimension(value: Any) -> Any:
    return value.dimensionality if isinstance(value, Quantity) else None


_ABSENT = object()


def _lookup(metrics: Any, name: str, default: Any = _ABSENT) -> Any:
    if isinstance(metrics, Mapping):
        return metrics.get(name, default)
    return getattr(metrics, name) if name in _names(metrics) else default


def _names(metrics: Any) -> Iterable[str]:
    names = metrics.keys() if isinstance(metrics, Mapping) else getattr(metrics, "fields", None)
    if names is None:
        raise BadArgument("evaluate", metrics, "return a mapping of metrics, or a solver's Result")
    return names


def _value(wanted: Wanted, params: Mapping[str, Any], metrics: Any) -> Any:
    """Find the metric, or else the parameter, that an objective or a constraint names."""
    value = _lookup(metrics, wanted.metric)
    if value is _ABSENT:
        value = params.get(wanted.metric, _ABSENT)
    if value is _ABSENT:
        raise _unknown(wanted, {*_names(metrics), *params})
    return value


def _unknown(wanted: Wanted, known: Iterable[str]) -> UnknownName:
    return UnknownName(f"{wanted.argument} {wanted.text!r}", wanted.metric, known)


def _column(points: Any, wanted: Wanted) -> Any:
    """Find a metric, or else an axis, of all points of a sweep."""
    if wanted.metric not in points.columns:
        raise _unknown(wanted, points.columns)
    return points.values(wanted.metric)


def _row(points: Any, index: int) -> dict[str, Any]:
    row = points[index]
    return {"params": {k: v for k, v in row.items() if k != "profile"}, "metrics": row["profile"]}


def pareto(costs: np.ndarray) -> np.ndarray:
    """Find the rows that no other row beats, by growing first cost; of equals, the first.

    >>> pareto(np.array([[1.0, 9.0], [2.0, 5.0], [3.0, 6.0], [4.0, 1.0]])).tolist()
    [0, 1, 3]
    """
    if costs.shape[1] == 1:
        return np.array([np.argmin(costs[:, 0])])
    order = np.lexsort(costs.T[::-1])
    if costs.shape[1] == 2:
        second = costs[order, 1]
        lowest = np.minimum.accumulate(second)
        return order[np.concatenate([[True], second[1:] < lowest[:-1]])]
    front = []
    while order.size:  # the first in this order is beaten by none of those behind it
        front.append(order[0])
        order = order[1:][np.any(costs[order[1:]] < costs[order[0]], axis=1)]
    return np.array(front)


def knee(costs: np.ndarray) -> int:
    """Find the row of a front farthest below the plane through the best of each objective.

    With every objective scaled to run from 0 to 1 over the front, that is the least sum.

    >>> knee(np.array([[0.0, 10.0], [1.0, 2.0], [10.0, 0.0]]))
    1

    Source: Das (1999), On characterizing the knee of the Pareto curve, Structural Optimization 18.
    """
    low, high = costs.min(axis=0), costs.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    return int(np.argmin(((costs - low) / span).sum(axis=1)))
