"""Exercise 17 on paper: measured steps over the law, and what can be said of a new one.

What `longer` says of a row goes through operators one after the other, far too many for paper: one
row is held here, and the questions that ask about its factors are given numbers in its place.
"""

from __future__ import annotations

import pytest

from grading.check import load
from grading.checks import c17_reality_check as c17
from tests.grading.by_hand import known, variant

STEM = "17_reality_check"
A100, T4, T4_FP32 = (312e12, 2.039e12), (65e12, 320e9), (8.1e12, 320e9)  # FLOP/s and bytes a second


def bottlenecks(into, width, blocks, side, stride):
    """Multiply-adds of a stage of ResNet-50 that comes out `side` wide."""
    narrowed = (side * stride) ** 2 * into * width + (blocks - 1) * side**2 * 4 * width * width
    widened = blocks * side**2 * (9 * width + 4 * width) * width  # the stride is in the 3 x 3
    return narrowed + widened + side**2 * into * 4 * width  # and the way past the first block


STAGES = [(64, 64, 3, 56, 1), (256, 128, 4, 28, 2), (512, 256, 6, 14, 2), (1024, 512, 3, 7, 2)]
# 224 x 224: a convolution 7 x 7 to 112 x 112 x 64, four stages, and a thousand classes
RESNET = 2 * (112**2 * 64 * 3 * 49 + sum(bottlenecks(*each) for each in STAGES) + 2048 * 1000)
RESNET_WEIGHTS = 25_557_032
# ViT-B/16 at 384 x 384: 24 x 24 patches of 16 x 16 x 3 and a class token through 12 layers of 768
TOKENS, WIDE = 24**2 + 1, 768
LAYER = 2 * TOKENS * (4 + 2 * 4) * WIDE**2 + 4 * TOKENS**2 * WIDE
VIT = 12 * LAYER + 2 * 24**2 * (16 * 16 * 3) * WIDE + 2 * WIDE * 1000


def test_a_measured_step_over_the_longer_of_its_roofs():
    # cnn0981: 652 images a second, eight at a time, on a T4 in fp16; the weights take 0.16 ms
    step, work = 8 / 652, 8 * RESNET / T4[0]
    assert known(STEM, "q1", row="cnn0981", eta=0.4) == {
        "": pytest.approx(step / (work / 0.4)),
        "counted a multiply-add as one operation": pytest.approx(step / (work / 2 / 0.4)),
        "forgot the efficiency": pytest.approx(step / work),
        "took the shorter of the two times": pytest.approx(step / (2 * RESNET_WEIGHTS / T4[1])),
        "turned the factor round": pytest.approx(work / 0.4 / step),
    }
    # cnn0497: 11.23 ms for eight images on an A100 in fp16
    found = known(STEM, "q1", row="cnn0497", eta=0.6)[""]
    assert found == pytest.approx(11.23e-3 / (8 * VIT / (0.6 * A100[0])))


@pytest.mark.parametrize(
    ("row", "rate", "parameters", "width", "layers", "hidden"),
    [  # Llama 2 in 16 bits and in four: 104.9 and 25.25 tokens a second on an A100
        ("dec0504", 104.9, 6_738_415_616, 2, 32, 4096),
        ("dec0508", 25.25, 68_976_648_192, 0.5, 80, 8192),
    ],
)
def test_a_token_waits_for_the_weights(row, rate, parameters, width, layers, hidden):
    # all but the table of words and the norms are multiplied; attention sees a hundred tokens
    matrices = parameters - 32000 * hidden - (2 * layers + 1) * hidden
    core = (2 * matrices + layers * 4 * 100 * hidden) / (0.4 * A100[0])
    factor = 1 / rate / (width * parameters / A100[1])  # η and operations change nothing
    assert known(STEM, "q1", row=row, eta=0.4) == {
        "": pytest.approx(factor),
        "took the shorter of the two times": pytest.approx(1 / rate / core),
        "turned the factor round": pytest.approx(1 / factor),
    }


