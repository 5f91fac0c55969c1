"""Measurements as they were published: one row each, read from a table of text."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from mlsysim.core.errors import InvalidEntry, MLSysError
from mlsysim.core.registry import parse_yaml
from mlsysim.core.units import PRECISIONS, read_number
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.registry import Models
from mlsysim.models.types import Workload

_DATA = files("mlsysim.literature") / "data"
SHIPPED = _DATA / "measured.csv"
OWN = _DATA / "own_measured.csv"  # by benchmarks/measure_gpu.py
AS_MUCH = float("inf")  # a batch of "inf": as much load as fits


class Row(NamedTuple):
    """One measurement, as text; `number` gives what is written as one."""

    id: str
    domain: str
    model: str
    hardware: str
    n_devices: str
    precision: str
    batch: str
    seq_in: str
    seq_out: str
    parallelism: str
    metric: str
    value: str
    unit: str
    source_url: str
    source_table: str
    note: str
    kv_precision: str = ""
    stack: str = ""
    attention_dp: str = ""
    ep: str = ""

    @property
    def measured(self) -> float:
        """The value."""
        return float(read_number(self.value, "value"))

    def number(self, name: str, default: float | None = None) -> float:
        """The number that a column starts with ("128 per GPU"); raises where there is none."""
        text = getattr(self, name).strip()
        if name == "batch" and text == "inf":
            return AS_MUCH
        found = re.match(r"\d+(?:\.\d+)?(?:[eE]\d+)?", text)
        if found:
            return float(found[0]) * (1e6 if text[found.end() :].startswith("M ") else 1.0)
        if default is None:
            raise Unpredictable(f"{name} is {text!r}: no number")
        return default

    @property
    def divided(self) -> dict[str, str]:
        """The parallelism by key: `tp=8;pp=2;zero1` is {"tp": "8", "pp": "2", "zero": "1"}."""
        parts = (part.strip() for part in self.parallelism.split(";"))
        held = (re.fullmatch(r"([a-zA-Z_]+)=?(.*)", part) for part in parts)
        return {found[1].lower(): found[2] for found in held if found}

    def ways(self, name: str) -> int:
        """Devices along one way of dividing; 1 where it is not told or not used."""
        text = self.divided.get(name, "1")
        return int(text) if text.isdigit() else 1

    def noted(self, name: str) -> float | None:
        """A number in the note, as in `gpu_hours=809472`, with k, M, B or T after it."""
        number, size = r"([\d.]+(?:e\d+)?)", "(?:([kMBT])(?![A-Za-z]))?"
        found = re.search(rf"\b{re.escape(name)}={number}{size}", self.note)
        if found is None:
            return None
        return float(found[1]) * {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(found[2], 1.0)


class Unpredictable(MLSysError):
    """A row that has no prediction; the message says why."""


_NEEDED = Row._fields[: Row._fields.index("kv_precision")]


def read(path: Any = SHIPPED) -> list[Row]:
    """The rows of a table; raises InvalidEntry for one without the columns, or without a value."""
    name = Path(str(path)).name
    try:
        text = (path if hasattr(path, "read_text") else Path(path)).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidEntry(name, "", f"it cannot be read ({error})") from None
    table = csv.DictReader(text.splitlines())
    for column in _NEEDED:
        if column not in (table.fieldnames or ()):
            raise InvalidEntry(name, column, f"the column is missing; give {', '.join(_NEEDED)}")
    rows = []
    for line in table:
        row = Row(**{key: line[key] or "" for key in Row._fields if key in line})
        try:
            positive = row.measured > 0
        except MLSysError:
            positive = False
        if not positive:
            raise InvalidEntry(name, row.id, f"value is {row.value!r}; give a number above zero")
        rows.append(row)
    return rows


# ---- what the names mean -------------------------------------------------------------------------

_WORDS = {
    "f16": "fp16",
    "int8w": "int8",
    "int4w": "int4",
    "int4-spinquant": "int4",
    "fp8-cs": "fp8",
    "fp8-mx": "fp8",
    "mxfp8": "fp8",
    "nvfp4": "fp4",
}
# Bits a weight of llama.cpp's formats: ggml-org/llama.cpp, tools/quantize/README.md.
_BITS = {"q4_0": 4.5, "q4_k_m": 4.89}


def precision_of(text: str) -> tuple[str, float | None]:
    """A precision of the vocabulary, and the bytes a weight where a format has its own."""
    word = text.strip().lower()
    if found := re.fullmatch(r"([\d.]+)bpw", word):
        return "int4", float(found[1]) / 8
    if word in _BITS:
        return "int4", _BITS[word] / 8
    word = _WORDS.get(word, word)
    if word not in PRECISIONS:
        raise Unpredictable(f"precision {text!r} is not known")
    return word, None


@cache
def names() -> dict[str, dict[str, str]]:
    """What published tables call models, devices and software, and what these are here."""
    return parse_yaml((_DATA / "names.yaml").read_text(encoding="utf-8"), "names.yaml")


def model_of(row: Row) -> Workload:
    """The registry's model of a row."""
    return _entry(row.model, "models", Workload, Models)


def device_of(row: Row) -> HardwareNode:
    """The registry's device of a row."""
    return _entry(row.hardware, "hardware", HardwareNode, Hardware)


def _entry(name: str, kind: str, entry: Any, catalog: Any) -> Any:
    try:
        return entry.asked(names()[kind].get(name, name), kind)
    except MLSysError:
        raise Unpredictable(f"{name!r} is in no {catalog._title} registry") from None
