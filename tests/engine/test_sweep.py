"""A sweep is as many solves: the same numbers, in columns, with rows when they are looked at."""

from __future__ import annotations

import itertools
import json
import math
import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Engine, Hardware, Models
from mlsysim.core.errors import BadArgument, MLSysError, NoDatapath, UnknownField
from mlsysim.core.table import Table
from mlsysim.engine.engine import BLOCK

LLAMA, RESNET = Models.Language.Llama3_8B, Models.Vision.ResNet50
DEVICES = [Hardware.H100, Hardware.T4, Hardware.Coral_EdgeTPU, Hardware.nRF52840, Hardware.MI300X]
NO_TDP = Hardware.from_spec(
    {
        "name": "No TDP",
        "release_year": 2026,
        "compute": {"peak_flops": "100 TFLOP/s"},
        "memory": {"capacity": "64 GB", "bandwidth": "1 TB/s"},
    }
)


def same(row, profile):
    """Whether two profiles say the same, field by field."""
    for field in profile.fields:
        one, other = row.si(field), profile.si(field)
        if isinstance(other, float):
            assert one == pytest.approx(other, rel=1e-12), field
        else:
            assert one == other, field


def test_every_row_is_the_solve_of_its_question():
    batches, precisions, lengths = [1, 16, 256], ["fp16", "int8", "int4"], [128, 4096]
    sweep = Engine.sweep(
        LLAMA, DEVICES, batch_sizes=batches, precisions=precisions, seq_lens=lengths, efficiency=0.4
    )
    questions = [*itertools.product(DEVICES, precisions, batches, lengths)]
    assert len(sweep) == len(questions) == 5 * 3 * 3 * 2
    for row, (device, precision, batch, length) in zip(sweep, questions, strict=True):
        assert (row["hardware"], row["precision"], row["batch_size"], row["seq_len"]) == (
            device.stem,
            precision,
            batch,
            length,
        )
        ask = {"batch_size": batch, "precision": precision, "seq_len": length, "efficiency": 0.4}
        try:
            same(row["profile"], Engine.solve(LLAMA, device, **ask))
        except NoDatapath:
            assert not row["profile"].feasible
            assert row["profile"].reason == f"The device has no datapath that can run {precision}."


@given(
    batches=st.lists(st.integers(1, 10_000), min_size=1, max_size=4),
    training=st.booleans(),
    model=st.sampled_from([LLAMA, RESNET, Models.Language.Mixtral_8x7B]),
)
def test_any_sweep_has_the_latencies_of_its_solves(batches, training, model):
    sweep = Engine.sweep(
        model, [Hardware.H100, Hardware.A100], batch_sizes=batches, training=training
    )
    expected = [
        Engine.solve(model, device, batch_size=batch, training=training).si("latency")
        for device in (Hardware.H100, Hardware.A100)
        for batch in batches
    ]
    np.testing.assert_allclose(sweep.column("latency"), expected, rtol=1e-12)


def test_a_device_of_unknown_power_has_an_unknown_energy_in_a_sweep_too():
    sweep = Engine.sweep(LLAMA, [NO_TDP, Hardware.H100])
    assert sweep[0]["profile"].energy is None
    assert sweep[1]["profile"].energy is not None


def test_points_that_do_not_fit_are_kept_with_their_reason():
    sweep = Engine.sweep(
        Models.Language.Llama3_70B, [Hardware.H100, Hardware.MI300X], precisions=["fp16", "int8"]
    )
    assert [bool(row["profile"].feasible) for row in sweep] == [False, True, True, True]
    assert "85.52 GB" in sweep[0]["profile"].reason
    assert sweep[1]["profile"].reason == ""


def test_columns_are_flat_and_in_the_order_of_the_rows():
    sweep = Engine.sweep(LLAMA, DEVICES[:2], batch_sizes=[1, 2, 3], precisions=["fp16", "int8"])
    for name in ("latency", "throughput", "feasible", "bottleneck", "batch_size", "datapath"):
        column = sweep.column(name)
        assert column.shape == (12,)
        assert list(column) == [row["profile"].si(name) for row in sweep]


