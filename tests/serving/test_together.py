"""Requests that wait are answered together, and each as if it had been alone."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkml_track.carried import CarriedFeatures, CarriedLookup
from sparkml_track.errors import SpecError
from sparkml_track.online_stores import MemoryOnlineStore, Publication, features_of_rows, on_demand
from sparkml_track.refs import ModelRef
from sparkml_track.serving import Limits, serve
from sparkml_track.serving.http import together as module
from sparkml_track.serving.http.together import Together
from sparkml_track.serving.models.loading import LoadedModel
from sparkml_track.serving.models.predicting import predict, predict_together
from sparkml_track.serving.protocol.bodies import Body, read_body
from sparkml_track.serving.protocol.columns import Input
from tests.serving.models import ask, odd_registry, rows, spec, until

# -- which items go together


class Work:
    """Notes what it gets, and waits until it is let go on."""

    def __init__(self) -> None:
        self.got: list[list[str]] = []
        self.begun, self.go = threading.Semaphore(0), threading.Event()

    def __call__(self, items: Sequence[str]) -> list[str]:
        self.got.append(list(items))
        self.begun.release()
        if "hold" in items:
            assert self.go.wait(60)
        if "bad" in items:
            raise ValueError("a defect")
        return [item.upper() for item in items]


def run(items: Sequence[str], work: Work, **limits: int) -> list[Any]:
    """Adds all items, the first one before the others, then lets the work go on."""

    async def main() -> list[Any]:
        with ThreadPoolExecutor(4) as pool:
            made = Together(pool, work, len, Limits(**limits))
            first = made.add(items[0])
            await asyncio.to_thread(work.begun.acquire)
            others = [made.add(item) for item in items[1:]]
            await asyncio.sleep(0)
            work.go.set()
            return await asyncio.gather(first, *others, return_exceptions=True)

    return asyncio.run(main())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No item gets a thread of its own for having waited."""
    monkeypatch.setattr(module, "PATIENCE", 60)


@pytest.mark.usefixtures("patient")
def test_what_comes_while_a_thread_is_at_work_goes_together() -> None:
    work = Work()
    assert run(["hold", "a", "b", "c"], work) == ["HOLD", "A", "B", "C"]
    assert work.got == [["hold"], ["a", "b", "c"]]


@pytest.mark.usefixtures("patient")
def test_a_few_at_a_time_and_large_ones_alone() -> None:
    work = Work()
    run(["hold", "a", "b", "x" * 70_000, "c"], work, together=2, threads=1)
    assert [[item[:4] for item in each] for each in work.got] == [["hold"], ["a", "b"], ["xxxx"], ["c"]]


def test_each_alone_if_that_is_wished() -> None:
    work = Work()
    assert run(["hold", "a", "b"], work, together=1) == ["HOLD", "A", "B"]
    assert sorted(map(len, work.got)) == [1, 1, 1]


@pytest.mark.usefixtures("patient")
def test_a_defect_is_told_to_all_that_it_met_and_the_next_go_on() -> None:
    work = Work()
    first, *others, last = run(["hold", "a", "bad", "b"], work, together=2, threads=1)
    assert (first, [type(each) for each in others], last) == ("HOLD", [ValueError, ValueError], "B")


def test_a_thread_that_is_lost_holds_up_nobody_for_long() -> None:
    work = Work()

    async def main() -> None:
        with ThreadPoolExecutor(2) as pool:
            made = Together(pool, work, len, Limits(threads=2))
            lost = made.add("hold")
            assert await asyncio.wait_for(made.add("a"), 60) == "A"
            assert not lost.done()
            work.go.set()
            assert await lost == "HOLD"

    asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_one_that_nobody_waits_for_any_more_is_not_in_the_way() -> None:
    work = Work()

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            made = Together(pool, work, len, Limits())
            first = made.add("hold")
            await asyncio.to_thread(work.begun.acquire)
            gone, last = made.add("gone"), made.add("a")
            gone.cancel()
            work.go.set()
            assert (await first, await asyncio.wait_for(last, 60)) == ("HOLD", "A")

    asyncio.run(main())


def test_after_the_end_nothing_waits_for_ever() -> None:
    async def main() -> None:
        pool = ThreadPoolExecutor(1)
        made = Together(pool, Work(), len, Limits())
        pool.shutdown()
        with pytest.raises(RuntimeError):
            await made.add("a")

    asyncio.run(main())


# -- what comes of each request

INPUTS = (Input("wind", "double"), Input("seats", "long"), Input("name", "string", required=False))
CARRIED = CarriedFeatures(
    ("wind", "seats"),
    (CarriedLookup("planes", 1, {"tail": "tail"}, {"seats": "seats"}),),
    (),
    on_demand.serialised_types({"tail": pa.int64(), "seats": pa.int64()}),
)


class Model:
    """Counts how often it is asked; raises about some rows."""

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, frame: pd.DataFrame) -> Any:
        self.asked += 1
        if (frame["wind"] == 13).any():
            raise ValueError("thirteen")
        return frame["wind"].to_numpy() * 2 + frame["seats"].to_numpy() % 1000


