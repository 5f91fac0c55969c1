"""Exercise 16 on paper: energies of an answer, lives of batteries, and a doorbell."""

from __future__ import annotations

import pytest

from grading.check import load
from mlsysim.core.units import Q_
from mlsysim.course.sheet import Answer
from tests.grading.by_hand import called, known, variant

STEM = "16_tinyml_to_frontier"
DAY, YEAR = 86_400, 365 * 24  # seconds, hours
# ESP32-S3: 2 cores x 240 MHz x 16 lanes x 2 operations; 100 mA at 3.3 V awake and 7 uA asleep.
# STM32L4R5: 120 MHz x 2 x 2; nRF52840: 64 MHz x 2 x 2. Each takes 1 ms to start a look.
ESP, STM, NRF = (15.36e9, 0.330, 23.1e-6), (0.48e9, 39.6e-3, 0.43e-6), (0.256e9, 9.9e-3, 4.5e-6)
START = 1e-3
# keyword spotting: a convolution 10 x 4 to 25 x 5 x 64, four times a depthwise 3 x 3 and a
# pointwise one, and 12 words; in int8 each step reads the weights and, of each answer, what goes
# into its ten layers and comes out
PIXELS = 25 * 5
WORDS = 2 * (PIXELS * 64 * 40 + 4 * PIXELS * 64 * (9 + 64) + 64 * 12)
WORDS_WEIGHTS, WORDS_MOVED = 22_604, 49 * 10 + (1 + 4 * 4) * PIXELS * 64 + 64 + 12
# person detection on 96 x 96: a convolution, then a depthwise 3 x 3 and a pointwise one for each
# (pixels a side, channels in, channels out)
PAIRS = [(48, 8, 16), (24, 16, 32), (24, 32, 32), (12, 32, 64), (12, 64, 64), (6, 64, 128)]
PAIRS += 5 * [(6, 128, 128)] + [(3, 128, 256), (3, 256, 256)]
PERSON = 2 * (48**2 * 8 * 27 + sum(s**2 * i * (9 + o) for s, i, o in PAIRS) + 256 * 2)


def awake(chip, eta, operations=WORDS, start=START):
    """Seconds of a look."""
    return operations / (eta * chip[0]) + start


def test_an_answer_on_a_board_and_on_a_chip_that_many_share():
    own = {"model": "KeywordSpotting", "board": "ESP32_S3", "eta": 0.5}
    joules = 0.330 * awake(ESP, 0.5)
    assert known(STEM, "q1", **own) == {
        "": pytest.approx(1e3 * joules),  # mJ
        "took the whole peak": pytest.approx(330 * awake(ESP, 1)),
        "left out the launch": pytest.approx(330 * awake(ESP, 0.5, start=0)),
        "took the power for the energy": pytest.approx(330),
    }

    def step(answers):  # joules of an H100: 700 W, 3.35 TB/s, 10 us; the bytes outlast 1979 TOP/s
        return 700 * ((WORDS_WEIGHTS + answers * WORDS_MOVED) / 3.35e12 + 10e-6)

    shared = step(64) / 64 / joules
    assert known(STEM, "q2", **own, big="H100", share=64) == {
        "": pytest.approx(shared),
        "let every answer have a launch of its own": pytest.approx(step(1) / joules),
        "compared powers": pytest.approx(700 / 0.330),
        "took the energy of the whole step": pytest.approx(step(64) / joules),
    }
    follow = load(STEM).questions["q2"].check.follow  # from four times the energy: a quarter
    v = variant(STEM, **own, big="H100", share=64)
    assert follow(v, Q_(4 * joules, "J")) == pytest.approx(shared / 4)
    assert follow(v, Q_(0, "J")) is None


@pytest.mark.parametrize(("part", "told"), [(0.069, False), (0.071, True)])
def test_a_launch_that_is_a_small_part_of_the_energy_is_no_slip(part, told):
    eta = WORDS / STM[0] / (START / part - START)  # the launch is that part of the time
    found = known(STEM, "q1", model="KeywordSpotting", board="STM32L4R5ZI", eta=eta)
    assert ("left out the launch" in found) == told


