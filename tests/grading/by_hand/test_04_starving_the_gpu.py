"""Exercise 04 on paper: rates of disks, virtual CPUs and GPUs."""

from __future__ import annotations

from math import ceil

import pytest

from mlsysim.core.units import Q_
from tests.grading.by_hand import called, followed, known

STEM = "04_starving_the_gpu"
# a disk of 0.31 GB/s and images of 110 kB: 2,818 images a second; 5 CPUs decode 1,465
OWN = {"pace": 5200, "disk": 0.31, "size": 110, "cpus": 5, "rate": 293, "gpus": 4}
DISK, CPUS = 310_000 / 110, 5 * 293


def test_how_many_images_come_through_and_how_long_the_gpu_is_busy():
    alone = {
        "looked at the disk alone": pytest.approx(DISK),
        "looked at the CPUs alone": pytest.approx(CPUS),
        "looked at the GPU alone": 5200,
    }
    # whoever looked at the slowest stage alone is right
    slowest = [(CPUS, OWN), (DISK, {**OWN, "cpus": 10}), (1200, {**OWN, "pace": 1200})]
    alone_of_ten = {**alone, "looked at the CPUs alone": pytest.approx(2 * CPUS)}
    alone_of_slow = {**alone, "looked at the GPU alone": 1200}
    for (least, fields), stages in zip(slowest, (alone, alone_of_ten, alone_of_slow), strict=True):
        others = {name: rate for name, rate in stages.items() if rate != least}
        assert len(others) == 2
        assert known(STEM, "q1", **fields) == {"": pytest.approx(least), **others}
    assert known(STEM, "q2", **OWN) == {
        "": pytest.approx(100 * CPUS / 5200),
        "gave the time that it waits": pytest.approx(100 * (1 - CPUS / 5200)),
        "compared disk and CPUs with each other": pytest.approx(100 * CPUS / DISK),
    }
    assert followed(STEM, "q2", Q_(2600, "1/s"), **OWN) == pytest.approx(50)


def test_how_many_virtual_cpus_feed_a_server():
    assert known(STEM, "q3", **OWN) == {
        "": ceil(4 * 5200 / 293),  # 70.99
        "fed one GPU": ceil(5200 / 293),
        "took what the GPU gets today": 4 * 5,
        "counted cores for virtual CPUs": 36,  # 71 of them, two to a core
    }
    # 11 virtual CPUs a GPU are 88 for eight: a rate with dust behind its point makes them 89
    eight = known(STEM, "q3", pace=9400, disk=5, size=100, cpus=11, rate=307, gpus=8)
    assert eight["took what the GPU gets today"] == 88


# disk in GB/s, kB of an image, CPUs, what each decodes, what the GPU takes, kB of a raw image
@pytest.mark.parametrize(
    ("host", "best"),
    [
        # a second the disk gives 2,222 images or, twice as fast, 4,444; CPUs decode 5,216; raw the
        # disk gives 4,348 of 46 kB and 4,545 of 44
        ((0.2, 90, 16, 326, 7800, 46), "a disk twice as fast"),
        ((0.2, 90, 16, 326, 7800, 44), "raw images"),
        # but 12 CPUs decode 3,912 of those: raw there are 3,846 of 52 kB and 4,000 of 50
        ((0.2, 90, 12, 326, 7800, 52), "a disk twice as fast"),
        ((0.2, 90, 12, 326, 7800, 50), "raw images"),
        # 6 CPUs decode 1,680, and 12 3,360; raw the disk gives 3,333 of 360 kB and 3,429 of 350
        ((1.2, 90, 6, 280, 3600, 360), "twice the virtual CPUs"),
        ((1.2, 90, 6, 280, 3600, 350), "raw images"),
        # CPUs decode 3,280; the GPU, whatever else is changed, takes 3,000
        ((1.2, 90, 8, 410, 3000, 50), "a GPU twice as fast"),
    ],
)
def test_what_is_worth_changing(host, best):
    fields = dict(zip(("d4", "s4", "c4", "r4", "p4", "w4"), host, strict=True))
    assert known(STEM, "q4", **fields) == {
        "": best,
        "bought the faster GPU": "a GPU twice as fast",
        "bought CPUs whatever was slow": "twice the virtual CPUs",
    }


def tokens(parameters, gpus):
    """A second, at 40 % of an H100's 989.4 TFLOP/s and 6 operations a parameter."""
    return gpus * 0.4 * 989.4e12 / (6 * parameters)


LARGE = [("Llama3_70B", 70.55e9, 4096), ("Llama3_8B", 8.030e9, 16_384)]
SMALL = [("Qwen3_4B", 4.022e9, 64), ("Llama2_13B", 13.02e9, 512)]


# at 4 bytes a token 16,384 H100s read 538.3 MB/s for Llama 3 8B: a little more than 5,380 images
# of 100 kB, and less than 2,693 of 200; at 8,192, 64 of them 8.60 GB/s for Qwen3 4B: 85,000, 43,500
@pytest.mark.parametrize(
    ("language", "images"),
    [
        (LARGE, [(5380, 100), (2693, 200)]),
        (SMALL, [(2470, 60), (5000, 90)]),
        (SMALL, [(85_000, 100), (43_500, 200)]),
    ],
)
def test_which_job_reads_most(language, images):
    names = {"Llama3_70B": "Llama 3 70B", "Llama3_8B": "Llama 3 8B"}
    names |= {"Qwen3_4B": "Qwen3 4B", "Llama2_13B": "Llama 2 13B"}
    fields = {
        **{f"m{n}": model for n, (model, *_) in enumerate(language, start=1)},
        **{f"n{n}": gpus for n, (*_, gpus) in enumerate(language, start=1)},
        **{f"r{n}": rate for n, (rate, _) in enumerate(images, start=1)},
        **{f"b{n}": size for n, (_, size) in enumerate(images, start=1)},
    }

    def most_first(of_text):
        read = {f"{rate:,} images/s of {size} kB": rate * size * 1e3 for rate, size in images}
        for model, parameters, gpus in language:
            read[f"{names[model]} on {gpus:,} × H100"] = of_text(tokens(parameters, gpus), gpus)
        return tuple(sorted(read, key=read.get, reverse=True))

    assert known(STEM, "q5", **fields) == {
        "": most_first(lambda rate, _: 4 * rate),
        "let every GPU read all of the text": most_first(lambda rate, gpus: 4 * rate * gpus),
        "read the vectors of the tokens": most_first(lambda rate, _: 8192 * rate),
    }


# bytes a second, bytes of an image, CPUs, whether it works ahead: disk, CPUs and GPU are slowest
@pytest.mark.parametrize(
    "asked", [(1e8, 2e5, 32, 1), (1e8, 2e5, 32, 0), (5e9, 1e5, 4, 0), (5e9, 1e5, 96, 1)]
)
def test_the_rate_of_any_pipeline(asked):
    disk, size, cpus, ahead = asked
    overlapped = min(disk / size, cpus * 293, 5200)
    added = 1 / (size / disk + 1 / (cpus * 293) + 1 / 5200)
    assert called(STEM, "q6", asked, **OWN) == {
        "": pytest.approx(overlapped if ahead else added),
        "let the stages overlap in any case": pytest.approx(overlapped),
        "added the times in any case": pytest.approx(added),
    }
