"""Errors: one tree, one sentence each, with the parts that a program needs."""

from __future__ import annotations

import pickle

import pytest

from mlsysim import Engine, Hardware
from mlsysim.core import errors
from mlsysim.core.errors import (
    BadArgument,
    FailedPoint,
    InvalidEntry,
    MissingValue,
    MLSysError,
    NoDatapath,
    OutOfRange,
    UnknownArgument,
    UnknownEntry,
    UnknownField,
    UnknownName,
    WrongUnit,
    did_you_mean,
    shown,
)
from mlsysim.evaluation.spec import SystemSpec

EXAMPLES = [
    BadArgument("phase", "training", "leave it out"),
    WrongUnit("bandwidth", 400, "it is not a quantity in B/s, such as '3.35 TB/s'"),
    OutOfRange("batch_size", -1, "give a whole number of at least 1"),
    UnknownName("precision", "fp61", ["fp16", "fp32"]),
    UnknownName("topology", "moebius", ["ring", "fat_tree"]),
    UnknownArgument("SingleNodeModel.solve", "batchsize", ["batch_size", "model"]),
    UnknownField("Profile", "latancy", ["latency"]),
    UnknownEntry("Hardware.Cloud", "H10O", ["H100", "A100"]),
    InvalidEntry("H100.yaml", "memory.bandwidth", "'3 TB' will not do"),
    InvalidEntry("H100.yaml", "", "it should hold a mapping"),
    MissingValue("Gaudi3", "unit_cost", "give unit_cost to ask for money"),
    NoDatapath("Coral", "fp16", ["int8"]),
    FailedPoint({"batch_size": 8, "precision": "fp16"}, ValueError("boom")),
]
each = pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)


@each
def test_every_error_is_one_sentence(error):
    sentence = str(error)
    assert sentence.endswith((".", "?"))
    assert not sentence.endswith((".?", "?.", ".."))
    assert "\n" not in sentence


@each
def test_one_except_catches_them_all(error):
    assert isinstance(error, MLSysError)


def test_the_tree_in_the_docstring_is_the_tree_in_the_code():
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    kinds = {kind.__name__ for kind in classes if issubclass(kind, MLSysError)}
    drawn = {word for word in errors.__doc__.replace("─", " ").split() if word.isidentifier()}
    assert kinds <= drawn
    assert {type(error).__name__ for error in EXAMPLES} == kinds - {"MLSysError"}


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (BadArgument, ValueError),
        (UnknownArgument, TypeError),
        (UnknownEntry, AttributeError),
        (InvalidEntry, ValueError),
        (MissingValue, ValueError),
        (NoDatapath, ValueError),
        (FailedPoint, RuntimeError),
    ],
)
def test_each_is_also_the_builtin_that_a_stranger_would_catch(kind, builtin):
    assert issubclass(kind, builtin)


def test_errors_keep_their_parts_for_programs():
    unknown = UnknownEntry("Hardware.Cloud", "H10O", ["H100", "A100"])
    assert (unknown.shelf, unknown.entry) == ("Hardware.Cloud", "H10O")
    assert unknown.known == ["A100", "H100"]
    bad = OutOfRange("batch_size", -1, "give more")
    assert (bad.argument, bad.given, bad.remedy) == ("batch_size", -1, "give more")
    missing = MissingValue("Gaudi3", "unit_cost", "give it")
    assert (missing.entry, missing.field) == ("Gaudi3", "unit_cost")


@pytest.mark.parametrize(
    ("given", "known", "hint"),
    [
        ("H10O", ["A100", "H100"], "did you mean 'H100'?"),
        ("h100", ["A100", "H100"], "did you mean 'H100'?"),
        ("fat-tree", ["fat_tree", "ring"], "did you mean 'fat_tree'?"),
        ("zzz", ["a", "b"], "known are a, b"),
        (3, ["fp16"], "known are fp16"),
        ("x", [], "there are none yet"),
        ("Fat Tree", ["fat_tree"], "did you mean 'fat_tree'?"),
        ("7zz", [f"n{i}" for i in range(40)], f"known are {', '.join(f'n{i}' for i in range(40))}"),
        # of more the nearest come first, and then in their order
        (
            "7xx",
            [f"n{i}" for i in range(41)],
            "known are n7, n17, n27, n37, "
            + ", ".join(f"n{i}" for i in range(40) if i % 10 != 7)
            + ", ...",
        ),
    ],
)
def test_a_near_miss_is_told_the_nearest_name_and_a_far_one_the_list(given, known, hint):
    assert did_you_mean(given, known) == hint


def test_a_long_value_is_shortened_in_a_sentence():
    assert shown("x" * 1000) == "'" + "x" * 56 + "..."
    assert shown("x" * 59) == "'" + "x" * 56 + "..."
    assert shown("x" * 58) == f"'{'x' * 58}'"  # of 60 characters
    assert shown(["a", "b\n c"]) == r"['a', 'b\n c']"
    assert shown("fp16") == "'fp16'"
    assert shown(3) == "3"


@pytest.mark.parametrize(
    "ask",
    [
        lambda long: Hardware[long],
        lambda long: getattr(Hardware.Cloud, long),
        lambda long: Engine.solve("Llama3_8B", "H100", **{long: 1}),
        lambda long: getattr(Engine.solve("Llama3_8B", "H100"), long),
        lambda long: Engine.solve(long, "H100"),
        lambda long: SystemSpec.from_spec({"workload": {long: 1}, "fleet": {"hardware": "H100"}}),
        lambda long: Hardware.from_spec({"name": "x", long: 1}),
    ],
)
def test_a_name_of_400_letters_is_not_echoed_whole(ask):
    long = "xyz_" * 100
    with pytest.raises(MLSysError) as caught:
        ask(long)
    said = str(caught.value)
    assert "xyz_xyz_" in said
    assert long[:100] not in said


@each
def test_errors_cross_process_borders(error):
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is type(error)
    assert str(copied) == str(error)
