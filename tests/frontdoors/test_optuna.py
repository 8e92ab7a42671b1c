"""The Optuna door beside ``study.optimize``: the same trials, and how a search ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from sparkml_track import schema
from sparkml_track.engine.loop.doorkeeper import Replied
from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.errors import SetupError, SparkmlError, SpecError
from sparkml_track.executors import Questioned
from sparkml_track.frontdoors._optuna.conversation import Conversation
from sparkml_track.frontdoors._optuna.dead_drivers import own_mark
from sparkml_track.frontdoors._optuna.failures import failure_of
from sparkml_track.frontdoors.optuna import optimize
from sparkml_track.trial import Attempt, Trial, Unit

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")]
UNTRACKED = Tracking(uri="memory:", child_runs="none")


@pytest.fixture(autouse=True)
def quiet_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    return home


def searched(study: optuna.Study, objective: Any, n_trials: int | None = 6, **given: Any) -> optuna.Study:
    """The study after our ``optimize``, in this process and untracked unless told otherwise."""
    optimize(study, objective, n_trials, **{"executor": "inline", "tracking": UNTRACKED, **given})
    return study


def facts(study: optuna.Study) -> list[tuple[object, ...]]:
    """What the trials of a study say, but for the times."""
    return [
        (one.number, one.state, one.values, one.params, one.distributions, one.user_attrs, one.intermediate_values)
        for one in study.trials
    ]


def conditional(trial: Any) -> float:
    """Of a space that changes from trial to trial, with everything that a trial can do."""
    x = trial.suggest_float("x", -5, 5)
    layers = trial.suggest_int("layers", 1, 3)
    widths = [trial.suggest_int(f"width{at}", 4, 64, log=True) for at in range(layers)]
    kind = trial.suggest_categorical("kind", ["round", None, 3, True])
    bend = (
        trial.suggest_float("bend", 0, 1, step=0.25) if kind == "round" else trial.suggest_float("y", 1e-5, 1, log=True)
    )
    assert trial.suggest_float("x", -5, 5) == x
    trial.set_user_attr("widths", widths)
    if trial.number == 7:
        raise ValueError("seven")
    if trial.number == 9:
        return float("nan")
    for step in range(4):
        trial.report(x**2 + bend + layers / (step + 1), step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return x**2 + bend + sum(widths) / 100


# ------------------------------------------------------------------------------------- the same as study.optimize


SAMPLERS = {
    "tpe": lambda: optuna.samplers.TPESampler(seed=3, n_startup_trials=4),
    "independent": lambda: optuna.samplers.TPESampler(seed=3, n_startup_trials=4, multivariate=False),
    "random": lambda: optuna.samplers.RandomSampler(seed=3),
    "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=3, n_startup_trials=2, warn_independent_sampling=False),
    "fixed": lambda: optuna.samplers.PartialFixedSampler({"layers": 2}, optuna.samplers.RandomSampler(seed=3)),
}
PRUNERS = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=2),
    "halving": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=4),
}


@pytest.mark.parametrize(
    ("sampler", "pruner", "executor"),
    [
        ("tpe", "median", "processes"),
        ("tpe", "hyperband", "inline"),
        ("independent", "median", "inline"),
        ("random", "halving", "inline"),
        ("cmaes", "median", "inline"),
        ("fixed", "median", "inline"),
    ],
)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_one_seed_gives_the_trials_of_optuna_itself(sampler: str, pruner: str, executor: str, direction: str) -> None:
    if sampler == "cmaes":
        pytest.importorskip("cmaes")
    studies = []
    for _ in range(2):
        # Hyperband goes by the name.
        study = optuna.create_study(
            sampler=SAMPLERS[sampler](), pruner=PRUNERS[pruner](), direction=direction, study_name="one"
        )
        study.enqueue_trial({"x": 1, "kind": "round", "bend": 0.5}, user_attrs={"mine": True})
        studies.append(study)
    studies[0].optimize(conditional, 20, catch=(ValueError,))
    searched(studies[1], conditional, 20, n_jobs=1, executor=executor, catch=(ValueError,))
    assert facts(studies[1]) == facts(studies[0])
    assert {TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED} == {one.state for one in studies[1].trials}


@pytest.mark.filterwarnings("ignore:`constraints_func` has been deprecated:FutureWarning")
def test_several_objectives_with_constraints_and_names() -> None:
    def objective(trial: Any) -> tuple[float, float]:
        x, y = trial.suggest_float("x", 0, 5), trial.suggest_float("y", 0, 3)
        trial.set_user_attr("constraint", (x - 5) ** 2 + y**2 - 25)
        return 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2

    def make() -> optuna.Study:
        sampler = optuna.samplers.NSGAIISampler(
            seed=1, population_size=5, constraints_func=lambda trial: (trial.user_attrs["constraint"],)
        )
        study = optuna.create_study(directions=["minimize", "maximize"], sampler=sampler)
        study.set_metric_names(["cost", "gain"])
        return study

    ours, own = make(), make()
    own.optimize(objective, 15)
    result = optimize(ours, objective, 15, n_jobs=1, executor="inline", tracking=UNTRACKED)
    assert facts(ours) == facts(own)
    assert result is not None and {*result.trials[0].metrics} == {"cost", "gain"}


def test_a_trial_has_what_optunas_has() -> None:
    seen: dict[str, Any] = {}

    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        trial.set_user_attr("note", {"of": [1, None]})
        trial.set_constraint("weight", -1)
        seen.update(params=trial.params, distributions=trial.distributions, attrs=trial.user_attrs, number=trial.number)
        seen.update(start=trial.datetime_start, constraints=trial.constraints, relative=trial.relative_params)
        seen["is a trial"] = isinstance(trial, optuna.trial.BaseTrial)
        with pytest.raises(AttributeError, match="the study is on the driver"):
            trial.study  # noqa: B018
        with pytest.warns(FutureWarning, match="suggest_float"):
            trial.suggest_loguniform("old", 0.1, 1)
        return float(x)

    study = optuna.create_study()
    study.enqueue_trial({"x": 0.5})
    searched(study, objective, 1)
    (trial,) = study.trials
    assert seen["params"] == {"x": 0.5} and seen["distributions"] == {"x": FloatDistribution(0, 1)}
    assert seen["attrs"] == trial.user_attrs == {"note": {"of": [1, None]}}
    assert (seen["number"], seen["start"], seen["is a trial"]) == (0, trial.datetime_start, True)
    assert seen["constraints"] == trial.constraints == {"weight": -1.0}
    assert set(trial.params) == {"x", "old"}


@pytest.mark.parametrize("wrong", [lambda t: t.suggest_float("x", 2, 1), lambda t: t.suggest_int("x", 0, 5, log=True),
                                   lambda t: t.suggest_categorical("x", []), lambda t: t.report("a", 1),
                                   lambda t: t.report(1.0, -1),
                                   lambda t: (t.suggest_float("x", 0, 1), t.suggest_int("x", 0, 1))])  # fmt: skip
def test_what_optuna_refuses_is_refused_in_its_words(wrong: Any) -> None:
    own, ours = optuna.create_study(), optuna.create_study()
    with pytest.raises(Exception) as expected:  # noqa: PT011
        own.optimize(wrong, 1)
    with pytest.raises(type(expected.value)) as got:
        searched(ours, wrong, 1)
    assert str(got.value) == str(expected.value)
    assert [one.state for one in ours.trials] == [one.state for one in own.trials] == [TrialState.FAIL]


def test_choices_that_cannot_travel_are_refused_with_a_way_out() -> None:
    with pytest.raises(TypeError, match=r"is a builtin_function_or_method; allowed are .* suggest a name"):
        searched(optuna.create_study(), lambda trial: trial.suggest_categorical("f", [max, min]), 1)


@pytest.mark.parametrize("returned", [None, "text", float("nan"), (1.0, 2.0), []])
def test_what_is_no_value_fails_the_trial_and_the_search_goes_on(
    returned: object, caplog: pytest.LogCaptureFixture
) -> None:
    own, ours = optuna.create_study(), optuna.create_study()
    own.optimize(lambda _: returned, 2)
    searched(ours, lambda _: returned, 2)
    assert facts(ours) == facts(own)
    assert [one.state for one in ours.trials] == [TrialState.FAIL] * 2


# ------------------------------------------------------------------------------------------------- how it ends


class Mine(LookupError):
    pass


def test_an_exception_ends_the_search_and_is_raised_with_the_traceback_of_the_slot() -> None:
    def objective(trial: Any) -> float:
        if trial.number == 2:
            raise KeyError("no such thing")
        return 1.0

    study = optuna.create_study()
    with pytest.raises(KeyError, match="no such thing") as caught:
        searched(study, objective, 9, n_jobs=1, executor="processes")
    assert "in objective" in caught.value.__notes__[0]
    assert [one.state.name for one in study.trials] == ["COMPLETE", "COMPLETE", "FAIL"]


def test_an_exception_of_a_class_of_the_users_is_raised_as_its_nearest_base_and_caught_by_name() -> None:
    def objective(trial: Any) -> float:
        raise Mine("own")

    with pytest.raises(LookupError, match="Mine: own"):
        searched(optuna.create_study(), objective, 3)
    assert len(searched(optuna.create_study(), objective, 3, catch=Mine).trials) == 3
    assert len(searched(optuna.create_study(), objective, 3, catch=[LookupError]).trials) == 3


def test_an_exception_that_cannot_be_made_anew_is_an_error_that_says_so() -> None:
    class Odd(Exception):
        pass

    def objective(trial: Any) -> float:
        raise Odd("very")

    with pytest.raises(SparkmlError, match=r"trial 0 raised .*Odd: very; .*`catch` takes the class itself"):
        searched(optuna.create_study(), objective, 3)


def test_a_callback_stops_the_search_and_what_it_raises_is_raised() -> None:
    seen: list[int] = []

    def stop_at_three(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        seen.append(trial.number)
        if trial.number == 3:
            study.stop()

    study = searched(
        optuna.create_study(), lambda trial: trial.suggest_float("x", 0, 1), None, callbacks=[stop_at_three]
    )
    assert seen == [0, 1, 2, 3] == [one.number for one in study.trials]
    most = optuna.study.MaxTrialsCallback(6, states=(TrialState.COMPLETE,))
    assert len(searched(study, lambda trial: 1.0, None, callbacks=[most]).trials) == 6

    def raises(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        raise OSError("mine")

    with pytest.raises(OSError, match="mine"):
        searched(study, lambda trial: 1.0, None, callbacks=[raises])
    assert len(study.trials) == 7 and study.trials[-1].state is TrialState.COMPLETE


def test_a_grid_ends_by_itself() -> None:
    study = optuna.create_study(sampler=optuna.samplers.GridSampler({"x": [1, 2, 3]}, seed=1))
    searched(study, lambda trial: trial.suggest_int("x", 1, 3), None)
    assert sorted(one.params["x"] for one in study.trials) == [1, 2, 3]


def test_a_timeout_starts_no_more_and_lets_end_what_runs() -> None:
    study = optuna.create_study()

    def slow(trial: Any) -> float:
        time.sleep(0.3)
        return 1.0

    searched(study, slow, None, timeout=0.2)
    assert [one.state for one in study.trials] == [TrialState.COMPLETE]


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_an_interrupt_is_raised_and_leaves_no_trial_running(executor: str, tmp_path: Path) -> None:
    study = optuna.create_study()

    def objective(trial: Any) -> float:
        trial.suggest_float("x", 0, 1)
        if trial.number == 1:
            (tmp_path / "there").touch()
            time.sleep(2 if executor == "inline" else 60)
        return 1.0

    def interrupt() -> None:
        while not (tmp_path / "there").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        searched(study, objective, None, n_jobs=1, executor=executor)
    assert [one.state.name for one in study.trials] == ["COMPLETE", "FAIL"]


def test_a_crash_fails_its_trial_alone(caplog: pytest.LogCaptureFixture) -> None:
    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        if trial.number == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        if trial.number == 2:
            time.sleep(60)
        return float(x)

    study = searched(optuna.create_study(), objective, 4, n_jobs=1, executor="processes", trial_timeout=0.5)
    assert [one.state.name for one in study.trials] == ["COMPLETE", "FAIL", "FAIL", "COMPLETE"]
    assert all("x" in one.params for one in study.trials)
    assert "Trial 1 failed with parameters" in caplog.text


def test_a_lost_worker_does_not_cost_the_trial_which_gets_the_same_values(tmp_path: Path) -> None:
    def objective(trial: Any) -> float:
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        for step in range(4):
            trial.report(x + step, step)
            trial.should_prune()
            if trial.number == 1 and step == 2 and not (tmp_path / "died").exists():
                (tmp_path / "died").write_text(repr((x, y)))
                os.kill(os.getppid(), signal.SIGKILL)  # the template: the worker goes with it
                time.sleep(60)
        if trial.number == 1:
            (tmp_path / "again").write_text(repr((x, y)))
        return float(x)

    def make() -> optuna.Study:
        return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=2))

    own, ours = make(), make()
    result = optimize(ours, objective, 5, n_jobs=1, executor="processes", tracking=UNTRACKED)
    assert (tmp_path / "died").read_text() == (tmp_path / "again").read_text()
    own.optimize(objective, 5)
    assert facts(ours) == facts(own)
    assert result is not None and [one.attempts for one in result.trials] == [1, 2, 1, 1, 1]


def test_nested_calls_and_wrong_arguments_are_refused_before_anything_starts() -> None:
    study = optuna.create_study()
    with pytest.raises(SpecError) as caught:
        optimize("study", len, n_jobs=0, catch=[3], executor="jobs")  # type: ignore[arg-type,list-item]
    assert len(caught.value.problems) == 4
    assert "cannot ask the driver" in str(caught.value)
    assert optimize(study, lambda trial: 1.0, 0) is None

    def again(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        searched(study, lambda trial: 1.0, 1)

    with pytest.raises(RuntimeError, match="Nested invocation"):
        searched(study, lambda trial: 1.0, 1, callbacks=[again])
    assert len(searched(study, lambda trial: 1.0, 1).trials) == 2


def test_spark_connect_is_refused_with_what_works() -> None:
    session = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})()
    with pytest.raises(SetupError, match=r"Spark Connect cannot carry; pass a session .*'optuna-tpe'"):
        optimize(optuna.create_study(), lambda trial: 1.0, 3, spark=session)


# ------------------------------------------------------------------------------------------- what is recorded


def test_the_sweep_is_tracked_with_the_params_of_each_trial(quiet_home: Path) -> None:
    study = optuna.create_study(study_name="prices", pruner=optuna.pruners.ThresholdPruner(upper=15))

    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", -5, 5)
        kind = trial.suggest_categorical("kind", ["a", "b"])
        y = trial.suggest_int(kind, 1, 3)
        trial.report(x**2, 0)
        if trial.should_prune():
            raise optuna.TrialPruned("high")
        return x**2 + y

    result = optimize(study, objective, 8, executor="inline")
    assert result is not None
    client = MlflowClient(f"sqlite:///{quiet_home}/mlflow.db")
    parent = client.get_run(result.run_id)
    assert parent.info.status == "FINISHED" and parent.data.params["sampler"] == "optuna: TPESampler"
    assert client.get_experiment(result.experiment_id).name == "prices"
    runs = client.search_runs([result.experiment_id], f"tags.`{schema.TAG_KIND}` = 'trial'")
    runs = sorted(runs, key=lambda run: int(run.data.tags[schema.TAG_NUMBER]))
    assert [run.data.params for run in runs] == [
        {name: str(value) for name, value in one.params.items()} for one in study.trials
    ]
    states = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
    assert [states[run.data.tags[schema.TAG_STATE]] for run in runs] == [one.state for one in study.trials]
    assert [run.data.metrics["value"] for run in runs] == pytest.approx([one.value for one in study.trials])
    assert result.best_params == study.best_params


# ------------------------------------------------------------------------------------ what else Optuna documents


@pytest.mark.filterwarnings("ignore:.optuna.terminator. module has been deprecated:FutureWarning")
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_scores_of_folds_reach_the_terminator(executor: str) -> None:
    def objective(trial: Any) -> float:
        from optuna.terminator import report_cross_validation_scores

        scores = [trial.suggest_float("x", 0, 1) + fold for fold in range(3)]
        report_cross_validation_scores(trial, scores)
        return sum(scores) / 3

    study = optuna.create_study()
    searched(study, objective, 2, executor=executor)
    for trial in study.trials:
        assert trial.system_attrs["terminator:cv_scores"] == [trial.params["x"] + fold for fold in range(3)]


def test_a_trial_in_a_slot_takes_nothing_else_for_the_storage() -> None:
    def objective(trial: Any) -> float:
        with pytest.raises(AttributeError, match="the study's storage is on the driver"):
            trial.storage.set_trial_system_attr(trial._trial_id, "fixed_params", {"x": 3})
        with pytest.raises(AttributeError, match="the study's storage is on the driver"):
            trial.storage.get_all_trials(0)
        return 1.0

    study = optuna.create_study()
    searched(study, objective, 1)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE]


def test_a_callback_of_optuna_bounds_the_trials_and_given_ones_count() -> None:
    study = optuna.create_study()
    given = {"x": FloatDistribution(0, 1)}
    study.add_trial(optuna.trial.create_trial(params={"x": 0.5}, distributions=given, value=0.5))
    study.enqueue_trial({"x": 0.25}, user_attrs={"note": "mine"}, skip_if_exists=True)
    enough = optuna.study.MaxTrialsCallback(4, states=(TrialState.COMPLETE,))
    searched(study, lambda trial: trial.suggest_float("x", 0, 1), 50, callbacks=[enough], n_jobs=1)
    assert len(study.trials) == 4
    assert (study.trials[1].params, study.trials[1].user_attrs) == ({"x": 0.25}, {"note": "mine"})


def test_every_point_is_tried_once_by_brute_force() -> None:
    study = optuna.create_study(sampler=optuna.samplers.BruteForceSampler())
    searched(study, lambda trial: trial.suggest_int("x", 0, 3) + trial.suggest_categorical("y", [1, 2]), None)
    assert sorted((trial.params["x"], trial.params["y"]) for trial in study.trials) == [
        (x, y) for x in range(4) for y in (1, 2)
    ]


# ---------------------------------------------------------------------------------- what is left by dead drivers


SCRIPT = """
import os, signal, sys, time, optuna
from sparkml_track.frontdoors.optuna import optimize

