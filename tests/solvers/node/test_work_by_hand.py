"""What a step of training asks of one device among four, by hand: no two numbers are alike."""

from __future__ import annotations

import numpy as np
import pytest

from mlsysim import Engine, Models
from mlsysim.core.errors import BadArgument
from mlsysim.models.operators import (
    ADAPTER,
    ADD,
    COLUMNS,
    EXPERTS,
    HEAD,
    ROWS,
    Operator,
    Product,
    Rates,
    Step,
)
from mlsysim.models.widths import Widths
from mlsysim.solvers.node.beside import SHORT, adapters, crowded, in_order
from mlsysim.solvers.node.learning import (
    FULL,
    NONE,
    SELECTIVE,
    Held,
    Load,
    Recipe,
    Work,
    activations,
    recipe,
    unknown_work,
    work,
)

WIDTHS = Widths(weights=2.0, tables=3.0, activations=5.0, cache=7.0)
MIXTRAL = Models.Language.Mixtral_8x7B
STEP = MIXTRAL.step(2.0, 100.0, None, WIDTHS, training=True)

# forward, of each of 32 layers: 200 tokens, of which two experts each get a part
T, H, F, VOCAB = 200, 4096, 14336, 32000
PRODUCTS = H * 6144 + H * H + H * 8
EXPERT = 3 * H * F
ATTEND = 2 * 2 * H * 2 * 100 * 101 / 2  # two sequences of 100 tokens that look back
# values in and out: what enters queries, keys and values, attention, its sums, and the router
IN, OUT = (H + 6144 + H + H) * T, (6144 + H + H + 8) * T
# and the experts, of 400 tokens in all: up, and down again
UP_IN, UP_OUT, DOWN_IN, DOWN_OUT = 400 * H, 400 * 2 * F, 400 * F, 400 * H


def quarter(op, ways):
    """Of everything so many have an even part."""
    names = ("flops", "weights", "inputs", "outputs", "held")
    return op._replace(**{name: getattr(op, name) / ways for name in names})


def close(found):
    return pytest.approx(found, rel=1e-9)


def among_four(**how):
    given = {"moments": 6.0, "imbalance": 1.5, **how}
    return work(MIXTRAL, STEP, Recipe(**given), ways=4.0, part=quarter, sequence=True)


def test_a_quarter_of_a_mixture():
    """The fullest device gets one and a half times the mean of the tokens of its experts."""
    w = among_four()
    scale = MIXTRAL.published
    flops = 32 * (2 * T * PRODUCTS + ATTEND + 1.5 * 2 * 400 * EXPERT) / 4
    held = (32 * 2 * (PRODUCTS + 8 * EXPERT) + 64 * 3 * H) / 4
    moved = 32 * 5 * (IN + OUT + 1.5 * (UP_IN + UP_OUT + DOWN_IN + DOWN_OUT)) / 4
    assert w.load[:4] == close((3 * flops, 3 * 32 * ATTEND / 4, 3 * held * scale, 3 * moved))
    head = 3 * 2 * T * H * VOCAB / 4
    outside = (2 * 3 * H * VOCAB + 3 * H) / 4  # two tables, and the last norm
    # each token's row of the embedding is written, and the head takes one in and gives its logits
    ends = 5 * T * (H + H + VOCAB) / 4
    assert w.ends[:4] == close((head, head, 3 * outside * scale, 3 * ends))
    even = 32 * (2 * T * PRODUCTS + ATTEND + 2 * 400 * EXPERT) / 4
    evenly = 32 * 5 * (IN + OUT + UP_IN + UP_OUT + DOWN_IN + DOWN_OUT) / 4
    whole = (3 * even + head, 3 * 32 * ATTEND / 4 + head, 3 * (held + outside) * scale)
    assert w.even[:4] == close((*whole, 3 * (evenly + ends)))
    assert w.whole == w.load.plus(w.ends)


def test_what_a_quarter_of_a_mixture_holds():
    w, scale = among_four(), MIXTRAL.published
    values = 32 * (PRODUCTS + 8 * EXPERT) + 64 * H + 2 * H * VOCAB + H
    each = MIXTRAL.parameters / values / 4  # the published count may be rounded
    for held, count, bytes_ in (
        (w.dense, 32 * PRODUCTS + 64 * H, 32 * 2 * PRODUCTS + 64 * 3 * H),
        (w.experts, 32 * 8 * EXPERT, 32 * 2 * 8 * EXPERT),
        (w.table, H * VOCAB, 3 * H * VOCAB),
        (w.outside, 2 * H * VOCAB + H, 3 * (2 * H * VOCAB + H)),
    ):
        assert held == close(Held(bytes_ / 4 * scale, 0.0, each * count, each * count))
    assert w.held.learned == pytest.approx(MIXTRAL.parameters / 4)


