"""What is derived and never edited by hand: exercises, predictions' facts, stubs of registries.

An exercise is its solution without what stands below each `# answer:` mark. A tutorial that is run
with every prediction answered says what it asked and what the solver revealed: what was asked lies
beside the lesson's facts, for everybody; what is true lies here, with the grader. A registry's stub
names the entries that are shipped, so that type checkers and editors know each of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from mlsysim.core import registry
from mlsysim.core.errors import InvalidEntry

ROOT = Path(__file__).parent.parent
BLANKED = re.compile(r"[ \t]*# answer:.*")
_FACTS = ("mlsysim/course/predictions", "grading/truths")  # what is asked; what is true


def derive(solution: str) -> str:
    r"""An exercise's text: from each mark on, the lines up to the next blank one are left out.

    >>> print(derive("mine = None\n# answer: compute it\nmine = 42\n\nask(mine)"))
    mine = None
    # answer: compute it
    <BLANKLINE>
    ask(mine)
    """
    kept, stripping = [], False
    for line in solution.splitlines():
        if stripping and line.strip():
            continue
        stripping = bool(BLANKED.fullmatch(line))
        kept.append(line)
    return "\n".join(kept) + ("\n" if solution.endswith("\n") else "")


def predictions(tutorial: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a tutorial asks, and what it reveals to whoever answered, by the predictions' ids.

    Truths have six digits, which is more than any judgement needs, and alike on every machine.
    """
    from mlsysim.learn.rehearse import rehearse, run  # slow to load, and grading needs none

    with TemporaryDirectory() as folder:
        journal = rehearse(tutorial.stem, Path(folder), path=tutorial)
        ran = run(tutorial.stem, journal, path=tutorial)
        truths = sorted(journal.truths().items())
    if len({each.question for each in ran.asked}) < len({id(each) for each in ran.asked}):
        raise InvalidEntry(tutorial.name, "ask", "give each question a number of its own")
    asked = {name: fact for each in ran.asked for name, fact in each.facts.items()}
    rounded = {n: t if isinstance(t, str) else float(f"{t:.6g}") for n, t in truths}
    facts = {name: {k: v for k, v in asked[name].to_dict().items() if v} for name in sorted(asked)}
    return facts, rounded


def wanted(root: Path = ROOT) -> dict[Path, str]:
    """Every derived file below a folder, with the text that it should have."""
    files = {
        root / "exercises" / solution.name: derive(solution.read_text(encoding="utf-8"))
        for solution in sorted((root / "solutions").glob("*.py"))
    }
    for tutorial in sorted((root / "tutorials").glob("*.py")):
        head = f"# Derived from tutorials/{tutorial.name} by `python -m grading derive`.\n"
        for folder, part in zip(_FACTS, predictions(tutorial), strict=True):
            held = yaml.safe_dump(part, sort_keys=False, allow_unicode=True, width=1000)
            files[root / folder / f"{tutorial.stem}.yaml"] = head + held
    return files | stubs(root)


_MORE = {  # what else a registry's module offers
    "models": ("from collections.abc import Mapping", "", "KINDS: Mapping[str, type[Workload]]"),
    "stacks": (
        "",
        "def usual(\n    use: str, kind: str, vendor: str | None, family: str | None = None\n"
        ") -> Stack | None: ...",
    ),
    "scenarios": (
        "from mlsysim.evaluation import SystemSpec",
        "",
        "def find(system: str) -> SystemSpec: ...",
    ),
}


def stubs(root: Path = ROOT) -> dict[Path, str]:
    """The stub of each registry below a folder: its shelves, and each entry with its type."""
    files = {}
    for layer in registry.LAYERS:
        home = root / registry.home_of(layer).relative_to(ROOT)
        if shelves := _shelves(home, registry.catalog(layer)._kinds):
            files[home / "registry.pyi"] = _stub(layer, shelves)
    return files


def _shelves(home: Path, kinds: dict[str, Any]) -> dict[str, dict[str, type[Any]]]:
    """Each shelf of a layer, with its entries' names and types."""
    shelves: dict[str, dict[str, type[Any]]] = {}
    for path in sorted(home.glob("data/*/*.yaml")):
        shelf = registry.shelf_name(path.parent.name)
        kind = kinds.get(shelf) or kinds[""]
        if kind.kinds:
            kind = kind.kinds[registry.parse_yaml(path.read_text("utf-8"), path.name)["kind"]]
        shelves.setdefault(shelf, {})[path.stem] = kind
    return shelves


def _stub(layer: str, shelves: dict[str, dict[str, type[Any]]]) -> str:
    """The text of a stub; a catalog has every entry of its shelves, too."""
    kinds, title = registry.catalog(layer)._kinds, layer.capitalize()
    types = {*kinds.values(), *(kind for held in shelves.values() for kind in held.values())}
    lines = [
        "# Derived from the names of the YAML files by `python -m grading derive`.",
        "from typing import Any",
        "",
        "from mlsysim.core.registry import Catalog, Shelf",
        *sorted(f"from {t.__module__} import {t.__name__} as {t.__name__}" for t in types),
        *_MORE.get(layer, ()),
    ]
    for shelf, held in shelves.items():
        own = {*held.values()}
        of_all = (own.pop() if len(own) == 1 else kinds.get(shelf) or kinds[""]).__name__
        lines += [
            "",
            f"class _{shelf}:",
            *(f"    {stem}: {t.__name__}" for stem, t in held.items()),
        ]
        lines += ["", f"class _{shelf}Shelf(_{shelf}, Shelf[{of_all}]): ..."]
    whole = kinds[""].__name__ if "" in kinds else "Any"
    bases = ", ".join(f"_{shelf}" for shelf in shelves)
    lines += ["", f"class _{title}({bases}, Catalog[{whole}]):"]
    lines += [f"    {shelf}: _{shelf}Shelf" for shelf in shelves]
    return "\n".join([*lines, "", f"{title}: _{title}", ""])


def _changed(files: dict[Path, str]) -> list[Path]:
    return [p for p, text in files.items() if not p.exists() or p.read_text("utf-8") != text]


def stale(root: Path = ROOT) -> list[str]:
    """What is wrong with the derived files as they stand, in sentences that say the remedy."""
    files = wanted(root)
    unmarked = [
        solution
        for solution in sorted((root / "solutions").glob("*.py"))
        if not any(map(BLANKED.fullmatch, solution.read_text(encoding="utf-8").splitlines()))
    ]
    here = [path for f in ("exercises", *_FACTS) for path in sorted((root / f).glob("*.[py]*"))]
    faults = {
        "has no `# answer:` mark: its exercise would hold the answers": unmarked,
        "is not what its source gives: run `python -m grading derive`": _changed(files),
        "has no source: write one, or remove it": [path for path in here if path not in files],
    }
    return [
        f"{path.relative_to(root).as_posix()} {fault}"
        for fault, paths in faults.items()
        for path in paths
    ]


def write(root: Path = ROOT, derived: Callable[[Path], dict[Path, str]] = wanted) -> list[Path]:
    """Write every derived file anew, or the `stubs` alone; returns those that changed."""
    files = derived(root)
    changed = _changed(files)
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    return changed
