"""What an answer assumes when nobody says: each default makes sense, and is what the table says.

The door checks what is given; a default goes past it. So each is put through the check of its own
argument here, and a table names them all: who changes one changes every answer that leaves it out.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from mlsysim import Q_, ScalingModel, Systems, solvers
from mlsysim.core.units import Dim, dim_of
from tests.solvers.test_bad_input import BESIDE, TOGETHER, VALID

TABLE = Path(__file__).with_name("defaults.txt")
REWRITE = "python -m tests.solvers.test_defaults"
NOTHING = inspect.Parameter.empty


def questions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every question of every solver: `solve`, and what else takes checked arguments."""
    for name in solvers.SOLVERS:
        for method, function in vars(getattr(solvers, name)).items():
            if not method.startswith("_") and hasattr(function, "__wrapped__"):
                yield f"{name}.{method}", function


def defaults() -> Iterator[tuple[str, str, Any]]:
    """Question, argument and default, as one would write it: `1e-06 s`, `0.5`, `adam`."""
    for question, function in questions():
        hints = get_type_hints(function, include_extras=True)
        for argument in inspect.signature(function).parameters.values():
            if argument.default is NOTHING or argument.default is None:
                continue
            word = dim_of(hints.get(argument.name))
            if isinstance(word, Dim):
                written = f"{argument.default:g} {word.unit}".strip()
                yield question, argument.name, written if word.unit else float(written)
            else:
                yield question, argument.name, argument.default


EACH = list(defaults())


def table() -> str:
    lines = (
        f"{question} {name} {default:g}"
        if type(default) is float
        else f"{question} {name} {default}"
        for question, name, default in EACH
    )
    return "".join(f"{line}\n" for line in lines)


def test_defaults_are_those_of_the_table():
    written, now = TABLE.read_text(encoding="utf-8").splitlines(), table().splitlines()
    changed = [f"- {line}" for line in written if line not in now]
    changed += [f"+ {line}" for line in now if line not in written]
    assert not changed, f"{changed}; if that is meant, run `{REWRITE}` and read what it changed"
    assert sorted(now) == sorted(written)
    assert len(now) > 50  # 24 solvers, and most leave something out


@pytest.mark.parametrize(
    ("question", "name", "default"), EACH, ids=[f"{question} {name}" for question, name, _ in EACH]
)
def test_giving_the_default_is_leaving_it_out(question, name, default):
    solver, _, method = question.partition(".")
    ask = getattr(getattr(solvers, solver)(), method)
    required = [
        argument.name
        for argument in inspect.signature(ask).parameters.values()
        if argument.default is NOTHING
    ]
    given = {argument: VALID[argument] for argument in {*required, *TOGETHER.get(solver, ())}}
    given = {key: value for key, value in given.items() if key != name}
    given |= {k: v for k, v in BESIDE.get((solver, name), {}).items() if v is not None}
    assert ask(**given, **{name: default}) == ask(**given)


def test_a_budget_trains_at_two_fifths_of_the_peak_unless_told():
    # 6 x 8e9 x 15e12 FLOP on 256 devices of 989.4 TFLOP/s, of which 0.4 is used: 82 days
    fleet = Systems.Clusters.Research_256
    found = ScalingModel().budget(8e9, 15e12, fleet=fleet)
    assert found.compute.m_as("FLOP") == pytest.approx(7.2e23)
    by_hand = 7.2e23 / (256 * 989.4e12 * 0.4)
    assert found.training_time.m_as("s") == pytest.approx(by_hand)
    assert found.training_time.magnitude == pytest.approx(82.25, abs=0.01)  # shown in days
    assert ScalingModel().solve(7.2e23 * Q_("FLOP"), parameters=8e9, fleet=fleet).training_time == (
        found.training_time
    )


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
    sys.stdout.write(f"{TABLE}\n")
