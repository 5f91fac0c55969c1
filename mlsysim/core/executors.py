"""Blocks of points through whatever runs functions elsewhere: threads, processes, Dask, Ray.

An executor is anything with `submit` (concurrent.futures, a Dask Client and its `get_executor()`),
`apply_async` (the pools of multiprocessing and Ray), `imap` or `map`; or a class or a function that
makes one, which is closed in the end, and made anew when it breaks. None of these libraries is
imported here: all is asked of the object that was given.

A worker that dies cannot say at which point, so a block keeps a tally in a file while it runs: its
process, and a mark for each point that is done. The point at which the tally ends is tried once
more when all others are answered, alone, so that a second death is surely its own. Where no tally
can be read, as from another machine, the whole block is tried once more.
"""

from __future__ import annotations

import os
import pickle
import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Future, InvalidStateError, ProcessPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from itertools import count
from multiprocessing import active_children
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from mlsysim.core.errors import BadArgument, MissingValue, NoDatapath

_BLOCKS, _LARGEST = 16, 1000  # so many blocks a worker or more, and never more points in one
_AHEAD = 256  # blocks that wait at an executor: its queue is never empty, and memory stays small
_LOOK = 0.1  # seconds between two looks at the processes of a pool that says nothing of deaths
_WAYS = ("submit", "apply_async", "imap", "map")
# What it is called when a worker has died, and how often a block is sent that may not have begun:
# Ray goes on sending to its dead workers, in turn with the living.
_DEATHS = {"WorkerEnded": 2, "BrokenExecutor": 2, "KilledWorker": 2, "RayActorError": 16}
_HELP = "give a concurrent.futures executor, a Pool, a Dask Client, or a function that makes one"
_TRAVEL = "other processes need an evaluate from a module, and answers that can be pickled"

Evaluate = Callable[[dict[str, Any]], Any]
# some places, and what was found there
Answers = Generator[tuple[Sequence[int], Sequence[Any]], None, None]


class Fault(NamedTuple):
    """Instead of an answer: why there is none, and the error, unless a worker died of it."""

    reason: str
    error: Exception | None = None


class WorkerEnded(Exception):
    """The process of a block is no more."""


class _Block(NamedTuple):
    """The points of one task, by their places in the space, and how often its worker died."""

    places: Sequence[int]
    deaths: int = 0


def attempt(evaluate: Evaluate, point: Any) -> Any:
    """Evaluate one point; what nobody can answer is infeasible, and says why."""
    try:
        return evaluate(point)
    except (NoDatapath, MissingValue) as error:
        return {"feasible": False, "reason": str(error)}
    except Exception as error:
        return Fault(f"{type(error).__name__}: {error}", error)


def run_block(evaluate: Evaluate, points: Sequence[Any], tally: str) -> list[Any]:
    """Evaluate the points of a block, wherever that is, and keep the tally."""
    answers = []
    near = Path(tally).parent.is_dir()  # or else this is another machine
    with Path(tally if near else os.devnull).open("wb", buffering=0) as file:
        file.write(b"%d " % os.getpid())
        for point in points:
            answer = attempt(evaluate, point)
            answers.append(_portable(answer) if isinstance(answer, Fault) else answer)
            file.write(b".")
    return answers


def _portable(fault: Fault) -> Fault:
    """Make sure that the error can be read where it goes, and takes its trace along."""
    error = fault.error or RuntimeError(fault.reason)
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(fault.reason)
    return Fault(fault.reason, error)


def answers(evaluate: Evaluate, places: Sequence[int], point: Any, executor: Any) -> Answers:
    """Evaluate `point(place)` at all places; give some places and their answers, as they come.

    Without an executor one place comes at a time, in order. An answer is what `evaluate` gave, or
    a Fault.
    """
    if executor is None:
        for place in places:
            yield (place,), (attempt(evaluate, point(place)),)
        return
    with ExitStack() as exits:
        yield from _Run(evaluate, point, executor, exits).answers(places)


