"""Units: dimensions of their own, text that parses, text that must not, and checks at the door."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import TransformationModel
from mlsysim.core import units
from mlsysim.core.errors import BadArgument, MLSysError, OutOfRange, UnknownName, WrongUnit
from mlsysim.core.solver import show
from mlsysim.core.units import (
    EXAMPLES,
    PRECISIONS,
    Q_,
    Dim,
    Names,
    Seconds,
    SecondsOrZero,
    dim_of,
    parse,
    read_number,
    unit_of,
    ureg,
)

PARSES = [
    # text, the unit to look at it in, the number expected there
    ("400 Gbps", "GB/s", 50.0),  # 400e9 bit / 8
    ("1.2 Tb/s", "GB/s", 150.0),  # a Cerebras wafer's I/O is bits, not bytes
    ("1e21 FLOP", "FLOP", 1e21),
    ("3.5e+2 TFLOP/s", "FLOP/s", 3.5e14),
    ("312 TFLOP/s", "FLOP/s", 312e12),
    ("312 TFLOPs/s", "FLOP/s", 312e12),
    ("624 TOPS", "FLOP/s", 624e12),
    ("624 TOP/s", "FLOP/s", 624e12),
    ("80 GiB", "B", 80 * 1024**3),
    ("81559 MiB", "B", 81559 * 1024**2),
    ("1 kB", "B", 1000.0),
    ("1 KiB", "B", 1024.0),
    ("8 b", "B", 1.0),
    ("1 GMAC", "FLOP", 2e9),  # a multiply-accumulate is two operations everywhere
    ("0.10 USD/kWh", "USD/J", 0.10 / 3.6e6),
    ("400 g/kWh", "g/J", 400 / 3.6e6),
    ("1.8 L/kWh", "L/J", 1.8 / 3.6e6),
    ("85 USD/t", "USD/g", 85e-6),
    ("30 day", "s", 30 * 86400.0),
    ("1 Wh", "J", 3600.0),
    ("10 us", "s", 1e-5),
    ("10 µs", "s", 1e-5),
    ("  5  W ", "W", 5.0),
    ("45 %", "", 0.45),
    ("3 tokens/s", "1/s", 3.0),
]


@pytest.mark.parametrize(("text", "unit", "expected"), PARSES)
def test_text_parses_to_the_quantity_it_means(text, unit, expected):
    assert parse(text).m_as(unit) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["400 Gbps", "1e21 FLOP", "312 TFLOPs/s", "624 TOPS", "80 GiB", "1.2 Tb/s"]
)
def test_q_reads_the_same_text(text):
    assert Q_(text) == parse(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("GB", "1 GB"), (" TB/s ", "1 TB/s"), ("1/s", "1 1/s")]
)
def test_q_reads_a_unit_alone_as_one_of_it(text, expected):
    assert Q_(text) == parse(expected)


@pytest.mark.parametrize("text", ["500/s", "500 / s", "500 1/s", "500 tokens/s"])
def test_a_rate_is_read_as_people_write_it(text):
    assert Dim("1/s").si(text, "worker_rate") == 500.0


def test_a_solver_takes_a_rate_as_people_write_it():
    asked = {"batch_size": 256, "workers": 8, "step_time": "48 ms"}
    written, spaced = (
        TransformationModel().solve(**asked, worker_rate=rate) for rate in ("500/s", "500 1/s")
    )
    assert written == spaced


def test_a_unit_that_is_none_is_answered_in_the_dimension_that_was_asked_for():
    with pytest.raises(WrongUnit, match="such as '100 1/s'"):
        Dim("1/s").si("500 apples/s", "value")


@pytest.mark.parametrize("text", ["500 req/s", "500 tokens/s", "500 tok/s"])
def test_a_rate_may_say_what_it_counts(text):
    assert Dim("1/s").si(text) == 500.0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("80 GB", "312 TFLOP"),
        ("80 GB", "312 TFLOP/s"),
        ("1 USD", "1 GB"),
        ("1 s", "1 FLOP"),
        ("1 W", "1 J"),
    ],
)
def test_data_operations_money_and_time_never_add_up(left, right):
    with pytest.raises(pint.DimensionalityError):
        Q_(left) + Q_(right)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "GB",
        "GB 80",
        "80 GQ",
        "80 KB",
        "80 Kbps",
        "1 KB/s",
        "nan s",
        "inf s",
        "-inf B",
        "1e B",
        "1.2.3 s",
        "80 GB; 3",
        "__import__('os') s",
        "2*3 GB",
        "(80) GB",
        "80 GB + 1 GB",
        "1 s**9",
        "80 GB/",
        "80 /",
        "\0 s",
    ],
)
def test_text_that_is_no_quantity_is_refused_in_one_sentence(text):
    with pytest.raises(WrongUnit) as caught:
        parse(text, "bandwidth")
    sentence = str(caught.value)
    assert sentence.startswith("bandwidth cannot be ")
    assert sentence.endswith((".", "?"))


COMMA = "write it without commas and with a decimal point, as in "
ALONE = "write the number alone, as in 4.57, and choose the unit beside it"
WORKED = "give a number such as 4.57 or 1.2e3; expressions are not worked out"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("1,024 GB", f"{COMMA}1024 GB or 1.024 GB"),  # it may be either
        ("-1,024", f"{COMMA}-1024 or -1.024"),
        ("3,35 TB/s", f"{COMMA}3.35 TB/s"),
        ("0,512 s", f"{COMMA}0.512 s"),
        ("12,3456 s", f"{COMMA}12.3456 s"),
        ("1234,567 s", f"{COMMA}1234.567 s"),
        ("1,234.5 s", f"{COMMA}1234.5 s"),
        ("1.234,5 s", f"{COMMA}1234.5 s"),
        ("1,234,567 B", f"{COMMA}1234567 B"),
        (".,. s", f"{COMMA}4.57 s"),
        ("1,5 par sec", f"{COMMA}1.5"),
        ("", "write a number and a unit, as in '80 GB'"),
        ("GB", "write a number and a unit, as in '80 GB'"),
        ("1_000 B", WORKED),
        ("2*3 GB", "write a unit as in 'GB', 'TB/s', 'TFLOP/s', 'ms'"),
        ("64 KB", "write KiB for 1024 bytes or kB for 1000"),
        ("64 Kb/s", "write KiB for 1024 bytes or kB for 1000"),
    ],
)
def test_a_quantity_that_cannot_be_read_is_told_how_to_write_it(text, remedy):
    with pytest.raises(WrongUnit) as caught:
        parse(text, "size")
    assert str(caught.value) == f"size cannot be {text!r}: {remedy}."


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("5x", ALONE),
        ("x5", WORKED),
        ("2+2", WORKED),
        ("1,024x", f"{COMMA}1024 or 1.024"),
        (True, "give a number such as 4.57"),
        (None, "give a number such as 4.57"),
        ([4], "give a number such as 4.57"),
        ("1e999", "give a finite number"),
        (math.nan, "give a finite number"),
        (2**1024, "give a finite number"),
    ],
    ids=lambda given: str(given)[:9],
)
def test_a_number_that_cannot_be_read_is_told_how_to_write_it(given, remedy):
    with pytest.raises(BadArgument) as caught:
        read_number(given, "size")
    assert str(caught.value).endswith(f": {remedy}.")
    assert str(caught.value).startswith("size cannot be ")


def test_the_largest_float_is_a_number():
    assert read_number(sys.float_info.max) == read_number(int(sys.float_info.max))
    assert (read_number(" -.5e-3 "), read_number("5.")) == (-0.0005, 5.0)


def test_kb_is_refused_because_it_means_two_things():
    with pytest.raises(WrongUnit, match=r"KiB for 1024 bytes or kB for 1000"):
        parse("64 KB")


HOSTILE = [
    "9**9**9 m",
    "1 m^9^9",
    "1e9999999999 s",
    "9" * 100_000 + " m",
    "1 " + "m*" * 20_000 + "!",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_hostile_text_is_refused_fast(text):
    with pytest.raises(BadArgument):
        Dim("s").si(text, "latency")


def test_a_unit_of_a_thousand_factors_is_refused_and_does_not_exhaust_the_stack():
    with pytest.raises(WrongUnit):
        parse("1 " + "m*" * 20_000 + "m")


def test_q_does_not_evaluate_hostile_text():
    code = "from mlsysim import Q_\ntry:\n  Q_('9**9**9**9 m')\nexcept Exception as e:\n  print(e)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0


@pytest.mark.parametrize(("unit", "example"), EXAMPLES.items())
def test_every_example_in_an_error_message_would_itself_be_accepted(unit, example):
    assert Dim(unit).si(example, "argument") > 0


def test_units_are_importable_by_name():
    assert 1200 * units.TFLOPs / units.second == Q_("1200 TFLOP/s")
    assert 5.0 * units.TB / units.second == Q_("5 TB/s")


def test_a_unit_that_does_not_exist_cannot_be_imported():
    with pytest.raises(AttributeError, match="TFLOPz"):
        units.TFLOPz  # noqa: B018 - the look-up is the test
    with pytest.raises(WrongUnit):
        unit_of("TFLOPz")


def test_quantities_survive_pickling_and_copying():
    bandwidth = Q_("3.35 TB/s")
    assert pickle.loads(pickle.dumps(bandwidth)) == bandwidth
    assert copy.deepcopy(bandwidth) + bandwidth == 2 * bandwidth


# ---- the door ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["400 Gbps", Q_(50, "GB/s"), Q_(50e9, "B/s"), Q_("0.05 TB/s")])
def test_one_bandwidth_is_one_number_inside_however_it_is_written(value):
    assert Dim("B/s").si(value, "bandwidth") == pytest.approx(50e9, rel=1e-12)


@pytest.mark.parametrize(
    "value", [400, 400.0, np.float64(400), np.array([400.0]), [400, 500], "400", Q_(400, "")]
)
def test_a_bare_number_where_a_unit_belongs_is_refused_and_shown_how(value):
    with pytest.raises(WrongUnit, match=r"bandwidth cannot be .*such as '3.35 TB/s'"):
        Dim("B/s").si(value, "bandwidth")


@pytest.mark.parametrize("value", ["80 GB", Q_(80, "GB"), "312 TFLOP/s", "50 ms"])
def test_another_dimension_is_refused(value):
    with pytest.raises(WrongUnit, match="bandwidth"):
        Dim("B/s").si(value, "bandwidth")


@pytest.mark.parametrize(
    "value", ["0 B/s", "-1 B/s", Q_(math.nan, "B/s"), Q_(math.inf, "B/s"), "1e999 B/s"]
)
def test_no_machine_has_a_zero_negative_nan_or_infinite_bandwidth(value):
    with pytest.raises(OutOfRange, match=r"bandwidth cannot be .* above 0 in B/s"):
        Dim("B/s").si(value, "bandwidth")


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_one_bad_number_in_an_array_is_enough(bad):
    with pytest.raises(OutOfRange, match="latency"):
        Dim("s").si(Q_(np.array([1.0, bad, 2.0]), "s"), "latency")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        np.True_,
        Ellipsis,
        {},
        {1},
        b"4",
        1j,
        np.array([1j]),
        np.array(["4"]),
        np.array(4),  # a column of no length
        [],
        (),
        [1, None],
        "four",
        Q_(4, "B"),
        range(0),
        np.array([True, False]),
    ],
    ids=repr,
)
def test_what_is_no_number_is_no_batch(value):
    with pytest.raises(BadArgument, match="batch_size"):
        dim_of(units.Batch).si(value, "batch_size")


@pytest.mark.parametrize(
    "value",
    [[[1], [1, 2]], Q_(1 + 2j, ""), 10**400, Q_(10**400, "")],
    ids=["ragged", "complex", "huge", "huge quantity"],
)
def test_stranger_values_are_no_batch_either(value):
    with pytest.raises(BadArgument, match="batch_size"):
        dim_of(units.Batch).si(value, "batch_size")


@pytest.mark.parametrize(
    "value", [0, -1, 1.5, 1e10, math.nan, math.inf, [1, 2.5], np.array([1, 0])], ids=str
)
def test_a_fractional_absurd_or_empty_batch_is_refused(value):
    with pytest.raises(OutOfRange, match="batch_size cannot be"):
        dim_of(units.Batch).si(value, "batch_size")


@pytest.mark.parametrize("value", [4, 4.0, np.int64(4), np.float32(4), "4", Q_(4, "")])
def test_a_whole_number_is_a_whole_number_however_it_is_typed(value):
    assert dim_of(units.Batch).si(value, "batch_size") == 4.0


@pytest.mark.parametrize("value", [0.0, 1.0001, -0.5, math.nan])
def test_an_efficiency_lies_above_zero_and_reaches_one(value):
    with pytest.raises(OutOfRange, match=r"efficiency cannot be .* above 0 up to 1"):
        dim_of(units.Fraction).si(value, "efficiency")
    assert dim_of(units.Fraction).si(1.0, "efficiency") == 1.0


def test_a_name_that_says_its_unit_takes_a_bare_number_in_it():
    days = Dim("s", bare="day")
    assert days.si(30, "duration_days") == 30 * 86400.0
    assert days.si("12 hour", "duration_days") == 12 * 3600.0
    np.testing.assert_allclose(days.si([1, 2], "duration_days"), [86400.0, 172800.0])
    with pytest.raises(OutOfRange, match="in day"):
        days.si(-1, "duration_days")
    with pytest.raises(WrongUnit):
        days.si("30 GB", "duration_days")


def test_an_array_stays_an_array_in_si_numbers():
    found = Dim("s").si(Q_(np.array([1, 2, 3]), "ms"), "latency")
    np.testing.assert_allclose(found, [0.001, 0.002, 0.003], rtol=1e-12)


def test_a_quantity_of_another_registry_is_refused():
    with pytest.raises(WrongUnit, match=r"mlsysim\.Q_"):
        Dim("s").si(pint.UnitRegistry().Quantity(1, "s"), "latency")
    with pytest.raises(WrongUnit):
        Dim("s").si(Q_(1, "m"), "latency")


def test_errors_about_arrays_stay_on_one_line():
    with pytest.raises(OutOfRange) as caught:
        dim_of(units.Batch).si(np.array([[1, -1], [2, 3]]), "batch_size")
    assert "\n" not in str(caught.value)


def test_a_wrong_precision_is_told_the_nearest_one():
    with pytest.raises(UnknownName, match=r"precision cannot be 'fp61': did you mean 'fp\d+'\?"):
        dim_of(units.Precision).si("fp61", "precision")


@pytest.mark.parametrize(
    "value", [None, 16, "", "FP 16", ["fp16"], {}, math.nan, b"fp16"], ids=repr
)
def test_what_is_no_known_name_is_refused(value):
    with pytest.raises(UnknownName, match="precision"):
        Names(*PRECISIONS).si(value, "precision")


# every word of the vocabulary, by the sentence that refuses what it does not mean
ABOVE, FROM = "number above 0", "number of at least 0"
MOST = "and at most 1,000,000,000,000,000"  # tokens, parameters or devices
WORDS = {
    **{
        name: f"{ABOVE} in {unit}"
        for name, unit in [
            ("Seconds", "s"),
            ("Bytes", "B"),
            ("Bandwidth", "B/s"),
            ("Operations", "FLOP"),
            ("OperationRate", "FLOP/s"),
            ("Intensity", "FLOP/B"),
            ("Power", "W"),
            ("Energy", "J"),
            ("Rate", "1/s"),
            ("Money", "USD"),
            ("Mass", "g"),
            ("Volume", "L"),
            ("HourlyPrice", "USD/s"),
            ("Days", "day"),
            ("Years", "year"),
            ("Milliseconds", "ms"),
            ("Queries", "1/s"),
        ]
    },
    **{
        name: f"{FROM} in {unit}"  # nothing at all is a sensible amount
        for name, unit in [
            ("SecondsOrZero", "s"),
            ("BytesOrZero", "B"),
            ("CarbonIntensity", "g/J"),
            ("CarbonPrice", "USD/g"),
            ("EnergyPrice", "USD/J"),
            ("WaterUsageEffectiveness", "L/J"),
        ]
    },
    "Count": f"whole number of at least 1 {MOST}",
    "CountOrZero": f"whole number of at least 0 {MOST}",
    "Batch": "whole number of at least 1 and at most 1,000,000,000",
    "Year": "whole number of at least 1940 and at most 2,100",
    "Number": ABOVE,
    "Fraction": f"{ABOVE} up to 1",
    "FractionOrZero": "number from 0 up to 1",
    "PowerUsageEffectiveness": "number of at least 1",
    "Signed": "number",
}


def test_every_word_of_the_vocabulary_has_its_unit_and_its_range():
    found = {name: dim_of(word) for name, word in vars(units).items() if name[:1].isupper()}
    told = {name: word.remedy for name, word in found.items() if isinstance(word, Dim)}
    assert told == {name: f"give a finite {text}" for name, text in WORDS.items()}
    assert Dim("", whole=True).remedy == "give a finite whole number of at least 1"


@pytest.mark.parametrize(
    ("word", "inside", "outside"),
    [
        (units.Count, [1, 10**15], [0, 10**15 + 1]),
        (units.CountOrZero, [0, 10**15], [-1, 10**15 + 1]),
        (units.Batch, [1, 10**9], [0, 10**9 + 1]),
        (units.Year, [1940, 2100], [1939, 2101, 1999.5]),
        (units.Fraction, [0.001, 1], [0, 1.001]),
        (units.FractionOrZero, [0, 1], [-0.001, 1.001]),
        (units.PowerUsageEffectiveness, [1, 1.7], [0.999]),
        (units.Signed, [-7.5, 0, 7.5], [math.inf]),
        (units.Number, [1e-40, 1e40], [0, 1.1e40, 9e-41]),  # of a size that there is
        (units.CarbonIntensity, ["0 g/kWh"], ["-1 g/kWh"]),
    ],
    ids=lambda word: getattr(dim_of(word), "remedy", ""),
)
def test_a_range_holds_its_ends_and_nothing_beyond(word, inside, outside):
    for value in inside:
        assert dim_of(word).si(value) == Q_(value).magnitude
    for value in outside:
        with pytest.raises(OutOfRange):
            dim_of(word).si(value)


def test_bare_numbers_are_in_the_unit_that_the_name_of_the_argument_says():
    words = (units.Days, units.Years, units.Milliseconds, units.Queries)
    # a year of 365.25 days of 24 hours of 3600 seconds
    assert [dim_of(word).si(3) for word in words] == [259_200, 94_672_800, 0.003, 3]
    assert [dim_of(word).unit for word in words] == ["s", "s", "s", "1/s"]


def test_a_precision_takes_the_bits_that_its_name_says():
    tf32 = {"tf32": 32}  # 19 bits of it count, in a word of 32
    bits = {name: int("".join(filter(str.isdigit, name))) for name in PRECISIONS}
    assert {name: 8 * held for name, held in PRECISIONS.items()} == {**bits, **tf32, "w4a4": 4}


def test_a_number_and_a_unit_are_only_so_long():
    assert parse("0" * 63 + "7 GB") == Q_(7, "GB")
    with pytest.raises(WrongUnit, match=": a number takes at most 64 characters"):
        parse("0" * 64 + "7 GB")
    assert unit_of("m*" * 29 + "mm") == ureg.mm * ureg.m**29  # 60 characters, and then 61
    with pytest.raises(WrongUnit, match="write a unit as in 'GB', 'TB/s'"):
        unit_of("m*" * 30 + "m")


def text_in(unit, example, of=None):
    about = f"quantity in {unit}, such as '{example}'"
    return {"description": about, "examples": [example], "x-unit": of or unit}


@pytest.mark.parametrize(
    ("word", "schema"),
    [
        (Dim("B/s"), {"type": "string", "exclusiveMinimum": 0} | text_in("B/s", "3.35 TB/s")),
        (Dim("L", open_low=False), {"type": "string", "minimum": 0} | text_in("L", "1 L")),
        (
            Dim("s", bare="day"),
            {"type": ["number", "string"], "exclusiveMinimum": 0} | text_in("day", "50 ms", of="s"),
        ),
        (dim_of(units.Batch), {"type": "integer", "exclusiveMinimum": 0, "maximum": 1e9}),
        (dim_of(units.Year), {"type": "integer", "minimum": 1940, "maximum": 2100}),
        (dim_of(units.Fraction), {"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
        (dim_of(units.Signed), {"type": "number"}),
        (dim_of(units.Precision), {"enum": list(PRECISIONS)}),
    ],
)
def test_schemas_say_what_the_door_accepts(word, schema):
    assert word.schema() == schema


@pytest.mark.parametrize(
    ("word", "value", "written"),
    [
        (Dim("B"), Q_(2.0, "GB"), "2 GB"),  # as its author wrote it
        (Dim("B"), Q_(2.5, "GB"), "2.5 GB"),
        (Dim("B"), 5.0, "5 B"),
        (Dim("s", bare="day"), 5.0, "5 s"),
        (Dim("1/s"), Q_(20, "1/s"), "20 1/s"),
        (dim_of(units.Count), 3.0, 3),
        (dim_of(units.Number), 2.5, 2.5),
    ],
)
def test_a_value_is_written_as_text_with_its_unit_or_as_a_number(word, value, written):
    assert word.plain(value) == written
    assert type(word.plain(value)) is type(written)


def test_dim_of_finds_the_word_inside_an_optional_annotation():
    assert dim_of(units.Seconds | None).unit == "s"
    assert dim_of(int) is None


# ---- round trips ---------------------------------------------------------------------------------

UNITS = [
    "B",
    "B/s",
    "FLOP",
    "FLOP/s",
    "s",
    "W",
    "J",
    "USD",
    "1/s",
    "FLOP/B",
    "ms",
    "GiB",
    "TFLOP/s",
    "day",
    "kWh",
]


@given(number=st.floats(1e-6, 1e20), unit=st.sampled_from(UNITS))
def test_what_is_shown_parses_back_to_within_its_four_digits(number, unit):
    shown = show(Q_(number, unit))
    written = shown.replace(",", "")  # large sums of money are shown in groups of thousands
    assert parse(written).m_as(unit) == pytest.approx(number, rel=6e-4)


@given(number=st.floats(1e-9, 1e25), unit=st.sampled_from([u for u in UNITS if u != "1/s"]))
def test_a_door_accepts_a_quantity_and_its_text_alike(number, unit):
    quantity = Q_(number, unit)
    base = f"{quantity.to_base_units().units:~C}"
    text = f"{number!r} {unit}"
    assert parse(text).m_as(base) == pytest.approx(quantity.m_as(base), rel=1e-12)


@given(text=st.text(max_size=40))
def test_no_text_at_all_breaks_the_parser(text):
    try:
        parse(text)
    except MLSysError as error:
        # most texts fail, and each must fail well
        assert str(error).endswith((".", "?"))  # noqa: PT017


@pytest.mark.parametrize("number", [1e300, 1e41, 1e-300, 1e-41])
def test_a_size_that_there_is_not_is_refused(number):
    with pytest.raises(OutOfRange, match="of a size that there is"):
        dim_of(Seconds).si(Q_(number, "s"), "duration")


def test_nothing_at_all_may_be_next_to_nothing():
    assert dim_of(SecondsOrZero).si(Q_(1e-300, "s"), "overhead") == 1e-300
