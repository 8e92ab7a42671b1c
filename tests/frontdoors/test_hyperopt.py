"""The hyperopt door beside hyperopt itself: what its users read of a search, and how one ends."""

from __future__ import annotations

import inspect
import logging
import os
import pickle
import signal
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hyperopt
import numpy as np
import pytest
from hyperopt import STATUS_FAIL, STATUS_OK, Domain, Trials, anneal, hp, rand, space_eval, tpe
from hyperopt.base import JOB_STATE_CANCEL, JOB_STATE_DONE, JOB_STATE_ERROR
from hyperopt.early_stop import no_progress_loss
from hyperopt.exceptions import AllTrialsFailed, DuplicateLabel
from mlflow import MlflowClient
from pyspark.resource import ResourceProfile, ResourceProfileBuilder, TaskResourceRequests

from sparkml_track import schema
from sparkml_track.errors import SetupError, SpecError
from sparkml_track.executors import Resources
from sparkml_track.frontdoors._hyperopt.labels import Labels
from sparkml_track.frontdoors._hyperopt.search import Algorithm, Search
from sparkml_track.frontdoors._hyperopt.sweep import _timeout as timeout_of
from sparkml_track.frontdoors.hyperopt import SparkTrials, fmin
from sparkml_track.frontdoors.hyperopt import _resources as resources_of

pytestmark = pytest.mark.slow

SPACE = {
    "x": hp.uniform("x", -3, 3),
    "kind": hp.choice("kind", ["round", {"shape": "bent", "bend": hp.lognormal("bend", 0, 1)}, None]),
    "steps": hp.randint("steps", 5),
}


@pytest.fixture(autouse=True)
def quiet_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    return home


def parabola(point: dict[str, Any]) -> float:
    kind = point["kind"]
    return (point["x"] - 1) ** 2 + (kind["bend"] if isinstance(kind, dict) else len(kind or "")) + int(point["steps"])


def searched(
    fn: Any = parabola, space: Any = SPACE, trials: SparkTrials | None = None, **given: Any
) -> tuple[Any, SparkTrials]:
    """What ``hyperopt.fmin`` returns with our trials, one at a time in this process unless told otherwise."""
    trials = SparkTrials(1, executor="inline") if trials is None else trials  # without trials they are false
    arguments = {"algo": rand.suggest, "max_evals": 6, "rstate": np.random.default_rng(3), "show_progressbar": False}
    return hyperopt.fmin(fn, space, trials=trials, **{**arguments, **given}), trials


def facts(trials: Trials) -> list[tuple[object, ...]]:
    """What documents say, but for the times."""
    return [
        (one["tid"], one["state"], one["misc"]["vals"], one["misc"]["idxs"], one["result"]) for one in trials.trials
    ]


# ------------------------------------------------------------------------------------------ the same as hyperopt


TPE = partial(tpe.suggest, n_startup_jobs=4)


@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.parametrize("algo", [rand.suggest, anneal.suggest, TPE], ids=["random", "anneal", "tpe"])
def test_one_seed_gives_the_trials_of_hyperopt_itself(algo: Any, executor: str) -> None:
    own = Trials()
    theirs = hyperopt.fmin(
        parabola, SPACE, algo, 12, trials=own, rstate=np.random.default_rng(3), show_progressbar=False
    )
    ours, trials = searched(algo=algo, max_evals=12, trials=SparkTrials(1, executor=executor))
    assert facts(trials) == facts(own)
    assert ours == theirs
    assert trials.best_trial["tid"] == own.best_trial["tid"]
    assert trials.argmin == own.argmin
    assert (trials.losses(), trials.statuses(), trials.results) == (own.losses(), own.statuses(), own.results)
    assert (trials.tids, trials.vals, trials.miscs) == (own.tids, own.vals, own.miscs)
    assert trials.average_best_error() == own.average_best_error()


@pytest.mark.parametrize("slots", [1, 2])
def test_the_algorithm_is_asked_when_a_slot_is_free_and_knows_all_that_ended(slots: int) -> None:
    unfinished: list[int] = []

    def watching(ids: Any, domain: Any, trials: Any, seed: int) -> Any:
        unfinished.append(sum(one["state"] != JOB_STATE_DONE for one in trials.trials))
        return rand.suggest(ids, domain, trials, seed)

    searched(algo=watching, max_evals=60, trials=SparkTrials(slots, executor="processes"))
    assert len(unfinished) == 60
    assert max(unfinished) < slots