class _Run:
    """One search through one executor: the blocks that wait, run, and are under suspicion."""

    def __init__(self, evaluate: Evaluate, point: Any, executor: Any, exits: ExitStack) -> None:
        self.evaluate, self.point, self.given, self.exits = evaluate, point, executor, exits
        self.make, self.tickets, self.options = _maker(executor), count(), {}
        self.pool = self._pool(fresh=isinstance(executor, type) or not _way(executor))
        folder = TemporaryDirectory(prefix="mlsysim-", ignore_cleanup_errors=True)
        self.folder = Path(exits.enter_context(folder))
        self.waiting, self.suspects = deque[_Block](), deque[_Block]()
        self.running: dict[Future[Any], tuple[_Block, Path]] = {}
        self.arrived: SimpleQueue[Future[Any]] = SimpleQueue()
        self.orphans: set[Future[Any]] = set()
        self.begun, self.broken = True, None  # the pool given may have been broken before
        exits.callback(lambda: [future.cancel() for future in self.running])

    def _pool(self, *, fresh: bool) -> Any:
        """Give what runs blocks: the executor given, or a fresh one of our own."""
        pool = self.make() if fresh and self.make else self.given
        if not _way(pool) or isinstance(pool, type):
            raise BadArgument("executor", self.given, _HELP)
        if fresh and hasattr(pool, "__exit__"):
            self.exits.enter_context(pool)
        client = getattr(pool, "_client", pool)
        if not hasattr(client, "get_executor"):
            return pool
        # Dask: its executor loses errors when a worker dies, so its client is asked, and no block
        # is to be answered with what is known of another
        self.options = {"pure": False} | getattr(pool, "_kwargs", {})
        return client

    def answers(self, places: Sequence[int]) -> Answers:
        size = -(-len(places) // (_BLOCKS * max(2, _workers(self.pool))))
        size = max(1, min(size, _LARGEST))
        blocks = [_Block(places[at : at + size]) for at in range(0, len(places), size)]
        if _way(self.pool) in ("imap", "map"):
            run = partial(run_block, self.evaluate, tally=os.devnull)
            found = getattr(self.pool, _way(self.pool))(run, [self._points(b) for b in blocks])
            yield from zip((block.places for block in blocks), found, strict=True)
            return
        self.waiting.extend(blocks)
        while self.waiting or self.suspects or self.running:
            if self.broken and not self.running:
                self._mend(self.broken)
            while self.waiting and not self.broken and len(self.running) < _AHEAD:
                self._send(self.waiting.popleft())
            if self.suspects and not self.running:
                self._send(self.suspects.popleft())
            yield from self._next()

    def _points(self, block: _Block) -> list[Any]:
        return [self.point(place) for place in block.places]

    def _send(self, block: _Block) -> None:
        tally, future = self.folder / str(next(self.tickets)), Future[Any]()
        task = self.evaluate, self._points(block), str(tally)
        try:
            if _way(self.pool) == "submit":
                future = self.pool.submit(run_block, *task, **self.options)
            else:
                ends = (partial(_settle, future, error=error) for error in (False, True))
                self.pool.apply_async(run_block, task, {}, *ends)
        except BrokenExecutor as error:
            future.set_exception(error)
        self.running[future] = block, tally
        future.add_done_callback(self.arrived.put)

    def _next(self) -> Answers:
        """Wait for a block and give its answers, or try again the point at which it ended."""
        forgets = type(self.pool).__module__ == "multiprocessing.pool"
        while (future := self._arrived(_LOOK if forgets else None)) is None:
            self._bury()
        block, tally = self.running.pop(future)
        try:
            found = future.result()
        except Exception as error:
            yield from self._unanswered(block, error, *_read(tally))
        else:
            self.begun = True
            yield block.places, found

    def _unanswered(self, block: _Block, error: Exception, process: int, done: int) -> Answers:
        """Try the point again at which a worker died, but not twice; raise what is no death."""
        names = [kind.__name__ for kind in type(error).__mro__]
        if not (death := next(filter(_DEATHS.get, names), "")):
            remedy = f"it gives a block back unanswered ({names[0]}: {error}); {_TRAVEL}"
            raise BadArgument("executor", self.given, remedy) from error
        if death == "BrokenExecutor":
            self.broken = error
        places, deaths = block.places, block.deaths + 1
        if not process and death == "BrokenExecutor":  # it only waited there
            (self.suspects if block.deaths else self.waiting).append(block)
            return
        self.begun = True
        if deaths >= (2 if process else _DEATHS[death]):
            died = f"its worker died, and so did another when it was tried again ({names[0]})"
            yield places, [Fault(died)] * len(places)
        elif not process:
            self.suspects.append(_Block(places, deaths))
        else:
            done = min(done, len(places) - 1)
            self.suspects.append(_Block(places[done : done + 1], deaths))
            if rest := [*places[:done], *places[done + 1 :]]:
                self.waiting.append(_Block(rest))

    def _arrived(self, timeout: float | None) -> Future[Any] | None:
        with suppress(Empty):
            return self.arrived.get(timeout=timeout)
        return None

    def _bury(self) -> None:
        """End blocks whose process is no more: `multiprocessing.Pool` would let us wait for ever.

        They are looked at twice, as an answer may be on its way while its process ends.
        """
        alive = {0, os.getpid(), *(child.pid for child in active_children())}
        ended = {f for f, (_, tally) in self.running.items() if _read(tally)[0] not in alive}
        for future in ended & self.orphans:
            _settle(future, WorkerEnded(), error=True)
        self.orphans = ended

    def _mend(self, error: BaseException) -> None:
        """Replace a pool that broke."""
        if not (self.make and self.begun):
            why = "its workers die before they begin" if self.make else "it broke"
            raise BadArgument("executor", self.given, f"{why} ({error}); {_HELP}") from error
        self.pool, self.begun, self.broken = self._pool(fresh=True), False, None


def _way(pool: Any) -> str:
    """Name the method by which a pool takes work; empty when it has none."""
    return next((way for way in _WAYS if hasattr(pool, way)), "")


def _maker(executor: Any) -> Callable[[], Any] | None:
    """Find what makes another executor like this one, if anything does."""
    if type(executor) is ProcessPoolExecutor:
        names = ("_max_workers", "_mp_context", "_initializer", "_initargs")
        return partial(ProcessPoolExecutor, *(getattr(executor, name) for name in names))
    return executor if callable(executor) else None


def _workers(pool: Any) -> int:
    """Count the workers of a pool, as far as it tells."""
    if hasattr(pool, "nthreads"):  # Dask
        return sum(pool.nthreads().values())
    told = (getattr(pool, name, None) for name in ("_max_workers", "_processes"))
    return next((number for number in told if isinstance(number, int)), os.cpu_count() or 1)


def _settle(future: Future[Any], value: Any, *, error: bool) -> None:
    with suppress(InvalidStateError):  # unless it has been given up
        (future.set_exception if error else future.set_result)(value)


def _read(tally: Path) -> tuple[int, int]:
    """Read which process ran a block, and how many points it finished; 0 if nothing is known."""
    with suppress(OSError, ValueError):
        process, _, marks = tally.read_bytes().partition(b" ")
        return int(process), len(marks)
    return 0, 0
