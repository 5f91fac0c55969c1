"""Equations worked by hand where every argument is another number, and none is 0 or 1.

The examples of their docstrings are easy to read, for which some arguments are 1, 0 or alike.
"""

from __future__ import annotations

import math
from math import exp, inf, log, sqrt

import numpy as np
import pytest

from mlsysim.equations import (
    algorithm,
    analysis,
    data,
    fleet,
    kernels,
    memory,
    node,
    ops,
    serving,
    system,
)

ONE_SIDE = {"data": 60.0, "ranks": 6.0, "local": 2.0, "link": 5.0, "latency": 7.0}
CROSSING = {"weights": 12, "operations": 10, "peak": 4, "bandwidth": 3, "efficiency": 0.5}
STATE = {"weights": 10, "gradients": 20, "optimizer": 30, "ranks": 5}
PLANNED = {"operations": 84, "devices": 2, "peak": 3, "mfu": 0.7, "scaling": 0.5, "goodput": 0.8}
TREE = {"data": 12, "local": 3, "nodes": 5, "link": 2, "link_latency": 7, "network": 0.5}


@pytest.mark.parametrize(
    ("equation", "given", "by_hand"),
    [
        # ---- algorithm
        (algorithm.matmul_macs, (3, 5, 7), 105),
        (algorithm.attention_macs, (2, 3, 5, 7), 72),
        (algorithm.causal_pairs, (3, 5), 6 + 7 + 8),
        (algorithm.windowed_pairs, (5, 3, 6), 4 + 5 + 6 + 6 + 6),
        (algorithm.windowed_pairs, (3, 7, 5), 5 + 5 + 5),
        (algorithm.chunked_pairs, (5, 2, 4), 3 + 4 + 1 + 2 + 3),
        (algorithm.kv_elements, (3, 5, 7, 11), 2310),
        (algorithm.distinct_experts, (5, 3, 2), 4.2),  # 5 - 5 (2/5)^2
        (algorithm.conv_output, (10, 3, 4, 2), 3),  # at 0, 4 and 8
        (algorithm.conv_macs, (2, 3, 10, 7, 5), 84),
        (algorithm.training_operations, (5, 3, 11), 23),
        (algorithm.training_traffic, (5, 3, 11, 7), 37),
        (algorithm.devices_needed, (10, 7, 3, 4), 24),  # 70 of 12 a node: six nodes of four
        # ---- serving
        (serving.mean_decode_context, (100, 7), 103.5),  # of 101 ... 106
        (serving.mean_decode_context, (100, 1), 101),
        (serving.speculative_gain, (0.2, 2), 1.24),
        (serving.speculative_gain, (1.0, 3), 4),
        (serving.interrupted, (0.3, 0.25), 0.4),
        (serving.interrupted, (0.3, 1.0), inf),
        (serving.slots, (-7, 3), 0),
        (serving.page_rounded, (32, 16), 32),
        (serving.streamed_layer_time, (2, 7, 5), 7),
        (serving.streamed_layer_time, (2, 5, 7), 7),
        (serving.erlang_c, (2, 3), 4 / 9),  # B: 1, 2/3, 2/5, 4/19; 3 B / (3 - 2 (1 - B))
        # B: 1, 1/3, 1/13, 1/79; one server is as busy as it waits
        (serving.erlang_c, (0.5, np.array([1.0, 3.0])), np.array([0.5, 1 / 66])),
        (serving.mean_wait, (0.6, 5, 3, 7), 0.75),
        (serving.fixed_share, (0.75, 4), (1 + 0.75 * (sqrt(24) - 2) / 48) / 2),
        (serving.fixed_share, (0.25, 4), 0.62),  # 0.41 is more than 0.24
        (serving.fixed_stay, (0.1, 5, 0.3, 0.6), 5 + 2 * log(3)),
        (serving.fixed_stay, (0.3, 5, 0.1, 0.6), 5),
        (serving.mixed_quantile, (2, 7, 0.5), 3.25),
        (serving.sojourn_tail, (6, 2, 0.4, 1), exp(-3) * (1 + 0.4 * 3)),
        (serving.sojourn_tail, (6, 2, 0.4, 3), exp(-3) + 0.2 * (exp(-3) - exp(-9))),
        (serving.sojourn_tail, (6, 2, 0.4, 0.5), exp(-3) + 0.8 * (exp(-1.5) - exp(-3))),
        (serving.sojourn_quantile, (exp(-3) * 2.2, 2, 0.4, 1), 6),
        (serving.sojourn_quantile, (exp(-3) + 0.2 * (exp(-3) - exp(-9)), 2, 0.4, 3), 6),
        (serving.sojourn_quantile, (0.01, 2, 0.4, 0), math.nan),
        (serving.fill_wait, (9, 2, 1.5), 4 * (71 / 72 + 0.5 / sqrt(8)) ** 3),
        (serving.fill_wait, (1, 2, 1.5), 0),
        (serving.batch_wait, (3, 5, 0.4), 2 / 3.6),
        (serving.batch_wait, (3, 5, 1.0), inf),
        (serving.batch_start, (2, 7, 2, 3), 7),
        (serving.batch_start, (2, 4, 2, 3), 5),
        (serving.batch_start, (1, 0, 2, 3), 2),
        (serving.wait_quantile, (3, 0.6, 0.2), 5 * log(3)),
        (serving.wait_quantile, (3, 0.2, 0.6), 0),
        # ---- fleet
        (fleet.queued, (4, 9, 0.25), 16),
        (fleet.transfer_time, (21, 7, 11), 14),
        (fleet.ring_all_reduce, (21, 5, 7, 11), 4.8 + 88),
        # 4/3 of 6 s and four hops of 7; a third of the data, 8/5 of 8 s and eight hops of 11
        (fleet.hierarchical_all_reduce, TREE | {"network_latency": 11}, 36 + 100.8),
        # a sixth to the other one in the node, 2 s; four sixths to other nodes, 10 s; five messages
        (fleet.all_to_all, ONE_SIDE | {"network": 4.0}, 10 + 35),
        (fleet.all_to_all, ONE_SIDE | {"network": 40.0}, 2 + 35),
        (fleet.mesh_share, (448, 4, 8), 192),
        (fleet.network_share, (10, 6, 4, 3), 5),
        (fleet.bubble_fraction, (4, 6, 2), 0.2),
        (fleet.pipeline_time, (5, 7, 4, 6, 2), 40.5),
        (fleet.exposed_time, (2, 0.5, 3), 1),
        (fleet.fleet_time, PLANNED, 50),
        (fleet.goodput, (20, 10, 5, 40), 0.5 * exp(-0.125) / (exp(0.75) - 1)),
        (fleet.rework_share, (20, 10, 5, 40), exp(-0.125) * (1 - 0.75 / (exp(0.75) - 1))),
        (fleet.survival, (6, 3), exp(-2)),
        (fleet.deterministic_wait, (6, 0.02, 2, 0.5), 1.5 / 0.99 * 2 / 3),  # more in light traffic
        (fleet.deterministic_wait, (6, 2, 2, 0.5), inf),
        # ---- data
        (data.fed, (0.5,), 1),
        (data.pipelined_step, (7, 2, 5), 7),
        (data.pipelined_step, (2, 5, 7), 7),
        (data.torus_links, (27, 3), 18),
        (data.bisection_fraction, (20, 32), 1),
        # ---- ops
        (ops.embodied_carbon, (3, 5, 14, 7), 30),
        (ops.amortized, (5, 3, 14, 7), 30),
        (ops.maintenance, (1000, 0.05, 6, 4), 75),
        (ops.gaussian_noise, (0.5, 0.0125), 2 * sqrt(2 * log(100))),
        (ops.composed_noise, (12, exp(-4), 72), 3),  # rho = (4 - 2)^2, sqrt(72 / 8)
        (ops.samples_for_half_width, (3, 0.2, 0.1), 144),
        (ops.samples_for_half_width, (3, 0.2, 0.11), 120),  # 119.01
        # ---- node
        (node.roofline_time, (7, 5, 3), 10),
        (node.attainable, (11, 20, 3), 20),
        (node.crossover_batch, CROSSING | {"state": 6}, 4 / 3),  # 12 / 3 over 5 - 2
        (node.crossover_batch, CROSSING | {"state": 15}, inf),
        (node.crossover_batch, CROSSING | {"state": 18}, inf),
        (node.short_product, (3, 5), 0.375),
        # ---- kernels
        (kernels.waves, (5, 7, 2, 5, 0.5), 2.7),  # 12 tiles on 5: 2.4, and half of 0.6
        (kernels.tiled_time, (2, 3, 5, 7, 4, 6), 630),
        (kernels.throttled, (3, 0.5, 2), 3.9),
        (kernels.both, (1, 2, 3), 9 ** (1 / 3)),
        (kernels.both, (2, 1, 3), 9 ** (1 / 3)),
        (kernels.both, (1e-10, 2, 50), 2),  # 10^10 to the 50th is no number
        (kernels.one_shot, (10, 3, 4, 7), 26),
        (kernels.two_shot, (12, 4, 3, 5, 7), 33),
        # ---- system, memory
        (system.cache_share, (6, 4), 1 / 3),
        (system.duty_cycled_power, (10, 2, 0.3), 4.4),
        (memory.optimizer_state, (3, 5, 2, 4), 27),
        (memory.optimizer_state, (3, 5, 4, 4), 15),
        (memory.zero_share, (12, 4, 1, 2), 12),
        (memory.zero_share, (12, 4, 3, 2), 3),
        (memory.zero_memory, STATE | {"stage": 0}, 60),
        (memory.zero_memory, STATE | {"stage": 1}, 36),
        (memory.zero_memory, STATE | {"stage": 2}, 20),
        (memory.zero_memory, STATE | {"stage": 3}, 12),
        (memory.microbatches_in_flight, (8, 2, 32), 11.5),
        (memory.microbatches_in_flight, (8, 2, 5), 5),
        # ---- analysis
        (analysis.elasticity, (2, 16, 4), -0.75),  # a factor of 8 over one of 16
        (analysis.forward_elasticity, (6, 8, 0.5), -0.5),
        (analysis.smooth_roofline_time, (1, 2, 5, 3), 5 + 9 ** (1 / 3)),
        (analysis.smooth_roofline_time, (2, 1, 5, 3), 5 + 9 ** (1 / 3)),
        (analysis.smooth_roofline_time, (1e-10, 2, 5, 50), 7),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_equation_by_hand(equation, given, by_hand):
    found = equation(**given) if isinstance(given, dict) else equation(*given)
    assert found == pytest.approx(by_hand, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("steps", [1.0, 2.0, 7.0])
@pytest.mark.parametrize(
    ("compute", "memory"),
    [((3, 9), (5, 6)), ((9, 3), (6, 5)), ((5, 5), (5, 5)), ((7, 9), (2, 4)), ((1, 2), (5, 3)),
     ((5, 8), (5, 6)), ((8, 5), (6, 5))],
)  # fmt: skip
def test_decode_steps_are_summed_one_by_one(compute, memory, steps):
    """One step has no last one: it costs what the first does."""
    if steps == 1:
        compute, memory = compute[:1] * 2, memory[:1] * 2
    rows = (np.linspace(*of, int(steps)) for of in (compute, memory))
    expected = sum(max(pair) + 0.25 for pair in zip(*rows, strict=True))
    found = algorithm.decode_time(
        first_compute=float(compute[0]),
        last_compute=float(compute[1]),
        first_memory=float(memory[0]),
        last_memory=float(memory[1]),
        overhead=0.25,
        steps=steps,
    )
    assert float(found) == pytest.approx(expected)
