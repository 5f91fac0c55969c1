"""Each kind of answer: what is right, what is nearly right, what cannot be read, what is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import grading.check
from grading import code
from grading.check import check, gather
from mlsysim.core.errors import InvalidEntry
from mlsysim.core.units import Q_
from mlsysim.course.questions import KINDS
from mlsysim.course.sheet import Answer
from tests.grading.conftest import typed
from tests.grading.made_up import ASSIGNED, CHECKS, FACTS, LEVERS

V = ASSIGNED.variant({"model": "Llama3_8B", "device": "A100", "other": "H100", "batch": 16})
A100, H100, L4 = "A100 SXM4 80GB", "H100 SXM", "L4"
CHIP = """
release_year: 2027
compute: {peak_flops: 312 TFLOP/s}
memory:
  capacity: 80 GiB
  bandwidth: 5 TB/s
"""


def judged(question, value, unit=None):
    return CHECKS.questions[question].answered(Answer(value=value, unit=unit), V)[1]


def test_there_is_a_question_of_every_kind():
    assert {facts["kind"] for facts in FACTS.values()} == set(KINDS)


def test_what_the_solvers_say_in_words():
    # memory binds a small batch: bandwidth, and at 8,192 tokens (1.07 GB a request beside 15 GB of
    # weights) the context; by bandwidth H100 3.35, A100 2.039, L4 0.3 TB/s
    assert CHECKS.questions["bound"].expected(V) == "memory"
    assert CHECKS.questions["levers"].expected(V) == {"twice the bandwidth", "half the context"}
    assert CHECKS.questions["order"].expected(V) == (H100, A100, L4)


@pytest.mark.parametrize(
    ("question", "value", "kind", "credit", "words"),
    [
        ("bound", "memory", "right", 1, "Right"),
        ("levers", ["half the context", "twice the bandwidth"], "right", 1, "Right"),
        ("levers", ["twice the bandwidth"], "partly", 0.5, "All but one"),
        ("levers", [*LEVERS[:2], LEVERS[3]], "partly", 0.5, "All but one"),
        ("levers", LEVERS, "misconception", 0.25, "you marked them all. Only the roof"),
        ("levers", ["twice the peak"], "wrong", 0, "Only the memory roof"),
        ("levers", ["twice the Peak"], "unreadable", 0, "give one of twice the bandwidth"),
        ("levers", "twice the peak", "unreadable", 0, "give a list"),
        ("levers", [], "blank", 0, "No answer"),
        ("levers", [" ", None], "blank", 0, "No answer"),
        ("order", [H100, A100, L4], "right", 1, "Right"),
        ("order", [A100, H100, L4], "partly", 0.5, "Two neighbours"),
        ("order", [H100, L4, A100], "partly", 0.5, "Two neighbours"),
        ("order", [L4, A100, H100], "misconception", 0.25, "put the slowest first"),
        ("order", [A100, L4, H100], "wrong", 0, "By bandwidth"),
        ("order", [H100, A100], "unreadable", 0, "name all 3, each once"),
        ("order", [H100, H100, L4], "unreadable", 0, "name all 3, each once"),
        ("order", [H100, A100, "H200 SXM"], "unreadable", 0, f"give one of L4, {A100}, {H100}"),
        ("why", "It is memory-bound because every weight is read.", "kept", 1, "your instructor"),
        ("why", "x" * 501, "unreadable", 0, "at most 500 characters"),
        ("why", ["x"], "unreadable", 0, "write a text"),
        ("code", "  ", "blank", 0, "No answer"),
    ],
)
def test_an_answer_gets_the_verdict_of_its_kind(question, value, kind, credit, words):
    mark = judged(question, value)
    assert (mark.kind, mark.credit) == (kind, credit)
    assert words in mark.message
    assert mark.points == credit * CHECKS.questions[question].points


def test_both_ends_of_an_interval_are_judged_in_any_unit():
    low, high = CHECKS.questions["range"].expected(V)
    assert judged("range", [f"{low:.6g}", f"{high:.6g}"], "ms").kind == "right"
    assert judged("range", [low / 1e3, high / 1e3], "s").kind == "right"
    one = judged("range", [low, 2 * high], "ms")
    assert (one.kind, one.credit, one.name) == ("partly", 0.5, "found the lower end")
    assert judged("range", [low / 2, high], "ms").name == "found the upper end"
    assert judged("range", ["0", f"{high:.6g}"], "ms").name == "let one request cost nothing"
    assert judged("range", [2 * low, 3 * high], "ms").kind == "wrong"
    assert judged("range", [low, high]).kind == "no unit"
    assert judged("range", [low, high], "GB").kind == "wrong unit"
    assert "lower end first" in judged("range", [high, low], "ms").message
    assert "the upper end cannot be '4,5'" in judged("range", ["1", "4,5"], "ms").message
    assert judged("range", ["1"], "ms").kind == "unreadable"
    assert judged("range", ["", ""], "ms").kind == "blank"


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        ("", "", "right", "Right"),
        ("5 TB/s", "3 TB/s", "wrong", "not do this yet: it decodes twice as fast. Which roof"),
        ("312 TFLOP/s", "700 TFLOP/s", "misconception", "you raised the peak"),
        ("5 TB/s", "5,1 TB/s", "unreadable", "5.1 TB/s"),
        ("5 TB/s", "5", "unreadable", "bandwidth"),
        ("5 TB/s", "fast", "unreadable", "bandwidth"),
        ("bandwidth", "bandwith", "unreadable", "did you mean 'bandwidth'"),
        ("80 GiB", ".nan", "unreadable", "capacity"),
        ("memory:", "memory: {", "unreadable", "not YAML"),
        ("release_year: 2027", "a: &x {b: 1}\nc: *x", "unreadable", "alias"),
        ("release_year: 2027", "release_year: 2027\nrelease_year: 2028", "unreadable", "twice"),
        (
            "release_year: 2027",
            "x: !!python/object/apply:os.getcwd []",
            "unreadable",
            "constructor",
        ),
        ("release_year: 2027", "x: " + "[" * 4000, "unreadable", "nest"),
        ("release_year: 2027", "# " + "x" * 10_000, "unreadable", "at most 10,000 characters"),
        ("compute: {peak_flops: 312 TFLOP/s}", "", "unreadable", "compute"),
    ],
)
def test_a_chip_of_ones_own_is_tried_on_the_solvers(old, new, kind, words):
    assert old in CHIP
    mark = judged("chip", CHIP.replace(old, new))
    assert mark.kind == kind, mark.message
    assert words in mark.message
    assert mark.credit == {"right": 1, "misconception": 0.25}.get(kind, 0)


def test_a_chip_that_the_solvers_cannot_run_is_told_why():
    mark = judged("chip", CHIP.replace("312 TFLOP/s", "312 TFLOP/s, peak_precision: fp4"))
    assert (mark.kind, mark.points) == ("wrong", 0)
    assert "The solvers refuse it: " in mark.message
    assert "fp16" in mark.message


def test_what_is_kept_is_shown_whole_and_earns_no_points(tmp_path, monkeypatch):
    monkeypatch.setattr(code, "available", lambda: None)  # as where nothing can be run
    trap = f"def step_time(read, bandwidth, tax):\n    pass\nopen({str(tmp_path / 'ran')!r}, 'w')"
    marks = {
        x.question: x for x in CHECKS.judge(V, typed({"code": {"value": trap}, "why": "Words."}))
    }
    assert marks["code"].given == trap
    assert marks["why"].given == "Words."
    assert not (tmp_path / "ran").exists()
    monkeypatch.setattr(grading.check, "available", lambda: None)
    assert CHECKS.points == 2 + 1 + 2 + 2 + 2 + 2  # words and code are not among them
    assert marks["code"].out_of == 0  # nor is code that was not run
    assert sum(x.points for x in marks.values()) == 0


def test_a_part_follows_from_a_value_of_any_kind():
    def first(v, own):
        return own[0]

    held = [each.check for each in CHECKS.questions.values() if each.judged]
    held = [each for each in held if each.name != "bound"]
    follows = check("bound", follows="order", follow=lambda v, own: {L4: "compute"}.get(own[0]))
    (bound,) = (each for each in CHECKS.questions.values() if each.name == "bound")
    kinds = gather(ASSIGNED, [*held, follows(bound.check.truth)])
    own, _ = kinds["order"].answered(Answer(value=[L4, H100, A100]), V)
    assert kinds["bound"].answered(Answer(value="compute"), V, own)[1].kind == "followed choice"
    assert kinds["bound"].answered(Answer(value="compute"), V, (H100, A100, L4))[1].kind == "wrong"
    low, high = CHECKS.questions["range"].answered(Answer(value=["1", "2"], unit="s"), V)[0]
    assert (low, high) == (Q_(1000.0, "ms"), Q_(2000.0, "ms"))


def test_what_is_not_judged_takes_no_check():
    held = [each.check for each in CHECKS.questions.values() if each.judged]
    with pytest.raises(InvalidEntry, match="is not judged here"):
        gather(ASSIGNED, [*held, check("why")(lambda v: None)])


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda part: (
        st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=8), part, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, JSON)
def test_any_json_in_place_of_an_answer_of_any_kind_gets_a_verdict(value, unit):
    for answer in (value, {"value": value, "unit": unit}):
        for mark in CHECKS.judge(V, typed(dict.fromkeys(FACTS, answer))):
            assert mark.kind in {"blank", "unreadable", "wrong", "wrong unit", "kept", "slip"}
            assert 0 <= mark.points <= mark.out_of


@pytest.mark.parametrize("question", FACTS)
def test_what_is_computed_is_written_as_it_is_read(question):
    asked = ASSIGNED.ask(question, V)
    mine = {
        "step": Q_(12.5, "ms"),
        "bound": "Memory",
        "levers": ["Half the context"],
        "order": [L4.lower(), A100, H100],
        "range": (Q_(1.0, "s"), Q_(2.0, "s")),
        "chip": {"release_year": 2027, "compute": {"peak_flops": "1 TFLOP/s"}}
        | {"memory": {"capacity": "1 GB", "bandwidth": "1 TB/s"}},
        "code": "def step_time(read, bandwidth, tax):\n    return 1\n",
        "why": "Because.",
    }[question]
    answer = asked.write(mine)
    assert isinstance(answer, Answer)
    assert asked.fault(answer) == ""
    value = asked.read(answer)
    assert value == {
        "step": (12.5, "ms"),
        "bound": "memory",
        "levers": {"half the context"},
        "order": (L4, A100, H100),
        "range": ((1000.0, 2000.0), "ms"),
        "code": mine,
        "why": mine,
    }.get(question, value)
    if question == "chip":
        assert value.memory.bandwidth == Q_(1.0, "TB/s")
        assert asked.read(asked.write(value)).memory == value.memory
