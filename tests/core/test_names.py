"""The public names of a package: those of its stub, its modules, and nothing that is private."""

from __future__ import annotations

import sys

import pytest

from mlsysim.core.names import public

load, names = public("mlsysim")


def test_a_name_of_the_stub_is_the_thing_itself_under_its_alias_too():
    from mlsysim.core.search import DSE

    assert load("DSE") is DSE
    assert load("Infra") is load("Infrastructure")
    assert names == sorted(names)
    assert {"Infra", "Infrastructure", "DSE", "SingleNodeModel"} <= {*names}
    assert "solvers" not in names


def test_a_module_is_imported_when_it_is_named():
    assert load("core") is sys.modules["mlsysim.core"]


@pytest.mark.parametrize("name", ["__main__", "_nothing", "Flux"])  # of which the first is there
def test_what_is_private_or_not_there_is_no_name(name):
    with pytest.raises(AttributeError, match=f"^module 'mlsysim' has no attribute '{name}'$"):
        load(name)
