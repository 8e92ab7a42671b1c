"""What a sweep is made of, so that a resumed one is known to be the same: spec, space, data, code, packages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import FunctionType

from sparkml_track import objective as objectives
from sparkml_track import schema
from sparkml_track.engine.identity.data_digest import data_digest
from sparkml_track.engine.identity.objective_code import inner, plain, reached, used
from sparkml_track.engine.spec.spec import Spec, described
from sparkml_track.engine.spec.units import ONE, described_units
from sparkml_track.refs import DataRef

__all__ = ["Fingerprint", "differences", "fingerprint", "ingredients", "part_digests"]

#: Parts by name: mappings of names to JSON values.
Fingerprint = Mapping[str, Mapping[str, object]]

# Of the spec, what decides which trials there are and what they give. The rest may differ when a sweep goes on:
# limits, where it runs, how it is tracked.
_IDENTITY = ("experiment", "metric", "direction", "sampler", "pruner", "max_trials", "trial_timeout", "points")
_VERSION = schema.TAG_VERSION


def fingerprint(
    spec: Spec, data: Mapping[str, object], inputs: Sequence[DataRef] = (), tags: Mapping[str, str] | None = None
) -> Fingerprint:
    """What the sweep is made of.

    Args:
        spec: of the sweep.
        data: for the objective; digested (arrays, Arrow tables: 0.3 s a GB).
        inputs: data whose table version is known is named by it instead.
        tags: of the parent run; versions of Python and of packages are taken from there.
    """
    tags = tags or {}
    identity = {name: described(getattr(spec, name)) for name in _IDENTITY}
    identity |= {"warm_start": spec.warm_start} if spec.warm_start else {}
    identity |= {"deterministic": spec.deterministic, "seed": None if spec.seed_drawn else spec.seed}
    identity |= {"units": described_units(spec.units)} if spec.units != ONE else {}
    identity |= {} if spec.experiment_given else {"experiment": None}
    made_of = ingredients(spec.objective, data, inputs, tags)
    return {"spec": identity, "space": spec.space.spec(), **made_of}


def ingredients(
    objective: object, data: Mapping[str, object], inputs: Sequence[DataRef], tags: Mapping[str, str]
) -> Fingerprint:
    """What a trial depends on beside its params and seed: data, code and packages; arguments as of ``fingerprint``."""
    packages = {name.removeprefix(_VERSION): text for name, text in tags.items() if name.startswith(_VERSION)}
    python = tags.get(schema.TAG_PYTHON)
    tables = {ref.name: f"{ref.table} {ref.digest}" for ref in inputs if ref.table is not None}
    code = reached(objective)
    return {
        "data": {name: tables.get(name) or data_digest(value) for name, value in data.items()},
        "code": {"objective": objectives.name_of(inner(objective)), "source": code_digest(objective)},
        "code.names": code.names,
        "code.modules": code.modules,
        "packages": packages | ({"python": python} if python else {}),
    }


def differences(old: Fingerprint, new: Fingerprint) -> list[str]:
    """One line for each difference: where, what it was, what it is.

    A part that ``old`` lacks as a whole is not compared: the release that wrote it did not know the part (the
    first had no ``code.names`` and ``code.modules``), and its sweeps go on.
    """
    lines = []
    for part in old:
        was, now = dict(_flat(old.get(part, {}), part)), dict(_flat(new.get(part, {}), part))
        names = [name for name in dict.fromkeys((*was, *now)) if was.get(name, ...) != now.get(name, ...)]
        lines += [f"{name}: was {_shown(was, name)}, is {_shown(now, name)}" for name in names]
        if not names and _json(old.get(part, {})) != _json(new.get(part, {})):
            lines.append(f"{part}: the order of the names changed")
    return lines


def part_digests(prints: Fingerprint) -> str:
    """A short digest of each part, as JSON; kept on the parent run."""
    return json.dumps({part: hashlib.sha256(_json(value).encode()).hexdigest()[:16] for part, value in prints.items()})


def _flat(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            yield from _flat(below, f"{path}.{name}")
    elif value != {}:
        yield path, value


def _shown(values: Mapping[str, object], name: str) -> str:
    return repr(values[name])[:200] if name in values else "not there"


def _json(value: object) -> str:
    return json.dumps(value, default=str)


# -- code


def code_digest(function: object) -> str:
    """Names the code of an objective: its source, that of functions of its module that it calls, plain values it uses.

    Arguments bound by ``functools.partial`` count, and plain values that it captures.
    """
    lines = sorted(_sources(function, set()))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _sources(function: object, seen: set[int]) -> Iterator[str]:
    if id(function) in seen:
        return
    seen.add(id(function))
    if isinstance(function, partial):
        yield f"partial {described(function.args)} {described(function.keywords)}"
        yield from _sources(function.func, seen)
        return
    yield objectives.source_digest(function)
    if isinstance(function, FunctionType):
        for name, value in used(function):
            if isinstance(value, FunctionType) and value.__module__ == function.__module__:
                yield from _sources(value, seen)
            elif plain(value):
                yield f"{name}={value!r}"
