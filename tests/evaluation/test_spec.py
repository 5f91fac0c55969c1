"""A system's schema and its reader agree: what the one accepts, the other accepts.

A JSON schema cannot say everything, and so the systems drawn here keep clear of these, of which the
last two tests show one each:

- numbers that must fit each other inside a model, node or cluster that is written out (heads share
  their keys, a table has its lookups, `hw` is what the node holds): a schema compares no values;
- which paths `sources` may name, and which days there are: the first follows from the rest of the
  document, the second from the calendar;
- numbers beyond 1e40, and the length of a number or unit: no pattern measures what a text is worth.

Of these the schema takes less than the reader:

- a plain number in quotes, '8' or '50 %': the range of a text is again its worth;
- units as products or powers, 'W*h' or 's^-1', ratios other than the dimension's own, 'J/s' of a
  power, '%' in one, and gaps of more than a space in one: there is no end to them.
"""

from __future__ import annotations

import copy

import jsonschema
import pytest
from hypothesis import event, given, note, settings
from hypothesis import strategies as st

from mlsysim import Hardware, Infrastructure, Models, Systems
from mlsysim.core.errors import InvalidEntry, UnknownName
from mlsysim.evaluation import SystemSpec, evaluate
from mlsysim.evaluation.schemas import schema

CHECK = jsonschema.Draft202012Validator(schema())


def refused(spec):
    """The sentence that a system is refused with; nothing when it is read."""
    try:
        SystemSpec.from_spec(spec)
    except InvalidEntry as error:
        return str(error)
    return ""


# ---- what may be said, section by section --------------------------------------------------------


def quantity(*units):
    numbers = st.sampled_from(["3", "3.5", ".5", "5.", "+5", "1e3", "2E-2", " 7"])
    gaps = st.sampled_from([" ", ""])
    return st.builds("{}{}{}".format, numbers, gaps, st.sampled_from(units))


def entry(*names, of):
    written = [{k: v for k, v in each.to_dict().items() if k != "sources"} for each in of]
    owned = [{**each, "sources": {"default": {"kind": "user", "ref": "me"}}} for each in written]
    return st.sampled_from([*names, *written, *owned[:1]])


COUNTS = st.sampled_from([1, 2, 8, 16, 64, 1024, 8.0, 9, 12])
FRACTIONS = st.sampled_from([0.5, 1, 1.0, 0.05])
TIMES = quantity("s", "ms", "day", "days", "hour", "hr", "year", "min", "µs", "kiloseconds")
RATES = [1, 0.5, "3 1/s", "3/s", "1 1/min", "2 Hz", "5 query/s", "7 requests / hour"]
DECODERS = entry(
    *("Llama3_8B", "GPT2", "Mamba1_2_8B"),
    of=[Models.Llama3_8B, Models.Mixtral_8x7B, Models.DeepSeek_V3, Models.Mamba1_2_8B],
)
OTHERS = entry(
    *("ResNet50", "BERT_Base", "ViT_B_16"),
    of=[Models.BERT_Base, Models.ResNet18, Models.DLRM, Models.DLRM_DCNv2, Models.ViT_B_16],
)
THINGS = {
    "hardware": entry("H100", "A100", of=[Hardware.H100, Hardware.nRF52840]),
    "node": entry("DGX_H100", of=[Systems.Nodes.DGX_H100]),
    "cluster": entry("Research_256", of=[Systems.Clusters.Research_256]),
}
WORK = {
    "phase": st.sampled_from(["serve", "decode", "prefill", "forward", "train"]),
    **dict.fromkeys(["batch_size", "seq_len", "prompt", "tokens", "reasoning_steps"], COUNTS),
    "arrival_rate_qps": st.sampled_from(RATES),
    "precision": st.sampled_from(["fp16", "bf16", "int8"]),
    "kv_precision": st.sampled_from(["fp8", "fp16"]),
    "efficiency": FRACTIONS,
    "optimizer": st.sampled_from(["adam", "sgd"]),
    "overlap": st.sampled_from([0, 0.5, 1]),
}
PLAIN_FLEET = {
    "count": st.sampled_from([1, 8, 16, 8.0]),
    "tensor_parallel": COUNTS,
    "fabric": entry("InfiniBand_NDR", of=[Systems.Fabrics.InfiniBand_NDR]),
}
FLEET = {
    **PLAIN_FLEET,
    **dict.fromkeys(["pipeline_parallel", "expert_parallel", "microbatch", "interleave"], COUNTS),
    "zero_stage": st.sampled_from([0, 1, 3]),
    "recompute": st.sampled_from(["none", "full", "selective"]),
    "sequence_parallel": st.booleans(),
    **dict.fromkeys(["mtbf", "checkpoint_time", "restart_time"], TIMES),
}
ENVIRONMENT = {
    "grid": entry("Quebec", "Poland", of=[Infrastructure.Grids.Quebec]),
    "facility": entry("Hyperscale", of=[Infrastructure.Facilities.Hyperscale]),
    **dict.fromkeys(["duration", "amortization"], TIMES),
    "electricity_price": quantity("USD/kWh", "USD/MWh", "dollars / J"),
    "accelerator_price": quantity("USD", "kUSD", "dollars"),
    "infrastructure_multiplier": st.sampled_from([1, 2.5]),
    "maintenance_fraction": st.sampled_from([0, 0.05]),
    "pue": st.sampled_from([1, 1.2]),
    "power_fraction": FRACTIONS,
    "battery": quantity("Wh", "kJ", "J", "mWh"),
}
LIMITS = [
    *("latency < 50 ms", "mfu>=0.4", "tco <= 5e6 USD", "bottleneck == Memory", "rate < 3/s"),
    *("feasible == True", "x != 'a b'", "r < 5 GB/s", "u < 50 %", " x > -3 s "),
]
NO_LIMITS = [
    *("latency", "latency < ", "latency < Memory", "latency = 5 ms", "5 ms < latency", "x <"),
    *("x < 3 sillies", "x < 1; y < 2 ms", "x < 'a", "feasible < True", "tco < 3,5 USD"),
]
STEP = ["batch_size", "seq_len", "arrival_rate_qps", "efficiency"]
USES = {
    "serve": (
        DECODERS,
        ["batch_size", "prompt", "tokens", "reasoning_steps", "precision", "kv_precision"],
    ),
    "decode": (DECODERS, [*STEP, "kv_precision"]),
    "prefill": (DECODERS, [*STEP, "kv_precision"]),
    "forward": (OTHERS, STEP),
    "train": (DECODERS | OTHERS, ["seq_len", "tokens", "optimizer", "overlap", "efficiency"]),
}


