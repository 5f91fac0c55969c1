"""The solver's door and the result's way out, on a solver small enough to see through."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from operator import mul
from typing import Annotated, Any

import numpy as np
import pytest

from mlsysim import Q_, Engine, Hardware, Models
from mlsysim.core import units as u
from mlsysim.core.errors import (
    BadArgument,
    MLSysError,
    OutOfRange,
    UnknownArgument,
    UnknownField,
    UnknownName,
    WrongUnit,
)
from mlsysim.core.solver import Result, Solver, because, lazily, show
from mlsysim.core.units import (
    Bandwidth,
    Batch,
    Bytes,
    Dim,
    Energy,
    Money,
    Names,
    Number,
    Power,
    Rate,
    Seconds,
)
from mlsysim.hardware.types import HardwareNode


class Answer(Result):
    """How long a copy takes."""

    walls = (2,)

    time: Seconds = "ms"
    rate: Rate = lazily("1/s", lambda r: 1 / r.si("time"))
    slow: bool = lazily("", lambda r: r.si("time") > 1.0)
    copies: Number
    unknown: Seconds = "s"
    notes: tuple


class Derived(Result):
    """Fields that are equations of others."""

    feasible: bool
    reason: str = because(lambda d: f"{d.copies:g} copies take {show(d.time)}.")
    energy: Energy = lazily("J", mul, "power", "time")
    bill: Money = lazily("USD", mul, "energy", "tariff")
    power: Power = "W"
    time: Seconds = "ms"
    tariff: Number
    copies: Number


class Plain(Result):
    """Nothing in it is true or false."""

    time: Seconds = "s"
    rate: Rate = "1/s"
    parts: dict
    _how: object
    _counts: str


class CopyModel(Solver):
    """Wall 2: how long a copy takes."""

    walls = (2,)

    def solve(
        self,
        data: Bytes,
        bandwidth: Bandwidth,
        *,
        copies: Batch = 1.0,
        mode: Annotated[str, Names("dma", "cpu")] = "dma",
        pause_ms: Annotated[Any, Dim("s", bare="ms", open_low=False)] = 0.0,
        device: HardwareNode | None = None,
        limit: Seconds | None = None,
        exact: bool = False,
    ) -> Answer:
        """Seconds, worked out from SI numbers."""
        assert not hasattr(data, "units")
        assert device is None or isinstance(device, HardwareNode)
        time = copies * data / bandwidth + pause_ms
        return Answer(time=time, copies=copies, unknown=limit, notes=(mode,) if exact else ())


solve = CopyModel().solve


def derived(**values):
    known = {"feasible": True, "power": 3.0, "time": 0.5, "tariff": 2.0, "copies": 4.0}
    return Derived(**{**known, **values})


def test_a_field_is_an_equation_of_other_fields():
    assert derived().energy == Q_("1.5 J")
    assert derived().bill == Q_("3 USD")
    many = derived(power=np.array([1.0, 3.0]))
    np.testing.assert_array_equal(many.bill.m_as("USD"), [1.0, 3.0])


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_what_depends_on_an_unknown_field_is_unknown(unknown):
    assert (derived(power=unknown).energy, derived(power=unknown).bill) == (None, None)
    assert derived(tariff=unknown).energy == Q_("1.5 J")


def test_only_an_answer_that_is_infeasible_says_why():
    assert derived(feasible=False).reason == "4 copies take 500 ms."
    assert derived().reason == ""
    assert derived(feasible=np.array([True, False])).reason == ""  # a column has no one reason


def test_arguments_of_any_unit_arrive_as_si_numbers():
    # 8 Gb is 1 GB; at 2 GB/s half a second, three times over, and 100 ms of pause
    answer = solve("8 Gb", Q_("2 GB/s"), copies=3, pause_ms=100)
    assert answer.time.m_as("s") == pytest.approx(1.6)
    assert f"{answer.time.units:~P}" == "ms"


def test_the_signature_says_what_a_solver_requires_and_accepts():
    assert CopyModel.requires == ("data", "bandwidth")
    assert CopyModel.accepts[:4] == ("data", "bandwidth", "copies", "mode")
    assert CopyModel.accepts[4:] == ("pause_ms", "device", "limit", "exact")
    assert CopyModel.explain() == "CopyModel (walls 2): data, bandwidth"


def test_an_unknown_argument_is_told_the_nearest():
    with pytest.raises(
        UnknownArgument,
        match=r"CopyModel\.solve takes no argument 'bandwith': did you mean 'bandwidth'\?",
    ):
        solve("1 GB", bandwith="1 GB/s")


def test_arguments_given_twice_too_often_or_not_at_all_are_type_errors():
    with pytest.raises(TypeError, match=r"^CopyModel\.solve got two values for argument 'data'$"):
        solve("1 GB", "1 GB/s", data="2 GB")
    with pytest.raises(TypeError, match="bandwidth"):
        solve("1 GB")
    most = r"^CopyModel\.solve takes at most 2 arguments by place; name the others$"
    with pytest.raises(TypeError, match=most):
        solve("1 GB", "1 GB/s", 1)


def test_arguments_after_the_star_are_given_by_name():
    with pytest.raises(TypeError):
        solve("1 GB", "1 GB/s", 3)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"data": 80}, WrongUnit),
        ({"data": "80"}, WrongUnit),
        ({"data": "1 s"}, WrongUnit),
        ({"data": None}, WrongUnit),
        ({"data": "0 B"}, OutOfRange),
        ({"data": "-1 GB"}, OutOfRange),
        ({"data": Q_(float("nan"), "B")}, OutOfRange),
        ({"bandwidth": "1 GB"}, WrongUnit),
        ({"bandwidth": Q_(float("inf"), "B/s")}, OutOfRange),
        ({"copies": 1.5}, OutOfRange),
        ({"copies": 0}, OutOfRange),
        ({"copies": True}, WrongUnit),
        ({"mode": "dam"}, UnknownName),
        ({"mode": None}, UnknownName),
        ({"pause_ms": -1}, OutOfRange),
        ({"pause_ms": "1 GB"}, WrongUnit),
        ({"pause_ms": float("nan")}, OutOfRange),
        ({"device": 100}, BadArgument),
        ({"device": "H10O"}, UnknownName),
        ({"limit": 3}, WrongUnit),
        ({"limit": "0 s"}, OutOfRange),
        ({"exact": 1}, BadArgument),
        ({"exact": None}, BadArgument),
        ({"exact": "yes"}, BadArgument),
    ],
)
def test_a_wrong_argument_is_named_in_one_sentence(wrong, kind):
    with pytest.raises(kind) as caught:
        solve(**{"data": "1 GB", "bandwidth": "1 GB/s", **wrong})
    (argument,) = wrong
    assert str(caught.value).startswith(f"{argument} cannot be ")
    assert str(caught.value).endswith((".", "?"))


def test_optional_arguments_may_be_none():
    assert solve("1 GB", "1 GB/s", device=None, limit=None).unknown is None
    assert solve("1 GB", "1 GB/s", device=Hardware.H100, limit="2 s").unknown == Q_("2 s")


def test_arrays_that_do_not_fit_each_other_are_refused_in_words():
    with pytest.raises(MLSysError) as caught:
        solve(Q_([1, 2], "GB"), Q_([1, 2, 3], "GB/s"))
    sizes = "'data (2,), bandwidth (3,)'"
    remedy = "their shapes do not broadcast; make them equal"
    assert str(caught.value) == f"data and bandwidth cannot be {sizes}: {remedy}."
    column = solve(Q_([1, 2, 4], "GB"), Q_([[1], [2]], "GB/s"))
    assert (column.shape, len(column)) == ((2, 3), 6)
    assert [row.si("time") for row in column] == [1, 2, 4, 0.5, 1, 2]
    assert column[-1].si("time") == 2


# ---- results -------------------------------------------------------------------------------------


def test_a_derived_field_is_worked_out_when_it_is_read():
    answer = solve("1 GB", "4 GB/s")
    assert answer.rate.m_as("1/s") == pytest.approx(4.0)
    assert answer.slow is False or answer.slow == False  # noqa: E712 - numpy's False is as good
    assert answer.si("time") == 0.25


def test_an_array_of_questions_is_a_column_of_answers():
    answer = solve("1 GB", "1 GB/s", copies=[1, 2, 3])
    assert answer.shape == (3,)
    assert len(answer) == 3
    np.testing.assert_allclose(answer.time.m_as("s"), [1, 2, 3])
    assert [row.si("time") for row in answer] == [1, 2, 3]
    assert answer[-1].copies == 3
    assert answer[1] == solve("1 GB", "1 GB/s", copies=2)
    with pytest.raises(IndexError):
        answer[3]


def test_one_answer_is_no_column():
    answer = solve("1 GB", "1 GB/s")
    with pytest.raises(TypeError, match="one answer"):
        len(answer)
    with pytest.raises(TypeError, match="one answer"):
        answer[0]


def test_a_result_does_not_change():
    answer = solve("1 GB", "1 GB/s")
    with pytest.raises(AttributeError, match="results do not change"):
        answer.time = Q_("1 s")


def test_a_field_that_was_not_given_is_not_there():
    answer = Answer(time=1.0)
    assert answer.fields == ("time", "rate", "slow")
    with pytest.raises(AttributeError, match="this Answer has no copies: known are time, rate"):
        answer.copies  # noqa: B018 - reading is the test


def test_a_result_takes_no_field_that_it_does_not_declare():
    with pytest.raises(UnknownArgument, match=r"Answer takes no argument 'tmie': did you mean"):
        Answer(tmie=1.0)


def test_a_misspelt_field_is_told_the_nearest():
    answer = solve("1 GB", "1 GB/s")
    with pytest.raises(UnknownField, match=r"this Answer has no tiem: did you mean 'time'\?"):
        answer.tiem  # noqa: B018 - reading is the test
    with pytest.raises(UnknownField, match="did you mean 'time'"):
        answer.si("tiem")
    assert not hasattr(answer, "__array__")


def test_a_derived_field_that_cannot_be_worked_out_says_what_it_lacks():
    with pytest.raises(UnknownField, match="this Answer has no time"):
        Answer(copies=1).rate  # noqa: B018 - reading is the test


def test_a_result_is_not_a_truth_but_has_some():
    answer = solve("1 GB", "1 GB/s")
    with pytest.raises(TypeError, match=r"neither true nor false: ask \.slow$"):
        bool(answer)
    with pytest.raises(TypeError, match=r"ask \.time or \.rate$"):
        bool(Plain(time=1.0, rate=2.0, parts={}))
    with pytest.raises(TypeError, match=r"ask \.feasible$"):
        bool(Engine.solve(Models.Language.Llama3_8B, Hardware.Cloud.H100))


def test_a_name_with_an_underscore_is_kept_and_not_shown():
    kept = Plain(time=1.0, _how=np.array([1, 2]))
    assert list(kept._how) == [1, 2]
    assert (kept.fields, kept.shape) == (("time",), ())
    assert kept.to_dict() == {"time": {"value": 1.0, "unit": "s"}}


def test_a_row_takes_its_part_of_a_mapping():
    column = Plain(time=np.array([1.0, 2.0]), parts={"a": np.array([3.0, 4.0]), "b": 5.0})
    assert column[1].parts == {"a": 4.0, "b": 5.0}


@pytest.mark.parametrize("copies", [2, [1, 2]], ids=["one", "column"])
def test_a_result_is_strict_json_with_units(copies):
    data = json.loads(solve("1 GB", "1 GB/s", copies=copies).to_json(), parse_constant=pytest.fail)
    assert data["time"]["unit"] == "ms"
    assert data["unknown"] is None
    assert data["notes"] == []


def test_json_text_is_indented_by_two_unless_it_is_to_be_a_line():
    answer = Plain(time=1.5)
    lines = ["{", '  "time": {', '    "value": 1.5,', '    "unit": "s"', "  }", "}"]
    assert answer.to_json().splitlines() == lines
    assert answer.to_json(None) == '{"time": {"value": 1.5, "unit": "s"}}'


@pytest.mark.parametrize("nothing", [np.nan, np.inf], ids=str)
def test_what_json_has_no_number_for_is_null(nothing):
    answer = Answer(time=1.0, copies=nothing, unknown=np.array([nothing, 2.0]))
    data = json.loads(answer.to_json(), parse_constant=pytest.fail)
    assert data["copies"] is None
    assert data["unknown"]["value"] == [None, 2.0]


def test_a_summary_has_a_line_for_each_field_and_a_representation_all_in_one():
    answer = Plain(time=0.25, rate=4.0, parts={"a": 1.5}, _counts="token")
    assert str(answer) == answer.summary() == "time   250 ms\nrate   4 tok/s\nparts  a 1.5"
    assert repr(answer) == "Plain(time=250 ms, rate=4 tok/s, parts=a 1.5)"
    assert Plain(rate=4.0).summary() == "rate  4 1/s"
    assert derived().lines()[0] == ("feasible", "yes")


def test_a_summary_leaves_out_what_is_empty():
    lines = solve("1 GB", "1 GB/s").summary().splitlines()
    assert lines[0].split() == ["time", "1", "s"]
    assert not any(line.startswith(("unknown", "notes")) for line in lines)
    without = Answer(time=1.0, copies=np.nan)
    assert not any(line.startswith("copies") for line in without.summary().splitlines())


def test_results_are_equal_when_they_say_the_same():
    assert solve("1 GB", "1 GB/s") == solve("1000 MB", "1 GB/s")
    assert solve("1 GB", "1 GB/s") != solve("2 GB", "1 GB/s")
    assert solve("1 GB", "1 GB/s") != 1.0


def test_a_result_crosses_process_borders():
    answer = solve("1 GB", "1 GB/s")
    assert pickle.loads(pickle.dumps(answer)) == answer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Q_(0.0123456, "s"), "12.35 ms"),
        (Q_(0.0, "s"), "0 s"),
        (Q_(1234567.0, "USD"), "1,234,567 USD"),
        (Q_(99.4, "USD"), "99.4 USD"),  # cents count up to a hundred
        (Q_(100.4, "USD"), "100 USD"),
        (Q_(-1234.5, "USD"), "-1,234 USD"),
        (Q_(2500.0, "USD/hour"), "2500 USD/h"),
        (Q_(2000.0, "B/s"), "2 kB/s"),  # a prefix helps where it is usual
        (Q_(2e13, "FLOP"), "20 TFLOP"),
        (Q_(2e13, "FLOP/B"), "2e+13 FLOP/B"),
        (Q_(5e-5, "W"), "50 µW"),
        (Q_(2000.0, "1/s"), "2000 1/s"),
        (Q_(5000.0, "tokens/s"), "5000 tok/s"),
        (Q_(3e5, "g/kWh"), "300,000 g/kWh"),
        (Q_(np.array([[1.0], [2.5]]), "s"), "[[1.0] [2.5]] s"),
        (True, "yes"),
        (False, "no"),
        (np.False_, "no"),
        (0.123456, "0.1235"),
        (9999.4, "9999"),
        (9999.6, "10,000"),
        (-12_346.0, "-12,350"),
        (999_900_000.0, "999,900,000"),
        (1e9, "1e+09"),
        ({"a": 1.5, "b": True}, "a 1.5, b yes"),
        (("a", "b"), "a; b"),
        ("Memory", "Memory"),
        (Q_(3.0, "day"), "3 d"),
    ],
)
def test_values_are_shown_in_four_digits(value, text):
    assert show(value) == text


def test_a_result_goes_to_another_process_without_the_model_that_it_was_asked_of():
    step = Engine.solve("Llama3_8B", "H100", batch_size=512, seq_len=512)
    sent = pickle.dumps(step)
    assert len(sent) < 4_000
    assert pickle.loads(sent) == step
    assert "different roofs" in pickle.loads(sent).notes[0]


FORTY = Q_("40 kW")


class Rack(Solver):
    """A wall of a user's own, with defaults as a user would write them."""

    def solve(
        self, servers: float = 4.0, power: u.Power = FORTY, time: u.Seconds = "2 hour"
    ) -> Result:
        """The plain numbers that reach the body."""
        self.reached = (servers, power, time)
        return Result()


