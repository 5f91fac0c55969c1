"""Exercise 12 on paper: the days of a run, its bill, its carbon, and what it loses."""

from __future__ import annotations

from math import sqrt

import pytest

from grading.check import load
from mlsysim.core.units import Q_
from tests.grading.by_hand import called, drawn, followed, known, variant

STEM = "12_full_stack_audit"
# layers, hidden, values of keys in a layer, the gated ffn, vocabulary
MODELS = {
    "Llama3_8B": (32, 4096, 1024, 14336, 128_256),
    "Llama3_70B": (80, 8192, 1024, 28672, 128_256),
    "Llama2_13B": (40, 5120, 5120, 13824, 32_000),
    "Qwen2_5_72B": (80, 8192, 1024, 29568, 152_064),
    "Qwen3_32B": (64, 5120, 1024, 25600, 151_936),
}
PEAK = {"A100": 312e12, "H100": 989.4e12, "H200": 989.4e12, "B200": 2250e12}  # 16 bits
DAY, HOUR = 86_400, 3_600


def parameters(model):
    """Of matrices, two tables of words and norms; 64 heads of 128 ask in Qwen3 32B."""
    layers, hidden, keys, ffn, words = MODELS[model]
    asked = 64 * 128 if model == "Qwen3_32B" else hidden
    each = 2 * hidden * asked + 2 * hidden * keys + 3 * hidden * ffn
    return layers * each + 2 * words * hidden + (2 * layers + 1) * hidden


RUN = {"model": "Llama3_70B", "device": "H100", "gpus": 512, "tokens": 1.4, "mfu": 39}
RUN |= {"goodput": 89, "price": 2.9, "kw": 1.3, "pue": 1.2, "grid": "Poland"}


def test_the_days_of_a_run_its_bill_and_its_carbon():
    assert parameters("Llama3_70B") == 70_553_706_496
    work = 6 * 70_553_706_496 * 1.4e12 / (512 * PEAK["H100"]) / DAY  # at the whole peak
    days = work / 0.39 / 0.89
    assert known(STEM, "q1", **RUN) == pytest.approx(
        {
            "": days,
            "counted the forward pass alone": days / 3,  # 2 operations, not 6
            "reached the whole peak": work / 0.89,
            "left out the failures": work / 0.39,
        }
    )
    dollars = days * 24 * 512 * 2.9
    assert known(STEM, "q2", **RUN) == pytest.approx(
        {
            "": dollars,
            "paid for servers": days * 24 * (512 / 8) * 2.9,
            "took days for hours": days * 512 * 2.9,
        }
    )
    tonnes = 512 * 1.3 * days * 24 * 662 / 1e6  # Poland: 662 g a kWh
    assert known(STEM, "q3", **RUN) == pytest.approx(
        {
            "": 1.2 * tonnes,
            "left out the PUE": tonnes,
            "counted the building twice": 1.2 * 1.2 * tonnes,
        }
    )
    ten = Q_(10, "day")  # a learner's own
    assert followed(STEM, "q2", ten, **RUN) == pytest.approx(240 * 512 * 2.9)
    assert followed(STEM, "q3", ten, **RUN) == pytest.approx(1.2 * 240 * 512 * 1.3 * 662 / 1e6)


NAMES = "exchange inside a layer", "waiting of stages", "exchange of gradients"
NAMES += ("failures and checkpoints",)
SPLITS = "large size tensor stages between"


