"""How long single kernels take, by hand: every constant is another number, and none is one."""

from __future__ import annotations

from math import inf, nan, sqrt

import numpy as np
import pytest

from mlsysim.hardware.types import Supply
from mlsysim.models.operators import (
    ADD,
    ATTENTION,
    BETWEEN,
    COLUMNS,
    DECODE,
    ELEMENTWISE,
    EXPERTS,
    PREFILL,
    Operator,
    Product,
    Rates,
    Split,
    Step,
)
from mlsysim.models.widths import Widths
from mlsysim.solvers.node import silicon
from mlsysim.solvers.node.kernels import Kernels, Measured, Sums
from mlsysim.solvers.node.silicon import Roof, Routed
from mlsysim.solvers.node.sustained import Sustained, inner, sustained
from mlsysim.stacks.registry import Stacks
from mlsysim.stacks.roofs import Roofs
from mlsysim.stacks.silicon import Operators
from mlsysim.stacks.types import Stack

CLOCK = 2.0
C = {
    "clock": CLOCK,
    "products": 16.0,
    "narrow": 3.0,
    "gemm.tail": 1 / 6,
    "gemm.whole": 8.0,
    "gemm.split": 0.5,
    "gemm.rate": 0.75,
    "gemm.feed": 8e9,
    "gemm.ramp": 20.0,
    "gemm.bandwidth": 0.2,
    "gemm.overlap": 1.0,
    "gemm.floor": 6e-5,
    "gemm.energy": 5.0,
    "quantise.floor": 7e-5,
    "prefill.split": 0.5,
    "prefill.soft": 128.0,
    "prefill.rate": 0.5,
    "prefill.overlap": 1.0,
    "prefill.bandwidth": 0.4,
    "prefill.floor": 3.0,
    "prefill.deep": 0.25,
    "prefill.start": 10.0,
    "decode.rows": 24.0,
    "decode.rate": 0.6,
    "decode.bandwidth": 0.7,
    "decode.floor": 22.0,
    "decode.overlap": 1.0,
    "decode.key_head": 13.0,
    "decode.head": 17.0,
    "experts.padding": 19.0,
    "experts.rate": 0.3,
    "experts.wide": 0.5,
    "experts.ramp": 23.0,
    "experts.bandwidth": 0.9,
    "experts.overlap": 1.0,
    "experts.passes": 29.0,
    "experts.floor": 31.0,
    "experts.pair": 37.0,
    "reduce.crowd": 2.0,
    "reduce.own": 6.0,
    "reduce.link": 0.36,
    "reduce.few": 48.0,
    "reduce.hop": 5.0,
    "reduce.turn": 7.0,
    "reduce.start": 11.0,
    "reduce.floor": 26.0,
    "nccl.link": 0.8,
    "nccl.crowd": 3.0,
    "nccl.floor": 41.0,
    "nccl.rank": 43.0,
    "nccl.queue": 0.25,
}
ROOF = Roof(peak=480e9, bandwidth=35e6, units=5.0)


def told(kernel):
    """All three parts of a kernel, to compare."""
    return pytest.approx(kernel, rel=1e-9)


# ---- silicon -------------------------------------------------------------------------------------


def test_processors_share_a_peak():
    # each does 16 x 3 products in a cycle, of two operations, and two cycles a second
    assert silicon.processors(C, 1920.0) == pytest.approx(1920 / 192)


def test_a_product_of_many_tiles():
    # 3 x 4 tiles on 5 processors are 2.4 rounds, and a sixth of the 0.6 that the last one lacks
    rounds, depth = 2.5, 50 + 20 * (1 - 1 / 2.5)
    # a processor does 480e9 / (2 x 5 x 2) = 24e9 products a cycle: feeding them takes 1 + 24 / 8
    compute = 2 * rounds * 128 * 128 * depth * 5 / (480e9 * 0.75 / 4)
    memory = 700 / (35e6 * 0.2)
    asked = silicon.product(C, ROOF, 300.0, 50.0, 500.0, 700.0)
    assert asked == told((compute, memory, memory + 3e-5))
    # a sharpness of two: parts that overlap are the legs of a right triangle
    sharp = silicon.product({**C, "gemm.overlap": 2.0}, ROOF, 300.0, 50.0, 500.0, 700.0)
    assert sharp[2] == pytest.approx(sqrt(compute**2 + memory**2) + 3e-5 - compute)
    # power binds: 2.4 of 2.5 rounds draw 5 x 5 x 2 x sqrt(16) x 0.96 = 192, twice what there is
    bound = silicon.product(C, ROOF._replace(power=96.0), 300.0, 50.0, 500.0, 700.0)
    excess = (1 + 2**8) ** (1 / 8) - 1
    assert bound[0] == pytest.approx(compute * (1 + excess * compute / (compute + 1e-3)))
    unpublished = silicon.product(C, ROOF._replace(power=nan), 300.0, 50.0, 500.0, 700.0)
    assert unpublished == told(asked)


