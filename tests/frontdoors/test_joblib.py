"""The joblib door without Spark: what joblib documents of its backends, with tasks in processes of this host."""

from __future__ import annotations

import functools
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from sparkml_track.errors import DataError, SpecError
from sparkml_track.frontdoors.joblib import SparkmlBackend, register

pytestmark = pytest.mark.slow


def square(x: int) -> int:
    return x * x


def fail(x: int) -> int:
    if x == 3:
        raise KeyError("no three")
    return x


def pid_and_more(x: object) -> tuple[int, Any]:
    return os.getpid(), x


@pytest.fixture(scope="module")
def backend() -> Iterator[SparkmlBackend]:
    """One whose executor stays open."""
    made = SparkmlBackend(executor="processes", payload_limit=1 << 20, nesting_level=0)
    with Parallel(n_jobs=2, backend=made):
        yield made


@pytest.fixture
def pool(backend: SparkmlBackend) -> Parallel:
    return Parallel(n_jobs=2, backend=backend)


def test_results_come_in_order_from_other_processes(pool: Parallel) -> None:
    assert pool(delayed(square)(x) for x in range(50)) == [x * x for x in range(50)]
    assert pool(delayed(lambda x, y=1: x + y)(x, y=2) for x in range(3)) == [2, 3, 4]
    assert os.getpid() not in {pid for pid, _ in pool(delayed(pid_and_more)(x) for x in range(4))}
    assert pool([]) == []


def test_an_exception_keeps_its_type_and_has_the_traceback_of_the_slot(pool: Parallel) -> None:
    with pytest.raises(KeyError, match="no three") as caught:
        pool(delayed(fail)(x) for x in range(10))
    assert 'raise KeyError("no three")' in str(caught.value.__cause__)


def test_an_exit_is_raised_where_parallel_was_called(pool: Parallel) -> None:
    with pytest.raises(SystemExit) as caught:
        pool(delayed(sys.exit)(x) for x in (4, 4))
    assert caught.value.code == 4


def test_what_cannot_be_pickled_says_so(backend: SparkmlBackend) -> None:
    class Local(Exception):
        def __init__(self, first: int, second: int) -> None:
            super().__init__(f"{first} and {second}")

    def raises() -> None:
        raise Local(1, 2)

    again = functools.partial(Parallel, n_jobs=2, backend=backend)
    with pytest.raises(pickle.PicklingError, match=r"what a task raised cannot be pickled: .*Local: 1 and 2"):
        again()(delayed(raises)() for _ in range(2))
    with pytest.raises(TypeError, match="cannot pickle"):
        again()(delayed(threading.Lock)() for _ in range(2))
    lock = threading.Lock()
    with pytest.raises(pickle.PicklingError, match=r"a task cannot be pickled to be sent to slots .*lock"):
        again()(delayed(id)(lock) for _ in range(2))
    assert again()(delayed(square)(x) for x in range(3)) == [0, 1, 4]


@pytest.mark.parametrize("end", [lambda: os._exit(7), lambda: os.kill(os.getpid(), signal.SIGSEGV)])
def test_a_task_that_ends_its_process_raises_what_users_of_loky_know(pool: Parallel, end: Any) -> None:
    with pytest.raises(TerminatedWorkerError, match=r"a batch of 1 task .*(status 7|SIGSEGV)"):
        pool(delayed(end)() for _ in range(2))


def test_results_that_are_too_large_are_refused_with_the_setting(pool: Parallel) -> None:
    with pytest.raises(DataError, match=r"too large: .* allowed are 1,048,576: .*payload_limit"):
        pool(delayed(bytes)(size) for size in (2 << 20, 2 << 20))


def test_tasks_draw_their_own_random_numbers(pool: Parallel) -> None:
    drawn = pool(delayed(lambda _: np.random.random())(x) for x in range(20))
    assert len(set(drawn)) == 20


def test_large_arrays_are_mapped_and_small_ones_are_not(pool: Parallel) -> None:
    def look(array: Any, small: Any) -> tuple[str, bool, str, float, bool]:
        mapped = isinstance(array, np.memmap)
        return str(array.filename), mapped, array.flags.writeable, float(array.sum()), isinstance(small, np.memmap)

    large, small = np.asfortranarray(np.arange(400_000.0).reshape(1000, 400)), np.arange(10.0)
    seen = pool(delayed(look)(large, small) for _ in range(4))
    assert len(set(seen)) == 1  # one file for all tasks
    assert seen[0][1:] == (True, False, float(large.sum()), False)
    plain = pool(delayed(type)(np.array([{}] * 200_000)) for _ in range(2))
    assert plain == [np.ndarray] * 2