def test_a_sweep_is_a_sequence():
    sweep = Engine.sweep(LLAMA, DEVICES[:2], batch_sizes=[1, 2, 3])
    assert sweep[-1]["batch_size"] == 3
    assert [row["batch_size"] for row in sweep[1:3]] == [2, 3]
    assert len([*sweep]) == len(sweep) == 6
    with pytest.raises(IndexError):
        sweep[6]
    assert repr(sweep) == "Sweep of 6 points (2 hardware x 1 precision x 3 batch_size x 1 seq_len)"


def test_one_device_one_precision_and_one_batch_need_no_lists():
    sweep = Engine.sweep(LLAMA, Hardware.H100, batch_sizes=8, precisions="int8", seq_lens=256)
    assert len(sweep) == 1
    same(
        sweep[0]["profile"],
        Engine.solve(LLAMA, Hardware.H100, batch_size=8, precision="int8", seq_len=256),
    )


def test_a_model_without_a_sequence_sweeps_too():
    sweep = Engine.sweep(RESNET, DEVICES[:2], batch_sizes=range(1, 4))
    assert len(sweep) == 6
    with pytest.raises(BadArgument, match="seq_len"):
        Engine.sweep(RESNET, DEVICES, seq_lens=[128])


def test_hardware_may_come_from_a_generator():
    assert len(Engine.sweep(LLAMA, (device for device in DEVICES))) == 5


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"hardware": []}, "hardware"),
        ({"hardware": None}, "hardware"),
        ({"hardware": "H10O"}, "hardware"),
        ({"hardware": [None]}, "hardware"),
        ({"hardware": 3}, "hardware"),
        ({"model": "Llama"}, "model"),
        ({"batch_sizes": []}, "batch_sizes"),
        ({"batch_sizes": [0]}, "batch_sizes"),
        ({"batch_sizes": [1, -1]}, "batch_sizes"),
        ({"batch_sizes": [1.5]}, "batch_sizes"),
        ({"batch_sizes": [math.nan]}, "batch_sizes"),
        ({"batch_sizes": ["1"]}, "batch_sizes"),
        ({"batch_sizes": None}, "batch_sizes"),
        ({"batch_sizes": [[1, 2], [3, 4]]}, "batch_sizes"),
        ({"batch_sizes": [1, 1e10]}, "batch_sizes"),
        ({"precisions": []}, "precisions"),
        ({"precisions": ["fp61"]}, "precisions"),
        ({"precisions": [16]}, "precisions"),
        ({"precisions": None}, "precisions"),
        ({"seq_lens": []}, "seq_lens"),
        ({"seq_lens": [0]}, "seq_lens"),
        ({"seq_lens": [[1, 2], [3, 4]]}, "seq_lens"),
        ({"efficiency": 0}, "efficiency"),
        ({"efficiency": 1.5}, "efficiency"),
        ({"efficiency": None}, "efficiency"),
        ({"efficiency": [0.4, 0.5]}, "efficiency"),
        ({"phase": "decoding"}, "phase"),
        ({"phase": 3}, "phase"),
        ({"training": "yes"}, "training"),
        ({"training": 1}, "training"),
    ],
    ids=str,
)
def test_a_malformed_sweep_is_refused_and_the_argument_named(wrong, name):
    with pytest.raises(MLSysError) as caught:
        Engine.sweep(**{"model": LLAMA, "hardware": DEVICES, **wrong})
    assert name in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


def test_an_unknown_argument_of_a_sweep_is_told_the_nearest():
    with pytest.raises(TypeError, match="batch_size"):
        Engine.sweep(LLAMA, DEVICES, batch_size=[1, 2])  # type: ignore[call-arg]


def test_an_axis_is_a_column_beside_the_fields(llama, h100):
    sweep = Engine.sweep(llama, [h100, Hardware.A100], batch_sizes=[1, 2], precisions=["fp16"])
    assert sweep.column("hardware").tolist() == ["H100", "H100", "A100", "A100"]
    assert sweep.column("batch_size").tolist() == [1, 2, 1, 2]
    assert sweep.column("precision").tolist() == ["fp16"] * 4
    assert sweep.column("seq_len").tolist() == [2048] * 4
    assert sweep.values("latency")[3] == sweep[3]["profile"].latency


