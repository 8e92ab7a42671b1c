"""Versions that carry look-ups: asked by keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from sparkml_track.carried import CarriedFeatures, CarriedLookup
from sparkml_track.errors import OnlineStoreError, RegistryError
from sparkml_track.online_stores import MemoryOnlineStore, Publication, features_of_rows, on_demand
from sparkml_track.registries import MemoryRegistry, Package
from sparkml_track.serving import ServedModel, serve
from sparkml_track.tables import DeltaTables
from tests.serving.models import NAME, ask, get, inputs, recording, registry, rows, spec

TYPES = {"tail": pa.int64(), "seats": pa.int64(), "asked": pa.timestamp("us", "UTC")}
CARRIED = CarriedFeatures(
    ("wind", "seats"),
    (CarriedLookup("planes", 1, {"tail": "tail"}, {"seats": "seats"}, "asked"),),
    (),
    on_demand.serialised_types(TYPES),
)
Start = Callable[..., ServedModel]


@pytest.fixture(scope="module")
def models() -> MemoryRegistry:
    data = inputs(200)
    fitted = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=2).fit(data, data["seats"])
    return registry(Package(fitted, data.head(3), "predict", carried=CARRIED))


@pytest.fixture
def store() -> MemoryOnlineStore:
    data = pa.table({"tail": [7, 8], "seats": [200, 50], "at": [datetime(2024, 1, 1, tzinfo=UTC)] * 2})
    made = MemoryOnlineStore()
    made.publish(Publication("planes", 5, ("tail",), data.schema, "at"), data.to_batches())
    return made


@pytest.fixture
def start(models: MemoryRegistry, store: MemoryOnlineStore) -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda tables=None, **more: stack.enter_context(
            serve(spec(**more), models, tables, open_features=lambda carried: features_of_rows(carried, store))
        )


def test_features_are_looked_up_and_unknown_keys_are_nulls_and_a_count(
    start: Start, models: MemoryRegistry, tmp_path: Path
) -> None:
    tables = DeltaTables(tmp_path / "tables", lineage=False)
    served = start(tables, recording=recording(tmp_path))
    answer = ask(served.url, rows(*({"wind": 1.0, "tail": tail} for tail in (7, 8, 9, None))))
    frame = inputs(1).assign(wind=1.0).iloc[[0, 0, 0, 0]].assign(seats=[200, 50, None, None])
    expected: Any = models.load(models.version(NAME, 1))
    assert answer.json["predictions"] == pytest.approx(list(expected.predict(frame.astype("float64"))))
    assert answer.json["unknown_keys"] == 2
    assert "sparkml_serving_unknown_keys_total 2" in get(served.url, "/metrics").text
    assert served.flush()
    found = sorted(tables.to_arrow(f"{NAME}_rows").to_pylist(), key=lambda row: row["row"])
    assert [(row["tail"], row["seats"]) for row in found] == [(7, 200), (8, 50), (9, None), (None, None)]


def test_a_feature_in_the_request_is_taken_as_it_is(start: Start) -> None:
    url = start().url
    given = ask(url, rows({"wind": 1.0, "seats": 200})).json
    assert given["predictions"] == ask(url, rows({"wind": 1.0, "tail": 7})).json["predictions"]
    assert given["unknown_keys"] == 0


def test_a_time_in_the_request_is_the_time_of_the_row(start: Start) -> None:
    url = start().url
    ask_at = partial(dict, wind=1.0, tail=7)
    assert ask(url, rows(ask_at(asked="2024-02-01T00:00:00Z"))).json["unknown_keys"] == 0
    assert ask(url, rows(ask_at(asked="2023-02-01T00:00:00Z"))).json["unknown_keys"] == 1


@pytest.mark.parametrize("row", [{"wind": 1.0}, {"wind": 1.0, "tail": "x"}, {"tail": 7}, {"wind": 1.0, "tail": [7]}])
def test_a_key_that_is_missing_or_of_another_type_is_a_sentence(start: Start, row: dict[str, object]) -> None:
    answer = ask(start().url, rows(row))
    assert answer.status == 400, answer
    assert "tail" in answer.message or "wind" in answer.message


def test_a_store_that_is_away_is_said(start: Start, store: MemoryOnlineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OnlineStoreError("the store is away")

    url = start().url
    monkeypatch.setattr(store, "get_many", away)
    answer = ask(url, rows({"wind": 1.0, "tail": 7}))
    assert (answer.status, answer.message) == (503, "features cannot be looked up now: the store is away")


def test_a_version_with_look_ups_needs_a_store(models: MemoryRegistry) -> None:
    with pytest.raises(RegistryError, match=r"version 1 is refused: .* looks features up \(planes\)"):
        serve(spec(), models)
