"""Layer 1, demand: a workload is a list of operators, and everything else is their sum."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, UnknownName
from mlsysim.core.provenance import Source, TraceableConstant
from mlsysim.core.units import PRECISIONS, Q_, Quantity
from mlsysim.core.values import Entry, Home
from mlsysim.equations import algorithm
from mlsysim.models.operators import DECODE, FORWARD, Operator, Step, Totals, fold
from mlsysim.models.widths import ONE, Widths

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
FULL_WIDTH = PRECISIONS["fp32"]  # optimizers keep their state in fp32
ADAM_MOMENTS = 2 * FULL_WIDTH  # its two moments: Kingma & Ba (2015), arXiv:1412.6980


class Workload(Entry):
    """A model. `parameters` is the published count; tests hold the architecture's sum to it.

    Where nobody says it, it is that sum.
    """

    home: ClassVar = Home("model", "models", "Llama3_8B")
    kinds: ClassVar[Mapping[str, type[Any]]] = {}  # which the registry knows

    release_year: u.Year | None = None
    parameters: u.Count = None  # type: ignore[assignment] - it is filled in
    training_tokens: u.Count | None = None

    phases: ClassVar[tuple[str, ...]] = (FORWARD,)
    trained: ClassVar[str] = FORWARD  # the phase whose operators training runs
    sparse: ClassVar[bool] = False  # whether training updates only the parameters that it reads

    def fill(self) -> None:
        """Count the parameters of a model that does not say them."""
        if self.parameters is None:
            vars(self)["parameters"] = int(self.counted_parameters())

    def operators(self, step: Step) -> list[Operator]:
        """The operators of one forward step."""
        raise NotImplementedError

    def step(
        self,
        batch: Any,
        seq_len: Any,
        phase: str | None,
        widths: Widths = ONE,
        *,
        new: Any = None,
        training: bool = False,
    ) -> Step:
        """The step that a question means; raises when the model has no such phase or length.

        `new` are the tokens of `seq_len` that it computes, where these are not those of the phase.
        """
        if phase is None:
            phase = self.trained if training else self.phases[0]
        elif training:
            raise BadArgument("phase", phase, "training runs forward and backward; leave phase out")
        elif phase not in self.phases:
            raise UnknownName("phase", phase, self.phases)
        length = self.length(seq_len)
        new = new if new is not None else 1.0 if phase == DECODE else length
        return Step(batch, new, length - new, phase, widths, training)

    def length(self, seq_len: Any) -> Any:
        """Tokens of a sequence at the end of a step, where a question does or does not say so."""
        if seq_len is not None:
            raise BadArgument("seq_len", seq_len, f"{self.name} has no sequence; leave it out")
        return 1.0

    @property
    def caches(self) -> bool:
        """Whether it keeps something of the tokens that it has seen."""
        return DECODE in self.phases

    def held_state(self, step: Step) -> Any:
        """Bytes of KV cache (or other per-sequence state) that stay on the device."""
        return 0.0 * step.batch

    def totals(self, step: Step) -> Totals:
        """The sum over the operators of one forward step."""
        return fold(self.operators(step), step.phase)

    def weights(self, precision: str = "fp16") -> Quantity:
        """Bytes of all parameters at a precision."""
        if not isinstance(precision, str) or precision not in PRECISIONS:
            raise UnknownName("precision", precision, PRECISIONS)
        return Q_(algorithm.stored(self.parameters, PRECISIONS[precision]) / 1e9, "GB")

    @cached_property
    def published(self) -> float:
        """The published count of parameters over that of the architecture."""
        return self.parameters / self.counted_parameters()

    def counted_parameters(self) -> float:
        """Parameters summed over the architecture, for the test against the published count."""
        return float(self.totals(self.step(1.0, None, None)).held)


def flop(macs: Any) -> Any:
    """FLOP in a number of multiply-accumulates."""
    return algorithm.operations(macs, _PER_MAC)


_PER_MAC = float(FLOP_PER_MAC)