def test_a_column_that_is_not_there_is_told_the_nearest_one(llama, h100):
    sweep = Engine.sweep(llama, h100)
    for name in ("hardwear", "latancy"):
        with pytest.raises(UnknownField, match=r"did you mean '(hardware|latency)'"):
            sweep.column(name)
        with pytest.raises(UnknownField, match="did you mean"):
            sweep.table([name])


def test_the_rows_are_a_table_of_plain_values_with_the_unit_in_the_head(llama, h100):
    sweep = Engine.sweep(llama, h100, batch_sizes=[1, 4096])
    table = sweep.table()
    assert table.heads == [
        "hardware",
        "precision",
        "batch_size",
        "seq_len",
        "latency (ms)",
        "throughput (tok/s)",
        "bottleneck",
        "mfu",
        "feasible",
    ]
    first, last = table
    assert [first["feasible"], last["feasible"]] == [True, False]
    assert first["latency"] == sweep[0]["profile"].latency.m_as("ms")
    assert json.loads(json.dumps([first, last])) == [first, last]
    assert sweep.table(["energy"]).heads[-1] == "energy (J)"


@pytest.mark.parametrize(
    ("how", "counted"),
    [({}, "tok/s"), ({"phase": "prefill"}, "req/s"), ({"training": True}, "sample/s")],
)
def test_a_throughput_says_what_it_counts(llama, h100, how, counted):
    one = Engine.solve(llama, h100, **how)
    assert f"{one.throughput.units:~P}" == one.to_dict()["throughput"]["unit"] == counted
    assert counted in dict(one.lines())["throughput"]
    assert pickle.loads(pickle.dumps(one)) == one
    assert Engine.sweep(llama, h100, **how).table().units["throughput"] == counted


def test_a_sweep_tells_its_progress_block_by_block(llama, h100):
    told = []
    sweep = Engine.sweep(
        llama, h100, batch_sizes=range(1, 2 * BLOCK), progress=lambda *now: told.append(now)
    )
    assert told == [(BLOCK, len(sweep)), (len(sweep), len(sweep))]


def test_a_sweep_is_a_table_for_whoever_asks_for_one(llama, h100):
    arro3 = pytest.importorskip("arro3.core")
    sweep = Engine.sweep(llama, h100, batch_sizes=[1, 2])
    assert not isinstance(sweep, Sequence)  # of which polars would take the rows, with a profile
    held = arro3.Table.from_arrow(sweep)
    assert "profile" not in held.column_names
    assert held["latency"].to_pylist() == sweep.table().column("latency").tolist()


def test_the_columns_are_listed_and_each_is_there():
    silent = next(name for name in Hardware if Hardware[name].tdp is None)
    sweep = Engine.sweep(LLAMA, ["H100", silent], batch_sizes=[1, 2])
    for name in sweep.columns:
        assert len(sweep.column(name)) == len(sweep)
    tdp = sweep.values("tdp")
    assert tdp.m_as("W").tolist()[:2] == [700.0, 700.0]
    assert np.isnan(tdp.m_as("W")[2:]).all()  # nobody has published it


def test_a_sweep_in_several_blocks_is_the_same_sweep(monkeypatch):
    """Of 2 x 3 x 2 points for each batch, ten a block are less than one batch, and 36 three."""
    how = {"precisions": ["fp16", "int8", "int4"], "seq_lens": [64, 9000]}
    how["batch_sizes"] = [1, 7, 300, 2, 5]
    devices, told = [Hardware.H100, NO_TDP], []
    whole = Engine.sweep(LLAMA, devices, **how)
    for size, ends in ((10, [12, 24, 36, 48, 60]), (25, [24, 48, 60]), (36, [36, 60])):
        monkeypatch.setattr("mlsysim.engine.engine.BLOCK", size)
        told.clear()
        cut = Engine.sweep(LLAMA, devices, **how, progress=lambda *now: told.append(now))
        assert told == [(end, 60) for end in ends]
        for name in whole.columns:
            np.testing.assert_array_equal(cut.column(name), whole.column(name), name)
        for one, other in zip(cut, whole, strict=True):
            assert {**one, "profile": None} == {**other, "profile": None}
            assert one["profile"].latency == other["profile"].latency
            assert one["profile"].notes == other["profile"].notes
    assert repr(whole) == (
        "Sweep of 60 points (2 hardware x 3 precision x 5 batch_size x 2 seq_len)"
    )