def losses(large, size, tensor, stages, between):
    """Seconds of a step that each costs, roughly: no attention, nothing to wait for on a wire."""
    layers, hidden, *_ = MODELS[large]
    link, port = 450e9, 50e9  # bytes a second: NVLink one way, a 400 Gb/s port for each GPU
    copies = size / tensor / stages
    rounds = 1024 / copies  # a sequence at a time
    work = 6 * parameters(large) * 1024 * 4096 / (size * PEAK["H100"] / 2)
    # a ring sends 2 (n - 1) / n of the data: activations twice forward and twice back in each layer
    ring = 2 * (tensor - 1) / tensor * 4096 * hidden * 2 / link
    inside = rounds * layers / stages * 4 * ring
    waiting = (stages - 1) / rounds * (work + inside)
    # gradients of 2 bytes, summed by the copies in a node and then each one's part by the nodes
    near, data = 8 / tensor, 2 * parameters(large) / tensor / stages
    far = copies / near
    gradients = 2 * (near - 1) / near * data / link + 2 * (far - 1) / far * data / near / port
    # the best interval loses sqrt(2 x 60 s / M), and a restart of 10 minutes comes every M
    every = between / size * HOUR
    failing = (sqrt(2 * 60 / every) + 600 / every) * (work + inside + waiting + gradients)
    return dict(zip(NAMES, (inside, waiting, gradients, failing), strict=True))


@pytest.mark.parametrize("which", range(11))
def test_what_adds_most(which):
    split = drawn(STEM, SPLITS, which)
    lost = losses(**split)
    order = sorted(lost, key=lambda name: -lost[name])
    *_, gradients, failures = NAMES

    def first(name):
        return (name, *(other for other in order if other != name))

    assert known(STEM, "q4", **split) == {
        "": tuple(order),
        "took failures for the largest loss": first(failures),
        "took gradients for the largest loss": first(gradients),
    }


FLEETS = "f1 f2 f3 f4 limit"


@pytest.mark.parametrize(
    ("which", "limit", "truth", "quickest"),
    [  # at 40 % of the peaks: days, and millions of dollars at 1.60, 3.20, 3.99 and 6.00 an hour
        (0, 40, "512 × H200", "2,048 × A100"),  # 27.2 (2.14), 68.5, 34.3 (1.68) and 60.3
        (1, 40, "512 × H100", "2,048 × A100"),  # 27.2 (2.14), 34.3 (1.35), 68.5 and 60.3
        (1, 34, "2,048 × A100", "2,048 × A100"),
        (2, 40, "2,048 × A100", "2,048 × A100"),  # 27.2, and 68.5, 68.5, 60.3
        (6, 40, "512 × H100", "2,048 × A100"),  # 27.2 (2.14), 34.3 (1.35), 34.3 (1.68) and 40.2
        (3, 40, "256 × B200", "256 × B200"),  # 54.3, 34.3 (1.35), 34.3 (1.68) and 30.1 (1.11)
    ],
)
def test_the_cheapest_fleet_that_is_in_time(which, limit, truth, quickest):
    fields = {**drawn(STEM, FLEETS, which), "limit": limit}
    assert known(STEM, "q5", **fields) == {
        "": truth,
        "took the newest chip": f"{fields['f4']} × B200",
        "took the fastest fleet": quickest,
    }


def test_the_days_of_any_fleet():
    own = {"model": "Llama3_70B", "device": "H100", "mfu": 39, "lost": 2.0, "stop": 64_500}

    def work(gpus, tokens):
        return 6 * 70_553_706_496 * tokens / (gpus * 0.39 * PEAK["H100"]) / DAY

    slips = "counted the stops of a single GPU", "let the days become negative"
    # GPUs x 2 hours of every 64,500 GPU-hours are lost: of 6,450 GPUs a fifth, of 43,000 all
    for arguments, kept in {
        (6_450, 1e12): 0.8,
        (16_125, 3e12): 0.5,
        (43_000, 2e12): -1 / 3,
    }.items():
        alone = work(*arguments)
        days = (max(alone / kept, 0), alone / (1 - 2 / 64_500), alone / kept)
        found = called(STEM, "q6", arguments, **own)
        assert found == pytest.approx(dict(zip(("", *slips), days, strict=True)))
    assert load(STEM).questions["q6"].check.truth(variant(STEM, **own))(32_250, 1e12) == 0  # all
