"""What is searched, as files that a person can read and run again: the space, and the objective's source."""

from __future__ import annotations

import json

from sparkml_track import objective as objectives
from sparkml_track import schema
from sparkml_track.engine.spec.spec import Spec

__all__ = ["searched"]


def searched(spec: Spec) -> dict[str, str]:
    """Artifacts of the parent run, by path."""
    # JSON is YAML, whatever release of YAML reads it: there, "no" and "1e3" are text without doubt.
    lines = (f"{_json(name)}: {_json(what)}\n" for name, what in spec.space.spec().items())
    files = {schema.ARTIFACT_SPACE: "".join(lines)}
    source = objectives.source(spec.objective)
    if source:
        name, digest = objectives.name_of(spec.objective), objectives.source_digest(spec.objective)
        files[schema.ARTIFACT_OBJECTIVE] = f"# {name}, digest {digest}\n{source}"
    return files


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
