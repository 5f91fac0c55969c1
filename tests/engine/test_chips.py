"""A million hypothetical chips: fields of a device as columns, out as a table."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from mlsysim import DSE, Engine, Hardware
from mlsysim.core.errors import BadArgument, MLSysError, WrongUnit
from mlsysim.core.search import SWEEP_AXES, VARIED
from mlsysim.core.units import Q_
from mlsysim.engine.chips import FIELDS, SHOWN, Chips

MODEL = "Llama3_8B"


def test_each_chip_is_solved_as_if_it_were_written_out():
    bandwidth, peak = ["2 TB/s", "4 TB/s", "8 TB/s"], Q_([500.0, 1000.0, 2000.0], "TFLOP/s")
    sweep = Engine.sweep(
        MODEL, "H100", bandwidth=bandwidth, peak=peak, tdp=Q_([300.0, 500.0, 900.0], "W"),
        capacity="100 GB", precisions=["fp16", "fp8"], batch_sizes=[1, 512],
    )  # fmt: skip
    assert len(sweep) == 3 * 2 * 2
    for row in sweep:
        asked = {key: row[key] for key in ("precision", "batch_size", "seq_len")}
        chip = sweep.axes["hardware"][int(row["hardware"].rpartition("#")[2])]
        alone = Engine.solve(MODEL, chip, **asked)
        for name in ("latency", "bottleneck", "feasible", "energy", "memory_capacity"):
            ours, theirs = getattr(row["profile"], name), getattr(alone, name)
            same = ours == theirs if isinstance(ours, str) else np.isclose(ours, theirs)
            assert same, name
    # a decode step of one waits for memory, so twice the bandwidth is half the time
    times = sweep.column("memory_time")[::4]
    np.testing.assert_allclose(times[0] / times, [1, 2, 4])


def test_a_chip_is_its_device_but_for_what_varies():
    chips = Chips(Hardware.H100, {"peak": ["494.7 TFLOP/s", "1978.8 TFLOP/s"], "tdp": "350 W"})
    half, double = chips
    for chip, ratio in ((half, 0.5), (double, 2)):
        assert chip.compute.peak_flops.m_as("TFLOP/s") == pytest.approx(989.4 * ratio)
        for path, peak in Hardware.H100.compute.precision.items():
            theirs = chip.compute.precision[path].m_as(peak.units)
            assert theirs == pytest.approx(peak.magnitude * ratio), path
        assert chip.tdp == Q_(350.0, "W")
        assert chip.memory == Hardware.H100.memory
    assert [chip.name for chip in chips[::-1]] == ["H100 #1", "H100 #0"]
    assert chips[-1].name == "H100 #1"
    large = Chips(Hardware.H100, {"capacity": ["1 TB"]})[0]
    assert large.memory.capacity.m_as("GB") == pytest.approx(1000)
    assert large.memory.bandwidth == Hardware.H100.memory.bandwidth
    assert (large.compute, large.tdp) == (Hardware.H100.compute, Hardware.H100.tdp)
    row = Engine.sweep(MODEL, "H100", peak="494.7 TFLOP/s", tdp="350 W")[0]
    varied = {"peak": Q_(494.7, "TFLOP/s"), "tdp": Q_(350.0, "W")}
    assert {name: row[name] for name in varied} == varied
    assert f"{row['peak']:~P} {row['tdp']:~P}" == "494.7 TFLOP/s 350.0 W"


def test_a_million_chips_are_columns_and_no_million_objects(tmp_path):
    count = 1_000_000
    tracemalloc.start()
    sweep = Engine.sweep(MODEL, "H100", bandwidth=Q_(np.linspace(1, 10, count), "TB/s"))
    table = sweep.table(["latency", "feasible", "bandwidth"])
    assert tracemalloc.get_traced_memory()[1] < 1e9
    tracemalloc.stop()
    assert len(table) == count
    assert table.column("hardware")[-1] == count - 1
    assert table.units["latency"] == "ms"
    arro3 = pytest.importorskip("arro3.core")
    stream = arro3.Table.from_arrow(table)
    assert stream.num_rows == count
    assert stream["latency"][count - 1].as_py() == table.column("latency")[-1]


def test_chips_are_searched_by_any_field_of_their_profile():
    dse = DSE({"batch_size": [1]}, "minimize: power", ["latency < 5 ms"])
    tdp, bandwidth = np.array([200.0, 400.0, 800.0]), np.array([2e12, 3.5e12, 8e12])
    found = dse.search_sweep(
        Engine.sweep, MODEL, "H100", tdp=Q_(tdp, "W"), bandwidth=Q_(bandwidth, "B/s")
    )
    # 15.0 GB a step: 7.5 ms at 2 TB/s, 4.3 ms at 3.5
    assert found["best_params"]["hardware"] == "H100 #1"


def test_fields_of_a_device_are_axes_of_a_search_in_all_combinations():
    space = {"tdp": ["300 W", "700 W"], "bandwidth": ["4 TB/s", "1 TB/s", "2 TB/s"]}
    limits = ["bandwidth < 3 TB/s", "tdp <= 700 W"]
    dse = DSE(space, ["minimize: latency", "minimize: tdp"], limits)
    seen = []
    found = dse.search_sweep(Engine.sweep, MODEL, "H100", progress=lambda *now: seen.append(now))
    assert (found["evaluated"], seen) == (6, [(6, 6)])
    best = found["best_params"]
    assert (best["tdp"], best["bandwidth"]) == (Q_("300 W"), Q_("2 TB/s"))
    alone = Engine.sweep(MODEL, "H100", bandwidth="2 TB/s")[0]["profile"]
    assert found["best"].latency == alone.latency
    assert len(found["infeasible"]) == 2
    assert found["infeasible"][0]["reason"].startswith("bandwidth is 4 TB/s, and the constraint")
    (row,) = found.table(of="front")
    assert (row["tdp"], row["bandwidth"]) == (300.0, 2.0)
    with pytest.raises(WrongUnit, match="of one dimension"):
        DSE({"tdp": ["1 W", "1 s"]}, "minimize: tdp").search_sweep(Engine.sweep, MODEL, "H100")


def test_what_a_device_costs_and_draws_may_be_asked_for_of_real_ones_too():
    dse = DSE({"hardware": ["H100", "H200", "L4"]}, "minimize: unit_cost", ["tdp > 100 W"])
    found = dse.search_sweep(Engine.sweep, MODEL)
    assert found["best_params"]["hardware"] == "H100"
    assert found["infeasible"][0]["reason"] == "tdp is 72 W, and the constraint is tdp > 100 W"


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"bandwidth": [3.35]}, WrongUnit, "bandwidth cannot be"),
        ({"bandwidth": "0 TB/s"}, MLSysError, "bandwidth"),
        (
            {"peak": ["1 TFLOP/s"] * 2, "tdp": ["1 W"] * 3},
            BadArgument,
            "peak and tdp cannot be '2, 3 values': give as many of each, or one",
        ),
        (
            {"tdp": Q_([[1.0, 2.0]], "W")},
            BadArgument,
            r"tdp cannot be 'an array of shape \(1, 2\)': give a plain list",
        ),
        (
            {"hardware": ["H100", "A100"], "tdp": "1 W", "capacity": "1 GB"},
            BadArgument,
            "hardware cannot be 'H100, A100': give one, whose capacity, tdp vary",
        ),
    ],
)
def test_a_field_is_read_at_the_door(fields, error, said):
    with pytest.raises(error, match=said):
        Engine.sweep(MODEL, **{"hardware": Hardware.H100, **fields})


def test_a_search_varies_what_a_sweep_varies():
    assert list(VARIED) == [*FIELDS] == [*SHOWN]
    assert [*Engine.sweep("Llama3_8B", "H100").axes] == list(SWEEP_AXES)