@pytest.mark.parametrize(
    ("least", "rows", "inner", "height", "rounds", "depth"),
    [
        # one tile on five processors is a fifth of a round, for ten rows as long as for sixteen;
        # sums of 32 values are shared by half of all, as if a tile had 64 rows; there is no second
        # round to fill
        (16.0, 10.0, 32.0, 16, 0.5 * 64 / 16 / 2, 32),
        (16.0, 100.0, 32.0, 100, 0.5 / 2, 32),
        # but there is where rows are single
        (1.0, 10.0, 32.0, 10, 0.5 * 64 / 10 / 2, 32 + 20 * (1 - 1 / 1.6)),
        # long sums are shared by all
        (16.0, 128.0, 800.0, 128, 0.2, 800),
        # and of less than 8 values not at all
        (16.0, 100.0, 4.0, 100, 1 / 2, 4),
    ],
)
def test_a_product_of_one_tile(least, rows, inner, height, rounds, depth):
    compute, _, _ = silicon.product(C, ROOF._replace(least=least), rows, inner, 100.0, 700.0)
    assert compute == pytest.approx(2 * rounds * height * 128 * depth * 5 / (480e9 * 0.75 / 4))


def test_sixteen_rows_are_the_least_and_power_never_binds_unless_told():
    assert Roof(1.0, 2.0, 3.0) == (1.0, 2.0, 3.0, inf, 16.0)


def test_values_are_made_narrow():
    # two bytes are read and one written
    assert silicon.quantised(C, ROOF, 100.0) == pytest.approx(3.5e-5 + 300 / 7e6)


@pytest.mark.parametrize(("width", "soft"), [(128.0, 0.5), (64.0, 1.0)])
def test_attention_to_a_prompt(width, soft):
    # 1.25 pieces on 5 processors: a quarter of a round, for which half of one is paid
    roof = ROOF._replace(peak=480.0, bandwidth=35.0)
    compute = 9600 / 480 * (2 + soft) * (1 + 128 / 512) * 2
    memory, floor = 700 / (35 * 0.4), 3 * 16**0.25 + 0.25 * 10 / CLOCK
    asked = silicon.prefill(C, roof, 9600.0, 512.0, 1.25, 700.0, width)
    assert asked == told((compute, memory, memory + floor))
    if width == 128.0:
        assert silicon.prefill(C, roof, 9600.0, 512.0, 1.25, 700.0) == told(asked)


@pytest.mark.parametrize(("least", "kept", "rows"), [(16.0, 8.0, 6), (1.0, 8.0, 1), (16.0, 0.5, 1)])
def test_attention_of_single_tokens(least, kept, rows):
    # a matrix unit takes 24 x 8 / 32 = 6 rows for the one that is asked, never less than it
    roof = Roof(480.0, 35.0, 5.0, least=least)
    compute, memory = 9600 * rows / (480 * 0.6), 700 / (35 * 0.7)
    each = (13 * kept + 17 * 32) / (5 * CLOCK)
    asked = silicon.decode(C, roof, 9600.0, 32.0, kept, 700.0)
    assert asked == told((compute, memory, 11 + each))


def test_a_product_of_experts():
    r = Routed(pairs=50.0, read=3.0, inner=6.0, columns=10.0, ffn=4.0, weights=700.0, values=210.0)
    roof = Roof(480.0, 35.0, 5.0)
    compute = 2 * (50 + 3 * 19) * 60 / (480 * 0.3 / 4) * (1 + 23 / 4)
    memory, moving, routing = 700 / (35 * 0.9), 210 / 35 * 29, 31 + 37 * 50 / 5
    whole = compute + memory + moving + routing / 2
    assert silicon.experts(C, roof, r) == told((compute, memory, whole - max(compute, memory)))


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        # four devices: (4/2)^-2 of a link for its crowd, and a third of that for 1 + 6/3; the link
        # gives 100 x 0.36 / 12 = 3, and few processors 48 / 12 = 4 of their own: 12 / 7 of both
        (1.2, 4 * 5 + 3 * 1.2 / (12 / 7)),  # everybody reads all
        (9.0, 4 * 5 + 7 + 1.5 * 9 / (12 / 7)),  # each sums a share
        (120.0, 4 * 5 + 11 + 1.5 * 120 / 3),  # with the whole link
    ],
)
def test_a_sum_takes_the_fastest_of_three_ways(data, seconds):
    assert silicon.all_reduce(C, data, 4.0, 100.0) == pytest.approx(13 + seconds)
    # a device by itself sends itself a message, in columns as alone
    assert silicon.all_reduce(C, data, 1.0, 100.0) == pytest.approx(13 + 5)
    both = silicon.all_reduce(C, data, np.array([1.0, 4.0]), 100.0)
    assert both == pytest.approx([18, 13 + seconds])


