"""The command ``models canary``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_track.cli.catalog.looking import AsJson, Config, home_in, registry_in, tables_in
from sparkml_track.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_track.tables import Tables

__all__ = ["canary"]


def canary(  # noqa: PLR0913  # options of a command
    name: Annotated[str, typer.Argument(metavar="NAME", help="A registered model.")],
    served: Annotated[str, typer.Option("--served", metavar="TABLES", help="What the inference tables begin with.")],
    labels: Annotated[str, typer.Option("--labels", metavar="TABLE", help="What came of the rows.")],
    on: Annotated[list[str], typer.Option("--on", metavar="COLUMN", help="That labels are found by; repeatable.")],
    label: Annotated[str, typer.Option("--label", metavar="COLUMN", help="Of the labels.")],
    loss: Annotated[str, typer.Option("--loss", help="log_loss, brier, squared_error, absolute_error.")] = "log_loss",
    tolerance: Annotated[float, typer.Option("--tolerance", help="By how much it may be worse.")] = 0.0,
    min_rows: Annotated[int, typer.Option("--min-rows", help="With a label, of each.")] = 200,
    max_rows: Annotated[int, typer.Option("--max-rows", help="After which the mean decides.")] = 20_000,
    apply: Annotated[bool, typer.Option("--apply", help="Move the aliases as the verdict says.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Compare the challenger with the champion on rows that were served and have a label by now.

    Look as often as you like: the verdict takes account of it. With --apply a challenger that is as good becomes
    champion, and one that is worse is withdrawn.
    """
    from sparkml_track.governance.audit import Deed, audited
    from sparkml_track.promotion import Canary, Labelled, look, rivals, settle

    spec, tables = Canary(loss, tolerance, min_rows, max_rows), tables_in(config)
    labelled = Labelled(tables.to_arrow(labels, [*on, label]), tuple(on), label)
    with registry_in(config) as registry:
        who = rivals(registry, name)
        judged = look(spec, who, _served(tables, served, on), labelled)
        moved = False
        if apply:
            deed = Deed("CANARY", f"models:/{name}/{who.challenger.version}", {"served": served, "labels": labels})
            with audited(home_in(config).system, deed):
                deed.result = f"{judged.state}: {judged.reason}"
                moved = settle(registry, who, judged)
    if as_json:
        typer.echo(json.dumps(asdict(judged) | {"moved": moved}))
        return
    typer.echo(f"{judged.state} {who.challenger}: {judged.reason}")
    if moved:
        now = who.challenger if judged.state == "promote" else who.champion
        typer.echo(f"{now} is champion, and there is no challenger any more")


def _served(tables: Tables, prefix: str, on: list[str]) -> pa.Table:
    import pyarrow as pa

    names = [name for name in (f"{prefix}_rows", f"{prefix}_shadow") if tables.exists(name)]
    if not names:
        raise InvalidInput(
            f"there is no table {prefix}_rows in the home; serve the model, or name what they begin with"
        )
    parts = [tables.to_arrow(name, [*on, "model_version", "score", "scored_at"]) for name in names]
    return pa.concat_tables(parts, promote_options="permissive")
