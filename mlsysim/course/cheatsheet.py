"""What the cheat sheet shows: walls, chips and models, each number with its source's kind."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from mlsysim import __version__
from mlsysim.core.registry import registry_hash
from mlsysim.core.values import Entry
from mlsysim.course.lessons import lessons
from mlsysim.equations import node
from mlsysim.hardware.registry import Hardware
from mlsysim.models.registry import Models
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.walls import WALLS

ETA = 0.5
MARKS = {
    "datasheet": "d",
    "specification": "s",
    "documentation": "o",
    "paper": "p",
    "repository": "r",
    "measurement": "m",
    "article": "a",
    "estimate": "e",
    "derived": "c",
    "user": "u",
}


_SIGNS = {
    **{rf"\b{name}\b": chr(code) for name, code in {
        "alpha": 0x3B1, "delta": 0x3B4, "epsilon": 0x3B5, "eta": 0x3B7, "lambda": 0x3BB,
        "mu": 0x3BC, "rho": 0x3C1, "sigma": 0x3C3, "tau": 0x3C4, "beta": 0x3B2, "sum": 0x2211,
    }.items()},
    r" \* ": " · ", r"\bsqrt\b": "√", r">=": "≥", r"\bCO2\b": "CO₂",
}  # fmt: skip


class Figure(NamedTuple):
    """A number as it is printed, and the letter of its source's kind; both '' where unknown."""

    text: str
    mark: str = ""


class Chip(NamedTuple):
    """A device: its peak, bandwidth, memory and price, and the ridges that follow from them."""

    name: str
    peak: Figure
    bandwidth: Figure
    memory: Figure
    ridge: str
    batch: str
    price: Figure


# boards and exports of a chip that has a row, and chips of which there are younger ones
VARIANTS = {"A10G", "A100_40GB", "A100_PCIe", "CS2", "EPYC_9654", "GH200"}
VARIANTS |= {"H100_NVL", "H100_PCIe", "H800", "Inferentia2"}
TODAY = 2024  # younger models than that, one page has room for
CLASSICS = ("GPT3_175B", "Llama2_7B", "Llama2_70B", "Mistral_7B", "Mixtral_8x7B")


class Model(NamedTuple):
    """A language model: its parameters, and what it keeps for each token in 16 bit."""

    name: str
    parameters: Figure
    cache: Figure


def chips() -> list[Chip]:
    """The devices of the cloud shelf, one of each kind."""
    rows = []
    for stem in sorted({*Hardware.Cloud} - VARIANTS):
        chip = Hardware.Cloud[stem]
        peak, rate = chip.peak().m_as("FLOP/s"), chip.memory.bandwidth.m_as("B/s")
        ridge = node.ridge_point(peak, rate)
        price = chip.unit_cost
        rows.append(
            Chip(
                stem.replace("_", " "),
                _figure(peak / 1e12, chip, "compute.peak_flops"),
                _figure(rate / 1e12, chip, "memory.bandwidth"),
                _figure(chip.memory.capacity.m_as("GB"), chip, "memory.capacity"),
                short(ridge),
                short(ridge * ETA),
                Figure("") if price is None else _figure(price.m_as("kUSD"), chip, "unit_cost"),
            )
        )
    return rows


def models() -> list[Model]:
    """The language models of today that write token by token, and those that others are held to."""
    rows = []
    for stem in Models.Language:
        model = Models.Language[stem]
        today = (model.release_year or 0) >= TODAY or stem in CLASSICS
        if today and isinstance(model, TransformerWorkload) and "decode" in model.phases:
            # what one token more takes: a state that does not grow is none of it
            held = (model.kv_cache(2) - model.kv_cache(1)).m_as("kB")
            parameters = model.counted_parameters()
            rows.append(
                Model(
                    stem.replace("_", " "),
                    _figure(parameters / 1e9, model, "parameters"),
                    _figure(held, model, "layers"),
                )
            )
    return sorted(rows, key=lambda row: row.name.casefold())


def pretty(formula: str) -> str:
    """A wall's formula with the signs that print has."""
    for word, sign in _SIGNS.items():
        formula = re.sub(word, sign, formula)
    return formula


def facts() -> dict[str, Any]:
    """What the page shows."""
    devices, written = chips(), models()
    figures = [part for row in (*devices, *written) for part in row if isinstance(part, Figure)]
    used = {figure.mark for figure in figures}
    return {
        "walls": [wall._replace(formula=pretty(wall.formula)) for wall in WALLS],
        "chips": devices,
        "models": written,
        "eta": ETA,
        "marks": {kind: mark for kind, mark in MARKS.items() if mark in used},
        "takeaways": [(each.number, each.takeaway) for each in lessons() if each.takeaway],
        "version": __version__,
        "registry": registry_hash(),
    }


def short(number: float) -> str:
    """A number with three digits, as a table has it."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(number))))
    rounded = round(number, 2 - math.floor(math.log10(abs(number))))
    text = f"{rounded:,.{min(digits, 3)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _figure(number: float, entry: Entry, path: str) -> Figure:
    source = entry.source_of(path)
    return Figure(short(number), MARKS[source.kind] if source else "")
