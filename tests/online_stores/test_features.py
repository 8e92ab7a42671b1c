from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from sparkml_track.carried import FEATURES_FILE, CarriedFeatures, CarriedFunction, CarriedLookup
from sparkml_track.errors import DataError, OnlineStoreError, SpecError
from sparkml_track.online_stores import MemoryOnlineStore, Publication, features_of_rows, on_demand, online_features
from sparkml_track.online_stores.functions import carry, loaded

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
TYPES = {
    "origin": pa.string(), "wind": pa.float64(), "gusts": pa.int64(), "calm": pa.bool_(), "double": pa.float64(),
}  # fmt: skip


def twice(x: pd.Series) -> pd.Series:
    return x * 2


def lookup(**more: object) -> CarriedLookup:
    outputs = {"wind": "wind", "gusts": "gusts", "calm": "calm"}
    return CarriedLookup("weather", 3, {"origin": "code"}, outputs, "asked", **more)  # type: ignore[arg-type]


def carried(
    *functions: CarriedFunction, columns: tuple[str, ...] = ("calm", "wind"), **more: object
) -> CarriedFeatures:
    return CarriedFeatures(columns, (lookup(**more),), functions, on_demand.serialised_types(TYPES))


@pytest.fixture
def store() -> MemoryOnlineStore:
    data = pa.table(
        {
            "code": ["JFK", "EWR"],
            "at": [NOON, NOON],
            "came": [NOON, NOON + timedelta(hours=2)],
            "wind": [5.0, None],
            "gusts": [3, None],
            "calm": [False, None],
        }
    )
    made = MemoryOnlineStore()
    made.publish(Publication("weather", 5, ("code",), data.schema, "at"), data.to_batches())
    return made


def test_what_a_model_carries_survives_its_file() -> None:
    defaults: dict[str, object] = {
        "wind": float("-inf"), "gusts": NOON, "calm": Decimal("1.50"), "day": date(2024, 2, 29), "blob": b"\xff",
        "text": "ü", "none": None,
    }  # fmt: skip
    function = carry(twice, {"x": "wind"}, "double", "double")
    made = carried(function, lookback=timedelta(hours=1, microseconds=1), defaults=defaults, known="came")
    assert CarriedFeatures.from_json(made.to_json()) == made
    for text in ("", "[]", "{}", made.to_json().replace('"format": 1', '"format": 2'), '{"format": 1, "columns": 5}'):
        with pytest.raises(DataError, match=r"features\.json .*log (it|the model) again"):
            CarriedFeatures.from_json(text)
    with pytest.raises(DataError, match="cannot be carried"):
        carried(defaults={"wind": [1]}).to_json()


def test_a_folder_without_the_file_carries_nothing(tmp_path: Path, store: MemoryOnlineStore) -> None:
    assert online_features(tmp_path, store) is None
    (tmp_path / FEATURES_FILE).write_text(carried().to_json())
    adds = online_features(tmp_path, store)
    assert adds is not None
    rows = pd.DataFrame({"origin": ["JFK", "nowhere"], "asked": [NOON, NOON], "other": [1, 2]}, index=[7, 7])
    found, missing = adds.add(rows)
    assert list(found.columns) == ["calm", "wind"] and list(found.index) == [7, 7] and missing == 1
    assert found["calm"].tolist() == [False, None] and found["wind"].isna().tolist() == [False, True]
    assert list(rows.columns) == ["origin", "asked", "other"]


def test_only_what_is_known_at_the_time_of_a_row_is_given_out(store: MemoryOnlineStore) -> None:
    hours = [-1, 0, 1, 2, None]
    asked = [None if each is None else NOON + timedelta(hours=each) for each in hours]
    rows = pd.DataFrame({"origin": ["JFK"] * 5, "asked": pd.array(asked, "datetime64[us, UTC]")})
    adds = features_of_rows(carried(lookback=timedelta(hours=1), defaults={"wind": -1.0}), store)
    found, missing = adds.add(rows)
    assert (found["wind"].tolist(), missing) == ([-1.0, 5.0, 5.0, -1.0, -1.0], 3)
    # A row that came late counts from then on.
    rows = pd.DataFrame({"origin": ["EWR", "EWR"], "asked": [NOON, NOON + timedelta(hours=2)]})
    assert features_of_rows(carried(known="came"), store).add(rows)[1] == 1
    # Without a time that of now holds.
    assert features_of_rows(carried(), store).add(rows[["origin"]])[1] == 0
    assert features_of_rows(carried(lookback=timedelta(days=1)), store).add(rows[["origin"]])[1] == 2


def test_a_table_that_does_not_fit_is_refused_before_any_row(store: MemoryOnlineStore) -> None:
    with pytest.raises(OnlineStoreError, match="planes is not published"):
        features_of_rows(CarriedFeatures(("x",), (CarriedLookup("planes", 1, {"k": "k"}, {"x": "x"}),)), store)
    wrong = CarriedLookup("weather", 1, {"code": "airport"}, {"x": "rain"}, "asked")
    with pytest.raises(OnlineStoreError, match=r"no column 'rain' and the keys \(code\), not \(airport\)"):
        features_of_rows(CarriedFeatures(("x",), (wrong,)), store)


