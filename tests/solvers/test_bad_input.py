"""Every argument of every solver, given every kind of nonsense: refused in one sentence.

The walk is automatic. A new solver needs only a valid value for each of its argument names in VALID
(and in TOGETHER what its question cannot do without); a value that looks wrong and is right needs a
line in LEGITIMATE with the reason.
"""

from __future__ import annotations

import inspect
import json
import math
from typing import get_args, get_type_hints

import numpy as np
import pytest

from mlsysim import Q_, Engine, Hardware, Infrastructure, Models, Systems, solvers
from mlsysim.core.errors import MLSysError
from mlsysim.core.solver import Result
from mlsysim.core.units import Dim, Names, dim_of

LLAMA, H100 = Models.Language.Llama3_8B, Hardware.Cloud.H100
TRANSFORMED = {"batch_size": 8, "workers": 16, "worker_rate": "100 1/s"}

# one valid value for each argument name; dimensionless and self-naming ones are bare
VALID = {
    "model": LLAMA,
    "hardware": H100,
    "fleet": Systems.Clusters.Research_256,
    "node": Systems.Nodes.DGX_H100,
    "fabric": Systems.Fabrics.InfiniBand_NDR,
    "datacenter": Infrastructure.Grids.Quebec,
    "facility": Infrastructure.Facilities.Typical,
    "profile": Engine.solve(LLAMA, H100),
    "batch_size": 8,
    "seq_len": 512,
    "context": 1024,
    "max_seq_len": 1024,
    "page_size": 16,
    "decode_tokens": 32,
    "max_batch_size": 64,
    "reserve": "1 GB",
    "efficiency": 0.5,
    "mfu": 0.4,
    "precision": "fp16",
    "phase": "decode",
    "training": False,
    "achieved": "400 TFLOP/s",
    "metric": "mfu",
    "stack": None,
    "library": "JAX",
    "arrival_rate_qps": 5.0,
    "sla_latency_ms": 20_000.0,
    "service_latency_ms": 100.0,
    "num_replicas": 4,
    "variation": 0.5,
    "keep_what_fits": False,
    "host_memory": "1 TB",
    "cached_prefix_len": 16,
    "prefill_chunk_tokens": 256,
    "draft_model": LLAMA,
    "draft_tokens": 4,
    "draft_acceptance_rate": 0.8,
    "decode_hardware": Hardware.Cloud.A100,
    "network_bandwidth": "50 GB/s",
    "context_parallel": 1,
    "bytes_per_sample": "100 kB",
    "samples_per_second": "1000 1/s",
    "step_time": "100 ms",
    "accelerators": 8,
    "storage_bandwidth": "10 GB/s",
    "workers": 16,
    "worker_rate": "100 1/s",
    "topology": "fat_tree",
    "nodes": 32,
    "bandwidth": "50 GB/s",
    "oversubscription": 2.0,
    "compute_budget": "1e21 FLOP",
    "parameters": 1e9,
    "tokens": 1e10,
    "reasoning_steps": 4,
    "tokens_per_step": 50,
    "prompt_tokens": 512,
    "overhead": "10 us",
    "devices_per_node": 8,
    "unit_cost": "30000 USD",
    "amortization_years": 3,
    "maintenance_fraction": 0.05,
    "electricity_price": "0.1 USD/kWh",
    "pue": 1.2,
    "power": "700 W",
    "baseline_precision": "fp16",
    "base_precision": "int4",
    "lora_rank": 16,
    "kv_precision": "fp8",
    "sparsity": 0.5,
    "pattern": "unstructured",
    "sparse_speedup": 1.5,
    "tensor_parallel": 8,
    "pipeline_parallel": 1,
    "expert_parallel": 1,
    "microbatch": 1,
    "interleave": 1,
    "zero_stage": 1,
    "optimizer": "adam",
    "recompute": "none",
    "sequence_parallel": False,
    "flash_attention": True,
    "overlap": 0.5,
    "imbalance": 1,
    "link_latency": "1 us",
    "optimal_parameters": 1e9,
    "optimal_tokens": 2e10,
    "checkpoint_time": "60 s",
    "restart_time": "600 s",
    "interval": "1 hour",
    "duration_days": 30,
    "training_time": "30 day",
    "training_operations": "1e21 FLOP",
    "mtbf": "20 hour",
    "device_mtbf": "50000 hour",
    "nic_mtbf": "150000 hour",
    "cable_mtbf": "50000 hour",
    "psu_mtbf": "100000 hour",
    "other_mtbf": "200000 hour",
    "parts": "measured",
    "psus_per_node": 2,
    "jobs_per_day": 10,
    "job_duration": "2 hour",
    "devices_per_job": 8,
    "infrastructure_multiplier": 2.5,
    "rental_price": "3 USD/hour",
    "power_fraction": 0.8,
    "wue": "1.8 L/kWh",
    "embodied_carbon": "150 kg",
    "lifetime_years": 4,
    "objective": "carbon",
    "regions": None,
    "basis": "lifecycle",
    "carbon_price": "85 USD/t",
    "asynchronous": False,
    "snapshot_bandwidth": "25 GB/s",
    "epsilon": 1.0,
    "delta": 1e-5,
    "clip_norm": 1.0,
    "releases": 1,
    "dataset_size": 1_000_000,
    "base_training_time": "1 hour",
    "groups": 2,
    "smallest_share": 0.1,
    "half_width": 0.05,
    "confidence": 0.95,
    "proportion": 0.5,
    "perturbation_pct": 10.0,
    "smooth": False,
    "sharpness": 2.0,
    "forward": False,
    "target_latency": "50 ms",
    "dispatch_tax": "10 us",
}

