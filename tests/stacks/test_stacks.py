"""Stacks: what software makes of silicon, asked for wherever a time is computed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Engine, Hardware, Models
from mlsysim.core.errors import BadArgument
from mlsysim.core.units import Q_
from mlsysim.evaluation import evaluate
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.solvers.node.serving import ServingModel

NOTHING = {"name": "wastes nothing"}
steps = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["Llama3_8B", "Mixtral_8x7B", "DeepSeek_V3", "ResNet50"]),
        "hardware": st.sampled_from(["H100", "A100", "MI300X", "RTX_4090"]),
        "batch_size": st.integers(1, 512),
        "training": st.booleans(),
    }
)


@settings(deadline=None, max_examples=40)
@given(steps)
def test_a_stack_without_overheads_is_ideal(asked):
    bare, ideal = (Engine.solve(**asked, stack=stack) for stack in (NOTHING, "ideal"))
    assert bare.si("latency") == pytest.approx(ideal.si("latency"), rel=1e-12)
    assert bare.bottleneck == ideal.bottleneck


def test_each_kernel_is_launched_and_each_step_begins_once():
    launched = {"name": "mine", "launch": "5 us", "host": "100 us"}
    own, ideal = (Engine.solve("Llama3_8B", "H100", stack=stack) for stack in (launched, "ideal"))
    # embedding, 32 layers of qkv, attention, out, up and down, and the head
    more = (1 + 32 * 5 + 1) * Q_("5 us") + Q_("100 us") - Hardware.H100.dispatch_tax
    assert (own.latency - ideal.latency).m_as("us") == pytest.approx(more.m_as("us"))
    assert own.stack == "mine"


def test_a_sweep_knows_stacks():
    own = {"name": "mine", "launch": "5 us"}
    sweep = Engine.sweep("Llama3_8B", "H100", batch_sizes=[1, 64], stack=own)
    alone = [Engine.solve("Llama3_8B", "H100", batch_size=b, stack=own) for b in (1, 64)]
    assert sweep.column("latency") == pytest.approx([each.si("latency") for each in alone])


def test_serving_knows_stacks():
    own = {"name": "mine", "host": "1 ms"}
    slow, fast = (
        ServingModel().solve(Models.Llama3_8B, Hardware.H100, stack=stack)
        for stack in (own, "ideal")
    )
    tax = Hardware.H100.dispatch_tax.m_as("ms")
    assert (slow.itl - fast.itl).m_as("ms") == pytest.approx(1 - tax)


def test_a_stack_that_nobody_knows_is_told_which_there_are():
    with pytest.raises(BadArgument, match=r"^stack cannot be 'idael': did you mean 'ideal'"):
        Engine.solve("Llama3_8B", "H100", stack="idael")
    words = r"^stack cannot be \{\}: write the constants of a stack, such as its host.$"
    with pytest.raises(BadArgument, match=words):
        Engine.solve("Llama3_8B", "H100", stack={})


served = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["Llama3_8B", "Mixtral_8x7B", "DeepSeek_V3"]),
        "phase": st.sampled_from(["prefill", "decode"]),
        "batch_size": st.integers(1, 300),
        "seq_len": st.integers(1, 9000),
        "precision": st.sampled_from(["fp16", "fp8", "int4"]),
        "stack": st.sampled_from(["trtllm", "vllm", "sglang"]),
    }
)


@settings(deadline=None, max_examples=40)
@given(served)
def test_a_better_device_is_never_slower_with_any_stack(asked):
    h100 = Hardware.H100
    wider = h100.replace(memory=h100.memory.replace(bandwidth=Q_("6 TB/s")))
    peaks = {k: 2 * v for k, v in h100.compute.precision.items()}
    faster = h100.replace(
        compute=h100.compute.replace(peak_flops=2 * h100.compute.peak_flops, precision=peaks)
    )
    own, *others = (
        Engine.solve(hardware=device, **asked).si("latency") for device in (h100, wider, faster)
    )
    assert all(0 < other <= own * (1 + 1e-12) for other in others)


@settings(deadline=None, max_examples=20)
@given(served)
def test_columns_of_devices_are_the_same_answers(asked):
    model, batch, length, precision = (
        asked.pop(name) for name in ("model", "batch_size", "seq_len", "precision")
    )
    sweep = Engine.sweep(
        model,
        ["H100", "A100", "RTX_4090", "MI300X"],
        batch_sizes=[batch],
        seq_lens=[length],
        precisions=[precision],
        **asked,
    )
    for row in sweep:
        how = {"batch_size": batch, "seq_len": length, "precision": precision, **asked}
        alone = Engine.solve(model, row["hardware"], **how)
        assert row["profile"].si("latency") == pytest.approx(alone.si("latency"), rel=1e-9)


def test_a_system_is_judged_by_the_stack_that_it_names():
    work = {"model": "Llama3_8B", "phase": "serve", "prompt": 700, "tokens": 90}
    fleet = {"hardware": "H100", "count": 1}
    judged = {
        stack: evaluate({"workload": {**work, "stack": stack}, "fleet": fleet})
        for stack in ("ideal", "trtllm")
    }
    served = ServingModel().solve(
        "Llama3_8B", "H100", seq_len=700, decode_tokens=90, stack="trtllm"
    )
    latency = judged["trtllm"].metrics["latency"]
    assert latency.m_as("s") == pytest.approx(served.si("latency"))
    assert latency > judged["ideal"].metrics["latency"]
    assert any("trtllm" in note for note in judged["trtllm"].notes)
    assert not any("stack" in note for note in judged["ideal"].notes)


def test_a_system_that_names_its_stack_is_written_and_read_again():
    work = {"model": "Llama3_8B", "phase": "serve", "stack": "vllm"}
    system = SystemSpec.build({"workload": work, "fleet": {"hardware": "H100"}})
    assert system.to_dict()["workload"]["stack"] == "vllm"
    assert SystemSpec.build(system.to_dict()) == system
