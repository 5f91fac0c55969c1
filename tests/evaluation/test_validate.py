"""Predictions held against published measurements: nothing dropped, misses counted."""

from __future__ import annotations

import csv
import json
import math
from io import StringIO

import pytest

from mlsysim import (
    Engine,
    Hardware,
    Infra,
    Models,
    ReliabilityModel,
    ServingModel,
    SingleNodeModel,
    Systems,
)
from mlsysim.cli import main
from mlsysim.core.errors import InvalidEntry
from mlsysim.evaluation import validate
from mlsysim.evaluation.validate import Prediction, Row, read, scores, silicon, training
from mlsysim.evaluation.validate.left_out import SHEET, covered, spread, told
from mlsysim.evaluation.validate.places import fleet_of
from mlsysim.evaluation.validate.predict import predicted
from mlsysim.evaluation.validate.rows import Unpredictable, precision_of
from mlsysim.evaluation.validate.serving import layout
from mlsysim.evaluation.validate.silicon import product
from mlsysim.evaluation.validate.stack import stack_name
from mlsysim.stacks.registry import Stacks
from mlsysim.stacks.types import Stack

ROWS = read()
LEFT = validate.left_out(validate.predictions(ROWS, validate.LEVELS["calibrated"]), "table")
SERVED = ("Llama-2-7B", "Llama-3.1-8B", "Mistral-7B")


def row(**columns) -> Row:
    """A row that says the least, and what is given."""
    least = dict.fromkeys(Row._fields, "") | {
        "id": "x",
        "domain": "decode",
        "model": "Llama-3.1-8B",
        "hardware": "H100-80GB-SXM",
        "n_devices": "1",
        "precision": "fp16",
        "batch": "1",
        "value": "1",
    }
    return Row(**(least | columns))


def test_every_row_has_a_prediction_or_a_reason():
    for stack in validate.LEVELS.values():
        found = validate.predictions(ROWS, stack)
        assert [each.row for each in found] == ROWS
        assert len(found) == 686  # 673 that were given, 13 of single products
        assert all(bool(each.reason) == (each.value is None) for each in found)


@pytest.mark.parametrize(("stack", "error", "share"), [("ideal", 0.13, 0.98), (None, 0.25, 0.85)])
def test_served_tokens_of_one_device_are_within_a_factor(stack, error, share):
    """63 published rows; nothing is fitted: half of the peak, all of the bandwidth."""
    served = [
        each
        for each in ROWS
        if (each.domain, each.n_devices) == ("serve_throughput", "1") and each.model in SERVED
    ]
    assert len(served) == 63
    score = scores(validate.predictions(served, stack))[-1]
    assert score.answered == 63
    assert score.error <= error
    assert score.within[0] >= share


def test_a_miss_counts_in_medians_and_shares():
    """Off by 1.2, by a half and unknown: the median is a half, one of three within 1.5."""
    found = [
        Prediction(row(value="10"), 12.0, ""),
        Prediction(row(value="10"), 5.0, ""),
        Prediction(row(value="10"), None, "no such model"),
    ]
    (domain, whole) = scores(found)
    assert (domain.name, whole.name) == ("decode", "all")
    assert (whole.rows, whole.answered) == (3, 2)
    assert whole.error == pytest.approx(0.5)
    assert whole.within == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert whole.bias == pytest.approx(math.sqrt(1.2 * 0.5))
    assert found[1].factor == 2


def test_most_rows_unknown_is_no_median():
    found = [*2 * [Prediction(row(), None, "no")], Prediction(row(), 1.0, "")]
    assert scores(found)[-1].plain()["median_error"] is None


def test_tables_count_alike_whatever_their_number_of_rows():
    """Three rows that are off by 0.1 in one table, one by 0.5 in another: (0.1 + 0.5) / 2."""
    of = [("a", 1.1)] * 3 + [("b", 1.5)]
    found = [Prediction(row(source_table=table), value, "") for table, value in of]
    assert scores(found)[-1].tables == pytest.approx(0.3)
    assert scores(found)[-1].error == pytest.approx(0.1)


def test_a_microcontrollers_row_is_the_solvers_answer():
    asked = row(
        domain="tinyml",
        model="DS-CNN(kws)",
        hardware="STM32L4R5",
        precision="int8",
        metric="latency",
    )
    one = SingleNodeModel().solve(Models.KeywordSpotting, Hardware.STM32L4R5ZI, precision="int8")
    in_ms = validate.predicted(asked._replace(unit="ms"), None)
    assert in_ms == pytest.approx(one.latency.m_as("ms"))


def test_a_generation_is_a_prompt_and_its_decode_steps():
    """One token takes the prompt alone; each further one a decode step, one token farther on."""
    asked = row(metric="e2e_generation_latency", unit="s", seq_in="100", seq_out="1")
    solve = SingleNodeModel().solve
    prompt = solve(Models.Llama3_8B, Hardware.H100, phase="prefill", seq_len=100).latency.m_as("s")
    assert validate.predicted(asked, None) == pytest.approx(prompt)
    step = solve(Models.Llama3_8B, Hardware.H100, seq_len=101).latency.m_as("s")
    two = validate.predicted(asked._replace(seq_out="2"), None)
    assert two == pytest.approx(prompt + step)


def test_a_row_of_device_hours_is_their_energy():
    """1,000 hours of 400 W at a PUE of 1.1 are 0.44 MWh, and at 385 g/kWh 0.1694 t."""
    asked = row(domain="energy_carbon", metric="energy", unit="MWh")
    asked = asked._replace(note="gpu_hours=1000;W=400;PUE=1.1;CI=0.385kg/kWh")
    assert validate.predicted(asked, None) == pytest.approx(0.44)
    carbon = asked._replace(metric="carbon", unit="tCO2eq")
    assert validate.predicted(carbon, None) == pytest.approx(0.1694)


@pytest.mark.parametrize(
    ("text", "number"),
    [("128 per GPU", 128), ("4M tokens", 4e6), ("2.5e3", 2500), ("8Mi", 8), ("inf", math.inf)],
)
def test_a_column_starts_with_its_number(text, number):
    assert row(batch=text).number("batch") == number


def test_what_a_row_tells_beside_its_columns():
    told = row(parallelism="tp=8; PP=2;zero1;dp=auto", note="tokens=15T, gpu_hours=1.46M W=7e2W")
    assert [told.ways(name) for name in ("tp", "pp", "dp", "ep")] == [8, 2, 1, 1]
    assert told.divided["zero"] == "1"
    assert [told.noted(name) for name in ("tokens", "gpu_hours", "W", "PUE")] == (
        [15e12, 1.46e6, 700, None]
    )
    assert row().number("seq_in", 7) == 7