def test_documents_have_the_fields_and_kinds_of_time_of_hyperopt() -> None:
    own = Trials()
    hyperopt.fmin(parabola, SPACE, rand.suggest, 1, trials=own, show_progressbar=False)
    _, trials = searched(max_evals=1)
    (theirs,), (ours,) = own.trials, trials.trials
    assert ours.keys() == theirs.keys()
    assert (ours["exp_key"], ours["owner"], ours["version"], ours["spec"]) == (None, None, 0, None)
    assert type(ours["book_time"]) is type(theirs["book_time"])
    assert ours["book_time"].tzinfo is theirs["book_time"].tzinfo is None
    assert abs((ours["refresh_time"] - theirs["refresh_time"]).total_seconds()) < 600
    assert ours["book_time"] <= ours["refresh_time"]


def test_the_function_gets_what_hyperopt_gives_it() -> None:
    def typed(point: Any) -> dict[str, Any]:
        return {"loss": 0, "status": STATUS_OK, "point": point, "types": {name: type(point[name]) for name in point}}

    own = Trials()
    hyperopt.fmin(typed, SPACE, rand.suggest, 8, trials=own, rstate=np.random.default_rng(3), show_progressbar=False)
    _, trials = searched(typed, max_evals=8)
    assert trials.results == own.results
    kinds = [result["point"]["kind"] for result in trials.results]
    assert any(isinstance(kind, dict) for kind in kinds) and "round" in kinds


def test_without_argmin_the_point_of_the_space_is_returned() -> None:
    point, trials = searched(return_argmin=False)
    assert point == space_eval(SPACE, trials.argmin)
    assert set(point) == {"x", "kind", "steps"}


def test_an_annotated_function_is_searched() -> None:
    def annotated(x: hp.uniform("x", -1, 1), y: hp.choice("y", [3, 4])) -> float:  # type: ignore[valid-type]
        return x + y

    del annotated.__annotations__["return"]
    annotated.__annotations__ = {"x": hp.uniform("x", -1, 1), "y": hp.choice("y", [3, 4])}
    best, trials = searched(annotated, "annotated")
    assert set(best) == {"x", "y"}
    assert len(trials) == 6


def test_a_second_call_goes_on_with_the_trials() -> None:
    _, trials = searched(max_evals=4)
    searched(max_evals=7, trials=trials)
    assert trials.tids == list(range(7))
    searched(max_evals=7, trials=trials)
    assert (len(trials), trials.count_total_trials()) == (7, 7)
    assert trials.sweep_result is not None
    assert len(trials.sweep_result.trials) == 3


def test_an_algorithm_that_has_no_more_ends_the_search() -> None:
    def three(ids: Any, domain: Any, trials: Any, seed: int) -> Any:
        return rand.suggest(ids, domain, trials, seed) if len(trials.trials) < 3 else []

    _, trials = searched(algo=three, max_evals=None)
    assert len(trials) == 3


def test_a_proposal_that_comes_after_the_end_is_cancelled() -> None:
    ended, asked = threading.Event(), threading.Event()

    def slow(ids: Any, domain: Any, trials: Any, seed: int) -> Any:
        if len(trials.trials) == 3:
            asked.set()
            assert ended.wait(60)
        return rand.suggest(ids, domain, trials, seed)

    trials = Trials()
    domain = Domain(parabola, SPACE)
    search = Search(trials, Algorithm(slow, domain, np.random.default_rng(0)), Labels(domain.expr))
    for number in range(3):
        assert search.ask(number) is not None
    late: list[object] = []
    thread = threading.Thread(target=lambda: late.append(search.ask(3)))
    thread.start()
    assert asked.wait(60)
    search.settle()
    ended.set()
    thread.join()
    trials.refresh()
    assert late == [None]
    assert [one["state"] for one in trials._dynamic_trials] == [JOB_STATE_CANCEL] * 4
    assert len(trials) == 0


def test_what_the_algorithm_raises_is_raised() -> None:
    def broken(ids: Any, domain: Any, trials: Any, seed: int) -> Any:
        raise ZeroDivisionError("no idea")

    with pytest.raises(ZeroDivisionError, match="no idea"):
        searched(algo=broken)


# ------------------------------------------------------------------------------------------ results


