"""From which tables and sweep a model version was made, as its run says."""

from __future__ import annotations

from sparkml_track.governance.edges import Job, Node, between, record
from sparkml_track.governance.homes import home_of_ref
from sparkml_track.home import Home
from sparkml_track.refs import ModelRef
from sparkml_track.registries._base import Run
from sparkml_track.schema import TAG_SWEEP

__all__ = ["record_registration"]


def record_registration(made: ModelRef, run: Run) -> None:
    """Records it in the home of the tables; of a sweep without tables in its own, if that is the home of now."""
    tables = tuple(dict.fromkeys(ref.table for ref in run.data if ref.table is not None))
    sweep = run.tags.get(TAG_SWEEP)
    homes = dict.fromkeys(home for ref in tables if (home := home_of_ref(ref)))
    if sweep and not homes and (Home.find().journal / sweep).is_dir():
        homes[Home.find()] = None
    sources = [*map(Node.of, tables), *([Node("SWEEP", sweep)] if sweep else [])]
    for home in homes:
        record(home.system, between(sources, [Node.of(made)], Job("REGISTRATION", made.name, made.run_id)))