def test_what_is_of_no_use_is_not_looked_up(store: MemoryOnlineStore) -> None:
    made = carried(carry(twice, {"x": "wind"}, "double", "double"), columns=("double",))
    assert made.needed(()).lookups[0].outputs == {"wind": "wind"}
    assert made.needed(("wind",)).lookups == ()
    assert made.needed(("double",)).functions == ()
    adds = features_of_rows(made, store)
    assert adds.add(pd.DataFrame({"double": [1.0]}))[0]["double"].tolist() == [1.0]
    assert adds.add(pd.DataFrame({"wind": [1.0]}))[0]["double"].tolist() == [2.0]
    assert adds.add(pd.DataFrame({"origin": ["JFK"]}))[0]["double"].tolist() == [10.0]


def test_what_pandas_has_for_null_is_no_key(store: MemoryOnlineStore) -> None:
    rows = pd.DataFrame(
        {"origin": pd.array(["JFK", pd.NA], "string"), "asked": pd.Series([NOON, pd.NaT], dtype=object)}
    )
    found, missing = features_of_rows(carried(), store).add(rows)
    assert (found["wind"].isna().tolist(), missing) == ([False, True], 1)
    twice_there = pd.concat([rows, rows], axis=1)
    with pytest.raises(DataError, match="columns of the same name: origin, asked, origin, asked"):
        features_of_rows(carried(), store).add(twice_there)


def test_no_rows_get_no_features(store: MemoryOnlineStore) -> None:
    made = carried(carry(twice, {"x": "wind"}, "double", "double"), columns=("double", "gusts"))
    rows = pd.DataFrame({"origin": pd.Series([], dtype=object)})
    found, missing = features_of_rows(made, store).add(rows)
    assert (list(found.columns), len(found), missing) == (["double", "gusts"], 0, 0)


def test_a_function_is_found_by_name_and_only_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    source = "def f(x):\n    return x + {}\n"
    (tmp_path / "given_functions.py").write_text(source.format(1))
    import given_functions  # type: ignore[import-not-found]

    made = carry(given_functions.f, {"x": "wind"}, "more", "double")
    assert made.reference == "given_functions:f"
    assert loaded(made).function is given_functions.f
    text = CarriedFeatures(("more",), (), (made,)).to_json()
    script = textwrap.dedent(
        """
        import sys
        from sparkml_track.carried import CarriedFeatures
        from sparkml_track.errors import DataError
        from sparkml_track.online_stores.functions import loaded
        (one,) = CarriedFeatures.from_json(sys.stdin.read()).functions
        try:
            print(loaded(one).function(1))
        except DataError as error:
            print(error)
        print(loaded(one, allow_code=True).function(1))
        """
    )

    def elsewhere(**more: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-B", "-c", script], input=text, capture_output=True, text=True, check=True,
            env=os.environ | more,
        )  # fmt: skip
        return done.stdout.splitlines()

    path = os.pathsep.join([str(tmp_path), *sys.path])
    assert elsewhere(PYTHONPATH=path) == ["2", "2"]
    (tmp_path / "given_functions.py").write_text(source.format(100))
    first, second = elsewhere(PYTHONPATH=path)
    assert "given_functions:f of the feature 'more' is another one here" in first and "allow_code=True" in first
    assert second == "2"
    (tmp_path / "given_functions.py").unlink()
    assert "cannot be imported here" in elsewhere(PYTHONPATH=path)[0]


def test_a_function_of_a_notebook_needs_its_code() -> None:
    offset = 3

    def inner(x: pd.Series) -> pd.Series:
        return x + offset

    made = carry(inner, {"x": "wind"}, "more", "double")
    with pytest.raises(DataError, match="allow_code=True"):
        loaded(made)
    assert loaded(made, allow_code=True).function(1) == 4


def test_a_function_that_cannot_be_called_so_is_refused() -> None:
    with pytest.raises(SpecError, match="cannot be called with y"):
        carry(twice, {"y": "wind"}, "more", "double")
    with pytest.raises(SpecError, match="plain Python function"):
        carry(len, {"x": "wind"}, "more", "double")
    lock = threading.Lock()
    with pytest.raises(SpecError, match="cannot be carried"):
        carry(lambda x: lock, {"x": "wind"}, "more", "double")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x / None, "raised TypeError"),
        (lambda x: 5, "gave 5 for 2 rows"),
        (lambda x: [1.0], "gave 1 values for 2 rows"),
        (lambda x: "ab", "gave 'ab' for 2 rows"),
        (lambda x: ["a", "b"], "is not double"),
    ],
)
def test_a_function_that_fails_says_which(store: MemoryOnlineStore, function: object, said: str) -> None:
    made = carried(carry(function, {"x": "wind"}, "double", "double"), columns=("double",))  # type: ignore[arg-type]
    adds = features_of_rows(made, store, allow_code=True)
    with pytest.raises(DataError, match=rf"the function .* of 'double'.*{said}|the output of the function.*{said}"):
        adds.add(pd.DataFrame({"origin": ["JFK", "EWR"]}))
