"""The roofline: what is drawn from what, what it says, at any size of device."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mlsysim import Engine, Hardware, charts
from mlsysim.charts.roofs import labels_of
from mlsysim.core.errors import BadArgument
from tests.charts.drawn import picture, rows

# NVIDIA's datasheet of the H100 SXM: 989.4 TFLOP/s in fp16, 3.35 TB/s; at half of the peak 147.7
RIDGE = 989.4 * 0.5 / 3.35


def steps(llama, h100, *batches, seq_len=1):
    return [Engine.solve(llama, h100, batch_size=b, seq_len=seq_len) for b in batches]


def test_the_roof_is_what_is_reached_and_the_datasheet_is_the_line_above(h100, llama):
    chart = charts.roofline([h100], steps(llama, h100, 8), efficiency=0.5)
    roof = [row for row in rows(chart, "line", "device") if row["y"] <= 989.4 / 2 + 1e-6]
    assert roof[-1]["y"] == pytest.approx(989.4 / 2)
    (ridge,) = (row for row in rows(chart, "point", "said"))
    assert ridge["x"] == pytest.approx(RIDGE)
    assert max(row["y"] for row in rows(chart, "line", "device")) == pytest.approx(989.4)


def test_a_dot_is_what_a_step_attains_at_its_intensity(h100, llama):
    (step,) = steps(llama, h100, 8)
    (dot,) = rows(charts.roofline([h100], [step], efficiency=0.5, highlight=8), "point", "bound")
    assert dot["x"] == pytest.approx(step.arithmetic_intensity.m_as("FLOP/B"))
    assert dot["y"] == pytest.approx((step.operations / step.latency).m_as("TFLOP/s"))
    assert dot["y"] == pytest.approx(dot["x"] * 3.35, rel=0.05)  # it lies on the slope
    assert dot["here"]
    assert dot["bound"] == "memory"


def test_the_regimes_are_those_of_the_device_that_is_shaded(h100):
    chart = charts.roofline([h100, Hardware.A100], shade=Hardware.A100)
    memory, compute = rows(chart, "rect")
    assert memory["to"] == compute["x"] == pytest.approx(312 / 2.039)


def scale(chart, way):
    """The ends of an axis, and its title."""
    shown = chart.to_dict()["layer"][0 if way == "x" else 1]["encoding"][way]
    return shown["scale"]["domain"], shown["title"]


def test_both_axes_hold_the_roof_and_its_ridge_with_some_slope_before_it(h100):
    """From a thirtieth of the ridge to twelve times as much; a tenth of the decades below."""
    chart = charts.roofline([h100], efficiency=0.5)
    across, title = scale(chart, "x")
    assert across == pytest.approx([RIDGE / 30, 12 * RIDGE])
    assert title == "Arithmetic intensity (FLOP per byte moved)"
    low = 3.35 * RIDGE / 30
    up, title = scale(chart, "y")
    decades = 989.4 / low
    assert up == pytest.approx([low * decades**-0.1, 989.4 * decades**0.14])
    assert title == "Rate of operations (TFLOP/s)"
    dotted = charts.roofline([h100], {"mine": ("1 FLOP/B", "1e12 FLOP/s")}, efficiency=0.5)
    assert scale(dotted, "x")[0] == pytest.approx([0.5, 12 * RIDGE])  # half of where it stands
    decades = 989.4 / 0.5
    assert scale(dotted, "y")[0] == pytest.approx([0.5 * decades**-0.1, 989.4 * decades**0.14])


@pytest.mark.parametrize(("rate", "unit"), [(3.4e9, "TFLOP/s"), (3.2e9, "FLOP/s")])
def test_rates_too_far_apart_for_one_prefix_have_none(h100, rate, unit):
    """The peak of 989.4 TFLOP/s is 300,000 times 3.3 GFLOP/s; a dot needs room down to its half."""
    chart = charts.roofline([h100], {"slow": (1.0, 2 * rate)})
    assert scale(chart, "y")[1] == f"Rate of operations ({unit})"


def test_a_regime_is_named_where_it_has_room(h100):
    """Its own ridge, of a device that is not drawn, cut at the ends of the axis."""
    chart = charts.roofline([h100], shade=Hardware.A100)
    (low, high), _ = scale(chart, "x")
    ridge = 312 / 2.039
    memory, compute = rows(chart, "rect")
    assert [memory["x"], memory["to"], compute["to"]] == pytest.approx([low, ridge, high])
    words = {r["side"]: r["x"] for r in rows(chart, "text", "side")}
    assert words == pytest.approx(
        {"memory": (low * ridge) ** 0.5, "compute": (ridge * high) ** 0.5}
    )
    tiny = Hardware.Tiny.ESP32_S3.replace(compute=h100.compute)  # its ridge lies far to the right
    beyond = charts.roofline([h100], shade=tiny)
    assert rows(beyond, "rect")[0]["to"] == scale(beyond, "x")[0][1]
    assert [r["side"] for r in rows(beyond, "text", "side")] == ["memory"]


def test_the_datasheet_is_a_line_of_its_own_where_the_roof_lies_below_it(h100):
    """From the ridge up the slope to 989.4 / 3.35, and from there on flat."""
    chart = charts.roofline([h100], efficiency=0.5)
    thin, roof = rows(chart, "line", "device")[:3], rows(chart, "line", "device")[3:]
    high = 12 * RIDGE
    assert [(r["x"], r["y"]) for r in thin] == [
        (pytest.approx(RIDGE), pytest.approx(989.4 / 2)),
        (pytest.approx(2 * RIDGE), pytest.approx(989.4)),
        (pytest.approx(high), pytest.approx(989.4)),
    ]
    assert [r["x"] for r in roof] == pytest.approx([RIDGE / 30, high])  # by way of the first
    for efficiency, own in ((0.9985, False), (0.9995, True)):  # this near it is the datasheet's
        chart = charts.roofline([h100], efficiency=efficiency)
        assert (len(rows(chart, "line", "device")) == 3) == own
        assert ("of a peak of" not in charts.words(chart)) == own


def test_words_name_ridge_peak_bandwidth_and_every_step(h100, llama):
    said = charts.words(charts.roofline([h100], steps(llama, h100, 1, 256), efficiency=0.5))
    assert said.startswith("From batch 256 on, compute decides. Roofline. H100: roof 495 TFLOP/s")
    assert "of a peak of 989 TFLOP/s, 3.35 TB/s, ridge at 148 FLOP/byte" in said
    assert "batch 1: 3.34 TFLOP/s at 1 FLOP/byte, memory-bound" in said
    assert "256: 494 TFLOP/s at 255 FLOP/byte, compute-bound" in said


def test_a_step_that_does_not_fit_is_hollow_and_said_to_be(h100, llama):
    chart = charts.roofline([h100], steps(llama, h100, 1, 1024, seq_len=1024), efficiency=0.5)
    assert [row["feasible"] for row in rows(chart, "point", "bound")] == [True, False]
    assert "does not fit in memory" in charts.words(chart)
    assert charts.table(chart)[-1]["note"].endswith("does not fit in memory")


def test_a_guessed_time_stands_at_the_intensity_of_the_last_step(h100, llama):
    (step,) = steps(llama, h100, 64)
    (you,) = rows(charts.roofline([h100], [step], guess=2 * step.latency), "point", "dx", "name")[
        -1:
    ]
    assert you["name"] == "you"
    assert you["x"] == pytest.approx(step.arithmetic_intensity.m_as("FLOP/B"))
    assert you["y"] == pytest.approx((step.operations / step.latency).m_as("TFLOP/s") / 2)
    with pytest.raises(BadArgument, match="a time needs a step"):
        charts.roofline([h100], guess="3 ms")


@pytest.mark.parametrize("guess", ["0 ms", (0, "3 TFLOP/s"), (1, "0 TFLOP/s")])
def test_a_guess_of_nothing_is_left_out(h100, llama, guess):
    chart = charts.roofline([h100], steps(llama, h100, 64), guess=guess)
    assert all(row.get("name") != "you" for row in rows(chart, "point", "dx"))


def test_without_a_title_steps_of_one_bound_are_the_finding(h100, llama):
    one = charts.roofline([h100], steps(llama, h100, 1), efficiency=0.5)
    assert charts.words(one).startswith("This step is memory-bound.")
    both = charts.roofline([h100], steps(llama, h100, 1, 2), efficiency=0.5)
    assert charts.words(both).startswith("Every step is memory-bound.")
    named = {"read": steps(llama, h100, 512)[0], "write": steps(llama, h100, 1)[0]}
    turned = charts.roofline([h100], named, efficiency=0.5)
    assert charts.words(turned).startswith("From batch write on, memory decides.")


def test_the_table_has_ridges_and_steps_in_teraflops(h100):
    chart = charts.roofline(
        [h100], {"mine": (1.0, "2.3 TFLOP/s")}, efficiency=0.5, ceilings={"fp32": "67 TFLOP/s"}
    )
    rows = [tuple(row.values()) for row in charts.table(chart)]
    assert rows == [
        ("H100", pytest.approx(RIDGE), pytest.approx(989.4 / 2), "its ridge"),
        ("fp32", pytest.approx(67 / 3.35), pytest.approx(67), "this ceiling's ridge"),
        ("mine", 1, pytest.approx(2.3), ""),
    ]


def test_steps_may_have_names_and_dots_may_be_measured(h100, llama):
    chart = charts.roofline(
        [h100], {"write": steps(llama, h100, 1)[0], "measured": (1.0, "2.3 TFLOP/s")}
    )
    dots = {row["name"]: row["y"] for row in rows(chart, "point", "bound")}
    assert list(dots) == ["write", "measured"]
    assert dots["measured"] == pytest.approx(2.3)


def test_names_are_short_and_distinct():
    assert labels_of(["H100 SXM", "A100 SXM4 80GB"]) == ["H100", "A100"]
    assert labels_of(["TPU v4", "TPU v5e", "TPU v5p"]) == ["TPU v4", "TPU v5e", "TPU v5p"]
    assert labels_of(["GeForce RTX 4090", "GeForce RTX 3090"]) == [
        "GeForce RTX 4090",
        "GeForce RTX 3090",
    ]
    assert labels_of(["CS-2 (WSE-2)", "Gaudi"]) == ["CS-2", "Gaudi"]
    assert labels_of(["X1 40GB", "X1 80GB"]) == ["X1 40GB", "X1 80GB"]


def test_a_microcontroller_reads_as_well_as_a_gpu(tmp_path):
    chart = charts.roofline([Hardware.Tiny.ESP32_S3, Hardware.B200], precision="int8")
    _, texts = picture(chart, tmp_path, size="phone")
    assert "ESP32-S3 15.4 GFLOP/s" in texts
    assert "B200 4.5 PFLOP/s" in texts
    alone = charts.roofline([Hardware.Tiny.ESP32_S3], precision="int8")
    assert "Rate of operations (GFLOP/s)" in picture(alone, tmp_path)[1]


def test_more_roofs_than_one_keep_their_names_apart(tmp_path):
    close = [Hardware.A100, Hardware.L40S, Hardware.H100]
    chart = charts.roofline(close, efficiency=0.5)
    # of several the datasheet's peaks are left out
    assert max(row["y"] for row in rows(chart, "line", "device")) == pytest.approx(989.4 / 2)
    names = rows(chart, "text", "middle")
    heights = sorted(360 * row["middle"] for row in names)
    assert len(heights) == 3
    assert all(high - low >= 20 - 1e-6 for low, high in pairwise(heights))


def test_no_device_is_no_roofline():
    with pytest.raises(BadArgument, match="at least one device"):
        charts.roofline([])


def test_without_a_title_the_ridge_is_the_finding(h100):
    assert charts.words(charts.roofline([h100], efficiency=0.5)).startswith(
        "Below 148 operations a byte, memory limits the H100."
    )
    both = charts.roofline([h100, Hardware.A100], efficiency=0.5)
    # 147.7 over 76.5
    assert charts.words(both).startswith(
        "The H100 needs 1.9 times as much work a byte as the A100."
    )


def test_a_ceiling_is_a_limit_beside_the_devices_own_as_far_as_it_counts(h100, tmp_path):
    """67 TFLOP/s of fp32 begin at 67 / 3.35 FLOP/B; from L2 the peak is reached at 989.4 / 5.5."""
    limits = {"fp32": "67 TFLOP/s", "L2": "5.5 TB/s"}
    chart = charts.roofline([h100], ceilings=limits)
    lines = rows(chart, "line", "limit")
    flat = [row for row in lines if row["limit"] == "fp32"]
    assert [row["y"] for row in flat] == pytest.approx([67, 67])
    assert flat[0]["x"] == pytest.approx(67 / 3.35)
    assert flat[1]["x"] == pytest.approx(12 * 989.4 / 3.35)  # to the end of the axis
    low, end = (row for row in lines if row["limit"] == "L2")
    assert low["x"] == scale(chart, "x")[0][0]
    (look,) = [layer["mark"] for layer in chart.to_dict()["layer"]
               if layer["encoding"].get("detail", {}).get("field") == "limit"]  # fmt: skip
    assert (look["strokeWidth"], look["strokeDash"], look["clip"]) == (1.2, [4, 3], True)
    (name,) = [row for row in rows(chart, "text", "dx") if row["text"][0] == "L2 5.5 TB/s"]
    middle = (low["x"] * end["x"]) ** 0.5
    assert (name["x"], name["y"]) == pytest.approx((middle, 5.5 * middle))
    assert (name["dx"], name["dy"], name["align"]) == ([-8] * 3, [-6] * 3, ["right"] * 3)
    assert low["y"] == pytest.approx(low["x"] * 5.5)
    assert (end["x"], end["y"]) == pytest.approx((989.4 / 5.5, 989.4))
    assert "fp32: a ceiling of 67 TFLOP/s; L2: a ceiling of 5.5 TB/s" in charts.words(chart)
    shown = picture(chart, tmp_path)[1]
    assert {"fp32 67 TFLOP/s", "L2 5.5 TB/s"} <= {*shown}


@pytest.mark.parametrize("rate", [67, "67 GB", "3 ms", None])
def test_a_ceiling_that_is_no_rate_says_what_would_do(h100, rate):
    remedy = (
        r"give a rate such as '67 TFLOP/s', or '5\.5 TB/s' of a memory|give a number or a quantity"
    )
    with pytest.raises(BadArgument, match=rf"mine cannot be .*: ({remedy})"):
        charts.roofline([h100], ceilings={"mine": rate})
