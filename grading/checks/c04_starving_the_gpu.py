"""Why is my GPU utilisation only 40 %? The truths of exercise 04."""

from __future__ import annotations

from math import ceil
from typing import Any

from grading.check import Inputs, check
from grading.checks import apart, odd_line
from mlsysim import Hardware, TransformationModel
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant

ASSIGNED: Any = assignment("04_starving_the_gpu")
MFU, TOKEN = ASSIGNED.given["mfu"] / 100, 4.0  # reached by language models; bytes of a token
BATCH = 256.0

# ---- q1 to q3 ------------------------------------------------------------------------------------


def least(disk: float, size: float, cpus: float, rate: float, pace: float) -> float:
    """Images a second of three stages that work at the same time; disk in GB/s, size in kB."""
    return min(disk * 1e6 / size, cpus * rate, pace)


def per_second(number: float) -> Quantity:
    """A rate."""
    return Q_(number, "1/s")


def through(v: Variant) -> Quantity:
    """Every image passes all stages, so the slowest one sets the rate."""
    fed = TransformationModel().solve(
        batch_size=BATCH,
        workers=v.cpus,
        worker_rate=per_second(v.rate),
        step_time=Q_(BATCH / v.pace, "s"),
    )
    return per_second(min(v.disk * 1e6 / v.size, fed.throughput.m_as("1/s")))


def decoding(v: Variant) -> Quantity:
    """Images are read before they are decoded: work out the disk's rate too."""
    return per_second(v.cpus * v.rate)


def reading(v: Variant) -> Quantity:
    """Images are decoded after they are read: work out the rate of the CPUs too."""
    return per_second(v.disk * 1e6 / v.size)


def unhindered(v: Variant) -> Quantity:
    """The GPU cannot take what does not come: look for the slowest stage."""
    return per_second(v.pace)


images = check(
    "q1",
    points=2,
    within=0.01,
    misconceptions=apart(
        through,
        {
            "looked at the CPUs alone": decoding,
            "looked at the disk alone": reading,
            "looked at the GPU alone": unhindered,
        },
        by=0.03,
    ),
)(through)


def busy(v: Variant) -> Quantity:
    """What comes, over what the GPU could take."""
    return Q_(through(v).m_as("1/s") / v.pace, "")


def waiting(v: Variant) -> Quantity:
    """The question asks how long it works, not how long it waits."""
    return Q_(1 - float(busy(v).m_as("")), "")


def of_the_host(v: Variant) -> Quantity:
    """Compare with what the GPU could take, not with another stage of the host."""
    rates = sorted((v.disk * 1e6 / v.size, v.cpus * v.rate))
    return Q_(rates[0] / rates[1], "")


utilisation = check(
    "q2",
    points=1,
    within=0.02,
    misconceptions=apart(
        busy,
        {
            "gave the time that it waits": waiting,
            "compared disk and CPUs with each other": of_the_host,
        },
    ),
    follows="q1",
    follow=lambda v, own: Q_(own.m_as("1/s") / v.pace, ""),
)(busy)


def needed(v: Variant) -> float:
    """What all GPUs take, over what one virtual CPU decodes, rounded up."""
    return float(ceil(v.gpus * v.pace / v.rate))


def for_one(v: Variant) -> float:
    """All GPUs of the server want images: multiply by their number."""
    return float(ceil(v.pace / v.rate))


def as_before(v: Variant) -> float:
    """CPUs that keep up must decode what the GPUs can take, not what they took so far."""
    today = least(v.disk, v.size, v.cpus, v.rate, v.pace)  # exact, as a rate rounded up must be
    return float(ceil(v.gpus * today / v.rate))


def two_a_core(v: Variant) -> float:
    """The rate is that of a virtual CPU already: divide by it once."""
    return float(ceil(needed(v) / 2))


cpus = check(
    "q3",
    points=2,
    within=0.0,
    slack=0.5,
    misconceptions=apart(
        needed,
        {
            "fed one GPU": for_one,
            "took what the GPU gets today": as_before,
            "counted cores for virtual CPUs": two_a_core,
        },
    ),
)(needed)

# ---- q4, q5 --------------------------------------------------------------------------------------


def faster_gpu(_: Variant) -> str:
    """A faster GPU waits longer where the host is the slowest stage."""
    return "a GPU twice as fast"


def more_cpus(_: Variant) -> str:
    """More CPUs help where decoding is the slowest stage, and until the next one is."""
    return "twice the virtual CPUs"


