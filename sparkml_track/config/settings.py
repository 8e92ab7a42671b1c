"""What a config file says: ``conf/*.yaml`` read into frozen settings, all errors at once.

A section is a step of the main job; a project of one's own runs through the same job with other names in it.
Functions are named as ``package.module:function``, in folders that ``code`` lists. Paths in a file are relative to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_core import to_json

from sparkml_track.address import is_address
from sparkml_track.config.jobs import job_problems
from sparkml_track.config.messages import Complaint, complaints
from sparkml_track.config.sections import (
    DeploySettings,
    FailureSettings,
    FeatureSettings,
    File,
    JobSettings,
    MonitorSettings,
    Period,
    PrepareSettings,
    RegisterSettings,
    ResourceSettings,
    ScoreSettings,
    SparkSettings,
    SplitSettings,
    SweepSettings,
    TrackingSettings,
)
from sparkml_track.config.yaml import Document, Place, dotted, read
from sparkml_track.errors import ConfigError, SpaceError
from sparkml_track.home import Home
from sparkml_track.space import Space, parse

if TYPE_CHECKING:
    from sparkml_track.engine.loop.progress import ProgressListener

__all__ = [
    "DeploySettings",
    "FailureSettings",
    "FeatureSettings",
    "JobSettings",
    "MonitorSettings",
    "Period",
    "PrepareSettings",
    "RegisterSettings",
    "ResourceSettings",
    "ScoreSettings",
    "Settings",
    "SparkSettings",
    "SplitSettings",
    "SweepSettings",
    "TrackingSettings",
    "load",
]


@dataclass(frozen=True)
class Settings:
    """A config file.

    Attributes:
        file: where it was read from, as it was given.
        home: the folder of all state.
        code: folders whose modules the functions named in the file are imported from; shipped to slots.
        name: of the project; the default name of its sweeps and experiment.
        spark: how a session is made where there is none.
        sweep: the search.
        tracking: where runs go.
        prepare: None where the file has no such section; so are the others.
        jobs: by name.
        why: what began the steps, where that was not a person.
        progress: how sweeps show theirs; as ``sweep`` takes it, not from the file.
        lines: of each key, from 1.
    """

    file: Path
    home: Home
    code: tuple[str, ...]
    name: str
    spark: SparkSettings
    sweep: SweepSettings
    tracking: TrackingSettings
    prepare: PrepareSettings | None = None
    features: FeatureSettings | None = None
    register: RegisterSettings | None = None
    deploy: DeploySettings | None = None
    score: ScoreSettings | None = None
    monitor: MonitorSettings | None = None
    jobs: Mapping[str, JobSettings] = field(default_factory=dict)
    why: str = ""
    progress: ProgressListener | bool | None = field(default=None, repr=False, compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)

    def at(self, key: str) -> str:
        """Begins a message about a key: ``conf/project.yaml:12: sweep.objective``."""
        return f"{self.file}:{self.lines.get(key, 1)}: {key}"


def load(path: str | Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Reads a config file.

    Args:
        path: of the file.
        environ: where ``SPARKML_HOME`` is looked up; the process's by default.

    Raises:
        ConfigError: one sentence for each problem, each with file, line and key.
    """
    file = Path(path)
    document = read(_text(file))
    if document.problems:
        raise ConfigError(*(f"{file}:{line}: {sentence}" for line, sentence in sorted(document.problems)))
    made, found = _parse(document)
    found += _checks(document.value, file.parent)
    if found or made is None:
        placed = sorted((document.line(path), sentence) for path, sentence in found)
        raise ConfigError(*(f"{file}:{line}: {sentence}" for line, sentence in dict.fromkeys(placed)))
    lines = {dotted(path): line for path, line in document.lines.items()}
    return replace(_settings(made, file, os.environ if environ is None else environ), lines=lines)


def _settings(made: File, file: Path, environ: Mapping[str, str]) -> Settings:
    folder = file.absolute().parent
    given: str | Path | None = made.home
    if made.home is not None and not is_address(made.home):
        given = folder / Path(made.home).expanduser()
    fields = {field.alias or name: name for name, field in File.model_fields.items()}
    sections = {key: getattr(made, name) for key, name in fields.items() if key not in {"home", "code"}}
    code = tuple(os.path.normpath(folder / item) for item in made.code)
    return Settings(file=file, home=Home.find(given, environ), code=code, **sections)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        reason = "there is no such file"
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 text (byte {error.start})"
    except OSError as error:
        reason = error.strerror or str(error)
    raise ConfigError(f"{file}: {reason}; give the path of a config file, such as conf/project.yaml")