def test_files_of_arrays_go_when_nobody_needs_them(pool: Parallel) -> None:
    names = pool(delayed(lambda array: str(array.filename))(np.full(200_000, n, float)) for n in range(2))
    pool(delayed(square)(x) for x in range(2))
    pool(delayed(lambda array: str(array.filename))(np.full(200_000, n, float)) for n in range(2))
    assert not any(Path(os.path.realpath(name)).exists() for name in names)


def test_a_part_of_a_mapped_array_comes_back_as_an_array(pool: Parallel) -> None:
    array = np.arange(300_000.0)
    for part in pool(delayed(lambda array: array[::3])(array) for _ in range(2)):
        assert type(part) is np.ndarray
        assert np.array_equal(part, array[::3])


def test_tasks_write_into_a_map_of_the_users_own_file(pool: Parallel, tmp_path: Path) -> None:
    """As joblib's guide on shared memory has it; also through a part of it, in either order of memory."""

    def write(out: Any, rows: Any, at: int) -> None:
        out[at] = at
        rows[at] = -at

    out = np.memmap(tmp_path / "out", dtype="float64", mode="w+", shape=(8,), offset=64)
    table = np.memmap(tmp_path / "table", dtype="int32", mode="w+", shape=(8, 3), order="F")
    pool(delayed(write)(out, table[:, 1], at) for at in range(8))
    assert list(out) == list(range(8))
    assert table[:, 1].tolist() == [-at for at in range(8)]
    assert not table[:, ::2].any()


def test_what_a_task_calls_in_parallel_runs_in_threads_of_its_process_as_under_loky(pool: Parallel) -> None:
    def inner(**how: Any) -> tuple[str, set[int]]:
        call = Parallel(n_jobs=2, **how)
        pids = call(delayed(os.getpid)() for _ in range(4))
        return type(call._backend).__name__, set(pids) - {os.getpid()}

    assert pool(delayed(inner)() for _ in range(2)) == [("ThreadingBackend", set())] * 2
    assert pool(delayed(inner)(backend="sparkml") for _ in range(2)) == [("SequentialBackend", set())] * 2


def test_mlflow_in_tasks_is_not_ours(pool: Parallel) -> None:
    found = pool(delayed(lambda: [name for name in os.environ if name.startswith("MLFLOW_RUN")])() for _ in range(2))
    assert found == [[], []]