def test_a_collective_of_the_library():
    moving = 2 * 3 / 4 * 240 / (100 * 0.8 / 8)  # a crowd of four leaves (4/2)^-3 of the link
    waiting = 41 + 43 * 4
    whole = moving + waiting + 2 * 0.25 * sqrt(moving * waiting)
    assert silicon.collective(C, 2, 240.0, 4.0, 100.0) == pytest.approx(whole)


def test_a_sum_is_by_own_kernels_or_by_the_library_whichever_is_faster(monkeypatch):
    monkeypatch.setattr("mlsysim.solvers.node.kernels.constants", lambda names, how: C)
    sums = Sums("Hopper,fp16,fp16", Operators(exchange=1.5))
    own, library = 13 + 20 + 3 * 1.2 / (12 / 7), silicon.collective(C, 2, 1.2, 4.0, 100.0)
    assert own < library
    assert sums(1.2, 4.0, 100.0) == pytest.approx(1.5 * own)
    long = silicon.collective(C, 2, 1e4, 4.0, 100.0)
    assert long < silicon.all_reduce(C, 1e4, 4.0, 100.0)
    assert sums(1e4, 4.0, 100.0) == pytest.approx(1.5 * long)


# ---- what a stack makes of an operator -----------------------------------------------------------

WIDTHS = Widths(weights=2.0, tables=3.0, activations=5.0, cache=7.0)
READ = Step(batch=3.0, new=200.0, past=300.0, phase=PREFILL, widths=WIDTHS)
ANSWER = Step(batch=3.0, new=1.0, past=499.0, phase=DECODE, widths=WIDTHS)
SUPPLY = Supply(
    peak=480e9, attention_peak=240e9, bandwidth=35e6, capacity=11.0, flash_bandwidth=13.0,
    flash_capacity=0.0, overhead=0.5, power=None, datapath="fp16", generation="Hopper",
    silicon="Hopper,fp16,fp16", matrices=True, half_sums=2.0, attention_sums=3.0,
)  # fmt: skip
PRODUCT = Product(rows=300.0, inner=50.0, columns=500.0, parts=1, sets=1.0)


def op(kind="gemm", **how):
    sizes = {"flops": 9600.0, "weights": 210.0, "state": 17.0, "inputs": 19.0, "outputs": 23.0}
    return Operator("x", kind, 1, *sizes.values(), 29.0, COLUMNS)._replace(**how)


def measured(**how):
    each = {"small": 0.03, "reading": 35e6 / 3, "supply": SUPPLY} | {
        key: how.pop(key) for key in ("small", "reading", "supply") if key in how
    }
    operators = Operators(**how)
    return Measured(constants=C, how=operators, launch=1000.0, dispatch=0.0, **each)


UNITS = 480e9 / (2 * 16 * 3 * CLOCK)  # processors, of the peak of matrices
ON = Roof(480e9, 35e6, UNITS)


def launched(kernel, *, attention=1.0, rate=1.0, bandwidth=1.0, beside=0.0):
    compute, memory, other = kernel
    return told((compute / rate / attention, memory / bandwidth / attention, other + beside + 1e3))


def test_a_measured_product_reads_its_weights_from_where_they_are():
    # three times slower than the rest of memory
    moved = 3 * 210 + 19 + 23
    kernel = silicon.product(C, ON, 300.0, 50.0, 500.0, moved)
    asked = op(product=PRODUCT)
    assert measured().times(asked, READ) == launched(kernel)
    assert measured(rate=0.5, bandwidth=0.25).times(asked, READ) == launched(
        kernel, rate=0.5, bandwidth=0.25
    )
    slow = silicon.product(C, ON._replace(peak=240e9), 300.0, 50.0, 500.0, moved)
    wide = op(product=PRODUCT, wide=True)
    assert measured().times(wide, READ) == launched(slow)
    compute, *_ = measured().times(wide._replace(wide=np.array([True, False])), READ)
    assert compute == pytest.approx([slow[0], kernel[0]])
    drawn = measured(supply=SUPPLY._replace(power=9e9))
    assert drawn.times(asked, READ) == launched(
        silicon.product(C, ON._replace(power=9e9), 300.0, 50.0, 500.0, moved)
    )


