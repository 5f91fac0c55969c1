"""Does a test notice a mistyped number? Changes of the registry's files, one at a time.

    python -m benchmarks.registry_changes --n 50 --seed 9

The values are those of entries that lessons, scenarios, defaults or the README name, and of the
parts that these name. A copy of the tracked files is changed: one digit is another, the point
stands elsewhere, or the value is doubled, as a sheet does that prints sparse rates or both
directions. A change is noticed when the entry no longer builds, or when one of the quick registry
tests that name the entry fails.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

import mlsysim
from mlsysim.core.errors import MLSysError

ROOT = Path(__file__).parent.parent
QUICK = (
    "tests/hardware", "tests/infrastructure", "tests/literature", "tests/models/test_registry.py",
    "tests/test_second_documents.py",
)  # fmt: skip
WHO_USES = ("tutorials", "solutions", "mlsysim/course", "mlsysim/evaluation/scenarios",
            "mlsysim/solvers", "grading/checks", "README.md")  # fmt: skip
REGISTRIES = ("hardware", "systems", "infrastructure", "models")
WORDS = ("name", "vendor", "technology", "kind", "peak_precision", "note", "topology")
LINE = re.compile(r"^( *)(\w+): +([0-9][0-9.]*)((?: .*)?)$")


def used() -> list[Path]:
    """The files of all entries that somebody names, and of those that such an entry names."""
    files = [
        path for name in REGISTRIES for path in (ROOT / "mlsysim" / name / "data").rglob("*.yaml")
    ]
    texts = [
        path.read_text(encoding="utf-8")
        for place in WHO_USES
        for path in ([ROOT / place] if place.endswith(".md") else sorted((ROOT / place).rglob("*")))
        if path.suffix in (".py", ".yaml", ".md")
    ]
    known = {path.stem: path for path in files}
    words = set(re.findall(r"\w+", "\n".join(texts)))
    todo, found = [stem for stem in known if stem in words], set[str]()
    while todo:
        stem = todo.pop()
        found.add(stem)
        body = known[stem].read_text(encoding="utf-8").split("sources:")[0]
        todo += [part for part in re.findall(r"\w+", body) if part in known and part not in found]
    return [known[stem] for stem in sorted(found)]


def values(path: Path) -> list[int]:
    """The lines of a file that hold a number which is the entry's, not a source's."""
    lines = path.read_text(encoding="utf-8").split("\nsources:")[0].splitlines()
    return [n for n, line in enumerate(lines) if (at := LINE.match(line)) and at[2] not in WORDS]


def changed(line: str, dice: random.Random) -> str:
    """The same line with a number that somebody mistyped."""
    indent, key, number, rest = LINE.match(line).groups()  # pyright: ignore[reportOptionalMemberAccess]
    kind = dice.choice(("digit", "digit", "point", "double"))
    if kind == "double":
        new = f"{2 * float(number):g}"
    elif kind == "point":
        new = f"{dice.choice((10, 0.1)) * float(number):g}"
    else:
        places = [n for n, sign in enumerate(number) if sign.isdigit()][:2]  # what matters
        at = dice.choice(places)
        other = dice.choice([d for d in "123456789" if d != number[at]])
        new = number[:at] + other + number[at + 1 :]
    return f"{indent}{key}: {new}{rest}"


def builds(path: Path, text: str) -> bool:
    """Whether the changed file is still an entry of its registry."""
    _, registry, _, shelf, _ = path.relative_to(ROOT).parts
    catalog: Any = getattr(mlsysim, registry.capitalize())
    try:
        getattr(catalog, shelf.capitalize()).from_spec({**yaml.safe_load(text), "name": "changed"})
    except MLSysError:
        return False
    return True


def failures(work: Path) -> str:
    """The names of the quick tests that fail in the changed copy."""
    run = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*run, *QUICK], cwd=work, capture_output=True, check=False, text=True
    ).stdout
    if "passed" not in done:
        raise SystemExit(f"the tests did not run:\n{done[-2000:]}")
    return "\n".join(line for line in done.splitlines() if line.startswith(("FAILED", "ERROR")))


def tracked(work: Path) -> None:
    """Copy what the tests need of the tracked files."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    for name in filter(None, names.split("\0")):
        if name.startswith(("mlsysim/", "tests/", "grading/", "pyproject")):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, work / name)


def rounds(drawn: list[tuple[Path, int]]) -> list[list[tuple[Path, int]]]:
    """The same changes in groups that hold one of an entry at most, so that names tell them."""
    groups: list[list[tuple[Path, int]]] = []
    for place in drawn:
        for group in groups:
            if place[0] not in [path for path, _ in group]:
                group.append(place)
                break
        else:
            groups.append([place])
    return groups


def main() -> None:
    """Draw, change, ask, and say what nobody noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=50)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--only", choices=REGISTRIES, nargs="*", default=REGISTRIES)
    asked = parser.parse_args()
    dice = random.Random(asked.seed)
    files = [path for path in used() if path.relative_to(ROOT).parts[1] in asked.only]
    places = [(path, line) for path in files for line in values(path)]
    drawn, seen = dice.sample(places, min(asked.n, len(places))), 0
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "copy"
        tracked(work)
        for group in rounds(drawn):
            said: dict[Path, str] = {}
            refused: set[Path] = set()
            for path, number in group:
                lines = path.read_text(encoding="utf-8").split("\n")
                before, lines[number] = lines[number], changed(lines[number], dice)
                said[path] = f"{path.stem}: {before.strip()} -> {lines[number].strip()}"
                if builds(path, "\n".join(lines)):
                    (work / path.relative_to(ROOT)).write_text("\n".join(lines), encoding="utf-8")
                else:
                    refused.add(path)
            failed = failures(work)
            for path, change in said.items():
                shutil.copy(path, work / path.relative_to(ROOT))
                found = path in refused or re.search(rf"\b{path.stem}\b", failed)
                seen += bool(found)
                sys.stdout.write(f"{'noticed ' if found else 'SURVIVED'} {change}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{seen} of {len(drawn)} noticed, of {len(places)} values\n")


if __name__ == "__main__":
    main()
