"""The whole course: each wall is asked about, and what was claimed of a lesson stands in it."""

from __future__ import annotations

import pytest

from mlsysim.course import lessons as course
from mlsysim.walls import WALLS

ASKED = {  # a prediction that the wall decides, for each
    1: "00.3",
    2: "00.1",
    3: "16.3",
    4: "02.2",
    5: "03.3",
    6: "10.2",
    7: "02.5",
    8: "04.2",
    9: "04.3",
    10: "06.5",
    11: "06.1",
    12: "08.2",
    13: "05.2",
    14: "06.3",
    15: "06.2",
    16: "06.6",
    17: "07.3",
    18: "07.2",
    19: "15.1",
    20: "12.5",
    21: "09.4",
    22: "09.2",
}
# what seed 004's index says of a lesson, and the words with which the lesson shows or corrects it
CLAIMS = [
    ("00", "five lines of code, one answer", "In five lines of Python"),
    ("01", "3.2 times the FLOPS do not give 3.2 times the speed", "the operations a second are"),
    ("01", "for LLM inference, bandwidth is what binds", "only the pace of the answer"),
    ("02", "prefill is compute-bound, decode is memory-bound", "is **read** in one pass"),
    ("03", "at 128K the KV cache alone fills an 80 GB GPU", "fills an 80 GB chip"),
    ("04", "a step takes an A100 48 ms, and utilisation is 40 %", "keep it busy"),
    ("04", "JPEG decoding binds", "a JPEG must be decoded"),
    ("05", "nearly 4 times for memory-bound decode, none for compute-bound work", "nearly 4 times"),
    ("06", "the MTBF of 1,024 GPUs is 20 hours", "20 hours at this size"),
    ("06", "checkpoints take more time than communication", "checkpoints take more time"),
    ("07", "412 t in Iowa, 10 t in Quebec: 40 times", "412"),
    ("08", "K = 8 multiplies the bill by 7.6", "think in eight steps"),
    ("09", "-0.88 against -0.06: bandwidth is worth 15 times as much", "worth 15 times as much"),
    ("09", "an inverse roofline gives the hardware from an SLA", "Now backwards (wall 22)"),
    ("10", "a wafer removes the memory wall, and injection binds", "come in through the I/O"),
    ("11", "no nested loops, filtered by an SLA", "no step may take longer than 50 ms"),
    ("12", "twelve of the 22 walls in one analysis", "twelve of the 22 walls"),
    ("13", "the explainer says which regime was left", "Explain"),
    ("14", "a chip of your own, and a solver of your own", "class FetchOrRecompute(Solver)"),
    ("15", "solvers snap into a pipeline, and callbacks log", "A **callback** of yours"),
]


def test_every_wall_is_asked_about_in_a_prediction():
    assert sorted(ASKED) == [wall.number for wall in WALLS]
    for wall, name in ASKED.items():
        assert name in course.lesson(_stem(name[:2])).predictions, f"wall {wall}: {name}"


@pytest.mark.parametrize(("number", "claim", "words"), CLAIMS)
def test_a_claim_of_the_index_is_shown_or_corrected_in_its_lesson(number, claim, words):
    text = course.lesson(_stem(number)).file().read_text(encoding="utf-8")
    assert words.casefold() in text.casefold(), f"lesson {number}: {claim}"


def _stem(number):
    (stem,) = (stem for stem in course.stems() if stem.startswith(number))
    return stem
