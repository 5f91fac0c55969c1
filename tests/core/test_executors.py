"""A search through threads, processes, Dask and Ray: the same answer, and every fault told."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mlsysim import DSE, Engine, Hardware, Models
from mlsysim.core import executors
from mlsysim.core.errors import BadArgument, FailedPoint, MissingValue
from mlsysim.core.executors import WorkerEnded

POINTS = 200  # in blocks of 7: 29 tasks


def squared(point):
    return {"area": point["x"] ** 2}


def faulty(point):
    if point["x"] == 37:
        raise ValueError("boom")
    return squared(point)


class Awkward(Exception):
    """An error that cannot be read back once it is pickled."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def awkward(point):
    raise Awkward("fish", "chips")


def deadly(point, poison):
    if point["x"] in poison:
        os.kill(os.getpid(), 9)
    return squared(point)


def deadly_once(point, folder):
    mark = Path(folder) / "died"
    if point["x"] == 100 and not mark.exists():
        mark.touch()
        deadly(point, (100,))
    return squared(point)


def die():
    os.kill(os.getpid(), 9)


def slow_first(point, asked):
    with Path(asked).open("ab") as file:
        file.write(b".")
    time.sleep(0.5 * (point["x"] == 0))
    return squared(point)


class OnlyMaps:
    """An executor that has nothing but `map`, as those of some clusters."""

    def map(self, function, items):
        return [function(item) for item in items]


def search(evaluate=squared, executor=None, points=POINTS, **how):
    return DSE({"x": range(points)}, "maximize: area").search(evaluate, executor=executor, **how)


# ---- what is the same everywhere ----------------------------------------------------------------


def gives_the_answer_of_none(executor):
    told = []
    found = search(executor=executor, progress=lambda done, total: told.append((done, total)))
    plain = search()
    assert found["points"] == plain["points"]
    assert found["front"] == plain["front"] == [{"params": {"x": 199}, "metrics": {"area": 39601}}]
    assert told[-1] == (POINTS, POINTS)
    assert told == sorted(told)
    assert 10 < len(told) < POINTS / 2  # neither a task a point, nor one a worker


def carries_devices_there_and_results_back(executor):
    space = {"hardware": [Hardware.A100, Hardware.H100], "batch_size": [1, 8, 64]}
    dse = DSE({**space, "model": Models.Llama3_8B}, "maximize: throughput", ["latency < 20 ms"])
    found = dse.search(Engine.solve, executor=executor)
    assert found["front"] == dse.search(Engine.solve)["front"]
    assert found["best_params"] == {"hardware": "H100", "batch_size": 64, "model": "Llama3_8B"}


def names_the_point_that_fails(executor):
    with pytest.raises(FailedPoint, match="evaluate fails at x=37: ValueError: boom") as caught:
        search(faulty, executor)
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.params == {"x": 37}


def keeps_the_point_that_fails(executor):
    found = search(faulty, executor, on_error="keep")
    (lost,) = found["infeasible"]
    assert (lost["params"], lost["reason"]) == ({"x": 37}, "ValueError: boom")
    assert found["best_params"] == {"x": 199}


def loses_nothing_when_a_worker_dies_once(executor):
    with TemporaryDirectory() as folder:
        found = search(partial(deadly_once, folder=folder), executor)
        assert (Path(folder) / "died").exists()
    assert found["points"] == search()["points"]


def loses_only_the_point_that_kills_two_workers(executor):
    with pytest.warns(RuntimeWarning, match="1 of 200 points are lost"):
        found = search(partial(deadly, poison=(0,)), executor)
    (lost,) = found["infeasible"]
    assert lost["params"] == {"x": 0}
    assert "its worker died, and so did another" in lost["reason"]
    assert found["points"][1:] == search()["points"][1:]


ALIKE = [
    gives_the_answer_of_none,
    carries_devices_there_and_results_back,
    names_the_point_that_fails,
    keeps_the_point_that_fails,
]
EACH = [*ALIKE, loses_nothing_when_a_worker_dies_once, loses_only_the_point_that_kills_two_workers]


@pytest.mark.parametrize("does", ALIKE)
@pytest.mark.parametrize("make", [ThreadPoolExecutor, ThreadPool])
def test_threads(make, does):
    with make(2) as executor:
        does(executor)


