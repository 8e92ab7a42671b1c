"""The command ``features publish``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sparkml_track.config.settings import load
from sparkml_track.home import Home
from sparkml_track.readable import duration

__all__ = ["publish"]


def publish(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a feature table.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="ADDRESS",
            envvar="SPARKML_ONLINE_STORE",
            show_envvar=True,
            help="sqlite (the home's), a folder, redis://... or postgresql://...",
        ),
    ] = "sqlite",
    version: Annotated[int | None, typer.Option("--version", metavar="N", help="The latest by default.")] = None,
    max_age: Annotated[
        str | None, typer.Option("--max-age", metavar="LENGTH", help="Such as 7d or 12h: older rows are not served.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home and the Spark session.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Publish the newest row of each key of a feature table, by which endpoints look features up.

    What changed since the version that is published is published; all rows where there is none.
    """
    from sparkml_track.online_stores import open_online_store
    from sparkml_track.tables import DeltaTables

    settings = load(config) if config else None
    home = settings.home if settings else Home.find()
    # What is wrong is said before Spark starts.
    store = open_online_store(home.online if to == "sqlite" else to)
    store.version(name)
    DeltaTables(home.tables_root).pin(name, version)
    from sparkml_track.api.session import local_or_active
    from sparkml_track.features import FeatureStore
    from sparkml_track.features.rolling import parse_window

    age = None if max_age is None else parse_window(max_age)
    spark = local_or_active(settings.spark if settings else None, home.make(), "sparkml-track features")
    done = FeatureStore(DeltaTables(home.tables_root, spark)).publish_table(name, store, version=version, max_age=age)
    store.close()
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    what = "all rows" if done.whole else f"what changed, {done.removed} keys are gone"
    typer.echo(f"published {done.ref} to {done.address}: {done.rows} rows ({what}) in {duration(done.seconds)}")
