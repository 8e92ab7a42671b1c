"""What every model registry must do. Subclass ``RegistryCase`` with a fixture ``registry`` and a way to damage one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sparkml_track.carried import CarriedFeatures, CarriedLookup
from sparkml_track.errors import RegistryError
from sparkml_track.refs import DataRef, ModelRef, TableRef
from sparkml_track.registries import Column, Package, Registry, Run

__all__ = ["RegistryCase"]

NAME = "ratings"
RUN = Run("model", "refit", "tests", params={"C": 1.0}, data=(DataRef("test", "abc", 10, TableRef("t", "/t", 3)),))


class RegistryCase(ABC):
    """The cases. A subclass has a pytest fixture ``registry`` that gives each test a new, empty one."""

    @pytest.fixture
    def experiment(self) -> str:
        """The id of an experiment that is there."""
        return "0"

    @abstractmethod
    def damage(self, registry: Registry, ref: ModelRef) -> None:
        """Changes one byte of the stored model behind the registry's back."""

    def test_versions_count_from_1_and_are_found_again(self, registry: Registry) -> None:
        """Two registrations make versions 1 and 2."""
        first, second = (registry.register(NAME, _package(), RUN) for _ in range(2))
        assert (first.version, second.version) == (1, 2)
        assert first.run_id != second.run_id
        assert registry.version(NAME, 2) == second
        assert registry.versions(NAME) == (first, second)
        assert (registry.names(), registry.versions("none")) == ((NAME,), ())

    def test_a_model_may_be_logged_to_a_run_without_a_version(self, registry: Registry, experiment: str) -> None:
        """Of arrays too; it has a URI of its own. A run must be there."""
        run_id = registry.record(RUN)
        package = Package(LogisticRegression().fit(np.eye(3), [0, 1, 1]), np.eye(3), method="predict")
        uris = {registry.log_model("model", package, run_id, experiment) for _ in range(2)}
        assert len(uris) == 2 and all(uri.startswith("models:/") for uri in uris)
        assert registry.alias("model", "champion") is None
        with pytest.raises(RegistryError, match="could not log the model 'model'"):
            registry.log_model("model", package, "0" * 32, experiment)

    def test_a_loaded_model_predicts_as_the_registered_one(self, registry: Registry) -> None:
        """Bit for bit, and a later fit of the same object changes no version."""
        package = _package()
        expected = package.model.predict_proba(package.sample)  # type: ignore[attr-defined]
        ref = registry.register(NAME, package, RUN)
        package.model.set_params(logisticregression__C=1e-6).fit(_inputs(), _labels())  # type: ignore[attr-defined]
        loaded = registry.load(ref)
        assert np.array_equal(loaded.predict_proba(package.sample), expected)  # type: ignore[attr-defined]

    def test_the_signature_names_the_inputs_in_order(self, registry: Registry) -> None:
        """With their types, and the method."""
        signature = registry.signature(registry.register(NAME, _package(), RUN))
        assert signature.inputs == (Column("wind", "double"), Column("seats", "long"), Column("gust", "float"))
        assert signature.method == "predict_proba"

    def test_a_version_may_carry_what_its_features_are_made_from(self, registry: Registry) -> None:
        """It comes back as it was; the model and its own columns know no difference."""
        lookup = CarriedLookup(
            "weather", 3, {"origin": "code"}, {"wind": "speed"}, "asked", timedelta(hours=1), {"wind": 0.5}
        )
        carried = CarriedFeatures(
            ("wind", "seats", "gust"), (lookup,), readable_types={"origin": "string", "asked": "date"}
        )
        package = _package()
        ref = registry.register(NAME, replace(package, carried=carried), RUN)
        assert registry.carried(ref) == carried
        assert registry.carried(registry.register(NAME, package, RUN)) is None
        assert [column.name for column in registry.signature(ref).inputs] == ["wind", "seats", "gust"]
        expected = package.model.predict_proba(package.sample)  # type: ignore[attr-defined]
        assert np.array_equal(registry.load(ref).predict_proba(package.sample), expected)  # type: ignore[attr-defined]

    def test_an_alias_moves(self, registry: Registry) -> None:
        """It points to one version at a time, and two aliases do not disturb each other."""
        first, second = (registry.register(NAME, _package(), RUN) for _ in range(2))
        registry.set_alias(NAME, "champion", first.version)
        registry.set_alias(NAME, "challenger", second.version)
        assert registry.alias(NAME, "champion") == first
        registry.set_alias(NAME, "champion", second.version)
        registry.drop_alias(NAME, "challenger")
        registry.drop_alias(NAME, "challenger")
        assert registry.alias(NAME, "champion") == second
        assert registry.alias(NAME, "challenger") is None

    def test_an_alias_that_is_elsewhere_by_now_is_not_moved(self, registry: Registry) -> None:
        """A move names what it replaces."""
        first, second = (registry.register(NAME, _package(), RUN) for _ in range(2))
        assert not registry.move_alias(NAME, "champion", second, 1)
        assert registry.alias(NAME, "champion") is None
        assert registry.move_alias(NAME, "champion", None, 1)
        assert not registry.move_alias(NAME, "champion", None, 2)
        assert registry.alias(NAME, "champion") == first
        assert registry.move_alias(NAME, "champion", first, 2)
        assert registry.alias(NAME, "champion") == second

    def test_of_racing_moves_one_comes_through(self, registry: Registry) -> None:
        """All start from the same version."""
        first, *others = (registry.register(NAME, _package(), RUN) for _ in range(4))
        registry.set_alias(NAME, "champion", first.version)
        with ThreadPoolExecutor(len(others)) as pool:
            moves = [pool.submit(registry.move_alias, NAME, "champion", first, each.version) for each in others]
        moved = [each for each, move in zip(others, moves, strict=True) if move.result()]
        assert moved == [registry.alias(NAME, "champion")]

    def test_versions_are_found_by_a_tag(self, registry: Registry) -> None:
        """Those that have it, with its value."""
        refs = [registry.register(NAME, _package(), RUN) for _ in range(3)]
        registry.annotate(refs[0], {}, {"verdict": "champion"})
        registry.annotate(refs[2], {}, {"verdict": "challenger"})
        assert registry.tagged(NAME, "verdict") == {1: "champion", 3: "challenger"}
        assert registry.tagged("nobody", "verdict") == {}

    def test_no_alias_is_none_and_no_version_is_an_error(self, registry: Registry) -> None:
        """A registry nobody used has no champion."""
        assert registry.alias("nobody", "champion") is None
        with pytest.raises(RegistryError, match="version 7"):
            registry.version(NAME, 7)
        registry.register(NAME, _package(), RUN)
        with pytest.raises(RegistryError):
            registry.set_alias(NAME, "champion", 7)

    def test_a_damaged_model_is_refused_before_it_is_loaded(self, registry: Registry) -> None:
        """The others still load."""
        broken, whole = (registry.register(NAME, _package(), RUN) for _ in range(2))
        self.damage(registry, broken)
        with pytest.raises(RegistryError, match="not what was registered"):
            registry.load(broken)
        with pytest.raises(RegistryError, match="not what was registered"):
            registry.signature(broken)
        if _folder_of(registry, whole) is not None:
            with pytest.raises(RegistryError, match="not what was registered"):
                _folder_of(registry, broken)
        registry.load(whole)

    def test_the_files_of_a_version_are_lent_for_a_block(self, registry: Registry) -> None:
        """A folder in MLflow's format, gone afterwards; or none at all."""
        ref = registry.register(NAME, _package(), RUN)
        with registry.files(ref) as folder:
            assert folder is None or (folder / "MLmodel").is_file()
        assert folder is None or not folder.exists()
        with pytest.raises(RegistryError):
            _folder_of(registry, replace(ref, version=7))

    def test_annotations_add_to_what_is_there(self, registry: Registry) -> None:
        """Tags of a version can be read back."""
        ref = registry.register(NAME, _package(), RUN)
        registry.annotate(ref, {"auc": 0.7}, {"verdict": "champion"})
        registry.annotate(ref, {"brier": 0.1}, {"why": "better"})
        tags = registry.tags(ref)
        assert (tags["verdict"], tags["why"]) == ("champion", "better")

    def test_the_facts_of_a_version_are_those_of_its_run_and_its_aliases(self, registry: Registry) -> None:
        """Under the names that were given, whatever a store makes of them."""
        first, second = (registry.register(NAME, _package(), RUN) for _ in range(2))
        registry.annotate(second, {"ü/ä": 0.5}, {"verdict": "champion"})
        registry.describe(second, "Rates **flights**.")
        for alias in ("champion", "best"):
            registry.set_alias(NAME, alias, second.version)
        facts = registry.facts(second)
        assert (facts.ref, facts.aliases, facts.description) == (second, ("best", "champion"), "Rates **flights**.")
        assert facts.run_tags["verdict"] == "champion"
        assert (facts.tags["verdict"], facts.metrics, facts.params) == ("champion", {"ü/ä": 0.5}, {"C": "1.0"})
        assert facts.data == {"test": "t@v3"} and facts.created > 0
        assert (registry.facts(first).aliases, registry.facts(first).description) == ((), "")
        with pytest.raises(RegistryError, match="version 7"):
            registry.facts(ModelRef(NAME, 7, "", ""))

    def test_a_description_of_any_length_is_taken(self, registry: Registry) -> None:
        """In this store's length."""
        ref = registry.register(NAME, _package(), RUN)
        registry.describe(ref, "é" * 100_000)
        assert set(registry.facts(ref).description) == {"é"}

    def test_a_model_that_cannot_be_asked_is_refused(self, registry: Registry) -> None:
        """No version is left by it."""
        with pytest.raises(RegistryError, match="has no method"):
            registry.register(NAME, Package(StandardScaler(), _inputs()), RUN)
        with pytest.raises(RegistryError, match="sample"):
            registry.register(NAME, Package(_package().model, _inputs().head(0)), RUN)
        with pytest.raises(RegistryError):
            registry.version(NAME, 1)

    def test_a_model_that_no_other_process_could_load_is_refused(self, registry: Registry) -> None:
        """Its class is named, and no version is left."""

        class Inside:
            def predict(self, frame: pd.DataFrame) -> object:
                return frame["wind"]

        with pytest.raises(RegistryError, match="Inside could not be loaded again"):
            registry.register(NAME, Package(Inside(), _inputs(), "predict"), RUN)
        with pytest.raises(RegistryError):
            registry.version(NAME, 1)

    @pytest.mark.parametrize("dtype", ["object", "string", "category"])
    def test_text_may_come_in_any_of_pandas_types(self, registry: Registry, dtype: str) -> None:
        """And is text to whoever asks the model."""
        sample = pd.DataFrame({"kind": pd.Series(["a", "b", "a", "b"], dtype=dtype), "size": [1.0, 2.0, 3.0, 4.0]})
        encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["kind"]), remainder="passthrough")
        model = make_pipeline(encode, LogisticRegression()).fit(sample, [0, 1, 0, 1])
        ref = registry.register(NAME, Package(model, sample), RUN)
        assert registry.signature(ref).inputs == (Column("kind", "string"), Column("size", "double"))
        found = registry.load(ref).predict_proba(sample.astype({"kind": object}))  # type: ignore[attr-defined]
        assert found.shape == (4, 2)

    @pytest.mark.parametrize("values", [[{"a": 1}], [pd.Timestamp("2013-01-01")], [b"x"]])
    def test_a_column_that_no_table_gives_a_model_is_refused(self, registry: Registry, values: list[object]) -> None:
        """By its name."""
        sample = _inputs().head(1).assign(odd=pd.Series(values, index=[0]))
        with pytest.raises(RegistryError, match="column 'odd' of the sample"):
            registry.register(NAME, Package(_package().model, sample), RUN)

    def test_runs_of_other_kinds_are_recorded(self, registry: Registry) -> None:
        """Each gets an id of its own."""
        run = Run("monitoring", "november", "tests", metrics={"psi": 0.1}, artifacts={"monitoring/report.html": "<p>"})
        assert registry.record(run) != registry.record(run)

    def test_close_may_be_called_twice(self, registry: Registry) -> None:
        """Without complaint."""
        registry.close()
        registry.close()


def _folder_of(registry: Registry, ref: ModelRef) -> object:
    with registry.files(ref) as folder:
        return folder


def _inputs() -> pd.DataFrame:
    random = np.random.default_rng(7)
    numbers = {"wind": random.normal(size=60), "seats": random.integers(20, 300, 60), "gust": random.normal(size=60)}
    return pd.DataFrame(numbers).astype({"gust": "float32"})


def _labels() -> object:
    return (_inputs()["wind"] > 0).astype(int)


def _package() -> Package:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(_inputs(), _labels())
    return Package(model, _inputs().head(5))