def rich(point: dict[str, Any]) -> dict[str, Any]:
    return {
        "loss": point["x"] ** 2,
        "status": STATUS_OK,
        "accuracy": np.float32(0.5),
        "eval_time": 17,
        "other": {"kind": point["kind"], "array": np.arange(3)},
        "attachments": {"blob": b"\x00\x01", "note": "by hand"},
    }


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_dictionary_comes_back_whole_and_its_numbers_are_metrics(executor: str) -> None:
    _, trials = searched(rich, max_evals=3, trials=SparkTrials(2, executor=executor))
    for document in trials.trials:
        result = document["result"]
        assert set(result) == {"loss", "status", "accuracy", "eval_time", "other"}
        assert result["other"]["array"].tolist() == [0, 1, 2]
        assert type(result["accuracy"]) is np.float32
    attachments = trials.trial_attachments(trials.trials[1])
    assert (attachments["blob"], attachments["note"]) == (b"\x00\x01", "by hand")
    assert "blob" in attachments and "missing" not in attachments
    assert trials.sweep_result is not None
    first = trials.sweep_result.trials[0]
    assert set(first.metrics) == {"loss", "accuracy", "eval_time"}


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_function_that_raises_fails_its_trial_alone(executor: str, caplog: pytest.LogCaptureFixture) -> None:
    def fails(point: dict[str, Any]) -> float:
        if point["steps"] % 2:
            raise KeyError("odd")
        return float(point["steps"])

    with caplog.at_level(logging.INFO, "hyperopt-spark"):
        best, trials = searched(fails, max_evals=8, trials=SparkTrials(2, executor=executor))
    failed = [one for one in trials._dynamic_trials if one["state"] == JOB_STATE_ERROR]
    assert 0 < len(failed) == trials.count_failed_trials() < 8
    assert trials.count_successful_trials() == len(trials.trials) == 8 - len(failed)
    assert best["steps"] % 2 == 0
    kind, trace = failed[0]["misc"]["error"]
    assert kind == "<class 'KeyError'>"
    assert "raise KeyError" in trace and trace.startswith("Traceback")
    said = [record.getMessage() for record in caplog.records if record.name == "hyperopt-spark"]
    assert any(f"trial task {failed[0]['tid']} failed, exception is KeyError: 'odd'" in each for each in said)
    ok = 8 - len(failed)
    assert said[-1] == f"Total Trials: 8: {ok} succeeded, {len(failed)} failed, 0 cancelled."


def test_a_status_of_failure_counts_as_failed_and_keeps_its_result() -> None:
    def picky(point: dict[str, Any]) -> dict[str, Any]:
        if point["x"] < 0:
            return {"status": STATUS_FAIL, "status_fail": "left of zero", "x": point["x"]}
        return {"status": STATUS_OK, "loss": point["x"]}

    _, trials = searched(picky, max_evals=8)
    bad = [one for one in trials.trials if one["result"]["status"] == STATUS_FAIL]
    assert 0 < len(bad) == trials.count_failed_trials() < 8
    assert trials.count_total_trials() == len(trials.trials) == 8
    assert all(one["state"] == JOB_STATE_DONE and one["result"]["x"] < 0 for one in bad)
    assert trials.statuses().count(STATUS_FAIL) == trials.losses().count(None) == len(bad)
    assert trials.sweep_result is not None
    assert trials.sweep_result.counts.failed == len(bad)
    messages = {one.message.partition("\n")[0] for one in trials.sweep_result.trials if one.message}
    assert messages == {"RuntimeError: the objective returned the status 'fail': left of zero"}


def test_when_all_fail_hyperopt_s_own_errors_are_raised() -> None:
    with pytest.raises(AllTrialsFailed):
        searched(lambda point: {"status": STATUS_FAIL})
    with pytest.raises(Exception, match="There are no evaluation tasks, cannot return argmin of task losses"):
        searched(lambda point: 1 / 0)
    assert searched(lambda point: 1 / 0, return_argmin=False)[0] is None


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ({"status": "splendid", "loss": 1.0}, "InvalidResultStatus"),
        ({"status": STATUS_OK}, "InvalidLoss"),
        ({"loss": 1.0}, "KeyError"),
        (None, "TypeError"),
        ({"loss": 1.0, "status": STATUS_OK, "attachments": 3}, "TypeError"),
    ],
)
def test_results_that_hyperopt_refuses_fail_with_its_error(result: object, kind: str) -> None:
    _, trials = searched(lambda point: result, max_evals=1, return_argmin=False)
    (document,) = trials._dynamic_trials
    assert document["state"] == JOB_STATE_ERROR
    assert kind in document["misc"]["error"][0]