def test_bytes_that_outlast_the_arithmetic_still_take_their_time():
    # anomaly detection, 264,192 multiply-adds on an nRF52840 with 265,864 weights in a flash of
    # 64 MB/s, and in SRAM (256 MB/s) what goes into and out of ten layers of 640, 128 and 8
    own = {"model": "AnomalyDetection", "board": "nRF52840", "eta": 0.4}
    values = 640 + 2 * (4 * 128 + 8 + 4 * 128) + 640
    reading = 265_864 / 64e6 + values / 256e6
    assert 2 * 264_192 / 0.256e9 < reading < 2 * 264_192 / 0.4 / 0.256e9
    assert known(STEM, "q1", **own) == {
        "": pytest.approx(9.9 * awake(NRF, 0.4, 2 * 264_192)),
        "took the whole peak": pytest.approx(9.9 * (reading + START)),
        "left out the launch": pytest.approx(9.9 * awake(NRF, 0.4, 2 * 264_192, start=0)),
        "took the power for the energy": pytest.approx(9.9),
    }


@pytest.mark.parametrize(
    ("model", "chip", "eta", "pause", "most"),
    [  # uJ of launch, work and sleep:
        ("KeywordSpotting", "ESP32_S3", 0.52, 5, "launch"),  # 330, 220, 115
        ("KeywordSpotting", "ESP32_S3", 0.52, 15, "sleep"),  # 330, 220, 346
        ("KeywordSpotting", "ESP32_S3", 0.12, 40, "arithmetic"),  # 330, 951, 923
        ("AnomalyDetection", "nRF52840", 0.52, 5, "bytes"),  # 9.9, 41 (arithmetic: 39), 22
        ("AnomalyDetection", "nRF52840", 0.52, 15, "sleep"),  # 9.9, 41, 67
    ],
)
def test_what_takes_most_of_the_energy(model, chip, eta, pause, most):
    assert known(STEM, "q3", model=model, chip=chip, eta=eta, pause=pause) == {
        "": most,
        **({"compared times and not energies": "sleep"} if most != "sleep" else {}),
        **({"compared powers and not energies": "arithmetic"} if most != "arithmetic" else {}),
    }


def test_how_long_a_battery_lasts():
    def days(eta, asleep=STM[2]):  # 1.5 Wh; a look every 500 s
        seconds = awake(STM, eta)
        return 1.5 * 3600 / ((STM[1] * seconds + asleep * (500 - seconds)) / 500) / DAY

    own = {"model": "KeywordSpotting", "chip": "STM32L4R5ZI", "pause": 500, "cell": 1.5}
    always = 1.5 / 39.6e-3 / 24
    assert known(STEM, "q4", **own, low=0.2, high=0.6) == {
        "": pytest.approx((days(0.2), days(0.6))),
        "left out the sleep": pytest.approx((days(0.2, asleep=0), days(0.6, asleep=0))),
        "kept the chip awake": pytest.approx((always, 1.001 * always)),  # two ends must differ
    }
    # an ESP32's sleep of a second is 23 uJ, 2 or 3 % of its looks at an eta of 0.1 or 0.3; that of
    # five is 4 and 22 % of those at 0.05 and 0.6: one end that differs is enough
    for pause, low, high in ((1, 0.1, 0.3), (5, 0.05, 0.6)):
        own |= {"chip": "ESP32_S3", "pause": pause}
        told = "left out the sleep" in known(STEM, "q4", **own, low=low, high=high)
        assert told == (pause == 5)


def test_which_answer_takes_the_least():
    power = {"a_mw": 2, "b_mw": 260, "c_mw": 60, "d_mw": 130}
    time = {"a_ms": 210, "b_ms": 7, "c_ms": 11, "d_ms": 3}  # 420, 1820, 660 and 390 uJ
    assert known(STEM, "q5", **power, **time) == {
        "": ("d", "a", "c", "b"),
        "ordered by power": ("a", "c", "d", "b"),
        "ordered by time": ("d", "b", "c", "a"),
    }


