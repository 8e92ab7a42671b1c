"""The card of a version: what it is, from what it was made, how good it is, who let it through. Markdown.

After Mitchell et al., Model Cards for Model Reporting, 2019; of its sections those that the registry fills by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sparkml_track.promotion._decisions import decisions
from sparkml_track.readable import clock_time, number
from sparkml_track.registries import Registry, Signature, VersionFacts
from sparkml_track.schema import TAG_APPROVAL, TAG_DECIDED_BY, TAG_SWEEP, TAG_SWEEP_RUN, TAG_VERDICT, TAG_VERDICT_WHY

__all__ = ["card_of", "lasting_card_of"]

_WHO = {"test": "this version", "champion": "the champion then"}  # by the first word of a figure's name
_INPUTS = 60  # columns that are listed


def card_of(registry: Registry, facts: VersionFacts) -> str:
    """The card of a version, with the signature from its checked files."""
    parts = [*_head(facts), *_stands(facts), *_measured(facts, registry.signature(facts.ref)), *_decided(facts)]
    return "\n".join(parts) + "\n"


def lasting_card_of(registry: Registry, facts: VersionFacts) -> str:
    """The part of the card that no decision and no alias changes later."""
    return "\n".join([*_head(facts), *_measured(facts, registry.signature(facts.ref))]) + "\n"


def _measured(facts: VersionFacts, signature: Signature) -> Iterator[str]:
    yield from (*_quality(facts), *_origin(facts), *_inputs(signature))


def _head(facts: VersionFacts) -> Iterator[str]:
    yield f"# {facts.ref.name}, version {facts.ref.version}"
    yield ""
    yield f"Registered {clock_time(facts.created)} by run `{facts.ref.run_id}`."


def _stands(facts: VersionFacts) -> Iterator[str]:
    if facts.aliases:
        yield f"Aliases: {', '.join(facts.aliases)}."
    if stage := facts.tags.get(TAG_APPROVAL):
        yield f"Approval: {stage}."


def _quality(facts: VersionFacts) -> Iterator[str]:
    yield from ("", "## Quality", "")
    if verdict := facts.tags.get(TAG_VERDICT):
        yield f"The gate gave it the alias {verdict}: {facts.tags.get(TAG_VERDICT_WHY, 'no reason kept')}."
        yield ""
    figures = _by_opponent(facts.metrics)
    if not figures:
        yield "Nothing was measured."
        return
    names = sorted({name for each in figures.values() for name in each})
    yield from _table(["on the test rows", *names], [[who, *_cells(names, each)] for who, each in figures.items()])


def _by_opponent(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Whose figure each metric is: ``test.auc``, ``champion.auc``, ``baseline.NAME.auc``."""
    found: dict[str, dict[str, float]] = {who: {} for who in _WHO.values()}
    for name, value in sorted(metrics.items()):
        part, _, rest = name.partition(".")
        if part == "baseline":
            who, metric = _split(rest)
            found.setdefault(who, {})[metric] = value
        elif part in _WHO:
            found[_WHO[part]][rest] = value
    return {who: figures for who, figures in found.items() if figures}


def _split(rest: str) -> tuple[str, str]:
    name, _, metric = rest.partition(".")
    return "baseline " + name.replace("%2E", ".").replace("%25", "%"), metric


def _cells(names: Sequence[str], figures: Mapping[str, float]) -> list[str]:
    return [number(figures[name]) if name in figures else "" for name in names]


def _origin(facts: VersionFacts) -> Iterator[str]:
    yield from ("", "## Made from", "")
    said = {"sweep": facts.run_tags.get(TAG_SWEEP), "run of the sweep": facts.run_tags.get(TAG_SWEEP_RUN)}
    said |= {"metric that decided": facts.run_tags.get(TAG_DECIDED_BY)}
    rows = [[name, f"`{value}`"] for name, value in said.items() if value]
    rows += [[f"{name} rows", f"`{table}`"] for name, table in sorted(facts.data.items())]
    rows += [[f"parameter {name}", f"`{value}`"] for name, value in sorted(facts.params.items())]
    yield from _table(["what", "which"], rows) if rows else ["Its run says nothing of that."]


def _inputs(signature: Signature) -> Iterator[str]:
    yield from ("", "## Inputs", "", f"{len(signature.inputs)} columns, asked by `{signature.method}`:", "")
    yield from _table(["column", "type"], [[each.name, each.type] for each in signature.inputs[:_INPUTS]])
    if len(signature.inputs) > _INPUTS:
        yield f"\nand {len(signature.inputs) - _INPUTS} more."


def _decided(facts: VersionFacts) -> Iterator[str]:
    made = decisions(facts.tags)
    if made:
        yield from ("", "## Decisions", "")
        yield from _table(["when", "who", "what", "why"], [[clock_time(e.at), e.by, e.what, e.why] for e in made])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(map(_cell, head)) + " |"
    yield "|" + "---|" * len(head)
    yield from ("| " + " | ".join(map(_cell, row)) + " |" for row in rows)


def _cell(text: str) -> str:
    # A bar would end the cell, and a line break the row.
    return " ".join(text.replace("|", "\\|").split())
