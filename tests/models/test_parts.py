"""The parts that fixed networks are made of, counted by hand for one sample."""

from __future__ import annotations

from mlsysim.models import parts
from mlsysim.models.operators import FORWARD, Step
from mlsysim.models.widths import SCALES, Widths

equal = Widths.equal


def test_each_part_counts_its_work_parameters_and_values():
    assert parts.dense("d", 3.0, 4.0, 5.0)[2:] == (60, 4 * 5 + 5, 12, 15)
    assert parts.dense("d", 3.0, 4.0, 5.0, bias=False).parameters == 20
    # 9 positions of 3 x 3 kernels from 4 to 5 channels; every second position reads four inputs
    assert parts.convolution("c", 9.0, 3.0, 4.0, 5.0)[2:] == (9 * 9 * 20, 9 * 20 + 5, 36, 45)
    assert parts.convolution("c", 9.0, 3.0, 4.0, 5.0, stride=2.0).inputs == 4 * 36
    # 3 queries and 7 keys, 5 wide: a score and a sum each; queries, keys and values are read
    assert parts.attention("a", 3.0, 7.0, 5.0)[2:] == (2 * 3 * 7 * 5, 0, (3 + 2 * 7) * 5, 15)
    assert parts.norm("n", 3.0, 4.0)[2:] == (0, 8, 12, 12)


def test_weights_are_read_once_a_pass_and_held_once():
    step = Step(2.0, 1.0, 0.0, FORWARD, equal(4.0))
    (op,) = parts.operators([parts.dense("d", 1.0, 4.0, 5.0)], step, passes=10.0, samples=3.0)
    assert (op.repeat, op.flops) == (10, 2 * 20 * 2 * 3)
    assert (op.weights, op.repeat * op.held) == (25 * 4, 25 * 4)
    assert (op.inputs, op.outputs) == (4 * 4 * 2 * 3, 5 * 4 * 2 * 3)


def test_scales_are_bytes_of_a_weight():
    """NVFP4: 8 bits for 16 weights; AWQ: 16 bits and a zero point of 4 for 128 of them."""
    told = {name: scale.quantity.to("B").magnitude * 8 for name, scale in SCALES.items()}
    assert told == {"fp4": 8 / 16, "int4": 20 / 128, "w4a4": 20 / 128}
