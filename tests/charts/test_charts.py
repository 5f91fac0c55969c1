"""The charts: they take plain data, say what they show, and draw without a network."""

from __future__ import annotations

import pytest

from mlsysim import Engine, charts
from mlsysim.charts.parts import decades, span
from mlsysim.charts.theme import COLOURS
from mlsysim.palette import PALETTE


def rows(spec, layer):
    return spec["layer"][layer].get("data", spec.get("data"))["values"]  # or what all share


def test_a_roofline_says_its_devices_and_its_steps(h100, llama):
    step = Engine.solve(llama, h100, batch_size=8)
    spec = charts.roofline([h100], [step], efficiency=0.5, highlight=8).to_dict()
    assert spec["description"].startswith("Roofline of H100 SXM. batch 8: ")
    assert "Memory-bound" in spec["description"]
    (dot,) = rows(spec, 5)
    assert dot["here"]
    assert dot["rate"] == pytest.approx(dot["intensity"] * 3.35, rel=0.05)  # it lies on the slope
    ridge = 989.4 * 0.5 / 3.35
    assert rows(spec, 3)[0]["intensity"] == pytest.approx(ridge)
    memory, compute = rows(spec, 0)
    assert memory["to"] == compute["intensity"] == pytest.approx(ridge)


def test_the_regimes_are_those_of_the_device_that_is_shaded(h100, llama):
    from mlsysim import Hardware

    spec = charts.roofline([h100, Hardware.A100], shade=Hardware.A100).to_dict()
    assert rows(spec, 0)[0]["to"] == pytest.approx(312 / 2.039)


def test_a_prediction_stands_beside_the_answer_with_its_unit():
    spec = charts.versus(3.0, 70.0, "ms").to_dict()
    assert spec["description"] == "You predicted 3 ms; the solver says 70 ms."
    assert [row["value"] for row in rows(spec, 0)] == [3.0, 70.0]


def test_intuition_takes_plain_rows_and_holds_them_all():
    given = [
        {"question": "00.2", "predicted": 9.0, "computed": 4.5, "unit": "ms", "off": "2x"},
        {"question": "00.4", "predicted": 30.0, "computed": 150.0, "unit": "", "off": "5x"},
    ]
    spec = charts.intuition(given).to_dict()
    assert "00.2: predicted 9, computed 4.5 ms" in spec["description"]
    low, high = spec["layer"][2]["encoding"]["x"]["scale"]["domain"]
    assert (low, high) == (2.25, 300.0)  # the least and the most of them, with a factor 2 of air


def test_an_axis_is_labelled_at_decades_but_at_few():
    import altair as alt

    def ticks(*ends):
        return decades(alt.X("v:Q"), ends, "").to_dict()["axis"]["values"]

    assert ticks(0.5, 200.0) == [1.0, 10.0, 100.0]
    assert ticks(1e-3, 1e12) == [1e-3, 1.0, 1e3, 1e6, 1e9, 1e12]
    assert ticks(2.0, 8.0) == [2.0, 8.0]
    assert span([3.0, float("inf"), 0.0, 40.0], (1.0, 50.0)) == (1.0, 80.0)


def test_a_picture_is_drawn_without_a_network(tmp_path):
    charts.save(charts.versus(3.0, 70.0, "ms"), tmp_path / "versus.svg")
    drawn = (tmp_path / "versus.svg").read_text()
    assert "70 ms" in drawn
    assert PALETTE["amber"].light in drawn


def test_the_series_are_told_apart():
    assert len(set(COLOURS)) == len(COLOURS)
