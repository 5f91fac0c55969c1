"""One search without an executor and through several, in one run; and what a dead worker costs.

    python -m benchmarks.search_side_by_side          # points that sleep, as those that wait do
    python -m benchmarks.search_side_by_side --busy   # points that compute: needs two idle cores

600 points of 4 ms go through two workers of each kind: Dask may take 0.75 of the serial time and
half a second more. 40 points of 100 ms may take 1.2 of their own time over the workers. Then a
point fails, a worker is killed midway, and a million points are searched in columns.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster

from benchmarks.every_solver import million_points
from mlsysim import DSE
from mlsysim.core.errors import FailedPoint

WORKERS = 2
SHORT, LONG = (600, 0.004), (40, 0.1)
QUIET = {"dashboard_address": None, "silence_logs": logging.CRITICAL}


def evaluate(point: dict[str, Any], seconds: float, busy: bool) -> dict[str, Any]:
    """Take so long, asleep or at work."""
    end = time.thread_time() + seconds
    if not busy:
        time.sleep(seconds)
    while busy and time.thread_time() < end:
        pass
    return {"y": -abs(point["x"] - 123)}


def killed(point: dict[str, Any], mark: Path, ask: Callable[..., Any]) -> dict[str, Any]:
    """Kill the worker at point 300, once."""
    if point["x"] == 300 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), 9)
    return ask(point)


def poisoned(point: dict[str, Any], ask: Callable[..., Any]) -> dict[str, Any]:
    """Fail at point 400."""
    if point["x"] == 400:
        raise ValueError("poisoned")
    return ask(point)


def timed(points: int, ask: Callable[..., Any], executor: Any = None) -> float:
    """Seconds of a search whose answer is known."""
    dse = DSE({"x": range(points)}, "maximize: y")
    start = time.perf_counter()
    found = dse.search(ask, executor=executor)
    took = time.perf_counter() - start
    assert found["best_params"] == {"x": min(123, points - 1)}
    assert len(found["points"]) == points
    assert not found["infeasible"]
    return took


def row(title: str, took: float, limit: float | None = None) -> None:
    """Print a line."""
    verdict = "" if limit is None else f"   at most {limit:.3f}: {'yes' if took <= limit else 'NO'}"
    print(f"{title:<44}{took:>8.3f} s{verdict}", flush=True)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--busy", action="store_true", help="points compute instead of sleeping")
    busy = parser.parse_args().busy
    (points, seconds), (few, long) = SHORT, LONG
    short = partial(evaluate, seconds=seconds, busy=busy)
    print(f"{points} points that {'compute' if busy else 'sleep'} {seconds * 1e3:.0f} ms")
    serial = timed(points, short)
    row("no executor", serial)
    for make in (ThreadPoolExecutor, ProcessPoolExecutor, multiprocessing.Pool):
        with make(WORKERS) as executor:
            row(make.__name__, timed(points, short, executor))
    settings = {"distributed.deploy.lost-worker-timeout": "5m"}
    cluster = partial(LocalCluster, n_workers=WORKERS, threads_per_worker=1, host="127.0.0.1")
    with dask.config.set(settings), cluster(**QUIET) as made, Client(made) as client:
        timed(points, partial(evaluate, seconds=0, busy=False), client)  # its workers import us
        row("Dask, Client", timed(points, short, client), 0.75 * serial + 0.5)
        row("Dask, get_executor()", timed(points, short, client.get_executor()))
        try:
            timed(points, partial(poisoned, ask=short), client)
        except FailedPoint as error:
            print(f"a poisoned point: {error}")
        with tempfile.TemporaryDirectory() as folder:
            mark = Path(folder) / "killed"
            took = timed(points, partial(killed, mark=mark, ask=short), client)
            row(f"Dask, a worker killed ({mark.exists()}), none lost", took)
    print(f"{few} points that {'compute' if busy else 'sleep'} {long * 1e3:.0f} ms")
    ask = partial(evaluate, seconds=long, busy=busy)
    with ProcessPoolExecutor(WORKERS) as executor:
        row("ProcessPoolExecutor", timed(few, ask, executor), 1.2 * few * long / WORKERS)
    row("a million points in columns", min(million_points() for _ in range(3)), 0.3)


if __name__ == "__main__":
    main()
