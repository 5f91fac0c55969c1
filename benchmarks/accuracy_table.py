"""The README's tables of accuracy, from the measurements that ship.

python -m benchmarks.accuracy_table     # writes it anew
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mlsysim.evaluation.validate import CALIBRATED, LEVELS, judged, operators, read, scores
from mlsysim.evaluation.validate.left_out import known
from mlsysim.evaluation.validate.rows import OWN
from mlsysim.stacks.silicon import shipped

README = Path(__file__).parent.parent / "README.md"
_LEFT = "without its table"
_NAMES = {"gemm": "matrix products", "attn_prefill": "attention of prompts"}
_NAMES |= {"attn_decode": "attention to a cache"}


def table() -> str:
    """Median errors, and shares within a factor of 1.5, with what was left out first.

    A domain without a fitted constant has nothing that could be left out.
    """
    rows = read()
    fitted = {"all", *(row.domain for row in rows if row.id in known())}
    found = {name: scores(of) for name, of in judged(rows).items()}
    columns = (_LEFT, CALIBRATED, *(name for name in LEVELS if name != CALIBRATED))
    lines = [f"| rows | n | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    for of in zip(*(found[name] for name in columns), strict=True):
        cells = [f"{s.error:.0%}, {s.within[0]:.0%}" if s.error < 1e9 else "-" for s in of]
        cells[0] = cells[0] if of[0].name in fitted else "-"
        lines.append(f"| {of[0].name} | {of[0].rows} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def own() -> str:
    """The same of what benchmarks/measure_gpu.py measured: operators, and whole steps."""
    lines = ["| rows | n | error, within 1.5x |", "|---|---|---|"]

    def add(name: str, ratio: np.ndarray) -> None:
        near = np.mean(np.abs(np.log(ratio)) < np.log(1.5))
        cells = f"{np.median(np.abs(ratio - 1)):.0%}, {near:.0%}"
        lines.append(f"| {name} | {len(ratio)} | {cells} |")

    for kind, rows in operators.read(OWN.parent / "own_operators.csv").items():
        said = operators.predicted(kind, rows, shipped().at(rows.groups)) / rows.seconds
        for of in dict.fromkeys(rows.text["dtype"]):
            add(f"{_NAMES[kind]}, {of}", said[rows.text["dtype"] == of])
    steps = [row for row in read(OWN) if row.id in known()]
    for domain in dict.fromkeys(row.domain for row in steps):
        some = [row for row in steps if row.domain == domain]
        add(domain, np.array([float(known()[r.id]["device"]) / r.measured for r in some]))
    return "\n".join(lines) + "\n"


def fresh(text: str) -> str:
    """A README with the tables as they are now."""
    for name, made in (("accuracy", table), ("own", own)):
        place = rf"(?s)(?<=<!-- {name} -->\n).*?(?=<!-- end -->)"
        text = re.sub(place, lambda _, made=made: made(), text)
    return text


if __name__ == "__main__":
    README.write_text(fresh(README.read_text(encoding="utf-8")), encoding="utf-8")
