"""Symptoms of the walls: cards that say what is seen of a system, for a round of "Name that wall".

Each draws a system at random, asks the solvers, and tells what an engineer would see of it: never
the name of the wall. The three walls beside the right one are those it is mistaken for.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from mlsysim.core.units import Q_
from mlsysim.course.concepts import two
from mlsysim.engine.engine import Engine
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.models.registry import Models
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.solvers.algorithm.scaling import InferenceScalingModel
from mlsysim.solvers.data.pipeline import DataModel, TransformationModel
from mlsysim.solvers.data.topology import TopologyModel
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.solvers.fleet.reliability import OrchestrationModel, ReliabilityModel
from mlsysim.solvers.node.batching import ContinuousBatchingModel
from mlsysim.solvers.node.serving import TailLatencyModel
from mlsysim.solvers.ops.footprint import EconomicsModel, SustainabilityModel
from mlsysim.solvers.ops.safety import CheckpointModel
from mlsysim.systems.registry import Systems
from mlsysim.systems.types import Fleet
from mlsysim.walls import wall

CARDS, SECONDS = 8, 120.0  # of a round


class Symptom(NamedTuple):
    """What is seen, the wall behind it, those it is mistaken for, and how one can tell."""

    text: str
    wall: str
    others: tuple[str, str, str]
    why: str

    def options(self, chance: random.Random) -> list[str]:
        """The four names, in any order."""
        return chance.sample([self.wall, *self.others], 4)


def _model(chance: random.Random) -> TransformerWorkload:
    return Models.Language[chance.choice(["Llama3_8B", "Mistral_7B", "Qwen2_5_7B", "Llama2_7B"])]


def _chip(chance: random.Random) -> HardwareNode:
    return Hardware.Cloud[chance.choice(["A100", "H100", "H200", "MI300X"])]


def _fleet(nodes: int) -> Fleet:
    node, fabric = Systems.Nodes.DGX_H100, Systems.Fabrics.InfiniBand_NDR
    return Fleet(name="symptoms", node=node, count=nodes, fabric=fabric)


def _percent(part: float) -> str:
    return f"{two(100 * part)} %"


def prompt(chance: random.Random) -> Symptom:
    """A long prompt on one chip."""
    model, chip, tokens = _model(chance), _chip(chance), chance.choice([2048, 3072, 4096])
    step = Engine.solve(model, chip, phase="prefill", seq_len=tokens)
    return Symptom(
        f"{model.name} reads a prompt of {tokens:,} tokens on one {chip.name}. The memory's "
        f"channels are busy {_percent(step.memory_time / step.latency)} of the time.",
        "Compute",
        ("Memory", "Software", "Batching"),
        "Every weight that is fetched serves thousands of tokens: the bytes wait for the products.",
    )


def writing(chance: random.Random) -> Symptom:
    """One user on one chip."""
    model, chip = _model(chance), _chip(chance)
    step = Engine.solve(model, chip, seq_len=chance.choice([256, 512, 1024]))
    return Symptom(
        f"{model.name} writes for a single user on one {chip.name}: "
        f"{two(1 / step.si('latency'))} tokens a second, and the arithmetic units stand still "
        f"{_percent(1 - step.compute_time / step.latency)} of the time.",
        "Memory",
        ("Compute", "Communication", "Batching"),
        "Each token reads all weights once, for two operations a weight.",
    )


def kernels(chance: random.Random) -> Symptom:
    """Large products that run far below the peak."""
    chip, part = _chip(chance), chance.choice([0.18, 0.22, 0.26])
    peak = chip.peak().m_as("TFLOP/s")
    return Symptom(
        f"One {chip.name} multiplies very large matrices all day. Memory and links are nearly "
        f"idle, nothing is waited for, and a counter shows {two(part * peak)} of "
        f"{two(peak)} TFLOP/s.",
        "Software",
        ("Compute", "Memory", "Ingestion"),
        "The rate is there and nothing else is short: the kernels do not reach it.",
    )


def crowd(chance: random.Random) -> Symptom:
    """Memory that is full of users."""
    context = chance.choice([4096, 8192])
    model, chip = Models.Language.Llama2_7B, _chip(chance)
    held = ContinuousBatchingModel().solve(model, chip, seq_len=context)
    step = Engine.solve(model, chip, batch_size=held.paged_batch, seq_len=context)
    return Symptom(
        f"{two(held.paged_batch)} users of {model.name} with {context:,} tokens each are served by "
        f"one {chip.name}. Arithmetic is used {_percent(step.compute_time / step.latency)} of the "
        "time, yet the next user has to be turned away.",
        "Batching",
        ("Compute", "Tail latency", "Communication"),
        "What the users keep in memory bounds how many share one reading of the weights.",
    )


def rush(chance: random.Random) -> Symptom:
    """Servers close to saturation."""
    servers, busy = chance.choice([2, 4, 8]), chance.choice([0.94, 0.96, 0.97])
    tail = TailLatencyModel().solve(busy * servers / 0.2, 200, servers)
    return Symptom(
        f"A request takes 200 ms on average, and {servers} servers are busy {_percent(busy)} of "
        "the time. One user in a hundred waits longer than "
        f"{two(tail.p99_latency.m_as('s'))} s for an answer.",
        "Tail latency",
        ("Serving", "Compute", "Multi-tenant"),
        "The service is quick; near saturation it is the queue that is long.",
    )


def photographs(chance: random.Random) -> Symptom:
    """Storage that cannot feed the devices."""
    rate, disk = chance.choice([16_000, 20_000, 24_000]), chance.choice([0.5, 0.8, 1.0])
    fed = DataModel().solve(
        bytes_per_sample="110 kB",
        samples_per_second=Q_(rate, "1/s"),
        storage_bandwidth=Q_(disk, "GB/s"),
    )
    return Symptom(
        f"Eight GPUs could learn from {rate:,} photographs a second. They stand still "
        f"{_percent(1 - fed.accelerator_utilization)} of the time; the CPUs are bored; the disks "
        f"deliver {disk:g} GB each second, without a pause.",
        "Ingestion",
        ("Transformation", "Memory", "Communication"),
        "The samples do not arrive: what stores them is slower than what learns from them.",
    )


def decoding(chance: random.Random) -> Symptom:
    """CPU workers that cannot prepare enough samples."""
    workers, step = chance.choice([6, 8, 10]), chance.choice([80, 100, 120])
    made = TransformationModel().solve(
        batch_size=256, workers=workers, worker_rate="120/s", step_time=Q_(step, "ms")
    )
    return Symptom(
        f"A training step takes {step} ms on the GPU, but starts only each "
        f"{two(made.step_time.m_as('ms'))} ms. The disks are idle, and {workers} CPU cores cut and "
        "turn images at full load.",
        "Transformation",
        ("Ingestion", "Compute", "Software"),
        "The bytes are there; preparing them takes longer than learning from them.",
    )


def crossing(chance: random.Random) -> Symptom:
    """A network that is thin in its middle."""
    thin, nodes = chance.choice([4, 8]), chance.choice([64, 128, 256])
    net = TopologyModel().solve(_fleet(nodes), oversubscription=thin)
    link = net.link_bandwidth.m_as("GB/s")
    return Symptom(
        f"{nodes} servers have links of {two(link)} GB/s. Between servers of one rack data flow at "
        f"that rate; when all send to the other end of the hall, each gets "
        f"{two(net.effective_bandwidth.m_as('GB/s'))} GB/s.",
        "Locality",
        ("Communication", "Ingestion", "Multi-tenant"),
        "The links are quick, and the middle of the network has too few of them.",
    )


def thought(chance: random.Random) -> Symptom:
    """An answer that is thought over."""
    model, chip, steps = _model(chance), _chip(chance), chance.choice([32, 64])
    solve = partial(InferenceScalingModel().solve, model, chip, tokens_per_step=100)
    long = solve(reasoning_steps=steps)
    short = solve(reasoning_steps=1)
    return Symptom(
        "Same chip, same model, same prompt, one user. Since a new instruction was added an answer "
        f"takes {two(long.latency.m_as('s'))} s instead of {two(short.latency.m_as('s'))} s; "
        "each token comes as quickly as before.",
        "Reasoning",
        ("Tail latency", "Memory", "Serving"),
        "Not the token has become slow: there are more of them before the answer.",
    )


def together(chance: random.Random) -> Symptom:
    """A large model whose layers are cut over many devices."""
    fleet = _fleet(chance.choice([16, 32]))
    run = DistributedModel().solve(
        Models.Language.Llama3_8B, fleet=fleet, batch_size=fleet.devices, seq_len=1024,
        zero_stage=1, overlap=0.0,
    )  # fmt: skip
    lost = 1 - run.scaling_efficiency
    return Symptom(
        f"A model learns on one GPU at a good rate. On {fleet.devices} GPUs, each with as much to "
        f"do as before, every GPU stands still {_percent(lost)} of each step; nothing fails, and "
        "the disks are idle.",
        "Communication",
        ("Fragility", "Ingestion", "Locality"),
        "After each step all of them add up their gradients, and wait until that is done.",
    )


def restarts(chance: random.Random) -> Symptom:
    """So many parts that one always fails."""
    fleet = _fleet(chance.choice([1024, 2048, 4096]))
    found = ReliabilityModel().solve(fleet)
    return Symptom(
        f"{fleet.devices:,} GPUs train one model. Any one of them runs for years; the run "
        f"starts again from its last save every {two(found.mtbf.m_as('hour'))} hours.",
        "Fragility",
        ("Checkpoint", "Communication", "Tail latency"),
        "Each part is reliable; so many of them are not.",
    )


def saving(chance: random.Random) -> Symptom:
    """A run that stands still to save itself."""
    rate, every = chance.choice([2, 4]), chance.choice([30, 45])
    saved = CheckpointModel().solve(
        Models.Language.Llama3_70B, storage_bandwidth=Q_(rate, "GB/s"), interval=Q_(every, "minute")
    )
    return Symptom(
        f"Every {every} minutes all GPUs of a run stand still for "
        f"{two(saved.blocking_time.m_as('minute'))} minutes, although nothing has failed. Then "
        "they go on.",
        "Checkpoint",
        ("Fragility", "Ingestion", "Communication"),
        "Weights and optimizer state are written to the disks, and everybody waits.",
    )


def shared(chance: random.Random) -> Symptom:
    """A cluster that many share."""
    fleet, jobs = _fleet(128), chance.choice([18.6, 18.8, 18.9])
    queue = OrchestrationModel().solve(
        fleet, jobs_per_day=jobs, job_duration="20 hour", devices_per_job=64
    )
    return Symptom(
        f"A job of 20 hours is handed in on Monday and starts "
        f"{two(queue.wait.m_as('hour'))} hours later. The cluster is "
        f"{_percent(queue.utilization)} busy, and runs everything without a fault.",
        "Multi-tenant",
        ("Tail latency", "Fragility", "Communication"),
        "The cluster is shared, and a full one makes everybody queue.",
    )


def idle_money(chance: random.Random) -> Symptom:
    """A fleet that is hardly used."""
    fleet, part = _fleet(8), chance.choice([0.03, 0.05, 0.08])
    bill = EconomicsModel().solve(fleet, 365)
    tokens = part * 64 * 2500 * 365 * 86_400  # at 2,500 tokens a second from each of 64 GPUs
    return Symptom(
        f"64 GPUs answer within 300 ms, day and night, at {_percent(part)} load. A million tokens "
        f"cost {two(bill.tco.m_as('USD') / tokens * 1e6)} USD; a neighbour with the same "
        "GPUs pays a fraction of it.",
        "Capital",
        ("Sustainability", "Tail latency", "Compute"),
        "What was bought is paid for whether it works or not.",
    )


def moved(chance: random.Random) -> Symptom:
    """The same run on another grid."""
    clean, coal = Infrastructure.Grids.Quebec, Infrastructure.Grids.Poland
    fleet, days = _fleet(chance.choice([16, 32, 64])), chance.choice([30, 60])
    here, there = (
        SustainabilityModel().solve(fleet, days, datacenter=grid) for grid in (clean, coal)
    )
    return Symptom(
        f"The same run takes the same {days} days and about the same kilowatt-hours in two places. "
        f"A report says {two(here.carbon.m_as('t'))} tonnes for one and "
        f"{two(there.carbon.m_as('t'))} for the other.",
        "Sustainability",
        ("Capital", "Locality", "Software"),
        "Where a kilowatt-hour comes from decides what it emits.",
    )


SYMPTOMS: tuple[Callable[[random.Random], Symptom], ...] = (
    prompt, writing, kernels, crowd, rush, photographs, decoding, crossing,
    thought, together, restarts, saving, shared, idle_money, moved,
)  # fmt: skip


class Turn(NamedTuple):
    """One card of a round, its four names, and the one that was said."""

    card: Symptom
    options: tuple[str, ...]
    said: str = ""

    @property
    def right(self) -> bool:
        """Whether the wall was named."""
        return self.said == self.card.wall


def deal(seed: str) -> tuple[Turn, ...]:
    """The cards of a round, of as many walls."""
    chance = random.Random(seed)
    drawn = [make(chance) for make in chance.sample(SYMPTOMS, CARDS)]
    return tuple(Turn(card, tuple(card.options(chance))) for card in drawn)


def numbered(name: str) -> str:
    """A wall's number and name."""
    return f"{wall(name).number} {name}"
