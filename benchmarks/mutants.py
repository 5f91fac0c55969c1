"""Does a test notice? Small changes of the code, one at a time, and the tests that should fail.

    python -m benchmarks.mutants --n 100 --seed 6             # a sample of the whole house
    python -m benchmarks.mutants --n 20 --room equations      # of one room
    python -m benchmarks.mutants --again survived             # those of that sample, anew

A copy of the tracked files is changed, never the checkout. One run of the suite under coverage
learns which tests run which line. All changes are then put to those tests, the quickest first, and
what gets past to all tests of its room and to those that look at the whole house. Answers go to a
file of the sample in the work folder as they come, so that a run that was stopped goes on. Changes
that nobody can see are named, with the reason, in `benchmarks/equivalents.yaml`.
Needs the `coverage` package beside the test group.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Any

import coverage
import pytest
import yaml

from benchmarks.changes import Site, sites_of

ROOT = Path(__file__).parent.parent
EQUIVALENTS = Path(__file__).with_name("equivalents.yaml")
# what is slow and looks at no number: a browser, a wheel, notebooks in a kernel, the recipes
SLOW = ("browser", "test_wheel", "test_notebooks", "test_exercise_files", "test_recipes")
STAGE_SECONDS = 45.0
HANGS = 3.0, 60.0  # a run that takes so many times what was learnt, and so many seconds, hangs
SPEC = "MLSYSIM_MUTANTS"  # names the file that tells the plugin below what to run


# ---- which of it is tried ------------------------------------------------------------------------


def draw(sites: Iterable[Site], number: int, seed: int) -> list[tuple[Site, str]]:
    """A sample of places and what to put there: rooms by size, kinds by the root of theirs."""
    dice = random.Random(seed)
    rooms: dict[str, dict[str, list[Site]]] = defaultdict(lambda: defaultdict(list))
    for site in sites:
        rooms[site.room][site.kind].append(site)
    weight = {
        room: (sum(map(len, kinds.values())), {k: math.sqrt(len(v)) for k, v in kinds.items()})
        for room, kinds in rooms.items()
    }
    drawn = []
    while len(drawn) < number and (open_ := [r for r in rooms if any(rooms[r].values())]):
        room = dice.choices(open_, [weight[r][0] for r in open_])[0]
        kinds = [kind for kind, places in rooms[room].items() if places]
        kind = dice.choices(kinds, [weight[room][1][k] for k in kinds])[0]
        places = rooms[room][kind]
        site = places.pop(dice.randrange(len(places)))
        drawn.append((site, dice.choice(site.options)))
    return drawn


def described(site: Site, new: str, source: bytes) -> dict[str, Any]:
    """A change by its line before and after, which stay the same when other lines move."""
    row = site.line - 1
    changed = source[: site.start] + new.encode() + source[site.end :]
    before, after = (text.splitlines()[row].decode().strip() for text in (source, changed))
    named = {"file": site.file, "within": site.within, "line": before, "becomes": after}
    return {"room": site.room, "kind": site.kind, **named, "outcome": "drawn"}


def key(mutant: dict[str, Any]) -> tuple[str, ...]:
    """What names a change, in a sample and among the equivalents."""
    return tuple(mutant[part] for part in ("file", "within", "line", "becomes"))


# ---- the copies, and the tests in them -----------------------------------------------------------


class Bench:
    """A work folder with one copy of the house for each worker, and what covers which line."""

    def __init__(self, work: Path, workers: int) -> None:
        self.work, self.clock = work, count(1)
        self.copies: Queue[Path] = Queue()
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
        )
        names = [n for n in os.fsdecode(listed.stdout).split("\0") if (ROOT / n).is_file()]
        files = {name: (ROOT / name).read_bytes() for name in names}
        for index in range(workers):
            copy = work / f"copy{index}"
            shutil.rmtree(copy, ignore_errors=True)
            for name, content in files.items():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                (copy / name).write_bytes(content)
            self.copies.put(copy)
        self.sources = {n: files[n] for n in names if re.fullmatch(r"(mlsysim|grading)/.*\.py", n)}
        self.sites = {name: list(sites_of(name, text)) for name, text in self.sources.items()}
        self._learn(hashlib.sha256(b"".join(k.encode() + v for k, v in files.items())).hexdigest())

    def _learn(self, tree: str) -> None:
        """Run the suite once under coverage, unless this very tree was seen before."""
        seen = self.work / f"seen-{tree[:16]}"
        if not (seen / "tests.json").exists():
            seen.mkdir(exist_ok=True)
            print("learning which tests run which line: the suite under coverage ...", flush=True)
            under = ["coverage", "run", "--source=mlsysim,grading", f"--data-file={seen / 'lines'}"]
            ignored = [f"--ignore-glob=*{name}*" for name in SLOW]
            spec = {"learn": str(seen / "tests.json")}
            self.run(self.copies.queue[0], [*under, "-m", "pytest", *ignored], spec, limit=None)
        tests = json.loads((seen / "tests.json").read_text(encoding="utf-8"))
        self.seconds, self.failing = tests["seconds"], tests["failing"]
        print(f"{len(self.seconds)} tests; failing unchanged: {self.failing or 'none'}", flush=True)
        self.lines = coverage.CoverageData(str(seen / "lines"))
        self.lines.read()
        copy = self.copies.queue[0].resolve()
        self.measured = {
            Path(path).relative_to(copy).as_posix(): path for path in self.lines.measured_files()
        }

    def found(self, mutant: dict[str, Any]) -> tuple[Site, str] | None:
        """Where a drawn change is to be made now; None when its line is no longer there."""
        for site in self.sites.get(mutant["file"], ()):
            for new in site.options:
                if key(described(site, new, self.sources[site.file])) == key(mutant):
                    return site, new
        return None

    def covering(self, site: Site) -> list[str]:
        """The tests that run the line; of a line run at import, those of its function or module."""
        lines = self.lines.contexts_by_lineno(self.measured.get(site.file, ""))
        blocks = [
            range(node.lineno, (node.end_lineno or 0) + 1)
            for node in ast.walk(ast.parse(self.sources[site.file]))
            if isinstance(node, ast.stmt)
        ]
        around = sorted((block for block in blocks if site.line in block), key=len)
        tests: set[str] = set()
        for block in ([site.line], *around, lines):
            if tests := {test for line in block for test in lines.get(line, ())} & {*self.seconds}:
                break
        quick, total = [], 0.0
        for test in sorted(tests - {*self.failing}, key=lambda test: self.seconds[test]):
            total += self.seconds[test]
            if total > STAGE_SECONDS:
                break
            quick.append(test)
        return quick

    def run(
        self, copy: Path, command: list[str], spec: dict[str, Any], limit: float | None
    ) -> tuple[int, str]:
        """A run of pytest in a copy: its exit code, and which test failed."""
        note = copy / ".spec.json"
        note.write_text(json.dumps(spec), encoding="utf-8")
        env = {**os.environ, "PYTHONPATH": str(copy), SPEC: str(note)}
        plain = ["-q", "--tb=no", "-p", "no:cacheprovider", "-p", "benchmarks.mutants"]
        process = subprocess.Popen(
            [sys.executable, "-m", *command, *plain], cwd=copy, env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            out, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return 1, "out of time"
        told = [line for line in out.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return process.returncode, (told or out.splitlines()[-1:] or [""])[0][:200]

    def put(self, mutant: dict[str, Any]) -> dict[str, Any]:
        """Make one change, run what should notice, and take it back: near tests, later wide ones.

        What gets past the near ones has the outcome "near", and what gets past all "survived".
        """
        place = self.found(mutant)
        if place is None:
            return {**mutant, "outcome": "gone"}
        (site, new), copy, began = place, self.copies.get(), time.perf_counter()
        source, near = self.sources[site.file], self.covering(site)
        wide = mutant["outcome"] == "near"
        files = [*dict.fromkeys(test.split("::")[0] for test in near)]
        places, spec = self._wide(copy, site, near) if wide else (files, {"only": near})
        there = [p for p in places if (copy / p).exists() and not any(s in p for s in SLOW)]
        code, by = 0, ""
        try:
            self._write(copy / site.file, source[: site.start] + new.encode() + source[site.end :])
            if there:
                limit = self._limit(there, spec)
                code, by = self.run(copy, ["pytest", "-x", *there], spec, limit)
        finally:
            self._write(copy / site.file, source)
            self.copies.put(copy)
        passed = code in (0, 5)  # 5: nothing left to run
        outcome = "killed" if not passed else "survived" if wide else "near"
        seconds = round(time.perf_counter() - began, 1)
        return {**mutant, "outcome": outcome, "by": "" if passed else by, "seconds": seconds}

    def _wide(self, copy: Path, site: Site, near: list[str]) -> tuple[list[str], dict[str, Any]]:
        """Tests of a change's room, and those that look at the whole house, but the near ones."""
        home = "grading" if site.room == "grading" else f"mlsysim/{site.room}"
        wide = [str(path.relative_to(copy)) for path in sorted(copy.glob("tests/test_*.py"))]
        places = [f"tests/{site.room}", home, site.file, "README.md", *wide]
        return places, {"drop": [*near, *self.failing]}

    def _limit(self, places: list[str], spec: dict[str, list[str]]) -> float:
        """Seconds after which a run of these places hangs: a slow one must not count as noticed."""
        tests = spec.get("only") or [t for t in self.seconds if t.startswith(tuple(places))]
        times, more = HANGS
        return times * sum(self.seconds[test] for test in tests) + more

    def _write(self, path: Path, source: bytes) -> None:
        path.write_bytes(source)
        stamp = time.time() + next(self.clock)  # a second of its own, so that no bytecode is stale
        os.utime(path, (stamp, stamp))


