from __future__ import annotations

import importlib
import json
import math
import warnings
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from sparkml_track.errors import DataError, RegistryError, SpecError, TableError
from sparkml_track.features import FeatureFunction, FeatureLookup, FeatureStore
from sparkml_track.online_stores import MemoryOnlineStore, features_of_rows, open_online_store
from sparkml_track.registries import MlflowRegistry, Registry
from sparkml_track.scoring._shipping import pack
from sparkml_track.tables import MemoryTables, TableExpectations

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def headwind(wind: pd.Series, miles: pd.Series) -> pd.Series:
    """Null where the wind is."""
    return wind * miles / 100


def hour(at: pd.Series) -> pd.Series:
    return at.dt.hour


WIND = FeatureLookup("weather", "origin", ("wind", "sky"), {"wind": "gale"}, "asked", timedelta(hours=3), {"sky": "?"})
SEATS = FeatureLookup("planes", ("plane",), default_values={"seats": -1})
HEADWIND = FeatureFunction(headwind, {"wind": "gale", "miles": "miles"}, "headwind")
HOUR = FeatureFunction(hour, {"at": "asked"}, "hour", "int")


@pytest.fixture(scope="module")
def store(spark: SparkSession) -> FeatureStore:
    made = FeatureStore(MemoryTables(spark))
    weather = {
        "origin": ["JFK", "JFK", "JFK", "EWR"],
        "known_at": [NOON + timedelta(hours=each) for each in (0, 1, 2, 2)],
        "wind": pa.array([5.0, 7.0, None, 3.0]),
        "sky": ["blue", None, "grey", None],
    }
    made.create_table("weather", ["origin"], spark.createDataFrame(pa.table(weather)), timestamp_key="known_at")
    planes = pa.table({"tailnum": ["N1", "N2"], "seats": [100, 200]})
    made.create_table("planes", ["tailnum"], spark.createDataFrame(planes))
    return made


def flights(spark: SparkSession, **more: list[Any]) -> DataFrame:
    made = {
        "flight": [1, 2, 3, 4],
        "origin": ["JFK", "JFK", "EWR", "LGA"],
        "plane": ["N1", None, "N2", "N3"],
        "asked": [NOON + timedelta(hours=each) for each in (1, 2, 6, 2)],
        "miles": [10.0, 20.0, 30.0, 40.0],
        "late": [0.0, 1.0, 0.0, 1.0],
        **more,
    }
    return spark.createDataFrame(pa.table(made))


@pytest.fixture(scope="module")
def online(store: FeatureStore) -> MemoryOnlineStore:
    made = MemoryOnlineStore()
    for name in ("weather", "planes"):
        store.publish_table(name, made)
    return made


@pytest.fixture
def registry(home: Path) -> Iterator[Registry]:
    with closing(MlflowRegistry(f"sqlite:///{home / 'mlflow.db'}", str(home / "artifacts"))) as one:
        yield one


def training_set(store: FeatureStore, spark: SparkSession) -> Any:
    return store.create_training_set(
        flights(spark),
        [HEADWIND, WIND, SEATS, HOUR],
        "late",
        keys=["flight"],
        exclude_columns=["origin", "plane", "asked", "sky"],
    )


def fitted(made: Any) -> HistGradientBoostingRegressor:
    rows = made.load_df().toPandas()
    return HistGradientBoostingRegressor(min_samples_leaf=1, max_iter=5).fit(rows[list(made.features)], rows["late"])


def plain(rows: pd.DataFrame) -> list[tuple[object, ...]]:
    """With nan as text, which is equal to itself."""
    return [tuple("nan" if each != each else each for each in row) for row in rows.itertuples(index=False)]


def test_functions_are_computed_after_look_ups_in_training(store: FeatureStore, spark: SparkSession) -> None:
    made = training_set(store, spark)
    assert made.features == ("miles", "gale", "seats", "headwind", "hour")
    rows = made.load_df().orderBy("flight").select(*made.features).collect()
    # At the third the weather is older than the look-back; of the fourth nobody knows anything.
    assert [tuple(row) for row in rows] == [
        (10.0, 7.0, 100, 0.7, 13),
        (20.0, None, -1, None, 14),
        (30.0, None, 200, None, 18),
        (40.0, None, -1, None, 14),
    ]