def test_a_default_passes_the_door_like_what_is_given():
    rack = Rack()
    rack.solve()
    assert rack.reached == (4.0, 40_000.0, 7200.0)
    rack.solve(power="1 MW", time="1 hour")
    assert rack.reached == (4.0, 1_000_000.0, 3600.0)


def test_a_whole_number_is_a_number_where_a_float_is_asked_for():
    rack = Rack()
    rack.solve(servers=20)
    assert rack.reached[0] == 20.0
    assert type(rack.reached[0]) is float
    with pytest.raises(BadArgument, match=r"^servers cannot be True: give a float\.$"):
        rack.solve(servers=True)
    with pytest.raises(BadArgument, match=r"^exact cannot be 1: give a bool: True or False\.$"):
        solve("1 GB", "1 GB/s", exact=1)


class Sizes(Solver):
    """Takes several of what others take one of."""

    def solve(self, devices: Sequence[HardwareNode], sizes: Sequence[Bytes] = ()) -> Result:
        """The plain values that reach the body."""
        self.reached = devices, sizes
        return Result()


def test_one_of_what_may_be_several_needs_no_list():
    asked, h100, a100 = Sizes(), Hardware.H100, Hardware.A100
    for one in ("H100", h100, h100.to_dict(), [h100], (each for each in ["H100"])):
        asked.solve(one)
        assert asked.reached == ((h100,), ())
    asked.solve(["A100", h100], ["1 GB", "2 MB"])
    assert asked.reached == ((a100, h100), (1e9, 2e6))
    asked.solve("A100", "3 GB")
    assert asked.reached == ((a100,), (3e9,))
    with pytest.raises(BadArgument, match=r"^devices cannot be 3: give a HardwareNode, its name"):
        asked.solve(3)