# what a question cannot do without, besides the arguments that have no default
TOGETHER = {
    "DataModel": ("samples_per_second", "storage_bandwidth"),
    "TransformationModel": ("worker_rate", "step_time"),
    "TopologyModel": ("topology", "nodes", "bandwidth"),
    "EfficiencyModel": ("achieved", "hardware"),
    "DistributedModel": ("model", "batch_size"),
    "CheckpointModel": ("model", "storage_bandwidth", "mtbf"),
}

# what an argument needs beside it, or cannot stand beside (None)
BESIDE = {
    ("ContinuousBatchingModel", "max_seq_len"): {"seq_len": 512},
    ("CheckpointModel", "optimal_parameters"): {"model": None},
    ("ResponsibleEngineeringModel", "dataset_size"): {"batch_size": 8},
    ("DataModel", "step_time"): {"samples_per_second": None, "batch_size": 8},
    ("DataModel", "batch_size"): {"samples_per_second": None, "step_time": "100 ms"},
    ("TransformationModel", "bytes_per_sample"): {"storage_bandwidth": "10 GB/s"},
    ("TransformationModel", "storage_bandwidth"): {"bytes_per_sample": "100 kB"},
    ("ServingModel", "cached_prefix_len"): {"seq_len": 512},
    ("SingleNodeModel", "lora_rank"): {"training": True},
    ("CompressionModel", "sparse_speedup"): {"sparsity": 0.5, "pattern": "2:4"},
}

# what looks wrong and is right: (argument, kind of nonsense): why
LEGITIMATE: dict[tuple[str, str], str] = {
    ("reserve", "zero"): "nothing set aside",
    ("overhead", "zero"): "a launch that costs nothing",
    ("dispatch_tax", "zero"): "a launch that costs nothing",
    ("link_latency", "zero"): "an ideal link",
    ("overlap", "zero"): "nothing hidden behind computation",
    ("sparsity", "zero"): "nothing pruned",
    ("zero_stage", "zero"): "ZeRO switched off",
    ("variation", "zero"): "every request takes the same",
    ("cached_prefix_len", "zero"): "nothing cached",
    ("draft_tokens", "zero"): "nothing guessed",
    ("draft_acceptance_rate", "zero"): "no guess is right",
    ("maintenance_fraction", "zero"): "no maintenance contract",
    ("electricity_price", "zero"): "own power already paid for",
    ("carbon_price", "zero"): "carbon is free in most places",
    ("wue", "zero"): "a dry-cooled site",
    ("embodied_carbon", "zero"): "hardware already written off",
    ("restart_time", "zero"): "an ideal restart",
    ("psus_per_node", "zero"): "supplies left out of the count",
}


def loaded():
    """Every solver that exists, by name."""
    return {name: getattr(solvers, name) for name in solvers.SOLVERS}