@pytest.mark.parametrize("sequence", [True, False])
def test_what_a_quarter_of_a_mixture_keeps_and_sends(sequence):
    """Sequence parallelism divides all that is kept; without it here the fullest has its own."""
    recipe = Recipe(imbalance=1.5)
    w = work(MIXTRAL, STEP, recipe, ways=4.0, part=quarter, sequence=sequence)
    times = 1.0 if sequence else 1.5
    kept = IN + times * (UP_IN + 400 * 2 * F + DOWN_IN) + 2 * H * T
    assert w.layer == pytest.approx(5 * kept / 4)
    assert w.scores == pytest.approx(5 * 2 * 32 * 100**2 / 4)
    assert w.entry == 5 * T * H
    assert w.keys == pytest.approx(7 * 200 * 2 * 1024 / 4)
    # logits at four bytes, and what enters the last norm and the head
    assert w.tail == pytest.approx((4 * T * VOCAB + 5 * 2 * T * H) / 4)
    # a device that holds a quarter of the values sends a quarter of its tokens
    assert w.dispatched == pytest.approx(1.5 * 5 * UP_IN / 4 / 4)
    assert (w.layers, w.talks, w.batch) == (32, 4, 2)


def test_what_is_computed_again():
    """All of it, or attention alone, whose FLOP are few and whose scores are large."""
    plain, some, everything = (among_four(again=again) for again in (NONE, SELECTIVE, FULL))
    forward, attend = plain.load.operations / 3, 32 * ATTEND / 4
    assert some.load.operations == pytest.approx(3 * forward + attend)
    assert some.load.attention == pytest.approx(4 * attend)
    assert some.load[2:4] == close(plain.load[2:4])
    assert everything.load.operations == pytest.approx(4 * forward)
    assert everything.load[2:4] == close(tuple(4 / 3 * each for each in plain.load[2:4]))
    assert everything.load.attention == pytest.approx(4 * attend)
    assert everything.ends[0] == pytest.approx(4 / 3 * plain.ends[0])
    assert everything.even == some.even == plain.even
    columns = among_four(again=np.arange(3)).load
    for i, one in enumerate((plain, some, everything)):
        each = tuple(np.broadcast_to(part, 3)[i] for part in columns[:4])
        assert each == close(one.load[:4])


def test_seconds_of_a_quarter_of_a_mixture():
    """Where memory costs nothing only arithmetic is left, slower where sums are short."""
    rates = Rates(arithmetic=1e12, attention=3e11, weights=1e30, data=1e30)
    w = work(MIXTRAL, STEP, Recipe(imbalance=1.5), rates, ways=4.0, part=quarter)
    short = float(SHORT)
    up = 2 * 400 * H * 2 * F / (H / (H + short))
    down = 2 * 400 * F * H / (F / (F + short))
    layers = 32 * (2 * T * PRODUCTS + 1.5 * (up + down)) / 4 / 1e12 + 32 * ATTEND / 4 / 3e11
    assert w.load.compute == pytest.approx(3 * layers)
    assert w.ends.compute == pytest.approx(3 * 2 * T * H * VOCAB / 4 / 3e11)
    free = Rates(arithmetic=1e30, attention=1e30, weights=1e9, data=7e8)
    w = work(MIXTRAL, STEP, Recipe(imbalance=1.5), free, ways=4.0, part=quarter)
    weights = (32 * 2 * (PRODUCTS + 8 * EXPERT)) / 4 / 1e9
    # activations, elementwise kernels, norms, and twice what is sorted: read and written
    values = IN + OUT + 1.5 * (UP_IN + UP_OUT + UP_OUT + DOWN_IN + DOWN_IN + DOWN_OUT)
    values = values + 2 * 2 * T * H + 2 * 2 * 1.5 * UP_IN / 4
    assert w.load.memory == pytest.approx(3 * (weights + 32 * 5 * values / 4 / 7e8))
    assert w.load.overhead == 0


def op(**how):
    sizes = {"flops": 9600.0, "weights": 210.0, "state": 17.0, "inputs": 60.0, "outputs": 23.0}
    return Operator("x", "gemm", 7, *sizes.values(), 29.0, COLUMNS)._replace(**how)


