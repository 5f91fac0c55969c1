"""The questions of exercise 00 over every variant: regimes, truths, what tells answers apart."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import pytest

from grading.checks import c00_hello_roofline as c00
from grading.kinds import Choice, Number, Spec
from mlsysim import Engine
from mlsysim.core.units import Q_
from mlsysim.course.sheet import Answer
from tests.grading.conftest import typed, unit_of


@pytest.fixture(scope="module")
def every(checks):
    """Variants of every model, pair, batch and crowd; the ends and a middle of the tokens.

    Answers change evenly with the tokens between them.
    """
    axes = {**checks.assignment.axes, "context": [1024, 1280, 1536], "short": [46, 64, 70]}
    return list(checks.assignment.replace(axes=axes).variants())


@pytest.fixture(scope="module")
def solved(checks, every):
    """For each variant and numeric question its accepted values, the truth first, and its slips.

    No number depends on the crowd, so its two ends stand for all six.
    """
    numeric = [q for q in checks.questions.values() if isinstance(q, Number)]
    ends = [v for v in every if v.crowd in (24, 1024)]
    return [(v, q, accepted(q, v), slips(q, v)) for v in ends for q in numeric]


def accepted(q, v):
    return [q.expected(v), *(q.plain(f(v)) for f in q.check.accept.values())]


def slips(q, v):
    values = {name: q.plain(f(v)) for name, f in q.check.misconceptions.items()}
    return {name: value for name, value in values.items() if value is not None}


def span(question, value):
    margin = max(question.check.within * abs(value), question.check.slack)
    return value - margin, value + margin


def overlap(one, other):
    return one[0] <= other[1] and other[0] <= one[1]


def test_every_variant_fits_and_its_step_is_memory_bound_on_both_devices(every):
    for v in every:
        for device in ("device", "other"):
            p = c00.step(v, device)
            assert p.feasible, v
            assert p.bottleneck == "Memory", v
            assert p.memory_time > 1.5 * p.compute_time, v


def test_every_crowd_is_well_inside_one_regime_and_fits(every):
    for v in every:
        p = c00.crowded(v, v.crowd)
        assert p.feasible, v
        times = sorted((p.memory_time, p.compute_time))
        assert times[1] > 1.5 * times[0], v


def test_the_regime_is_memory_for_half_of_the_variants_and_compute_for_the_other_half(
    checks, every
):
    regimes = [checks.questions["q3"].expected(v) for v in every]
    assert regimes.count("memory") == regimes.count("compute")


def test_the_other_device_is_always_faster_by_a_factor_that_peak_flops_does_not_predict(solved):
    ratios = [(truths[0], wrong) for _, q, truths, wrong in solved if q.name == "q2"]
    assert len(ratios) == 2160
    for faster, wrong in ratios:
        assert 1.3 < faster < 5
        assert abs(wrong["scaled by peak FLOPS"] / faster - 1) > 0.1


def test_difficulty_is_comparable_answers_stay_within_a_decade_or_so(solved):
    for name in ("q1", "q2", "q5", "q6", "q7"):
        values = [truths[0] for _, q, truths, _ in solved if q.name == name]
        assert max(values) / min(values) < 25, name
        assert min(values) > 0


def test_accepted_and_misconceived_intervals_are_disjoint_for_every_variant(solved):
    for v, q, truths, wrong in solved:
        for name, value in wrong.items():
            for other in truths:
                assert not overlap(span(q, value), span(q, other)), (v, q.name, name)


def test_misconceptions_can_be_told_from_each_other_for_every_variant(solved):
    for v, q, _, wrong in solved:
        for one, other in combinations(wrong.values(), 2):
            assert not overlap(span(q, one), span(q, other)), (v, q.name)


def test_every_numeric_question_knows_at_least_two_misconceptions_and_each_advises(checks):
    assert len(checks.questions) >= 4
    assert {type(q) for q in checks.questions.values()} == {Number, Choice, Spec}
    for q in checks.questions.values():
        assert isinstance(q, Choice) or len(q.check.misconceptions) >= 2
        assert q.hint
        for name, wrong in {**q.check.misconceptions, **q.check.accept}.items():
            assert wrong.__doc__, name


def test_a_decode_step_of_llama_2_13b_by_hand(checks):
    # 40 layers of hidden 5120, ffn 13824 (gated), all 40 heads with keys of their own, vocabulary
    # 32000; per layer 4*5120^2 attention and 3*5120*13824 feed-forward weights; then the output
    # head; fp16
    v = checks.assignment.variant(
        {
            "model": "Llama2_13B",
            "device": "A100",
            "other": "H100",
            "batch": 10,
            "context": 1024,
            "crowd": 24,
            "short": 64,
        }
    )
    weights = 2 * (40 * (4 * 5120**2 + 3 * 5120 * 13824) + 5120 * 32000)
    cache = 2 * 10 * 1024 * 40 * 2 * 5120
    rows = 2 * 10 * 5120  # the embedding of ten tokens
    by_hand = (
        weights + cache + rows
    ) / 2.039e12 * 1e3 + 0.01  # A100: 2.039 TB/s; 10 us of dispatch
    assert checks.questions["q1"].expected(v) == pytest.approx(by_hand, rel=2e-3)
    need = 2 * 13_015_864_320 + cache
    assert checks.questions["q6"].expected(v) == pytest.approx(need / 1e9, rel=1e-3)
    # A100 80GB: 80 GiB; one request keeps cache/10
    assert checks.questions["q7"].expected(v) == (80 * 2**30 - 2 * 13_015_864_320) // (cache / 10)


def test_the_crossover_is_where_the_solver_itself_changes_its_mind(checks, every):
    for v in every[::97]:
        batch = checks.questions["q5"].expected(v)
        # a request more or less is allowed: the step's widest activations are no straight line
        for near, roof in ((int(batch) - 1, "Memory"), (int(batch) + 2, "Compute")):
            step = Engine.solve(v.model, v.device, batch_size=near, seq_len=v.short)
            assert step.bottleneck == roof, (v, batch)


def test_doubling_the_lever_shortens_the_step_and_doubling_another_does_not(checks, every):
    for v in every[::97]:
        best = checks.questions["q4"].expected(v)
        times = {
            lever: Engine.solve(
                v.model, c00.doubled(v.fields["device"], lever), batch_size=v.crowd, seq_len=v.short
            ).latency
            for lever in c00.LEVERS
        }
        now = c00.crowded(v, v.crowd).latency
        assert times[best] < 0.9 * now
        assert times["capacity"] == now


def test_the_sample_is_no_variant_and_its_answers_score_less_than_full_for_any(checks, every):
    sample = checks.assignment.variant(checks.assignment.sample)
    copied = {q.name: {"value": q.expected(sample), "unit": unit_of(q)} for q in valued(checks)}
    shown = {
        name: {"value": checks.questions["q1"].expected(sample), "unit": "ms"}
        for name in checks.questions
    }
    full = sum(q.points for q in checks.questions.values())
    assert Engine.solve(
        sample.model, sample.device, batch_size=sample.batch, seq_len=sample.context
    ).feasible
    assert sample not in every
    for v in every[::7]:
        assert sum(mark.points for mark in checks.judge(v, typed(copied))) <= full / 2
        assert sum(mark.points for mark in checks.judge(v, typed(shown))) <= full / 4


def test_each_misconception_is_named_with_part_credit_for_some_variant(checks, every):
    for q in valued(checks):
        for v in every[::23]:
            for name, value in slips(q, v).items():
                if value == q.expected(v):
                    continue
                _, mark = q.answered(Answer(value=value, unit=unit_of(q)), v)
                assert mark.name == name, (q.name, v)
                assert mark.message.startswith(f"It looks as if you {name}.")
                assert mark.points < q.points


def test_grouped_query_attention_is_no_misconception_of_a_model_without_it(checks):
    variant = checks.assignment.variant
    fields = {
        "device": "A100",
        "other": "H100",
        "batch": 10,
        "context": 1024,
        "crowd": 24,
        "short": 64,
    }
    assert c00.every_head(variant({"model": "Llama2_7B", **fields})) is None
    assert c00.every_head(variant({"model": "Llama3_8B", **fields})) is not None


def test_predictions_of_the_lesson_have_truths(checks):
    # one token of Llama 3 8B on an H100: 7.505 billion weights are read (all but the table of
    # embeddings, 128256 x 4096) and 2048 tokens of cache (32 layers, 8 heads of 128, keys and
    # values), two bytes each, at 3.35 TB/s; launching adds 10 us. 15.0 GFLOP at half of 989.4
    # TFLOP/s take 0.03 ms.
    weights = 2 * (8_030_261_248 - 128_256 * 4096)
    cache = 2 * 2048 * 32 * 2 * 8 * 128
    assert set(checks.truths) == set(checks.predictions)
    step = (weights + cache) / 3.35e12 + 1e-5
    assert checks.truths["00.1"] == pytest.approx(1 / step, rel=1e-3)
    assert weights / (989.4e12 / 2) < step
    assert checks.truths["00.2"] == "weights that come from memory"
    # 2048 tokens: a multiply and an add with each weight but those of the table and of the head,
    # which only the last token needs, and causal attention: 4 x 2048 x 2048 / 2 x 4096 a layer
    read = 2 * 2048 * (8_030_261_248 - 2 * 128_256 * 4096) + 32 * 4 * 2048**2 / 2 * 4096
    assert checks.truths["00.3"] == pytest.approx(read / (989.4e12 / 2) * 1e3, rel=1e-3)
    # 64 users of 64 tokens share the weights: their caches are twice that of one user of 2048
    assert checks.truths["00.4"] == pytest.approx((weights + 2 * cache) / 3.35e9 + 0.01, rel=1e-3)
    # one user is bound by memory on each: 2.04, 1.01, 0.55 and 0.30 TB/s
    assert checks.truths["00.5"] == "A100, RTX 4090, M4 Max, L4"


def test_the_grader_loads_no_notebook_no_chart_and_nothing_of_learn():
    code = (
        "import sys, grading.commands, grading.checks.c00_hello_roofline; "
        "print([m for m in ('marimo', 'altair', 'mlsysim.learn', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_class_asks_the_solver_once_for_each_pair_of_model_and_device(checks, monkeypatch):
    asked = []
    solve = Engine.solve
    monkeypatch.setattr(
        Engine, "solve", lambda *args, **how: asked.append(1) or solve(*args, **how)
    )
    for kept in (c00.steps, c00.solve, c00.best_levers, c00.crossings):
        kept.cache_clear()
    class_of_500 = [checks.assignment.draw(str(number)) for number in range(500)]
    for question in (q for q in checks.questions.values() if not isinstance(q, Spec)):
        for v in class_of_500:
            question.expected(v)
            slips(question, v)
    pairs = {
        (v.fields["model"], v.fields[which]) for v in class_of_500 for which in ("device", "other")
    }
    assert len(asked) <= 5 * len(pairs)  # in two precisions, and with three numbers doubled


def test_every_truth_misconception_and_alternative_of_one_variant_by_hand(checks):
    v = checks.assignment.variant(
        {
            "model": "Llama3_8B",
            "device": "A100",
            "other": "MI325X",
            "batch": 14,
            "context": 1536,
            "crowd": 768,
            "short": 62,
        }
    )
    # Llama 3 8B: 32 layers of 4096, 8 key-value heads of 128, a gated ffn of 14336, vocabulary
    # 128256; a step reads every matrix and, of the table of embeddings, one row a request
    layers, hidden, ffn, table = 32, 4096, 14336, 128_256 * 4096
    matrices = layers * (2 * hidden**2 + 2 * hidden * 1024 + 3 * hidden * ffn) + table
    parameters = matrices + table + (2 * layers + 1) * hidden  # norms are parameters too
    assert parameters == 8_030_261_248
    token = 2 * layers * 2 * 8 * 128  # bytes of keys and values of one token, fp16
    batch, context, short = 14, 1536, 62
    cache, read = batch * context * token, 2 * matrices + 2 * batch * hidden
    # A100: 312 TFLOP/s, 2.039 TB/s, 80 GiB; MI325X: 1307.4 TFLOP/s, 6 TB/s; 10 us of dispatch each
    peak, bandwidth, capacity, tax = 312e12, 2.039e12, 80 * 2**30, 1e-5

    def operations(tokens):  # a multiply and an add a weight; both products of attention
        return 2 * matrices + layers * 4 * tokens * hidden

    def ms(seconds):
        return 1e3 * (seconds + tax)

    def crossing(weights, state, rate=peak / 2):  # requests whose arithmetic takes as long
        return weights / bandwidth / (operations(short) / rate - state / bandwidth)

    faster = ((read + cache) / bandwidth + tax) / ((read + cache) / 6e12 + tax)
    one = (2 * matrices + 2 * hidden + cache / batch) / bandwidth + tax  # the step of one request
    weights, state = 2 * matrices + 2 * hidden, short * token
    need, own = 2 * parameters + cache, context * token
    assert by_name(checks, v) == {
        "q1": pytest.approx(ms((read + cache) / bandwidth)),
        "q1 counted the whole embedding table as read": pytest.approx(ms(need / bandwidth)),
        "q1 took the compute roof": pytest.approx(ms(batch * operations(context) / (peak / 2))),
        "q1 left out the KV cache": pytest.approx(ms(read / bandwidth)),
        "q1 streamed the weights once for every request": pytest.approx(1e3 * batch * one),
        "q1 charged the efficiency to the memory roof": pytest.approx(
            ms(2 * (read + cache) / bandwidth)
        ),
        "q1 took one byte a parameter": pytest.approx(ms((read + cache) / 2 / bandwidth)),
        "q2": pytest.approx(faster),
        "q2 scaled by peak FLOPS": pytest.approx(1307.4 / 312),
        "q2 took the ratio the wrong way round": pytest.approx(1 / faster),
        "q2 gave the gain instead of the ratio": pytest.approx(faster - 1),
        "q3": "compute",  # 768 is far beyond the 80 of question 5
        "q3 judged the batch of question 1": "memory",
        "q4": "peak FLOPS",
        "q4 raised the roof that does not bind": "bandwidth",
        "q4 took room for speed": "capacity",
        "q5": pytest.approx(crossing(weights, state)),
        "q5 counted the whole embedding table as read": pytest.approx(
            crossing(2 * parameters, state)
        ),
        "q5 forgot the efficiency": pytest.approx(crossing(weights, state, peak)),
        "q5 took the ridge point for a batch": pytest.approx(312 / 2.039),
        "q5 left out the KV cache": pytest.approx(crossing(weights, 0)),
        # beside weights and cache a step keeps its widest activations: hidden state and logits
        "q6": pytest.approx((need + 2 * batch * (hidden + 128_256)) / 1e9),
        "q6 left out the KV cache": pytest.approx(2 * parameters / 1e9),
        "q6 gave every query head its own keys and values": pytest.approx((need + 3 * cache) / 1e9),
        "q6 took four bytes a number": pytest.approx(2 * need / 1e9),
        "q7": (capacity - 2 * parameters) // own,
        "q7 forgot that the weights take room too": capacity // own,
        "q7 gave every query head its own keys and values": (capacity - 2 * parameters)
        // (4 * own),
        "q7 loaded the weights once for every request": capacity // (2 * parameters + own),
    }


def valued(checks):
    """The questions whose answer is a value: all but the chip."""
    return [q for q in checks.questions.values() if not isinstance(q, Spec)]


def test_a_chip_with_just_enough_peak_by_hand(checks):
    fields = {"device": "A100", "other": "H100", "crowd": 24, "short": 64}
    v = checks.assignment.variant({"model": "Llama2_13B", "batch": 10, "context": 1024, **fields})
    # as above: 40 layers, hidden 5120; a multiply and an add a weight and request, and both
    # products of attention over 1,024 tokens; all in the time of the bytes at 2.039 TB/s
    matrices = 40 * (4 * 5120**2 + 3 * 5120 * 13824) + 5120 * 32000
    moved = 2 * matrices + 2 * 10 * 1024 * 40 * 2 * 5120 + 2 * 10 * 5120
    operations = 10 * (2 * matrices + 40 * 4 * 1024 * 5120)
    least = operations / (moved / 2.039e12) / 0.5 / 1e12

    def tried(peak, capacity="80 GiB", bandwidth="2.039 TB/s"):
        chip = (
            f"release_year: 2027\ncompute: {{peak_flops: {peak:.4f} TFLOP/s}}\n"
            f"memory: {{capacity: {capacity}, bandwidth: {bandwidth}}}\n"
        )
        mark = checks.questions["q8"].answered(Answer(value=chip), v)[1]
        return mark.points, mark.name or mark.message

    assert 30 < least < 50  # of the A100's 312
    for enough in (1.001, 1.05, 1.099):
        assert tried(least * enough)[0] == 2
    assert "keeps up" in tried(least * 0.98)[1]
    assert "at most 10 %" in tried(least * 1.12)[1]
    assert tried(312) == (0.5, "left the peak as it was")
    assert tried(least / 2) == (0.5, "forgot the efficiency")
    assert "its memory holds" in tried(least * 1.05, capacity="24 GB")[1]
    assert "its bandwidth is" in tried(least * 1.05, bandwidth="3.35 TB/s")[1]


def by_name(checks, v):
    """Every value that a check knows of: the truth by the question, the others by their names."""
    values = {}
    for q in valued(checks):
        values[q.name] = q.expected(v)
        for name, f in q.check.accept.items():
            values[f"{q.name} {q.assumptions[name]}"] = q.plain(f(v))
        for name, f in q.check.misconceptions.items():
            values[f"{q.name} {name}"] = q.plain(f(v))
    return values


def test_requests_follow_from_an_own_need_that_is_more_than_the_weights(checks):
    fields = {"device": "A100", "other": "H100", "crowd": 24, "short": 64}
    v = checks.assignment.variant({"model": "Llama3_8B", "batch": 14, "context": 1024, **fields})
    weights, room = 2 * 8_030_261_248, 80 * 2**30
    follow = checks.questions["q7"].check.follow
    assert follow(v, Q_(weights + 14 * 3e9, "B")) == (room - weights) // 3e9
    assert follow(v, Q_(weights, "B")) is None
