"""From the best parameters of a sweep to a registered model: refit, measure, compare, alias.

The gate: a candidate becomes champion only if it beats every baseline and the champion of now, each measured anew on
the same pinned test data. Figures are of the model as the registry gives it back, not of the one in memory.

_spec  what is registered, what decides, and what came of it
_flow  refit, register, measure, decide, move the alias
_gate  figures to an alias and a reason, and the names that figures have
_race  the alias moves to the candidate, whatever other promotions do meanwhile
"""

from __future__ import annotations

from sparkml_track.promotion._flow import register
from sparkml_track.promotion._spec import Measured, Promotion, Recipe, Verdict

__all__ = ["Measured", "Promotion", "Recipe", "Verdict", "register"]