def some(table, names=None):
    return st.fixed_dictionaries({}, optional={key: table[key] for key in names or table})


@st.composite
def sound(draw):
    """A system that can be asked about, in most cases."""
    phase, thing = draw(st.sampled_from([*USES])), draw(st.sampled_from([*THINGS]))
    models, keys = USES[phase]
    work = {"model": draw(models), **draw(some(WORK, keys))}
    if phase not in ("serve", "forward") or draw(st.booleans()):
        work["phase"] = phase
    fleet = draw(some(FLEET if phase == "train" else PLAIN_FLEET))
    mapped = st.dictionaries(
        st.sampled_from(["latency", "mfu"]), st.sampled_from(["< 5 ms", "== True", "<=3 USD"])
    )
    more = {
        "environment": some(ENVIRONMENT),
        "constraints": st.lists(st.sampled_from(LIMITS), max_size=2) | mapped,
        "name": st.just("x"),
        "question": st.just("why?"),
        "sources": st.sampled_from([{}, {"default": {"kind": "user", "ref": "me"}}]),
    }
    sections = {"workload": work, "fleet": {thing: draw(THINGS[thing]), **fleet}}
    return copy.deepcopy({**sections, **draw(st.fixed_dictionaries({}, optional=more))})


# ---- and what goes wrong -------------------------------------------------------------------------

NO_NUMBERS = [0, -1, 1.5, 10**16, True, "many", None, [3]]
NO_QUANTITIES = [
    *("0 s", "-3 s", "3,5 s", "3", "3 GB", "2 USD", "5 W", "0 B", "3 GB/s", "3/s", "3 J", "3 s s"),
    *("-1 USD", "1 1", "three s", "", "3 s", "1 g/kWh", "0.0e3 W", "3e s", 3, 0, -1, None, True),
]
NO_WORDS = [None, True, "", " ", "many", 3, [], {}, {"name": "x"}, [3], "H100", *NO_LIMITS]


def wrong(value, *, inside_model):
    """What may stand in the place of a value; a model's other numbers might not fit each other."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return NO_NUMBERS if inside_model else [*NO_NUMBERS, 9, 3, 2030]
    return NO_QUANTITIES if isinstance(value, str) and value[:1] in "0123456789.+" else NO_WORDS


def places(data, at=()):
    """The way to each value of a document, a model's lists left whole."""
    for key, part in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*at, key)
        if isinstance(part, dict) or (isinstance(part, list) and "model" not in at):
            yield from places(part, (*at, key))