def test_tokens_are_put_in_the_order_of_their_experts_and_back():
    product = Product(rows=11.0, inner=13.0, columns=17.0, parts=2, sets=3)
    ops = [
        op(split=EXPERTS[0], product=product),
        op(split=EXPERTS[0]),
        op(split=EXPERTS[1], product=product),
        op(product=product),
    ]
    sizes = (ADD, 7, 0.0, 0.0, 0.0, 20.0, 20.0, 0.0)
    assert in_order(ops, 3.0) == [Operator("sort", *sizes), Operator("sort back", *sizes)]
    assert crowded(op(), 1.5) == op(flops=14400.0, inputs=90.0, outputs=34.5)


def test_adapters_stand_beside_the_products_of_layers():
    """Two matrices side by side in three sets: down to five values each, and up to 17."""
    product = Product(rows=11.0, inner=13.0, columns=17.0, parts=2, sets=3)
    step = Step(3.0, 1.0, 0.0, "forward", WIDTHS, training=True)
    found = adapters(
        [op(product=product, split=ROWS), op(), op(split=HEAD, product=product)], 5, step
    )
    matrices = 2 * 13 * 5 + 5 * 17
    assert found == [
        Operator(
            ADAPTER, "gemm", 7,
            flops=2 * 11 * matrices, weights=5 * 3 * matrices, state=0.0, inputs=5 * 11 * 2 * 5,
            outputs=5 * 11 * (13 + 2 * 5 + 17), held=5 * 3 * matrices, split=ROWS, wide=True,
        )
    ]  # fmt: skip
    assert adapters([op(product=product)], None, step) == []


@pytest.mark.parametrize(
    ("again", "flying", "flash", "kept"),
    [
        # of three layers each keeps 7, with its scores 11 more, and five microbatches fly
        (NONE, 5.0, False, 5 * 3 * 18),
        (NONE, 5.0, True, 5 * 3 * 7),
        (SELECTIVE, 5.0, False, 5 * 3 * 7),
        # only what enters, and the layer that is being computed again
        (FULL, 5.0, False, 7 + 5 * 3 * 2),
        # a last stage has one microbatch, and the logits
        (NONE, 1.0, False, 3 * 18 + 13),
        (FULL, 1.0, True, 7 + 3 * 2 + 13),
    ],
)
def test_activations_of_the_fuller_stage(again, flying, flash, kept):
    none = Load(0.0, 0.0, 0.0, 0.0)
    w = Work(none, none, Held(), layer=7.0, scores=11.0, tail=13.0)
    how = {"layers": 3.0, "entry": 2.0, "flying": flying, "flash": flash}
    assert activations(w, again, **how) == kept


def test_a_model_of_which_only_the_size_is_known():
    w = unknown_work(1000.0, 30.0, WIDTHS)
    load = Load(6 * 1000 * 30, 0.0, 3 * 2000.0, 0.0)
    assert w == Work(load, load, Held(2000.0, 0.0, 1000.0, 1000.0))
    assert w.held == w.dense
    assert (w.whole, w.layers, w.talks, w.batch) == (load, 1, 4, 1)
    kept = (w.layer, w.scores, w.entry, w.keys, w.tail, w.dispatched)
    assert kept == (0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("optimizer", "moments"),
    [("adam", 8), ("adamw", 8), ("adamw_8bit", 2), ("lion", 4), ("sgd_momentum", 4), ("sgd", 0)],
)
def test_what_each_optimizer_keeps(optimizer, moments):
    """Two bytes of weights and of gradients, a master copy of four, and moments."""
    model = Models.Language.GPT2
    held = Engine.solve(model, "H100", training=True, optimizer=optimizer).weights.m_as("B")
    assert held == pytest.approx((2 + 2 + 4 + moments) * model.parameters)
    full = Engine.solve(model, "H100", training=True, optimizer=optimizer, precision="fp32")
    assert full.weights.m_as("B") == pytest.approx((4 + 4 + moments) * model.parameters)


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        ("Llama3_8B", {"base_precision": "int4"},
         "base_precision cannot be 'int4': weights that learn keep the precision of training; give "
         "lora_rank as well."),
        ("ResNet50", {"rank": 8.0},
         "lora_rank cannot be 8.0: ResNet-50 has no layers beside whose matrices adapters learn; "
         "leave it out."),
        ("ResNet50", {"recompute": "full"},
         "recompute cannot be 'full': ResNet-50 has no equal layers; leave it out."),
        (None, {"recompute": "selective"},
         "recompute cannot be 'selective': a model of which only the size is known has no equal "
         "layers; leave it out."),
        ("Llama3_8B", {"imbalance": 1.5},
         "imbalance cannot be 1.5: Llama 3 8B has no experts; leave it out."),
        ("ResNet50", {"imbalance": 1.5},
         "imbalance cannot be 1.5: ResNet-50 has no experts; leave it out."),
    ],
)  # fmt: skip
def test_a_recipe_that_cannot_be_is_refused_in_a_sentence(model, asked, said):
    plain = {"optimizer": "lion", "recompute": "none", "rank": None, "base_precision": None}
    found = model and Models[model]
    assert recipe(found, **plain) == Recipe(4.0, NONE, None, 1.0)
    with pytest.raises(BadArgument) as refused:
        recipe(found, **plain | asked)
    assert str(refused.value) == said