def test_a_result_that_cannot_be_sent_fails_its_trial_and_says_why() -> None:
    def unsendable(point: dict[str, Any]) -> dict[str, Any]:
        return {"loss": 1.0, "status": STATUS_OK, "frame": inspect.currentframe()}

    _, trials = searched(unsendable, max_evals=1, return_argmin=False)
    assert trials.count_failed_trials() == 1
    assert trials.sweep_result is not None
    assert "cannot pickle 'frame' object" in trials.sweep_result.trials[0].message


def test_a_loss_that_is_nan_is_kept_and_never_best() -> None:
    best, trials = searched(lambda point: float("nan") if point["x"] < 0 else point["x"])
    assert best["x"] >= 0
    assert any(np.isnan(loss) for loss in trials.losses())
    assert trials.count_successful_trials() == 6


def test_numbers_that_are_no_metrics_stay_in_the_result() -> None:
    def odd(point: dict[str, Any]) -> dict[str, Any]:
        return {"loss": 1, "status": STATUS_OK, "huge": 10**400, "yes": True, "a=b": 2, 7: 3, "ok": 4}

    _, trials = searched(odd, max_evals=1)
    assert trials.results[0]["huge"] == 10**400 and trials.results[0]["a=b"] == 2
    assert trials.sweep_result is not None
    assert trials.sweep_result.trials[0].metrics == {"loss": 1.0, "ok": 4.0, "7": 3.0}


# ------------------------------------------------------------------------------------------ how it ends


@pytest.mark.parametrize("parallelism", [1, 2])
def test_no_progress_ends_the_search(parallelism: int, caplog: pytest.LogCaptureFixture) -> None:
    given: dict[str, Any] = {"max_evals": 500, "early_stop_fn": no_progress_loss(5)}
    own = Trials()
    hyperopt.fmin(lambda point: 1.0, SPACE, rand.suggest, trials=own, show_progressbar=False, **given)
    trials = SparkTrials(parallelism, executor="processes")
    searched(lambda point: 1.0, trials=trials, **given)
    ended, slack = trials.count_successful_trials(), parallelism - 1
    assert len(own) <= ended <= len(own) + slack
    assert trials.count_cancelled_trials() <= slack + 1
    assert trials.count_total_trials() == len(trials._dynamic_trials)
    assert trials.fmin_cancelled_reason == "early stopping condition"
    assert "fmin cancelled because of early stopping condition" in caplog.messages


def test_early_stop_sees_what_succeeded_and_gets_back_what_it_gave() -> None:
    calls: list[tuple[int, float, tuple[object, ...]]] = []

    def stop(trials: Trials, *given: int) -> tuple[bool, list[int]]:
        assert {one["state"] for one in trials.trials} == {JOB_STATE_DONE}
        calls.append((len(trials.trials), trials.trials[-1]["result"]["loss"], given))
        return len(calls) == 4, [len(calls)]

    def every_other(point: dict[str, Any]) -> float:
        if point["steps"] % 2:
            raise ValueError("odd")
        return float(point["x"])

    _, trials = searched(every_other, max_evals=50, early_stop_fn=stop)
    assert [count for count, _, _ in calls] == [1, 2, 3, 4]
    assert [given for _, _, given in calls] == [(), (1,), (2,), (3,)]
    assert [loss for _, loss, _ in calls] == trials.losses()[:4]
    assert trials.count_failed_trials() > 0


def test_what_early_stop_raises_is_raised_and_the_trials_are_kept() -> None:
    def broken(trials: Trials, *given: object) -> tuple[bool, list[object]]:
        raise LookupError("my own mistake")

    trials = SparkTrials(1, executor="inline")
    with pytest.raises(LookupError, match="my own mistake"):
        searched(early_stop_fn=broken, trials=trials)
    assert trials.count_successful_trials() >= 1