@pytest.mark.parametrize("does", EACH)
@pytest.mark.parametrize("make", [ProcessPoolExecutor, multiprocessing.Pool])
def test_processes(make, does):
    with make(2) as executor:
        does(executor)


@pytest.mark.parametrize("does", ALIKE)
def test_what_only_maps(does):
    does(OnlyMaps())


def test_a_dask_cluster_of_two_processes():
    """In one test, as it takes long to start; a task is lost when its first worker dies."""
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    import dask
    from distributed import Client, LocalCluster

    quiet = {
        "dashboard_address": None,
        "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"},  # the fixed port may be taken
        "silence_logs": logging.CRITICAL,
    }
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.comm.timeouts.connect": "10s",  # to a worker that died with an answer
        "distributed.deploy.lost-worker-timeout": "5m",  # a busy machine restarts it slowly
    }
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", **quiet) as cluster,
        Client(cluster) as client,
    ):
        gives_the_answer_of_none(client.get_executor())
        for does in (*ALIKE, loses_only_the_point_that_kills_two_workers):
            does(client)


def test_a_pool_of_ray():
    pytest.importorskip("ray", reason="Ray is not installed: it is larger than all else here")
    import ray
    from ray.util.multiprocessing import Pool

    quiet = {"logging_level": logging.CRITICAL, "log_to_driver": False, "include_dashboard": False}
    ray.init(num_cpus=4, **quiet)
    try:
        with Pool(4) as pool:  # it never replaces a worker: three may die and leave one
            for does in EACH:
                does(pool)
    finally:
        ray.shutdown()


def test_an_error_that_cannot_travel_is_told_in_its_words():
    with pytest.raises(FailedPoint, match="Awkward: fish and chips") as caught:
        search(awkward, partial(ProcessPoolExecutor, 1))
    assert "fish and chips" in str(caught.value.__cause__)


@pytest.mark.parametrize("make", [ProcessPoolExecutor, multiprocessing.Pool])
def test_an_evaluate_that_cannot_travel_is_refused(make):
    with pytest.raises(BadArgument, match=r"pickle.*need an evaluate from a module"):
        search(lambda point: point, partial(make, 1))


@pytest.mark.parametrize("thing", [3, "threads", int, object(), lambda: None])
def test_what_runs_nothing_is_no_executor(thing):
    with pytest.raises(BadArgument, match="Dask Client"):
        search(executor=thing)


@pytest.mark.parametrize("make", [ThreadPoolExecutor, partial(multiprocessing.Pool, 2)])
def test_what_makes_an_executor_is_given_work_and_closed(make):
    before = set(multiprocessing.active_children())
    assert search(executor=make)["best_params"] == {"x": 199}
    assert set(multiprocessing.active_children()) <= before


def test_many_points_go_in_more_blocks_not_in_larger_ones(monkeypatch):
    monkeypatch.setattr(executors, "_LARGEST", 10)
    monkeypatch.setattr(executors, "_AHEAD", 3)  # and all come, though few wait at a time
    told = []
    with ThreadPoolExecutor(2) as executor:
        search(executor=executor, points=1005, progress=lambda done, _: told.append(done))
    steps = sorted(after - before for before, after in zip([0, *told], told, strict=False))
    assert steps == [5] + [10] * 100


def test_blocks_that_wait_longer_than_two_looks_at_a_pool_are_not_sent_again(tmp_path):
    asked = tmp_path / "asked"
    with multiprocessing.Pool(1) as executor:
        found = search(partial(slow_first, asked=asked), executor, points=5)
    assert found["points"] == search(points=5)["points"]
    assert len(asked.read_bytes()) == 5


def test_an_executor_that_loses_a_block_is_told():
    class Loses(OnlyMaps):
        def map(self, function, items):
            return super().map(function, items[:-1])

    with pytest.raises(ValueError, match="shorter"):
        search(executor=Loses())


# ---- dead workers -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [ProcessPoolExecutor, multiprocessing.Pool])
def test_several_deadly_points_are_told_apart_from_their_neighbours(make):
    poison = (0, 38, 39, 198)
    with pytest.warns(RuntimeWarning, match="4 of 200"), make(2) as executor:
        found = search(partial(deadly, poison=poison), executor)
    assert [lost["params"]["x"] for lost in found["infeasible"]] == list(poison)


