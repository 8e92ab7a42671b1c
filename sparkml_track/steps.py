"""The steps of the main job, each by what the config file names; every one can also be run alone.

What a step gave is kept as JSON under ``<home>/steps/<project>``, so that the next one finds it, in the same process
or another day.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_track import objective, schema, space
from sparkml_track.assembly import run
from sparkml_track.engine.result import SweepResult
from sparkml_track.errors import DataError, SparkmlError
from sparkml_track.preflight import sweep_arguments
from sparkml_track.refs import DataRef, TableRef
from sparkml_track.session import local_or_active
from sparkml_track.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_track.registries import Registry
    from sparkml_track.scoring import Scored
    from sparkml_track.session import SparkSession
    from sparkml_track.tables import Tables

__all__ = ["STEPS", "run_step"]

_log = logging.getLogger(__name__)
STEPS = ("prepare", "features", "sweep", "register", "score", "monitor")
Facts = dict[str, object]
_SHOWN = 10  # trials of a Pareto front


def run_step(step: str, settings: Settings) -> Facts:
    """Runs one step.

    Args:
        step: one of ``STEPS``; its section is in the settings.
        settings: of the config file.

    Returns:
        What to tell a person: plain values, or mappings of names to figures.

    Raises:
        SparkmlError: as its subclasses say.
    """
    steps: Mapping[str, Callable[[_Project], Facts]] = {
        "prepare": _prepare,
        "features": _features,
        "sweep": _sweep,
        "register": _register,
        "score": _score,
        "monitor": _monitor,
    }
    project = _Project(settings)
    try:
        return steps[step](project)
    finally:
        project.close()


class _Project:
    """A config file with what its steps need, each opened when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.experiment = settings.tracking.experiment or settings.name
        self._registry: Registry | None = None

    def session(self) -> SparkSession:
        return local_or_active(self.settings.spark, self.settings.home, self.settings.name)

    def tables(self, session: SparkSession | None = None) -> Tables:
        from sparkml_track.tables import DeltaTables

        return DeltaTables(self.settings.home.tables, session)

    def registry(self) -> Registry:
        from sparkml_track.registries import MlflowRegistry

        if self._registry is None:
            uri = self.settings.tracking.uri or self.settings.home.tracking_uri
            section = self.settings.register
            allowed = {"formats": section.formats} if section else {}
            # Stored models may be of the project's own classes.
            objective.find_code(self.settings.code)
            self._registry = MlflowRegistry(uri, str(self.settings.home.artifacts), **allowed)
        return self._registry

    def close(self) -> None:
        if self._registry is not None:
            self._registry.close()

    def function(self, path: str, options: Mapping[str, object] | None = None) -> Callable[..., Any]:
        function = objective.resolve(path, self.settings.code)
        return partial(function, **options) if options else function

    # -- what earlier steps gave

    def keep(self, step: str, facts: Facts) -> None:
        path = self._path(step)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(facts, indent=1))

    def kept(self, step: str) -> Any:
        try:
            return json.loads(self._path(step).read_text())
        except FileNotFoundError:
            raise DataError(
                f"step {step!r} of project {self.settings.name!r} has not run in {self.settings.home.root}; run it "
                f"first: sparkml-track {step} --config {self.settings.file}"
            ) from None

    def _path(self, step: str) -> Path:
        return self.settings.home.root / "steps" / self.settings.name / f"{step}.json"

    # -- the training set

    def watchable(self) -> set[str]:
        """Columns of the training set that can be watched."""
        kinds = {"double", "float", "long", "integer", "short", "byte", "boolean", "decimal", "string"}
        columns = self.tables().describe(self.training()).columns
        return {name for name, kind in columns.items() if kind.partition("(")[0] in kinds}

    def training(self) -> TableRef:
        return _ref(self.kept("features")["training"])

    def split(self, table: pa.Table, name: str) -> pa.Table:
        """The rows of one period.

        Raises:
            DataError: there are none.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        features = self.settings.features
        assert features is not None
        period = getattr(features.split, name)
        times = table[features.time]
        start, end = (pa.scalar(moment, pa.timestamp("us", "UTC")) for moment in (period.start, period.end))
        rows = table.filter(pc.and_(pc.greater_equal(times, start), pc.less(times, end)))
        if not rows.num_rows:
            seen = pc.min_max(times).as_py()
            raise DataError(
                f"split {name!r} ({period.start:%Y-%m-%d} to {period.end:%Y-%m-%d}) has no rows; {features.time} is "
                f"from {seen['min']} to {seen['max']}: change features.split in {self.settings.file}"
            )
        return rows.combine_chunks()

    def splits(self, *names: str) -> tuple[dict[str, pa.Table], list[DataRef]]:
        """Splits of the training set, and references to them and to the tables they were made from."""
        made = self.kept("features")
        training = _ref(made["training"])
        table = self.tables().to_arrow(training)
        rows = {name: self.split(table, name) for name in names}
        refs = [DataRef(name, f"v{training.version}-{name}", each.num_rows, training) for name, each in rows.items()]
        refs += [DataRef(name, f"v{ref['version']}", None, _ref(ref)) for name, ref in made["tables"].items()]
        return rows, refs


def _prepare(project: _Project) -> Facts:
    from sparkml_track.features import pipeline

    section = project.settings.prepare
    assert section is not None
    source = project.function(section.tables, section.options)
    session = project.session()
    tables = project.tables(session)
    refs = pipeline.prepare(session, tables, source)
    project.keep("prepare", {name: _plain(ref) for name, ref in refs.items()})
    return {"tables": ", ".join(map(str, refs.values())), "path": str(project.settings.home.tables)}


def _features(project: _Project) -> Facts:
    from sparkml_track.features import pipeline

    section = project.settings.features
    assert section is not None
    builder = project.function(section.build, section.options)
    built = pipeline.build(project.tables(project.session()), builder, f"{project.settings.name}_training")
    facts: Facts = {"training": _plain(built.ref), "features": list(built.features)}
    facts["tables"] = {name: _plain(ref) for name, ref in built.tables.items()}
    project.keep("features", facts)
    dropped = ", ".join(f"{rows:,} rows {reason}" for reason, rows in built.dropped.items())
    made: Facts = {"training set": f"{built.ref} with {len(built.features)} features"}
    return made | {"made from": ", ".join(map(str, built.tables.values()))} | ({"left out": dropped} if dropped else {})


def _sweep(project: _Project) -> Facts:
    settings = project.settings
    section = settings.sweep
    function = project.function(section.objective)
    given = sweep_arguments(settings, function)
    rows: Mapping[str, object] = {}
    inputs: list[DataRef] = []
    if settings.features is not None:
        rows, inputs = project.splits("train", "valid")
    origin = {"config": str(settings.file.absolute())}
    result = run(given, settings.home, project.session, data=rows, inputs=inputs, code=settings.code, origin=origin)
    params, found = _found(result, section.metric)
    kept: Facts = {"sweep": result.sweep, "run": result.run_id, "params": params}
    project.keep("sweep", kept | {"metric": section.metric, "direction": section.direction, "seed": result.seed})
    counts = result.counts
    return {
        "trials": f"{counts.finished} finished, {counts.pruned} pruned, {counts.failed} failed, {counts.killed} killed "
        f"of {counts.planned}",
        **found,
        "parent run": result.run_id,
        "report": str(result.report_path),
    }


def _found(result: SweepResult, metric: str | Sequence[str]) -> tuple[Mapping[str, object] | None, Facts]:
    """The best parameters and what is told of them; with several metrics the front, whose trials have no order."""
    if isinstance(metric, str):
        best = result.best
        told = f"trial {best.number}, {metric} {best.value:.6g}, {space.flatten(best.params)}"
        return dict(best.params), {"best": told}
    front = result.pareto
    if not front:
        raise SparkmlError(f"no trial finished with finite values; the report tells more: {result.report_path}")
    rows = {
        f"trial {one.number}": dict(zip(metric, one.value or (), strict=False)) | space.flatten(one.params)
        for one in front[:_SHOWN]
    }
    more = f"; the first {_SHOWN} of them are told, the table {schema.ARTIFACT_PARETO} of the parent run has all"
    size = f"{len(front)} trials that no other beats in every metric{more if len(front) > _SHOWN else ''}"
    return None, {"best": size, "Pareto front": rows}


def _register(project: _Project) -> Facts:
    from sparkml_track import promotion

    section = project.settings.register
    assert section is not None
    found = project.kept("sweep")
    if found["params"] is None:
        raise DataError(
            f"the last sweep of project {project.settings.name!r}, {found['sweep']}, had the metrics "
            f"{', '.join(found['metric'])} and so no best trial; give sweep.metric one name in "
            f"{project.settings.file}, and run the step 'sweep' again before 'register'"
        )
    recipe = promotion.Recipe(
        refit=project.function(section.refit),
        baselines=project.function(section.baselines),
        evaluate=project.function(section.evaluate),
        inputs=project.function(section.inputs),
    )
    rows, refs = project.splits("train", "valid", "test")
    spec = promotion.Promotion(
        model=section.model,
        experiment=project.experiment,
        params=found["params"],
        metric=section.metric or found["metric"],
        direction=section.direction or found["direction"],
        seed=found["seed"] or 0,
        sweep=found["sweep"],
        sweep_run=found["run"],
        data=refs,
    )
    verdict = promotion.register(spec, recipe, rows, project.registry())
    measured = {"candidate": verdict.candidate} | {f"baseline {each.name}": each for each in verdict.baselines}
    measured |= {"champion before": verdict.champion} if verdict.champion else {}
    return {
        "model": f"{verdict.model}, alias {verdict.alias}",
        "because": verdict.reason,
        "on the test split": {name: dict(each.metrics) for name, each in measured.items()},
    }


def _score(project: _Project) -> Facts:
    settings = project.settings
    section = settings.score
    assert section is not None
    scored = _scored(project, section.split, section.table)
    model = scored.model
    kept: Facts = {"table": _plain(scored.table), "model": model.name, "version": model.version}
    project.keep("score", kept)
    bad = ", ".join(f"{rows:,} rows {problem}" for problem, rows in scored.bad.items()) or "none"
    return {"model": str(model), "rows": f"{scored.rows:,}", "without a score": bad, "table": str(scored.table)}


def _scored(project: _Project, split: str, target: str, version: int | None = None) -> Scored:
    """Scores one split of the training set."""
    from sparkml_track import scoring

    settings = project.settings
    assert settings.features is not None
    assert settings.register is not None
    period = getattr(settings.features.split, split)
    spec = scoring.Scoring(
        model=settings.register.model,
        source=project.training(),
        target=target,
        experiment=project.experiment,
        version=version,
        period=scoring.Period(settings.features.time, period.start, period.end),
    )
    return scoring.score(spec, project.tables(project.session()), project.registry())


def _monitor(project: _Project) -> Facts:
    from sparkml_track import monitoring

    settings = project.settings
    section, features = settings.monitor, settings.features
    assert section is not None
    assert features is not None
    found = project.kept("score")
    # The same version for both sides: a difference of models is no drift.
    baseline = _scored(project, section.baseline, f"{section.table}_baseline", found["version"])
    period = getattr(features.split, section.baseline)
    watchable = project.watchable()
    spec = monitoring.Monitoring(
        sources=(baseline.table, _ref(found["table"])),
        windows=monitoring.ByTime(features.time, section.period, period.start, period.end),
        target=section.table,
        experiment=project.experiment,
        columns=[each for each in project.kept("features")["features"] if each in watchable],
        score=baseline.columns["score"],
        label=features.label,
        positive=section.positive,
        model=baseline.model,
        guards=monitoring.Guards(min_rows=section.min_rows, psi=section.psi),
    )
    done = monitoring.monitor(spec, project.tables(project.session()), project.registry())
    alarms = ", ".join(f"{each.column} in {each.window} (PSI {each.psi:.2f})" for each in done.alarms[:8]) or "none"
    quality = {
        each.window: {"rows": each.rows, "base_rate": each.base_rate, "log_loss": each.log_loss, "auc": each.auc}
        for each in done.quality
        if not each.in_baseline
    }
    facts: Facts = {"drift": alarms, "tables": ", ".join(map(str, done.tables.values())), "monitoring run": done.run_id}
    return facts | ({"quality": quality} if quality else {})


def _plain(ref: TableRef) -> dict[str, object]:
    return {"name": ref.name, "path": ref.path, "version": ref.version}


def _ref(plain: Mapping[str, Any]) -> TableRef:
    return TableRef(plain["name"], plain["path"], plain["version"])