TWENTY = [0.5, 0.8, *[1 + n / 10 for n in range(16)], 4, 9]


def test_from_where_to_where_a_new_time_lies(monkeypatch):
    monkeypatch.setattr(c17, "factors", lambda first: TWENTY[::-2] + TWENTY[::2])
    assert known(STEM, "q2", said=50) == {
        "": pytest.approx((40, 200)),  # ms: 50 times 0.8 and 4
        "kept all twenty": pytest.approx((25, 450)),
        "took the law for the lower end": pytest.approx((50, 200)),
        "divided by the factors": pytest.approx((50 / 4, 50 / 0.8)),
        "took one width for both ways": pytest.approx((50 / 4, 200)),
    }
    # an end that is nearly the true one tells nobody's slip: 5 % of it is nothing
    for low, told in ((0.955, False), (0.945, True)):
        monkeypatch.setattr(c17, "factors", lambda first, low=low: [low, low, *TWENTY[2:-1], 4.1])
        slips = known(STEM, "q2", said=50)
        assert ("took the law for the lower end" in slips) == told
        assert "kept all twenty" not in slips  # 2.5 % more at one end
        assert "divided by the factors" in slips


def test_factors_are_those_of_twenty_rows_of_one_kind_in_time(monkeypatch):
    monkeypatch.setattr(c17, "longer", lambda name: name)
    # the numbers between are of rows that measured energy
    ids = "15 17 21 23 25 28 29 30 32 33 34 36 37 38 40 41 42 44 45 46"
    assert c17.factors.__wrapped__("tin1015") == tuple(f"tin10{n}" for n in ids.split())


def test_a_row_is_as_many_times_longer_as_its_rate_is_lower():
    # dec0504 again, at the law of operators: of the table only a row, but a cache of about 105
    # tokens, keys and values of 32 layers of 4096, and 10 us to launch; what attention moves beside
    # them is a thousandth of that
    law = (2 * (6_738_415_616 - 4096 * 32000) + 105 * 2 * 2 * 32 * 4096) / A100[1] + 10e-6
    assert c17.longer("dec0504") == pytest.approx(1 / 104.9 / law, rel=1e-3)
    # ViT-B at 16 and 32 images: 21.56 and 43.91 ms, and twice the work
    ratio = c17.longer("cnn0499") / c17.longer("cnn0498")
    assert ratio == pytest.approx(43.91 / 21.56 / 2, rel=1e-3)  # but for launches and weights


@pytest.mark.parametrize(
    ("small", "middle", "large", "wrong"),
    [
        (1.14, 1.0, 0.88, "neither"),
        (1.16, 1.1, 1.05, "a constant is wrong"),
        (0.86, 0.9, 0.95, "a constant is wrong"),
        (1.6, 1.5, 1.4, "a constant is wrong"),  # the ends are 14 % apart
        (1.62, 1.5, 1.4, "an effect is missing"),  # 16 %
        (12, 3, 1, "an effect is missing"),
    ],
)
def test_what_three_rows_say_of_the_law(monkeypatch, small, middle, large, wrong):
    given = {"s": small, "m": middle, "l": large}
    monkeypatch.setattr(c17, "longer", given.__getitem__)
    assert known(STEM, "q3", small="s", middle="m", large="l") == {
        "": wrong,
        "tuned a constant where none mends it": "a constant is wrong",
        "added an effect where none is missing": "an effect is missing",
    }


def test_three_rows_of_resnet_50_that_need_no_law():
    # a T4 in fp16: 1, 8 and 32 images take 12.7, 12.3 and 28.4 ms, so most of it is no work
    rows = {"small": "cnn0980", "middle": "cnn0981", "large": "cnn0982"}
    assert known(STEM, "q3", **rows)[""] == "an effect is missing"
    # 32, 128 and 256 take 0.89, 0.84 and 0.83 ms an image, of which half of the peak explains 0.25
    rows = {"small": "cnn0982", "middle": "cnn0983", "large": "cnn0984"}
    assert known(STEM, "q3", **rows)[""] == "a constant is wrong"