@st.composite
def systems(draw):
    """A sound system with nothing, one or two things done to it."""
    spec = draw(sound())
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
        found = [*places(spec)]
        if not found:
            break
        near = [place for place in found if len(place) <= 2]
        *way, last = draw(st.sampled_from(near) | st.sampled_from(found))
        here = spec
        for step in way:
            here = here[step]
        whole = "model" in way and isinstance(here[last], list)
        match draw(st.sampled_from(["leave out", "replace", "add", "borrow"])):
            case "leave out":
                del here[last]
            case "replace" if not whole:
                choice = wrong(here[last], inside_model="model" in way)
                here[last] = draw(st.sampled_from(choice))
            case "add" if isinstance(here, dict):
                here["unheard_of"] = 1
            case "borrow":
                section, table = draw(st.sampled_from([("workload", WORK), ("fleet", FLEET)]))
                key = draw(st.sampled_from([*table]))
                if isinstance(spec.get(section), dict):
                    spec[section][key] = draw(table[key])
    return spec


@settings(max_examples=200)
@given(systems())
def test_the_schema_accepts_what_the_reader_accepts_and_nothing_else(spec):
    fault, fits = refused(spec), CHECK.is_valid(spec)
    event("refused" if fault else "read")
    note(fault or str(jsonschema.exceptions.best_match(CHECK.iter_errors(spec)))[:500])
    assert fits == (not fault)


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("workload", "optimizer", "adam", "phase serve has no use for it; leave it out"),
        ("workload", "seq_len", 100, "phase serve has no use for it; leave it out"),
        ("fleet", "zero_stage", 1, "phase serve has no use for it; leave it out"),
        ("fleet", "mtbf", "3 hour", "phase serve has no use for it; leave it out"),
        ("workload", "phase", "forward", "Llama 3 8B has no forward; it has decode, prefill"),
        ("workload", "phase", "serving", "did you mean 'serve'?"),
        ("workload", "promt", 3, "Serve has no such key; did you mean 'prompt'?"),
        ("fleet", "node", "DGX_H100", "give one of cluster, node and hardware"),
        ("fleet", "count", 9, "9 devices do not fill nodes of 8"),
        ("environment", "battery", "2 kJ", "say how often, as in arrival_rate_qps: 0.1"),
        ("environment", "duration", "3,5 year", "as in 3.5 year"),
    ],
)
def test_what_a_phase_does_not_know_is_refused_by_schema_and_reader_alike(
    section, key, value, words
):
    spec = {"workload": {"model": "Llama3_8B"}, "fleet": {"hardware": "H100"}, "environment": {}}
    assert CHECK.is_valid(spec)
    assert not refused(spec)
    spec[section][key] = value
    assert not CHECK.is_valid(spec)
    assert words in refused(spec)


@pytest.mark.parametrize("phase", ["serve", "decode", "prefill", "train"])
def test_each_phase_takes_its_own_keys(phase):
    own = {"serve": {"prompt": 512}, "train": {"optimizer": "sgd"}}.get(phase, {"seq_len": 512})
    spec = {"workload": {"model": "GPT2", "phase": phase, **own}, "fleet": {"hardware": "H100"}}
    assert CHECK.is_valid(spec)
    assert SystemSpec.from_spec(spec).workload.phase == phase


def test_a_change_of_phase_or_model_keeps_what_was_said_and_no_defaults():
    spec = SystemSpec.from_spec({"workload": {"model": "GPT2"}, "fleet": {"hardware": "H100"}})
    assert spec.workload.prompt == 2048
    assert spec.changed({"workload.phase": "train", "fleet.zero_stage": 1}).fleet.zero_stage == 1
    assert spec.changed({"workload.model": "ResNet50"}).workload.phase == "forward"
    with pytest.raises(InvalidEntry, match="phase decode has no use"):
        spec.changed({"workload.prompt": 512}).changed({"workload.phase": "decode"})


def test_a_system_is_an_entry_found_by_its_name():
    assert SystemSpec.build("FirstLook").workload.model == Models.Llama3_70B
    assert evaluate("FirstLook").bottleneck == "Memory"
    with pytest.raises(InvalidEntry, match="did you mean 'FirstLook'"):
        SystemSpec.build("FirstLok")


# ---- what a schema cannot say --------------------------------------------------------------------

