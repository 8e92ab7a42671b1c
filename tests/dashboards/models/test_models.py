from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sparkml_track.dashboards.models import card, compared, known, moves, versions
from sparkml_track.dashboards.page import Page
from sparkml_track.errors import RegistryError
from sparkml_track.home import Home
from sparkml_track.promotion import approve, promote, register, reject
from sparkml_track.registries import MemoryRegistry, Registry
from tests.promotion.test_flow import DATA, RECIPE, SPEC
from tests.promotion.test_moves import version

NAME, ASKED = "delay", replace(SPEC, approval=True)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> MemoryRegistry:
    """In the place of that of the home."""
    made = MemoryRegistry()

    @contextmanager
    def opened(page: Page) -> Iterator[Registry]:
        yield made

    monkeypatch.setattr(known, "registry", opened)
    monkeypatch.setattr(known, "empty_store", lambda page: False)
    for room in (card, compared):
        monkeypatch.setattr(room, "empty_store", lambda page: False)
    return made


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page("models", Home(tmp_path / "home"))


def test_models_are_listed_with_who_is_champion_and_who_waits(registry: MemoryRegistry, page: Page) -> None:
    register(SPEC, RECIPE, DATA, registry)
    version(registry)
    assert known.models(page) == [known.Model(NAME, 2, 1, None, ())]
    shown = versions.all_models(page)
    assert "/lake/models/?model=delay" in shown
    assert "/lake/lineage/?model=delay" in shown


def test_what_waits_says_by_which_command_it_is_approved(registry: MemoryRegistry, page: Page) -> None:
    register(ASKED, RECIPE, DATA, registry)
    shown = versions.overview(page, NAME)
    assert "sparkml-track models approve delay/1" in shown
    assert "<b>version 1</b><span>challenger" in shown
    (facts,) = known.history(page, NAME).versions
    assert versions.gate(facts) == "passed, waits"


def test_a_version_says_where_it_comes_from_and_how_good_it_is(registry: MemoryRegistry, page: Page) -> None:
    ref = register(SPEC, RECIPE, DATA, registry).model
    shown = versions.versions(page, NAME)
    assert versions.deciding(known.history(page, NAME).versions) == "log_loss"
    assert f"/#/runs/{ref.run_id}" in shown
    assert "passed" in shown and "champion" in shown


def test_what_was_registered_by_itself_went_through_no_gate(registry: MemoryRegistry, page: Page) -> None:
    version(registry)
    (facts,) = known.history(page, NAME).versions
    assert versions.gate(facts) == "none"
    assert moves.moved([facts]) == []
    assert "models promote delay/VERSION" in moves.moves(page, NAME)
    assert "Nothing was measured" in moves.figures(page, NAME)


def test_decisions_are_in_order_with_who_made_them(registry: MemoryRegistry, page: Page) -> None:
    register(SPEC, RECIPE, DATA, registry)
    second = version(registry)
    promote(registry, second, "it is better")
    third = register(ASKED, RECIPE, DATA, registry).model
    found = moves.moved(known.history(page, NAME).versions)
    whats = [(each.version, each.what, each.replaced) for each in found]
    assert (1, "passed the gate", "nobody") in whats
    assert (2, "promoted", "1") in whats
    assert third.version == 3
    assert "it is better" in moves.moves(page, NAME)


def test_approved_and_rejected_versions_came_through_the_gate(registry: MemoryRegistry, page: Page) -> None:
    approve(registry, register(ASKED, RECIPE, DATA, registry).model, "fine")
    (facts,) = known.history(page, NAME).versions
    assert (versions.gate(facts), [each.what for each in moves.moved([facts])]) == ("passed", ["approved"])


def test_a_rejected_version_is_no_champion(registry: MemoryRegistry, page: Page) -> None:
    reject(registry, register(ASKED, RECIPE, DATA, registry).model, "no")
    (facts,) = known.history(page, NAME).versions
    found = moves.moved([facts])
    assert sorted((each.what, each.replaced) for each in found) == [("passed the gate", ""), ("rejected", "")]


def test_figures_of_the_gate_are_drawn_by_version(registry: MemoryRegistry, page: Page) -> None:
    register(SPEC, RECIPE, DATA, registry)
    lines = {line.name: line for line in moves.figures(page, NAME).data}
    assert list(lines["the version"].x) == ["1"]
    assert "baseline base_rate" in lines


def test_an_old_champion_is_read_beside_the_last_versions(
    registry: MemoryRegistry, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "_VERSIONS", 2)
    promote(registry, version(registry))
    for _ in range(3):
        version(registry)
    found = known.history(page, NAME)
    assert ([each.ref.version for each in found.versions], found.total) == ([4, 3, 1], 4)
    assert found.having("champion") == found.version(1)
    assert "The last 3 of 4" in versions.versions(page, NAME)


def test_models_and_decisions_that_are_left_out_are_counted(
    registry: MemoryRegistry, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "_MODELS", 0)
    monkeypatch.setattr(moves, "_SHOWN", 1)
    for _ in range(3):
        promote(registry, version(registry), "it is better")
    assert "1 more" in versions.all_models(page)
    assert known.names(page) == [NAME]
    assert "The last 1 of 3" in moves.moves(page, NAME)


def test_two_versions_are_compared(registry: MemoryRegistry, page: Page) -> None:
    version(registry, "xy")
    version(registry, "xz")
    shown = compared.compared(page, NAME, [1, 2])
    assert "input: y" in shown and "kind" in shown
    assert "not two versions" in compared.compared(page, NAME, [1, 1])


def test_the_card_is_html_made_of_its_markdown(registry: MemoryRegistry, page: Page) -> None:
    register(SPEC, RECIPE, DATA, registry)
    shown = card.card(page, NAME, 1)
    assert "<h2>delay, version 1</h2>" in shown
    assert "<td>test rows</td>" in shown
    assert "<code>training@v4</code>" in shown


def test_markdown_that_is_not_ours_stays_text() -> None:
    shown = card.html_of(
        "# <b>x</b>\n\n| a | b |\n|---|---|\n| <img> \\| `<i>` | [l](javascript:x) |\n\n<script>1</script>\n|"
    )
    assert not [part for part in ("<b>x", "<img", "<i>", "<script", "href") if part in shown]
    assert "&lt;img&gt; | <code>&lt;i&gt;</code>" in shown


def test_a_home_without_a_registry_stays_without_one(page: Page) -> None:
    assert known.models(page) == ()
    assert "sparkml-track register" in versions.all_models(page)
    assert known.history(page, NAME).versions == ()
    assert "No model is registered" in card.card(page, NAME, 1)
    assert not page.home.root.exists()


def test_a_registry_that_is_no_database_costs_a_sentence(page: Page) -> None:
    page.home.root.mkdir()
    page.home.database.write_text("rubbish")
    with pytest.raises(RegistryError):
        known.models(page)


def test_the_registry_is_that_of_the_server(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "postgresql://user:secret@db/mlflow")
    assert not known.empty_store(page)
    assert known.changed(page) != page.stamp()  # looked at again now and then