@check(
    "q4",
    points=2,
    misconceptions={
        "bought the faster GPU": faster_gpu,
        "bought CPUs whatever was slow": more_cpus,
    },
)
def best_change(v: Variant) -> str:
    """Work out the slowest stage after each change: the next wall is near."""
    stages = v.d4, v.s4, v.c4, v.r4, v.p4
    after = (
        least(2 * stages[0], *stages[1:]),
        least(*stages[:2], 2 * v.c4, *stages[3:]),
        least(*stages[:4], 2 * v.p4),
        min(v.d4 * 1e6 / v.w4, v.p4),
    )
    choice: str = ASSIGNED.questions["q4"].choices[after.index(max(after))]
    return choice


def jobs(v: Variant, *, each: bool = False, token: float = TOKEN) -> dict[str, float]:
    """Bytes a second that each job reads; `each` lets every GPU read it all."""
    peak = Hardware["H100"].peak("fp16").m_as("FLOP/s")
    texts = [text.format_map(v) for text in ASSIGNED.questions["q5"].choices]
    language = [
        token * n * peak * MFU / (6 * model.parameters) * (n if each else 1)
        for model, n in ((v.m1, v.n1), (v.m2, v.n2))
    ]
    return dict(zip(texts, [*language, v.r1 * v.b1 * 1e3, v.r2 * v.b2 * 1e3], strict=True))


def most_first(found: dict[str, float]) -> tuple[str, ...]:
    """The jobs, the most bytes first."""
    return tuple(sorted(found, key=lambda job: -found[job]))


def by_gpus(v: Variant) -> tuple[str, ...]:
    """The GPUs share the text: each token is read once, by one of them."""
    return most_first(jobs(v, each=True))


def by_vectors(v: Variant) -> tuple[str, ...]:
    """On disk a token is a number of four bytes, not the vector that it becomes."""
    return most_first(jobs(v, token=8192))


@check(
    "q5",
    points=2,
    misconceptions={
        "let every GPU read all of the text": by_gpus,
        "read the vectors of the tokens": by_vectors,
    },
)
def readers(v: Variant) -> tuple[str, ...]:
    """Samples a second times bytes a sample: a token costs much arithmetic and few bytes."""
    return most_first(jobs(v))


# ---- q6, q7 --------------------------------------------------------------------------------------


def piped(v: Variant, mode: str = "") -> Any:
    """Images a second of any pipeline; `mode` lets it always, or never, work ahead."""

    def rate(disk: float, size: float, cpus: float, ahead: float) -> float:
        stages = (disk / size, cpus * v.rate, v.pace)
        if mode == "always" or (ahead and mode != "never"):
            return float(min(stages))
        return 1 / sum(1 / stage for stage in stages)

    return rate


def hidden(_: Variant) -> Inputs:
    """Pipelines that wait for disk, CPUs and GPU, with and without working ahead."""
    rows = [(3e8, 1.1e5, 8, 1), (3e8, 1.1e5, 8, 0), (5e9, 1.1e5, 4, 1), (5e9, 1.1e5, 4, 0)]
    rows += [(5e9, 1.5e5, 96, 1), (5e9, 1.5e5, 96, 0), (1e8, 2e5, 32, 1), (1e9, 6e4, 16, 0)]
    rows += [(2e9, 3e5, 12, 1), (8e8, 9e4, 24, 0)]
    return rows


def always(v: Variant) -> Any:
    """Without working ahead the stages wait for each other: their times add up."""
    return piped(v, "always")


def never(v: Variant) -> Any:
    """Stages that work ahead overlap: only the slowest counts."""
    return piped(v, "never")


@check(
    "q6",
    points=3,
    within=0.005,
    inputs=hidden,
    misconceptions={
        "let the stages overlap in any case": always,
        "added the times in any case": never,
    },
)
def any_pipeline(v: Variant) -> Any:
    """The slowest stage where they overlap; else 1 over the sum of the times of an image."""
    return piped(v)


LINE = odd_line(ASSIGNED, "demand read link decode cores")


def wrong_line(v: Variant) -> str:
    """Measured demand of all GPUs, bytes on disk, 8 bits a byte, rounded up, two to a core."""
    return LINE(v)


def bits_line(v: Variant) -> str | None:
    """A byte has eight bits, and links are sold in bits: that line is right."""
    return None if LINE(v) == "line 3" else "line 3"


def cores_line(v: Variant) -> str | None:
    """Clouds count two virtual CPUs for a core: that line is right."""
    return None if LINE(v) == "line 5" else "line 5"


found = check(
    "q7",
    points=2,
    misconceptions={
        "doubted the bits of a byte": bits_line,
        "doubted what a core carries": cores_line,
    },
)(wrong_line)