STEP = {"model": "Llama-3.1-8B", "batch": "4", "seq_in": "1000", "seq_out": "200"}
TRAIN = {"model": "Llama-3.1-8B", "n_devices": "8", "batch": "64", "seq_in": "4096"}
TRAIN |= {"domain": "train", "precision": "bf16", "parallelism": "tp=2;dp=4"}
AGAIN = {**TRAIN, "parallelism": "tp=2;dp=4;recompute=full"}
WIRE = {"domain": "comm", "n_devices": "8", "batch": "1e9"}
NETWORK = {"domain": "cnn_infer", "model": "resnet50", "batch": "8"}


def by_law(columns, metric, unit=""):
    return predicted(row(**columns, metric=metric, unit=unit), None)


def test_rows_of_serving_follow_from_each_other():
    whole = by_law(STEP, "e2e_generation_latency", "s")
    assert by_law(STEP, "e2e_generation_latency", "ms") == pytest.approx(1e3 * whole)
    assert by_law(STEP, "output_tokens_per_s") == pytest.approx(4 * 200 / whole)
    four = {**STEP, "n_devices": "4"}  # each of which answers as many
    assert by_law(four, "output_tokens_per_s") == pytest.approx(4 * 4 * 200 / whole)
    assert by_law(four, "output_tokens_per_s_per_gpu") == pytest.approx(4 * 200 / whole)
    read = by_law(STEP, "forward_latency", "us") * 1e-6
    assert by_law(STEP, "prefill_tokens_per_s") == pytest.approx(4 * 1000 / read)
    assert by_law(STEP, "sequences_per_s") == pytest.approx(4 / read)
    # in the middle of an answer of 200 tokens
    step = Engine.solve("Llama3_1_8B", "H100", batch_size=4, seq_len=1100)
    assert by_law(STEP, "decode_tokens_per_s") == pytest.approx(4 / step.si("latency"))
    # 8.03 billion weights of two bytes, and 131,072 bytes of cache for each of 4 x 1,200 tokens
    held = 2 * 8_030_261_248 + 4 * 1200 * 131_072
    assert by_law(STEP, "inference_mem_total", "GB") == pytest.approx(held / 1e9, rel=2e-4)


def test_rows_of_networks_are_of_one_image_of_the_batch():
    """Was wrong: the energy of an inference was that of its whole batch."""
    step = Engine.solve("ResNet50", "H100", batch_size=8)
    assert by_law(NETWORK, "images_per_s") == pytest.approx(8 / step.si("latency"))
    four = {**NETWORK, "n_devices": "4"}
    assert by_law(four, "images_per_s") == pytest.approx(4 * 8 / step.si("latency"))
    energy = by_law(NETWORK, "energy_per_inference", "uJ")
    assert energy == pytest.approx(700 * step.si("latency") / 8 * 1e6)  # of 700 W


def test_rows_of_training_follow_from_each_other():
    step = by_law(TRAIN, "iteration_time", "s")
    assert by_law(TRAIN, "sequences_per_s") == pytest.approx(64 / step)
    tokens = by_law(TRAIN, "tokens_per_s_per_gpu")
    assert tokens == pytest.approx(64 * 4096 / step / 8)
    rate = by_law(TRAIN, "tflops_per_chip", "TFLOP/s/chip")
    assert by_law(TRAIN, "mfu_percent", "%") == pytest.approx(100 * rate / 989.4)
    # what is computed again counts as work where all of a forward pass is
    assert by_law(TRAIN, "hw_tflops_per_gpu", "TFLOP/s/GPU") == pytest.approx(rate)
    own, every = (
        by_law(AGAIN, metric, "TFLOP/s/GPU") for metric in ("tflops_per_chip", "hw_tflops_per_gpu")
    )
    assert every == pytest.approx(own * 4 / 3)
    # a trillion tokens
    for note in ("tokens=1T", "trained on 1T tokens", "on 1000B tokens"):
        hours = by_law({**TRAIN, "note": note}, "gpu_hours", "GPU-h")
        assert hours == pytest.approx(1e12 / tokens / 3600)
        days = by_law({**TRAIN, "note": note}, "training_days_continuous", "days")
        assert days == pytest.approx(hours / 8 / 24)
    # two bytes of weights, two of gradients, and of 12 of Adam's a fourth, of half the parameters
    state = by_law(TRAIN, "param_optimizer_mem", "GB")
    assert state == pytest.approx(7 * 8_030_261_248 / 2 / 1e9, rel=1e-4)
    whole = by_law(TRAIN, "gpu_mem_total", "GiB/GPU") * 2**30 / 1e9
    assert whole == pytest.approx(state + by_law(TRAIN, "activation_mem", "GB"))


def test_a_batch_of_training_is_told_in_sequences_tokens_or_for_each_device():
    plain = by_law(TRAIN, "iteration_time", "s")
    # 64 of 4,096 tokens; of 250,000 tokens the nearest that eight devices share
    for batch in ("262144 tokens", "250000 tokens"):
        assert by_law({**TRAIN, "batch": batch}, "iteration_time", "s") == pytest.approx(plain)
    small = {**TRAIN, "parallelism": "tp=2;dp=4;mbs=2"}
    each = by_law({**TRAIN, "batch": "2 per GPU"}, "iteration_time", "s")
    assert each == pytest.approx(by_law({**small, "batch": "16"}, "iteration_time", "s"))


def test_rows_of_wires_and_products_by_hand():
    """A ring of eight at 450 GB/s: 14 messages of an eighth, each 1 us late."""
    time = 14 / 8 * 1e9 / 450e9 + 14e-6
    assert by_law(WIRE, "time", "ms") == pytest.approx(1e3 * time)
    assert by_law(WIRE, "busbw", "GB/s") == pytest.approx(14 / 8 / time)
    shape = {"domain": "kernel_gemm", "metric": "time", "unit": "us"}
    one, same, other = (
        predicted(row(**shape, model=model), Stacks.cublas)
        for model in ("M=128;K=8192;N=65536", "128x65536x8192", "128x8192x65536")
    )
    assert one == same != other
    # a large one behind others takes its 2 x 8192^3 FLOP at half of 989.4 TFLOP/s, and one that
    # somebody waits for 10 us of dispatch more
    large = {"domain": "kernel_gemm", "model": "M=8192;K=8192;N=8192"}
    assert by_law(large, "achieved_tflops", "TFLOP/s") == pytest.approx(989.4 / 2)
    time = 2 * 8192**3 / (989.4e12 / 2) + 10e-6
    assert by_law(large, "time", "us") == pytest.approx(1e6 * time)