SOLVERS = loaded()


def hints_of(solver):
    """Return the annotation of each argument of a solver's question."""
    hints = get_type_hints(solver.solve, include_extras=True)
    return {
        name: hints[name] for name in inspect.signature(solver.solve).parameters if name != "self"
    }


def baseline(name):
    """Gather the arguments of a question that `name` answers."""
    names = {*SOLVERS[name].requires, *TOGETHER.get(name, ())}
    return {argument: VALID[argument] for argument in names}


def nonsense(hint):
    """(kind, value) of everything that an argument annotated with `hint` must not take."""
    word = dim_of(hint)
    yield "an object", object()
    yield "a mapping", {}
    if type(None) not in get_args(hint):
        yield "nothing", None
    if isinstance(word, Dim):
        yield from numbers(word)
    elif hint is bool:
        yield from (("one", 1), ("text", "yes"), ("an array", np.array([True, False])))
    else:
        yield from (
            ("text", "nonsense"),
            ("empty text", ""),
            ("a number", 3),
            ("a list", [object()]),
            ("true", True),
        )
        yield "an empty list", []


def numbers(word):
    """Yield the nonsense that looks like a number."""
    unit = word.unit
    wrong = {
        "negative": -1.0,
        "zero": 0.0,
        "NaN": math.nan,
        "infinite": math.inf,
        "minus infinite": -math.inf,
    }
    for kind, number in wrong.items():
        if kind == "negative" and word.low < 0:
            continue
        yield kind, Q_(number, unit) if unit else number
        if word.bare:
            yield f"bare {kind}", number
    yield (
        "an array with NaN",
        Q_(np.array([1.0, math.nan]), unit) if unit else np.array([1.0, math.nan]),
    )
    yield "another unit", "1 A"
    yield "text", "many"
    yield "true", True
    yield "no numbers", []
    if unit and not word.bare:
        yield "a bare number", 3.0
    if word.whole:
        yield "a fraction", 1.5
    if word.high < math.inf:
        yield "too much", word.high * 1.001 + 1


CASES = [
    pytest.param(name, argument, kind, value, id=f"{name}.{argument}-{kind}")
    for name, solver in SOLVERS.items()
    for argument, hint in hints_of(solver).items()
    for kind, value in nonsense(hint)
]
NUMERIC = [
    pytest.param(name, argument, word, id=f"{name}.{argument}")
    for name, solver in SOLVERS.items()
    for argument, hint in hints_of(solver).items()
    if isinstance(word := dim_of(hint), Dim)
]
each_solver = pytest.mark.parametrize("name", SOLVERS)


@pytest.mark.parametrize(("name", "argument", "kind", "value"), CASES)
def test_nonsense_is_refused_in_one_sentence_that_names_the_argument(name, argument, kind, value):
    ask = {**baseline(name), argument: value}
    if (argument, kind.removeprefix("bare ")) in LEGITIMATE:
        assert isinstance(SOLVERS[name]().solve(**ask), Result)
        return
    with pytest.raises(MLSysError) as caught:
        SOLVERS[name]().solve(**ask)
    sentence = str(caught.value)
    assert argument in sentence
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("name", "argument", "least", "below", "most", "above"),
    [
        ("CompressionModel", "sparsity", 0, -1e-9, 0.999, 0.9991),
        ("CompressionModel", "sparse_speedup", 1, 0.999, 1e9, math.inf),
        ("DistributedModel", "zero_stage", 0, -1, 3, 4),
        ("DistributedModel", "zero_stage", 1, 1.5, 2, 2.5),
        ("DistributedModel", "imbalance", 1, 0.999, 1e9, math.inf),
        ("DistributedModel", "overlap", 0, -1e-9, 1, 1.001),
        ("EconomicsModel", "infrastructure_multiplier", 1, 0.999, 1e9, math.inf),
        ("EconomicsModel", "pue", 1, 0.999, 1e9, math.inf),
        ("SensitivitySolver", "perturbation_pct", 1e-9, 0, 100, 100.1),
        ("SustainabilityModel", "embodied_carbon", "0 g", "-1 g", "1 Mt", "inf g"),
        ("TopologyModel", "oversubscription", 1, 0.999, 1e9, math.inf),
    ],
)
def test_a_range_ends_where_it_should(name, argument, least, below, most, above):
    word = dim_of(hints_of(SOLVERS[name])[argument])
    for inside in (least, most):
        word.si(inside, argument)
    for outside in (below, above):
        with pytest.raises(MLSysError, match=argument):
            word.si(outside, argument)


