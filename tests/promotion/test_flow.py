"""The gate between a sweep and the alias champion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from sparkml_track.errors import DataError, ObjectiveError, SpecError
from sparkml_track.promotion import Promotion, Recipe, Verdict, register
from sparkml_track.promotion._gate import figures
from sparkml_track.promotion._spec import Measured
from sparkml_track.refs import DataRef, ModelRef, TableRef
from sparkml_track.registries import Column, MemoryRegistry, MlflowRegistry, Package, Registry, Run, Signature

DATA_REF = DataRef("test", "abc", 400, TableRef("training", "/tables/training", 4))
SPEC = Promotion("delay", "tests", {"model": {"C": 1.0}}, "log_loss", sweep="s1", sweep_run="r1", data=(DATA_REF,))


def table(seed: int, rows: int = 400) -> pa.Table:
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    return pa.table({"x": x, "late": (x + random.normal(size=rows) > 0).astype(np.int64)})


DATA = {"train": table(1), "valid": table(2), "test": table(3)}


def inputs(rows: pa.Table) -> Any:
    return rows.select(["x"]).to_pandas()


def refit(params: Mapping[str, Any], data: Mapping[str, Any], seed: int) -> Any:
    return LogisticRegression(C=params["model"]["C"]).fit(inputs(data["train"]), data["train"]["late"].to_numpy())


def baselines(data: Mapping[str, Any], seed: int) -> Mapping[str, Any]:
    return {"base_rate": DummyClassifier().fit(inputs(data["train"]), data["train"]["late"].to_numpy())}


def evaluate(model: Any, rows: Any) -> dict[str, float]:
    return {"log_loss": log_loss(rows["late"].to_numpy(), model.predict_proba(inputs(rows))[:, 1])}


RECIPE = Recipe(refit, baselines, evaluate, inputs)


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


def test_the_first_candidate_that_beats_every_baseline_is_champion(registry: MemoryRegistry) -> None:
    verdict = register(SPEC, RECIPE, DATA, registry)
    assert verdict.promoted
    assert verdict.champion is None
    assert registry.alias("delay", "champion") == verdict.model
    assert verdict.candidate.metrics["log_loss"] < verdict.baselines[0].metrics["log_loss"]
    assert verdict.candidate.metrics == evaluate(refit(SPEC.params, DATA, 0), DATA["test"])


def test_a_first_candidate_that_does_not_beat_a_baseline_is_challenger(registry: MemoryRegistry) -> None:
    verdict = register(replace(SPEC, params={"model": {"C": 1e-9}}, margin=0.01), RECIPE, DATA, registry)
    assert (verdict.alias, registry.alias("delay", "champion")) == ("challenger", None)
    assert registry.alias("delay", "challenger") == verdict.model
    assert "does not beat base_rate" in verdict.reason


def test_the_flavor_of_the_recipe_stores_the_candidate(home: Path) -> None:
    xgboost = pytest.importorskip("xgboost")

    def boosted(params: Mapping[str, Any], data: Mapping[str, Any], seed: int) -> Any:
        rows = data["train"]
        return xgboost.train(
            {"nthread": 1, "objective": "binary:logistic"}, xgboost.DMatrix(inputs(rows), rows["late"])
        )

    def measure(model: Any, rows: Any) -> dict[str, float]:
        wrapped = not hasattr(model, "predict_proba")
        score = model.predict(inputs(rows)) if wrapped else model.predict_proba(inputs(rows))[:, 1]
        return {"log_loss": log_loss(rows["late"].to_numpy(), score)}

    recipe = replace(RECIPE, refit=boosted, evaluate=measure, flavor="mlflow.xgboost")
    registry = MlflowRegistry(f"sqlite:///{home / 'mlflow.db'}", str(home / "artifacts"), ("pyfunc",), lineage=False)
    with closing(registry):
        verdict = register(SPEC, recipe, DATA, registry)
        assert verdict.promoted
        assert registry.signature(verdict.model) == Signature((Column("x", "double"),), "predict")


def test_an_equal_candidate_leaves_the_champion(registry: MemoryRegistry) -> None:
    first = register(SPEC, RECIPE, DATA, registry)
    second = register(SPEC, RECIPE, DATA, registry)
    assert (second.alias, second.model.version) == ("challenger", 2)
    assert registry.alias("delay", "champion") == first.model
    assert second.champion is not None
    assert second.champion.metrics == first.candidate.metrics


def test_a_better_candidate_takes_over(registry: MemoryRegistry) -> None:
    weak = register(replace(SPEC, params={"model": {"C": 1e-3}}), RECIPE, DATA, registry)
    strong = register(SPEC, RECIPE, DATA, registry)
    assert weak.promoted
    assert strong.promoted
    assert strong.champion is not None
    assert strong.champion.ref == weak.model
    assert registry.alias("delay", "champion") == strong.model


def test_the_margin_is_asked_of_each_opponent(registry: MemoryRegistry) -> None:
    register(replace(SPEC, params={"model": {"C": 1e-3}}), RECIPE, DATA, registry)
    assert not register(replace(SPEC, margin=0.6), RECIPE, DATA, registry).promoted


@pytest.mark.parametrize(("direction", "value", "wins"), [("minimize", 0.1, True), ("maximize", 0.1, False)])
def test_the_direction_decides_what_is_better(direction: str, value: float, wins: bool) -> None:
    assert replace(SPEC, direction=direction).beats(value, 0.2) is wins
    assert not replace(SPEC, direction=direction).beats(float("nan"), 0.2)
    assert not replace(SPEC, direction=direction).beats(0.2, 0.2)


def judged(registry: MemoryRegistry, own: float, champion: float = 0.9, base: float = 0.9, **change: Any) -> Verdict:
    """A promotion with given figures, after one with the champion's."""

    def measured(model: Any, _: Any) -> dict[str, float]:
        return {"log_loss": values[getattr(model, "part_", "base")]}

    def named(part: str) -> Any:
        model = refit(SPEC.params, DATA, 0)
        model.part_ = part
        return model

    recipe = Recipe(lambda *_: named("first"), lambda *_: {"base": named("base")}, measured, inputs)
    registry.register("delay", Package(named("first"), inputs(DATA["test"]).head(3)), Run("model", "m", "tests"))
    registry.set_alias("delay", "champion", 1)
    values = {"first": champion, "base": base, "candidate": own}
    return register(replace(SPEC, **change), replace(recipe, refit=lambda *_: named("candidate")), DATA, registry)