def test_a_pool_that_broke_in_one_search_serves_the_next():
    with ProcessPoolExecutor(2) as executor:
        for _ in range(2):
            loses_nothing_when_a_worker_dies_once(executor)


def test_blocks_that_only_waited_where_it_broke_are_sent_again_together():
    """Nothing speaks against them: one by one goes only what a worker may have died of."""
    heard, pools = [], []

    class Pool:
        def __init__(self):
            pools.append(self)

        def submit(self, function, *task):
            future = Future()
            if self is pools[0]:
                future.set_exception(BrokenExecutor("it broke"))
            else:
                heard.append("sent")
                future.set_result(function(*task))
            return future

    found = search(executor=Pool, progress=lambda *_: heard.append("told"))
    assert found["points"] == search()["points"]
    blocks = len(heard) // 2
    assert heard == [*["sent"] * blocks, *["told"] * blocks]
    assert (len(pools), blocks > 10) == (2, True)


def test_a_worker_that_twice_dies_with_its_answer_takes_one_point_with_it():
    """The tally says that all is done: it was the last point, and here it is the only one."""
    asked = []

    class Pool:
        def submit(self, function, evaluate, points, tally):
            assert len(asked) < 20  # and no point is asked for ever
            asked.extend(points)
            future = Future()
            found = function(evaluate, points, tally)
            dies = {"x": 3} in points
            future.set_exception(WorkerEnded()) if dies else future.set_result(found)
            return future

    with pytest.warns(RuntimeWarning, match="1 of 5 points are lost"):
        found = search(executor=Pool(), points=5)
    assert [point["x"] for point in asked] == [0, 1, 2, 3, 4, 3]
    (lost,) = found["infeasible"]
    why = "its worker died, and so did another when it was tried again (WorkerEnded)"
    assert (lost["params"], lost["reason"]) == ({"x": 3}, why)


@pytest.mark.parametrize(
    ("death", "times"), [("WorkerEnded", 2), ("KilledWorker", 2), ("RayActorError", 16)]
)
def test_a_block_that_may_not_have_begun_is_sent_as_often_as_a_cluster_loses_one(death, times):
    """Ray goes on sending to its dead workers; of the others a second death is the block's own."""
    sent = []

    class Pool:
        def submit(self, function, evaluate, points, tally):
            sent.extend(point["x"] for point in points)
            future = Future()
            if {"x": 3} in points:  # it never reached a worker, and so there is no tally
                future.set_exception(type(death, (Exception,), {})())
            else:
                future.set_result(function(evaluate, points, tally))
            return future

    with pytest.warns(RuntimeWarning, match="1 of 5 points are lost"):
        found = search(executor=Pool(), points=5)
    assert sent == [0, 1, 2, 3, 4, *[3] * (times - 1)]
    assert found["infeasible"][0]["reason"].endswith(f"tried again ({death})")


@pytest.mark.parametrize(("workers", "blocks"), [(1, 29), (2, 29), (5, 67)])
def test_there_are_sixteen_blocks_or_more_for_each_worker(workers, blocks):
    """200 points in 2 x 16 blocks are seven each, in 5 x 16 three; one worker counts as two."""
    told = []
    with ThreadPoolExecutor(workers) as executor:
        search(executor=executor, progress=lambda *_: told.append(1))
    assert len(told) == blocks


def test_a_pool_whose_workers_cannot_begin_is_refused():
    make = partial(ProcessPoolExecutor, 1, initializer=die)
    with pytest.raises(BadArgument, match="die before they begin"):
        search(executor=make)


# ---- saved answers ------------------------------------------------------------------------------


class Counted:
    """Counts its calls; every metric that can be saved."""

    def __init__(self, faulty=()):
        self.calls, self.faulty = [], faulty

    def __repr__(self):
        return "Counted"

    def __call__(self, point):
        self.calls.append(point["x"])
        if point["x"] in self.faulty:
            raise ValueError("boom")
        if point["x"] == 3:
            raise MissingValue("Gaudi3", "unit_cost", "give a price")
        return Engine.solve(Models.Llama3_8B, Hardware.H100, batch_size=point["x"] + 1)


