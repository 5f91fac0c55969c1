"""The roofline in a terminal shows where the step is, whatever the device and the model."""

from __future__ import annotations

import pytest

from mlsysim import Engine, Hardware, Models
from mlsysim.engine.text import _under, roofline, show_rate
from mlsysim.solvers.node.single import Profile


def drawn(model, hardware, **how):
    """The rows above the axis, without the scale."""
    text = roofline(Engine.solve(model, hardware, **how))
    return [line.partition("|")[2] for line in text.splitlines() if "|" in line], text


def test_a_memory_bound_step_stands_on_the_slope_left_of_the_ridge(llama, h100):
    rows, text = drawn(llama, h100)
    star = next(row.index("*") for row in rows if "*" in row)
    ridge = next(row.index("+") for row in rows if "+" in row)
    assert star < ridge
    assert "* 1.05" in text
    assert "+ 148 FLOP/B" in text  # half of 989.4 TFLOP/s over 3.35 TB/s


def test_a_compute_bound_step_stands_under_the_flat_roof(llama, h100):
    rows, _ = drawn(llama, h100, phase="prefill")
    roof = next(row for row in rows if "+" in row)
    assert roof.index("*") > roof.index("+")


@pytest.mark.parametrize("model", ["Llama3_8B", "ResNet50", "KeywordSpotting", "Mixtral_8x7B"])
@pytest.mark.parametrize("device", ["H100", "nRF52840", "RaspberryPi_5", "CS3"])
def test_every_picture_fits_a_terminal(model, device):
    for how in ({}, {"batch_size": 4096}):
        _, text = drawn(Models[model], Hardware[device], precision="int8", **how)
        assert max(map(len, text.splitlines())) <= 80
        assert text.count("*") == 2  # the step, and the number under it
        assert text.isascii()


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (4.95e14, "495 TFLOP/s"),
        (1.2e9, "1.2 GFLOP/s"),
        (640.0, "640 FLOP/s"),
        (999.0, "999 FLOP/s"),
        (1000.0, "1 kFLOP/s"),
        (2.5e6, "2.5 MFLOP/s"),
        (2.25e15, "2.25 PFLOP/s"),
        (9.87e17, "987 PFLOP/s"),
        (2.5e18, "2.5e+03 PFLOP/s"),  # there is no larger prefix that people say
    ],
)
def test_rates_read_as_people_say_them(rate, text):
    assert show_rate(rate) == text


def test_the_step_and_the_ridge_stand_where_their_logarithms_put_them(llama, h100):
    # 16.08 GFLOP and 15.28 GB in 4.571 ms: 1.05 FLOP/B and 3.52 TFLOP/s; the ridge is at 147.7
    # under 494.7 TFLOP/s. Across: from 1.05 / 4 to 147.7 x 4 in 57 steps; down: from 494.7 x 1.3
    # to 3.35 TB/s x 0.263 FLOP/B in 9
    rows, text = drawn(llama, h100)
    assert (rows[0].index("+"), rows[7].index("*")) == (47, 10)
    assert rows[0][46] == "/"
    assert rows[0][48] == "-"
    lines = text.splitlines()
    assert lines[0].startswith(" 495 TFLOP/s |")
    assert lines[7].startswith("3.52 TFLOP/s |")
    assert [line[:12].strip() for i, line in enumerate(lines[:10]) if i not in (0, 7)] == [""] * 8
    assert lines[10] == " " * 13 + "+" + "-" * 58
    under = lines[11]
    assert (under.index("* 1.05"), under.index("+ 148 FLOP/B")) == (14 + 10, 14 + 47)
    assert len(lines) == 12


@pytest.mark.parametrize(
    ("left", "right", "line"),
    [
        (3, 20, "   * 1.05           + 148 FLOP/B"),
        (20, 3, "   + 148 FLOP/B     * 1.05"),
        (3, 10, "   * 1.05 + 148 FLOP/B"),  # one blank between them is enough
        (3, 9, "   * 1.05  + 148 FLOP/B"),  # what would touch stands two further on
        (3, 3, "   * 1.05  + 148 FLOP/B"),
        (14, 3, "              * 1.05  + 148 FLOP/B"),
        (4, 40, "    * 1.05" + " " * 12 + "+ 148 FLOP/B"),  # ten and 24 characters, and no more
    ],
)
def test_numbers_stand_below_their_columns_and_do_not_touch(left, right, line):
    assert _under(1.05, 148.0, left, right, 10) == " " * 14 + line


def test_a_small_picture_by_hand():
    """A ridge at 10 FLOP/B under 1 kFLOP/s, and a step at 100 that reaches a tenth of it."""
    step = Profile(
        operations=1000.0, compute_time=1.0, bandwidth=100.0, traffic=10.0, latency=10.0
    )  # fmt: skip
    # across: 10 / 4 to 100 x 4 are 2.204 decades in 22 columns, the ridge after 0.602 of them and
    # the step after 1.602; down: 1300 to 50 are 1.415 in 5 rows, the roof after 0.114, the step
    # after 1.114 and the left end of the slope, at 250, after 0.716: a column is 0.354 of a row
    assert roofline(step, width=23, height=6).splitlines() == [
        "   1 kFLOP/s |      +----------------",
        "             |   ///",
        "             | //",
        "             |/",
        "  100 FLOP/s |                *",
        "             |",
        "             +-----------------------",
        "                              * 100  + 10 FLOP/B",  # below the ridge it would touch
    ]
