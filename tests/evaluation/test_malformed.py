"""A thousand systems that nobody should hand in: each gets a sentence, or an answer that is one."""

from __future__ import annotations

import copy
import math
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import mlsysim
from mlsysim.core.errors import MLSysError
from mlsysim.evaluation import SystemSpec, judge

SCENARIOS = sorted((Path(mlsysim.__file__).parent / "evaluation/scenarios/data").rglob("*.yaml"))
WORDS = [
    "\x00",
    "٣",
    "1e400",
    "3,35 TB/s",
    "-1 s",
    "0 GB",
    "nan",
    "inf s",
    "5 kg",
    "= 1 + 1",
    "H1OO",
    "½",
]
BAD: list[Any] = [
    None, True, [], {}, "", " ", -1, 0, 0.5, 1e-300, 1e308, math.nan, math.inf, 10**30, *WORDS,
    [1, 2], ["ttft < 1 ms"] * 3, {"name": "x"}, [[]], {"": ""},
]  # fmt: skip


@cache
def text(path: Path) -> Any:
    """A scenario as plain data."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values below a mapping or a list."""
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    return [
        path
        for key, value in inner
        for path in (
            [(*at, key), *(places(value, (*at, key)) if isinstance(value, (dict, list)) else [])]
        )
    ]


def spoiled(chance: random.Random) -> Any:
    """A system with one to three things wrong."""
    system = copy.deepcopy(text(chance.choice(SCENARIOS)))
    for _ in range(chance.choice([1, 1, 2, 3])):
        paths = [path for path in places(system) if path[0] not in ("name", "question", "sources")]
        *into, key = chance.choice(paths)
        node = system
        for step in into:
            node = node[step]
        change = chance.choice(["value", "value", "value", "gone", "renamed", "moved"])
        if change == "value" or isinstance(node, list):
            node[key] = chance.choice(BAD)
        elif change == "gone":
            del node[key]
        elif change == "renamed":
            node[key[:-1] if len(key) > 1 else "x"] = node.pop(key)
        else:
            system[chance.choice(["workload", "fleet", "environment", key])] = node.pop(key)
    return system


def sane(value: Any) -> bool:
    """Whether a metric is a number that a machine can have."""
    number = value.magnitude if hasattr(value, "magnitude") else value
    return not isinstance(number, float) or (math.isfinite(number) and number >= 0)


@pytest.mark.parametrize(
    "seeds", [range(120), pytest.param(range(120, 1000), marks=pytest.mark.slow)], ids=len
)
def test_a_spoiled_system_gets_a_sentence_or_an_answer_without_nonsense(seeds):
    refused = 0
    for seed in seeds:
        system = spoiled(random.Random(seed))
        try:
            found = judge(SystemSpec.from_spec(system))
        except MLSysError as error:
            refused += 1
            said = str(error)
            assert 10 < len(said) < 2500, (seed, said)  # every fault of it in one sentence each
            assert "\x00" not in said, (seed, said)
            continue
        assert found.verdict in {"feasible", "satisfied", "violated", "infeasible"}, seed
        strange = {name: value for name, value in found.metrics.items() if not sane(value)}
        assert not strange, (seed, system, strange)
    assert refused > len(seeds) / 3  # most of what is done to them is no system