# ---- the plugin that runs inside -----------------------------------------------------------------

_note = os.environ.get(SPEC)
_spec = json.loads(Path(_note).read_text(encoding="utf-8")) if _note else {}
_told: dict[str, Any] = {"seconds": {}, "failing": []}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only the named tests, in the order in which they are named, or all but the named ones."""
    if "only" in _spec:
        order = {test: place for place, test in enumerate(_spec["only"])}
        items[:] = sorted((i for i in items if i.nodeid in order), key=lambda i: order[i.nodeid])
    if "drop" in _spec:
        dropped = {*_spec["drop"]}
        items[:] = [item for item in items if item.nodeid not in dropped]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Each test is a context of its own in the coverage data, parameters and doctests too."""
    if now := coverage.Coverage.current():
        now.switch_context(item.nodeid)
    began = time.perf_counter()
    result = yield
    _told["seconds"][item.nodeid] = time.perf_counter() - began
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what fails before anything is changed."""
    if report.failed:
        _told["failing"].append(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write what was learnt."""
    if "learn" in _spec:
        Path(_spec["learn"]).write_text(json.dumps(_told), encoding="utf-8")


# ---- the command ---------------------------------------------------------------------------------


def report(mutants: Iterable[dict[str, Any]]) -> None:
    """Killed of those that matter, per room and kind; then the survivors."""
    known = yaml.safe_load(EQUIVALENTS.read_text(encoding="utf-8")) or ()
    equal = {key(change) for change in known}
    rows = [
        {**m, "outcome": "equal"} if m["outcome"] == "survived" and key(m) in equal else m
        for m in mutants
    ]
    for by in ("room", "kind"):
        print(f"\n{by:<14}changes  killed   equal    gone  of those that matter")
        for name in [*sorted({m[by] for m in rows}), "all"]:
            counts = Counter(m["outcome"] for m in rows if name in ("all", m[by]))
            killed, matter = counts["killed"], counts["killed"] + counts["survived"]
            told = f"{killed}/{matter} = {killed / matter:.0%}" if matter else "-"
            columns = (counts.total(), killed, counts["equal"], counts["gone"])
            print(f"{name:<14}" + "".join(f"{n:>7} " for n in columns) + f" {told}")
    print("\nsurvivors")
    for m in rows:
        if m["outcome"] == "survived":
            place = f"{m['file']} {m['within']} ({m['kind']})"
            print(f"  {place}\n    - {m['line']}\n    + {m['becomes']}")


