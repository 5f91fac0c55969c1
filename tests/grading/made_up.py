"""A made-up assignment with a question of each kind, judged by the solvers as real ones are."""

from __future__ import annotations

from grading.check import Checks, check, gather
from mlsysim import Engine, Hardware
from mlsysim.course.lessons import Assignment
from mlsysim.course.questions import Question

LEVERS = ["twice the bandwidth", "twice the peak", "twice the capacity", "half the context"]
FACTS = {
    "step": {
        "kind": "number",
        "text": "How long is a step of {batch} on the {device.name}?",
        "units": ["ms", "s"],
    },
    "bound": {"kind": "choice", "text": "Which roof binds?", "choices": ["memory", "compute"]},
    "levers": {
        "kind": "several",
        "text": "Which of these make that step shorter by a tenth or more?",
        "choices": LEVERS,
    },
    "order": {
        "kind": "ordering",
        "text": "Order by tokens a second, fastest first.",
        "choices": ["L4", "{device.name}", "{other.name}"],
    },
    "range": {
        "kind": "interval",
        "text": "How long is a step of 1 request, and of {batch}?",
        "units": ["ms", "s"],
    },
    "chip": {
        "kind": "spec",
        "of": "hardware",
        "text": "Write a chip that decodes twice as fast as the {device.name} with no more FLOPS.",
    },
    "code": {"kind": "function", "signature": "step_time(read, bandwidth, tax)", "text": "..."},
    "why": {"kind": "sentence", "text": "It is bound by ... because ..."},
}
ASSIGNED = Assignment(
    name="98_every_kind",
    version=1,
    entries={"model": "models", "device": "hardware", "other": "hardware"},
    axes={
        "model": ["Llama3_8B"],
        "device other": [["A100", "H100"], ["H100", "H200"]],
        "batch": [8, 16],
    },
    sample={"model": "Qwen2_5_7B", "device": "L40S", "other": "L4", "batch": 4},
    questions={name: Question.build({"title": "?", **facts}) for name, facts in FACTS.items()},
)


def latency(v, device=None, batch=None, **how):
    return Engine.solve(v.model, device or v.device, batch_size=batch or v.batch, **how).latency


@check("step", points=2)
def step(v):
    """Bytes over bandwidth."""
    return latency(v)


@check("bound")
def bound(v):
    """Compare."""
    return str(Engine.solve(v.model, v.device, batch_size=v.batch).bottleneck).lower()


def everything(v):
    """Only the roof that binds is worth raising."""
    return LEVERS


@check("levers", points=2, misconceptions={"marked them all": everything})
def levers(v):
    """Only the memory roof binds here."""
    memory, core = v.device.memory, v.device.compute
    changed = {
        "twice the bandwidth": v.device.replace(
            memory=memory.replace(bandwidth=memory.bandwidth * 2)
        ),
        "twice the peak": v.device.replace(compute=core.replace(peak_flops=core.peak_flops * 2)),
        "twice the capacity": v.device.replace(memory=memory.replace(capacity=memory.capacity * 2)),
    }
    times = {lever: latency(v, device, seq_len=8192) for lever, device in changed.items()}
    times["half the context"] = latency(v, seq_len=4096)
    return [lever for lever in LEVERS if times[lever] < 0.9 * latency(v, seq_len=8192)]


def slowest_first(v):
    """The fastest was to stand first."""
    return order.truth(v)[::-1]


@check("order", points=2, misconceptions={"put the slowest first": slowest_first})
def order(v):
    """By bandwidth."""
    devices = [Hardware.L4, v.device, v.other]
    return [d.name for d in sorted(devices, key=lambda device: latency(v, device))]


def from_zero(v):
    """A step of one request reads all the weights already."""
    return 0 * latency(v, batch=1), latency(v)


@check("range", points=2, misconceptions={"let one request cost nothing": from_zero})
def span(v):
    """Weights are read once."""
    return latency(v, batch=1), latency(v)


def raised_the_peak(v, chip):
    """The peak does not bind this step."""
    return chip.peak("fp16") > v.device.peak("fp16")


@check("chip", points=2, misconceptions={"raised the peak": raised_the_peak})
def chip(v, mine):
    """Which roof binds?"""
    return {
        "it decodes twice as fast": latency(v, mine) <= latency(v) / 2,
        "it has no more FLOPS": mine.peak("fp16") <= v.device.peak("fp16"),
    }


def hidden(v):
    bandwidth = v.device.memory.bandwidth.m_as("B/s")
    reads = [1e9 * v.batch, 16e9, 40e9]
    return [*((read, bandwidth, 0.001) for read in reads), (16e9, bandwidth, 0)]


def bits(v):
    """Memory is counted in bytes."""
    return lambda read, bandwidth, tax: 8 * read / bandwidth + tax


@check(
    "code",
    points=2,
    inputs=hidden,
    misconceptions={"read bits for bytes": bits, "nothing": lambda v: None},
)
def code(v):
    """Bytes over bandwidth, and the tax."""
    return lambda read, bandwidth, tax: read / bandwidth + tax


CHECKS = Checks(ASSIGNED, gather(ASSIGNED, [step, bound, levers, order, span, chip, code]))