def test_a_doorbell_and_its_edges():
    bell = (
        "question: which doorbell?\nworkload: {{phase: forward, model: {1}, precision: {2}, "
        "efficiency: {3}, arrival_rate_qps: {4} 1/hour}}\n"
        "fleet: {{hardware: {0}}}\nenvironment: {{{5}}}"
    )

    def year(chip, looks, asleep=1):  # Wh, with a part of the sleep
        seconds = awake(chip, 0.3, PERSON)
        rest = asleep * chip[2] * (3600 / looks - seconds)
        return (chip[1] * seconds + rest) * looks / 3600 * YEAR

    def tried(chip="STM32L4R5ZI", wh=None, looks=20, deadline=120.0, asked=20, **other):
        how = {"model": "PersonDetection", "precision": "int8", "eta": 0.3, **other}
        place = f"battery: {wh:.6f} Wh" if wh else "grid: Virginia"
        text = bell.format(chip, *how.values(), looks, place)
        v = variant(STEM, rate=asked, deadline=deadline)
        mark = load(STEM).questions["q6"].answered(Answer(value=text), v)[1]
        return "right" if mark.kind == "right" else mark.name or mark.message

    # at 20 an hour the STM32 needs least of those in time: 0.21 Wh, the ESP32 0.27, the nRF52840
    # 0.13, but its look takes 196 ms
    least = year(STM, 20)
    assert least == min(year(chip, 20) for chip in (ESP, STM))
    assert year(NRF, 20) < least
    for wh in (0.9995 * least, 1.0995 * least):
        assert tried(wh=wh) == "right"
    assert "at most a tenth larger" in tried(wh=1.101 * least)
    assert tried("nRF52840", year(NRF, 20)) == "chose a chip that is too slow"
    # looks alone: from 5 % too little for them to 10 % more, and too little for the sleep as well
    assert tried(wh=0.97 * year(STM, 20, asleep=0)) == "sized the battery for the looks alone"
    assert "it lives a year" in tried(wh=0.94 * year(STM, 20, asleep=0))
    looks = year(ESP, 20, asleep=0)
    assert tried("ESP32_S3", 1.09 * looks) == "sized the battery for the looks alone"
    assert "it lives a year" in tried("ESP32_S3", 1.11 * looks)
    # a look of the STM32 takes 105.0 ms; the ESP32 is next
    late = 1e3 * awake(STM, 0.3, PERSON)
    assert tried(wh=least, deadline=late + 0.01) == "right"
    assert tried(wh=least, deadline=late - 0.01) == "chose a chip that is too slow"
    for part, said in ((0.998, "it lives a year"), (0.9995, "right"), (1.0995, "right")):
        assert said in tried("ESP32_S3", part * year(ESP, 20), deadline=late - 0.01)
    # at 30 an hour and 260 ms the nRF52840 will do
    assert tried("nRF52840", 1.09 * year(NRF, 30), looks=30, asked=30, deadline=260) == "right"
    # and nothing but the doorbell that is asked for: 1 % of its looks is nobody's concern
    assert tried(wh=1.02 * least, looks=20.19) == "right"
    for other in ({"looks": 20.21}, {"model": "TinyResNet"}, {"precision": "fp16"}, {"eta": 0.5}):
        assert "it is the doorbell of the question" in tried(wh=1.05 * least, **other)
    assert "its chip is one of the three" in tried("STM32U575", least)
    assert "it has a battery" in tried()


@pytest.mark.parametrize(
    ("operations", "pause", "battery"),
    [(1e7, 60, 1.5), (0, 10, 2), (1e11, 1, 1)],  # the last takes a quarter of an hour
)
def test_the_life_of_a_battery_as_a_function(operations, pause, battery):
    def days(eta=0.4, asleep=NRF[2], start=START):
        seconds = awake(NRF, eta, operations, start)
        if seconds > pause:
            return 0
        joules = NRF[1] * seconds + asleep * (pause - seconds)
        return pytest.approx(battery * 3600 / (joules / pause) / DAY)

    found = called(STEM, "q7", (operations, pause, battery), chip="nRF52840", eta=0.4)
    assert found == {
        "": days(),
        "left out the sleep": days(asleep=0),
        "took the whole peak": days(eta=1),
        "left out the launch": days(start=0),
    }
