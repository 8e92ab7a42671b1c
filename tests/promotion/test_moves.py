"""People move the champion: approval, promotion by hand, rollback."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from sparkml_track.errors import InvalidInput
from sparkml_track.promotion import approve, card_of, compare_versions, decisions, promote, register, reject, rollback
from sparkml_track.promotion._moves import move_champion
from sparkml_track.refs import ModelRef
from sparkml_track.registries import MemoryRegistry, Package, Run
from tests.promotion.test_flow import DATA, RECIPE, SPEC

NAME = "delay"
ASKED = replace(SPEC, approval=True)


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


def version(registry: MemoryRegistry, columns: str = "xy") -> ModelRef:
    model = DummyClassifier().fit(np.eye(len(columns)), range(len(columns)))
    package = Package(model, pd.DataFrame({name: [1.0] for name in columns}))
    return registry.register(NAME, package, Run("model", "m", "e", params={"kind": columns}))


def champion(registry: MemoryRegistry) -> int | None:
    found = registry.alias(NAME, "champion")
    return found.version if found else None


def test_what_came_through_the_gate_waits_until_somebody_approves(registry: MemoryRegistry) -> None:
    verdict = register(ASKED, RECIPE, DATA, registry)
    assert (verdict.alias, champion(registry)) == ("challenger", None)
    assert verdict.reason.endswith("waits for approval")
    assert approve(registry, verdict.model, "looks right") is None
    assert (champion(registry), registry.alias(NAME, "challenger")) == (1, None)
    (made,) = decisions(registry.tags(verdict.model))
    assert (made.what, made.why) == ("approved", "looks right")
    assert made.by and made.at > 0
    with pytest.raises(InvalidInput, match="does not wait for approval: it is approved"):
        approve(registry, verdict.model)


def test_what_does_not_come_through_the_gate_does_not_wait(registry: MemoryRegistry) -> None:
    register(SPEC, RECIPE, DATA, registry)
    verdict = register(ASKED, RECIPE, DATA, registry)
    with pytest.raises(InvalidInput, match="not subject to approval"):
        approve(registry, verdict.model)


def test_an_approval_holds_only_against_the_champion_that_was_measured(registry: MemoryRegistry) -> None:
    waiting = register(ASKED, RECIPE, DATA, registry).model
    promote(registry, version(registry))
    with pytest.raises(InvalidInput, match="was compared with no champion, and the champion is delay version 2"):
        approve(registry, waiting)
    assert champion(registry) == 2


def test_a_rejected_version_cannot_be_approved(registry: MemoryRegistry) -> None:
    waiting = register(ASKED, RECIPE, DATA, registry).model
    reject(registry, waiting, "wrong rows")
    with pytest.raises(InvalidInput, match="it is rejected"):
        approve(registry, waiting)
    assert [each.why for each in decisions(registry.tags(waiting))] == ["wrong rows"]


def test_rollbacks_go_back_champion_by_champion(registry: MemoryRegistry) -> None:
    refs = [version(registry) for _ in range(4)]
    for ref in refs[:3]:
        promote(registry, ref)
    assert rollback(registry, NAME, "late") == (refs[2], refs[1])
    promote(registry, refs[3])
    assert rollback(registry, NAME) == (refs[3], refs[1])
    assert rollback(registry, NAME) == (refs[1], refs[0])
    with pytest.raises(InvalidInput, match="no champion before delay version 1"):
        rollback(registry, NAME)
    assert champion(registry) == 1


def test_a_rollback_steps_over_what_was_withdrawn(registry: MemoryRegistry) -> None:
    first, second, third = (version(registry) for _ in range(3))
    for ref in (first, second):
        promote(registry, ref)
    rollback(registry, NAME)
    registry.set_alias(NAME, "champion", second.version)  # by a tool that knows nothing of it
    promote(registry, third)
    assert rollback(registry, NAME) == (third, first)


def test_a_way_back_that_goes_in_circles_ends(registry: MemoryRegistry) -> None:
    first, second = (version(registry) for _ in range(2))
    for ref in (first, second, first):
        promote(registry, ref)
    assert rollback(registry, NAME) == (first, second)
    with pytest.raises(InvalidInput, match="no champion before delay version 2"):
        rollback(registry, NAME)


def test_the_gate_leaves_a_way_back(registry: MemoryRegistry) -> None:
    weak = register(replace(SPEC, params={"model": {"C": 1e-3}}), RECIPE, DATA, registry).model
    strong = register(SPEC, RECIPE, DATA, registry).model
    assert champion(registry) == strong.version
    assert rollback(registry, NAME) == (strong, weak)


def test_a_model_without_a_champion_has_nothing_to_roll_back(registry: MemoryRegistry) -> None:
    version(registry)
    with pytest.raises(InvalidInput, match="has no champion in memory:"):
        rollback(registry, NAME)


def test_the_champion_of_others_stays(registry: MemoryRegistry) -> None:
    first, second, third = (version(registry) for _ in range(3))
    assert move_champion(registry, None, first)
    assert not move_champion(registry, third, second)
    assert move_champion(registry, first, first)
    assert champion(registry) == 1


def test_a_tag_that_somebody_wrote_over_costs_the_decisions_alone(registry: MemoryRegistry) -> None:
    ref = version(registry)
    registry.annotate(ref, {}, {"sparkml.decisions": "nonsense"})
    promote(registry, ref)
    assert [each.what for each in decisions(registry.tags(ref))] == ["promoted"]


def test_the_card_says_what_the_gate_saw_and_who_let_it_through(registry: MemoryRegistry) -> None:
    ref = register(ASKED, RECIPE, DATA, registry).model
    description = registry.facts(ref).description
    assert "| on the test rows | log_loss |" in description
    # What people decide later does not change it, so it says nothing of that.
    assert "Approval" not in description and "Aliases" not in description
    approve(registry, ref, "a | b\nc")
    text = card_of(registry, registry.facts(ref))
    assert text.startswith("# delay, version 1\n")
    for line in ("Aliases: champion.", "Approval: approved.", "| x | double |", "| test rows | `training@v4` |"):
        assert line in text
    assert "| parameter model.C | `1.0` |" in text
    assert "| metric that decided | `log_loss` |" in text
    assert "| baseline base_rate | 0.69" in text
    assert "approved | a \\| b c |" in text


def test_the_card_of_a_bare_version_says_what_is_missing(registry: MemoryRegistry) -> None:
    text = card_of(registry, registry.facts(version(registry)))
    assert "Nothing was measured." in text
    assert "## Decisions" not in text


def test_versions_are_compared_by_what_differs(registry: MemoryRegistry) -> None:
    first, second = version(registry), version(registry, "xz")
    registry.annotate(first, {"test.auc": 0.5, "champion.auc": 0.4}, {})
    found = compare_versions(registry, NAME, [1, 2])
    assert found.metrics == {"auc": (0.5, None)}
    assert found.params == {"kind": ("xy", "xz")}
    assert found.inputs == {"y": ("double", None), "z": (None, "double")}
    assert found.data == {}
    assert compare_versions(registry, NAME, [second.version] * 2).params == {}
