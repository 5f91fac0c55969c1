"""Two profiles of a fleet's training step, and what makes one of them faster."""

from __future__ import annotations

from collections.abc import Iterator

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Result, show
from mlsysim.core.units import Q_
from mlsysim.solvers.fleet.profile import FleetProfile

PARTS = {
    "compute_time": "each device's own work",
    "bubble_time": "waiting in the pipeline",
    "tensor_time": "sums inside layers",
    "context_time": "keys and values that go round",
    "pipeline_time": "passing from stage to stage",
    "expert_time": "sending tokens to experts",
    "exposed_data_time": "gradients and weights that nothing hides",
}
SMALL = 0.05  # a part of the slower step that is not worth a word


class FleetExplanation(Result):
    """Why a fleet's step is faster or slower `after` than `before`.

    `parts` are the seconds that each part of a step takes more after; for batches that differ,
    those of as many sequences. Printing it prints the sentences.
    """

    walls = (14,)

    speedup: u.Number
    parts: dict
    sentences: tuple

    def __str__(self) -> str:
        return "\n".join(self.si("sentences"))


def explain_fleets(
    before: FleetProfile, after: FleetProfile, names: tuple[str, str] | None = None
) -> FleetExplanation:
    """Take both steps apart, at the batch of the first."""
    for argument, side in (("before", before), ("after", after)):
        if side.shape:
            raise BadArgument(argument, "a column of profiles", "give one of them, as profiles[0]")
        if side.si("step_time") is None:
            raise BadArgument(argument, "a plan that cannot be", side.si("reason"))
    scale = before.si("batch_size") / after.si("batch_size")
    parts = {part: scale * after.si(part) - before.si(part) for part in PARTS}
    speedup = before.si("step_time") / (scale * after.si("step_time"))
    told = tuple(_sentences(before, after, names or ("before", "after"), parts, speedup))
    return FleetExplanation(speedup=speedup, parts=parts, sentences=told)


def _sentences(
    old: FleetProfile,
    new: FleetProfile,
    names: tuple[str, str],
    parts: dict[str, float],
    speedup: float,
) -> Iterator[str]:
    was, now = old.si("step_time"), new.si("step_time")
    scale = old.si("batch_size") / new.si("batch_size")
    batch = "" if scale == 1 else f" for {1 / scale:.3g}x the sequences"
    yield (
        f"The step takes {show(old.step_time)} {names[0]} and {show(new.step_time)} {names[1]}"
        f"{batch}: {speedup:.2f}x as fast."
    )
    whole = max(was, scale * now)
    ranked = sorted(parts, key=lambda part: -abs(parts[part]))
    moved = [part for part in ranked if abs(parts[part]) > SMALL * whole]
    for part in moved:
        less = "less" if parts[part] < 0 else "more"
        yield f"{show(Q_(abs(parts[part]), 's'))} {less} goes to {PARTS[part]}."
    for name, side in ((names[0], old), (names[1], new)):
        if not side.feasible:
            yield f"It does not fit {name}: {side.si('reason')}"
