"""What people decided about a version: approved, rejected, promoted by hand, withdrawn; kept with the version."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sparkml_track.governance.principals import account
from sparkml_track.readable import short_text
from sparkml_track.refs import ModelRef
from sparkml_track.registries import Registry
from sparkml_track.schema import TAG_APPROVAL, TAG_DECISIONS

__all__ = ["APPROVED", "PENDING", "REJECTED", "WITHDRAWN", "Decision", "decided", "decisions"]

#: Stages of approval.
PENDING, APPROVED, REJECTED, WITHDRAWN = "pending", "approved", "rejected", "withdrawn"
_KEPT = 15  # with the longest reasons they fit into a tag
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision.

    Attributes:
        what: "approved", "rejected", "promoted" or "withdrawn".
        by: the account of whoever decided, as the operating system has it.
        at: seconds since the epoch.
        why: in the words of that person; may be empty.
    """

    what: str
    by: str
    at: float
    why: str = ""


def decisions(tags: Mapping[str, str]) -> tuple[Decision, ...]:
    """The decisions in the tags of a version, oldest first; what cannot be read is left out."""
    try:
        found = json.loads(tags.get(TAG_DECISIONS, "[]"))
        return tuple(Decision(**each) for each in found)
    except (ValueError, TypeError):
        return ()


def decided(registry: Registry, ref: ModelRef, stage: str, why: str, what: str = "") -> Decision:
    """Records a decision of this account about a version, with the stage that the version has from now on."""
    made = Decision(what or stage, account(), round(time.time(), 3), short_text(why, _LONGEST))
    kept = [*decisions(registry.tags(ref)), made][-_KEPT:]
    tags = {TAG_APPROVAL: stage, TAG_DECISIONS: json.dumps([asdict(each) for each in kept], ensure_ascii=False)}
    registry.annotate(ref, {}, tags)
    return made