NOT_FINITE = (float("nan"), float("inf"), float("-inf"))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_a_candidate_whose_figure_is_not_finite_is_no_champion(
    registry: MemoryRegistry, value: float, direction: str
) -> None:
    verdict = judged(registry, value, direction=direction)
    assert not verdict.promoted
    assert "is not a finite number" in verdict.reason
    assert _champion(registry) == 1


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_a_champion_or_baseline_whose_figure_is_not_finite_blocks_nobody(
    registry: MemoryRegistry, value: float, direction: str
) -> None:
    verdict = judged(registry, 0.5, champion=value, base=value, direction=direction)
    assert verdict.promoted
    assert "did not count" in verdict.reason
    assert _champion(registry) == 2


def test_a_baseline_may_have_any_name_and_overwrites_no_figure(registry: MemoryRegistry) -> None:
    names = ("test", "champion", "candidate", "a.b", "a%2Eb", "R&D")
    recipe = replace(RECIPE, baselines=lambda *_: {name: baselines(DATA, 0)["base_rate"] for name in names})
    register(SPEC, recipe, DATA, registry)
    verdict = register(replace(SPEC, params={"model": {"C": 0.5}}), recipe, DATA, registry)
    metrics = registry.runs[verdict.model.run_id].metrics
    assert metrics["test.log_loss"] == verdict.candidate.metrics["log_loss"]
    assert verdict.champion is not None
    assert metrics["champion.log_loss"] == verdict.champion.metrics["log_loss"]
    assert len(metrics) == 2 + len(names)


def test_names_of_baselines_and_of_metrics_run_into_each_other_nowhere() -> None:
    candidate = Measured("candidate", {"loss": 0.5})
    found = figures(candidate, [Measured("a", {"b.loss": 1.0}), Measured("a.b", {"loss": 2.0})], None)
    assert sorted(found.values()) == [0.5, 1.0, 2.0]
    pairs = [Measured(name, {"loss": float(place)}) for place, name in enumerate(("a.b", "a%2Eb", "a%252Eb"))]
    assert len(figures(candidate, pairs, None)) == 4


def test_params_of_any_name_stay_as_they_are(registry: MemoryRegistry) -> None:
    params = {"model": {"C": 1.0}, "promotion": {"metric": 3, "seed": 4}}
    run = registry.runs[register(replace(SPEC, params=params), RECIPE, DATA, registry).model.run_id]
    assert run.params == {"model.C": 1.0, "promotion.metric": 3, "promotion.seed": 4}
    assert run.tags["sparkml.promotion.metric"] == "log_loss"


def test_the_run_has_all_figures_the_sweep_and_the_table_version(registry: MemoryRegistry) -> None:
    register(SPEC, RECIPE, DATA, registry)
    verdict = register(SPEC, RECIPE, DATA, registry)
    run = registry.runs[verdict.model.run_id]
    assert set(run.metrics) == {"test.log_loss", "baseline.base_rate.log_loss", "champion.log_loss"}
    assert (run.kind, run.tags["sparkml.sweep"], run.tags["sparkml.sweep.run"]) == ("model", "s1", "r1")
    assert run.params["model.C"] == 1.0
    assert run.data == (DATA_REF,)
    assert registry.tags(verdict.model)["sparkml.verdict"] == "challenger"


