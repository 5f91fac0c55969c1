"""The model contract: every shipped architecture adds up to what its authors published."""

from __future__ import annotations

import numpy as np
import pytest

from mlsysim import Models
from mlsysim.models.convnet import ConvNetWorkload
from mlsysim.models.operators import FORWARD, Step
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.widths import Widths
from mlsysim.solvers.node import cost

equal = Widths.equal

ENTRIES = dict(Models.entries())
KINDS = {"gemm", "attention", "elementwise", "add", "convolution", "gather"}
each = pytest.mark.parametrize("name", ENTRIES)
CONVNETS = [name for name, model in ENTRIES.items() if isinstance(model, ConvNetWorkload)]
DECODERS = [
    name
    for name, model in ENTRIES.items()
    if isinstance(model, TransformerWorkload) and model.causal
]


@each
def test_counted_parameters_are_the_published_ones(name):
    model = ENTRIES[name]
    assert model.counted_parameters() == pytest.approx(model.parameters, rel=0.005)


@pytest.mark.parametrize("name", sorted({*CONVNETS, *Models.Vision}))
def test_counted_multiply_accumulates_are_the_published_ones(name):
    model = ENTRIES[name]
    assert model.macs is not None
    assert model.counted_macs() == pytest.approx(model.macs, rel=0.01)


@pytest.mark.parametrize("name", [name for name in DECODERS if ENTRIES[name].active_parameters])
def test_one_token_touches_the_published_active_parameters(name):
    # published counts differ in whether the embedding table is counted beside the head: 3 %
    model = ENTRIES[name]
    touched = model.totals(Step(1.0, 1.0, 0.0, "decode", equal(1.0))).weights
    table = 0 if model.tied_embeddings else model.vocab * model.hidden
    assert 0.97 * touched < model.active_parameters < 1.03 * touched + table


@each
def test_plain_data_builds_the_same_model_again(name):
    model = ENTRIES[name]
    assert Models.from_spec(model.to_dict()) == model


@each
def test_every_phase_is_a_list_of_operators_with_work_and_bytes(name):
    model = ENTRIES[name]
    for phase in model.phases:
        step = model.step(2.0, None, phase, equal(2.0))
        operators = model.operators(step)
        assert {op.kind for op in operators} <= KINDS
        for op in operators:
            assert op.repeat > 0
            assert min(op.flops, op.weights, op.state, op.inputs, op.outputs) >= 0


@each
def test_the_totals_are_the_sum_of_the_operators(name):
    model = ENTRIES[name]
    for phase in model.phases:
        step = model.step(3.0, None, phase, equal(2.0))
        operators, total = model.operators(step), model.totals(step)
        assert total.flops == pytest.approx(sum(op.repeat * op.flops for op in operators))
        assert total.weights == pytest.approx(sum(op.repeat * op.weights for op in operators))
        assert total.state == pytest.approx(sum(op.repeat * op.state for op in operators))


def test_the_totals_of_one_decode_step_by_hand():
    # Llama 3 8B, three sequences at 1,000 tokens, two bytes a value. A layer multiplies by q and
    # out (4096 x 4096 each), k and v (4096 x 1024 each) and three matrices of 4096 x 14336; a
    # token of context costs 2 x 4096 products in it and 2 x 1024 values of cache
    layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    matrices = 32 * layer + 4096 * 128256
    total = Models.Language.Llama3_8B.totals(Step(3.0, 1.0, 1000.0 - 1.0, "decode", equal(2.0)))
    products = 3 * (matrices + 32 * 1000 * 2 * 4096)
    assert total.flops == pytest.approx(2 * products, rel=1e-3)  # norms and activations beside
    assert total.weights == pytest.approx(2 * matrices, rel=1e-3)
    assert total.state == pytest.approx(3 * 1000 * 32 * 2 * 1024 * 2)


@each
def test_a_training_step_is_three_forward_passes(name):
    model = ENTRIES[name]
    training = model.step(4.0, None, None, equal(2.0), training=True)
    assert cost.demand(model, training).operations == pytest.approx(
        3 * model.totals(training).flops
    )


@each
def test_an_array_of_batches_is_as_many_single_ones(name):
    model, batches = ENTRIES[name], np.array([1.0, 2.0, 64.0])
    for phase in model.phases:
        many = cost.demand(model, model.step(batches, None, phase, equal(2.0)))
        for i, batch in enumerate(batches):
            one = cost.demand(model, model.step(float(batch), None, phase, equal(2.0)))
            for field in one._fields:
                np.testing.assert_allclose(
                    np.broadcast_to(getattr(many, field), 3)[i],
                    getattr(one, field),
                    rtol=1e-9,
                    err_msg=field,
                )


@each
def test_half_the_bytes_a_value_is_half_the_bytes_and_the_same_work(name):
    model = ENTRIES[name]
    for phase in model.phases:
        wide, narrow = (
            cost.demand(model, model.step(2.0, None, phase, equal(width))) for width in (2.0, 1.0)
        )
        assert narrow[:2] == wide[:2]  # FLOP, and those of attention
        for field in wide._fields[2:]:
            assert getattr(narrow, field) == pytest.approx(getattr(wide, field) / 2)


@pytest.mark.parametrize("name", CONVNETS)
def test_a_convnet_runs_forward_and_twice_the_images_are_twice_the_work(name):
    model = ENTRIES[name]
    assert model.phases == (FORWARD,)
    one, two = (model.totals(Step(batch, 1.0, 0.0, FORWARD, equal(2.0))) for batch in (1.0, 2.0))
    assert one.flops == pytest.approx(2 * model.counted_macs())  # a MAC is two operations
    assert two.flops == pytest.approx(2 * one.flops)
    assert two.weights == one.weights
