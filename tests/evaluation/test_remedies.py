"""What would help, sentence by sentence: which changes are tried, in which order, what is told."""

from __future__ import annotations

import pytest

from mlsysim import Hardware, Infrastructure
from mlsysim.core.solver import show
from mlsysim.evaluation import evaluate, judge
from mlsysim.evaluation.spec import SystemSpec

QUALITY = " (check the answers' quality, wall 13)"
LEARNS = " (another batch learns differently: check the loss, wall 11)"
BROKEN = ", which still breaks the constraint"
PODS = {"hardware": "H100", "count": 64, "fabric": "InfiniBand_NDR"}


def system(work, fleet, *constraints, **more):
    work = {"stack": "ideal", **work}
    return SystemSpec.from_spec(
        {"workload": work, "fleet": fleet, "constraints": [*constraints], **more}
    )


def advised(spec):
    """The changes that are told, each with what its sentence says of it."""
    found = evaluate(spec)
    told = ((each["change"], each["sentence"].rpartition(": ")) for each in found.suggestions)
    return [(change, changed, gives) for change, (changed, _, gives) in told]


def values(spec, change, *names, broken=(), before=True):
    """How a sentence tells the metrics of a change, from two judgements alone."""
    was, now = judge(spec).metrics, judge(spec.changed(change)).metrics
    parts = []
    for name in names:
        old = f" (was {show(was[name])})" if before else ""
        parts.append(f"{name} {show(now[name])}{old}{BROKEN if name in broken else ''}")
    return "; ".join(parts) + "."


def test_what_does_not_fit_is_told_narrower_split_and_on_another_device():
    """141 GB: in one byte 71, two halves of it, or the nearest board by power that holds it."""
    spec = system({"model": "Llama3_70B", "prompt": 512}, {"hardware": "H100"})
    narrow = {"workload.precision": "int8"}
    split = {"fleet.tensor_parallel": 2, "fleet.count": 2}
    other = {"fleet.hardware": "MI300X"}  # of 750 W, and 192 GB
    told = advised(spec)
    plain = ("latency", "throughput")
    assert told == [
        (narrow, f"precision int8 instead of fp16{QUALITY}",
         "it works; " + values(spec, narrow, *plain, before=False)),
        (split, "tensor_parallel 2 instead of 1, count 2 instead of 1",
         "it works; " + values(spec, split, *plain, "requests", before=False)),
        (other, "hardware MI300X instead of H100",
         "it works; " + values(spec, other, *plain, before=False)),
    ]  # fmt: skip


def test_what_is_too_slow_is_told_what_was_and_what_is_still_too_slow():
    spec = system(
        {"model": "Llama3_8B", "batch_size": 8, "prompt": 512}, {"hardware": "H100"}, "itl < 3 ms"
    )
    narrow, alone = {"workload.precision": "int8"}, {"workload.batch_size": 1}
    split = {"fleet.tensor_parallel": 2, "fleet.count": 2}
    other = {"fleet.hardware": "MI300X"}
    assert advised(spec) == [
        (narrow, f"precision int8 instead of fp16{QUALITY}", values(spec, narrow, "itl")),
        (
            split,
            "tensor_parallel 2 instead of 1, count 2 instead of 1",
            values(spec, split, "itl", "requests"),
        ),
        (other, "hardware MI300X instead of H100", values(spec, other, "itl")),
        (alone, "batch_size 1 instead of 8", values(spec, alone, "itl", broken=["itl"])),
    ]


def test_what_must_reach_a_rate_is_told_the_smallest_change_of_each_kind_that_does():
    """1,432 tokens a second: eight times the batch or four devices are enough, and less is not."""
    spec = system(
        {"model": "Llama3_8B", "batch_size": 8, "prompt": 512},
        {"hardware": "H100"},
        "throughput > 4000 1/s",
    )
    changes = [change for change, *_ in advised(spec)]
    assert changes == [
        {"workload.batch_size": 64},
        {"fleet.tensor_parallel": 4, "fleet.count": 4},
        {"fleet.count": 4},
        {"fleet.hardware": changes[3]["fleet.hardware"]},
        {"workload.precision": "int4"},  # which alone does not
    ]
    smaller = (
        {"workload.batch_size": 32},
        {"fleet.tensor_parallel": 2, "fleet.count": 2},
        {"fleet.count": 2},
    )
    assert {judge(spec.changed(change)).verdict for change in smaller} == {"violated"}


