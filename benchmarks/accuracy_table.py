"""The README's table of accuracy, from the measurements that ship.

python -m benchmarks.accuracy_table     # writes it anew
"""

from __future__ import annotations

import re
from pathlib import Path

from mlsysim.evaluation.validate import CALIBRATED, LEVELS, judged, read, scores
from mlsysim.evaluation.validate.left_out import known

README = Path(__file__).parent.parent / "README.md"
_PLACE = re.compile(r"(?s)(?<=<!-- accuracy -->\n).*?(?=<!-- end -->)")
_LEFT = "without its table"


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


def fresh(text: str) -> str:
    """A README with the table as it is now."""
    return _PLACE.sub(lambda _: table(), text)


if __name__ == "__main__":
    README.write_text(fresh(README.read_text(encoding="utf-8")), encoding="utf-8")