@pytest.mark.parametrize(
    ("name", "devices", "inside", "fabric"),
    [
        ("H100", 4, 4, "InfiniBand_NDR"),
        ("H100", 16, 8, "InfiniBand_NDR"),  # of 2022
        ("A100", 16, 8, "InfiniBand_HDR"),  # of 2020
        ("GB200", 128, 64, "InfiniBand_NDR"),  # 72 in a rack, divided by powers of two
        ("Trainium2", 128, 64, "InfiniBand_NDR"),  # in nodes of 16, and in larger ones of 64
    ],
)
def test_devices_of_a_row_stand_in_the_largest_node_of_their_own(name, devices, inside, fabric):
    fleet = fleet_of(Hardware[name], devices)
    assert (fleet.node.accelerators, fleet.count) == (inside, max(devices // inside, 1))
    assert fleet.fabric == Systems.Fabrics[fabric]


def test_where_no_row_tells_how_many_devices_train_they_are_1024():
    many = {**TRAIN, "batch": "4096"}
    untold, told, other = (
        by_law({**many, "n_devices": devices}, "iteration_time", "s")
        for devices in ("", "1024", "2048")
    )
    assert untold == told != other


def test_rows_of_power_failures_and_checkpoints_by_hand():
    """An H100 draws 700 W; a checkpoint is two bytes of weights and Adam's twelve."""
    hours = {"note": "gpu_hours=1000"}
    assert by_law(hours, "energy", "MWh") == pytest.approx(0.7)
    average = Infra.Grids.US_Average.carbon_intensity.m_as("t/MWh")
    assert by_law(hours, "carbon", "tCO2eq") == pytest.approx(0.7 * average)
    assert by_law({}, "checkpoint_size", "GB") == pytest.approx(14 * 8.030261248)
    fleet = fleet_of(Hardware.H100, 1024)
    found = ReliabilityModel().solve(fleet)
    many, share = {"n_devices": "1024"}, found.si("failure_shares")["device"]
    days = by_law(many, "machine_failures_per_day", "hosts/day")
    assert days == pytest.approx(86_400 / found.si("mtbf"))
    weeks = by_law(many, "gpu_failures_per_week", "count/week")
    assert weeks == pytest.approx(7 * days * share)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"model": "Llama-9", "metric": "decode_tokens_per_s"}, "'Llama-9' is in no"),
        ({"hardware": "H999", "metric": "decode_tokens_per_s"}, "'H999' is in no"),
        ({"metric": "happiness"}, "nothing predicts 'happiness'"),
        ({"metric": "decode_tokens_per_s", "precision": "q9"}, "precision 'q9' is not known"),
        ({"metric": "e2e_generation_latency"}, "seq_in is '': no number"),
        ({"metric": "decode_tokens_per_s", "parallelism": "tp=3"}, "32 attention heads"),
        ({"metric": "gpu_hours", "seq_in": "2048", "batch": ""}, "how many tokens were seen"),
        ({"metric": "energy"}, "how many device hours"),
        ({"metric": "time", "domain": "comm", "hardware": "RTX3090"}, "no known link to others"),
        ({"metric": "tokens_per_s_per_gpu", "parallelism": "tp=1;cp=2"}, "cannot be divided"),
        (
            {**TRAIN, "model": "Llama-3.1-405B", "parallelism": "", "metric": "iteration_time"},
            "No plan fits",
        ),
        (
            {
                "model": "PersonDetection",
                "hardware": "STM32F746",
                "precision": "int8",
                "metric": "energy_per_inference",
            },
            "STM32F746 has no known power",
        ),
        (
            {"hardware": "STM32F746", "note": "gpu_hours=3", "metric": "energy"},
            "STM32F746 has no known power",
        ),
    ],
)
def test_what_cannot_be_predicted_says_why(columns, why):
    (found,) = validate.predictions([row(**columns)], None)
    assert found.value is None
    assert why in found.reason
    assert found.factor == math.inf


@pytest.mark.parametrize(
    ("text", "name", "weight"),
    [
        ("f16", "fp16", None),
        ("FP8-MX", "fp8", None),
        ("4.0bpw", "int4", 0.5),
        ("Q4_0", "int4", 0.5625),
        ("Q4_K_M", "int4", 4.89 / 8),
    ],
)
def test_a_format_is_a_precision_and_the_bits_of_its_own(text, name, weight):
    assert precision_of(text) == (name, weight)


def test_an_unknown_format_is_no_guess():
    with pytest.raises(Unpredictable, match="precision 'int3' is not known"):
        precision_of("int3")


# ---- tables of one's own, and the command --------------------------------------------------------