def test_thinking_is_halved_until_it_is_short_enough():
    work = {"model": "Llama3_8B", "reasoning_steps": 8, "tokens": 100, "prompt": 200}
    spec = system(work, {"hardware": "H100"}, "latency < 1 s")
    (told,) = [each for each in advised(spec) if [*each[0]] == ["workload.reasoning_steps"]]
    less = {"workload.reasoning_steps": 2}  # four take 1.8 s
    begins = f"reasoning_steps 2 instead of 8{QUALITY}"
    assert told == (less, begins, values(spec, less, "latency"))


def test_a_fleet_that_keeps_everything_is_told_the_fewest_devices_that_do():
    work = {"model": "Llama3_8B", "prompt": 300, "tokens": 50, "arrival_rate_qps": 3}
    spec = system(work, {"hardware": "A100", "count": 6}, "p99_latency < 20 s")
    fewer = {"fleet.count": 1}
    assert advised(spec) == [
        (fewer, "count 1 instead of 6", values(spec, fewer, "p99_latency", "requests"))
    ]
    # without requests the count is halved, until it is one or a bound is broken
    idle = {key: value for key, value in work.items() if key != "arrival_rate_qps"}
    spec = system(idle, {"hardware": "A100", "count": 8}, "throughput > 200 1/s")
    (told,) = advised(spec)
    rate = judge(spec).metrics["throughput"].m_as("1/s") / 8
    assert told[0] == {"fleet.count": next(n for n in (1, 2, 4) if n * rate > 200)}


def test_of_cleaner_grids_the_nearest_that_suffices_is_told():
    """On the same basis and from a place on the map; where carbon is no matter none is told."""
    work, fleet = {"model": "Llama3_8B", "prompt": 300}, {"hardware": "A100", "count": 4}
    place = {"grid": "Poland", "duration": "1 year"}
    spec = system(work, fleet, "carbon < 6 t", environment=place)
    (told,) = [each[0] for each in advised(spec) if [*each[0]] == ["environment.grid"]]
    grids = {name: Infrastructure.Grids[name] for name in Infrastructure.Grids}
    here, emitted = grids["Poland"], judge(spec).metrics["carbon"].m_as("t")
    enough = {
        name: grid.carbon_intensity.m_as("g/kWh")
        for name, grid in grids.items()
        if grid.place and grid.basis == here.basis
        and emitted * (grid.carbon_intensity / here.carbon_intensity).m_as("") < 6
    }  # fmt: skip
    assert told == {"environment.grid": max(enough, key=lambda name: enough[name])}
    slow = system(work, fleet, "itl < 1 us", environment=place)
    assert not [each for each in advised(slow) if "environment.grid" in each[0]]


def test_the_nearest_device_by_power_comes_first_and_one_with_its_own_price_stays():
    shelf = {name: Hardware.Cloud[name].tdp for name in Hardware.Cloud}
    far = {
        name: max((tdp / shelf["H100"]).m_as(""), (shelf["H100"] / tdp).m_as(""))
        for name, tdp in shelf.items()
        if tdp is not None and name != "H100"
    }
    nearest = sorted(far, key=lambda name: (far[name], name))
    work = {"model": "Llama3_8B", "phase": "decode", "seq_len": 100}
    step = judge(system(work, {"hardware": "H100"})).metrics["latency"].m_as("ms")
    spec = system(work, {"hardware": "H100"}, f"latency < {0.8 * step} ms")
    (told,) = [each[0] for each in advised(spec) if "fleet.hardware" in each[0]]
    first = next(
        n for n in nearest if judge(spec.changed({"fleet.hardware": n})).verdict == "satisfied"
    )
    assert told == {"fleet.hardware": first}
    priced = {"accelerator_price": "20000 USD", "duration": "1 year"}
    own = system(work, {"hardware": "H100"}, f"latency < {0.8 * step} ms", environment=priced)
    assert not [each for each in advised(own) if "fleet.hardware" in each[0]]


