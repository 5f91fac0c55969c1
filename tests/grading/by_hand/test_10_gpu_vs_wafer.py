"""Exercise 10 on paper: weights that come in through a door, and what lies inside."""

from __future__ import annotations

import pytest

from tests.grading.by_hand import called, judged, known

STEM = "10_gpu_vs_wafer"
# Llama 3 70B: 80 layers of 8192, 8 key-value heads of 128 (and 64 of queries), a gated ffn of
# 28672, vocabulary 128256; every matrix comes in for a token, and of the table one row
LAYERS, HIDDEN, FFN, WORDS = 80, 8192, 28672, 128_256
MATRICES = LAYERS * (2 * HIDDEN**2 + 2 * HIDDEN * 1024 + 3 * HIDDEN * FFN) + WORDS * HIDDEN
STREAMED = MATRICES + HIDDEN
TOKEN = 2 * 2 * LAYERS * 8 * 128  # bytes of keys and values, fp16
WAFER = {"model": "Llama3_70B", "sram": 44, "fast": 20, "link": 1.2, "users": 8}
DOOR, INSIDE, ROOM = 1.2e12 / 8, 20e15, 44e9  # bytes a second, and bytes
WIDTHS = {"fp16": 2, "fp8": 1}
LAUNCH = 1e-5


@pytest.mark.parametrize("precision", WIDTHS)
def test_a_token_whose_weights_come_in(precision):
    width = WIDTHS[precision]
    token = width * STREAMED / DOOR + LAUNCH
    assert known(STEM, "q1", **WAFER, precision=precision, width=width) == pytest.approx(
        {
            "": token,
            "read bits as bytes": token / 8,
            "took the memory on the wafer": token * DOOR / INSIDE,
            "counted the bytes of a weight wrongly": token * {2: 1 / 2, 1: 2}[width],
        }
    )


def test_the_contexts_that_lie_on_the_wafer():
    each = ROOM / 8 / TOKEN
    assert known(STEM, "q2", **WAFER) == pytest.approx(
        {
            "": each,
            "gave all the memory to one user": ROOM / TOKEN,
            "gave every query head its own keys and values": each / (64 / 8),
            "left out a half of keys and values": 2 * each,
        }
    )
    # LLaMA 65B: 80 layers, each of the 64 heads has keys of its own
    alike = known(STEM, "q2", **{**WAFER, "model": "LLaMA_65B"})
    assert alike[""] == pytest.approx(each / 8)
    assert "gave every query head its own keys and values" not in alike


def test_the_machines_that_hold_a_model_and_its_users():
    # 141 GB of weights and 24 x 2,048 tokens of 0.33 MB, 16 GB; with keys for every head 129 GB.
    # L40S 48 GB, A100 86, H200 151, MI300X 206, B300 288, CS-3 44
    assert known(STEM, "q3", small="Llama3_70B", crowd=24, context=2048) == {
        "": {"MI300X", "B300"},
        "counted the weights alone": {"H200", "MI300X", "B300"},
        "gave every query head its own keys and values": {"B300"},
        "judged the wafer by its size": {"MI300X", "B300", "CS-3"},
    }
    # Llama 2 7B: 13.5 GB and 4 x 1,024 tokens of 0.52 MB, every head has its own anyway
    gpus = {"L40S", "A100", "H200", "MI300X", "B300"}
    assert known(STEM, "q3", small="Llama2_7B", crowd=4, context=1024) == {
        "": {*gpus, "CS-3"},
        "counted the weights alone": {*gpus, "CS-3"},
        "gave every query head its own keys and values": {*gpus, "CS-3"},
        "judged the wafer by its size": gpus,
    }
    # 24 x 4,096 tokens are 32 GB; for every head they would be 258 GB, which nothing holds
    crowded = known(STEM, "q3", small="Llama3_70B", crowd=24, context=4096)
    assert crowded[""] == {"MI300X", "B300"}
    assert "gave every query head its own keys and values" not in crowded


NAMES = "read bits as bytes", "read weights from a memory that does not hold them"
NAMES += ("let weights come in that had room inside",)


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [  # the truth, and the slips in the order of NAMES
        ((30e9, 2e9, 2), (34e9 / INSIDE, 34e9 / INSIDE, 34e9 / INSIDE, 30e9 / DOOR)),
        ((40e9, 2e9, 2), (44e9 / INSIDE, 44e9 / INSIDE, 44e9 / INSIDE, 40e9 / DOOR)),  # just fit
        ((43e9, 2e9, 2), (43e9 / DOOR, 43e9 / DOOR / 8, 47e9 / INSIDE, 43e9 / DOOR)),
        ((400e9, 44e9, 1), (400e9 / DOOR, 400e9 / DOOR / 8, 444e9 / INSIDE, 400e9 / DOOR)),
        # few weights come in sooner than full caches are read
        ((2e5, 44e9, 1), (44.0002e9 / INSIDE,) * 4),
        ((1e9, 2e9, 23), (0, 0, 0, 0)),  # not even the caches fit
    ],
)
def test_a_step_inside_or_through_the_door(arguments, seconds):
    found = called(STEM, "q5", arguments, **WAFER)
    assert found == pytest.approx(dict(zip(("", *NAMES), seconds, strict=True)))


def wafer(time=0.8, capacity=40, link=True, **own):
    """What is said of a wafer whose door needs so long for a token."""
    text = (
        "release_year: 2027\ncompute: {peak_flops: 15 PFLOP/s}\n"
        f"memory: {{capacity: {capacity} GB, bandwidth: 20 PB/s}}\n"
    )
    text += f"host_link: {{name: way in, bandwidth: {STREAMED / time!r} B/s}}" if link else ""
    mark = judged(STEM, "q6", text, **WAFER, precision="fp8", width=1, late=0.9, **own)
    return mark.name or mark.message.partition(". ")[0]


def test_a_door_that_is_wide_enough():
    for time in (0.811, 0.9, 0.9004):  # nine tenths of the time are 0.81 s
        assert wafer(time) == wafer(time, capacity=56) == "Right"
    assert wafer(0.902).endswith("a token takes at most 0.9 s")
    assert wafer(0.809).endswith("it takes no less than nine tenths of that")
    for time in (0.82, 0.89):
        assert wafer(8 * time) == wafer(time / 8) == "took bits for bytes"
        assert wafer(3 * time, capacity=56).endswith("a token takes at most 0.9 s")
        assert wafer(time, capacity=57) == "raised the memory instead of the link"
        assert wafer(3 * time, capacity=200) == "raised the memory instead of the link"
    for time in (0.8, 0.91):
        assert wafer(8 * time).endswith("a token takes at most 0.9 s")
    assert wafer(link=False).startswith("The solvers refuse it")


def test_a_wafer_holds_the_keys_and_values_of_its_user():
    # 1,024 tokens of 0.33 MB are 0.34 GB
    assert wafer(0.85, capacity=0.35) == "Right"
    assert wafer(0.85, capacity=0.3).endswith("its memory holds the user's keys and values")