def loaded(model: Model, *, by_key: bool = False) -> LoadedModel:
    made = LoadedModel(ModelRef("m", 1, "r", "models:/m/1"), INPUTS, "predict", model)
    if not by_key:
        return made
    store = MemoryOnlineStore()
    data = pa.table({"tail": [7, 8, 9], "seats": [200, 50, None]})
    store.publish(Publication("planes", 5, ("tail",), data.schema), data.to_batches())
    return LoadedModel(
        ModelRef("m", 1, "r", "models:/m/1"), INPUTS[:2], "predict", model, features=features_of_rows(CARRIED, store)
    )


def body(*records: dict[str, object], **more: object) -> Body:
    raw = json.dumps({"dataframe_records": records, **more}).encode()
    return read_body(raw, "application/json", [each.name for each in INPUTS])


PLAIN = [
    body({"wind": 1.0, "seats": 3}),
    body({"wind": 2.0, "seats": 2**53 + 1}, {"wind": 13.0, "seats": 4}),
    body({"seats": 2**53 + 1, "wind": None}),
    body({"wind": 1.0, "seats": None}),
    body({"wind": "x", "seats": 1}),
    body({"wind": 1e999, "seats": 1}),
    body({"wind": 3, "seats": 5, "name": "é", "more": [1]}),
    body({"seats": 6, "wind": 4, "name": "b", "more": 2}),
    body({"wind": 1.0}),
    body(),
    body({"wind": 1.0, "seats": 3}, params={"top": 1}),
    read_body(b"wind,seats\n2.5,3\n", "text/csv", []),
]
BY_KEY = [
    body({"wind": 1.0, "tail": 7}),
    body({"wind": 2.0, "tail": 8}, {"wind": 3.0, "tail": 7}),
    body({"wind": 2.0, "tail": 77}),
    body({"wind": 2.0, "tail": 9}),
    body({"wind": 2.0, "tail": "x"}),
    body({"wind": 2.0}),
    body({"wind": 2.0, "seats": 1, "tail": 7}),
    body({"wind": 2.0, "tail": None}),
    body({"wind": 1.0, "tail": 7, "more": 1}),
    body({"wind": 1.0, "tail": 8, "more": "x"}),
]


def plain(what: Any) -> object:
    """As it can be compared."""
    return repr(what) if isinstance(what, Exception) else (repr(what.answered), dict(what.columns), dict(what.kinds),
                                                          what.unknown_keys)  # fmt: skip


def alone(model: LoadedModel, given: Body) -> object:
    try:
        return plain(predict(model, given))
    except Exception as error:
        return plain(error)


@pytest.mark.parametrize(("bodies", "by_key"), [(PLAIN, False), (BY_KEY, True)], ids=["plain", "by key"])
def test_each_gets_what_it_would_have_got_alone(bodies: list[Body], by_key: bool) -> None:
    model = loaded(Model(), by_key=by_key)
    wanted = [alone(model, each) for each in bodies]
    assert [plain(each) for each in predict_together(model, bodies)] == wanted
    assert len(set(map(str, wanted))) > 5  # they are not all one error
    random = np.random.default_rng(3)
    for _ in range(30):
        order = random.permutation(len(bodies))[: int(random.integers(2, 8))]
        found = predict_together(model, [bodies[place] for place in order])
        assert [plain(each) for each in found] == [wanted[place] for place in order]


@pytest.mark.parametrize(("given", "by_key"), [(PLAIN[0], False), (BY_KEY[0], True)], ids=["plain", "by key"])
def test_requests_that_are_alike_ask_the_model_once(given: Body, by_key: bool) -> None:
    model = Model()
    predict_together(loaded(model, by_key=by_key), [given] * 20)
    assert model.asked == 1


# -- over HTTP


def test_requests_that_waited_for_a_slow_one_are_answered_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 60)
    sizes, begun, go = list[int](), threading.Event(), threading.Event()

    def slow(frame: pd.DataFrame) -> object:
        sizes.append(len(frame))
        if frame["wind"][0] == 0:
            begun.set()
            assert go.wait(60)
        return frame["wind"].to_numpy()

    with serve(spec(), odd_registry(slow)) as served, ThreadPoolExecutor(6) as clients:
        held = clients.submit(ask, served.url, rows({"wind": 0.0, "seats": 1}))
        assert begun.wait(60)
        others = [clients.submit(ask, served.url, rows({"wind": float(n), "seats": 1})) for n in range(1, 5)]
        until(lambda: served._parts.endpoint.in_hand == 5)
        go.set()
        assert [each.result().json["predictions"] for each in (held, *others)] == [[float(n)] for n in range(5)]
    assert sizes == [1, 4]


def test_a_limit_of_none_together_is_refused() -> None:
    with pytest.raises(SpecError, match=r"limits\.together is 0, it must be at least 1"):
        Limits(together=0)
