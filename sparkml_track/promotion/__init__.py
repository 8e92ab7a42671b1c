"""From the best parameters of a sweep to a registered model: refit, measure, compare, alias.

The gate: a candidate becomes champion only if it beats every baseline and the champion of now, each measured anew on
the same pinned test data. Figures are of the model as the registry gives it back, not of the one in memory.

_spec       what is registered, what decides, and what came of it
_flow       refit, register, measure, decide, move the alias
_gate       figures to an alias and a reason, and the names that figures have
_race       the alias moves to the candidate, whatever other promotions do meanwhile
_moves      people approve, reject, promote by hand and roll back
_decisions  what people decided about a version
_card       what a version is, for people
_compare    versions side by side
_canary     a challenger in front of real requests: what its figures say
_canary_look  served rows meet their labels, and the aliases follow
"""

from __future__ import annotations

from sparkml_track.promotion._canary import LOSSES, Canary, Judged, Seen, judge
from sparkml_track.promotion._canary_look import Labelled, Rivals, look, rivals, settle
from sparkml_track.promotion._card import card_of
from sparkml_track.promotion._compare import Compared, compare_versions
from sparkml_track.promotion._decisions import Decision, decisions
from sparkml_track.promotion._flow import register
from sparkml_track.promotion._moves import approve, promote, reject, rollback
from sparkml_track.promotion._spec import Measured, Promotion, Recipe, Verdict

__all__ = [
    "LOSSES",
    "Canary",
    "Compared",
    "Decision",
    "Judged",
    "Labelled",
    "Measured",
    "Promotion",
    "Recipe",
    "Rivals",
    "Seen",
    "Verdict",
    "approve",
    "card_of",
    "compare_versions",
    "decisions",
    "judge",
    "look",
    "promote",
    "register",
    "reject",
    "rivals",
    "rollback",
    "settle",
]
