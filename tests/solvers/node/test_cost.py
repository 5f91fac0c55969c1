"""The front of the fold: its layers, its operators one after the other, and that it is the one."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import mlsysim
from mlsysim import Hardware, Models
from mlsysim.models.operators import DECODE, Rates
from mlsysim.models.widths import Widths
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.kernels import Kernels, Sums, constants, reduced
from mlsysim.stacks.silicon import Operators, shipped
from mlsysim.stacks.types import Stack

equal = Widths.equal

PACKAGE = Path(mlsysim.__file__).parent
ENTRIES = dict(Models.entries())
SUMS = ("flops", "weights", "state", "traffic", "inputs", "held")


@pytest.mark.parametrize("name", ENTRIES)
def test_layers_and_single_operators_add_up_to_the_step(name):
    model = ENTRIES[name]
    for phase in (*model.phases, None):
        step = model.step(3.0, None, phase, equal(2.0), training=phase is None)
        whole = model.totals(step)
        layers, singly = cost.layers(model, step), cost.one_by_one(model, step)
        for field in SUMS:
            expected = pytest.approx(getattr(whole, field))
            assert sum(getattr(layer, field) for layer in layers) == expected
            assert sum(getattr(one, field) for _, one in singly) == expected
        assert max(one.widest for _, one in singly) == pytest.approx(whole.widest)


def test_a_layer_is_what_is_repeated_equally_often(llama):
    step = llama.step(1.0, 1.0, DECODE, equal(2.0))
    layers = cost.layers(llama, step)
    # 32 equal layers; 64 norms between them; and alone: the embedding, the last norm, the head
    matrices = 4096 * 6144 + 4096 * 4096 + 3 * 4096 * 14336
    assert sorted(layer.weights for layer in layers) == [
        0,
        0,
        2 * 4096,
        2 * 4096 * 128256,
        2 * 32 * matrices,
    ]


def test_operators_come_one_after_the_other_with_their_work_and_bytes(llama):
    step = llama.step(1.0, 100.0, DECODE, equal(2.0))
    found = {
        op.name: (total.flops, total.weights + total.state)
        for op, total in cost.one_by_one(llama, step)
    }
    assert found["qkv"] == (2 * 32 * 4096 * 6144, 2 * 32 * 4096 * 6144)
    # 100 tokens of 8 key heads, two vectors of 128 values each, in 32 layers; 32 heads read them
    assert found["attention"] == (2 * 32 * 100 * 32 * 256, 2 * 32 * 100 * 8 * 256)
    assert found["head"] == (2 * 4096 * 128256, 2 * 4096 * 128256)


def asks_for_operators(tree: ast.AST) -> bool:
    """Whether something calls `.operators(...)`."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "operators"
        for node in ast.walk(tree)
    )


def multiplies_by_repeat(tree: ast.AST) -> bool:
    """Whether something multiplies by how often an operator is repeated."""
    return any(
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mult)
        and {"repeat", "op.repeat"} & {ast.unparse(node.left), ast.unparse(node.right)}
        for node in ast.walk(tree)
    )


def modules_that(do):
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if do(ast.parse(path.read_text("utf-8")))
    }


def test_operators_are_summed_in_one_module():
    assert modules_that(multiplies_by_repeat) == {"models/operators.py"}
    # models list operators; these hand the list to that sum: whole, in groups, or a device's part
    outside = {name for name in modules_that(asks_for_operators) if not name.startswith("models/")}
    assert outside == {"solvers/node/cost.py", "solvers/fleet/group.py", "solvers/node/learning.py"}


# ---- what a stack changes ------------------------------------------------------------------------

WIDTHS = Widths(weights=2.0, tables=3.0, activations=5.0, cache=7.0)


def stack(**how):
    return Stack(name="x", **how)


def supply(**how):
    return Hardware.H100.supply("fp16")._replace(overhead=0.25, **how)


def test_a_device_draws_its_rating_or_what_was_measured():
    board = {"share": 0.5, "operation": "3 pJ"}
    for level in (None, "ideal", stack()):
        assert cost.drawn(supply(power=600.0), level) == 600
        assert cost.drawn(supply(power=None), level) is None
    assert cost.drawn(supply(power=600.0), stack(board=board)) == 300
    assert cost.drawn(supply(power=None, peak=1e12), stack(board=board)) == pytest.approx(3)
    assert cost.drawn(supply(power=None), stack(board={"share": 0.5})) is None