@each_solver
def test_every_argument_has_a_valid_value_to_walk_from(name):
    assert {*hints_of(SOLVERS[name])} <= {*VALID}


def test_no_exception_is_left_that_nobody_needs():
    walked = {(case.values[1], case.values[2].removeprefix("bare ")) for case in CASES}
    assert {*LEGITIMATE} <= walked


@each_solver
def test_a_valid_question_has_an_answer_that_is_strict_json_without_nan(name):
    answer = SOLVERS[name]().solve(**baseline(name))
    assert isinstance(answer, Result)
    json.loads(answer.to_json(), parse_constant=lambda text: pytest.fail(f"{name}: {text}"))
    assert "nan" not in answer.summary().lower().split()
    assert answer.walls or SOLVERS[name].walls


@each_solver
def test_an_unknown_argument_is_refused(name):
    with pytest.raises(MLSysError, match=rf"{name}\.solve takes no argument 'flux_capacitor'"):
        SOLVERS[name]().solve(**baseline(name), flux_capacitor=1)


@each_solver
def test_asking_does_not_change_the_question(name):
    ask = baseline(name)
    assert SOLVERS[name]().solve(**ask) == SOLVERS[name]().solve(**ask)
    assert ask == baseline(name)


@pytest.mark.parametrize("precision", ["int8", "int4", "w4a4", "fp64"])
def test_a_precision_that_nothing_trains_in_is_refused_by_all_alike(precision):
    how = {"precision": precision, "training": True}
    for ask in (
        lambda: solvers.SingleNodeModel().solve(LLAMA, H100, **how),
        lambda: solvers.SensitivitySolver().solve(LLAMA, H100, **how),
        lambda: solvers.SynthesisSolver().solve(LLAMA, "1 s", **how),
        lambda: solvers.TransformationModel().solve(
            model=LLAMA, hardware=H100, precision=precision, **TRANSFORMED
        ),
        lambda: solvers.DistributedModel().solve(LLAMA, fleet=VALID["fleet"], precision=precision),
        lambda: Engine.sweep(LLAMA, H100, precisions=["fp16", precision], training=True),
    ):
        with pytest.raises(MLSysError, match=f"precision .*'{precision}'"):
            ask()


@pytest.mark.parametrize(("name", "argument", "word"), NUMERIC)
def test_an_array_is_answered_in_columns_or_refused_in_words(name, argument, word):
    """Where a solver takes arrays at all, two equal questions have two equal answers."""
    ask = {**baseline(name), **BESIDE.get((name, argument), {}), argument: VALID[argument]}
    try:
        one = SOLVERS[name]().solve(**ask)
    except MLSysError:
        pytest.fail(f"{name} does not answer {argument}={VALID[argument]!r}; see BESIDE")
    pair = word.si(VALID[argument], argument) * np.ones(2)
    try:
        both = SOLVERS[name]().solve(
            **{**ask, argument: Q_(pair, word.unit) if word.unit else pair / word.scale}
        )
    except MLSysError as error:
        assert argument in str(error)  # noqa: PT017 - not every solver takes arrays
        return
    assert both.shape in ((), (2,))
    for row in both if both.shape else [both]:
        for field in one.fields:
            expected = one.si(field)
            if isinstance(expected, (float, np.floating)):
                assert row.si(field) == pytest.approx(expected, rel=1e-9, nan_ok=False), field


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        pytest.param(name, argument, id=f"{name}.{argument}")
        for name, solver in SOLVERS.items()
        for argument, hint in hints_of(solver).items()
        if isinstance(dim_of(hint), Names)
    ],
)
def test_a_near_miss_of_a_word_is_told_the_word(name, argument):
    word = dim_of(hints_of(SOLVERS[name])[argument]).known[0]
    with pytest.raises(MLSysError, match=rf"did you mean '{word}'"):
        SOLVERS[name]().solve(**{**baseline(name), argument: word + "_"})