DEVICE, GRID = Hardware.H100.to_dict(), Infrastructure.Grids.Quebec.to_dict()


@pytest.mark.parametrize(
    "spec",
    [
        {"workload": {"model": {**Models.Llama3_8B.to_dict(), "kv_heads": 7}}},
        {"fleet": {"hardware": {**DEVICE, "sources": {"tpd": {"kind": "user", "ref": "me"}}}}},
        {"environment": {"duration": "1e300 s"}},
    ],
)
def test_what_only_the_reader_can_know_is_told_by_the_reader(spec):
    spec = {"workload": {"model": "GPT2"}, "fleet": {"hardware": "H100"}, **spec}
    assert CHECK.is_valid(spec)
    assert refused(spec)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("workload", "efficiency", "50 %"), ("environment", "duration", "3 W*s/W")],
)
def test_of_some_spellings_the_schema_knows_less(section, key, value):
    spec = {"workload": {"model": "GPT2"}, "fleet": {"hardware": "H100"}, "environment": {}}
    spec[section][key] = value
    assert not CHECK.is_valid(spec)
    assert not refused(spec)


# ---- what is left out, and what others call it ---------------------------------------------------

SAID = {  # what each phase takes where nothing is said; what is not here is nothing
    "serve": {"precision": "fp16", "prompt": 2048, "tokens": 128, "reasoning_steps": 1},
    "decode": {"precision": "fp16", "batch_size": 1},
    "prefill": {"precision": "fp16", "batch_size": 1},
    "forward": {"precision": "fp16", "batch_size": 1},
    "train": {"precision": "fp16"},
}


@pytest.mark.parametrize("phase", SAID)
def test_what_is_left_out_is_what_it_usually_is(phase):
    model = "ResNet50" if phase == "forward" else "GPT2"
    spec = SystemSpec.from_spec(
        {"workload": {"model": model, "phase": phase}, "fleet": {"hardware": "H100"}}
    )
    said = {key: getattr(spec.workload, key) for key in type(spec.workload).model_fields}
    given = {"model": getattr(Models, model), "phase": phase}
    assert {key: value for key, value in said.items() if value is not None} == given | SAID[phase]
    place = {key: getattr(spec.fleet, key) for key in type(spec.fleet).model_fields}
    known = {key: value for key, value in place.items() if value is not None}
    assert known == {"hardware": Hardware.H100, "kept_free": 0.1}
    assert (spec.fleet.counted, spec.fleet.each, spec.fleet.inside) == (1, 1, 8)
    assert not [value for value in dict(spec.environment).values() if value is not None]
    assert (spec.name, spec.question, spec.constraints) == ("system", None, ())


OTHERS = {  # of vLLM, SGLang, TensorRT-LLM, Hugging Face and their benchmarks
    **dict.fromkeys(["input_tokens", "prompt_tokens", "input_len", "isl"], "workload.prompt"),
    **dict.fromkeys(["output_tokens", "decode_tokens", "max_tokens", "osl"], "workload.tokens"),
    **dict.fromkeys(["qps", "rate", "request_rate"], "workload.arrival_rate_qps"),
    **dict.fromkeys(["weights", "activations", "dtype"], "workload.precision"),
    **dict.fromkeys(["kv", "kv_cache_dtype"], "workload.kv_precision"),
    **dict.fromkeys(["gpus", "devices"], "fleet.count"),
    "gpu_memory_utilization": "fleet.kept_free",
}


@pytest.mark.parametrize("key", OTHERS)
def test_a_key_of_other_tools_is_told_by_its_name_here(key):
    section, _, ours = OTHERS[key].partition(".")
    spec = {"workload": {"model": "GPT2"}, "fleet": {"hardware": "H100"}}
    spec[section][key] = 3
    kind = {"workload": "Serve", "fleet": "FleetSpec"}[section]
    said = f"system: {section}.{key}: {kind} has no such key; did you mean {ours!r}?"
    assert refused(spec) == said