def claims(**times):
    """Of a brochure: each so many times what one row measured."""
    rows = {"A": "dec0504", "B": "dec0504", "C": "cnn0978", "D": "cnn0978", "E": "cnn0978"}
    return {f"row_{c}": row for c, row in rows.items()} | {
        f"times_{c}": n for c, n in times.items()
    }


def test_claims_that_break_the_floor():
    # a token of Llama 2 7B takes 6.61 ms at least and was measured at 9.53: 1.44 times. 128 images
    # on a T4 in fp32 take 129 ms and were measured at 300, 426 a second: 2.32 times, 1.16 at half
    # of the peak and 4.65 with half of the operations
    token, images = A100[1] / (2 * 6_738_415_616) / 104.9, T4_FP32[0] / RESNET / 426
    assert (token, images) == (pytest.approx(1.442, rel=1e-3), pytest.approx(2.325, rel=1e-3))
    some = {"A": 1.01 * token, "B": 0.99 * token, "C": 1.01 * images, "D": 0.51 * images}
    assert known(STEM, "q4", **claims(**some, E=2.01 * images)) == {
        "": {"A", "C", "E"},
        "took half of the peak for the floor": {"A", "C", "D", "E"},
        "counted a multiply-add as one operation": {"A", "E"},
    }
    below = {"A": 0.9, "B": 0.99 * token, "C": 0.49 * images, "D": 1, "E": 0.99 * images}
    slip = {"took half of the peak for the floor": {"E"}}
    assert known(STEM, "q4", **claims(**below)) == slip  # nothing breaks it, which is never drawn


LINES = {
    "line_1": "measured ÷ computed",
    "line_2": "the median factor of the rows of table 1",
    "line_3": "the rows of table 2, which it never saw",
    "line_4": "at least 1/1.5 and at most 1.5",
    "line_5": "all rows of table 2, and how many these are",
}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (1, "measured − computed, in ms"),
        (2, "the median factor of the rows of tables 1 and 2"),
        (3, "the rows of table 1, from which it came"),
        (4, "at most 1.5"),
        (5, "the rows of table 2 without its three worst"),
    ],
)
def test_a_line_of_an_evaluation_that_is_wrong(line, wrong):
    assert known(STEM, "q5", **{**LINES, f"line_{line}": wrong}) == {
        "": f"line {line}",
        "blamed the measure, which is fair": "line 4",
        "blamed the share, which hides nothing": "line 5",
    }


@pytest.mark.parametrize(
    ("width", "six", "held"),
    [  # the constant is 1.5: the truth, then one end, differences, no constant, zeros counted
        # 0.5, 0.8, 2, 2.2 and 4 are 0.33, 0.53, 1.33, 1.47 and 2.67 of it; 1/1.6 is 0.625
        (1.6, (0.5, 0.8, 2, 2.2, 4, 0), (2 / 5, 4 / 5, 3 / 5, 1 / 5, 2 / 6)),
        (2, (0.75, 3, 0, 0, 0, 0), (1, 1, 1, 1 / 2, 2 / 6)),  # both ends belong to it
        (2, (0.5, 2, 0, 0, 0, 0), (1 / 2, 1, 1, 1, 1 / 6)),  # 0.33 and 1.33
        (2, (0,) * 6, (0, 0, 0, 0, 0)),
    ],
)
def test_how_often_an_interval_holds_as_a_function(width, six, held):
    check, v = load(STEM).questions["q6"].check, variant(STEM, centre=1.5)
    named = {"": check.truth, **check.misconceptions}
    given = dict(zip("abcdef", six, strict=True))
    slips = "looked at one end only", "took factors for differences", "left out the constant"
    names = "", *slips, "counted rows that nobody measured"
    assert {name: f(v)(width, **given) for name, f in named.items()} == {
        name: pytest.approx(share) for name, share in zip(names, held, strict=True)
    }