def test_rows_of_a_device_without_matrix_units_are_single():
    asked, alone = op(product=PRODUCT._replace(rows=2.0)), SUPPLY._replace(matrices=False)
    by_hand = silicon.product(C, ON._replace(least=1.0), 2.0, 50.0, 500.0, 3 * 210 + 19 + 23)
    assert measured(supply=alone).times(asked, READ) == launched(by_hand)


def test_inputs_of_narrow_products_are_made_narrow_first():
    narrow = READ._replace(widths=WIDTHS._replace(activations=1.0))
    kernel = silicon.product(C, ON, 300.0, 50.0, 500.0, 3 * 210 + 19 + 23)
    made = 0.25 * silicon.quantised(C, ON, 300.0 * 50)
    asked, how = op(product=PRODUCT), measured(quantised=0.25)
    assert how.times(asked, narrow) == launched(kernel, beside=made)
    assert how.times(asked, READ) == launched(kernel)
    half = READ._replace(widths=WIDTHS._replace(activations=2.0))
    assert how.times(asked, half) == launched(kernel)
    columns = READ._replace(widths=WIDTHS._replace(activations=np.array([1.0, 2.0])))
    *_, beside = how.times(asked, columns)
    assert beside == pytest.approx(np.array([made, 0]) + kernel[2] + 1000)


def test_what_is_no_product_runs_at_the_rate_of_products():
    found = measured().times(op("convolution"), READ)
    assert found == told((9600 / (480e9 * 0.75), (3 * 210 + 19 + 23) / 7e6, 1e3))


def test_small_kernels_move_their_bytes_so_often():
    for kind in (ELEMENTWISE, ADD):
        how = measured(passes=1.5)
        assert how.times(op(kind), READ) == told((0.0, 1.5 * (19 + 23) / 7e6, 0.03))
        assert how.times(op(kind), ANSWER) == (0.0, 0.0, 0.03)
        assert measured(small=0.0).times(op(kind), ANSWER) is None
        assert measured(small=0.0).times(op(kind), READ) == told((0.0, 42 / 7e6, 0.0))


def test_attention_counts_its_heads_by_what_it_writes():
    # 128 values of 5 bytes a head: 1,280 of 819,200 bytes for all new tokens
    asked = op(ATTENTION, outputs=819_200.0, state=537_600.0)
    moved, roof = 537_600 + 19 + 819_200, ON._replace(peak=240e9)
    # 200 new tokens of each are two pieces of 128
    kernel = silicon.prefill(C, roof, 9600.0, 500.0, 1280 * 2 / 200, moved)
    assert measured().times(asked, READ) == launched(kernel)
    assert measured(attention=0.5).times(asked, READ) == launched(kernel, attention=0.5)
    # of keys and values, 2 x 128 of 7 bytes for each of 500 tokens: 0.6 heads
    kernel = silicon.decode(C, roof, 9600.0, 1280.0, 0.6, moved)
    assert measured().times(asked, ANSWER) == launched(kernel)
    # each score is a product of 128 values, twice: 18.75 of them, of 11 bytes
    passed = measured(scores="11 B").times(asked, ANSWER)
    assert passed == launched(kernel, beside=9600 / 512 * 11 / 7e6)


@pytest.mark.parametrize(("split", "ffn"), [(EXPERTS[0], 250.0), (EXPERTS[2], 50.0)])
def test_experts_are_read_in_sets(split, ffn):
    # of two matrices side by side each has half of the columns; the way down sums over them
    p = PRODUCT._replace(parts=2, sets=4.0)
    asked = op(product=p, split=split, weights=2 * 50 * 500 * 3.0)
    r = Routed(300.0, 3.0, 50.0, 500.0, ffn, 3 * 150_000.0, 42.0)
    assert measured().times(asked, READ) == launched(silicon.experts(C, ON, r))


def test_a_launch_is_all_that_plain_kernels_take_beside_the_roofs():
    plain = Kernels(Rates(480.0, 240.0, 70.0, 35.0), launch=0.25, dispatch=0.0)
    asked = op(product=PRODUCT)
    assert plain.times(asked, READ) == told((20, 210 / 70 + (17 + 19 + 23) / 35, 0.25))
    assert plain.times(op(ADD), ANSWER) is None
    assert plain.short(0.5).times(asked, READ)[0] == pytest.approx(40)
    assert plain.short(0.5).times(op(wide=True), READ)[0] == pytest.approx(40)  # at its own rate
    assert measured().short(0.5) == measured()