def test_a_recipe_is_what_was_asked():
    asked = recipe(MIXTRAL, "sgd", "selective", 8.0, "int4", 1.5)
    assert asked == Recipe(moments=0.0, again=SELECTIVE, rank=8.0, imbalance=1.5)
    assert Recipe() == Recipe(moments=8.0, again=NONE, rank=None, imbalance=1.0)


def test_short_sums_are_as_slow_as_was_published():
    """DeepGEMM on an H800, 4,096 rows: TFLOP/s for sums of so many values, within 3 %."""
    for values, rate in ((512, 590), (2048, 1025), (16384, 1358)):
        assert 1416 * values / (values + float(SHORT)) == pytest.approx(rate, rel=0.03)


def test_tables_that_four_devices_keep():
    """Each looks up its quarter of the tables for all of 24 samples, and hands on what it found."""
    dlrm = Models.Recommendation.DLRM
    step = dlrm.step(6.0, None, None, WIDTHS, training=True)
    w = work(dlrm, step, Recipe(), spread=4.0)
    tables = [op for op in dlrm.operators(step) if op.kind == "gather"]
    rows = [op.held / 3 / 128 for op in tables]  # of 128 values, at three bytes
    touched = sum(r * (1 - (1 - 1 / r) ** 24) for r in rows) / 4 * 128
    network = 2_368_897
    assert w.experts == close(Held(sum(rows) / 4 * 128 * 3, 0.0, sum(rows) / 4 * 128, touched))
    assert w.dense == close(Held(2.0 * network, 0.0, network, network))
    assert w.load.weights == pytest.approx(3 * (3 * touched + 2 * network), rel=1e-6)
    assert w.dispatched == 26 * 6 * 128 * 5
    assert (w.talks, w.batch, w.ends) == (2, 6, None)
    alone = work(dlrm, step, Recipe())
    assert alone.dispatched == 0
    assert alone.experts.learned == pytest.approx(sum(rows) * 128)
    free = Rates(arithmetic=1e30, attention=1e30, weights=3.0, data=1e30)
    timed = work(dlrm, step, Recipe(), free, spread=4.0)
    assert timed.load.memory == pytest.approx(w.load.weights / 3)


def test_what_two_parts_know_together():
    one, other = Load(1.0, 2.0, 3.0, 5.0, 7.0, 11.0, 13.0), Load(17.0, 19.0, 23.0, 29.0)
    assert one.plus(other) == Load(18.0, 21.0, 26.0, 34.0)
    assert one.plus(one) == one.times(2) == Load(2.0, 4.0, 6.0, 10.0, 14.0, 22.0, 26.0)
    assert other.times(3) == Load(51.0, 57.0, 69.0, 87.0)
    held = Held(1.0, 2.0, 3.0, 5.0)
    assert held.plus(held.times(2)) == Held(3.0, 6.0, 9.0, 15.0)


def test_adapters_keep_a_master_copy_of_what_is_narrow():
    """Moments of 6 bytes, and 4 more where what learns has fewer than 4."""
    narrow = WIDTHS._replace(activations=2.0)
    assert Recipe(6.0, rank=8.0).state(10.0, narrow) == 100
    assert Recipe(6.0, rank=8.0).state(10.0, WIDTHS) == 60
    assert Recipe(6.0).state(10.0, WIDTHS) == 100
    assert Recipe(6.0).state(10.0, WIDTHS._replace(weights=4.0)) == 60
