"""The cheat sheet: one page, every number the solver's, each with the kind of its source."""

from __future__ import annotations

import re

import pytest

from mlsysim import Engine, Hardware, Models, pages
from mlsysim.cli import main
from mlsysim.course import cheatsheet
from mlsysim.course.cheatsheet import MARKS, facts, pretty, short
from mlsysim.walls import WALLS
from tests.browser.conftest import chromium


def number(text):
    return float(text.replace(",", ""))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (989.4, "989"),
        (2250, "2,250"),
        (0.30048, "0.3"),
        (4.8, "4.8"),
        (15600, "15,600"),
        (295.34, "295"),
        (0.0, "0"),
        (131.072, "131"),
        (99.96, "100"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert short(value) == text


def test_every_ridge_is_where_the_solver_turns_from_memory_to_compute():
    """A decode step of B users does 2P B operations over 2P bytes: B operations a byte."""
    for row in cheatsheet.chips():
        chip = Hardware.Cloud[row.name.replace(" ", "_")]
        peak, rate = chip.peak().m_as("FLOP/s"), chip.memory.bandwidth.m_as("B/s")
        assert number(row.ridge) == pytest.approx(peak / rate, rel=0.006)
        assert number(row.batch) == pytest.approx(0.5 * peak / rate, rel=0.006)
        assert number(row.peak.text) == pytest.approx(peak / 1e12, rel=0.006)
        assert number(row.bandwidth.text) == pytest.approx(rate / 1e12, rel=0.006)
    (h100,) = (row for row in cheatsheet.chips() if row.name == "H100")
    turn = number(h100.batch)  # 0.5 x 989.4 / 3.35 = 147.7
    assert turn == 148
    ask = Models.Language.Llama3_8B, Hardware.H100
    sides = [Engine.solve(*ask, batch_size=b, seq_len=1).bottleneck for b in (turn - 4, turn + 4)]
    assert sides == ["Memory", "Compute"]


def test_every_cache_is_what_one_more_token_adds_to_the_solvers():
    rows = {row.name: row for row in cheatsheet.models()}
    known = {stem.replace("_", " "): Models.Language[stem] for stem in Models.Language}
    assert {"Llama3 8B", "Llama2 7B", "GPT3 175B", "Qwen3 8B"} <= rows.keys() <= known.keys()
    assert "OPT 175B" not in rows  # one page has room for the models of today
    for name, row in rows.items():
        held = [
            Engine.solve(known[name], Hardware.H100, seq_len=tokens).kv_cache.m_as("kB")
            for tokens in (1, 2)
        ]
        assert number(row.cache.text) == pytest.approx(held[1] - held[0], rel=0.006)
    # Llama 3 8B by hand: 2 x 32 layers x 8 heads x 128 x 2 bytes
    assert rows["Llama3 8B"].cache.text == short(2 * 32 * 8 * 128 * 2 / 1e3) == "131"


def test_every_number_says_how_it_is_known():
    held = facts()
    for row in (*held["chips"], *held["models"]):
        for part in row:
            if isinstance(part, cheatsheet.Figure) and part.text:
                assert part.mark in held["marks"].values()
    assert len(set(MARKS.values())) == len(MARKS)
    chip = Hardware.Cloud.H100
    (row,) = (each for each in held["chips"] if each.name == "H100")
    assert row.price.text == short(chip.unit_cost.m_as("USD") / 1e3)
    assert row.memory.mark == MARKS[chip.source_of("memory.capacity").kind]


def test_all_walls_stand_in_one_line_each():
    page = pages.render("cheatsheet.html", **facts())
    rows = re.findall(r"<tr><td><b>(\d+)</b> ([^<]*)</td><td>([^<]*)</td>", page)
    assert [(int(n), name) for n, name, _ in rows] == [(w.number, w.name) for w in WALLS]
    assert not re.search(r"https?://|src=|@import|url\(", page)


def test_a_formula_is_printed_with_its_signs():
    assert pretty("T = OPs / (peak * eta)") == "T = OPs / (peak · η)"
    assert pretty("sigma = sqrt(2 ln(1.25 / delta)) / epsilon") == "σ = √(2 ln(1.25 / δ)) / ε"
    assert pretty("beta_x >= betas") == "beta_x ≥ betas"


def test_the_command_writes_a_page_that_opens_anywhere(tmp_path, capsys):
    out = tmp_path / "sheet.html"
    assert main(["cheatsheet", "--out", str(out)]) == 0
    assert "22" in out.read_text(encoding="utf-8")
    assert "one A4 page" in capsys.readouterr().out


def test_without_a_chromium_a_pdf_is_refused_with_what_would_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CHROMIUM", "")
    assert main(["cheatsheet", "--out", str(tmp_path / "sheet.pdf")]) == 2
    assert "ends in .html" in capsys.readouterr().err


@pytest.mark.browser
def test_it_is_one_page_of_a4(tmp_path):
    if chromium() is None:
        pytest.skip("no Chromium here: install Debian's package `chromium`")
    out = tmp_path / "sheet.pdf"
    assert main(["cheatsheet", "--out", str(out)]) == 0
    printed = out.read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    (box,) = set(re.findall(rb"/MediaBox\s*\[([^\]]*)\]", printed))
    width, height = (float(end) for end in box.split()[2:])
    assert (width, height) == (pytest.approx(595, abs=1.5), pytest.approx(842, abs=1.5))
