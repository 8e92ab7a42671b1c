"""The scikit-learn door: against scikit-learn's own searches, and what it does with runs, failures and resumes."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy
import pandas
import pytest
import scipy.sparse
from scipy import stats
from sklearn import clone, config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, PredefinedSplit, RandomizedSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import sparkml_track as st
from sparkml_track import schema
from sparkml_track.engine.audit.verify import verify
from sparkml_track.errors import InvalidInput
from sparkml_track.frontdoors._sklearn import search as door
from sparkml_track.frontdoors.sklearn import SparkSearchCV
from sparkml_track.testing.accounting import assert_accounting
from tests.faults.here import Moments
from tests.faults.test_units import Stop, die

pytestmark = pytest.mark.slow

X, y = make_classification(120, 6, random_state=0)
THIRDS = numpy.arange(120) % 3
FOREST = DecisionTreeClassifier(random_state=0)
OFF = st.Tracking(uri="memory:", child_runs="none")


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))


def search(estimator: Any, space: Any, **given: Any) -> SparkSearchCV:
    """In this process, untracked."""
    return SparkSearchCV(estimator, space, **{"executor": "inline", "tracking": OFF, **given})


def assert_same(ours: Any, theirs: Any) -> None:
    """All but the times."""
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name, values in theirs.cv_results_.items():
        if "_time" not in name:
            assert repr(ours.cv_results_[name]) == repr(values), name
    for name in ("best_index_", "best_params_", "best_score_", "n_splits_", "multimetric_", "n_features_in_"):
        assert hasattr(ours, name) == hasattr(theirs, name), name
        assert getattr(ours, name, None) == getattr(theirs, name, None), name


# -- beside scikit-learn's own

GRIDS: dict[str, tuple[Any, Any, dict[str, Any], dict[str, Any]]] = {
    "lists": (FOREST, {"max_depth": [1, 2, 3], "criterion": ["gini", "entropy"]}, {}, {}),
    "several mappings, of which some lack names": (
        SVC(),
        [{"kernel": ["linear"], "C": [0.1, 1]}, {"kernel": ["rbf"], "gamma": numpy.logspace(-2, 0, 3)}],
        {"cv": 3},
        {},
    ),
    "several scores, and those of training rows": (
        FOREST,
        {"max_depth": [1, 2]},
        {"scoring": ["accuracy", "roc_auc"], "refit": "roc_auc", "return_train_score": True},
        {},
    ),
    "a function that scores": (
        FOREST,
        {"max_depth": [1, 2]},
        {"scoring": lambda e, X, y: {"a": e.score(X, y), "b": -1.0}, "refit": "a", "return_train_score": True},  # noqa: N803
        {},
    ),
    "a function that gives a number": (FOREST, {"max_depth": [1, 2]}, {"scoring": lambda e, X, y: e.score(X, y)}, {}),  # noqa: N803
    "groups": (FOREST, {"max_depth": [1, 2]}, {"cv": GroupKFold(3)}, {"groups": numpy.arange(120) % 7}),
    "weights of rows": (
        FOREST,
        {"max_depth": [1, 2]},
        {"scoring": "accuracy"},
        {"sample_weight": numpy.linspace(0, 1, 120)},
    ),
    "one split": (FOREST, {"max_depth": [1, 2, 3]}, {"cv": PredefinedSplit(numpy.r_[[-1] * 80, [0] * 40])}, {}),
    "masks": (FOREST, {"max_depth": [1, 2]}, {"cv": [(k != THIRDS, k == THIRDS) for k in range(3)]}, {}),
    "steps that are estimators": (
        make_pipeline(StandardScaler(), FOREST),
        {"decisiontreeclassifier": [FOREST, KNeighborsClassifier(3), GaussianNB()]},
        {"cv": 3},
        {},
    ),
    "no names": (FOREST, {}, {}, {}),
    "nan": (make_pipeline(SimpleImputer(), FOREST), {"simpleimputer__missing_values": [numpy.nan, 0.0]}, {"cv": 2}, {}),
    "a step whose name has a dot": (Pipeline([("a.b", FOREST)]), {"a.b__max_depth": [1, 2]}, {"cv": 2}, {}),
    "no refit": (FOREST, {"max_depth": [1, 2]}, {"refit": False}, {}),
    "a function that chooses": (FOREST, {"max_depth": [1, 2]}, {"refit": lambda found: 1}, {}),
    "tuples and equal candidates": (FOREST, {"max_depth": [2, 2], "class_weight": [None, {0: 1, 1: 3}]}, {}, {}),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_gives_what_grid_search_gives(name: str) -> None:
    estimator, space, given, params = GRIDS[name]
    theirs = GridSearchCV(estimator, space, **given).fit(X, y, **params)
    ours = search(estimator, space, **given).fit(X, y, **params)
    assert_same(ours, theirs)
    if given.get("refit", True):
        assert (ours.predict(X) == theirs.predict(X)).all()
        assert (ours.classes_ == theirs.classes_).all()
        assert ours.score(X, y) == theirs.score(X, y)
        assert ours.refit_time_ > 0
    assert hasattr(ours, "predict_proba") == hasattr(theirs, "predict_proba")
    assert type(ours.scorer_) is type(theirs.scorer_)


@pytest.mark.parametrize(
    "convert",
    [
        pandas.DataFrame,
        scipy.sparse.csr_matrix,
        lambda rows: rows.tolist(),
        lambda rows: rows.astype(object),
        lambda rows: pandas.DataFrame(rows).add_prefix("c"),
        numpy.asfortranarray,
    ],
)
def test_rows_may_be_of_any_kind(convert: Callable[[Any], Any]) -> None:
    rows = convert(X)
    theirs = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 5]}, cv=3).fit(rows, list(y))
    ours = search(KNeighborsClassifier(), {"n_neighbors": [1, 5]}, cv=3).fit(rows, list(y))
    assert_same(ours, theirs)
    if hasattr(theirs, "feature_names_in_"):
        assert list(ours.feature_names_in_) == list(theirs.feature_names_in_)


@pytest.mark.parametrize(
    "space",
    [
        {"C": stats.loguniform(1e-3, 10), "fit_intercept": [True, False]},
        {"C": stats.expon(), "tol": stats.uniform(1e-4, 1e-3)},
        [{"C": stats.uniform(0.1, 1)}, {"class_weight": ["balanced", None]}],
    ],
)
def test_random_candidates_are_those_of_randomized_search(space: Any) -> None:
    estimator = LogisticRegression()
    theirs = RandomizedSearchCV(estimator, space, n_iter=5, random_state=3, cv=3).fit(X, y)
    ours = search(estimator, space, n_trials=5, random_state=3, cv=3).fit(X, y)
    assert_same(ours, theirs)


def test_lists_with_the_random_sampler_are_drawn_without_replacement() -> None:
    space = {"max_depth": [1, 2, 3, 4], "criterion": ["gini", "entropy"]}
    theirs = RandomizedSearchCV(FOREST, space, n_iter=6, random_state=1, cv=2).fit(X, y)
    assert_same(search(FOREST, space, sampler="random", n_trials=6, random_state=1, cv=2).fit(X, y), theirs)


def test_metadata_is_routed() -> None:
    weights = numpy.linspace(0, 1, 120)
    with config_context(enable_metadata_routing=True):
        estimator = DecisionTreeClassifier(random_state=0).set_fit_request(sample_weight=True)
        scoring = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        given: dict[str, Any] = {"scoring": scoring, "cv": GroupKFold(3)}
        data = {"sample_weight": weights, "groups": numpy.arange(120) % 5}
        theirs = GridSearchCV(estimator, {"max_depth": [1, 3]}, **given).fit(X, y, **data)
        ours = search(estimator, {"max_depth": [1, 3]}, **given).fit(X, y, **data)
    assert_same(ours, theirs)


def test_it_is_cloned_pickled_and_shown_as_other_estimators() -> None:
    ours = search(clone(FOREST), {"max_depth": [1, 2]}).on(object())  # type: ignore[arg-type]
    assert clone(ours)._session is None
    assert clone(ours).get_params().keys() == ours.get_params().keys() >= {"estimator__max_depth", "executor"}
    fitted = search(FOREST, {"max_depth": [1, 2]}).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.predict(X) == fitted.predict(X)).all()
    assert ours.set_params(n_trials=1, estimator__min_samples_leaf=3).estimator.min_samples_leaf == 3
    assert "SparkSearchCV" in repr(ours)


# -- samplers


def test_distributions_of_ours_are_searched_by_any_sampler() -> None:
    space = {"C": st.loguniform(1e-3, 10), "solver": ["lbfgs", "liblinear"], "fit_intercept": st.choice(True, False)}
    given: dict[str, Any] = {"n_trials": 5, "cv": 3, "random_state": 1}
    ours = search(LogisticRegression(), space, **given).fit(X, y)
    assert len(ours.cv_results_["params"]) == 5
    for params in ours.cv_results_["params"]:
        theirs = GridSearchCV(LogisticRegression(), {name: [one] for name, one in params.items()}, cv=3).fit(X, y)
        at = ours.cv_results_["params"].index(params)
        assert ours.cv_results_["mean_test_score"][at] == theirs.best_score_
    again = search(LogisticRegression(), space, **given).fit(X, y)
    assert again.cv_results_["params"][:1] == ours.cv_results_["params"][:1]


def test_scipys_distributions_are_ours_for_samplers_of_ours() -> None:
    space = {
        "C": stats.loguniform(0.1, 10),
        "tol": stats.uniform(1e-4, 1e-3),
        "max_iter": stats.randint(50, 60),
        "class_weight": [None, {0: 1, 1: 2}],
    }
    ours = search(LogisticRegression(), space, sampler="quasi-random", n_trials=8, cv=2, random_state=0).fit(X, y)
    for params in ours.cv_results_["params"]:
        assert 0.1 <= params["C"] <= 10 and 1e-4 <= params["tol"] <= 1.1e-3 and params["max_iter"] in range(50, 60)
        assert params["class_weight"] in (None, {0: 1, 1: 2})
    with pytest.raises(ValueError, match=r"'C' is scipy's expon, .* allowed are loguniform, norm, randint"):
        search(LogisticRegression(), {"C": stats.expon()}, sampler="tpe").fit(X, y)


def test_estimators_are_options_for_samplers_of_ours() -> None:
    space = {"decisiontreeclassifier": [FOREST, GaussianNB()], "standardscaler": st.choice("passthrough")}
    ours = search(make_pipeline(StandardScaler(), FOREST), space, sampler="quasi-random", n_trials=4, cv=2).fit(X, y)
    kinds = {type(params["decisiontreeclassifier"]) for params in ours.cv_results_["params"]}
    assert kinds == {DecisionTreeClassifier, GaussianNB}
    odd = search(Pipeline([("a.b", FOREST)]), {"a.b__max_depth": st.choice(1, 2)}, n_trials=2, cv=2).fit(X, y)
    assert {tuple(params) for params in odd.cv_results_["params"]} == {("a.b__max_depth",)}
    assert set(ours.sweep_result_.to_pandas()["params.decisiontreeclassifier"]) == {
        "GaussianNB()",
        "DecisionTreeClassifier(random_state=0)",
    }


class ByFold(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Scores what ``worth`` says; raises for some."""

    def __init__(self, worth: float = 0.0, bad: str = "", folder: str = "") -> None:
        self.worth, self.bad, self.folder = worth, bad, folder

    def fit(self, X: Any, y: Any) -> ByFold:  # noqa: N803
        self.classes_ = numpy.unique(y)
        self.first_ = int(numpy.asarray(X)[0, 0])
        if self.folder:
            import uuid

            Path(self.folder, f"{self.worth}.{self.first_}.{uuid.uuid4().hex}").touch()
        if self.bad == "fit" or (self.bad == "first fold" and self.first_ != 0):
            raise KeyError("no fit")
        return self

    def score(self, X: Any, y: Any) -> Any:  # noqa: N803
        if self.bad == "score":
            raise RuntimeError("no score")
        return "text" if self.bad == "text" else self.worth


