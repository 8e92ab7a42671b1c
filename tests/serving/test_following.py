"""Routes, shadows, and aliases that move."""

from __future__ import annotations

import json
import logging
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sparkml_track.errors import RegistryError
from sparkml_track.registries import MlflowRegistry, Package
from sparkml_track.serving import ServedModel, serve
from sparkml_track.serving.models.loading import LoadedModel, load_version
from sparkml_track.serving.models.predicting import predict, warm
from sparkml_track.serving.models.routing import Route, Routing, point_of
from sparkml_track.serving.protocol.bodies import read_body
from sparkml_track.testing.registries import RUN
from tests.serving.models import NAME, ROW, Odd, ask, get, inputs, package, registry, rows, spec, until

Start = Callable[..., ServedModel]
SPLIT = {"champion": 90.0, "challenger": 10.0}


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda models, open_features=None, refresh=None, **more: stack.enter_context(
            serve(spec(**more), models, open_features=open_features, refresh=refresh)
        )


def two() -> Any:
    models = registry()
    models.set_alias(NAME, "challenger", 2)
    return models


def version(answer: Any) -> int:
    return int(answer.json["model"]["version"])


def routing(**shares: float) -> Routing:
    loaded: Any = object()
    return Routing(tuple(Route(alias, "served", share, loaded) for alias, share in shares.items()))


def test_points_are_spread_by_shares() -> None:
    split = routing(champion=90, challenger=10)
    found = Counter(split.pick(point_of("e", str(n))).alias for n in range(10_000))
    assert 9_000 - 150 < found["champion"] < 9_000 + 150


def test_a_growing_share_keeps_clients_where_they_are() -> None:
    points = [point_of("e", str(n)) for n in range(1_000)]
    small, large = routing(champion=90, challenger=10), routing(champion=50, challenger=50)
    assert all(large.pick(p).alias == "challenger" for p in points if small.pick(p).alias == "challenger")


@pytest.mark.parametrize("point", [0.0, 0.5, 1.0 - 2**-53])
def test_a_share_of_nothing_is_never_picked(point: float) -> None:
    assert routing(a=0, b=3, c=0).pick(point).alias == "b"


def test_a_client_stays_on_its_route(start: Start) -> None:
    url = start(two(), routes={"champion": 50, "challenger": 50}, sticky="x-client").url
    found = {client: {version(ask(url, rows(), x_client=client)) for _ in range(3)} for client in "abcdefgh"}
    assert all(len(each) == 1 for each in found.values())
    assert {number for each in found.values() for number in each} == {1, 2}


def test_an_alias_can_be_asked_for(start: Start) -> None:
    url = start(two(), routes=SPLIT).url
    assert [version(ask(url, rows(), path=f"/invocations?alias={alias}")) for alias in SPLIT] == [1, 2]


def test_a_version_may_be_a_route(start: Start) -> None:
    assert version(ask(start(registry(), routes={"2": 1}).url, rows())) == 2


def test_an_alias_that_moves_is_followed(start: Start) -> None:
    models = registry()
    served = start(models)
    assert version(ask(served.url, rows())) == 1
    models.set_alias(NAME, "champion", 2)
    served.reload()
    assert version(ask(served.url, rows())) == 2
    assert "sparkml_serving_reloads_total 1" in get(served.url, "/metrics").text


