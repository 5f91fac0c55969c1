"""The sum over operators: what it adds up, and what it takes as fused."""

from __future__ import annotations

from mlsysim.models.operators import DECODE, FORWARD, Operator, fold

GEMM = Operator("product", "gemm", 3, 100.0, 20.0, 0.0, 5.0, 7.0, 20.0)
NORM = Operator("norm", "elementwise", 4, 1.0, 2.0, 0.0, 50.0, 50.0, 2.0)
CACHE = Operator("attention", "attention", 3, 10.0, 0.0, 30.0, 4.0, 1.0, 0.0)


def test_repetitions_add_up_and_elementwise_work_moves_nothing():
    total = fold([GEMM, NORM, CACHE], FORWARD)
    assert total.flops == 3 * 100 + 4 * 1 + 3 * 10
    assert total.weights == total.held == 3 * 20 + 4 * 2
    assert total.state == 3 * 30
    assert total.traffic == 3 * (5 + 7) + 3 * (4 + 1)  # the norm rides on its neighbours
    assert total.inputs == 3 * 5 + 4 * 50 + 3 * 4  # but its input is kept for the way back
    assert total.widest == 5 + 7


def test_activations_of_decode_stay_in_cache():
    assert fold([GEMM, NORM, CACHE], DECODE).traffic == 0
    assert fold([GEMM, NORM, CACHE], DECODE).widest == 5 + 7
    assert fold([], FORWARD).widest == 0