@pytest.mark.parametrize(
    ("model", "fleet", "batch", "even"),
    [
        # 16 replicas of four devices, two sequences at a time: 3 x 32 is nearer than 4 x 32
        ("Llama3_8B", {**PODS, "tensor_parallel": 4, "microbatch": 2}, 100, 96),
        ("Llama3_8B", {**PODS, "tensor_parallel": 4, "microbatch": 2}, 120, 128),
        # no layer of it can be divided: 24 replicas
        ("ResNet50", {"hardware": "A100", "count": 24, "fabric": "InfiniBand_NDR"}, 100, 96),
        ("ResNet50", {"hardware": "A100", "count": 24, "fabric": "InfiniBand_NDR"}, 7, 24),
    ],
)
def test_a_batch_that_replicas_cannot_share_is_told_the_nearest_that_they_can(
    model, fleet, batch, even
):
    work = {"model": model, "phase": "train", "batch_size": batch, "precision": "bf16"}
    spec = system(work, fleet)
    (told,) = [each for each in advised(spec) if [*each[0]] == ["workload.batch_size"]]
    change = {"workload.batch_size": even}
    gives = "it works; " + values(spec, change, "step_time", before=False)
    assert told == (change, f"batch_size {even} instead of {batch}{LEARNS}", gives)


def test_a_plan_of_ones_own_is_told_the_fastest_and_only_what_differs():
    work = {"model": "Llama3_8B", "phase": "train", "batch_size": 96, "precision": "bf16"}
    spec = system(work, {**PODS, "tensor_parallel": 4, "microbatch": 2}, "step_time < 1 ms")
    told = next(each for each in advised(spec) if "fleet.microbatch" in each[0])
    change = told[0]
    now = {"tensor_parallel": 4, "microbatch": 2, "zero_stage": 0, "sequence_parallel": False}
    now |= {"pipeline_parallel": 1, "expert_parallel": 1, "context_parallel": 1, "interleave": 1}
    now |= {"recompute": "none"}
    keys = [path.partition(".")[2] for path in change]
    assert told[1] == ", ".join(
        f"{key} {value} instead of {now[key]}"
        for key, value in zip(keys, change.values(), strict=True)
    )
    assert all(value != now[key] for key, value in zip(keys, change.values(), strict=True))
    assert told[2] == values(spec, change, "step_time", broken=["step_time"])


def test_nothing_more_is_told_than_anybody_reads():
    spec = system(
        {"model": "Llama3_8B", "batch_size": 8, "reasoning_steps": 4},
        {"hardware": "H100", "count": 2},
        "itl < 1 ms",
        "throughput > 1e6 1/s",
    )
    told = advised(spec)
    assert len(told) == 5
    short = [judge(spec.changed(change)) for change, *_ in told]
    assert {each.verdict for each in short} == {"violated"}
    missed = [
        (len(each.violated), -sum(c["margin"] for c in each.constraints if not c["satisfied"]))
        for each in short
    ]
    assert missed == sorted(missed)  # what comes nearest is told first


def test_a_batch_that_nobody_gave_is_one_and_doubled_first():
    work = {"model": "Llama3_8B", "prompt": 512}
    one = judge(system(work, {"hardware": "H100"})).metrics["throughput"].m_as("1/s")
    spec = system(work, {"hardware": "H100"}, f"throughput > {1.5 * one} 1/s")
    (told,) = [each for each in advised(spec) if [*each[0]] == ["workload.batch_size"]]
    change = {"workload.batch_size": 2}
    assert told == (change, "batch_size 2", values(spec, change, "throughput"))