def test_a_step_waits_for_its_host():
    for level in (None, "ideal", stack(), stack(operators={"small": "1 s"})):
        assert cost.host(supply(), level, 7.0) == 0.25
    assert cost.host(supply(), stack(host="2 s"), 7.0) == 2
    assert cost.host(supply(), stack(operators={"sequence": "3 s"}), 7.0) == 21.25
    assert cost.host(supply(), stack(host="2 s", operators={"sequence": "3 s"}), 7.0) == 23


def test_a_stack_keeps_gradients_and_scores_wider_where_it_says_both():
    held = {"gradients": "10 B", "scores": "20 B"}
    assert cost.wider(stack(held=held), WIDTHS) == (2, 4)
    for less in (stack(), "ideal", None, *(stack(held={key: held[key]}) for key in held)):
        assert cost.wider(less, WIDTHS) == (1, 1)
    model = Models.Language.GPT2
    step = model.step(1.0, 64.0, None, WIDTHS, training=True)
    plain, wide = (cost.demand(model, step, level=level) for level in (None, stack(held=held)))
    assert wide.held_weights - plain.held_weights == pytest.approx(5 * model.parameters)
    assert wide._replace(held_weights=0) == plain._replace(held_weights=0)


def test_rates_are_parts_of_the_roofs():
    device = supply(peak=600.0, attention_peak=500.0, bandwidth=400.0)
    assert cost.rates(device, 0.5) == Rates(300.0, 250.0, 400.0, 400.0)
    assert cost.rates(device, 0.5, 70.0) == Rates(300.0, 250.0, 70.0, 400.0)
    plain = cost.rates(device, 0.5, 70.0, stack(launch="2 s", dispatch="3 s"))
    assert plain == Kernels(Rates(300.0, 250.0, 70.0, 400.0), 2.0, 3.0)
    roofs = cost.rates(device, 0.5, 70.0, stack(roofs={"bandwidth": 0.5}))
    assert (roofs.reading, roofs.data, roofs.rate) == (35, 200, 300)
    device = device._replace(half_sums=3.0, attention_sums=7.0)
    for sums, peaks in ((True, (1800, 3500)), (False, (600, 500))):
        how = {"small": "5 s", "half_sums": sums}
        found = cost.rates(device, 0.5, 70.0, stack(launch="2 s", dispatch="3 s", operators=how))
        assert (found.supply.peak, found.supply.attention_peak) == peaks
        assert (found.launch, found.small, found.reading, found.dispatch) == (2, 5, 70, 3)


def test_constants_of_silicon_are_those_of_each_device():
    """A family has its own clock, and a path its own rate; one without a table is as others are."""
    names = np.array(
        [["Hopper,fp8,bf16", "Ampere,fp16,fp16"], ["Ada,int8,fp16", "Nobody,fp32,tf32"]]
    )
    columns = constants(names, Operators(framework="vllm"))
    for place, name in np.ndenumerate(names):
        alone = constants(name, Operators(framework="vllm"))
        assert {key: value[place] for key, value in columns.items()} == alone
        family, path, attention = name.split(",")
        of = {"family": family, "framework": "vllm", "op": "all_reduce", "wire": "switch"}
        of |= {"datapath": path, "maker": f"vllm {path}"}
        near = {"fp32": "bf16", "fp16": "bf16", "tf32": "bf16"}
        other = shipped().at({**of, "kernel": "other", "path": near.get(attention, attention)})
        plain = shipped().at({**of, "kernel": "plain", "path": near.get(path, path)})
        own = shipped().at({**of, "kernel": None, "path": near.get(path, path)})
        for key, value in alone.items():
            kind = key.partition(".")[0]
            kinds = {"prefill": other, "decode": other, "experts": own}
            assert value == kinds.get(kind, plain)[key], key


def test_sums_are_those_of_kernels_only_where_these_were_measured():
    assert reduced(supply(), None) is None
    assert reduced(supply(), stack(roofs={})) is None
    measured = stack(operators={"exchange": 2.0})
    found = reduced(supply(), measured)
    assert found == Sums(supply().silicon, measured.operators)
