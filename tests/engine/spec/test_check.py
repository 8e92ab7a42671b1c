from __future__ import annotations

import math
from dataclasses import MISSING, fields
from inspect import Parameter, signature

import numpy as np
import pytest

import sparkml_track as st
from sparkml_track.config.settings import SweepSettings, TrackingSettings
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.check import check
from sparkml_track.engine.spec.spec import Failures, Tracking, new_sweep_id
from sparkml_track.errors import SpecError
from sparkml_track.executors import Resources
from sparkml_track.samplers import Capabilities, Sampler


def objective(trial: object) -> float:
    return 0.0


GOOD: dict[str, object] = {"objective": objective, "space": {"x": st.uniform(0, 1)}, "max_trials": 10}


def test_a_sweep_is_named_after_its_objective_and_its_seed_is_drawn() -> None:
    spec = check(SweepArguments(**GOOD))
    assert (spec.name, spec.experiment) == ("objective", "objective")
    assert 0 <= spec.seed < 2**31


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objective": 3}, "objective is 3 (int); allowed is a function of one argument"),
        ({"objective": lambda: 0.0}, "cannot be called with one argument"),
        ({"objective": lambda a, b: 0.0}, "cannot be called with one argument"),
        ({"space": [1]}, "space is a list"),
        ({"space": {"x": st.uniform}}, "space:"),
        ({"max_trials": 0}, "max_trials is 0"),
        ({"tracking": st.Tracking(nested="some")}, "nested is 'some'; allowed are 'keep', 'merge', 'refuse'"),
        (
            {"tracking": st.Tracking(slot_hour_price=-0.5)},
            "slot_hour_price is -0.5; allowed is a number of at least 0, or None",
        ),
        ({"tracking": st.Tracking(slot_hour_price=math.nan)}, "slot_hour_price is nan"),
        ({"tracking": st.Tracking(slot_hour_price="1")}, "slot_hour_price is '1'"),
        ({"autolog": "sklearn"}, "autolog is 'sklearn'; allowed are True, False, names"),
        ({"autolog": ["sclearn"]}, "autolog names 'sclearn'; allowed are"),
        ({"autolog": {"sklearn": {"x": object}}}, "autolog.sklearn is"),
        ({"autolog": {"sklearn": {"registered_model_name": "m"}}}, "a trial registers nothing"),
        ({"autolog": True, "executor": "inline"}, "autolog needs trials in processes of their own"),
        ({"name": "a\udc80"}, "which is not Unicode text"),
        ({"metric": "a\udc80"}, "is not Unicode text; allowed is text"),
        ({"space": {"x": st.choice("a\udc80")}}, "is not Unicode text, so it cannot be stored"),
        ({"space": {"x": st.uniform(0, 1), "k": "a\udc80"}}, "is not Unicode text, so it cannot be stored"),
        ({"max_trials": "5"}, "max_trials is '5'"),
        ({"max_trials": True}, "max_trials is True"),
        ({"parallelism": 0}, "parallelism is 0"),
        ({"parallelism": -1}, "parallelism is -1"),
        ({"parallelism": "5"}, "parallelism is '5'"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": math.nan}, "timeout is nan"),
        ({"trial_timeout": -1.0}, "trial_timeout is -1.0"),
        ({"max_trials": None}, "neither max_trials nor timeout"),
        ({"metric": ""}, "metric is ''"),
        ({"metric": ("a", "b"), "direction": ("minimize",) * 3, "sampler": "random"}, "direction is"),
        ({"direction": "up"}, "direction is 'up'"),
        ({"isolation": "none"}, "isolation is 'none'; allowed are recycled, fresh"),
        ({"executor": "ray"}, "executor is 'ray'; allowed are auto"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"points_to_evaluate": ({"x": 0.5, "y": 1},)}, "points_to_evaluate[0]"),
        ({"points_to_evaluate": ({"x": 7},)}, "points_to_evaluate[0]"),
        ({"resources": Resources(cpus=0)}, "resources is"),
        ({"resources": Resources(cpus="4")}, "resources is"),
        ({"resources": Resources(memory="1g")}, "resources.memory is '1g'"),
        ({"resources": Resources(memory="1g")}, "such as 512 * 2**20 for 512 MiB"),
        ({"space": {"x": st.choice("a" * 6001, "b")}}, "has 6001 characters as text; MLflow stores at most 6000"),
        ({"space": {"x" * 251: 1, "y": st.uniform(0, 1)}}, "has 251 characters; MLflow stores at most 250"),
        ({"data": [1.0]}, "data is a list; allowed is a mapping of names"),
        ({"name": "x" * 201}, "name has 201 characters; allowed are 200"),
        ({"experiment": "x" * 251}, "experiment has 251 characters; allowed are 200"),
        ({"name": 3}, "name is 3; allowed is text"),
        ({"name": ""}, "name is ''; allowed is text"),
        ({"points_to_evaluate": ({"x": 0.5},) * 11}, "points_to_evaluate has 11 points, but max_trials is 10"),
        ({"failures": Failures(retries="2")}, "failures is"),
        ({"failures": Failures(max_failed=-1)}, "failures.max_failed is -1"),
        ({"points_to_evaluate": None}, "points_to_evaluate is None"),
        ({"metric": 5}, "metric is 5"),
        ({"failures": 3}, "failures is 3"),
        ({"failures": Failures(retries=-1)}, "failures is"),
        ({"tracking": "sqlite"}, "tracking is 'sqlite'"),
        ({"deterministic": True, "pruner": "median"}, "exclude each other"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_allowed(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        check(SweepArguments(**{**GOOD, **changes}))
    assert any(said in problem for problem in caught.value.problems), caught.value.problems
    assert len(caught.value.problems) == 1


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        check(
            SweepArguments(
                **{**GOOD, "max_trials": -1, "parallelism": 0, "trial_timeout": "x", "isolation": "?", "seed": "?"}
            )
        )
    assert len(caught.value.problems) == 5


def test_a_wrong_sampler_and_pruner_are_told_with_the_rest() -> None:
    wrong = {"max_trials": -1, "sampler": "tpee", "pruner": "medan"}
    with pytest.raises(SpecError) as caught:
        check(SweepArguments(**{**GOOD, **wrong}))
    assert [problem.split(";")[0] for problem in caught.value.problems[:1]] == ["max_trials is -1"]
    assert "tpee" in caught.value.problems[1]
    assert "medan" in caught.value.problems[2]


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    spec = check(SweepArguments(**{**GOOD, "seed": np.int64(4), "max_trials": np.int32(7), "parallelism": np.int8(2)}))
    assert (spec.seed, spec.max_trials, spec.parallelism) == (4, 7, 2)
    assert {type(value) for value in (spec.seed, spec.max_trials, spec.parallelism)} == {int}
    assert check(SweepArguments(**{**GOOD, "timeout": np.float32(2.5), "target": np.float64(0.5)})).timeout == 2.5


def test_a_sampler_that_ends_by_itself_needs_no_other_limit() -> None:
    class Few(Sampler):
        capabilities = Capabilities(adaptive=False, finite=True)

        def ask(self, number: int) -> None: ...

        def tell(self, *told: object) -> None: ...

    endless = Few()
    endless.capabilities = Capabilities(adaptive=False)
    assert check(SweepArguments(**{**GOOD, "max_trials": None, "sampler": Few()})).max_trials is None
    with pytest.raises(SpecError, match="neither max_trials nor timeout"):
        check(SweepArguments(**{**GOOD, "max_trials": None, "sampler": endless}))


def test_a_list_in_the_space_is_told_to_be_one_value(caplog: pytest.LogCaptureFixture) -> None:
    check(
        SweepArguments(
            **{**GOOD, "space": {"x": st.uniform(0, 1), "layers": [64, 64], "deep": {"k": st.choice(["a", "b"])}}}
        )
    )
    assert [record.getMessage() for record in caplog.records] == [
        "space: 'layers' is the list [64, 64], one value for every trial; choice(64, 64) would take one of them",
        "space: 'deep.k' is the list ['a', 'b'], one value for every trial; choice('a', 'b') would take one of them",
    ]


@pytest.mark.parametrize("name", ["flights", "a/b c", "é", "", "x" * 200])
def test_a_sweep_id_is_safe_as_a_file_name_and_never_the_same(name: str) -> None:
    import re

    first, second = new_sweep_id(name), new_sweep_id(name)
    assert first != second
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", first)


def test_the_arguments_are_those_of_sweep_with_its_defaults() -> None:
    given = {each.name: each.default for each in fields(SweepArguments)}
    public = {name: each.default for name, each in signature(st.sweep).parameters.items()}
    required = {name: MISSING if default is Parameter.empty else default for name, default in public.items()}
    found_out = {"store_given": True, "experiment_given": True, "units": 1}  # those of front doors
    assert given == {name: each for name, each in required.items() if name not in {"spark", "progress"}} | found_out


def test_config_files_have_the_defaults_of_sweep() -> None:
    defaults = SweepArguments(objective=None, space=None)
    section = {name: each.default for name, each in SweepSettings.model_fields.items() if not each.is_required()}
    plain = section.keys() - {"resources", "failures"}
    assert {name: section[name] for name in plain} == {name: getattr(defaults, name) for name in plain}
    assert Resources(**section["resources"].model_dump()) == defaults.resources
    assert Failures(**section["failures"].model_dump()) == defaults.failures
    assert Tracking(**TrackingSettings().model_dump(exclude={"experiment"})) == defaults.tracking