def table(tmp_path, **columns):
    fields = row(**columns)._asdict()
    out = StringIO()
    writer = csv.DictWriter(out, list(fields))
    writer.writeheader()
    writer.writerow(fields)
    path = tmp_path / "own.csv"
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def test_a_table_of_ones_own_is_judged_in_the_same_way(tmp_path, capsys):
    path = table(tmp_path, metric="decode_tokens_per_s", seq_in="2047", value="218.8")
    assert main(["validate", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [*told] == ["Iron Law", "ideal", "calibrated"]
    assert told["Iron Law"]["predicted"]["x"] == pytest.approx(218.8, rel=1e-3)
    assert told["Iron Law"]["domains"]["all"]["within_1.5x"] == 1


def test_a_model_of_ones_own_may_be_measured(tmp_path, capsys, clean_registry):
    folder = tmp_path / "mine" / "models"
    folder.mkdir(parents=True)
    small = Models.Llama3_8B.to_dict() | {"name": "Small", "layers": 2, "parameters": 1_600_000_000}
    small.pop("sources", None)
    (folder / "Small.yaml").write_text(json.dumps(small), encoding="utf-8")
    path = table(tmp_path, model="Small", metric="decode_tokens_per_s", seq_in="100")
    assert main(["validate", str(path), "--json", "--registry", str(tmp_path / "mine")]) == 0
    assert not json.loads(capsys.readouterr().out)["ideal"]["unpredictable"]


def test_the_command_prints_domains_the_worst_and_the_misses(tmp_path, capsys):
    assert main(["validate", str(table(tmp_path, metric="happiness"))]) == 0
    said = capsys.readouterr().out
    assert "decode" in said
    assert "not predicted, and counted as misses (1 rows)" in said
    assert "nothing predicts 'happiness': x" in said


@pytest.mark.parametrize(
    ("text", "why"),
    [("id,domain\n1,decode\n", "the column is missing"), (None, "it cannot be read")],
)
def test_a_table_that_is_none_is_refused_in_a_sentence(tmp_path, text, why):
    path = tmp_path / "own.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidEntry, match=why):
        read(path)


@pytest.mark.parametrize("value", ["", "0", "-3", "many"])
def test_a_measurement_is_a_number_above_zero(tmp_path, value):
    with pytest.raises(InvalidEntry, match="give a number above zero"):
        read(table(tmp_path, metric="ttft", value=value))


def test_a_note_of_adapters_trains_them_alone():
    """What is frozen needs no gradients of weights: four FLOP a parameter and token, not six."""
    (whole,) = (row for row in ROWS if row.id == "tra0226")
    adapters = whole._replace(note="LoRA")
    ratio = validate.predicted(adapters, "ideal") / validate.predicted(whole, "ideal")
    assert 1.2 < ratio < 1.5


@pytest.mark.parametrize(("devices", "usual"), [("512", "1024"), ("2048", "2048")])
def test_where_no_batch_is_told_it_is_the_usual_one_or_one_a_device(devices, usual):
    (whole,) = (row for row in ROWS if row.id == "tra0146")  # GPT of 310 billion, 8 x 16 ways
    asked = whole._replace(n_devices=devices, parallelism="tp=8;pp=16;recompute=full")
    untold, told, other = (asked._replace(batch=batch) for batch in ("", usual, "4096"))
    assert validate.predicted(untold, None) == validate.predicted(told, None)
    assert validate.predicted(untold, None) != validate.predicted(other, None)


def test_a_row_is_run_by_the_software_that_it_names():
    cnn = row(domain="cnn_infer", model="resnet50", hardware="RTX3090")
    assert stack_name(cnn) == "cudnn"
    assert stack_name(cnn._replace(note="FT cpp column")) == "fastertransformer"
    assert stack_name(cnn._replace(stack="megatron")) == "megatron"
    assert stack_name(cnn._replace(hardware="i9-10940X")) == "cpu"
    assert stack_name(cnn._replace(hardware="STM32L4R5", model="ResNet8(ic)")) == "cmsis_nn"
    served = row(batch="8")
    assert stack_name(served) == "trtllm"
    assert stack_name(served._replace(hardware="MI300X")) == "vllm"
    assert stack_name(served._replace(hardware="RTX3090", batch="1")) == "llamacpp"
    assert stack_name(served._replace(domain="training")) == "megatron"
    assert stack_name(served._replace(hardware="TPU_v5p", parallelism="mbs=1")) == "maxtext"
    assert stack_name(served._replace(model="Llama-9")) == "ideal"


def test_intervals_are_those_of_other_tables():
    """Ten rows of table a are off by 1.1, ten of b by 1.4: each is judged by the other."""
    found = [Prediction(row(source_table="a"), 1.1, "")] * 10
    found += [Prediction(row(source_table="b", id="y"), 1.4, "")] * 10
    near = covered(found)
    assert near["x"] == pytest.approx((1.4, 1.4))
    assert near["y"] == pytest.approx((1.1, 1.1))
    assert scores(found)[-1].covered == (0.5, 0.5)


def test_intervals_cover_what_they_say_of_rows_left_out():
    half, most = scores(LEFT)[-1].covered
    assert 0.42 < half < 0.58
    assert 0.85 < most < 0.96


def asked(**more):
    """A row of Llama 3.1 8B on an H100, 1,024 tokens in and out, or of another model."""
    known = {"model": "Llama-3.1-8B", "hardware": "H100-80GB-SXM", "n_devices": "1", "unit": "ms"}
    known |= {"precision": "fp16", "batch": "16", "seq_in": "1024", "seq_out": "1024"}
    known |= {"parallelism": "tp=1", "metric": "tpot", "value": "1"}
    return Row(**{**dict.fromkeys(Row._fields, ""), **known, **more})


def test_a_concurrency_is_shared_by_the_replicas():
    """Thirty-two requests on two devices are sixteen on each, for any time."""
    for metric in ("tpot", "ttft"):
        two = predicted(asked(n_devices="2", batch="32", metric=metric), "ideal")
        assert two == pytest.approx(predicted(asked(metric=metric), "ideal"))


def test_the_time_of_a_token_is_a_step_and_the_prompts_that_come_meanwhile():
    """While a request takes its 1,023 steps, sixteen prompts are read."""
    step = Engine.solve("Llama3_1_8B", "H100", batch_size=16, seq_len=1536, stack="ideal")
    read = Engine.solve("Llama3_1_8B", "H100", phase="prefill", seq_len=1024, stack="ideal")
    by_hand = (step.latency + 16 * read.latency / 1023).m_as("ms")
    assert predicted(asked(), "ideal") == pytest.approx(by_hand, rel=0.01)


def test_a_replica_of_two_devices_has_all_of_its_own_concurrency_in_flight():
    how = {"seq_len": 1024, "tensor_parallel": 2, "stack": "ideal"}
    served = ServingModel().solve("Llama3_1_8B", "H100", batch_size=16, decode_tokens=1024, **how)
    read = ServingModel().solve("Llama3_1_8B", "H100", decode_tokens=1, **how).si("ttft")
    by_hand = 1e3 * (served.si("itl") + 16 * read / 1023)
    for devices, batch in (("2", "16"), ("8", "64")):
        row = asked(parallelism="tp=2", n_devices=devices, batch=batch)
        assert predicted(row, "ideal") == pytest.approx(by_hand, rel=0.01)


def test_in_a_pair_the_first_token_waits_for_the_other_now_and_then():
    """One other spends a prompt of its time reading; in the first of ten rounds both come at once.

    Of a queue of fixed services it waits load / 2 (1 - load) of a prompt, and for half a step.
    """
    read = Engine.solve("Llama3_1_8B", "H100", phase="prefill", seq_len=1024, stack="ideal")
    step = Engine.solve("Llama3_1_8B", "H100", batch_size=2, seq_len=1536, stack="ideal")
    alone, token = read.latency.m_as("ms"), predicted(asked(batch="2"), "ideal")
    load = alone / (alone + 1023 * token)
    waits = load / 2 / (1 - load)
    waits += (1 / 2 - waits) / 10
    by_hand = alone * (1 + waits) + step.latency.m_as("ms") / 2
    assert predicted(asked(metric="ttft", batch="2"), "ideal") == pytest.approx(by_hand, rel=1e-3)
    # where nobody answers, all prompts are read together
    both = Engine.solve(
        "Llama3_1_8B", "H100", phase="prefill", seq_len=1024, batch_size=2, stack="ideal"
    )
    silent = predicted(asked(metric="ttft", batch="2", seq_out=""), "ideal")
    assert silent == pytest.approx(both.latency.m_as("ms"))


def test_alone_the_first_token_takes_a_prompt_and_in_company_longer():
    read = Engine.solve("Llama3_1_8B", "H100", phase="prefill", seq_len=1024, stack="ideal")
    alone, some, more = (
        predicted(asked(metric="ttft", batch=batch), "ideal") for batch in ("1", "16", "64")
    )
    assert alone == pytest.approx(read.latency.m_as("ms"))
    assert alone < some < more < 64 * alone


def test_no_more_are_in_flight_than_fit():
    """What waits for room is not among those whose tokens are timed."""
    full, more = (predicted(asked(batch=batch), "ideal") for batch in ("inf", "100000"))
    assert more == pytest.approx(full)
    for metric, batch in (("tpot", "16"), ("output_tokens_per_s", "inf")):
        with pytest.raises(Unpredictable, match="not one sequence fits"):
            predicted(asked(model="Llama-3.1-70B", metric=metric, batch=batch), "ideal")


@pytest.mark.parametrize(
    ("how", "parts"),
    [
        ({"parallelism": "tp=8"}, (8, 1)),
        ({"parallelism": "tp=8", "attention_dp": "0", "ep": "0"}, (8, 1)),
        ({"parallelism": "tp=8", "attention_dp": "false"}, (8, 1)),
        ({"parallelism": "tp=8", "ep": "8"}, (8, 1)),  # the same bytes on each device
        ({"parallelism": "tp=8", "attention_dp": "8", "ep": "8"}, (1, 8)),
        ({"parallelism": "tp=8", "attention_dp": "true"}, (1, 8)),
        ({"parallelism": "tp=1", "attention_dp": "8"}, (1, 8)),
        ({"parallelism": "tp=4", "attention_dp": "2"}, (4, 2)),
        ({"parallelism": "tp=8", "attention_dp": "2"}, (4, 2)),  # the same eight, counted twice
        ({"parallelism": "tp=2", "attention_dp": "8"}, (1, 8)),
        ({"parallelism": "tp=1;ep=8"}, (1, 8)),
    ],
)
def test_attention_that_is_data_parallel_gives_each_group_sequences_of_its_own(how, parts):
    row = asked(model="DeepSeek-V3", hardware="H200-141GB-SXM", n_devices="8", **how)
    assert layout(row, mixture=True) == parts
    assert layout(row, mixture=False) == (int(how["parallelism"][3]), 1)


def test_data_parallel_attention_has_room_for_more_of_a_latent_cache():
    """Eight devices that divide heads keep the latent cache eight times, and once otherwise."""
    row = asked(model="DeepSeek-V3", hardware="H200-141GB-SXM", n_devices="8", precision="fp8",
                batch="inf", metric="output_tokens_per_s", unit="tokens/s")  # fmt: skip
    heads = predicted(row._replace(parallelism="tp=8"), "ideal")
    apart = predicted(row._replace(parallelism="tp=8", attention_dp="8"), "ideal")
    assert apart > 1.2 * heads


def test_a_table_of_ones_own_has_ranges_another_stack_and_a_chart(tmp_path, capsys):
    """Megatron's like lies within 1.12 and 1.58 of what is said, as its file tells."""
    some = [row._replace(source_table="mine") for row in ROWS[:3]]
    path, chart = tmp_path / "mine.csv", tmp_path / "parity.svg"
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, Row._fields)
        lines.writeheader()
        lines.writerows(row._asdict() | {"stack": "megatron"} for row in some)
    main(["validate", str(path), "--stack", "fsdp", "--chart", str(chart), "--json"])
    held = json.loads(capsys.readouterr().out)
    name, value = next(iter(held["calibrated"]["predicted"].items()))
    spread = Stacks.megatron.spread
    ends = held["calibrated"]["intervals"][name]
    assert ends["50%"] == pytest.approx([value / float(spread.half), value * float(spread.half)])
    assert ends["90%"] == pytest.approx([value / float(spread.most), value * float(spread.most)])
    assert set(held["fsdp"]["predicted"]) == {row.id for row in some}
    assert held["calibrated"]["domains"]["all"]["covered_50%"] is not None
    assert "Measured" in chart.read_text(encoding="utf-8")


def test_with_its_table_left_out_a_row_is_predicted_as_near_as_is_promised():
    """The goals that can be seen from the rows that ship: median, within 1.5 and within 2."""
    every = scores(LEFT)[-1]
    assert every.error <= 0.105
    assert every.within[0] >= 0.89
    assert every.within[1] >= 0.97
    full = [
        each for each in LEFT if each.row.domain == "serve_throughput" and each.row.batch == "inf"
    ]
    assert sorted(each.error for each in full)[len(full) // 2] <= 0.08


def test_in_each_domain_of_thirty_rows_intervals_cover_what_they_say():
    """Single products too: three tables of them, each judged by the two others."""
    counted = {score.name: score for score in scores(LEFT) if score.rows >= 30}
    assert {"kernel_gemm", "comm", "tinyml", "decode", "all"} < counted.keys()
    for score in counted.values():
        half, most = score.covered
        assert 0.42 < half < 0.58, score.name
        assert 0.85 < most < 0.96, score.name


def test_a_product_behind_others_takes_its_own_time_or_that_of_sending_it():
    """Sent in 20 us each: 128 x 128 x 128 wait for the host, 8,192 of each for themselves."""
    stack = Stack.build({"name": "sent", "launch": "20 us", "host": "0 s", "operators": {}})
    device = Hardware.A100
    short, long = (128.0,) * 3, (8192.0,) * 3
    assert product(short, device, "fp16", stack, alone=False) == pytest.approx(20e-6)
    for sizes in (short, long):
        kernel = product(sizes, device, "fp16", stack) - 20e-6
        behind = product(sizes, device, "fp16", stack, alone=False)
        assert behind == pytest.approx(max(kernel, 20e-6))
    # 1.1e12 FLOP at 312 TFLOP/s take 3.52 ms at the least
    assert 3.52e-3 < product(long, device, "fp16", stack, alone=False) < 1.3 * 3.52e-3


def test_a_product_of_a_stack_of_measured_kernels_is_cut_into_tiles():
    """The A100 has 108 processors: one tile of 128 x 128 more than these begins a second round."""
    stack = Stack.build({"name": "tiles", "launch": "0 s", "host": "0 s", "operators": {}})
    last, full, more = (
        product((128.0, 65536.0, 128.0 * tiles), Hardware.A100, "fp16", stack)
        for tiles in (107, 108, 109)
    )
    assert more - full > 5 * (full - last) > 0


def test_a_rows_interval_is_that_of_the_answer_itself():
    """A network for images is a kind that a stack of decoders was not measured on."""
    rows = {row.id: row for row in read()}
    stack = Stacks.fastertransformer_gpt
    seen, new = (
        rows["dec0357"],
        rows["cnn0980"]._replace(stack=stack.stem, hardware="A100-80GB-SXM"),
    )
    assert told(seen) == (stack.spread.half, stack.spread.most)
    assert told(new) == (stack.spread.new_half, stack.spread.new_most) != told(seen)
    answer = Engine.solve("ResNet50", "A100", stack=stack)
    assert answer.interval()[1] / answer.latency == pytest.approx(told(new)[1])


# ---- on paper ------------------------------------------------------------------------------------

UNITS = {  # what one of them is in SI: second, byte, joule, gram, FLOP a second
    "ms": 1e-3,
    "us": 1e-6,
    "s": 1,
    "GPU-h": 3600,
    "days": 24 * 3600,
    "GB/s": 1e9,
    "GB": 1e9,
    "GB/GPU": 1e9,
    "GiB/GPU": 1024**3,
    "TB": 1e12,
    "uJ": 1e-6,
    "MWh": 1e6 * 3600,
    "tCO2eq": 1e6,
    "%": 0.01,
    "TFLOP/s": 1e12,
    "TFLOP/s/chip": 1e12,
    "TFLOP/s/GPU": 1e12,
    "hosts/day": 1 / (24 * 3600),
    "count/week": 1 / (7 * 24 * 3600),
    "tokens/s": 1,
    "GB (decimal)": 1e9,  # what is said of a unit in brackets is no part of it
}


@pytest.mark.parametrize("unit", UNITS)
def test_a_prediction_is_told_in_the_unit_of_its_row(unit):
    plain, told = (by_law(STEP, "decode_tokens_per_s", each) for each in ("", unit))
    assert told == pytest.approx(plain / UNITS[unit], rel=1e-12)


def test_a_score_as_json_tells_shares_misses_and_means():
    """Off by 1.4, 2.5, 1/1.8, 4 and unknown; by tables (0.4 + 1.5) / 2 and (3 + infinite) / 2."""
    of = [("a", 1.4), ("a", 2.5), ("b", 1 / 1.8), ("b", 4.0), ("b", None)]
    found = [
        Prediction(row(id=f"{at}", source_table=table), value, "" if value else "no")
        for at, (table, value) in enumerate(of)
    ]
    told = scores(found)[-1].plain()
    # within the larger of the other table's two: all but the fourth
    assert told.pop("covered_50%") == told.pop("covered_90%") == 0.75
    assert told == {
        "rows": 5,
        "answered": 4,
        "median_error": pytest.approx(1.5),
        "within_1.5x": 0.2,
        "within_2x": 0.4,
        "within_3x": 0.6,
        "geometric_mean_ratio": pytest.approx((1.4 * 2.5 / 1.8 * 4) ** (1 / 4)),
        "median_over_tables": pytest.approx((0.95 + 3) / 2),
    }
    at_limit = [Prediction(row(), value, "") for value in (1.5, 2.0, 3.0)]
    assert scores(at_limit)[-1].within == pytest.approx((1 / 3, 2 / 3, 1))


def test_the_worst_come_first_and_what_has_no_answer_is_none_of_them():
    values = [1.1, 7.0, None, 1 / 9, 3.0, 2.0, 1.5, 1.2]
    found = [Prediction(row(id=f"{at}"), value, "") for at, value in enumerate(values)]
    assert [int(each.row.id) for each in validate.worst(found)] == [3, 1, 4, 5, 6]
    assert [int(each.row.id) for each in validate.worst(found, 2)] == [3, 1]


@pytest.mark.parametrize(
    ("part", "factor"), [(0.01, 1.5), (0.4, 3.0), (0.5, 4.0), (0.6, 4.0), (0.61, 5.0), (0.9, 5.0)]
)
def test_so_large_a_part_lies_within_a_factor_with_one_more_to_come(part, factor):
    """Of four and the next one, each fifth of the chance is up to one of them, or beyond all."""
    off = [math.log(each) for each in (1 / 3.0, 1.5, 5.0, 1 / 4.0)]
    assert spread(off, part) == pytest.approx(factor)


def test_few_rows_of_a_domain_are_told_by_those_of_all_domains():
    """Nine others of its kind are too few and ten are not."""

    def near(many):
        found = [Prediction(row(id="x", source_table="own"), 1.0, "")]
        found += [Prediction(row(id="y", source_table="other"), 1.2, "")] * many
        found += [Prediction(row(id="z", source_table="far", domain="else"), 3.0, "")] * 30
        return covered(found)["x"]

    assert near(10) == pytest.approx((1.2, 1.2))
    assert near(9) == pytest.approx((3.0, 3.0))
    alone = covered([Prediction(row(stack="megatron"), 1.0, "")])["x"]
    assert alone == told(row(stack="megatron"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(("int8w", "int8"), ("int4w", "int4"), ("INT4-SpinQuant", "int4"), (" bf16 ", "bf16")),
        *(("fp8-cs", "fp8"), ("mxfp8", "fp8"), ("nvfp4", "fp4"), ("w4a4", "w4a4")),
    ],
)
def test_what_tables_call_a_precision_is_one_of_ours(text, name):
    assert precision_of(text) == (name, None)


@pytest.mark.parametrize(
    ("parallelism", "plan"),
    [
        (
            "tp=2;pp=3;ep=5;cp=7;vp=11;mbs=13;zero2;recompute=selective+seqpar",
            {
                "tensor_parallel": 2,
                "pipeline_parallel": 3,
                "expert_parallel": 5,
                "context_parallel": 7,
                "interleave": 11,
                "microbatch": 13,
                "zero_stage": 2,
                "recompute": "selective",
                "sequence_parallel": True,
                "flash_attention": False,
            },
        ),
        ("dp=8", {}),
        ("fsdp=4", {"zero_stage": 3}),
        ("fsdp=1", {}),
        ("shard=FULL_SHARD", {"zero_stage": 3}),
        ("shard=SHARD_GRAD_OP", {"zero_stage": 2}),
        ("fsdp=4;zero=1", {"zero_stage": 1}),
        ("act_ckpt=True", {"recompute": "full"}),
        ("act_ckpt=False", {}),
        ("recompute=full", {"recompute": "full", "flash_attention": False}),
    ],
)
def test_how_training_was_divided_is_read_from_a_row(parallelism, plan):
    ways = ("tensor", "pipeline", "expert", "context")
    usual = {f"{way}_parallel": 1 for way in ways} | {"interleave": 1, "zero_stage": 1}
    usual |= {"recompute": "none", "sequence_parallel": False, "flash_attention": True}
    assert training._plan(row(parallelism=parallelism)) == usual | plan


@pytest.mark.parametrize(
    ("batch", "devices", "sequences"),
    [
        ("48", 16, 48),
        ("3 per GPU", 16, 48),
        ("1M tokens", 16, 240),  # 244.1 of 4,096 tokens: 15 for each of 16
        ("20k tokens", 16, 16),  # "20" and no more is read: one each, which is the least
        ("", 16, 1024),
        ("", 4096, 4096),
    ],
)
def test_a_batch_is_told_in_three_ways(batch, devices, sequences):
    assert training._batch(row(batch=batch, seq_in="4096"), devices) == sequences


def test_where_serving_is_told_by_halves_the_rest_is_plain():
    """Without a count there is one device; without an answer, one token at the prompt's end."""
    one = {**NETWORK, "n_devices": ""}
    assert by_law(one, "images_per_s") == by_law(NETWORK, "images_per_s")
    step = Engine.solve("Llama3_1_8B", "H100", batch_size=4, seq_len=1001)
    short = {**STEP, "seq_out": ""}
    assert by_law(short, "decode_tokens_per_s") == pytest.approx(4 / step.si("latency"))
    bare = {**short, "seq_in": ""}
    step = Engine.solve("Llama3_1_8B", "H100", batch_size=4, seq_len=1)
    assert by_law(bare, "decode_tokens_per_s") == pytest.approx(4 / step.si("latency"))
    held = 2 * 8_030_261_248 + 4 * 1000 * 131_072
    assert by_law(short, "inference_mem_total", "GB") == pytest.approx(held / 1e9, rel=2e-4)
    uncounted = {**STEP, "n_devices": ""}
    for metric in ("output_tokens_per_s", "output_tokens_per_s_per_gpu"):
        assert by_law(uncounted, metric) == pytest.approx(by_law(STEP, metric))


def test_a_fleet_never_answers_less_than_a_replica_of_it():
    """A row that counts one device of two that share a model: both answer it."""
    two = {**STEP, "parallelism": "tp=2", "n_devices": "2"}
    whole = by_law(two, "output_tokens_per_s")
    assert by_law({**two, "n_devices": "1"}, "output_tokens_per_s") == whole
    assert by_law({**two, "n_devices": "6"}, "output_tokens_per_s") == pytest.approx(3 * whole)


def test_networks_train_as_many_images_as_they_are_told():
    step = Engine.solve("ResNet50", "H100", batch_size=8, training=True)
    trained = {**NETWORK, "domain": "cnn_train", "n_devices": "3"}
    assert by_law(trained, "images_per_s") == pytest.approx(3 * 8 / step.si("latency"))


def test_carbon_and_energy_take_what_a_row_tells_of_them():
    """500 hours of an H100's 700 W; at a PUE of 1.5 half as much again; in an average place."""
    hours = {"note": "gpu_hours=0.5k"}
    assert by_law(hours, "energy", "MWh") == pytest.approx(0.35)
    assert by_law({"note": "gpu_hours=500;PUE=1.5"}, "energy", "MWh") == pytest.approx(0.525)
    clean = {"note": "gpu_hours=500;CI=0.02"}
    assert by_law(clean, "carbon", "tCO2eq") == pytest.approx(0.35 * 0.02)


def test_devices_on_two_nodes_sum_over_the_network_as_well():
    """Eight of 16 at 450 GB/s, then the two nodes by one port of 400 Gbit/s for each device.

    Each keeps an eighth of 1 GB: 7/8 there and back inside, and half of an eighth, twice, outside.
    """
    two = {**WIRE, "n_devices": "16"}
    inside = 2 * 7 / 8 * 1e9 / 450e9 + 14 * 1e-6
    outside = 2 * 1 / 2 * (1e9 / 8) / 50e9 + 2 * 1.5e-6
    assert by_law(two, "time", "us") == pytest.approx(1e6 * (inside + outside), rel=1e-3)
    bus = by_law(two, "busbw", "GB/s")
    assert bus == pytest.approx(2 * 15 / 16 / (inside + outside), rel=1e-3)


def test_a_measured_library_takes_a_part_of_the_link_and_waits_besides():
    """Two thirds of 450 GB/s, and 30 us that the whole waits for, with a queue of 0.25 between."""
    sources = {"default": {"kind": "user", "ref": "paper"}}
    stack = Stack.build(
        {
            "name": "library",
            "launch": "0 s",
            "host": "0 s",
            "operators": {},
            "talk": {"link": 2 / 3, "latency": "30 us", "queue": 0.25},
            "sources": sources,
        }
    )
    moving = 14 / 8 * 1e9 / (450e9 * 2 / 3)
    both = moving + 30e-6 + 2 * 0.25 * math.sqrt(moving * 30e-6)
    assert predicted(row(**WIRE, metric="time"), stack) == pytest.approx(both)


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("M=3;K=5;N=7", (3, 5, 7)),
        ("3x7x5", (3, 5, 7)),  # rows, columns and what is summed
        ("gemm 3x7x5 nn", (3, 5, 7)),
    ],
)
def test_the_sizes_of_a_product_are_read_from_its_name(model, sizes):
    assert silicon._product(row(model=model)) == sizes


