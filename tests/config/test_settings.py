"""Config files: everything wrong is told at once, with file, line and key; nothing else is read into them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sparkml_track.config.settings import Settings, load
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]

SMALL = """\
name: mine
sweep:
  objective: mine.work:train
  max_trials: 3
  space:
    lr: {loguniform: [1e-4, 1]}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "conf.yaml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    """The problems without the path of the file."""
    path = written(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert caught.value.exit_code == 2
    assert all(problem.startswith(f"{path}:") for problem in caught.value.problems)
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


def test_the_smallest_file_has_the_defaults_of_sweep(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL), {})
    assert settings.sweep.space == {"lr": {"loguniform": [0.0001, 1]}}
    assert (settings.sweep.sampler, settings.sweep.metric, settings.sweep.timeout) == ("tpe", "loss", None)
    assert settings.spark.master == "local[*]"
    assert settings.monitor is None


def test_the_shipped_file_is_valid() -> None:
    settings = load(ROOT / "conf" / "flights.yaml", {})
    assert settings.code == (str(ROOT / "jobs"),)
    assert settings.features is not None
    assert settings.features.split.train.end == datetime(2013, 9, 1, tzinfo=UTC)
    assert settings.sweep.max_trials is not None
    assert settings.sweep.max_trials >= 40


@pytest.mark.parametrize(("text", "value"), [("2", 2), ("true", True), ("late", "late"), ("0.5", 0.5)])
def test_the_positive_label_keeps_its_type(tmp_path: Path, text: str, value: object) -> None:
    settings = load(written(tmp_path, f"{SMALL}monitor:\n  positive: {text}\n"), {})
    assert settings.monitor is not None
    assert (settings.monitor.positive, type(settings.monitor.positive)) == (value, type(value))


def test_a_stored_model_is_read_as_skops_unless_the_file_says_more(tmp_path: Path) -> None:
    register = "".join(f"  {name}: mine.work:{name}\n" for name in ("refit", "baselines", "inputs", "evaluate"))
    text = f"{SMALL}register:\n  model: mine\n{register}"
    settings = load(written(tmp_path, text), {})
    assert settings.register is not None
    assert settings.register.formats == ("skops",)
    trusting = load(written(tmp_path, f"{text}  formats: [skops, code]\n"), {})
    assert trusting.register is not None
    assert trusting.register.formats == ("skops", "code")
    assert any("formats" in each for each in problems(tmp_path, f"{text}  formats: [joblib]\n"))
    other = load(written(tmp_path, f"{text}  flavor: xgboost\n  formats: [pyfunc]\n"), {})
    assert other.register is not None
    assert other.register.flavor == "xgboost"
    assert any("models of xgboost are read" in each for each in problems(tmp_path, f"{text}  flavor: xgboost\n"))


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL), {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.name = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.sweep.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("line", "environ", "expected"),
    [
        ("", {}, "here/.sparkml"),
        ("", {"SPARKML_HOME": "/else/where"}, "/else/where"),
        ("home: state\n", {"SPARKML_HOME": "/else/where"}, "files/state"),
        ("home: /abs\n", {}, "/abs"),
    ],
)
def test_the_home_is_the_files_then_the_environments_then_here(
    line: str, environ: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "files"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert load(written(tmp_path / "files", line + SMALL), environ).home.root == tmp_path / expected


def test_all_errors_come_at_once_with_line_key_value_and_what_is_allowed(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "name: my project\n"
        "code: [nowhere]\n"
        "hoome: x\n"
        "sweep:\n"
        "  objective: mine.work\n"
        "  sampler: tpee\n"
        "  max_trials: 2.5\n"
        "  timeout: -1\n"
        "  parallelism: '5'\n"
        "  isolation: freshh\n"
        "  space:\n"
        "    lr: {loguniform: [0, 1]}\n"
        "    model: {choice: [a, {depth: {randint: [5, 2]}}]}\n",
    )
    assert found[0] == "1: name: must be 1 to 64 letters, digits, '_' or '-', not 'my project'"
    assert found[1] == f"2: code[0]: there is no folder {tmp_path / 'nowhere'}"
    assert found[2].startswith("3: hoome: unknown key; allowed: name, home, code,")
    assert found[2].endswith("; did you mean 'home'?")
    assert found[3] == "5: sweep.objective: must be a function as package.module:function, not 'mine.work'"
    assert found[4].startswith("6: sweep.sampler: must be one of 'anneal', ")
    assert found[4].endswith("not 'tpee'; did you mean 'tpe'?")
    assert found[5:9] == [
        "7: sweep.max_trials: must be a whole number, not 2.5",
        "8: sweep.timeout: must be more than 0, not -1",
        "9: sweep.parallelism: must be a whole number, not '5'",
        "10: sweep.isolation: must be one of 'recycled' or 'fresh', not 'freshh'; did you mean 'fresh'?",
    ]
    assert found[9].startswith("12: sweep.space.lr: loguniform: low is 0")
    assert found[10].startswith("13: sweep.space.model[1].depth: randint:")
    assert len(found) == 11


def test_a_place_inside_a_choice_has_its_own_line(tmp_path: Path) -> None:
    text = SMALL + "    model:\n      choice:\n        - a\n        - kind: b\n          depth: {randint: [5, 2]}\n"
    assert problems(tmp_path, text)[0].startswith("11: sweep.space.model[1].depth: ")


def test_roots_on_shared_storage_reach_the_arguments_of_sweep(tmp_path: Path) -> None:
    text = SMALL + "  failures: {checkpoint_root: /mnt/all/checkpoints}\ntracking: {artifact_root: /mnt/all/files}\n"
    settings = load(written(tmp_path, text), {})
    assert Failures(**settings.sweep.failures.model_dump()) == Failures(checkpoint_root="/mnt/all/checkpoints")
    given = settings.tracking.model_dump(exclude={"experiment"})
    assert Tracking(**given) == Tracking(artifact_root="/mnt/all/files")


def test_roots_that_are_no_absolute_paths_are_told_together(tmp_path: Path) -> None:
    text = SMALL + "  failures: {checkpoint_root: ./here}\ntracking: {artifact_root: 's3://bucket/files'}\n"
    found = problems(tmp_path, text)
    assert len(found) == 2
    assert found[0].startswith("7: sweep.failures.checkpoint_root: ")
    assert found[1].startswith("8: tracking.artifact_root: ")
    for value, problem in zip(("./here", "s3://bucket/files"), found, strict=True):
        assert value in problem
        assert "an absolute path on storage that is mounted" in problem


def test_a_missing_key_is_told_at_its_section(tmp_path: Path) -> None:
    assert problems(tmp_path, "name: x\nsweep:\n  max_trials: 1\n  space: {a: 1}\n") == [
        "2: sweep.objective: missing; it must be given"
    ]


def test_a_sweep_without_an_end_is_refused_unless_it_is_a_grid(tmp_path: Path) -> None:
    endless = SMALL.replace("  max_trials: 3\n", "")
    assert problems(tmp_path, endless) == ["2: sweep: max_trials or timeout must be given, or it would never end"]
    assert load(written(tmp_path, endless + "  sampler: grid\n"), {}).sweep.max_trials is None


def test_points_that_are_not_of_the_space_are_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, SMALL + "  points_to_evaluate:\n    - {lr: 0.1}\n    - {lrr: 0.1}\n")
    assert found
    assert all(problem.startswith("9: sweep.points_to_evaluate[1]: ") for problem in found)


def test_periods_run_forward_and_do_not_overlap(tmp_path: Path) -> None:
    features = (
        "features:\n  build: a:b\n  label: y\n  time: t\n  split:\n"
        "    train: {start: 2013-01-01, end: 2013-09-01}\n"
        "    valid: {start: %s, end: 2013-11-01}\n"
        "    test: {start: 2013-11-01, end: %s}\n"
    )
    assert problems(tmp_path, SMALL + features % ("2013-08-31", "2014-01-01"))[0].startswith(
        "11: features.split: must be train, valid and test in the order of time, without overlap"
    )
    assert problems(tmp_path, SMALL + features % ("2013-09-01", "2013-11-01"))[0].startswith(
        "14: features.split.test: must be a period whose end is after its start"
    )
    assert problems(tmp_path, SMALL + features % ("soon", "2014-01-01"))[0].startswith(
        "13: features.split.valid.start: must be a date or a time, such as 2013-01-31"
    )


def test_values_that_may_be_secrets_are_not_shown(tmp_path: Path) -> None:
    text = SMALL + "tracking: {uri: ['http://me:hunter2@host']}\nspark: {conf: {spark.my.password: [hunter2]}}\n"
    found = problems(tmp_path, text)
    assert len(found) == 2
    assert "hunter2" not in " ".join(found)


@pytest.mark.parametrize("text", ["", "- a\n", "hello\n", "3\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    assert problems(tmp_path, text)[0].startswith("1: the file: must be a mapping, not ")


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "no.yaml", "there is no such file"), (tmp_path, "Is a directory")]:
        with pytest.raises(ConfigError, match=reason) as caught:
            load(path)
        assert len(caught.value.problems) == 1
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load(binary)


def test_syntax_errors_have_their_line(tmp_path: Path) -> None:
    assert problems(tmp_path, "name: x\nsweep: [1\nhome: y\n")[0].startswith("3: not readable as YAML: ")


def test_every_section_of_a_file_reaches_the_settings() -> None:
    settings = load(ROOT / "conf" / "flights.yaml", {})
    # How progress is shown is for whoever runs the steps to say.
    fields = [field.name for field in dataclasses.fields(Settings) if field.name != "progress"]
    assert [name for name in fields if getattr(settings, name) is None] == []


def test_whose_artifacts_are_kept_reaches_the_arguments_of_sweep(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL + "tracking: {keep: 'best:20', child_runs: 'top:50'}\n"), {})
    assert Tracking(**settings.tracking.model_dump(exclude={"experiment"})) == Tracking(None, "top:50", "best:20")
    found = problems(tmp_path, SMALL + "tracking: {keep: 'best:0', child_runs: best}\n")
    assert found == [
        "7: tracking.child_runs: must be 'all', 'none' or 'top:K', not 'best'",
        "7: tracking.keep: must be 'all' or 'best:K', not 'best:0'",
    ]


def test_the_price_of_a_slot_reaches_the_arguments_of_sweep(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL + "tracking: {slot_hour_price: 2}\n"), {})
    assert Tracking(**settings.tracking.model_dump(exclude={"experiment"})) == Tracking(slot_hour_price=2.0)
    (found,) = problems(tmp_path, SMALL + "tracking: {slot_hour_price: -1}\n")
    assert found.startswith("7: tracking.slot_hour_price: ")
    assert "-1" in found


@pytest.mark.parametrize(
    ("lines", "metric", "direction"),
    [
        ("metric: auc\n  direction: maximize", "auc", "maximize"),
        ("metric: [auc]\n  direction: [maximize]", "auc", "maximize"),
        ("metric: [auc, seconds]\n  direction: [maximize, minimize]", ("auc", "seconds"), ("maximize", "minimize")),
        ("metric: [auc, seconds]", ("auc", "seconds"), "minimize"),
    ],
)
def test_metric_and_direction_are_one_or_a_list(lines: str, metric: object, direction: object, tmp_path: Path) -> None:
    sweep = load(written(tmp_path, SMALL + f"  {lines}\n"), {}).sweep
    assert (sweep.metric, sweep.direction) == (metric, direction)
    assert sweep.model_dump()["metric"] == metric


def test_what_is_wrong_with_several_metrics_is_told_at_once(tmp_path: Path) -> None:
    section = "register: {model: m, refit: 'a:b', baselines: 'a:b', inputs: 'a:b', evaluate: 'a:b'}\n"
    given = SMALL + "  metric: [auc, seconds]\n  direction: [maximize, minimize, minimize]\n" + section
    found = problems(tmp_path, given)
    why = "needs the one best trial, but 2 metrics in sweep.metric give a Pareto front instead"
    assert found == [
        "8: sweep.direction: must be one for all metrics, or a list of 2, not ['maximize', 'minimize', 'minimize']",
        f"9: register: {why}; give one metric, or leave this section out",
    ]
    found = problems(tmp_path, SMALL + "  metric: [auc, auc]\n  direction: minimise\n  seed: -1\n")
    assert found == [
        "7: sweep.metric: must be a list of different texts, not ['auc', 'auc']",
        "8: sweep.direction: must be one of 'minimize', 'maximize', not 'minimise'; did you mean 'minimize'?",
        "9: sweep.seed: must be at least 0, not -1",
    ]
    for wrong in ("[]", "3", "[a, 3]", "{a: b}", "' a'"):
        (problem,) = problems(tmp_path, SMALL + f"  metric: {wrong}\n")
        assert problem.startswith("7: sweep.metric: must be text without spaces around it, or a list of")
    for wrong in ("[]", "[minimize, up]", "true"):
        assert any(
            "8: sweep.direction: must be one of" in one
            for one in problems(tmp_path, SMALL + f"  metric: [a, b]\n  direction: {wrong}\n")
        )
