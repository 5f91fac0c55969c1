"""The few numbers that hold everywhere, each with the source without which it cannot be built."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mlsysim.core.provenance import Source
from mlsysim.core.units import Q_

__all__ = ["FLOP_PER_MAC", "Q_", "TraceableConstant"]


class TraceableConstant(float):
    """A number that computes like a float and remembers its `name`, `unit` and `source`.

    >>> FLOP_PER_MAC * 3.0
    6.0
    >>> FLOP_PER_MAC.source.kind
    'paper'
    """

    name: str
    unit: str
    source: Source

    def __new__(cls, value: Any, unit: str, *, name: str, source: Source) -> TraceableConstant:
        """Build a constant; a constant without a source cannot be built."""
        if not isinstance(source, Source):
            raise TypeError(
                f"constant {name!r} needs a Source; a number nobody can trace is a rumour"
            )
        constant = super().__new__(cls, value)
        constant.name, constant.unit, constant.source = name, unit, source
        return constant

    @property
    def quantity(self) -> Any:
        """The constant with its unit."""
        return Q_(float(self), self.unit)


FLOP_PER_MAC = TraceableConstant(
    2,
    "FLOP",
    name="FLOP_PER_MAC",
    source=Source(
        kind="paper",
        ref="Kaplan et al. (2020), Scaling Laws for Neural Language Models, section 2.1",
        url="https://arxiv.org/abs/2001.08361",
        read=dt.date(2026, 11, 20),
        note="a multiply-accumulate is one multiplication and one addition",
    ),
)
