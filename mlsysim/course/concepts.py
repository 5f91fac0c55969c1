"""A question with computed answers, and the named wrong turns that quiz and review share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mlsysim.core.errors import BadArgument
from mlsysim.core.units import read_number
from mlsysim.course.journal import off_by
from mlsysim.engine.engine import Engine
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload

ETAS = (0.35, 0.5, 0.7)  # what a truth must not hang on, unless its question says which
APART = 1.3  # the least factor between a truth and the next option
EXACT = 1.04  # a number this near to a slip's is that slip
UNKNOWN = "I do not know"

CODES = {
    "peak-rules": "that FLOPS decide",
    "half-of-peak": "that every step reaches about half of the peak",
    "no-sharing": "that every user pays alone",
    "per-token": "that a token costs the same in every phase",
    "size-sets-kv": "that a larger model keeps more for each token",
    "weights-are-free": "that the weights take no memory",
    "narrow-is-fast": "that fewer bits are always faster",
    "batch-cures-all": "that a larger batch always reaches the compute roof",
    "bytes-are-the-cost": "that bytes are the cost of every message",
    "proportional": "that the answer moves in proportion",
    "reversed": "that it goes the other way",
    "nothing-moves": "that nothing changes",
    "memory-always": "that memory is always what binds",
    "latency-rules": "that waiting is the cost of every message",
    "middle": "that the answer lies in the middle",
    "power-is-the-bill": "that electricity is the bill",
    "busy-is-healthy": "that a busy device is a healthy one",
    "errs-both-ways": "that a floor may be passed from above and from below",
    "forward-only": "that training costs one pass forward",
}


class Ask(NamedTuple):
    """A question: a choice among `options`, or a number in `unit`, right `within` a factor.

    `slips` are pairs of a code and the option, or the number, that whoever thinks so gives.
    """

    text: str
    truth: str | float
    slips: Sequence[tuple[str, str | float]]
    why: str
    options: Sequence[str] = ()
    unit: str = ""
    within: float = 1.25
    shuffled: bool = False

    def read(self, given: str) -> str | float:
        """What was answered; raises BadArgument for what is no option and no number."""
        if not self.options:
            number = read_number(given.strip().removesuffix(self.unit).strip(), "your number")
            if number <= 0:
                raise BadArgument("your number", given, "give one above zero")
            return number
        if given not in (*self.options, UNKNOWN):
            raise BadArgument("your answer", given, "choose one of the options")
        return given

    def code(self, answer: str | float) -> str:
        """The code of the slip that an answer is; '' for none, 'unknown' for not knowing.

        A slip's own number wins even where it lies near the truth.
        """
        if answer == UNKNOWN:
            return "unknown"
        if isinstance(answer, str):
            return next((code for code, option in self.slips if option == answer), "")
        near = (code for code, slip in self.slips if off_by(answer, float(slip)) <= EXACT)
        return next(near, "")

    def right(self, answer: str | float) -> bool:
        """Whether an answer is the truth, or near enough to it and nobody's slip."""
        if isinstance(answer, str) or isinstance(self.truth, str):
            return answer == self.truth
        return off_by(answer, self.truth) <= self.within and not self.code(answer)

    @property
    def chance(self) -> float:
        """How likely a blind guess is right: one over the options, and 0 for a number."""
        return 1 / len(self.options) if self.options else 0.0


def ladder(values: Sequence[float], rungs: Sequence[tuple[str, float, str]]) -> dict[str, Any]:
    """Truth, slips and options, where `values` all lie nearest to one rung: words, number, code.

    Raises ValueError where they do not, or where the next rung is not a factor of `APART` away.
    """
    words, numbers, codes = zip(*rungs, strict=True)
    found = set()
    for value in values:
        order = sorted(range(len(rungs)), key=lambda at: off_by(value, numbers[at]))
        if off_by(value, numbers[order[1]]) < APART:
            raise ValueError(f"{words[order[1]]!r} is too near to {value:.3g}")
        found.add(order[0])
    if len(found) > 1:
        raise ValueError(f"it hangs on an assumption whether it is {[words[at] for at in found]}")
    right = found.pop()
    slips = [
        (code or "middle", text)
        for at, (text, code) in enumerate(zip(words, codes, strict=True))
        if at != right
    ]
    return {"truth": words[right], "slips": slips, "options": words}


def step(model: Workload, device: HardwareNode, eta: float = 0.5, **how: Any) -> float:
    """How many seconds one step takes."""
    return float(Engine.solve(model, device, efficiency=eta, **how).si("latency"))


def each_eta(value: Callable[[float], float]) -> list[float]:
    """A value at every efficiency that a truth must keep for."""
    return [value(eta) for eta in ETAS]


def cache_per_token(model: TransformerWorkload) -> float:
    """The bytes of KV cache that a 16-bit model keeps for one token."""
    return float(model.kv_cache(1).m_as("B"))


def two(number: float) -> str:
    """A number with the two digits that a head keeps."""
    kept = float(f"{number:.2g}")
    return f"{kept:.2g}" if kept < 100 else f"{kept:,.0f}"
