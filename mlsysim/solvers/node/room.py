"""What to say of a step that has no room: by how much, and what would do."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsysim.core.solver import show
from mlsysim.core.units import PRECISIONS, dim_of
from mlsysim.hardware.types import WIDER
from mlsysim.solvers.node.learning import TrainingPrecision


def too_large(p: Any) -> str:
    """One sentence: what does not fit, by how much, and what would."""
    if not p.si("datapath"):
        return f"The device has no datapath that can run {p.si('precision')}."
    need, room = p.memory_required, p.memory_capacity
    parts = {"weights": p.weights, "KV cache": p.kv_cache, "activations": p.activations}
    listed = ", ".join(f"{name} {show(part)}" for name, part in parts.items() if part.magnitude)
    return (
        f"It needs {show(need)} ({listed}) and the device holds {show(room)}: "
        f"short by {show(need - room)}; {_remedy(p, need, room)}."
    )


def _remedy(p: Any, need: Any, room: Any) -> str:
    """What would make it fit; what it says of a width or of recomputing was asked again."""
    asked = p.si("_asked") if hasattr(type(p), "_asked") else None
    learns = asked is not None and asked.question.training
    if p.weights > room:
        narrower = _narrower(p.si("precision"), p.weights, room, asked)
        what = "training state" if learns else "model"
        share = f"split the {what} over {int(np.ceil((need / room).m_as('')))} devices"
        return f"{share} or store it as {' or '.join(narrower[:2])}" if narrower else share
    smaller = "use a smaller batch or a shorter context"
    again = asked.again() if asked is not None and learns else None
    if again is not None and again.fits():
        return f"{smaller}, or compute activations again (recompute='full')"
    return smaller


def _narrower(precision: str, weights: Any, room: Any, asked: Any) -> list[str]:
    """The precisions at which a question fits that does not at this one, widest first."""
    width = PRECISIONS[precision]
    names = [name for name, w in PRECISIONS.items() if w < width]
    if asked is None:  # tables shrink as matrices do down to a byte
        return [
            n for n in names if PRECISIONS[n] >= 1 and weights * (PRECISIONS[n] / width) <= room
        ]
    if asked.question.training:
        names = [name for name in names if name in dim_of(TrainingPrecision).known]
    datapath = asked.question.supply.datapath
    runs = [name for name in names if name == datapath or datapath in WIDER[name]]
    return [name for name in runs if asked.at(name).fits()]
