"""The files that say what is searched."""

from __future__ import annotations

from functools import partial

import sparkml_track as st
from sparkml_track import schema
from sparkml_track.config.yaml import read
from sparkml_track.engine.identity.source import searched
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.check import check
from sparkml_track.space import parse


def objective(trial: st.Trial, *, power: int = 2) -> float:
    return float(trial.params["x"]) ** power  # type: ignore[arg-type]


class CalledObject:
    def __call__(self, trial: st.Trial) -> float:
        return 1.0


SPACE = {
    "x": st.loguniform(1e-4, 1),
    "model": st.choice({"kind": "forest", "depth": st.randint(2, 9)}, "no", "1e3", None, True),
    "wort é: 1": st.quniform(0, 1, 0.25),
    "fixed": [1, "2"],
}


def files(function: object) -> dict[str, str]:
    return searched(check(SweepArguments(objective=function, space=SPACE, max_trials=3)))


def test_the_space_is_kept_as_a_config_file_has_it() -> None:
    text = files(objective)[schema.ARTIFACT_SPACE]
    assert text.splitlines()[0] == '"x": {"loguniform": [0.0001, 1]}'
    kept = read(text).value
    assert isinstance(kept, dict)
    assert parse(kept).fingerprint() == parse(SPACE).fingerprint()


def test_the_source_of_the_objective_is_kept_with_its_name() -> None:
    for function in (objective, partial(objective, power=3)):
        kept = files(function)[schema.ARTIFACT_OBJECTIVE]
        assert 'float(trial.params["x"]) ** power' in kept
        assert kept.startswith("# ")
    assert "class CalledObject" in files(CalledObject())[schema.ARTIFACT_OBJECTIVE]


def test_an_objective_without_source_costs_nothing() -> None:
    made: dict[str, object] = {}
    exec("def typed_in(trial): return 1.0", made)
    assert schema.ARTIFACT_OBJECTIVE not in files(made["typed_in"])
