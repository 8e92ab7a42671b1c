"""One trial: what it was given, what came of it, what it said, and where its run and its model are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparkml_track import schema
from sparkml_track.dashboards.blocks import Markup, facts, note, section, state, table
from sparkml_track.dashboards.charts import chart
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.runs.seen import STATES, Seen
from sparkml_track.dashboards.stamps import Stamp
from sparkml_track.engine.results.curves import Curve
from sparkml_track.journals import follow
from sparkml_track.readable import clock_time, duration, number, short_text
from sparkml_track.trackers import FoundRun, found_models, found_run
from sparkml_track.trial import State

__all__ = ["log_of", "trial_parts"]

_AGAIN = Markup("<code>sparkml-track reproduce {} --trial {}</code>")
_LONGEST = 64 << 10  # bytes of a log that are shown, its end


def trial_parts(page: Page, seen: Seen, trial: int, stamp: Stamp) -> list[object]:
    """What there is of a trial, from above.

    Args:
        page: whose home.
        seen: the sweep.
        trial: its number.
        stamp: of the journal, taken before it was read.
    """
    row = seen.row_of(trial)
    if row is None:
        return [section(f"Trial {trial}", note(f"There is no trial {trial} in this sweep so far."))]
    params = table(
        ("parameter", "value"), [(name, short_text(each, 300)) for name, each in seen.params_of(row).items()], (1,)
    )
    metrics = table(("metric", "value"), [(name, number(each)) for name, each in seen.metrics_of(row).items()])
    beside = Markup('<div class="sk-beside">{}{}</div>').format(params, metrics if seen.metrics_of(row) else "")
    parts: list[object] = [section(f"Trial {trial}", _facts(page, seen, row), *_message(seen, trial), beside)]
    reported = _reported(seen, trial)
    if reported:
        parts.append(_curve(reported))
    log = page.kept.get(("log", seen.sweep, trial), stamp, lambda: log_of(page, seen, trial))
    about = "It wrote no log." if not log else ""
    return [*parts, section("Log", Markup("<pre>{}</pre>").format(log) if log else note(about))]


def _facts(page: Page, seen: Seen, row: int) -> Markup:
    trial, run = int(seen.numbers[row]), _run(page, seen, int(seen.numbers[row]))
    ended, memory = bool(seen.states[row]), seen.memory[row]
    started = float(seen.started[row])
    pairs: list[tuple[str, object]] = [
        ("state", state(STATES[seen.states[row]].value)),
        ("reason", seen.reasons[row]),
        ("began", clock_time(started) if started > 0 else ""),
        ("took", duration(float(seen.duration[row])) if started > 0 else ""),
        ("attempts", int(seen.attempts[row]) if ended else ""),
        ("host", seen.hosts[row]),
        ("processor time", duration(float(seen.cpu[row])) if seen.cpu[row] == seen.cpu[row] else ""),
        ("memory", f"{memory / 2**20:,.0f} MiB" if memory == memory else ""),
        ("run", page.run_link(run.run_id, run.experiment_id, run.run_id) if run is not None else ""),
        ("model", _model(page, seen, row, run)),
        ("again", _AGAIN.format(seen.sweep, trial) if ended else ""),
    ]
    return facts(pairs)


def _message(seen: Seen, trial: int) -> list[Markup]:
    message = seen.messages.get(trial)
    return [Markup("<pre>{}</pre>").format(message)] if message else []


def _own(seen: Seen) -> bool:
    """Whether its runs are in the home's own store."""
    return seen.plan is None or seen.plan.spec.tracking.uri is None


def _run(page: Page, seen: Seen, trial: int) -> FoundRun | None:
    return found_run(page.home.database, seen.sweep, trial) if _own(seen) else None


def _model(page: Page, seen: Seen, row: int, run: FoundRun | None) -> Markup:
    """Registered models that come from the trial: from its run, or fitted again with its params."""
    params = {name: str(value) for name, value in seen.params_of(row).items()}
    models = found_models(page.home.database, seen.sweep) if _own(seen) else []
    own = [
        one for one in models if (run is not None and one.run_id == run.run_id) or params == _same(one.params, params)
    ]
    return Markup(", ").join(page.link(f"{one.name} {one.version}", "models", model=one.name) for one in own)


def _same(found: Mapping[str, str], params: Mapping[str, str]) -> dict[str, str]:
    """What a run says of these params; it may have more."""
    return {name: value for name, value in found.items() if name in params}


def _reported(seen: Seen, trial: int) -> Mapping[str, list[tuple[int, float]]]:
    """Metrics by step: of a running trial all, of others those of a kept curve."""
    found: dict[str, list[tuple[int, float]]] = {}
    for each in seen.reports.get(trial, ()):
        for name, value in each.metrics.items():
            found.setdefault(name, []).append((each.step, value))
    curves: list[Curve] = [one for one in (*seen.curves[0], *seen.curves[1]) if one.number == trial]
    for one in curves:
        found[seen.goals[0].metric] = list(zip(one.steps, one.values, strict=True))
    return found


def _curve(reported: Mapping[str, list[tuple[int, float]]]) -> Any:
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": [step for step, _ in points],
            "y": [value for _, value in points],
        }
        for name, points in reported.items()
    ]
    return chart(lines, 280, xaxis={"title": {"text": "step"}}, showlegend=True)


def log_of(page: Page, seen: Seen, trial: int) -> str:
    """The end of what the trial wrote: from the artifacts of its run, or from the journal where it is not published."""
    row = seen.row_of(trial)
    if row is None or STATES[seen.states[row]] is State.RUNNING:
        return ""
    run = _run(page, seen, trial)
    for name in (schema.ARTIFACT_LOG_BESIDE, schema.ARTIFACT_LOG):
        path = _file(run.artifacts, name) if run is not None else None
        if path is not None and path.is_file():
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _LONGEST))
                return file.read().decode(errors="replace")
    return _of_journal(page, seen, trial)[-_LONGEST:] if trial in seen.logs else ""


def _file(artifacts: str, name: str) -> Path | None:
    """A file of a run whose artifacts are in a folder of this machine; none that leads elsewhere."""
    folder = Path(artifacts.removeprefix("file://"))
    if "://" in artifacts or not folder.is_absolute():
        return None
    path = folder / name
    return path if path.resolve().is_relative_to(folder.resolve()) else None


def _of_journal(page: Page, seen: Seen, trial: int) -> str:
    """Columns have no logs, which may be large, so the journal is read for it."""
    log = ""
    for portion in follow(page.home.root, seen.sweep):
        for kind, body in portion.records:
            if kind == "accepted" and isinstance(body, dict) and body.get("n") == trial:
                log = str(body.get("log", ""))
    return log