def test_a_product_without_sizes_says_so():
    (found,) = validate.predictions([row(model="large", metric="time")], None)
    assert found.reason == "'large' does not tell the sizes of a product"


def test_what_ran_a_row_is_told_by_its_words_or_by_what_usually_does():
    """The column first, then note and table; of FasterTransformer decoders are a part apart."""
    assert stack_name(row(note="FasterTransformer 5.3")) == "fastertransformer_gpt"
    assert stack_name(row(source_table="measured with vLLM 0.6")) == "vllm"
    assert stack_name(row(stack="vllm", note="FasterTransformer")) == "vllm"
    assert stack_name(row(domain="comm", model="all_reduce")) == "nccl"
    assert stack_name(row(domain="kernel_gemm", model="M=1;K=1;N=1")) == "cublas"
    assert stack_name(row(hardware="H999")) == "ideal"
    assert stack_name(row(parallelism="mbs=4")) == "megatron"
    assert stack_name(row(hardware="RTX3090", batch="")) == "llamacpp"
    assert stack_name(row(hardware="RTX3090", batch="2")) == "trtllm"
    assert stack_name(row(batch="")) == "trtllm"  # nobody has an H100 at home
    calibrated = validate.LEVELS["calibrated"]
    assert calibrated(row(batch="8")) == Stacks.trtllm
    assert calibrated(row(model="Llama-9")) == "ideal"


