"""Constants of silicon against the measured operators that they were fitted on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import fit_operators
from mlsysim.cli import main
from mlsysim.core.errors import InvalidEntry
from mlsysim.evaluation.validate import operators
from mlsysim.solvers.node import silicon
from mlsysim.stacks.silicon import shipped

# what a plain fit of such forms reaches on these rows is 0.19 to 0.29
MOST = {
    "gemm": 0.11,
    "attn_prefill": 0.12,
    "attn_decode": 0.13,
    "moe": 0.15,
    "allreduce_custom": 0.08,
    "nccl": 0.08,
}
UNSEEN = {  # by constants that were found without the device
    "gemm": 0.15,
    "attn_prefill": 0.14,
    "attn_decode": 0.15,
    "moe": 0.24,
    "allreduce_custom": 0.18,
    "nccl": 0.12,
}


@pytest.fixture(scope="module")
def measured():
    return operators.read()


def test_every_row_that_ships_is_read(measured):
    assert {kind: len(rows.seconds) for kind, rows in measured.items()} == {
        "gemm": 540,
        "attn_prefill": 360,
        "attn_decode": 360,
        "moe": 360,
        "allreduce_custom": 210,
        "nccl": 210,
    }


@pytest.mark.parametrize("kind", MOST)
def test_operators_are_predicted_by_few_constants(kind, measured):
    rows = measured[kind]
    time = operators.predicted(kind, rows, shipped().at(rows.groups))
    assert np.median(np.abs(time / rows.seconds - 1)) < MOST[kind]


@pytest.mark.parametrize("kind", MOST)
def test_a_device_that_nobody_measured_has_what_all_have_in_common(kind, measured):
    rows = measured[kind]
    unseen = {**rows.groups, "family": np.full(len(rows.seconds), "Rubin")}
    time = operators.predicted(kind, rows, shipped().at(unseen))
    assert np.median(np.abs(np.log(time / rows.seconds))) < 0.6


@pytest.mark.parametrize("kind", ["gemm", "attn_prefill", "attn_decode", "moe"])
@pytest.mark.parametrize("better", ["bandwidth", "peak", "power"])
def test_more_of_a_device_never_makes_a_kernel_slower(kind, better, measured):
    rows = measured[kind]
    c = shipped().at(rows.groups)
    parts = ("peak", "attention_peak") if better == "peak" else (better,)
    more = rows._replace(**{part: 1.3 * getattr(rows, part) for part in parts})
    now, then = (operators.predicted(kind, some, c) for some in (rows, more))
    assert np.all(then <= now * (1 + 1e-9))
    assert np.any(then < 0.95 * now) == (better != "power" or kind == "gemm")


def test_a_part_of_the_processors_has_a_part_of_the_peak():
    """An L4 is an L40S of fewer processors: 58 by its data sheet, 121 TFLOP/s."""
    c = shipped().at({"family": "Ada", "datapath": "fp16"})
    assert silicon.processors(c, 362e12) == pytest.approx(142, rel=0.02)
    assert silicon.processors(c, 121e12) == pytest.approx(58, rel=0.2)


@pytest.mark.parametrize("part", fit_operators.PARTS, ids=lambda part: part.kind)
def test_what_ships_is_what_the_fit_finds(part, measured):
    fit = fit_operators.fitted(part, measured[part.kind])
    for (name, group, member), value in zip(fit.names, fit.x, strict=True):
        held = shipped().constants[name]
        held = held.by[group][member] if group else held.all
        found = np.exp(min(value, fit_operators.TOP.get(name, 99.0)))
        assert float(held) == pytest.approx(found, rel=2e-3), (name, group, member)


def test_a_table_without_its_columns_is_refused(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("device,kind\nH100,gemm\n")
    with pytest.raises(InvalidEntry, match="column is missing"):
        operators.read(path)


def test_scores_tell_what_the_constants_knew_and_what_they_did_not(measured):
    cells = {(cell.kind, cell.device): cell for cell in operators.scores(measured)}
    whole = cells["nccl", "all"]
    assert whole.rows == 210 == sum(c.rows for (k, d), c in cells.items() if k == "nccl") - 210
    assert whole.error < whole.left_out
    assert all(cells[kind, "all"].left_out < most for kind, most in UNSEEN.items())


def test_operators_of_ones_own_have_no_left_out_score(tmp_path, capsys):
    text = operators.SHIPPED.read_text(encoding="utf-8").splitlines()
    mine = tmp_path / "mine.csv"
    mine.write_text("\n".join([text[0], text[1].replace("op0000", "mine")]) + "\n")
    assert main(["validate", "--operators", str(mine), "--json"]) == 0
    (cell, _) = json.loads(capsys.readouterr().out).values()
    assert (cell["kind"], cell["device"], cell["left_out"]) == ("gemm", "A100-80GB-SXM", None)


# ---- on paper: constants that cost nothing -------------------------------------------------------

SHAPE = {  # each number another prime, or near one, so that none stands for another
    "gemm": {"m": 256, "k": 1021, "n": 384},
    "attn_prefill": {"batch": 3, "seq": 640, "heads": 20, "kv_heads": 5, "head_dim": 64},
    "attn_decode": {"batch": 7, "seq": 1013, "heads": 24, "kv_heads": 6, "head_dim": 64},
    "moe": {
        "tokens": 23,
        "hidden": 1024,
        "inter": 768,
        "experts": 16,
        "topk": 3,
        "moe_tp": 2,
        "moe_ep": 4,
    },
    "allreduce_custom": {"gpus": 6, "bytes": 3e8},
    "nccl": {"gpus": 6, "bytes": 3e8},
}
FREE = dict.fromkeys(shipped().constants, 0.0) | {
    **dict.fromkeys(("clock", "products", "narrow", "gemm.feed", "gemm.split"), 1.0),
    **dict.fromkeys(("prefill.split", "prefill.overlap", "decode.overlap"), 1.0),
    **{f"{kind}.rate": 1.0 for kind in ("gemm", "prefill", "decode", "experts")},
    **{f"{kind}.bandwidth": 1.0 for kind in ("gemm", "prefill", "decode", "experts")},
    **{f"{kind}.overlap": 1.0 for kind in ("gemm", "experts")},  # one behind the other
    "gemm.feed": np.inf,
    "experts.few": 1.0,
    "experts.passes": 1.0,
    "reduce.link": 1.0,
    "reduce.few": np.inf,
    "nccl.link": 1.0,
}
PEAK, BANDWIDTH, LINK = 989.4e12, 3.35e12, 450e9  # of the H100


@pytest.fixture
def rows(tmp_path):
    """Rows of a table that says the least, and what is given."""

    def read(kind, **columns):
        names = operators.SHIPPED.read_text(encoding="utf-8").partition("\n")[0].split(",")
        least = {"id": "x", "device": "H100-80GB-SXM", "kind": kind, "dtype": "bfloat16"}
        least |= {"framework": "sglang", "distribution": "balanced", "time_us": 2.5}
        told = dict.fromkeys(names, "") | least | SHAPE[kind] | columns
        path = tmp_path / "own.csv"
        path.write_text(f"{','.join(names)}\n{','.join(map(str, told.values()))}\n")
        return operators.read(path)[kind]

    return read


@pytest.mark.parametrize(
    ("columns", "weight", "value", "peak", "beside"),
    [
        ({}, 2, 2, PEAK, 0),
        ({"dtype": "half"}, 2, 2, PEAK, 0),
        ({"dtype": "int8_wo"}, 1, 2, PEAK, 0),
        ({"dtype": "int4_wo"}, 33 / 64, 2, PEAK, 0),  # four bits, and two bytes for every 128
        ({"dtype": "w4a16_mxfp4"}, 17 / 32, 2, PEAK, 0),  # and one byte for every 32
        # what is multiplied in 8 bits is made of 16 first: two bytes are read and one is written
        ({"dtype": "fp8"}, 1, 1, 2 * PEAK, 3),
        ({"dtype": "sq"}, 1, 1, 2 * PEAK, 3),
        ({"dtype": "w4a8_mxfp4_mxfp8"}, 17 / 32, 1, 2 * PEAK, 3),
        ({"dtype": "nvfp4"}, 9 / 16, 9 / 16, 2 * PEAK, 3),  # in 8 bits, the narrowest there are
    ],
)
def test_a_product_multiplies_what_it_reads_and_writes_16_bits(
    rows, columns, weight, value, peak, beside
):
    """Nothing but the roofs: 2 m n k operations, and every value once."""
    m, n, k = 256, 384, 1021
    moved = m * k * value + n * k * weight + m * n * 2 + beside * m * k
    time = operators.predicted("gemm", rows("gemm", **columns), FREE)
    assert time == pytest.approx(2 * m * n * k / peak + moved / BANDWIDTH, rel=2e-4)


@pytest.mark.parametrize(
    ("framework", "dtype", "late"),
    [("vllm", "fp8_block", True), ("vllm", "fp8", False), ("sglang", "fp8_block", False)],
)
def test_vllm_starts_its_products_of_blocks_one_by_one(rows, framework, dtype, late):
    of = rows("gemm", framework=framework, dtype=dtype)
    plain, slow = (operators.predicted("gemm", of, FREE | {"gemm.eager": s}) for s in (0.0, 7e-3))
    assert plain < 1e-5
    assert slow == (7e-3 if late else plain)


@pytest.mark.parametrize("cached", [2, 1])
@pytest.mark.parametrize("framework", ["sglang", "trtllm"])
def test_a_prompt_attends_to_the_half_that_was_before(rows, cached, framework):
    """Scores and sums of half a square, 16 bit queries and answers, keys and values kept besides.

    A tile on the diagonal is done whole: 128 more rows of 640. What shares a key head shares a
    tile, except in TensorRT-LLM: four times as many pieces begin, of 128 queries or a part.
    """
    b, s, h, kept, dim = 3, 640, 20, 5, 64
    kept_as = "fp8" if cached == 1 else "bfloat16"
    of = rows("attn_prefill", framework=framework, kv_dtype=kept_as)
    c = FREE | {"prefill.start": 1e9, "prefill.narrow": 0.0}
    time = operators.predicted("attn_prefill", of, c)
    compute = 2 * b * h * s**2 * dim / PEAK * (1 + 128 / s)
    memory = b * s * dim * (2 * h * 2 + 2 * kept * 2 + 2 * kept * cached) / BANDWIDTH
    pieces = b * h * (s / 128) if framework == "trtllm" else b * kept * (4 * s / 128)
    start = pieces / (PEAK / 2) * 1e9
    assert time == pytest.approx(compute + memory + start, rel=1e-6)


@pytest.mark.parametrize(
    ("dtype", "kept", "own"),
    [("bfloat16", "fp8", True), ("bfloat16", "bfloat16", False), ("fp8", "fp8", False)],
)
def test_queries_of_16_bits_are_made_narrow_before_they_meet_a_narrow_cache(rows, dtype, kept, own):
    of = rows("attn_prefill", dtype=dtype, kv_dtype=kept)
    plain, more = (
        operators.predicted("attn_prefill", of, FREE | {"prefill.narrow": each})
        for each in (0.0, 1e9)
    )
    queries = 3 * 640 * 20 * 64
    units = operators.silicon.processors(FREE, of.peak)
    assert more - plain == pytest.approx(own * 1e9 * queries / units)


@pytest.mark.parametrize("cached", [2, 1])
def test_a_token_reads_the_whole_cache_of_its_sequence(rows, cached):
    """Of heads of 64 values two count as one of 128."""
    b, s, h, kept, dim = 7, 1013, 24, 6, 64
    of = rows("attn_decode", kv_dtype="fp8" if cached == 1 else "bfloat16")
    moved = b * dim * (2 * s * kept * cached + 2 * 2 * h)
    time = operators.predicted("attn_decode", of, FREE)
    assert time == pytest.approx(moved / BANDWIDTH)
    slow = FREE | {"decode.bandwidth": np.inf}
    assert operators.predicted("attn_decode", of, slow) == pytest.approx(4 * b * h * s * dim / PEAK)
    each = FREE | {"decode.key_head": 1e12, "decode.head": 7e12}
    heads = (1e12 * b * kept / 2 + 7e12 * b * h / 2) / (PEAK / 2)
    assert operators.predicted("attn_decode", of, each) - time == pytest.approx(heads)


@pytest.mark.parametrize("gates", [2, 1])
@pytest.mark.parametrize("far", [False, True])
def test_a_mixture_reads_the_experts_that_were_drawn(rows, gates, far):
    """23 tokens of three experts each are 69 pairs, of which a quarter is here.

    Of 16 experts 16 (1 - (13/16)^23) are drawn at all, a quarter of them here, each half as wide.
    """
    kernel = ("triton_" if far else "cutlass_") + ("nongated" if gates == 1 else "gated")
    of = rows("moe", kernel=kernel)
    pairs, read, hidden, ffn = 69 / 4, 16 * (1 - (13 / 16) ** 23) / 4, 1024, 384
    sizes = [(hidden, gates * ffn), (ffn, hidden)]
    compute = sum(2 * pairs * inner * columns for inner, columns in sizes) / PEAK
    weights = sum(read * inner * columns * 2 for inner, columns in sizes) / BANDWIDTH
    values = sum(pairs * 2 * (inner + columns) for inner, columns in sizes) / BANDWIDTH
    apart = far * 5 * 6 * 69 * hidden / BANDWIDTH  # of all pairs, wherever they were computed
    time = operators.predicted("moe", of, FREE | {"experts.far": 5.0})
    assert time == pytest.approx(compute + weights + values + apart)
    # an uneven draw: what is fullest has twice its part, and fewer sets are read
    uneven = rows("moe", kernel=kernel, distribution="power_law_1.2")
    c = FREE | {"experts.crowd": 0.5, "experts.few": 0.75, "experts.bandwidth": np.inf}
    crowded = operators.predicted("moe", uneven, c | {"experts.passes": 0.0})
    assert crowded == pytest.approx(2 * compute)
    few = 16 * (1 - (13 / 16) ** 46) / 4 * 0.75
    c = c | {"experts.bandwidth": 1.0, "experts.rate": np.inf, "experts.passes": 0.0}
    assert operators.predicted("moe", uneven, c) == pytest.approx(weights * few / read)


def test_a_sum_passes_its_data_twice_and_a_gathering_once(rows):
    """Five sixths of 300 MB, there and back, at 450 GB/s a device."""
    once = 5 / 6 * 3e8 / LINK
    for kind, op, times in (
        ("nccl", "all_reduce", 2),
        ("nccl", "all_gather", 1),
        ("allreduce_custom", "all_reduce", 2),
    ):
        of = rows(kind, op=op, kernel="own")
        assert operators.predicted(kind, of, FREE) == pytest.approx(times * once), kind
    eager = FREE | {"reduce.eager": 9e-3}
    for kernel, time in (("own_eager", 9e-3), ("own_graph", 2 * once)):
        of = rows("allreduce_custom", kernel=kernel)
        assert operators.predicted("allreduce_custom", of, eager) == pytest.approx(time)


GROUPS = [
    ("gemm", {}, {"path": "bf16", "kernel": "plain", "maker": "sglang bf16"}),
    (
        "gemm",
        {"dtype": "fp8_block"},
        {"path": "fp8", "kernel": "fp8_block", "maker": "sglang fp8_block"},
    ),
    (
        "gemm",
        {"dtype": "int4_wo", "framework": "vllm"},
        {"path": "bf16", "kernel": "vllm int4_wo", "maker": "vllm bf16"},
    ),
    ("gemm", {"dtype": "sq"}, {"path": "int8", "kernel": "plain", "maker": "sglang int8"}),
    ("attn_prefill", {"kv_dtype": "fp8"}, {"path": "fp8", "datapath": "bf16"}),
    ("attn_prefill", {"kv_dtype": "fp8", "device": "A100-80GB-SXM"}, {"path": "bf16"}),
    ("attn_prefill", {"kv_dtype": "bfloat16"}, {"path": "bf16"}),
    ("attn_decode", {"kv_dtype": "fp8", "device": "A100-80GB-SXM"}, {"path": "fp8"}),
    ("attn_decode", {"kv_dtype": "half", "dtype": "fp8"}, {"path": "bf16", "datapath": "fp8"}),
    ("moe", {"kernel": "vllm_Triton_TRTLLM"}, {"kernel": "triton", "name": "vllm_Triton_TRTLLM"}),
    ("moe", {"kernel": "own"}, {"kernel": "other", "family": "Hopper", "wire": "switch"}),
    ("nccl", {"device": "L40S", "op": "all_gather"}, {"wire": "PCIe", "op": "all_gather"}),
]


@pytest.mark.parametrize(("kind", "columns", "groups"), GROUPS)
def test_what_a_constant_depends_on_is_read_from_a_row(rows, kind, columns, groups):
    of = rows(kind, **columns)
    assert {name: str(of.groups[name][0]) for name in groups} == groups


def test_a_row_knows_its_device_as_the_registry_does(rows):
    of = rows("nccl")
    told = [of.seconds, of.peak, of.attention_peak, of.bandwidth, of.link, of.power]
    known = [2.5e-6, PEAK, PEAK, BANDWIDTH, LINK, 700]
    assert [float(each[0]) for each in told] == pytest.approx(known)
    assert float(rows("nccl", device="L40S").link[0]) == 31.5e9  # a PCIe 4.0 slot of 16 lanes
    assert float(rows("gemm", dtype="fp8").peak[0]) == 1978.9e12
    old = rows("gemm", dtype="fp8", device="A100-80GB-SXM")  # which computes it in 16 bits
    assert float(old.peak[0]) == 312e12


def test_a_score_counts_what_is_within_one_and_a_half(rows, monkeypatch):
    """Four predictions of 2.5 us: 1.2 times, 0.6 times, just within 1.5 and just beyond it."""
    monkeypatch.setattr(operators, "predicted", lambda kind, of, c: np.array(ratios) * of.seconds)
    one = rows("gemm")
    ratios = [1.2, 0.6, 1.4999, 1.5001]
    four = one.only(np.zeros(4, dtype=int))
    (own, whole) = operators.scores({"gemm": four})
    assert own._replace(device="all") == whole
    assert (own.kind, own.device, own.rows, own.left_out) == ("gemm", "H100-80GB-SXM", 4, None)
    assert own.error == pytest.approx((0.4 + 0.4999) / 2)
    assert own.within == 0.5
    assert own.bias == pytest.approx((1.2 * 0.6 * 1.4999 * 1.5001) ** (1 / 4))