def test_a_broken_version_is_refused_and_the_old_one_goes_on(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    models = registry()
    served = start(models)
    stored = models._models[NAME][1]
    models._models[NAME][1] = replace(stored, blob=stored.blob + b"x")
    models.set_alias(NAME, "champion", 2)
    with caplog.at_level(logging.WARNING):
        served.reload()
        served.reload()
    assert version(ask(served.url, rows())) == 1
    health = get(served.url, "/health").json
    assert "version 2 is refused: delay version 2 is not what was registered" in health["problems"]["champion"]
    ours = [r for r in caplog.records if r.name.startswith("sparkml_track") and r.levelno == logging.WARNING]
    assert [r.getMessage().partition(":")[0] for r in ours] == [
        "delay version 2 is refused, so what champion had goes on"
    ]
    models.set_alias(NAME, "champion", 1)
    served.reload()
    assert served.health()["problems"] == {}


def test_a_route_that_appears_is_taken_and_one_that_goes_is_left(start: Start) -> None:
    models = registry()
    served = start(models, routes={"champion": 1, "challenger": 10**9})
    assert version(ask(served.url, rows())) == 1
    assert served.health()["problems"] == {"challenger": "no version has the alias 'challenger'"}
    models.set_alias(NAME, "challenger", 2)
    served.reload()
    assert version(ask(served.url, rows())) == 2
    models.drop_alias(NAME, "challenger")
    served.reload()
    assert version(ask(served.url, rows())) == 1
    models.drop_alias(NAME, "champion")
    served.reload()
    assert version(ask(served.url, rows())) == 1
    assert "no route of the model 'delay' leads to a version" in str(served.health()["problems"])


def test_a_registry_that_is_away_changes_nothing(start: Start) -> None:
    models = registry()
    served = start(models)

    def away(*_: object) -> None:
        raise RegistryError("the registry is away")

    models.alias = away  # type: ignore[method-assign]
    served.reload()
    assert version(ask(served.url, rows())) == 1
    assert served.health()["problems"] == {"reload": "the registry is away"}


def test_shares_follow_the_file(start: Start) -> None:
    specs = [spec(routes={"champion": 1})]
    served = start(two(), refresh=lambda: specs[0], routes={"champion": 1})
    specs[0] = spec(routes={"champion": 0, "challenger": 1}, shadow=("champion",))
    served.reload()
    assert version(ask(served.url, rows())) == 2
    assert served.health()["shadow"] == {"champion": {"version": 1}}


def test_nothing_to_serve_is_a_sentence() -> None:
    with pytest.raises(RegistryError, match=r"no version has the alias 'nobody'\. Its versions are: 1, 2"):
        serve(spec(routes={"nobody": 1}), registry())
    with pytest.raises(RegistryError, match=r"'none' leads to a version: .* Its versions are: none"):
        serve(replace(spec(), model="none"), registry())


def test_a_broken_challenger_does_not_keep_the_champion_from_starting(start: Start) -> None:
    models = two()
    stored = models._models[NAME][1]
    models._models[NAME][1] = replace(stored, blob=b"x")
    served = start(models, routes=SPLIT)
    assert version(ask(served.url, rows())) == 1
    assert "version 2 is refused" in str(served.health()["problems"])


def test_no_request_fails_while_an_alias_moves(start: Start) -> None:
    models = registry()
    served, stop = start(models), threading.Event()

    def client(_: int) -> list[int]:
        found = []
        while not stop.is_set():
            answer = ask(served.url, rows())
            assert answer.status == 200, answer
            found.append(version(answer))
        return found

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client, n) for n in range(4)]
        for number in (2, 1, 2, 1, 2):
            models.set_alias(NAME, "champion", number)
            served.reload()
            assert version(ask(served.url, rows())) == number
        stop.set()
        found = {number for each in clients for number in each.result()}
    assert found == {1, 2}


# -------------------------------------------------------------------------------------------------- shadows


def shadowed(answer: Callable[[pd.DataFrame], object]) -> Any:
    """Champion 1 is sound, challenger 2 answers as a function does."""
    models = two()
    load = models.load
    models.load = lambda ref: Odd(answer) if ref.version == 2 else load(ref)
    return models


def test_a_shadow_that_hangs_or_raises_changes_no_answer(start: Start) -> None:
    go = threading.Event()

    def hangs(frame: pd.DataFrame) -> object:
        assert go.wait(120)
        raise ValueError("no")

    served = start(shadowed(hangs), shadow=("challenger",))
    answers = [ask(served.url, rows()) for _ in range(105)]
    assert {(answer.status, version(answer)) for answer in answers} == {(200, 1)}
    assert "sparkml_serving_shadow_dropped_total" in get(served.url, "/metrics").text
    go.set()
    until(lambda: 'role="shadow",status="200"' in get(served.url, "/metrics").text)


