"""What a stack reaches of a device's roofs and wires, and keeps in its memory."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.units import Dim
from mlsysim.core.values import Value

NumberOrZero = Annotated[Any, Dim("", open_low=False)]
OTHER = "other"  # a generation of devices of which nothing was measured


class Roofs(Value):
    """What part of a device's roofs the kernels of a stack reach in whole steps.

    `matmul` is that of the peak by generation of devices ("Hopper"), by datapath as well where that
    differs ("Hopper fp8"), and of any "other"; `attention` is the part of it that attention has.
    Products that sum over `depth` values run at half that rate. Elementwise work moves its bytes
    `passes` times, and each byte of a KV cache moves `cache` times where it is copied to grow. A
    core that does one thing at a time loads `reload` bytes of operands again for each
    multiply-accumulate, `outputs` bytes for each byte that it writes, and weights from flash.
    """

    matmul: dict[str, u.Fraction] = {}
    attention: u.Fraction = 1.0
    depth: NumberOrZero = 0.0
    bandwidth: u.Fraction = 1.0
    passes: u.Number = 1.0
    cache: u.Number = 1.0
    reload: NumberOrZero = 0.0
    outputs: NumberOrZero = 0.0
    flash: u.Fraction = 1.0

    def part(self, generation: Any, datapath: Any, default: Any) -> Any:
        """The part of the peak that matrix products reach; of several devices a column."""
        if isinstance(generation, np.ndarray) or isinstance(datapath, np.ndarray):
            pairs = np.broadcast_arrays(generation, datapath)
            flat = zip(pairs[0].flat, pairs[1].flat, strict=True)
            found = np.reshape([self.part(*pair, default=np.nan) for pair in flat], pairs[0].shape)
            return np.where(np.isnan(found), default, found)
        for key in (f"{generation} {datapath}", generation, OTHER):
            if key in self.matmul:
                return self.matmul[key]
        return default


class Talk(Value):
    """A collective by itself: what it takes at least, the part of a link, and of both together.

    Between short and long messages neither latency nor rate is hidden behind the other: `queue` is
    the part of twice their geometric mean that a message waits besides.
    """

    latency: u.SecondsOrZero
    link: u.Fraction = 1.0
    queue: u.FractionOrZero = 0.0


class Held(Value):
    """What a stack keeps in memory beside a model: its context, wider gradients, more buffers."""

    context: u.BytesOrZero | None = None
    gradients: u.Bytes | None = None
    scores: u.Bytes | None = None
    buffers: u.Number = 1.0


class Spread(Value):
    """By what factor half of what was measured lay from what is said without its table.

    And `most`, nine of ten; the `new_` ones are for a device whose like was not measured, or for a
    kind of model that is not among `models`.
    """

    half: u.Number
    most: u.Number
    new_half: u.Number
    new_most: u.Number
    models: list[str] = []


class Usual(Value):
    """Where a stack is what usually runs: for these uses and kinds of models, on these devices.

    Devices are told by their vendors, and by their families where only some are meant.
    """

    uses: list[str]
    models: list[str]
    vendors: list[str]
    families: list[str] = []


class Board(Value):
    """What a device draws while it works, as `share` of its rated power, or by the operation."""

    share: u.Number = 1.0
    operation: u.Energy | None = None