def test_the_command_prints_each_domain_at_each_level(tmp_path, capsys, monkeypatch):
    """Of 218.8 tokens a second 200 and 100 were measured: off by 1.094 and 2.188 times."""
    monkeypatch.setenv("COLUMNS", "100")
    each = {"metric": "decode_tokens_per_s", "seq_in": "2047"}
    some = [
        row(**each, id="a", value="200", unit="tok/s", source_table="t1"),
        row(**each, id="b", value="100", source_table="t2", n_devices=""),
        row(id="c", metric="happiness", domain="joy", source_table="t2"),
        *(row(id=f"d{at}", metric="bliss", domain="joy", source_table="t2") for at in range(8)),
    ]
    path = tmp_path / "own.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, Row._fields)
        lines.writeheader()
        lines.writerows(each._asdict() for each in some)
    assert main(["validate", str(path)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == ["median mean of", "level error 1.5x 2x 3x ratio tables 50% 90%"]
    law = [at + 1 for at, line in enumerate(lines) if line.endswith("rows")]
    assert [lines[at - 1] for at in law] == [
        "decode, 2 rows",
        "joy, 0 of 9 rows",
        "all, 2 of 11 rows",
    ]
    assert [lines[at] for at in law] == [
        "Iron Law 64.1% 50% 50% 100% 1.55 64.1% 50% 50%",
        "Iron Law - 0% 0% 0% - - - -",
        "Iron Law - 9% 9% 18% 1.55 - 50% 50%",
    ]
    assert [lines[at + 1].split()[0] for at in law] == ["ideal"] * 3
    far = lines.index("farthest off, Iron Law:")
    asked = "H100-80GB-SXM, decode_tokens_per_s"
    assert lines[far + 1 : far + 3] == [
        f"b Llama-3.1-8B on ? x {asked} 100 : 2.2 times as much",
        f"a Llama-3.1-8B on 1 x {asked} 200 tok/s: 1.1 times as much",
    ]
    assert lines[-3:] == [
        "not predicted, and counted as misses (9 rows):",
        "nothing predicts 'happiness': c",
        "nothing predicts 'bliss': d0, d1, d2, d3, d4, d5 and 2 more",
    ]


@pytest.mark.parametrize("column", ["id", "note", "source_table"])
def test_a_column_that_is_missing_is_named_with_those_that_are_needed(tmp_path, column):
    path = table(tmp_path, metric="ttft")
    path.write_text(path.read_text(encoding="utf-8").replace(f"{column},", "other,", 1), "utf-8")
    needed = ", ".join(Row._fields[:16])
    with pytest.raises(InvalidEntry) as caught:
        read(path)
    said = f"own.csv: {column}: the column is missing; give {needed}."
    assert str(caught.value) == said


def test_a_row_that_ships_has_the_predictions_that_were_written_without_it():
    sheet = csv.DictReader(StringIO(SHEET.read_text(encoding="utf-8")))
    written = {line["id"]: line for line in sheet}
    found = validate.judged(ROWS[:3])
    assert [*found] == [*validate.LEVELS, *(f"without its {what}" for what in validate.WITHOUT)]
    for what in ("table", "model", "device"):
        for each, own in zip(found[f"without its {what}"], found["calibrated"], strict=True):
            line = written.get(each.row.id)
            assert each.value == (own.value if line is None else float(line[what]))
    assert {row.id for row in ROWS[:3]} & written.keys()
    own = validate.judged([row(metric="ttft", seq_in="100")])
    assert [*own] == [*validate.LEVELS]  # nobody has left it out


def test_what_is_held_to_serve_is_all_that_a_replica_keeps_and_its_stack_besides():
    """At the last token of 4 x 1,200; a stack keeps three buffers, and 2 GB whatever it runs."""
    step = Engine.solve("Llama3_1_8B", "H100", batch_size=4, seq_len=1200)
    plain = by_law(STEP, "inference_mem_total", "GB")
    assert plain == pytest.approx(step.memory_required.m_as("GB"), rel=1e-9)
    stack = Stack.build(
        {
            "name": "keeps",
            "launch": "0 s",
            "host": "0 s",
            "operators": {},
            "held": {"buffers": 3, "context": "2 GB"},
            "sources": {"default": {"kind": "user", "ref": "paper"}},
        }
    )
    more = predicted(row(**STEP, metric="inference_mem_total", unit="GB"), stack)
    assert more - plain == pytest.approx(2 * step.activations.m_as("GB") + 2)


def test_where_prompts_are_all_there_is_half_of_the_others_are_before_the_mean_one():
    """Who asks for one token waits in a queue of prompts alone, and for half of a step."""
    read = Engine.solve("Llama3_1_8B", "H100", phase="prefill", seq_len=1024, stack="ideal")
    step = Engine.solve("Llama3_1_8B", "H100", batch_size=8, seq_len=1025, stack="ideal")
    by_hand = (read.latency * (1 + 7 / 2) + step.latency / 2).m_as("ms")
    found = predicted(asked(batch="8", seq_out="1", metric="ttft"), "ideal")
    assert found == pytest.approx(by_hand, rel=1e-3)
