"""The front door: `Engine.solve` for one question, `Engine.sweep` for a million."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_type_hints

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, NoDatapath, UnknownField
from mlsysim.core.solver import Given
from mlsysim.core.table import Table
from mlsysim.core.units import Q_, Dim, Quantity, dim_of
from mlsysim.engine.chips import Chips, varied
from mlsysim.engine.explain import explain
from mlsysim.engine.mix import Mixed, mixed, weighed
from mlsysim.hardware.types import HardwareNode, Supply
from mlsysim.models.types import Workload
from mlsysim.models.widths import Widths
from mlsysim.models.widths import widths as widths_of
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.notes import of_device
from mlsysim.solvers.node.single import Profile, Question, SingleNodeModel, trainable
from mlsysim.stacks.types import Level

_USUAL = SingleNodeModel.defaults


class Engine:
    """Which wall binds? One question at a time, or a whole design space in columns.

    All the memory of a device is used; an evaluation keeps a part of it free.

    >>> from mlsysim import Engine, Hardware, Models
    >>> Engine.solve(Models.Language.Llama3_8B, Hardware.Cloud.H100).bottleneck
    'Memory'
    >>> Engine.solve("Llama3_8B", "H100", phase="prefill").bottleneck
    'Compute'
    """

    solve = SingleNodeModel().solve
    explain = staticmethod(explain)

    @staticmethod
    def sweep(
        model: Given[Workload | Sequence[tuple[Any, float]]],
        hardware: Given[HardwareNode | Iterable[HardwareNode]],
        *,
        batch_sizes: Any = (_USUAL["batch_size"],),
        precisions: Sequence[str] = (_USUAL["precision"],),
        seq_lens: Any = _USUAL["seq_len"],
        efficiency: Any = _USUAL["efficiency"],
        kv_precision: str | None = _USUAL["kv_precision"],
        phase: str | None = _USUAL["phase"],
        training: bool = _USUAL["training"],
        stack: Level | None = _USUAL["stack"],
        peak: Any = None,
        bandwidth: Any = None,
        capacity: Any = None,
        tdp: Any = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Sweep:
        """Every combination of device, precision, batch and context, worked out in columns.

        Points that a device cannot run are kept: `feasible` is False and `reason` says why. With
        `peak`, `bandwidth`, `capacity` or `tdp`, as many of each, the devices are variants of the
        one that is named: a million hypothetical chips are columns like any other. Workloads that
        take turns have weights, as in `[("Llama3_8B", 3), ("ResNet50", 1)]`: of four steps three
        are the first's, and a point is their average (`Mixed`). `progress` is called with (done,
        total) after each block of points.
        """
        known = _listed("hardware", hardware, HardwareNode.asked)
        parts = weighed(model)
        if not isinstance(training, bool):
            raise BadArgument("training", training, "give True or False")
        names = _listed("precisions", precisions, _PRECISION.si)
        if training:
            for name in names:
                trainable(name)
        batches = _line("batch_sizes", _BATCH.si(batch_sizes, "batch_sizes"))
        lengths = _optional(_COUNT, seq_lens, "seq_lens")
        efficiency = _FRACTION.si(efficiency, "efficiency")
        if np.ndim(efficiency):
            raise BadArgument("efficiency", efficiency, "give one number for the whole sweep")
        phase = _optional(_PHASE, phase, "phase")
        kv_precision = _optional(_PRECISION, kv_precision, "kv_precision")
        stack = _optional(_STACK, stack, "stack")
        fields = {"peak": peak, "bandwidth": bandwidth, "capacity": capacity, "tdp": tdp}
        devices = varied(known, fields)
        # one axis each: device, precision, batch, context; everything broadcasts against that
        named = np.array(names, dtype=object)[None, :, None, None]
        lines = None if lengths is None else _line("seq_lens", lengths)[None, None, None, :]
        questions = []
        for _, each in parts:
            widths, supplies = _formats(each, known, names, kv_precision, training=training)
            if isinstance(devices, Chips):
                supplies = devices.supply(supplies)
            questions.append(Question(each, widths, supplies, named, efficiency, stack, training))
        each_batch = len(devices) * len(names) * (1 if lines is None else lines.size)
        size, blocks = max(BLOCK // each_batch, 1), []
        for part in np.split(batches, range(size, len(batches), size)):
            batch = part[None, None, :, None]
            found = [each.profile(each.step(batch, lines, phase)) for each in questions]
            blocks.append(mixed(parts, found) if len(parts) > 1 else found[0])
            if progress is not None:
                done = min(len(blocks) * size, len(batches))
                progress(done * each_batch, len(batches) * each_batch)
        axes = {
            "hardware": devices,
            "precision": names,
            "batch_size": batches,
            "seq_len": np.atleast_1d(blocks[0].si("seq_len")).ravel(),
        }
        return Sweep(blocks, axes)


BLOCK = 1 << 14  # points whose columns stay in a processor's cache together
_SHOWN = ("latency", "throughput", "bottleneck", "mfu", "feasible")


# what the entry of a device says of itself, beside what its profile does
_OWN: dict[str, Dim] = {
    name: word
    for name, hint in get_type_hints(HardwareNode, include_extras=True).items()
    if isinstance(word := dim_of(hint), Dim)
}


class Sweep:
    """The points of a sweep: arrays, in blocks of batch sizes; a row is made when looked at.

    A row is a mapping with the keys `hardware` (a name), `precision`, `batch_size`, `seq_len` and
    `profile` (a Profile, or of several workloads a Mixed); of hypothetical chips also what varies.
    `columns` names what `column` gives of all rows at once. As a table it goes to polars as
    `polars.DataFrame(sweep)`, to pandas as `pandas.DataFrame.from_arrow(sweep)` (the extra:
    tables); `table(names)` chooses other columns.
    """

    def __init__(self, blocks: Sequence[Profile | Mixed], axes: dict[str, Any]) -> None:
        self._blocks, self.axes = blocks, axes
        self.shape = tuple(len(axis) for axis in axes.values())
        self._sizes = [np.size(block.si("batch_size")) for block in blocks]

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        where = np.unravel_index(range(len(self))[index], self.shape)
        device, precision, batch, length = (
            axis[i] for axis, i in zip(self.axes.values(), where, strict=True)
        )
        chips = self.axes["hardware"]
        return {
            "hardware": device.stem,
            **(chips.at(int(where[0])) if isinstance(chips, Chips) else {}),
            "precision": precision,
            "batch_size": int(batch),
            "seq_len": int(length),
            "profile": self._row(*where),
        }

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))

    def _row(self, device: int, precision: int, batch: int, length: int) -> Profile | Mixed:
        block, place = divmod(batch, self._sizes[0])
        where = (device, precision, place, length)
        row = self._blocks[block].row(where, self._shape(self._sizes[block]))
        if not row.datapath:
            return row
        asked = self.axes["hardware"][device], self.axes["precision"][precision], row.datapath
        return row.noted(of_device(*asked))

    def _shape(self, size: int) -> tuple[int, ...]:
        return (*self.shape[:2], size, self.shape[3])

    def _joined(self, name: str) -> Any:
        parts = [block.si(name) for block in self._blocks]
        if len(parts) == 1:
            return parts[0]
        shapes = map(self._shape, self._sizes)
        return np.concatenate(
            [np.broadcast_to(part, shape) for part, shape in zip(parts, shapes, strict=True)],
            axis=2,
        )

    @property
    def columns(self) -> list[str]:
        """What each point has: a place on every axis, its profile's fields, its device's numbers.

        >>> from mlsysim import Engine
        >>> sweep = Engine.sweep("Llama3_8B", ["H100", "H200"])
        >>> "latency" in sweep.columns, sweep.values("unit_cost").tolist()
        (True, [<Quantity(30000.0, 'USD')>, <Quantity(35000.0, 'USD')>])
        """
        devices = self.axes["hardware"]
        fields = devices.fields if isinstance(devices, Chips) else ()
        told = [name for name in self._blocks[0].fields if name != "notes"]  # each row has its own
        return list(dict.fromkeys((*self.axes, *told, *fields, *_OWN)))

    def column(self, name: str) -> np.ndarray:
        """One axis or field of all points, flat, in the order of the rows and in SI units.

        Of hypothetical chips `hardware` is their place.

        >>> from mlsysim import Engine, Hardware, Models
        >>> sweep = Engine.sweep(Models.ResNet50, [Hardware.H100], batch_sizes=[1, 2])
        >>> sweep.column("hardware").tolist(), sweep.column("batch_size").tolist()
        (['H100', 'H100'], [1, 2])
        """
        if name not in self.columns:
            raise UnknownField("Sweep", name, self.columns)
        if name in self.axes:
            return self._flat(self._axis(name))
        return self._flat(self._joined(name) if name in self._blocks[0].fields else self._own(name))

    def values(self, name: str) -> Any:
        """A column in the unit in which people are shown it: a Quantity where it has one."""
        field, column = self._blocks[0]._fields.get(name), self.column(name)
        if name not in self._blocks[0].fields and name in _OWN and _OWN[name].unit:
            return Q_(column, _OWN[name].unit)
        if field is None or field.unit is None or column.dtype == object:
            return column
        return Q_(column * field.factor, field.shown(self._blocks[0]))

    def table(self, names: Iterable[str] = _SHOWN) -> Table:
        """The axes and the fields named, in the units in which people are shown them."""
        columns, units = {}, {}
        for name in dict.fromkeys((*self.axes, *names)):
            value = self.values(name)
            if isinstance(value, Quantity):
                units[name] = f"{value.units:~P}"
            columns[name] = getattr(value, "magnitude", value)
        return Table(columns, units)

    def to_csv(self, path: Any = None) -> str | None:
        """The table as CSV, to a file or as text."""
        return self.table().to_csv(path)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table().__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        table = self.table()
        compute, memory = self.column("compute_share"), self.column("memory_share")
        # the rest is overhead; the longest of them binds
        table.bars["bottleneck"] = np.maximum(np.maximum(compute, memory), 1.0 - compute - memory)
        return table._repr_html_()

    def _axis(self, name: str) -> np.ndarray:
        shape = [-1 if axis == name else 1 for axis in self.axes]
        axis = self.axes[name]
        if isinstance(axis, Chips):  # of a million of them names are no help
            return np.arange(len(axis)).reshape(shape)
        held = np.array([getattr(value, "stem", value) for value in axis])
        return (held.astype(int) if held.dtype.kind == "f" else held).reshape(shape)

    def _own(self, name: str) -> np.ndarray:
        """A number of each device as its entry says it, along the first axis."""
        devices = self.axes["hardware"]
        if isinstance(devices, Chips) and name in devices.fields:
            return devices.fields[name][:, None, None, None]
        each = [devices.base] if isinstance(devices, Chips) else devices
        found = [getattr(device, name) for device in each]
        held = [np.nan if value is None else _OWN[name].si(value, name) for value in found]
        return np.array(held)[:, None, None, None]

    def _flat(self, value: Any) -> np.ndarray:
        return np.broadcast_to(value, self.shape).ravel()

    def __repr__(self) -> str:
        sides = " x ".join(f"{len(axis)} {name}" for name, axis in self.axes.items())
        return f"Sweep of {len(self):,} points ({sides})"


def _listed(argument: str, values: Any, read: Callable[[Any, str], Any]) -> list[Any]:
    """One or several values as a list, each of them read; raises BadArgument."""
    if isinstance(values, (str, Mapping, HardwareNode)) or not isinstance(values, Iterable):
        values = [values]
    held = [read(value, argument) for value in values]
    if not held:
        raise BadArgument(argument, "an empty list", "give at least one")
    return held


def _optional(word: Any, value: Any, argument: str) -> Any:
    """What a word of the vocabulary reads, where something is given."""
    return None if value is None else word.si(value, argument)


def _line(argument: str, values: Any) -> np.ndarray:
    """Numbers along one axis; raises BadArgument for tables of them."""
    if np.ndim(values) > 1:
        given = f"an array of shape {np.shape(values)}"
        raise BadArgument(argument, given, "give a plain list of numbers")
    return np.atleast_1d(values)


def _formats(
    model: Workload,
    devices: list[HardwareNode],
    precisions: list[str],
    kv_precision: str | None,
    *,
    training: bool,
) -> tuple[Widths, Supply]:
    """Widths and supply of every device at every precision, as arrays over the first two axes."""
    rows = [
        [_format(model, device, name, kv_precision, training=training) for name in precisions]
        for device in devices
    ]

    def grid(kind: type[Any], part: int) -> Any:
        held = {}
        for name in kind._fields:  # a None becomes NaN: unknown stays unknown
            dtype = object if name in ("datapath", "generation", "silicon") else float
            found = [[getattr(row[part], name) for row in line] for line in rows]
            held[name] = np.array(found, dtype=dtype)[:, :, None, None]
        return kind(**held)

    widths = grid(Widths, 0)
    if all((column == column[:1]).all() for column in widths):  # then what is asked is the same
        widths = Widths(*(column[:1] for column in widths))
    return widths, grid(Supply, 1)


def _format(
    model: Workload,
    device: HardwareNode,
    precision: str,
    kv_precision: str | None,
    *,
    training: bool,
) -> tuple[Widths, Supply]:
    try:
        return cost.formats(model, device, precision, kv_precision, training=training)
    except NoDatapath:
        # keeps its place in the columns: no peak, no capacity, no datapath
        other = device.supply(device.compute.peak_precision)
        nothing = {"peak": np.nan, "attention_peak": np.nan, "capacity": -np.inf}
        formats = widths_of(precision, precision, kv_precision, training=training)
        return formats, other._replace(**nothing, flash_capacity=0.0, datapath="")


_BATCH, _COUNT, _FRACTION = dim_of(u.Batch), dim_of(u.Count), dim_of(u.Fraction)
_PRECISION, _PHASE, _STACK = dim_of(u.Precision), dim_of(u.Phase), dim_of(Level)