def test_a_timeout_cancels_what_runs() -> None:
    def endless(point: dict[str, Any]) -> float:
        time.sleep(600)
        return 1.0

    trials = SparkTrials(2, executor="processes")
    first, _ = searched(max_evals=1, trials=trials)
    began = time.monotonic()
    best, _ = searched(endless, max_evals=2, trials=trials, timeout=1)
    assert 1 <= time.monotonic() - began < 300
    assert best == first
    assert (trials.count_successful_trials(), trials.count_cancelled_trials()) == (1, 1)
    assert trials.fmin_cancelled_reason == "fmin run timeout"
    assert trials.sweep_result is not None
    assert trials.sweep_result.counts.killed == 1
    (cancelled,) = (one for one in trials._dynamic_trials if one["state"] == JOB_STATE_CANCEL)
    assert "timeout of 1 s" in cancelled["misc"]["error"][1]


def test_a_search_that_ends_within_its_timeout_was_not_cancelled() -> None:
    _, trials = searched(timeout=600, loss_threshold=-1)
    assert trials.fmin_cancelled_reason is None
    assert (trials.timeout, trials.loss_threshold) == (600, -1)


@pytest.mark.parametrize(
    ("ended", "killed", "best", "why"),
    [(6, 0, 2.0, ""), (6, 1, 2.0, "fmin run timeout"), (5, 0, 2.0, "fmin run timeout"), (5, 0, 1.0, "")],
)
def test_a_timeout_is_the_reason_where_it_kept_trials_from_ending(
    ended: int, killed: int, best: float, why: str
) -> None:
    """The clock is looked at once the sweep is closed, which takes its time."""
    result: Any = SimpleNamespace(
        summary=SimpleNamespace(best=SimpleNamespace(value=(best,))),
        trials=[None] * ended,
        counts=SimpleNamespace(killed=killed),
    )
    asked: Any = SimpleNamespace(timeout=1.0, loss_threshold=1.5)
    assert timeout_of(asked, result, 6, 1.25) == why
    assert timeout_of(asked, result, 6, 0.75) == ""


def test_the_timeout_of_the_constructor_comes_first(caplog: pytest.LogCaptureFixture) -> None:
    _, trials = searched(timeout=900, trials=SparkTrials(1, timeout=600, executor="inline"))
    assert trials.timeout == 600
    assert "Timeout param was defined in Trials object, ignoring fmin definition" in caplog.messages


@pytest.mark.parametrize("where", ["constructor", "fmin"])
def test_a_loss_threshold_ends_the_search(where: str) -> None:
    limit = {"loss_threshold": 1.0}
    trials = SparkTrials(1, executor="inline", **(limit if where == "constructor" else {}))  # type: ignore[arg-type]
    searched(lambda point: abs(point["x"]), max_evals=None, trials=trials, **(limit if where == "fmin" else {}))
    losses = [loss for loss in trials.losses() if loss is not None]
    assert losses[-1] <= 1.0 < min([9.0, *losses[:-1]])
    assert trials.fmin_cancelled_reason is None


def test_limits_that_are_infinite_are_none() -> None:
    _, trials = searched(timeout=float("inf"), loss_threshold=float("-inf"))
    assert len(trials) == 6
    _, trials = searched(loss_threshold=float("inf"))
    assert trials.count_successful_trials() == 1


def test_ctrl_c_ends_the_search_and_keeps_what_ended(caplog: pytest.LogCaptureFixture) -> None:
    driver = os.getpid()

    def interrupts(point: dict[str, Any]) -> float:
        if point["steps"] == 3:
            os.kill(driver, signal.SIGINT)
            time.sleep(600)
        return float(point["steps"])

    points = [{"x": 0.0, "kind": 0, "steps": steps} for steps in range(5)]
    trials = SparkTrials(1, executor="processes", points_to_evaluate=points)
    with pytest.raises(KeyboardInterrupt):
        searched(interrupts, max_evals=5, trials=trials)
    assert trials.fmin_cancelled_reason == "fmin run cancelled by user"
    assert "fmin(...) with the same Trials goes on" in caplog.text
    assert trials.losses() == [0.0, 1.0, 2.0]
    assert [one["state"] for one in trials._dynamic_trials] == [JOB_STATE_DONE] * 3 + [JOB_STATE_CANCEL] * 2
    searched(max_evals=5, trials=trials)
    assert (len(trials), trials.fmin_cancelled_reason) == (5, None)


# ------------------------------------------------------------------------------------------ points, bar, file


