"""Each day is asked, each week is watched; what has drifted is trained again, and takes over by canary.

The steps are those of the main job. What happens is in runs of MLflow, in the inference tables, in those of monitoring,
and line by line in the table ``flights_loop_events``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import typer

from flights.loop.replay import KEEP, LABELS_TAKE, Replay, ask
from sparkml_track import monitoring, promotion
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import InvalidInput
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.retraining.again import retrain
from sparkml_track.pipeline.steps import run_step
from sparkml_track.pipeline.steps.features import FeaturesBuilt
from sparkml_track.pipeline.steps.monitor import standing_of
from sparkml_track.pipeline.steps.score import score_split
from sparkml_track.pipeline.training_set import watchable_columns
from sparkml_track.serving import Recording, Serving, serve

if TYPE_CHECKING:
    from sparkml_track.config.sections.data import Period
    from sparkml_track.pipeline.retraining.standing import Standing
    from sparkml_track.refs import ModelRef
    from sparkml_track.serving import ServedModel

__all__ = ["STEPS", "run"]

#: Of the first champion.
STEPS = ("prepare", "features", "sweep", "register")
DAY = timedelta(days=1)
START, END = datetime(2013, 11, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC)
#: The share of requests that a challenger gets.
SHARE = 10.0
#: The gate has found it better already: the canary is to find harm.
CANARY = promotion.Canary(tolerance=0.02, min_rows=200, max_rows=700)
SERVED, LABELS, EVENTS = "flights_loop_served", "flights_loop_labels", "flights_loop_events"


def run(config: Path, start: datetime = START, end: datetime = END, steps: Sequence[str] = STEPS) -> None:
    """Trains a first champion by ``steps`` of the main job, and plays the days from ``start`` to ``end``."""
    settings = load(config)
    settings.home.make()
    if Project(settings).plain_tables().exists(LABELS):
        raise InvalidInput(
            f"the days were played in {settings.home.place} already; name another home: SPARKML_HOME=..."
        )
    for step in steps:
        typer.echo(f"==> {step}")
        run_step(step, settings)
    with ExitStack() as stack:
        loop = _Loop(settings, stack)
        for day in _days(start, end):
            loop.live(day)
        loop.rest(end)


def _days(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += DAY


class _Loop:
    """The endpoint and what is known of it, day by day."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.settings = settings
        self.project = Project(settings)
        stack.callback(self.project.close)
        self.tables = self.project.plain_tables(self.project.session())
        self.registry = self.project.registry()
        built = self.project.kept(FeaturesBuilt)
        features = [name for name in built.features if name in watchable_columns(self.project)]
        self.watched = features
        self.replay = Replay(self.tables.to_arrow(built.training), features, "prediction_time", "late")
        self.model = str(settings.register and settings.register.model)
        self.asked = 0
        self.endpoint: ServedModel = stack.enter_context(serve(self._serving(), self.registry, self.tables))
        self.connection = HTTPConnection(self.endpoint.host, self.endpoint.port, timeout=60)
        stack.callback(self.connection.close)
        # The baseline has its labels too, all of them known by now.
        split = self._split("valid")
        self._label(self.replay.labels(split.start, split.end))
        self.event(START, "serve", f"{self._champion()} at {self.endpoint.url}")

    def live(self, day: datetime) -> None:
        """One day: the requests, the labels of three days ago, and a look at the canary; each week at the drift."""
        self.connection.close()  # the server ends one that has been idle; the next request opens another
        for rows in self.replay.requests(day):
            self.asked += ask(self.connection, rows)
        self._label(self.replay.labels(day - LABELS_TAKE, day - LABELS_TAKE + DAY))
        self.endpoint.flush()
        self._canary(day)
        if day.weekday() == 6:
            self._watch(day + DAY)

    def rest(self, end: datetime) -> None:
        """After the last day: the labels that are under way, and what all came to."""
        self._label(self.replay.labels(end - LABELS_TAKE, end))
        self.event(end, "end", f"{self.asked} predictions, champion {self._champion()}")

    # -- what a day may bring

    def _canary(self, day: datetime) -> None:
        if self.registry.alias(self.model, "challenger") is None:
            return
        # The champion scores the challenger's requests aside: on the same rows far fewer of them decide.
        both = (f"{SERVED}_rows", f"{SERVED}_shadow")
        columns = ["flight_id", "model_version", "score", "scored_at"]
        served = pa.concat_tables(self.tables.to_arrow(name, columns) for name in both if self.tables.exists(name))
        labelled = promotion.Labelled(self.tables.to_arrow(LABELS), ("flight_id",), "late")
        who = promotion.rivals(self.registry, self.model)
        judged = promotion.look(CANARY, who, served, labelled)
        if promotion.settle(self.registry, who, judged):
            self.endpoint.reload()
            self.event(day, judged.state, f"{who.challenger}: {judged.reason}")

    def _watch(self, now: datetime) -> None:
        champion, split = self._champion(), self._split("valid")
        baseline = score_split(self.project, "valid", f"{SERVED}_baseline", champion.version)
        section = self.settings.monitor
        assert section is not None
        spec = monitoring.Monitoring(
            sources=(baseline.table, self.tables.pin(f"{SERVED}_rows")),
            windows=monitoring.ByTime("prediction_time", section.period, split.start, split.end),
            target=section.table,
            experiment=self.project.experiment,
            columns=self.watched,
            label="late",
            labels=monitoring.Labels(self.tables.pin(LABELS), {"flight_id": "flight_id"}, "known_at", now),
            model=champion,
            guards=monitoring.Guards(min_rows=section.min_rows, psi=section.psi),
        )
        found = monitoring.monitor(spec, self.tables, self.registry)
        standing = standing_of(found, spec.score, section.limits)
        said = [*standing.drifted.values(), *standing.passed.values()]
        self.event(now, "watch", f"{len(said)} alarms: {'; '.join(said[:3])}" if said else "as in the baseline")
        if self.registry.alias(self.model, "challenger") is None:
            self._retrain(now, standing)

    def _retrain(self, now: datetime, standing: Standing) -> None:
        """The same search from where the last one ended, on what is known by now; the gate gives a challenger."""
        assert self.settings.features is not None
        assert self.settings.register is not None
        known = now - LABELS_TAKE
        starts = (START.replace(month=1), known - 42 * DAY, known - 14 * DAY, known)
        periods = {
            name: self._split(name).model_copy(update={"start": starts[place], "end": starts[place + 1]})
            for place, name in enumerate(("train", "valid", "test"))
        }
        features = self.settings.features
        again = replace(
            self.settings,
            features=features.model_copy(update={"split": features.split.model_copy(update=periods)}),
            # What comes through the gate waits, and is served to some.
            register=self.settings.register.model_copy(update={"approval": True}),
        )
        done = retrain(again, standing, now=now)
        if not done.decision.begin:
            return
        self.event(now, "retrain", f"because {done.decision.why}")
        self.endpoint.reload()
        challenger = self.registry.alias(self.model, "challenger")
        assert challenger is not None
        tags = self.registry.tags(challenger)
        if tags.get("sparkml.approval") == "pending":
            self.event(now, "canary", f"{challenger} gets {SHARE:g} %: {tags['sparkml.verdict.why']}")
            return
        self.registry.drop_alias(self.model, "challenger")
        self.event(now, "refused", f"{challenger} by the gate: {tags['sparkml.verdict.why']}")

    # -- parts

    def _serving(self) -> Serving:
        kept = Recording(SERVED, self.settings.home.inference(SERVED), every=5.0, keep=KEEP)
        routes = {"champion": 100 - SHARE, "challenger": SHARE}
        return Serving(self.model, routes, shadow=("champion",), reload=600.0, recording=kept, port=0)

    def _split(self, name: str) -> Period:
        assert self.settings.features is not None
        found: Period = getattr(self.settings.features.split, name)
        return found

    def _champion(self) -> ModelRef:
        found = self.registry.alias(self.model, "champion")
        assert found is not None
        return found

    def _label(self, rows: pa.Table) -> None:
        if len(rows):
            self.tables.write(LABELS, rows, mode="append")

    def event(self, day: datetime, what: str, said: str) -> None:
        """Says what happened, and keeps it."""
        typer.echo(f"{day:%Y-%m-%d} {what:8} {said}")
        now = datetime.fromtimestamp(time.time(), UTC)
        row = pa.table({"day": [day], "what": [what], "said": [said], "at": [now]})
        self.tables.write(EVENTS, row, mode="append")
