"""Quick quantities: whatever is worked out at once is what pint says, to the last bit."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim.core import units
from mlsysim.core.units import Q_

LINES: Any = Path(units.__file__).with_name("units.txt").read_text(encoding="utf-8").splitlines()
PLAIN = pint.UnitRegistry(LINES)
PLAIN.formatter.default_format = units.ureg.formatter.default_format
UNITS = ("", "%", "ms", "s", "hour", "B", "GB", "GiB", "TB/s", "Gb/s", "TFLOP/s", "FLOP/B", "1/s")
numbers = st.one_of(
    st.floats(1e-6, 1e12, allow_nan=False),
    st.integers(1, 10**6),
    st.lists(st.floats(1e-6, 1e12), min_size=2, max_size=2).map(np.array),
)
OPERATIONS = (operator.add, operator.sub, operator.mul, operator.truediv, operator.lt, operator.eq)


def said(work):
    """What comes of it, in words that tell types, units and every bit; or its error."""
    try:
        held = work()
    except (pint.DimensionalityError, ValueError) as error:
        return str(error)
    if isinstance(held, pint.Quantity):
        return type(held.magnitude), repr(held.magnitude), f"{held:~P}", f"{held.units:~C}"
    return type(held), repr(held)


@given(
    st.sampled_from(OPERATIONS), numbers, st.sampled_from(UNITS), numbers, st.sampled_from(UNITS)
)
def test_two_quantities_make_what_pint_makes_of_them(operation, a, in_a, b, in_b):
    ours = said(lambda: operation(Q_(a, in_a), Q_(b, in_b)))
    assert ours == said(lambda: operation(PLAIN.Quantity(a, in_a), PLAIN.Quantity(b, in_b)))


@given(st.sampled_from(OPERATIONS), numbers, st.sampled_from(UNITS), numbers)
def test_a_quantity_and_a_number_make_what_pint_makes_of_them(operation, a, unit, number):
    ours = said(lambda: operation(Q_(a, unit), number))
    assert ours == said(lambda: operation(PLAIN.Quantity(a, unit), number))
    ours = said(lambda: operation(number, Q_(a, unit)))
    assert ours == said(lambda: operation(number, PLAIN.Quantity(a, unit)))


@given(numbers, st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_a_quantity_in_another_unit_is_what_pint_says(number, unit, into):
    ours, plain = Q_(number, unit), PLAIN.Quantity(number, unit)
    assert said(lambda: ours.to(into)) == said(lambda: plain.to(into))
    assert said(lambda: ours.m_as(units.unit_of(into))) == said(
        lambda: plain.m_as(PLAIN.Unit(into))
    )


def test_a_unit_of_another_kind_is_an_error_that_names_both():
    with pytest.raises(pint.DimensionalityError, match=r"byte.*second"):
        Q_(1.0, "GB").to("s")
    with pytest.raises(pint.DimensionalityError, match=r"byte.*second"):
        _ = Q_(1.0, "GB") + Q_(1.0, "s")


def test_a_sum_leaves_both_of_its_parts_as_they_were():
    one, other = Q_(np.array([1.0, 2.0]), "GB"), Q_(np.array([1.0, 2.0]), "MB")
    total: Any = one + other
    total *= 2
    assert list(one.magnitude) == [1.0, 2.0]
    assert list(other.magnitude) == [1.0, 2.0]