def _parse(document: Document) -> tuple[File | None, list[Complaint]]:
    try:
        # As JSON: strict about types, and still a list where a tuple is meant.
        return File.model_validate_json(to_json(document.value, inf_nan_mode="constants")), []
    except ValidationError as error:
        return None, list(complaints(error, File, document))


def _checks(value: object, folder: Path) -> list[Complaint]:
    """What concerns several keys or the disk; reported together with the rest, so read from the raw file."""
    top = value if isinstance(value, dict) else {}
    sweep = top.get("sweep")
    found = [*_folders(top.get("code"), folder), *job_problems(top), *_deploy(top)]
    if isinstance(sweep, dict):
        found += [*_sweep(sweep), *_objectives(sweep, "register" in top)]
    return found


def _deploy(top: dict[str, object]) -> Iterator[Complaint]:
    deploy, score = top.get("deploy"), top.get("score")
    to = deploy.get("to") if isinstance(deploy, dict) else None
    if to is None:
        return
    needed = {"register": "names the model"}
    needed |= {"table": {"features": "has the rows", "score": "says which rows and the table"}}.get(str(to), {})
    for name, why in needed.items():
        if top.get(name) is None:
            yield ("deploy",), f"deploy: there is no section {name!r}, which {why}; add one"
    if to == "stream" and not (isinstance(score, dict) and score.get("stream") is not None):
        yield ("deploy", "to"), "deploy.to: there is no section 'score.stream', which names the source; add one"


def _objectives(sweep: dict[str, object], registers: bool) -> Iterator[Complaint]:
    metric, direction = sweep.get("metric"), sweep.get("direction")
    several = metric if isinstance(metric, list) else [metric]
    if len(set(map(repr, several))) < len(several):
        yield ("sweep", "metric"), f"sweep.metric: must be a list of different texts, not {metric!r}"
    if isinstance(direction, list) and len(direction) not in (1, len(several)):
        allowed = f"one for all metrics, or a list of {len(several)}" if len(several) > 1 else "one for the one metric"
        yield ("sweep", "direction"), f"sweep.direction: must be {allowed}, not {direction!r}"
    if len(several) > 1 and registers:
        why = f"needs the one best trial, but {len(several)} metrics in sweep.metric give a Pareto front instead"
        yield ("register",), f"register: {why}; give one metric, or leave this section out"


def _folders(code: object, folder: Path) -> Iterator[Complaint]:
    for index, item in enumerate(code if isinstance(code, list) else ()):
        if isinstance(item, str) and not (folder / item).is_dir():
            yield ("code", index), f"code[{index}]: there is no folder {os.path.normpath(folder / item)}"


def _sweep(sweep: dict[str, object]) -> Iterator[Complaint]:
    if sweep.get("max_trials") is None and sweep.get("timeout") is None and not _is_grid(sweep):
        yield ("sweep",), "sweep: max_trials or timeout must be given, or it would never end"
    raw = sweep.get("space")
    if not isinstance(raw, dict):
        return
    try:
        space = parse(raw)
    except SpaceError as error:
        yield from map(_placed, error.problems)
        return
    points = sweep.get("points_to_evaluate")
    yield from _points(points if isinstance(points, list) else [], space)


def _is_grid(sweep: dict[str, object]) -> bool:
    sampler = sweep.get("sampler")
    return sampler == "grid" or (isinstance(sampler, dict) and "grid" in sampler)


def _placed(problem: str) -> Complaint:
    """Finds the place of ``'model[1].depth': what is wrong`` in the file: an index counts the options of a choice."""
    found = re.match(r"'([^']+)': (.*)", problem, re.DOTALL)
    if found is None:
        return ("sweep", "space"), f"sweep.space: {problem}"
    path: Place = ("sweep", "space")
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", found[1]):
        path = (*path, name) if name else (*path, "choice", int(index))
    return path, f"sweep.space.{found[1]}: {found[2]}"


def _points(points: list[object], space: Space) -> Iterator[Complaint]:
    for index, point in enumerate(points):
        path = ("sweep", "points_to_evaluate", index)
        try:
            space.from_point(point if isinstance(point, dict) else {})
        except SpaceError as error:
            yield from ((path, f"{dotted(path)}: {problem}") for problem in error.problems)