class Meddling(MemoryRegistry):
    """Somebody else promotes version 1 while the candidate is measured."""

    def load(self, ref: ModelRef) -> object:
        if ref.version == 2:
            self.set_alias("delay", "champion", 1)
        return super().load(ref)


@pytest.mark.parametrize(("c", "champion"), [(1.0, 1), (1e-3, 2)])
def test_a_champion_that_comes_meanwhile_must_be_beaten_too(c: float, champion: int) -> None:
    registry = Meddling()
    registry.register("delay", _package(c), Run("model", "earlier", "tests"))
    verdict = register(SPEC, RECIPE, DATA, registry)
    assert verdict.champion is not None
    assert verdict.champion.ref == registry.version("delay", 1)
    assert _champion(registry) == champion
    assert verdict.promoted is (champion == 2)


class Unlocked(MemoryRegistry):
    """A server that lets another host's whole promotion come between the look and the write."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__()
        self._params = params
        self._others: list[Verdict] = []

    def move_alias(self, name: str, alias: str, expected: ModelRef | None, version: int) -> bool:
        if not self._others and self.alias(name, alias) == expected and not self._params.get("busy"):
            self._params = {**self._params, "busy": True}
            self._others.append(register(replace(SPEC, params=self._params), RECIPE, DATA, self))
            self.set_alias(name, alias, version)
            return True
        return super().move_alias(name, alias, expected, version)


@pytest.mark.parametrize(("own", "other", "champion"), [(1e-3, 1.0, 2), (1.0, 1e-3, 1), (1.0, 1.0, 1)])
def test_of_two_promotions_that_pass_each_other_the_better_stays(own: float, other: float, champion: int) -> None:
    registry = Unlocked({"model": {"C": other}})
    verdict = register(replace(SPEC, params={"model": {"C": own}}), RECIPE, DATA, registry)
    assert _champion(registry) == champion
    assert verdict.promoted is (champion == 1)
    assert registry.tags(verdict.model)["sparkml.verdict"] == verdict.alias


def test_a_champion_that_was_taken_back_by_hand_is_no_rival(registry: MemoryRegistry) -> None:
    weak = register(replace(SPEC, params={"model": {"C": 1e-3}}), RECIPE, DATA, registry)
    strong = register(SPEC, RECIPE, DATA, registry)
    registry.set_alias("delay", "champion", weak.model.version)
    third = register(replace(SPEC, params={"model": {"C": 2e-3}}), RECIPE, DATA, registry)
    assert strong.promoted
    assert third.promoted
    assert registry.alias("delay", "champion") == third.model


class Overtaken(MemoryRegistry):
    """A rival has come through the gate; while it is measured, a third that is better than both takes the alias."""

    third: Verdict | None = None

    def move_alias(self, name: str, alias: str, expected: ModelRef | None, version: int) -> bool:
        if version == 1 and self.third is None:
            rival = self.register("delay", _package(1e-3), Run("model", "rival", "tests"))
            self.annotate(rival, {}, {"sparkml.verdict": "champion"})
        return super().move_alias(name, alias, expected, version)

    def load(self, ref: ModelRef) -> object:
        if ref.version == 2 and self.third is None:
            self.third = register(SPEC, RECIPE, DATA, self)
        return super().load(ref)


def test_a_champion_that_was_not_compared_yet_gives_way_to_nobody() -> None:
    registry = Overtaken()
    verdict = register(replace(SPEC, params={"model": {"C": 1e-4}}), RECIPE, DATA, registry)
    assert registry.third is not None
    assert registry.third.promoted
    assert registry.alias("delay", "champion") == registry.third.model
    assert not verdict.promoted
    assert verdict.champion is not None
    assert verdict.champion.ref == registry.third.model


class Moved(MemoryRegistry):
    """While the first rival is looked for, a person makes another version champion, or takes one back."""

    def __init__(self, act: Callable[[Registry], object]) -> None:
        super().__init__()
        self._act: Callable[[Registry], object] | None = act

    def move_alias(self, name: str, alias: str, expected: ModelRef | None, version: int) -> bool:
        moved = super().move_alias(name, alias, expected, version)
        if self._act is not None and version == 2:
            act, self._act = self._act, None
            act(self)
        return moved


def test_where_a_person_moved_the_alias_it_stays_and_the_verdict_says_so() -> None:
    registry = Moved(lambda registry: registry.set_alias("delay", "champion", 1))
    registry.register("delay", _package(1e-4), Run("model", "earlier", "tests"))
    verdict = register(SPEC, RECIPE, DATA, registry)
    assert _champion(registry) == 1
    assert not verdict.promoted
    assert verdict.reason == "the champion was moved to delay version 1 meanwhile"
    assert registry.tags(verdict.model)["sparkml.verdict"] == "challenger"


def test_a_version_that_was_withdrawn_meanwhile_is_no_rival() -> None:
    def withdrawn(registry: Registry) -> None:
        better = registry.register("delay", _package(1.0), Run("model", "rival", "tests"))
        registry.annotate(better, {}, {"sparkml.verdict": "champion", "sparkml.approval": "withdrawn"})

    registry = Moved(withdrawn)
    registry.register("delay", _package(1e-5), Run("model", "earlier", "tests"))
    verdict = register(replace(SPEC, params={"model": {"C": 1e-3}}), RECIPE, DATA, registry)
    assert verdict.promoted
    assert registry.alias("delay", "champion") == verdict.model


def test_many_promotions_at_once_leave_the_best_as_champion() -> None:
    registry = MemoryRegistry()
    specs = [replace(SPEC, params={"model": {"C": c}}) for c in (1e-4, 1e-3, 1.0, 1e-2, 1e-5, 3e-4)]
    with ThreadPoolExecutor(len(specs)) as pool:
        verdicts = list(pool.map(lambda spec: register(spec, RECIPE, DATA, registry), specs))
    best = min(verdicts, key=lambda verdict: verdict.candidate.metrics["log_loss"])
    assert registry.alias("delay", "champion") == best.model


def _package(c: float = 1.0) -> Any:
    return Package(refit({"model": {"C": c}}, DATA, 0), inputs(DATA["test"]).head(3))


def _champion(registry: Registry) -> int | None:
    ref = registry.alias("delay", "champion")
    return ref and ref.version


@pytest.mark.parametrize("change", [{"test": DATA["test"].slice(0, 0)}, {"valid": None}])
def test_an_empty_or_missing_split_is_named_before_anything_is_fitted(
    registry: MemoryRegistry, change: dict[str, Any]
) -> None:
    data = {name: rows for name, rows in {**DATA, **change}.items() if rows is not None}
    with pytest.raises(DataError, match=next(iter(change))):
        register(SPEC, replace(RECIPE, refit=lambda *_: pytest.fail("fitted")), data, registry)


def test_what_the_users_function_raised_is_told_by_its_name(registry: MemoryRegistry) -> None:
    with pytest.raises(ObjectiveError, match="refit raised KeyError: 'model'"):
        register(replace(SPEC, params={}), RECIPE, DATA, registry)
    with pytest.raises(ObjectiveError, match="gave log_loss and not 'auc'"):
        register(replace(SPEC, metric="auc"), RECIPE, DATA, registry)
    with pytest.raises(ObjectiveError, match="baselines gave no model"):
        register(SPEC, replace(RECIPE, baselines=lambda *_: {}), DATA, registry)
    assert registry.alias("delay", "champion") is None


def test_a_champion_of_other_columns_is_told_with_the_way_out(registry: MemoryRegistry) -> None:
    register(SPEC, RECIPE, DATA, registry)
    renamed = {name: rows.rename_columns(["z", "late"]) for name, rows in DATA.items()}

    def other(rows: pa.Table) -> Any:
        return rows.select(["z"]).to_pandas()

    def refit_other(params: Mapping[str, Any], data: Mapping[str, Any], seed: int) -> Any:
        return LogisticRegression().fit(other(data["train"]), data["train"]["late"].to_numpy())

    def measure_other(model: Any, rows: Any) -> dict[str, float]:
        return {"log_loss": log_loss(rows["late"].to_numpy(), model.predict_proba(other(rows))[:, 1])}

    recipe = Recipe(refit_other, lambda *_: {"own": refit_other({}, renamed, 0)}, measure_other, other)
    with pytest.raises(DataError, match="the champion delay version 1 cannot be measured"):
        register(SPEC, recipe, renamed, registry)


def test_a_champion_that_cannot_be_loaded_is_told_with_the_way_out(registry: MemoryRegistry) -> None:
    register(SPEC, RECIPE, DATA, registry)
    registry._models["delay"][0].blob = b"damaged"
    with pytest.raises(DataError, match=r"champion delay version 1 cannot be measured.*Remove the alias 'champion'"):
        register(SPEC, RECIPE, DATA, registry)


def test_a_spec_that_makes_no_sense_names_all_problems() -> None:
    with pytest.raises(SpecError) as caught:
        Promotion("delay", "tests", {}, "log_loss", direction="down", margin=float("nan"))
    assert len(caught.value.problems) == 2