@pytest.mark.parametrize(
    "how",
    [
        {"kv_precision": "fp8", "stack": "ideal", "phase": "prefill", "efficiency": 0.3},
        {"training": True, "efficiency": 0.7, "stack": "megatron"},
    ],
)
def test_a_sweep_asks_all_that_it_is_told(how):
    (row,) = Engine.sweep(LLAMA, "A100", batch_sizes=3, seq_lens=700, precisions="bf16", **how)
    alone = Engine.solve(LLAMA, "A100", batch_size=3, seq_len=700, precision="bf16", **how)
    same(row["profile"], alone)


@pytest.mark.parametrize("stack", [None, "ideal", "trtllm"])
def test_a_row_says_what_its_solve_does(stack):
    """Was wrong: a short context was called too long beside a longer one, and no range was told."""
    devices = ["H100", "V100", "CS3"]
    how = {"precisions": ["fp16", "int8"], "seq_lens": [64, 9000], "stack": stack}
    for row in Engine.sweep(LLAMA, devices, **how):
        asked = {name: row[name] for name in ("hardware", "precision", "seq_len")}
        assert row["profile"].notes == Engine.solve(LLAMA, **asked, stack=stack).notes
    lengths = Engine.solve(LLAMA, "H100", seq_len=[64, 9000], stack=stack)
    for one, length in zip(lengths, (64, 9000), strict=True):
        assert one.notes == Engine.solve(LLAMA, "H100", seq_len=length, stack=stack).notes


def test_a_row_on_a_device_that_cannot_is_kept_and_has_no_notes():
    """Integers alone multiply on a Coral: its row tells why, and nothing of a datapath."""
    sweep = Engine.sweep(RESNET, ["Coral_EdgeTPU", "V100"], precisions=["fp16", "int8"])
    first, second, third, last = (row["profile"] for row in sweep)
    assert (first.datapath, first.notes) == ("", ())
    assert first.reason == "The device has no datapath that can run fp16."
    assert np.isnan([first.si("peak"), first.si("latency")]).all()
    assert (second.datapath, third.datapath, last.datapath) == ("int8", "fp16", "fp16")
    assert last.notes == Engine.solve(RESNET, "V100", precision="int8").notes
    assert not any("datapath" in note for note in third.notes)


def test_hypothetical_chips_have_columns_of_their_own():
    sweep = Engine.sweep(LLAMA, "H100", tdp=["100 W", "300 W"], batch_sizes=[1, 2])
    assert sweep.column("hardware").tolist() == [0, 0, 1, 1]
    assert sweep.values("tdp").m_as("W").tolist() == [100, 100, 300, 300]
    assert sweep.values("unit_cost").m_as("USD").tolist() == [30_000.0] * 4
    assert sweep.values("power").m_as("W").tolist() == [100, 100, 300, 300]
    assert sweep.values("latency").units == sweep[0]["profile"].latency.units
    assert sweep.values("bottleneck").tolist() == ["Memory"] * 4
    assert sweep.values("batch_size").tolist() == [1, 2, 1, 2]
    assert [name for name in sweep.columns if name in {"tdp", "notes"}] == ["tdp"]
    assert sweep.columns[:4] == ["hardware", "precision", "batch_size", "seq_len"]
    assert [row["profile"].si("power") for row in sweep[1:3]] == [100, 300]
    assert sweep[-1]["tdp"].m_as("W") == 300


def test_a_bar_of_a_sweep_is_as_long_as_its_roof_binds(monkeypatch):
    """A step moves 15.278 ms' worth; beside it the host takes nothing, a little or most of it."""
    monkeypatch.setattr(Table, "_repr_html_", lambda table: table.bars["bottleneck"].tolist())
    for tax, share in ((0.0, 1.0), (5.0, 15.278 / 20.278), (30.0, 30 / 45.278)):
        device = NO_TDP.replace(dispatch_tax=f"{tax} ms")
        assert Engine.sweep(LLAMA, device)._repr_html_() == pytest.approx([share], rel=1e-4)
    prompt = Engine.sweep(LLAMA, device, phase="prefill")
    busy = prompt[0]["profile"]
    share = busy.si("compute_time") / (busy.si("compute_time") + 0.030)
    assert busy.bottleneck == "Compute"
    assert prompt._repr_html_() == pytest.approx([share])
