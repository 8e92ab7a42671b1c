"""Which versions, labels and columns a canary is judged by: guessed, for somebody to choose from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sparkml_track.dashboards.asked import Rows, ask, lake, or_else, there
from sparkml_track.dashboards.blocks import Markup, note, section
from sparkml_track.dashboards.models.known import history
from sparkml_track.dashboards.page import Page

__all__ = ["LOSSES", "Rivals", "keys", "labels", "labels_of", "nothing", "pairs"]

#: Of a row, by name.
LOSSES = ("log_loss", "brier", "squared_error", "absolute_error")
#: Columns of inference tables that say nothing of what a row is.
_OWN = frozenset(
    {"request_id", "client_request_id", "row", "alias", "role", "score", "problem", "model_name", "model_version",
     "run_id", "scored_at"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rivals:
    """What is compared, on which rows.

    Attributes:
        prefix: of the inference tables.
        model: the registered name.
        champion: version.
        challenger: version.
        labels: the table that has them.
        on: the columns by which labels are found.
        label: the column of the labels.
        loss: of a row.
    """

    prefix: str
    model: str
    champion: int
    challenger: int
    labels: str
    on: tuple[str, ...]
    label: str
    loss: str = "log_loss"

    @property
    def command(self) -> str:
        """That does the same, of the champion and the challenger of now."""
        on = " ".join(f"--on {name}" for name in self.on)
        return (
            f"sparkml-track models canary {self.model} --served {self.prefix} --labels {self.labels} {on} "
            f"--label {self.label} --loss {self.loss}"
        )


def pairs(page: Page, prefix: str) -> dict[str, tuple[str, int, int]]:
    """Versions that were served beside each other: model, champion, challenger; those of now first."""
    if not there(page, f"{prefix}_rows"):
        return {}
    served = _versions(page, prefix)
    found: dict[str, tuple[str, int, int]] = {}
    for model in dict.fromkeys(row["model_name"] for row in served):
        own = [row["model_version"] for row in served if row["model_name"] == model]
        now = _now(page, model)
        both = [(now[0], now[1])] if now and set(now) <= set(own) else []
        # An older version was champion before: whatever came after it challenged it.
        both += [(older, newer) for newer, older in pairwise(own)]
        found |= {f"{model}: {new} against {old}": (model, old, new) for old, new in both}
    return found


def labels(page: Page, prefix: str) -> list[str]:
    """Tables that may have the labels: they share a column with the rows, and have another one."""
    if not there(page, f"{prefix}_rows"):
        return []
    own = {f"{prefix}_{what}" for what in ("payload", "rows", "shadow")}
    names = [name for name in lake(page).names() if name not in own and keys(page, prefix, name)]
    likely = [name for name in names if labels_of(page, prefix, name)]
    # What is called so, then what is small: a table of labels has little else.
    return sorted(likely, key=lambda name: ("label" not in name, len(lake(page).describe(name).columns), name))


def keys(page: Page, prefix: str, table: str) -> list[str]:
    """Columns that both have, and which can say what a row is."""
    rows = _columns(page, f"{prefix}_rows")
    own = _columns(page, table)
    return [name for name, kind in own.items() if name in rows and name not in _OWN and kind == rows[name]]


def labels_of(page: Page, prefix: str, table: str) -> list[str]:
    """Columns of numbers that only the labels have."""
    rows = _columns(page, f"{prefix}_rows")
    own = _columns(page, table)
    numbers = ("integer", "long", "short", "byte", "double", "float", "boolean")
    return [name for name, kind in own.items() if name not in rows and kind in numbers]


def nothing(both: Collection[object], tables: Collection[object]) -> Markup:
    """Why there is nothing to compare."""
    if not both:
        return section(
            "Canary", note("Only one version was served: there is no challenger to compare with a champion.")
        )
    said = "No table has labels for the rows that were served: one must share a column with them, such as an identifier"
    return (
        section("Canary", note(f"{said} that `record.keep` of the endpoint keeps, and have a label."))
        if not tables
        else Markup()
    )


def _columns(page: Page, name: str) -> Mapping[str, str]:
    nothing: Mapping[str, str] = {}
    return or_else(lambda: lake(page).describe(name).columns, nothing)


def _versions(page: Page, prefix: str) -> Rows:
    """Models and versions that were served, by when they first were, the last first."""
    parts = [name for name in ("rows", "shadow") if there(page, f"{prefix}_{name}")]
    union = " UNION ALL ".join(f"SELECT model_name, model_version, scored_at FROM {part}" for part in parts)
    text = f"""SELECT model_name, model_version, min(scored_at) AS first FROM ({union})
        WHERE model_version IS NOT NULL GROUP BY ALL ORDER BY first DESC, model_version DESC LIMIT 20"""
    return ask(page, text, **{part: f"{prefix}_{part}" for part in parts})


def _now(page: Page, model: str) -> Sequence[int] | None:
    found = or_else(lambda: history(page, model), None)
    both = [found.having(alias) for alias in ("champion", "challenger")] if found else []
    numbers = [facts.ref.version for facts in both if facts is not None]
    return numbers if len(numbers) == 2 else None
