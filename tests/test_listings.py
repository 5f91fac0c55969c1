"""Every listing of the seeds runs as it was written."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

LISTINGS = sorted((Path(__file__).parent / "listings").glob("*.py"))
SILENT = {"07_dse_declare"}  # declares a search and runs none


def test_all_listings_are_here():
    assert len(LISTINGS) == 28


@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: path.stem)
def test_a_listing_runs_as_written(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    said = capsys.readouterr()
    assert bool(said.out.strip()) == (path.stem not in SILENT)
    assert said.err == ""
    assert "nan" not in said.out.lower().split()