def test_a_version_that_answered_is_not_asked_again_aside(start: Start) -> None:
    calls: list[int] = []

    def counts(frame: pd.DataFrame) -> object:
        calls.append(len(frame))
        return [0.0] * len(frame)

    # Shadows are asked one after the other: once the champion was, the challenger would have been.
    routes = {"champion": 0.0, "challenger": 1.0}
    served = start(shadowed(counts), routes=routes, shadow=("challenger", "champion"))
    before = len(calls)
    assert version(ask(served.url, rows())) == 2
    until(lambda: 'role="shadow",status="200"' in get(served.url, "/metrics").text)
    assert len(calls) == before + 1


def test_a_shadow_that_takes_other_columns_is_counted(start: Start) -> None:
    models = registry()
    data = inputs().assign(more=1.0)
    models.register(NAME, Package(package().model, data.head(2), "predict"), RUN)
    models.set_alias(NAME, "challenger", 3)
    served = start(models, shadow=("challenger",))
    assert ask(served.url, rows()).status == 200
    until(lambda: "sparkml_serving_shadow_failed_total 1" in get(served.url, "/metrics").text)


# -------------------------------------------------------------------------------------------------- MLflow


@pytest.fixture
def models(home: Path) -> Iterator[MlflowRegistry]:
    made = MlflowRegistry(
        f"sqlite:///{home / 'mlflow.db'}", str(home / "artifacts"), formats=("skops", "pyfunc"), lineage=False
    )
    yield made
    made.close()


def test_versions_of_mlflow_answer_as_its_own_server_and_are_warmed(models: MlflowRegistry) -> None:
    ref = models.register(NAME, package(), RUN)
    with models.files(ref) as folder:
        theirs = mlflow_server(folder)
    loaded = load_version(models, ref, None)
    assert {name: len(values) for name, values in loaded.example.items()} == {"wind": 3, "seats": 3}
    warm(loaded)
    broken = LoadedModel(loaded.ref, loaded.inputs, "predict", Odd(lambda frame: 1 / 0), example=loaded.example)
    with pytest.raises(RegistryError, match="predicts for no row of its own input example: ZeroDivisionError"):
        warm(broken)
    for body in (rows(ROW, ROW), {"dataframe_split": {"columns": ["seats", "wind"], "data": [[3, 1.5]]}}):
        found = predict(loaded, read_body(json.dumps(body).encode(), "application/json", ["wind", "seats"]))
        assert found.answered.values == theirs(body)


def mlflow_server(folder: Path | None) -> Callable[[object], object]:
    """What MLflow's own server answers for a model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc
        from mlflow.pyfunc.scoring_server import invocations
    model = mlflow.pyfunc.load_model(str(folder))
    schema = model.metadata.get_input_schema()
    return lambda body: json.loads(invocations(json.dumps(body), "application/json", model, schema).response)[
        "predictions"
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Add type hints")
def test_a_version_with_params_takes_them(start: Start, models: MlflowRegistry, tmp_path: Path) -> None:
    code = tmp_path / "times.py"
    code.write_text(
        "import mlflow\nfrom mlflow.pyfunc import PythonModel\n\n\nclass Times(PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return model_input['wind'] * params['factor']\n\n\nmlflow.models.set_model(Times())\n"
    )
    path = tmp_path / "times"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's, of what a model could have more
        import mlflow.pyfunc
        from mlflow.models import infer_signature

        signature = infer_signature(inputs().head(2).astype("float64"), [1.0], params={"factor": 2.0})
        mlflow.pyfunc.save_model(str(path), python_model=str(code), signature=signature, pip_requirements=["mlflow"])
    models._client.create_registered_model(NAME)
    models._client.create_model_version(NAME, source=str(path), run_id=models.record(RUN))
    models.adopt(models.version(NAME, 1))
    url = start(models, routes={"1": 1}).url
    assert ask(url, rows()).json["predictions"] == [2.0]
    assert ask(url, rows() | {"params": {"factor": 5}}).json["predictions"] == [5.0]
    assert (
        "the param 'factr' is unknown: this version takes the params factor"
        in ask(url, rows() | {"params": {"factr": 5}}).message
    )
