"""What must hold between the tasks of a job, and between a job and the rest of its file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from sparkml_track.config.messages import Complaint, did_you_mean
from sparkml_track.config.yaml import Place, dotted

__all__ = ["BUILT_IN", "PLACEHOLDER", "job_problems"]

#: Parameters that every run has: the date it is for in the job's time zone, that moment, and its id.
BUILT_IN = ("date", "time", "run")
#: ``{name}`` in a text; ``{{`` and ``}}`` are the braces themselves.
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def job_problems(top: Mapping[str, object]) -> Iterator[Complaint]:
    """What is wrong, found in the raw file, so that it is reported together with the rest.

    Args:
        top: the file.
    """
    for name, job in _mappings(top.get("jobs")):
        place: Place = ("jobs", name)
        tasks = dict(_mappings(job.get("tasks")))
        needs = {task: tuple(_texts(given.get("needs"))) for task, given in tasks.items()}
        yield from _unknown_needs(needs, place)
        yield from _cycle(needs, place)
        yield from _needless(tasks, needs, place)
        yield from _steps(tasks, top, place)
        yield from _parameters(job, tasks, place)


def _unknown_needs(needs: Mapping[str, tuple[str, ...]], job: Place) -> Iterator[Complaint]:
    for task, named in needs.items():
        for each in named:
            if each not in needs:
                path = (*job, "tasks", task, "needs")
                others = ", ".join(other for other in needs if other != task) or "none"
                said = f"there is no task {each!r}; the others are: {others}{did_you_mean(each, needs)}"
                yield path, f"{dotted(path)}: {said}"


def _cycle(needs: Mapping[str, tuple[str, ...]], job: Place) -> Iterator[Complaint]:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        # graphlib names each before the one that needs it.
        circle = [str(name) for name in reversed(error.args[1])]
        path = (*job, "tasks", circle[0], "needs")
        yield path, f"{dotted(path)}: tasks wait for each other in a circle: {' needs '.join(circle)}"


def _needless(
    tasks: Mapping[str, Mapping[str, object]], needs: Mapping[str, tuple[str, ...]], job: Place
) -> Iterator[Complaint]:
    for task, given in tasks.items():
        if "when" in given and not needs[task]:
            path = (*job, "tasks", task, "when")
            yield path, f"{dotted(path)}: says what must have become of other tasks, and there are no needs; name them"


def _steps(tasks: Mapping[str, Mapping[str, object]], top: Mapping[str, object], job: Place) -> Iterator[Complaint]:
    for task, given in tasks.items():
        step = given.get("run")
        known = ("prepare", "features", "sweep", "register", "deploy", "score", "monitor")
        if step in known and top.get(str(step)) is None:
            path = (*job, "tasks", task, "run")
            yield path, f"{dotted(path)}: there is no section {step!r}, so there is nothing to {step}; add one"


def _parameters(
    job: Mapping[str, object], tasks: Mapping[str, Mapping[str, object]], place: Place
) -> Iterator[Complaint]:
    declared = job.get("parameters")
    own = list(map(str, declared)) if isinstance(declared, dict) else []
    for name in own:
        if name in BUILT_IN:
            path = (*place, "parameters", name)
            yield path, f"{dotted(path)}: every run has {', '.join(BUILT_IN)} by itself; choose another name"
    known = [*own, *BUILT_IN]
    for task, given in tasks.items():
        for path, text in _all_texts(given, (*place, "tasks", task)):
            for found in PLACEHOLDER.finditer(text):
                if found[1] is not None and found[1] not in known:
                    said = f"there is no parameter {found[1]!r}; there are: {', '.join(known)}"
                    hint = did_you_mean(found[1], known) or "; {{ and }} are braces"
                    yield path, f"{dotted(path)}: {said}{hint}"


def _all_texts(value: object, path: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _all_texts(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _all_texts(each, (*path, index))


def _mappings(value: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    for name, each in value.items() if isinstance(value, dict) else ():
        if isinstance(each, dict):
            yield str(name), each


def _texts(value: object) -> Iterator[str]:
    for each in [value] if isinstance(value, str) else value if isinstance(value, list) else ():
        if isinstance(each, str):
            yield each