def test_generators_give_results_as_they_come_and_may_be_left(
    backend: SparkmlBackend, recwarn: pytest.WarningsRecorder
) -> None:
    def nap(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    with joblib.parallel_config(backend=backend, n_jobs=2):
        ordered = Parallel(return_as="generator")(delayed(nap)(s) for s in (0.2, 0.0, 0.1))
        assert list(ordered) == [0.2, 0.0, 0.1]
        unordered = Parallel(return_as="generator_unordered")(delayed(nap)(s) for s in (60.0, 0.0, 0.01))
        assert [next(unordered), next(unordered)] == [0.0, 0.01]
        begun = time.monotonic()
        del unordered
        assert time.monotonic() - begun < 30
        assert "tasks which were still being processed" in str(recwarn.pop().message)
        assert Parallel()(delayed(square)(x) for x in range(3)) == [0, 1, 4]


def test_two_generators_share_an_executor(backend: SparkmlBackend) -> None:
    with joblib.parallel_config(backend=backend, n_jobs=2):
        first = Parallel(return_as="generator")(delayed(square)(x) for x in range(20))
        second = Parallel(return_as="generator")(delayed(square)(-x) for x in range(20))
        assert list(second) == list(first) == [x * x for x in range(20)]


def test_a_call_ends_at_its_timeout_and_leaves_nothing_running(tmp_path: Path) -> None:
    before = threading.active_count()

    def hang(path: Path) -> None:
        path.write_text(str(os.getpid()))
        time.sleep(100)

    with joblib.parallel_config(backend="sparkml", executor="processes"):
        call = Parallel(n_jobs=2, timeout=3)
        with pytest.raises(multiprocessing.TimeoutError):
            call(delayed(hang)(tmp_path / str(n)) for n in range(2))
    for path in tmp_path.iterdir():
        assert not Path("/proc", path.read_text()).exists()
    assert threading.active_count() == before


def test_ctrl_c_ends_what_runs(backend: SparkmlBackend, tmp_path: Path) -> None:
    def hang(path: Path) -> None:
        path.with_suffix(".part").write_text(str(os.getpid()))
        path.with_suffix(".part").rename(path)
        time.sleep(100)

    def interrupt() -> None:
        while len(list(tmp_path.glob("*.pid"))) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    watch = threading.Thread(target=interrupt)
    watch.start()
    with pytest.raises(KeyboardInterrupt):
        Parallel(n_jobs=2, backend=backend)(delayed(hang)(tmp_path / f"{n}.pid") for n in range(2))
    watch.join()
    until = time.monotonic() + 20
    while any(Path("/proc", path.read_text()).exists() for path in tmp_path.glob("*.pid")):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert Parallel(n_jobs=2, backend=backend)(delayed(square)(x) for x in range(3)) == [0, 1, 4]


def test_native_threads_are_kept_to_what_was_asked_for() -> None:
    def limits() -> set[str | None]:
        return {os.environ.get(f"{name}_NUM_THREADS") for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}

    for wanted in (None, 3):
        with joblib.parallel_config(backend="sparkml", executor="processes", inner_max_num_threads=wanted):
            assert Parallel(n_jobs=2)(delayed(limits)() for _ in range(2)) == [{str(wanted or 1)}] * 2


def test_scikit_learn_finds_the_same_as_with_threads(backend: SparkmlBackend) -> None:
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.svm import SVC

    x, y = load_iris(return_X_y=True)
    found = []
    for how in (backend, "threading"):
        with joblib.parallel_config(backend=how, n_jobs=2):
            search = GridSearchCV(SVC(), {"C": [0.1, 1, 10], "gamma": [0.1, 1]}, cv=3).fit(x, y)
            scores = cross_val_score(SVC(), x, y, cv=4)
            forest = RandomForestClassifier(20, random_state=0).fit(x, y)
            found.append((search.best_params_, search.cv_results_["mean_test_score"].tolist(), scores.tolist(),
                          forest.predict_proba(x).tolist()))  # fmt: skip
    assert found[0] == found[1]


def test_how_many_jobs_run_at_one_time() -> None:
    backend = SparkmlBackend(executor="processes", nesting_level=0)
    cores = os.cpu_count() or 1
    assert [backend.effective_n_jobs(n) for n in (None, 1, 7, -1, -1000)] == [1, 1, 7, cores, 1]
    with pytest.raises(ValueError, match="n_jobs == 0"):
        backend.effective_n_jobs(0)


def test_one_job_runs_here() -> None:
    with joblib.parallel_config(backend="sparkml", executor="processes"):
        assert Parallel(n_jobs=1)(delayed(os.getpid)() for _ in range(2)) == [os.getpid()] * 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"executer": "jobs"}, "backend 'sparkml' has no 'executer'; allowed are .*; did you mean 'executor'?"),
        ({"executor": "driver"}, "executor is 'driver'; allowed are auto, resident, jobs, processes"),
        ({"isolation": "none"}, "isolation is 'none'; allowed are kept, recycled, fresh"),
        ({"retries": -1}, "retries is -1; allowed is a whole number from 0"),
        ({"payload_limit": "1G"}, "payload_limit is '1G'; allowed is a whole number from 1"),
    ],
)
def test_what_is_not_allowed_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        joblib.parallel_config(backend="sparkml", **given)


# -- what else joblib documents


def test_tasks_that_need_shared_memory_run_in_threads_here() -> None:
    found: list[int] = []
    with joblib.parallel_config(backend="sparkml", executor="processes"):
        Parallel(n_jobs=2, require="sharedmem")(delayed(found.append)(x) for x in range(5))
    assert sorted(found) == list(range(5))


def test_the_older_context_manager_chooses_it_too() -> None:
    with joblib.parallel_backend("sparkml", n_jobs=2, executor="processes"):
        pids = {pid for pid, _ in Parallel()(delayed(pid_and_more)(x) for x in range(4))}
    assert os.getpid() not in pids


def test_cached_functions_and_long_sequences_are_tasks_like_others(pool: Parallel, tmp_path: Path) -> None:
    memory = joblib.Memory(tmp_path, verbose=0)
    cached = memory.cache(square)
    assert pool(delayed(cached)(x) for x in [3, 3, 4]) == [9, 9, 16]
    assert cached.check_call_in_cache(3) and cached.check_call_in_cache(4)


@pytest.mark.parametrize("given", [{"pre_dispatch": "all"}, {"pre_dispatch": 3, "batch_size": 4}, {"batch_size": 1}])
def test_all_tasks_are_done_however_they_are_sent(backend: SparkmlBackend, given: dict[str, Any]) -> None:
    assert Parallel(n_jobs=2, backend=backend, **given)(delayed(square)(x) for x in range(30)) == [
        x * x for x in range(30)
    ]


def test_progress_is_printed_by_joblib(backend: SparkmlBackend, capsys: pytest.CaptureFixture[str]) -> None:
    Parallel(n_jobs=2, backend=backend, verbose=11)(delayed(square)(x) for x in range(4))
    assert "Using backend SparkmlBackend with 2 concurrent workers" in (said := "".join(capsys.readouterr()))
    assert "Done   4 out of   4" in said


def test_it_can_be_registered_again_and_by_instance() -> None:
    register()
    register()
    with joblib.parallel_config(backend=SparkmlBackend(executor="processes")):
        assert type(joblib.parallel.get_active_backend()[0]) is SparkmlBackend
