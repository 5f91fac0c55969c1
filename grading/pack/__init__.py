"""The instructor's pack: pages of Markdown, written from the facts of the course as they are.

Weeks, timetables and objectives follow lessons, paths and predictions; the two designs of the
rubric are evaluated, one found by the search and one the scenario that is to be mended.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from mlsysim import Scenarios, __version__
from mlsysim.core.errors import InvalidEntry
from mlsysim.core.registry import load, registry_hash
from mlsysim.course.lessons import Prediction, lessons
from mlsysim.course.paths import find_path, plan
from mlsysim.evaluation.plan import plan as search
from mlsysim.evaluation.verdict import SATISFIED, judge

_HERE = Path(__file__).parent
CHALLENGE = "Capstone"
_SEARCHED = {
    "fleet.hardware": ["H100", "H200", "B200", "MI300X"],
    "workload.precision": ["fp8"],
    "fleet.tensor_parallel": [2, 4, 8],
}


class Objective(NamedTuple):
    """What a prediction is for: its verb, the level of it (Bloom's), and the rest."""

    prediction: str
    verb: str
    level: str
    rest: str


def _facts() -> dict[str, Any]:
    return load(_HERE / "pack.yaml", lambda facts: facts)


def objectives() -> dict[str, list[Objective]]:
    """The objectives of every lesson by its stem, in the order of its predictions.

    Raises InvalidEntry for one of no prediction, and for a verb without a level.
    """
    facts = _facts()
    levels = {verb: level for level, verbs in facts["verbs"].items() for verb in verbs}
    written: dict[str, str] = dict(facts["objectives"])
    found: dict[str, list[Objective]] = {}
    for each in lessons():
        for name in each.questions:
            asked = each.predictions[name]
            text = written.pop(name, "") or f"{facts['by_kind'][_kind(asked)]} what it asks"
            verb, _, rest = text.partition(" ")
            if verb not in levels:
                raise InvalidEntry("pack", name, f"{verb} has no level; use one of {list(levels)}")
            found.setdefault(each.stem, []).append(Objective(name, verb, levels[verb], rest))
    if written:
        raise InvalidEntry("pack", min(written), "no lesson asks it")
    return found


def _kind(asked: Prediction) -> str:
    kinds = {"options": asked.options, "order": asked.order, "sentence": asked.sentence}
    return next((kind for kind, held in kinds.items() if held), "number")


def samples() -> dict[str, Any]:
    """What the rubric shows: an excellent design, an insufficient one, and one that lost.

    The excellent one is the cheapest that the fleet search finds on four devices in fp8; `falls` is
    the efficiency, of which it takes half, at which it keeps its promises no longer.
    """
    given = Scenarios[CHALLENGE]
    found = search(given, _SEARCHED).found
    best, poor = found[0], judge(given)
    device = best.change["fleet.hardware"]
    falls = next(
        percent / 100
        for percent in range(49, 0, -1)
        if judge(given.changed({**best.change, "workload.efficiency": percent / 100})).verdict
        != SATISFIED
    )
    return {
        "challenge": given,
        "excellent": best.found,
        "insufficient": poor,
        "other": next(each for each in found if each.change["fleet.hardware"] != device),
        "margin": min(float(each["margin"]) for each in best.found.constraints),
        "falls": falls,
        "dearer": float(poor.metrics["tco"] / best.found.metrics["tco"]),
    }


def pages() -> dict[str, str]:
    """Every page of the pack by the name of its file."""
    held = {
        **_facts(),
        **samples(),
        "version": __version__,
        "registry": registry_hash(),
        "plan": plan(),
        "lessons": lessons(),
        "exercises": {each.stem for each in lessons() if each.assignment},
        "found": objectives(),
        "guest": find_path("conference"),
        "half": find_path("half-day"),
    }
    make = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "pages"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown of our own facts
    )
    names = sorted(path.name for path in (_HERE / "pages").glob("*.md"))
    return {name: make.get_template(name).render(held) for name in names}


def write(folder: Path) -> list[Path]:
    """Write the pack into a folder; returns its files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages().items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
