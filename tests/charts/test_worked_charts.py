"""Every number that a chart draws, and every word that it says, worked by hand."""

from __future__ import annotations

import pytest

from mlsysim import Engine, Hardware, charts


def drawn(spec):
    """Each layer's rows, and the layers."""
    shared = spec.get("data")
    layers = spec["layer"]
    return [layer.get("data", shared)["values"] for layer in layers], layers


def domains(spec, channel):
    """The range of an axis, which all layers share."""
    found = [layer["encoding"].get(channel, {}).get("scale") for layer in spec["layer"]]
    (one,) = {tuple(scale["domain"]) for scale in found if scale}
    return one


def tips(layer):
    return [
        (tip["field"], tip.get("format"), tip.get("title")) for tip in layer["encoding"]["tooltip"]
    ]


@pytest.fixture
def roofline(h100, llama):
    trail = [Engine.solve(llama, h100, batch_size=batch) for batch in (1, 8)]
    return charts.roofline([h100], trail, efficiency=0.5, highlight=8).to_dict()


RIDGE = 494.7 / 3.35  # half of 989.4 TFLOP/s over 3.35 TB/s


def test_a_roof_is_a_slope_and_a_flat_line_that_meet_at_the_ridge(roofline):
    rows, _ = drawn(roofline)
    points = [(row["intensity"], row["rate"]) for row in rows[2]]
    assert points == [
        (0.3, pytest.approx(0.3 * 3.35)),
        (pytest.approx(RIDGE), pytest.approx(494.7)),
        (6000, pytest.approx(494.7)),
    ]
    (ridge,), (name,) = rows[3], rows[4]
    assert (ridge["intensity"], ridge["rate"]) == (pytest.approx(RIDGE), pytest.approx(494.7))
    assert (name["intensity"], name["rate"]) == (6000, pytest.approx(494.7))
    assert (name["long"], name["brief"]) == ("H100 495 TFLOP/s, ridge 148", "H100 495")


def test_the_axes_hold_the_roof_with_air_above_it(roofline):
    # to the left of 0.3 FLOP/B nothing is drawn; up to four times the peak, and 1.6 times that
    low, high = domains(roofline, "x")
    assert (low, high) == (0.3, 6000)
    bottom, top = domains(roofline, "y")
    assert bottom == pytest.approx(min(0.5, 0.3 * 3.35 / 2))
    assert top == pytest.approx(494.7 * 2 * 2 * 1.6)
    axis = roofline["layer"][2]["encoding"]
    assert axis["x"]["title"] == "Arithmetic intensity (FLOP per byte moved)"
    assert axis["y"]["title"] == "Attainable TFLOP/s"
    assert axis["x"]["axis"] == {"values": [1, 10, 100, 1000], "format": "~g"}
    assert axis["y"]["axis"] == {"values": [1, 10, 100, 1000], "format": "~s"}


def test_the_regimes_are_named_in_their_middle(roofline):
    rows, _ = drawn(roofline)
    assert [row["side"] for row in rows[1]] == ["memory", "compute"]
    middle = [row["intensity"] for row in rows[1]]
    assert middle == pytest.approx([(0.3 * RIDGE) ** 0.5, (6000 * RIDGE) ** 0.5])
    assert [row["rate"] for row in rows[1]] == [pytest.approx(0.5 * 1.5)] * 2
    assert [(row["intensity"], row["to"]) for row in rows[0]] == [
        (0.3, pytest.approx(RIDGE)),
        (pytest.approx(RIDGE), 6000),
    ]


def test_a_step_is_a_dot_at_its_intensity_and_its_rate(roofline):
    # 16.08 GFLOP and 15.28 GB in 4.571 ms; eight of them move 17.16 GB in 5.131 ms
    rows, layers = drawn(roofline)
    one, eight = rows[5]
    assert (one["batch"], one["here"], one["bound"], one["step"]) == (1, False, "Memory", "4.57 ms")
    assert (eight["batch"], eight["here"], eight["bound"]) == (8, True, "Memory")
    assert one["intensity"] == pytest.approx(16.083 / 15.278, rel=1e-3)
    assert one["rate"] == pytest.approx(16.083e9 / 4.571e-3 / 1e12, rel=1e-3)
    assert eight["intensity"] == pytest.approx(8 * 16.083 / 17.157, rel=1e-3)
    assert eight["rate"] == pytest.approx(8 * 16.083e9 / 5.131e-3 / 1e12, rel=1e-3)
    assert tips(layers[5]) == [
        ("batch", None, "batch"),
        ("intensity", ".3g", "FLOP/byte"),
        ("rate", ".3g", "TFLOP/s"),
        ("step", None, None),
        ("bound", None, "bound by"),
    ]
    assert tips(layers[3]) == [("device", None, None), ("ridge", ".0f", "ridge (FLOP/byte)")]
    assert roofline["description"] == (
        "Roofline of H100 SXM. batch 1: 3.52 TFLOP/s, Memory-bound; "
        "batch 8: 25.1 TFLOP/s, Memory-bound"
    )


def test_without_an_efficiency_the_roof_is_the_datasheets():
    spec = charts.roofline([Hardware.A100, Hardware.H100]).to_dict()
    rows, _ = drawn(spec)
    peaks = {row["device"]: row["rate"] for row in rows[2] if row["intensity"] == 6000}
    assert peaks == {"A100 SXM4 80GB": pytest.approx(312), "H100 SXM": pytest.approx(989.4)}


def test_a_guess_and_its_answer_share_an_axis_with_room_for_the_words():
    # from a third of the lesser to six times the larger, and more the further they are apart
    spec = charts.versus(3.0, 96.0, "ms").to_dict()
    assert domains(spec, "x") == (1.0, pytest.approx(96 * 6 * 32**0.4))
    rows, layers = drawn(spec)
    assert rows[0] == [
        {"who": "you", "value": 3.0, "brief": "3", "text": "3 ms"},
        {"who": "solver", "value": 96.0, "brief": "96", "text": "96 ms"},
    ]
    assert layers[0]["encoding"]["x"]["title"] == "ms"
    assert layers[0]["encoding"]["x2"]["datum"] == 1.0
    assert charts.versus(3.0, 96.0, "").to_dict()["layer"][0]["encoding"]["x"]["title"] == "value"


def test_a_perfect_guess_lies_on_the_diagonal_and_a_good_one_in_the_band():
    given = [{"question": "00.2", "predicted": 8.0, "computed": 4.0, "unit": "ms", "off": "2x"}]
    spec = charts.intuition(given).to_dict()
    rows, layers = drawn(spec)
    assert domains(spec, "x") == domains(spec, "y") == (2.0, 16.0)
    assert rows[0] == [
        {"computed": 2.0, "predicted": 2.0, "lo": 1.0, "hi": 4.0},
        {"computed": 16.0, "predicted": 16.0, "lo": 8.0, "hi": 32.0},
    ]
    assert rows[2] == given
    assert tips(layers[2])[-1] == ("off", None, "off by")
    assert spec["description"] == "Your intuition so far. 00.2: predicted 8, computed 4 ms"
