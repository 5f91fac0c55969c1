"""What a system is timed by when nobody says: the measured stack that usually runs there."""

from __future__ import annotations

import pytest

from mlsysim.evaluation import judge
from mlsysim.evaluation.spec import SystemSpec

CHAT = {"model": "Llama3_8B", "phase": "serve", "prompt": 1000, "tokens": 100}
RUN = {"model": "Llama3_8B", "phase": "train", "batch_size": 512, "seq_len": 4096}
IMAGES = {"model": "ResNet50", "phase": "forward", "batch_size": 32}


def judged(work, hardware, *constraints, **more):
    system = {"workload": {**work, **more}, "fleet": {"hardware": hardware}}
    return judge(SystemSpec.from_spec({**system, "constraints": list(constraints)}))


def note(found):
    return next((text for text in found.notes if "times are those of" in text), "")


@pytest.mark.parametrize(
    ("work", "hardware", "stack"),
    [
        ({**CHAT, "arrival_rate_qps": 1}, "H200", "trtllm"),
        (CHAT, "L40S", "trtllm"),
        (CHAT, "MI300X", "vllm"),
        (CHAT, "Gaudi3", "vllm"),
        (IMAGES, "A100", "cudnn"),
    ],
)
def test_untold_a_system_is_timed_by_what_usually_runs_there_and_says_so(work, hardware, stack):
    found, told = judged(work, hardware), judged(work, hardware, stack=stack)
    assert note(found) == f"times are those of the stack {stack!r}, which usually runs there"
    assert note(told) == f"times are those of the stack {stack!r}"
    assert dict(found.metrics) == dict(told.metrics)


def test_it_says_how_probable_it_is_that_a_bound_is_kept():
    latency = judged(CHAT, "H200").metrics["latency"]
    even, wide = judged(
        CHAT, "H200", f"latency < {latency:~}", f"latency < {1.2 * latency:~}"
    ).constraints
    assert even["probability"] == pytest.approx(0.5, abs=0.01)
    assert 0.6 < wide["probability"] < 0.99


@pytest.mark.parametrize(
    ("work", "hardware", "more"),
    [
        (CHAT, "H200", {"efficiency": 0.5}),  # whoever tells an efficiency means the law's
        (CHAT, "CS3", {}),  # nothing like it was measured
        (IMAGES, "MI300X", {}),
        (RUN, "H100", {}),  # what was measured of the chip serves the law better than a stack
    ],
)
def test_where_nothing_was_measured_or_an_efficiency_is_told_the_law_answers(work, hardware, more):
    found = judged(work, hardware, **more)
    assert note(found) == ""
    assert dict(found.metrics) == dict(judged(work, hardware, stack="ideal", **more).metrics)


def test_devices_of_different_vendors_are_compared_with_what_each_wastes():
    """Was wrong: NVIDIA's were measured and others wasted nothing, so that Gaudi and AMD won."""
    slower = [
        judged(CHAT, chip).metrics["itl"] / judged(CHAT, chip, stack="ideal").metrics["itl"]
        for chip in ("H200", "MI300X", "Gaudi3", "TPU_v5p", "Trainium2")
    ]
    assert all(factor > 1.2 for factor in slower)