def main() -> None:
    """Draw a sample or take up the last one, try what was not tried, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--n", type=int, default=100, help="how many changes")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--room", help="one room only, such as equations or grading")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--again", choices=["survived", "killed", "all"], help="try these anew")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "mlsysim-mutants"))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(given.work.resolve(), given.workers)
    book = given.work / f"{given.room or 'house'}-{given.n}-{given.seed}.jsonl"
    if not book.exists():
        sites = [s for found in bench.sites.values() for s in found if given.room in (None, s.room)]
        drawn = draw(sites, given.n, given.seed)
        rows = [json.dumps(described(s, new, bench.sources[s.file])) for s, new in drawn]
        book.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    lines = map(json.loads, book.read_text(encoding="utf-8").splitlines())
    sample = {key(mutant): mutant for mutant in lines}  # the last word on each
    again = set(sample) if given.again == "all" else {
        name for name, m in sample.items() if m["outcome"] == given.again
    }  # fmt: skip
    sample |= {name: {**sample[name], "outcome": "drawn"} for name in again}
    with ThreadPoolExecutor(given.workers) as pool, book.open("a", encoding="utf-8") as out:
        for stage in ("drawn", "near"):
            todo = [mutant for mutant in sample.values() if mutant["outcome"] == stage]
            tried = as_completed([pool.submit(bench.put, mutant) for mutant in todo])
            for number, mutant in enumerate((one.result() for one in tried), 1):
                sample[key(mutant)] = mutant
                out.write(json.dumps(mutant) + "\n")
                out.flush()
                said = f"{mutant['outcome']:<9}{mutant['file']}: {mutant['becomes'][:70]}"
                print(f"{number:>4}/{len(todo)}  {said}", flush=True)
    report(sample.values())


if __name__ == "__main__":
    main()