def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    y = trial.suggest_float("y", 0, 1)
    if trial.number == 3:
        os.kill({driver}, signal.SIGKILL)
        time.sleep(60)
    return x + y

study = optuna.create_study(storage=sys.argv[1], study_name="s", load_if_exists=True)
objective.__globals__["driver"] = None
optimize(study, objective, n_trials=6, n_jobs=1, executor="processes")
"""


@pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning")
def test_a_study_goes_on_after_its_driver_was_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    script, storage = tmp_path / "search.py", f"sqlite:///{tmp_path}/study.db"
    script.write_text(
        SCRIPT.replace("{driver}", "DRIVER").replace("import os,", "import os; DRIVER = os.getpid()\nimport os,")
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    died = subprocess.run([sys.executable, str(script), storage], env=environment, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    study = optuna.load_study(study_name="s", storage=storage)
    assert [one.state.name for one in study.trials] == ["COMPLETE"] * 3 + ["RUNNING"]
    left = study.trials[3].params

    def objective(trial: Any) -> float:
        return float(trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1))

    searched(study, objective, 3)
    assert [one.state.name for one in study.trials] == ["COMPLETE"] * 3 + ["FAIL"] + ["COMPLETE"] * 3
    assert study.trials[4].params == left
    assert "trials 3 were left running by a driver that is gone" in caplog.text


def test_what_lives_and_what_others_have_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/study.db")
    unmarked, elsewhere, mine, lives = study.ask(), study.ask(), study.ask(), study.ask()
    study._storage.set_trial_system_attr(lives._trial_id, schema.ATTR_DRIVER, own_mark())
    study._storage.set_trial_system_attr(elsewhere._trial_id, schema.ATTR_DRIVER, {"host": "b", "pid": 1, "start": "1"})
    searched(study, lambda trial: 1.0, 1)
    assert [study.trials[one.number].state for one in (unmarked, elsewhere, mine, lives)] == [TrialState.RUNNING] * 4
    assert "trials 1 run under drivers on other hosts" in caplog.text


@pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning")
def test_heartbeats_are_kept_where_the_storage_wants_them(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/study.db", heartbeat_interval=1, grace_period=2)
    study = optuna.create_study(storage=storage)
    before = threading.active_count()
    searched(study, lambda trial: trial.suggest_float("x", 0, 1), 2)
    assert [one.state for one in study.trials] == [TrialState.COMPLETE] * 2
    assert storage._get_stale_trial_ids(study._study_id) == []
    assert threading.active_count() <= before


# ------------------------------------------------------------------------------------------- what slots may say


RUBBISH = [
    "", "no JSON", "3", "[]", "[[]]", '["nothing"]', '["suggest"]', '["suggest", 3, 4]', '["suggest", "x", "[]"]',
    '["suggest", "x", "{\\"name\\": \\"UniformDistribution\\", \\"attributes\\": {\\"low\\": 0, \\"high\\": 1}}"]',
    '["suggest", "x", "{\\"name\\": \\"FloatDistribution\\", \\"attributes\\": {\\"low\\": \\"a\\", \\"high\\": 1}}"]',
    '["suggest", "x", "{\\"name\\": \\"CategoricalDistribution\\", \\"attributes\\": {\\"choices\\": [[1]]}}"]',
    '["suggest", "x", "{\\"name\\": \\"CategoricalDistribution\\", \\"attributes\\": {\\"choices\\": {}}}"]',
    '["scores", 3]', '["scores", ["a"]]', '["scores", [true]]', '["scores", []]',
    '["attr", 3, 4]', '["attr", "' + "x" * 501 + '", 4]', '["constraint", "c", "a"]', '["prune", "x"]', "[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("body", RUBBISH, ids=range(len(RUBBISH)))
@pytest.mark.parametrize("waits", [True, False])
def test_rubbish_is_answered_with_an_error_and_changes_nothing(body: str, waits: bool) -> None:
    study = optuna.create_study()
    conversation = Conversation(lambda _: study.ask(), ("value",))
    attempt = Attempt(Trial(0, {}), Unit(0))
    conversation.along(attempt)
    replied = conversation.question(attempt, Questioned("0.0.1", 1, body, waits))
    assert replied == Replied(replied.body) and '"error"' in replied.body
    assert (conversation.running[0].error is None) is waits
    assert (study.trials[0].params, study.trials[0].user_attrs) == ({}, {})


@pytest.mark.parametrize("said", [None, 3, {}, {"names": 3}, {"names": [3, "builtins.exit", "builtins.SystemExit"]},
                                  {"names": ["builtins.UnicodeDecodeError", "builtins.ValueError"]}])  # fmt: skip
def test_any_word_on_a_failure_gives_an_exception_of_python(said: object) -> None:
    assert type(failure_of(said).exception(0)) in (SparkmlError, ValueError)


def test_a_note_that_optuna_refuses_fails_the_trial() -> None:
    def objective(trial: Any) -> float:
        trial.set_user_attr("x" * 1000, 1)
        return 1.0

    study = optuna.create_study()
    with pytest.raises(ValueError, match="allowed is text of at most 500 characters"):
        searched(study, objective, 2)
    assert [one.state for one in study.trials] == [TrialState.FAIL]
