"""One contract for every equation there will ever be: dimensions, arrays, units, documentation."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import get_type_hints

import numpy as np
import pytest

from mlsysim import equations
from mlsysim.core.units import Q_, Dim, dim_of

MODULES = [
    import_module(f"{equations.__name__}.{module.name}")
    for module in pkgutil.iter_modules(equations.__path__)
]
EQUATIONS = [
    function
    for module in MODULES
    for name, function in vars(module).items()
    if inspect.isfunction(function)
    and function.__module__ == module.__name__
    and not name.startswith("_")
]
each = pytest.mark.parametrize(
    "equation", EQUATIONS, ids=lambda f: f"{f.__module__.rpartition('.')[2]}.{f.__name__}"
)

OTHER_UNITS = {
    "s": "ms",
    "B": "GiB",
    "FLOP": "TFLOP",
    "W": "kW",
    "J": "kWh",
    "USD": "kUSD",
    "g": "t",
    "L": "mL",
}


def declared(equation):
    """Return the word of each argument, and that of the result."""
    hints = get_type_hints(equation, include_extras=True)
    words = {name: dim_of(hint) for name, hint in hints.items()}
    return words, words.pop("return", None)


def sample(word: Dim) -> float:
    """Pick a number in the word's range: 2, or a half where 1 is the most."""
    return 0.5 if word.high <= 1.0 else 2.0


def elsewhere(unit: str) -> str:
    """Write the same dimension in other units: "B/s" in "GiB/ms"."""
    return "/".join(OTHER_UNITS.get(part, part) for part in unit.split("/"))


@each
def test_every_argument_and_the_result_name_their_dimension(equation):
    words, result = declared(equation)
    assert set(words) == set(inspect.signature(equation).parameters)
    assert all(isinstance(word, Dim) for word in words.values()), words
    assert isinstance(result, Dim)


@each
def test_the_result_has_the_dimension_it_declares(equation):
    words, result = declared(equation)
    answer = equation(**{name: Q_(sample(word), word.unit) for name, word in words.items()})
    assert Q_(answer).check(Q_(1.0, result.unit).dimensionality)


@each
def test_the_answer_does_not_depend_on_the_units_of_the_question(equation):
    words, result = declared(equation)
    numbers = {name: sample(word) for name, word in words.items()}
    converted = {
        name: Q_(numbers[name], word.unit).to(elsewhere(word.unit)) if word.unit else numbers[name]
        for name, word in words.items()
    }
    np.testing.assert_allclose(
        np.asarray(Q_(equation(**converted)).m_as(result.unit)),
        np.asarray(equation(**numbers)),
        rtol=1e-9,
    )


@each
def test_an_array_is_the_same_answer_many_times(equation):
    words, _ = declared(equation)
    one = equation(**{name: sample(word) for name, word in words.items()})
    many = equation(**{name: np.full(3, sample(word)) for name, word in words.items()})
    np.testing.assert_allclose(many, np.full(3, one), rtol=1e-12)


@each
def test_each_argument_may_be_an_array_on_its_own(equation):
    words, _ = declared(equation)
    one = equation(**{name: sample(word) for name, word in words.items()})
    for name in words:
        mixed = {other: sample(word) for other, word in words.items()}
        mixed[name] = np.full(3, mixed[name])
        np.testing.assert_allclose(equation(**mixed), np.full(3, one), rtol=1e-12)


@each
def test_the_docstring_has_one_sentence_a_worked_example_and_a_source(equation):
    text = inspect.getdoc(equation) or ""
    head = text.partition("\n\n")[0]
    assert head.endswith((".", "?"))
    assert "Source: " in text
    assert ">>> " in text
    assert text.index(">>> ") < text.index("Source: ")


@each
def test_the_worked_example_names_its_arguments(equation):
    text = inspect.getdoc(equation) or ""
    missing = [name for name in inspect.signature(equation).parameters if f"{name}=" not in text]
    assert not missing


def test_there_are_equations():
    assert len(EQUATIONS) >= 22
    assert len({function.__name__ for function in EQUATIONS}) == len(EQUATIONS)