# ---- stacks that were measured in whole steps ----------------------------------------------------

ROOFS = Roofs(
    matmul={"Hopper": 0.5}, attention=0.25, depth=150.0, bandwidth=0.2, passes=1.5, cache=1.25,
    flash=0.1,
)  # fmt: skip


def reaching(roofs=ROOFS, **supply):
    stack = Stack(name="x", launch="3 s", dispatch="4 s", roofs=roofs)
    return sustained(SUPPLY._replace(**supply), stack, 0.75, 21e6)


def test_a_stack_reaches_its_parts_of_the_roofs():
    s = reaching()
    assert s == Sustained(SUPPLY, ROOFS, 3.0, 240e9, 120e9, 21e6 * 0.2, 4.0)
    assert s.data == pytest.approx(7e6)
    untold = reaching(generation="Nobody")
    assert (untold.rate, untold.attention) == (360e9, 180e9)
    # products of 50 values run at 50 / (50 + 150) of the rate
    asked, moved = op(product=PRODUCT), 1.25 * 17 + 19 + 23
    memory = 210 / 4.2e6 + moved / 7e6
    assert s.times(asked, READ) == told((4 * 9600 / 240e9, memory, 3))
    decoded = 210 / 4.2e6 + 1.25 * 17 / 7e6
    assert s.times(asked, ANSWER) == told((4 * 9600 / 240e9, decoded, 3))
    assert s.short(0.5).times(asked, READ)[0] == pytest.approx(8 * 9600 / 240e9)
    # attention has its own part, however little it sums over
    assert s.times(op(ATTENTION), READ) == told((4 * 9600 / 120e9, memory, 3))
    assert s.times(op(product=PRODUCT, wide=True), READ)[0] == pytest.approx(4 * 9600 / 120e9)
    compute, *_ = s.times(op(product=PRODUCT, wide=np.array([True, False])), READ)
    assert compute == pytest.approx([4 * 9600 / 120e9, 4 * 9600 / 240e9])
    # adapters run beside, and experts are a kernel each
    assert s.times(op(product=PRODUCT, name="adapter"), READ)[2] == 0
    sets = PRODUCT._replace(sets=4.0)
    assert s.times(op(product=sets, split=EXPERTS[0]), READ)[2] == 12
    assert s.times(op(product=sets), READ)[2] == 3
    assert s.times(op(split=Split(experts=True)), READ)[2] == 3
    for kind in (ELEMENTWISE, ADD):
        assert s.times(op(kind, flops=0.0, split=BETWEEN), READ) == told((0, 1.5 * moved / 7e6, 3))
        assert s.times(op(kind), ANSWER) is None
    # nothing to multiply, as in a table: nothing to fill
    assert s.times(op(flops=0.0, outputs=0.0), READ)[0] == 0
    assert s.times(op(flops=np.zeros(2), outputs=0.0), READ)[0] == pytest.approx([0, 0])


def test_a_convolution_sums_over_what_its_work_says():
    # 9,600 operations on outputs of 24 / 5 values: 1,000 products each
    assert inner(op(outputs=24.0), READ) == pytest.approx(1000)
    assert inner(op(outputs=24.0, product=PRODUCT), READ) == 50
    found = reaching().times(op("convolution", outputs=24.0), READ)
    assert found[0] == pytest.approx(9600 / 240e9 * 1150 / 1000)


def test_a_core_does_one_thing_at_a_time():
    core = ROOFS.replace(reload=8.0, outputs=2.0)
    # weights stay in flash, which gives a tenth of 13 bytes a second
    s = reaching(core)
    assert s.reading == pytest.approx(1.3)
    compute, memory, beside = s.times(op(product=PRODUCT), READ)
    # what it loads again fills no pipeline: four times as slowly for sums of 50
    assert compute == pytest.approx(9600 / 240e9 + 4 * 4800 * 8 / 7e6)
    assert memory == 0
    assert beside == pytest.approx(210 / 1.3 + 23 * 2 / 7e6 + 3)
    assert reaching(core, flash_bandwidth=0.0).reading == pytest.approx(4.2e6)
    plain = sustained(SUPPLY, Stack(name="x", launch="3 s"), 0.75, 21e6)
    assert (plain.rate, plain.reading) == (360e9, 21e6)


def test_stacks_that_ship_have_roofs_or_operators_or_neither():
    assert all(not (stack.roofs and stack.operators) for _, stack in Stacks.entries())