def saved(counted, path, points=20, **how):
    dse = DSE({"x": range(points)}, "maximize: throughput", ["latency < 5 ms"])
    return dse.search(counted, save=path, **how)


def test_a_search_that_was_cut_off_goes_on_where_it_was(tmp_path):
    class Stop(Exception):
        pass

    def stop(done, total):
        if done == 12:
            raise Stop

    path, first, second, third = tmp_path / "search.jsonl", Counted(), Counted(), Counted()
    with pytest.raises(Stop):
        saved(first, path, progress=stop)
    resumed = saved(second, path)
    assert first.calls == list(range(12))
    assert second.calls == list(range(12, 20))
    assert saved(third, path)["front"] == resumed["front"]
    assert third.calls == []


def test_what_was_saved_is_what_was_found(tmp_path):
    path = tmp_path / "search.jsonl"
    fresh, again = saved(Counted(), path), saved(Counted(), path)
    assert again["points"] == fresh["points"]
    assert again["best"].latency == fresh["best"].latency
    assert "unit_cost" in again["infeasible"][0]["reason"]


def test_quantities_words_and_numbers_of_numpy_are_saved(tmp_path):
    import numpy as np

    from mlsysim import Q_

    def evaluate(point):
        return {
            "time": Q_(point["x"] + 1.5, "ms"),
            "word": "fp16",
            "fits": np.bool_(True),
            "count": np.int64(3),
            "unknown": None,
        }

    dse = DSE({"x": range(3)}, "minimize: time", ["fits == True", "count < 4"])
    fresh = dse.search(evaluate, save=tmp_path / "a")
    again = dse.search(evaluate, save=tmp_path / "a")
    assert again["points"] == fresh["points"]
    assert again["best"]["time"] == Q_(1.5, "ms")


def test_a_line_that_was_cut_off_is_evaluated_again(tmp_path):
    path, counted = tmp_path / "search.jsonl", Counted()
    saved(Counted(), path)
    path.write_bytes(path.read_bytes()[:-40])
    saved(counted, path)
    assert counted.calls == [19]
    assert len(path.read_text().splitlines()) == 1 + 20


def test_failed_points_are_tried_again(tmp_path):
    path, counted = tmp_path / "search.jsonl", Counted()
    assert len(saved(Counted(faulty=(5, 6)), path, on_error="keep")["points"]) == 20
    saved(counted, path)
    assert counted.calls == [5, 6]


def test_blocks_are_saved_before_an_error_is_raised(tmp_path):
    path = tmp_path / "search.jsonl"
    with ThreadPoolExecutor(1) as executor, pytest.raises(FailedPoint):
        saved(Counted(faulty=(11,)), path, executor=executor)
    counted = Counted()
    saved(counted, path)
    assert set(counted.calls) <= set(range(11, 20))


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"space": {"x": range(21)}}, "space"),
        ({"objective": "minimize: throughput"}, "objective"),
        ({"constraints": ["latency < 6 ms"]}, "constraints"),
        ({"evaluate": squared}, "evaluate"),
    ],
)
def test_another_search_is_not_resumed(tmp_path, other, named):
    path = tmp_path / "search.jsonl"
    saved(Counted(), path)
    kept = path.read_bytes()
    whole = {
        "space": {"x": range(20)},
        "objective": "maximize: throughput",
        "constraints": ["latency < 5 ms"],
        "evaluate": Counted(),
        **other,
    }
    dse = DSE(whole["space"], whole["objective"], whole["constraints"])
    with pytest.raises(BadArgument, match=f"a search with another {named}"):
        dse.search(whole["evaluate"], save=path)
    assert path.read_bytes() == kept


@pytest.mark.parametrize("text", ["", "my notes\n", "[1, 2]\n", '{"a": 1}\n', "no end"])
def test_a_file_that_is_no_search_is_left_alone(tmp_path, text):
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(BadArgument, match="no saved search"):
        saved(Counted(), path)
    assert path.read_text() == text


def test_what_cannot_be_saved_is_told(tmp_path):
    with pytest.raises(BadArgument, match="only numbers, quantities, words and Results are saved"):
        search(lambda point: {"area": 1, "what": object()}, save=tmp_path / "a")
