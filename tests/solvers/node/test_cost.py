"""The front of the fold: its layers, its operators one after the other, and that it is the one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mlsysim
from mlsysim import Models
from mlsysim.models.operators import DECODE
from mlsysim.models.widths import Widths
from mlsysim.solvers.node import cost

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