ROWS = numpy.arange(120, dtype=float).reshape(-1, 1)


def test_hopeless_candidates_are_left_after_their_first_splits() -> None:
    space = {"worth": [0.9, 0.1, 0.8, 0.2]}
    ours = search(ByFold(), space, cv=4, pruner={"threshold": {"lower": 0.5}}).fit(ROWS, y)
    assert [trial.state.value for trial in ours.sweep_result_.trials] == ["finished", "pruned", "finished", "pruned"]
    assert ours.best_params_ == {"worth": 0.9}
    results = ours.cv_results_
    assert results["split0_test_score"].tolist() == [0.9, 0.1, 0.8, 0.2]
    assert numpy.isnan(results["split1_test_score"]).tolist() == [False, True, False, True]
    assert results["rank_test_score"].tolist() == [1, 3, 2, 3]


# -- failures


@pytest.mark.filterwarnings("ignore:One or more of the")
@pytest.mark.parametrize("error_score", [numpy.nan, 0.25, 0])
@pytest.mark.parametrize("bad", [["", "first fold"], ["", "fit"]])
def test_a_fit_that_fails_has_the_error_score(error_score: float, bad: list[str]) -> None:
    given: dict[str, Any] = {"cv": 3, "error_score": error_score, "return_train_score": True}
    space = {"bad": bad, "worth": [0.5]}
    with pytest.warns(FitFailedWarning) as said:
        theirs = GridSearchCV(ByFold(), space, **given).fit(ROWS, y)
    with pytest.warns(FitFailedWarning) as ours_said:
        ours = search(ByFold(), space, **given).fit(ROWS, y)
    assert_same(ours, theirs)
    texts = [[str(one.message) for one in each if one.category is FitFailedWarning] for each in (said, ours_said)]
    assert len(texts[0]) == len(texts[1]) == 1
    assert texts[1][0].splitlines()[:3] == texts[0][0].splitlines()[:3]
    assert "KeyError: 'no fit'" in texts[1][0]