def test_points_come_first_and_count_among_the_evaluations() -> None:
    points = [{"x": 1.0, "kind": 0, "steps": 2}, {"x": -1.0, "kind": 1, "bend": 0.25, "steps": 0}]
    _, trials = searched(
        max_evals=5,
        algo=partial(tpe.suggest, n_startup_jobs=2),
        trials=SparkTrials(1, executor="inline", points_to_evaluate=points),
    )
    assert trials.losses()[:2] == [0.0 + 5 + 2, 4.0 + 0.25]
    assert len(trials) == 5
    assert trials.trials[0]["misc"]["vals"] == {"x": [1.0], "kind": [0], "steps": [2], "bend": []}


def test_points_that_are_no_list_are_refused() -> None:
    with pytest.raises(AssertionError, match="; allowed is a list of dictionaries of values by label"):
        SparkTrials(executor="inline", points_to_evaluate={"x": 1})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [3, -1, "round"])
def test_a_point_with_an_option_that_is_not_there_is_refused_before_anything_starts(kind: object, home: Path) -> None:
    trials = SparkTrials(1, executor="inline", points_to_evaluate=[{"x": 1.0, "kind": kind, "steps": 2}])
    with pytest.raises(ValueError, match=f"'kind' is {kind!r}; allowed is the index of an option, from 0 to 2"):
        searched(trials=trials)
    assert not (home / "journal").exists()


def test_the_bar_of_the_user_is_advanced() -> None:
    seen: list[object] = []

    @contextmanager
    def bar(initial: int, total: int) -> Any:
        class Bar:
            postfix = ""

            def update(self, count: int) -> None:
                seen.append((count, self.postfix))

        seen.append((initial, total))
        yield Bar()

    _, trials = searched(max_evals=3, show_progressbar=bar)
    losses = trials.losses()
    wanted = [(1, f"best loss: {min(losses[:n])}") for n in (1, 2, 3)]
    assert seen == [(0, 3), *wanted]


def test_the_bar_of_hyperopt_is_drawn_unless_it_is_not_wanted(capfd: pytest.CaptureFixture[str]) -> None:
    searched(max_evals=3, show_progressbar=True)
    assert "3/3" in capfd.readouterr().out
    searched(max_evals=3, show_progressbar=True, verbose=False)
    assert capfd.readouterr().out == ""


def test_trials_are_saved_and_loaded(tmp_path: Path) -> None:
    file = str(tmp_path / "trials.pkl")
    given: dict[str, Any] = {"trials_save_file": file, "executor": "inline", "show_progressbar": False}
    fmin(parabola, SPACE, rand.suggest, 3, **given)
    saved = pickle.loads(Path(file).read_bytes())
    assert (type(saved), len(saved)) == (Trials, 3)
    fmin(parabola, SPACE, rand.suggest, 5, **given)
    assert len(pickle.loads(Path(file).read_bytes())) == 5


def test_trials_can_be_pickled_and_go_on() -> None:
    _, trials = searched(max_evals=2)
    again = pickle.loads(pickle.dumps(trials))
    searched(max_evals=4, trials=again)
    assert again.losses()[:2] == trials.losses()
    assert len(again) == 4


