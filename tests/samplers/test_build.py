from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from importlib.util import find_spec

import pytest

from sparkml_track import samplers
from sparkml_track.errors import SpaceError, SpecError
from sparkml_track.samplers import Capabilities, Sampler
from sparkml_track.space import choice, parse, uniform

SPACE = parse({"x": uniform(0, 1)})


def test_importing_the_family_imports_no_search_library() -> None:
    code = (
        "import sys; from sparkml_track import samplers, space;"
        "samplers.build('random', space.parse({'x': space.uniform(0, 1)}), seed=0).ask(0);"
        "sys.exit(any(m in sys.modules for m in ('hyperopt', 'optuna', 'numpy', 'scipy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_sampler_is_given_back() -> None:
    made = samplers.build("random", SPACE, seed=0)
    assert samplers.build(made, SPACE, seed=0) is made


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("optuna_tpe", "sampler 'optuna_tpe' is unknown; allowed: 'anneal', .*Did you mean 'optuna-tpe'"),
        (3, "sampler is 3; give a name"),
        ({"tpe": 3}, "give a name"),
        ({"tpe": {"n_startup": 3}}, "option 'n_startup' of sampler 'tpe' is unknown; allowed: 'startup', 'candidates'"),
        ({"random": {"x": 3}}, "option 'x' of sampler 'random' is unknown; allowed: none"),
        ({"tpe": {"startup": 0}}, "option 'startup' of sampler 'tpe' is 0; allowed: whole numbers from 1"),
        ({"tpe": {"gamma": 2}}, "option 'gamma' of sampler 'tpe' is 2"),
        ({"nsga2": {"population": 1}}, "option 'population' of sampler 'nsga2' is 1"),
        ({"optuna-tpe": {"startup": "x"}}, "'startup' of sampler 'optuna-tpe' is 'x'"),
        ({"optuna-tpe": {"group": True, "multivariate": False}}, "needs multivariate"),
        ({"quasi-random": {"sequence": "sobl"}}, "allowed: 'sobol', 'halton'"),
    ],
)
def test_wrong_settings_are_refused_by_name(spec: object, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        samplers.build(spec, SPACE, seed=0)


@pytest.mark.parametrize("name", ["tpe", "anneal"])
def test_too_many_objectives_are_refused(name: str) -> None:
    with pytest.raises(SpecError, match=f"'{name}' takes one metric, not 2; for several: 'optuna-tpe'"):
        samplers.build(name, SPACE, seed=0, objectives=2)


@pytest.mark.parametrize(("name", "package"), [("cmaes", "cmaes"), ("gp", "torch"), ("atpe", "lightgbm")])
def test_a_missing_library_is_named_with_its_extra(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "_hyperopt" if name == "atpe" else "_optuna"
    samplers.build("tpe", SPACE, seed=0)
    samplers.build("nsga2", SPACE, seed=0)
    monkeypatch.setattr(f"sparkml_track.samplers.{module}.find_spec", lambda wanted: None)
    with pytest.raises(SpecError, match=rf"'{name}' needs {package}, .*pip install 'sparkml-track\[{name}\]'"):
        samplers.build(name, SPACE, seed=0)


def test_a_grid_names_what_cannot_be_counted() -> None:
    with pytest.raises(SpaceError) as caught:
        samplers.build("grid", parse({"x": uniform(0, 1), "m": choice({"y": uniform(0, 2)}, 1)}), seed=0)
    assert [problem.split(" is ")[0] for problem in caught.value.problems] == ["'x'", "'m.y'"]


def test_a_grid_collapses_repetitions_and_announces_its_size() -> None:
    space = parse({"a": choice("x", "x", "y"), "m": choice({"d": 1}, {"d": choice(1, 2)})})
    made = samplers.build("grid", space, seed=0)
    assert made.size == 4
    assert len([params for number in range(9) if (params := made.ask(number))]) == 4


def test_a_huge_grid_is_not_made_in_memory() -> None:
    space = parse({name: choice(*range(100)) for name in "abcdef"})
    made = samplers.build("grid", space, seed=0)
    assert made.size == 100**6
    assert made.ask(0) == dict.fromkeys("abcdef", 0)


class Same(Sampler):
    capabilities = Capabilities(adaptive=False)

    def __init__(self, space: object, *, seed: int, objectives: int = 1, always: float = 0.5) -> None:
        self.always = always

    def ask(self, number: int) -> dict[str, object]:
        return {"x": self.always}

    def tell(self, *ended: object) -> None:
        pass


def test_other_packages_bring_samplers(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("same", f"{__name__}:Same", samplers.GROUP)]
    monkeypatch.setattr(EntryPoint, "load", lambda point: Same)
    monkeypatch.setattr(
        "sparkml_track.samplers.entry_points",
        lambda group, name=None: [point for point in points if name in {None, point.name}],
    )
    assert "same" in samplers.names()
    assert samplers.build({"same": {"always": 0.25}}, SPACE, seed=0).ask(0) == {"x": 0.25}


def test_all_names_are_listed() -> None:
    assert set(samplers.names()) >= {"grid", "random", "quasi-random", "tpe", "anneal", "atpe", "optuna-tpe", "cmaes"}
    assert find_spec("optuna") is not None