def test_a_search_of_which_every_fit_fails_raises_as_scikit_learn_does(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match=r"All the 6 fits failed"):
        search(ByFold(), {"bad": ["fit"], "worth": [1.0, 2.0]}, cv=3).fit(ROWS, y)
    assert "(exception): FitFailed: KeyError: 'no fit'" in caplog.text


@pytest.mark.parametrize(
    ("bad", "error_score", "kind", "said"),
    [
        ("fit", "raise", KeyError, "no fit"),
        ("score", "raise", RuntimeError, "no score"),
        ("text", numpy.nan, ValueError, "scoring must return a number, got text"),
    ],
)
def test_what_scikit_learn_raises_is_raised(bad: str, error_score: Any, kind: type[Exception], said: str) -> None:
    space = {"bad": [bad], "worth": [1.0, 2.0]}
    with pytest.raises(kind, match=said):
        GridSearchCV(ByFold(), space, cv=3, error_score=error_score).fit(ROWS, y)
    with pytest.raises(kind, match=said):
        search(ByFold(), space, cv=3, error_score=error_score).fit(ROWS, y)


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_score_that_fails_is_the_error_score() -> None:
    space = {"bad": ["", "score"], "worth": [1.0]}
    with pytest.warns(UserWarning, match="Scoring failed"):
        ours = search(ByFold(), space, cv=3).fit(ROWS, y)
    assert numpy.isnan(ours.cv_results_["mean_test_score"]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({"space": {"max_depth": 3}}, TypeError, "Parameter grid"),
        ({"space": {"nothing": [3]}}, ValueError, "Invalid parameter 'nothing'"),
        ({"space": 7}, TypeError, "space is a int; allowed is a mapping"),
        ({"n_trials": 0}, ValueError, "n_trials is 0; allowed is a whole number"),
        ({"sampler": "tpee"}, InvalidInput, "did you mean 'tpe'|unknown"),
        ({"sampler": "tpe", "space": [{}, {}]}, ValueError, "space is a list of 2 mappings"),
        ({"space": {"max_depth": st.choice(1, 2), "criterion": "gini"}}, TypeError, "'criterion' is 'gini'"),
        ({"pruner": "medium"}, InvalidInput, "pruner 'medium' is unknown"),
        ({"executor": "cluster"}, InvalidInput, "executor is 'cluster'"),
        ({"scoring": ["accuracy", "f1"]}, ValueError, "refit must be set to a scorer key"),
        ({"scoring": "speed"}, ValueError, "scoring"),
        ({"error_score": "none"}, ValueError, "error_score"),
        ({"cv": 500}, ValueError, "n_splits=500"),
    ],
)
def test_wrong_arguments_are_refused(given: Mapping[str, Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        search(**{"estimator": FOREST, "space": {"max_depth": [1, 2]}, "error_score": "raise", **given}).fit(X, y)


def test_callbacks_are_refused() -> None:
    ours = search(FOREST, {"max_depth": [1, 2]})
    ours._skl_callbacks = [object()]
    with pytest.raises(ValueError, match=r"SparkSearchCV has callbacks of scikit-learn, .* progress=\.\.\. instead"):
        ours.fit(X, y)


# -- runs, and going on


def test_runs_have_what_was_found_and_the_model(home: Path) -> None:
    tracking = st.Tracking(uri=f"sqlite:///{home / 'mlflow.db'}")
    ours = search(FOREST, {"max_depth": [1, 4]}, cv=3, name="trees", tracking=tracking).fit(X, y)
    result = ours.sweep_result_
    assert_accounting(home, result.sweep)
    assert verify(result.sweep, home=home).differences == []
    runs = mlflow.MlflowClient(tracking.uri)
    parent = runs.get_run(result.run_id)
    assert parent.data.tags[schema.TAG_BEST] == str(ours.best_index_)
    assert parent.data.metrics["best_test_score"] == ours.best_score_
    inside = f"tags.`{schema.TAG_PARENT}` = '{result.run_id}'"
    children = {int(run.data.tags[schema.TAG_NUMBER]): run for run in runs.search_runs([result.experiment_id], inside)}
    for number, run in children.items():
        metrics = run.data.metrics
        assert run.data.params == {"max_depth": str([1, 4][number])}
        assert metrics["test_score"] == pytest.approx(ours.cv_results_["mean_test_score"][number])
        assert metrics["test_score_std"] == pytest.approx(ours.cv_results_["std_test_score"][number])
        for split in range(3):
            assert metrics[f"split{split}_test_score"] == ours.cv_results_[f"split{split}_test_score"][number]
        assert metrics["fit_time"] > 0
    mlflow.set_tracking_uri(tracking.uri)
    try:
        model = mlflow.sklearn.load_model(ours.model_uri_)
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    assert (model.predict(X) == ours.predict(X)).all()
    (logged,) = parent.outputs.model_outputs
    assert ours.model_uri_ == f"models:/{logged.model_id}"


def test_a_model_that_cannot_be_stored_is_left_out(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    given: dict[str, Any] = {"tracking": st.Tracking(uri=f"sqlite:///{home / 'mlflow.db'}"), "cv": 2}

    class Local(DummyClassifier):  # type: ignore[misc]
        """Nobody else can import it."""

    ours = search(Local(), {"strategy": ["prior"]}, **given).fit(X, y)
    assert ours.model_uri_ is None
    assert "the refitted estimator is not logged, all else is" in caplog.text
    assert search(FOREST, {"max_depth": [1]}, log_model=False, **given).fit(X, y).model_uri_ is None


def interrupted(ours: SparkSearchCV, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver dies when it gets the outcome of so many fits."""
    run, moments = door.run, Moments().at("received", count, die)
    with monkeypatch.context() as patched:
        patched.setattr(door, "run", lambda *given, **more: run(*given, **more, reached=moments))
        with pytest.raises(Stop):
            ours.fit(ROWS, y)


def executed(folder: Path) -> list[str]:
    return sorted(path.name.rpartition(".")[0] for path in folder.iterdir())


def test_the_same_call_goes_on_after_its_driver_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fits"
    folder.mkdir()
    ours = search(
        ByFold(folder=str(folder)), {"worth": [0.1, 0.2, 0.3]}, cv=StratifiedKFold(3), name="again", refit=False
    )
    interrupted(ours, 5, monkeypatch)
    assert len(executed(folder)) == 5
    ours.fit(ROWS, y)
    assert len(executed(folder)) == 10, "only the fit whose outcome had not been accepted came twice"
    assert ours.cv_results_["mean_test_score"].tolist() == pytest.approx([0.1, 0.2, 0.3])
    theirs = GridSearchCV(ByFold(), {"worth": [0.1, 0.2, 0.3]}, cv=StratifiedKFold(3)).fit(ROWS, y)
    assert_same(search(ByFold(), {"worth": [0.1, 0.2, 0.3]}, cv=StratifiedKFold(3)).fit(ROWS, y), theirs)


def test_another_estimator_or_other_rows_are_another_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fits"
    folder.mkdir()
    interrupted(search(ByFold(folder=str(folder)), {"worth": [0.1, 0.2]}, cv=3, name="again"), 5, monkeypatch)
    for estimator, rows in ((ByFold(bad="x", folder=str(folder)), ROWS), (ByFold(folder=str(folder)), ROWS + 1)):
        before = len(executed(folder))
        search(estimator, {"worth": [0.1, 0.2]}, cv=3, name="again", refit=False).fit(rows, y)
        assert len(executed(folder)) == before + 6


def test_without_a_name_nothing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fits"
    folder.mkdir()
    ours = search(ByFold(folder=str(folder)), {"worth": [0.1, 0.2]}, cv=3, refit=False)
    interrupted(ours, 5, monkeypatch)
    ours.fit(ROWS, y)
    assert len(executed(folder)) == 5 + 6


def test_a_search_that_time_ended_has_what_was_done(tmp_path: Path) -> None:
    class Slow(ByFold):
        def fit(self, X: Any, y: Any) -> ByFold:  # noqa: N803
            import time

            time.sleep(0.1)
            return super().fit(X, y)

    ours = search(Slow(), {"worth": [n / 100 for n in range(1, 90)]}, cv=2, timeout=1.5).fit(ROWS, y)
    scores = ours.cv_results_["mean_test_score"]
    assert 0 < len(scores) < 89
    assert ours.best_score_ == max(score for score in scores if not math.isnan(score))