# ------------------------------------------------------------------------------------------ wrong arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"timeout": -1}, "The timeout argument should be None or a positive value. Given value: -1"),
        ({"timeout": True}, "The timeout argument should be None or a positive value. Given value: True"),
        ({"timeout": "4"}, "The timeout argument should be None or a positive value. Given value: 4"),
        ({"loss_threshold": "a"}, "The loss_threshold argument should be None or a numeric value. Given value: a"),
        ({"loss_threshold": False}, "The loss_threshold argument should be None or a numeric value. Given value: Fal"),
    ],
)
def test_wrong_limits_are_refused_in_hyperopt_s_words(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(Exception, match=said) as ours:
        SparkTrials(executor="inline", **arguments)
    with pytest.raises(Exception, match=said) as in_fmin:
        searched(**arguments)
    assert type(ours.value) is type(in_fmin.value) is Exception


@pytest.mark.parametrize("argument", ["pass_expr_memo_ctrl", "catch_eval_exceptions"])
def test_what_spark_trials_do_not_support_is_refused(argument: str) -> None:
    with pytest.raises(AssertionError, match=f"SparkTrials does not support `{argument}`"):
        searched(**{argument: True})


def test_a_label_that_comes_twice_is_refused() -> None:
    with pytest.raises(DuplicateLabel):
        searched(space={"a": hp.uniform("x", 0, 1), "b": hp.uniform("x", 0, 1)})


def test_an_unknown_executor_is_refused() -> None:
    with pytest.raises(SpecError, match="executor is 'moon'; allowed are auto"):
        fmin(parabola, SPACE, rand.suggest, 1, executor="moon", show_progressbar=False)


def test_a_session_that_was_stopped_is_refused_under_its_own_name() -> None:
    stopped: Any = SimpleNamespace(_sc=SimpleNamespace(_jsc=None))
    with pytest.raises(SetupError, match="the Spark session given as spark_session= was stopped"):
        SparkTrials(2, spark_session=stopped)


def test_the_constructor_has_hyperopt_s_arguments_in_its_order() -> None:
    def given(kind: type) -> list[tuple[str, object]]:
        parameters = inspect.signature(kind).parameters.values()
        return [(one.name, one.default) for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]

    assert given(SparkTrials) == given(hyperopt.SparkTrials)
    assert issubclass(SparkTrials, hyperopt.SparkTrials)
    named = vars(hyperopt.SparkTrials).keys() - {"__module__", "__doc__"}
    assert all(hasattr(SparkTrials, name) for name in named)


def test_parallelism_without_spark_is_that_of_this_host() -> None:
    assert SparkTrials(executor="processes").parallelism == os.cpu_count()
    assert SparkTrials(0, executor="inline").parallelism == 1
    three = SparkTrials(3, executor="processes")
    assert (three.parallelism, three.user_specified_parallelism) == (3, 3)


class OnCluster:
    """A session that says what its master is."""

    def __init__(self) -> None:
        self.conf = {"spark.master": "spark://elsewhere:7077"}


def profile(requests: TaskResourceRequests) -> ResourceProfile:
    return ResourceProfileBuilder().require(requests).build


def test_a_resource_profile_says_what_a_slot_has(caplog: pytest.LogCaptureFixture) -> None:
    asked = TaskResourceRequests().cpus(2).resource("gpu", 1)
    assert resources_of(profile(asked), OnCluster()) == Resources(cpus=2, gpus=1)  # type: ignore[arg-type]
    assert resources_of(None, OnCluster()) == Resources()  # type: ignore[arg-type]
    assert caplog.messages == []
    assert resources_of(profile(asked), None) == Resources()
    (said,) = caplog.messages
    assert "SparkTrials was constructed with a ResourceProfile, but this executor does not support" in said


@pytest.mark.parametrize(("name", "amount"), [("fpga", 1), ("gpu", 0.5)])
def test_what_a_slot_cannot_have_is_refused(name: str, amount: float) -> None:
    asked = TaskResourceRequests().resource(name, amount)
    with pytest.raises(
        ValueError, match=f"requests .*'{name}': {amount}.* for a task; allowed are whole numbers of cpus"
    ):
        resources_of(profile(asked), OnCluster())  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------ fmin


def test_fmin_takes_plain_trials_and_gives_what_hyperopt_gives() -> None:
    own, trials = Trials(), Trials()
    given: dict[str, Any] = {"algo": rand.suggest, "max_evals": 6, "show_progressbar": False}
    theirs = hyperopt.fmin(parabola, SPACE, trials=own, rstate=np.random.default_rng(3), **given)
    ours = fmin(parabola, SPACE, trials=trials, rstate=np.random.default_rng(3), executor="inline", **given)
    assert (ours, facts(trials)) == (theirs, facts(own))


def test_the_module_takes_the_place_of_hyperopt() -> None:
    from sparkml_track.frontdoors import hyperopt as ours

    best = ours.fmin(
        fn=parabola,
        space=SPACE,
        algo=ours.tpe.suggest,
        max_evals=4,
        trials=ours.SparkTrials(executor="inline"),
        show_progressbar=False,
    )
    assert set(best) >= {"x", "kind", "steps"}
    assert (ours.hp, ours.STATUS_OK, ours.space_eval) == (hp, STATUS_OK, space_eval)
    with pytest.raises(AttributeError, match="'bayes'"):
        ours.bayes  # noqa: B018


def test_fmin_passes_points_on() -> None:
    trials = SparkTrials(1, executor="inline")
    points = [{"x": 0.5, "kind": 0, "steps": 0}]
    given: dict[str, Any] = {"algo": rand.suggest, "max_evals": 2, "show_progressbar": False}
    fmin(parabola, SPACE, trials=trials, points_to_evaluate=points, **given)
    assert (trials.losses()[0], len(trials)) == (0.25 + 5, 2)
    fmin(parabola, SPACE, points_to_evaluate=points, executor="inline", **given)


class OfMine(Exception):
    """Defined where the driver can import it."""


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_fmin_raises_what_the_function_raises(executor: str) -> None:
    def raises(point: dict[str, Any]) -> float:
        raise OfMine("seven", 7)

    trials = Trials()
    with pytest.raises(OfMine) as caught:
        fmin(raises, SPACE, rand.suggest, 5, trials=trials, executor=executor, parallelism=1, show_progressbar=False)
    assert caught.value.args == ("seven", 7)
    assert any("raise OfMine" in note for note in caught.value.__notes__)
    assert trials._dynamic_trials[0]["state"] == JOB_STATE_ERROR


def test_fmin_goes_on_after_exceptions_if_it_is_told_to() -> None:
    trials = Trials()
    answer = fmin(
        lambda point: 1 / 0, SPACE, rand.suggest, 4, trials=trials, executor="inline", catch_eval_exceptions=True,
        return_argmin=False, show_progressbar=False,
    )  # fmt: skip
    assert answer is None
    assert [one["state"] for one in trials._dynamic_trials] == [JOB_STATE_ERROR] * 4


def test_fmin_refuses_trials_that_others_execute() -> None:
    class Elsewhere(Trials):
        asynchronous = True

    with pytest.raises(TypeError, match="trials is a Elsewhere; allowed are None, Trials"):
        fmin(parabola, SPACE, rand.suggest, 1, trials=Elsewhere())
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_eval'"):
        fmin(parabola, SPACE, max_eval=1)


# ------------------------------------------------------------------------------------------ what is tracked


def test_parent_and_child_runs_have_the_ordinary_shape(home: Path) -> None:
    def mixed(point: dict[str, Any]) -> float:
        if point["steps"] == 4:
            raise ValueError("four")
        return parabola(point)

    _, trials = searched(mixed, max_evals=10, algo=partial(rand.suggest))
    result = trials.sweep_result
    assert result is not None
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    parent = client.get_run(result.run_id)
    assert parent.info.status == "FINISHED"
    assert (parent.data.tags[schema.TAG_KIND], parent.data.tags[schema.TAG_SWEEP]) == ("sweep", result.sweep)
    assert parent.data.params["sampler"] == "hyperopt: hyperopt.rand.suggest()"
    assert parent.data.metrics["trials_finished"] == trials.count_successful_trials()
    children = client.search_runs([result.experiment_id], f"tags.`{schema.TAG_PARENT}` = '{result.run_id}'")
    found = {int(run.data.tags[schema.TAG_NUMBER]): run for run in children}
    assert sorted(found) == trials_of(trials)
    for document in trials._dynamic_trials:
        run = found[document["tid"]]
        state = "finished" if document["state"] == JOB_STATE_DONE else "failed"
        assert run.data.tags[schema.TAG_STATE] == state
        assert run.data.tags[schema.TAG_KEY] == f"{result.sweep}/{document['tid']}"
        assert run.data.metrics.get("loss") == document["result"].get("loss")
        assert run.data.params == recorded(document["misc"]["vals"])
        assert client.list_artifacts(run.info.run_id) == []


def trials_of(trials: Trials) -> list[int]:
    return [one["tid"] for one in trials._dynamic_trials]


def recorded(vals: dict[str, list[Any]]) -> dict[str, str]:
    """As a person expects it in MLflow: a choice by its option's value."""
    kind = ({"kind": "round"}, {"kind.shape": "bent", "bend": str(*map(float, vals["bend"]))}, {"kind": "None"})
    return {"x": str(float(vals["x"][0])), "steps": str(int(vals["steps"][0])), **kind[vals["kind"][0]]}


def test_an_active_run_is_the_parent_of_the_search(home: Path) -> None:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
    try:
        with mlflow.start_run() as run:
            _, trials = searched(max_evals=2)
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    assert trials.sweep_result is not None
    parent = MlflowClient(f"sqlite:///{home}/mlflow.db").get_run(trials.sweep_result.run_id)
    assert parent.data.tags[schema.TAG_PARENT] == run.info.run_id
    assert parent.info.experiment_id == run.info.experiment_id