def test_fleets_of_nodes_are_counted_by_the_node_and_bare_devices_one_by_one():
    """Twice and four times as many and as few; past eight bare devices only whole eights."""

    def place(**fleet):
        return SystemSpec.from_spec({"workload": {"model": "GPT2"}, "fleet": fleet}).fleet

    nodes = place(node="DGX_H100", count=6)
    assert (nodes.counted, nodes.each, nodes.inside) == (6, 8, 8)
    assert nodes.around((2, 4)) == [1, 3, 6, 12, 24]
    assert [nodes.holding(many) for many in (1, 8, 9, 48, 49)] == [1, 1, 2, 6, 7]
    bare = place(hardware="H100", count=24)
    assert (bare.counted, bare.each, bare.inside) == (24, 1, 8)
    assert bare.around((2, 4)) == [6, 8, 24, 48, 96]  # half of it is 12, which fill one node
    assert [bare.holding(many) for many in (1, 7, 8, 9, 17)] == [1, 7, 8, 16, 24]
    whole = place(cluster="Research_256")
    assert (whole.counted, whole.each, whole.inside) == (32, 8, 8)
    fewer = place(cluster="Research_256", count=4, fabric="InfiniBand_HDR")
    assert (fewer.entry.devices, fewer.entry.fabric) == (32, Systems.Fabrics.InfiniBand_HDR)
    assert fewer.entry.node == Systems.Clusters.Research_256.node
    assert [each.entry.name for each in (nodes, bare)] == [
        f"6 x {Systems.Nodes.DGX_H100.name}",
        f"24 x {Hardware.H100.name}",
    ]
    assert (bare.entry.node.accelerators, bare.entry.count) == (8, 3)
    small = place(hardware="H100", count=5)
    assert (small.entry.node.accelerators, small.entry.count) == (5, 1)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"fleet": {}}, "fleet.hardware: nothing is given; give one of cluster, node and hardware"),
        (
            {"fleet": {"hardware": "H100", "cluster": "Research_256"}},
            "fleet.hardware: cluster and hardware are given; "
            "give one of cluster, node and hardware",
        ),
        (
            {"fleet": {"hardware": "H100", "count": 12}},
            "fleet.count: 12 devices do not fill nodes of 8; use a multiple of 8, "
            "or give node and how many there are of it",
        ),
        (
            {"workload": {"model": "GPT2", "cached_prefix_len": 100, "prompt": 100}},
            "workload.cached_prefix_len: it leaves nothing of the 100 tokens",
        ),
        (
            {"workload": {"model": "ResNet50", "phase": "decode"}},
            "workload.phase: ResNet-50 has no decode; it has forward, train",
        ),
        (
            {"workload": {"model": "GPT2", "phase": "forward"}},
            "workload.phase: GPT-2 (124M) has no forward; it has decode, prefill, serve, train",
        ),
        (
            {"environment": {"battery": "2 kJ"}},
            "workload.arrival_rate_qps: a battery lasts as often as it is used; "
            "say how often, as in arrival_rate_qps: 0.1",
        ),
        ({"workload": 3}, "workload: 3 will not do; give a mapping of keys and values"),
    ],
)
def test_a_system_that_cannot_be_says_what_is_wrong_and_what_would_do(spec, said):
    plain = {"workload": {"model": "GPT2"}, "fleet": {"hardware": "H100"}}
    assert refused({**plain, **spec}).rstrip(".") == f"system: {said}"


def test_all_but_one_token_may_be_cached_and_eight_devices_fill_a_node():
    work = {"model": "GPT2", "cached_prefix_len": 99, "prompt": 100}
    assert not refused({"workload": work, "fleet": {"hardware": "H100"}})
    for count in (7, 8, 16):
        fleet = {"hardware": "H100", "count": count}
        assert not refused({"workload": {"model": "GPT2"}, "fleet": fleet})


def test_what_is_no_mapping_is_told_by_its_kind():
    assert refused([1]) == "system: a system is a mapping of keys, not list."
    with pytest.raises(UnknownName, match="section cannot be 'kitchen'"):
        SystemSpec.build("FirstLook").changed({"kitchen.sink": 1})


WRITTEN = [  # a model written out, and whether it decodes
    *((Models.Llama3_8B, True), (Models.Mamba1_2_8B, True), (Models.BERT_Base, False)),
    *((Models.ViT_B_16, False), (Models.ResNet50, False), (Models.DLRM, False)),
]


@pytest.mark.parametrize(("model", "decodes"), WRITTEN, ids=lambda each: getattr(each, "stem", ""))
def test_a_model_that_is_written_out_serves_if_it_decodes_and_runs_forward_if_not(model, decodes):
    written = {key: part for key, part in model.to_dict().items() if key != "sources"}
    for phase, able in (("serve", decodes), ("decode", decodes), ("forward", not decodes)):
        work = {"model": written, "phase": phase}
        spec = {"workload": work, "fleet": {"hardware": "H100"}}
        assert CHECK.is_valid(spec) == (not refused(spec)) == able