def test_a_model_carries_its_look_ups_everywhere(
    store: FeatureStore, spark: SparkSession, online: MemoryOnlineStore, registry: Registry, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    made = training_set(store, spark)
    model = fitted(made)
    ref = store.log_model(model, "delays", training_set=made, registry=registry)
    assert [column.name for column in registry.signature(ref).inputs] == list(made.features)
    assert type(registry.load(ref)) is HistGradientBoostingRegressor
    carried = registry.carried(ref)
    assert carried is not None and carried.columns == made.features and carried.lookups[0].table == "weather"
    expected = model.predict(made.load_df().orderBy("flight").toPandas()[list(made.features)])
    # In batches, by the keys and times alone.
    keys = flights(spark).drop("late")
    scored = store.score_batch("models:/delays/1", keys, registry=registry).orderBy("flight")
    assert scored.columns[:5] == ["flight", "origin", "plane", "asked", "miles"]
    got = scored.toPandas()
    assert got["problem"].isna().all()
    assert got["score"].tolist() == expected.tolist()
    # Behind an endpoint; the first row's wind is not the newest, so nobody gives it out.
    rows = flights(spark).toPandas().drop(columns="late")
    rows["asked"] = rows["asked"].dt.tz_localize("UTC")
    found, missing = features_of_rows(carried, online).add(rows)
    want = made.load_df().orderBy("flight").toPandas()[list(made.features)]
    assert list(found.columns) == list(made.features) and missing == 5
    assert plain(found)[1:] == plain(want)[1:]
    assert math.isnan(found["gale"][0])
    # By MLflow alone; its own import warns, and the registry's does not.
    import mlflow.pyfunc

    address = str(tmp_path / "online")
    for name in ("weather", "planes"):
        store.publish_table(name, address)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    uri = registry_folder(registry, ref)
    pyfunc = mlflow.pyfunc.load_model(uri, model_config={"online_store": address})
    assert pyfunc.predict(rows).tolist()[1:] == expected.tolist()[1:]
    assert pyfunc.predict(want).tolist() == expected.tolist()
    monkeypatch.setenv("SPARKML_ONLINE_STORE", address)
    assert mlflow.pyfunc.load_model(uri).predict(rows).tolist()[1:] == expected.tolist()[1:]


def registry_folder(registry: Any, ref: Any) -> str:
    return str(registry._client.get_model_version_download_uri(ref.name, str(ref.version)))


def test_a_column_that_is_there_is_taken_as_it_is(
    store: FeatureStore, spark: SparkSession, online: MemoryOnlineStore, registry: Registry
) -> None:
    made = training_set(store, spark)
    store.log_model(fitted(made), "run", training_set=made, registry=registry, registered_model_name="delays")
    rows = flights(spark, gale=[1.0, 2.0, 3.0, None])
    got = store.score_batch("models:/delays/1", rows, registry=registry).orderBy("flight").toPandas()
    assert plain(got[["gale", "seats", "headwind"]]) == [
        (1.0, 100, 0.1),
        (2.0, -1, 0.4),
        (3.0, 200, 0.9),
        ("nan", -1, "nan"),
    ]
    carried = registry.carried(registry.version("delays", 1))
    assert carried is not None
    frame = pd.DataFrame({"gale": [1.0], "miles": [50.0], "hour": [3], "seats": [7]})
    found, missing = features_of_rows(carried, online).add(frame)
    assert (plain(found), missing) == ([(50.0, 1.0, 7, 0.5, 3)], 0)


def test_what_is_missing_is_named(
    store: FeatureStore, spark: SparkSession, online: MemoryOnlineStore, registry: Registry
) -> None:
    made = training_set(store, spark)
    store.log_model(fitted(made), "delays", training_set=made, registry=registry)
    with pytest.raises(DataError, match="the rows have no column 'plane'"):
        store.score_batch("models:/delays/1", flights(spark).drop("plane"), registry=registry)
    with pytest.raises(DataError, match="column 'miles'"):
        store.score_batch("models:/delays/1", flights(spark).drop("miles"), registry=registry)
    for uri, error in {
        "delays": SpecError,
        "models:/delays@none": RegistryError,
        "models:/delays/7": RegistryError,
    }.items():
        with pytest.raises(error):
            store.score_batch(uri, flights(spark), registry=registry)
    carried = registry.carried(registry.version("delays", 1))
    assert carried is not None
    adds = features_of_rows(carried, online)
    with pytest.raises(DataError, match="no column plane, by which seats of planes are looked up"):
        adds.add(pd.DataFrame({"origin": ["JFK"], "miles": [1.0]}))
    with pytest.raises(DataError, match="no column miles, from which headwind is computed"):
        adds.add(pd.DataFrame({"origin": ["JFK"], "plane": ["N1"]}))
    with pytest.raises(DataError, match="key column 'tailnum' is string, got 5"):
        adds.add(pd.DataFrame({"origin": ["JFK"], "plane": [5], "miles": [1.0]}))
    with pytest.raises(DataError, match="'asked' holds instants with a time zone"):
        adds.add(
            pd.DataFrame({"origin": ["JFK"], "plane": ["N1"], "miles": [1.0], "asked": [NOON.replace(tzinfo=None)]})
        )
    with pytest.raises(DataError, match="column 'miles' is not double"):
        adds.add(pd.DataFrame({"origin": ["JFK"], "plane": ["N1"], "miles": ["far"], "asked": [NOON]}))


def booster(rows: pd.DataFrame, late: Any) -> Any:
    xgboost = pytest.importorskip("xgboost")
    return xgboost.train({"max_depth": 2, "nthread": 1}, xgboost.DMatrix(rows, late), 3)


def by_python(rows: pd.DataFrame, late: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of type hints of MLflow's own
        from mlflow.pyfunc import PythonModel

    class Sum(PythonModel):
        def predict(self, context: object, model_input: pd.DataFrame, params: object = None) -> Any:
            return 2 * model_input["miles"].to_numpy() + model_input["seats"].to_numpy()

    return Sum()


def of_spark(rows: pd.DataFrame, late: Any) -> Any:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Imputer, VectorAssembler
    from pyspark.ml.regression import LinearRegression
    from pyspark.sql import SparkSession

    names, made = list(rows.columns), [f"{name}_" for name in rows.columns]
    stages = [Imputer(inputCols=names, outputCols=made), VectorAssembler(inputCols=made, outputCol="features")]
    session = SparkSession.builder.getOrCreate()
    frame = session.createDataFrame(pa.Table.from_pandas(rows.assign(late=late)))
    return Pipeline(stages=[*stages, LinearRegression(labelCol="late")]).fit(frame)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("flavor", "fit"), [("mlflow.xgboost", booster), ("mlflow.pyfunc", by_python), ("mlflow.spark", of_spark)]
)
def test_a_model_of_any_flavor_carries_its_look_ups(
    store: FeatureStore, spark: SparkSession, home: Path, flavor: str, fit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = training_set(store, spark)
    rows = made.load_df().orderBy("flight").toPandas()
    address, online = f"sqlite:///{home / 'mlflow.db'}", str(home / "online")
    with closing(MlflowRegistry(address, str(home / "artifacts"), ("pyfunc",))) as registry:
        model, module = fit(rows[list(made.features)], rows["late"]), importlib.import_module(flavor)
        ref = store.log_model(model, "delays", training_set=made, registry=registry, flavor=module)
        assert [column.name for column in registry.signature(ref).inputs] == list(made.features)
        given: Any = registry.load(ref)
        # Workers of a cluster need nothing of this package.
        assert flavor == "mlflow.spark" or b"sparkml_track" not in pack(given, ref)
        expected = list(map(float, given.predict(rows[list(made.features)])))
        assert len(set(expected)) > 1
        got = store.score_batch(ref, flights(spark).drop("late"), registry=registry).orderBy("flight").toPandas()
        assert got["problem"].isna().all()
        assert got["score"].tolist() == pytest.approx(expected)
        # By MLflow alone.
        for name in ("weather", "planes"):
            store.publish_table(name, online)
        keys = flights(spark).toPandas().drop(columns="late")
        keys["asked"] = keys["asked"].dt.tz_localize("UTC")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        load = importlib.import_module("mlflow.pyfunc").load_model
        found = load(registry_folder(registry, ref), model_config={"online_store": online})
        assert list(map(float, found.predict(keys)))[1:] == pytest.approx(expected[1:])
    with (
        closing(MlflowRegistry(address, str(home / "artifacts"))) as careful,
        pytest.raises(RegistryError, match="stored as pyfunc, which can run any code"),
    ):
        careful.load(ref)


def test_only_models_of_flavors_and_of_training_sets_are_logged(
    store: FeatureStore, spark: SparkSession, registry: Registry
) -> None:
    made = training_set(store, spark)
    with pytest.raises(RegistryError, match=r"json stores no models"):
        store.log_model(object(), "m", training_set=made, registry=registry, flavor=json)
    broken = by_python(pd.DataFrame(), None)
    type(broken).predict = lambda *_, **__: 1 / 0
    pyfunc = importlib.import_module("mlflow.pyfunc")
    with pytest.raises(RegistryError, match=r"cannot be asked when it is read back: .*ZeroDivisionError"):
        store.log_model(broken, "m", training_set=made, registry=registry, flavor=pyfunc)
    assert registry.names() == ()
    lambdas = FeatureFunction(np.log1p, {"x": "miles"}, "log")
    made = store.create_training_set(flights(spark), [SEATS], "late", keys=["flight"])
    with pytest.raises(SpecError, match="must be a plain Python function"):
        store.create_feature_spec("s", [SEATS, lambdas])


def test_functions_that_do_not_fit_are_refused(store: FeatureStore, spark: SparkSession) -> None:
    def failing(miles: pd.Series) -> pd.Series:
        raise ValueError("no miles")

    def made(function: FeatureFunction) -> Any:
        return store.create_training_set(flights(spark), [function], "late", keys="flight")

    with pytest.raises(DataError, match="no column 'winds', which 'headwind' is computed from"):
        made(FeatureFunction(headwind, {"wind": "winds", "miles": "miles"}, "headwind"))
    with pytest.raises(DataError, match="'miles' already"):
        made(FeatureFunction(hour, {"at": "asked"}, "miles"))
    with pytest.raises(DataError, match=r"a feature function failed in Spark: .*number"):
        made(FeatureFunction(hour, {"at": "asked"}, "hour", "whole number"))
    with pytest.raises(Exception, match="'x' raised ValueError: no miles"):
        made(FeatureFunction(failing, {"miles": "miles"}, "x")).load_df().collect()


def test_a_feature_spec_is_stored_and_used(store: FeatureStore, spark: SparkSession, online: MemoryOnlineStore) -> None:
    store.create_feature_spec("delays", [WIND])
    made = store.create_feature_spec("delays", [WIND, SEATS, HEADWIND], exclude_columns="sky")
    assert store.get_feature_spec("delays") == made
    assert made.carried.columns == ("gale", "seats", "headwind")
    rows = pd.DataFrame({"origin": ["EWR"], "plane": ["N2"], "miles": [200.0], "asked": ["2024-01-01T15:00:00+00:00"]})
    found, missing = features_of_rows(made.carried, online).add(rows)
    assert (plain(found), missing) == ([(3.0, 200, 6.0)], 0)
    # Without a time that of now holds, and the weather is old.
    found, missing = features_of_rows(made.carried, online).add(rows.drop(columns="asked"))
    assert (plain(found), missing) == ([("nan", 200, "nan")], 1)
    again = store.create_training_set(flights(spark), made.features(), "late", keys="flight", exclude_columns="sky")
    assert again.features == ("origin", "plane", "asked", "miles", "gale", "seats", "headwind")
    with pytest.raises(TableError, match="no feature spec 'other', there are: delays"):
        store.get_feature_spec("other")
    with pytest.raises(DataError, match="'gale' is there twice"):
        store.create_feature_spec("s", [WIND, WIND])
    with pytest.raises(SpecError, match="at least one FeatureLookup"):
        store.create_feature_spec("s", [HOUR])


def test_training_batches_and_endpoints_give_equal_features(spark: SparkSession, registry: Registry) -> None:
    """10,000 rows over a table with late rows, ties, nulls, and keys that nobody knows."""
    draw = np.random.default_rng(7)
    store = FeatureStore(MemoryTables(spark))
    count = 4_000
    events = pd.DataFrame(
        {
            "who": draw.integers(0, 700, count),
            "at": NOON + pd.to_timedelta(draw.integers(0, 500, count), unit="min"),
            "made": NOON + pd.to_timedelta(np.arange(count), unit="s"),
            "number": np.where(draw.random(count) < 0.2, np.nan, draw.normal(size=count)),
            "text": np.where(draw.random(count) < 0.2, None, draw.choice(["a", "b"], count)),
        }
    )
    table = pa.Table.from_pandas(events, preserve_index=False).append_column(
        "whole", pa.array([None if each < 0.2 else int(each * 100) for each in draw.random(count)], pa.int64())
    )
    table = table.set_column(1, "at", table["at"].cast(pa.timestamp("us", "UTC")))
    table = table.set_column(2, "made", table["made"].cast(pa.timestamp("us", "UTC")))
    store.tables.write("facts", table, expect=TableExpectations(keys=("who",), timestamp="at", created="made"))
    size = 10_000
    asked = pa.table(
        {
            "row": list(range(size)),
            "who": pa.array([None if each >= 900 else int(each) for each in draw.integers(0, 1000, size)], pa.int64()),
            "asked": pa.array(
                [NOON + timedelta(minutes=int(each)) for each in draw.integers(300, 900, size)],
                pa.timestamp("us", "UTC"),
            ),
            "miles": draw.normal(size=size),
            "late": draw.normal(size=size),
        }
    )
    lookup = FeatureLookup(
        "facts", "who", ("number", "text", "whole"), {}, "asked", timedelta(hours=8), {"text": "?", "whole": -1}
    )
    function = FeatureFunction(headwind, {"wind": "number", "miles": "miles"}, "headwind")
    df = spark.createDataFrame(asked)
    made = store.create_training_set(
        df, [lookup, function], "late", keys="row", carry="asked", exclude_columns=["who", "text"]
    )
    training = made.load_df().orderBy("row").toPandas()
    names = list(made.features)
    model = HistGradientBoostingRegressor(max_iter=3).fit(training[names], training["late"])
    store.log_model(model, "facts", training_set=made, registry=registry)
    batch = store.score_batch("models:/facts/1", df, registry=registry).orderBy("row").toPandas()
    assert plain(batch[names]) == plain(training[names])
    assert batch["score"].tolist() == model.predict(training[names]).tolist()
    online, carried = MemoryOnlineStore(), registry.carried(registry.version("facts", 1))
    assert carried is not None
    store.publish_table("facts", online)
    rows = asked.drop_columns(["late"]).to_pandas()
    rows["who"] = rows["who"].astype("Int64").astype(object).where(rows["who"].notna(), None)
    found, missing = features_of_rows(carried, online).add(rows)
    # An online store has the newest row alone: a row that asks for an earlier moment gets none.
    newest = events.groupby("who")["at"].max()
    later = (rows["asked"] >= rows["who"].map(newest)) | ~rows["who"].isin(newest.index)
    assert later.sum() > size * 0.6 and (~later).sum() > 100
    assert plain(found[later]) == plain(training[names][later.to_numpy()])
    assert found["number"][~later].isna().all() and missing >= (~later).sum()


def test_an_address_opens_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    assert open_online_store("sqlite").address == f"sqlite:///{tmp_path}/online"
