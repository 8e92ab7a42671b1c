"""Every page can be drawn: of a home with nothing in it, with rubbish in it, and with a sweep of 100,000 trials.

Of the home that the main job leaves, see tests/jobs/test_main_job.py.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.dashboards import SHIPPED, PageSpec
from sparkml_track.journals import Record, open_journal, read
from tests.dashboards.drawn import FAULT, broken, drawn

TRIALS = 100_000


@pytest.fixture(autouse=True)
def no_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_LAKE", "")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one sweep of some trials, of which one failed."""
    home = tmp_path_factory.mktemp("small")

    def objective(trial: Any) -> float:
        if trial.number == 3:
            raise ValueError("<b>rows</b> are missing")
        return float(trial.params["x"] ** 2)

    space = {"x": st.uniform(-1, 1), "kind": st.choice("a", "b")}
    given: dict[str, Any] = {"max_trials": 12, "sampler": "random", "executor": "inline", "progress": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKML_HOME", str(home))
        return home, st.sweep(objective, space, name="small", seed=1, **given).sweep


@pytest.fixture(scope="module")
def large(small: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same sweep as if it had 100,000 trials."""
    home = tmp_path_factory.mktemp("large")
    records = list(read(*small))
    journal = open_journal(home, "large")
    block: list[Record] = []
    for record in grown(records):
        block.append(record)
        if len(block) == 2_000:
            journal.append(block)
            block = []
    journal.append(block)
    journal.flush()
    journal.close()
    return home


def grown(records: list[Record]) -> Iterator[Record]:
    """Records of a sweep, with those of its trials again and again under new numbers."""
    of_trials = [one for one in records if one.kind in {"asked", "submitted", "accepted"}]
    trials = sum(one.kind == "asked" for one in of_trials)
    yield from (one for one in records if one.kind in {"plan", "parent"})
    for base in range(0, TRIALS, trials):
        for one in of_trials:
            body = dict(one.body)
            if "a" in body:
                trial, _, rest = str(body["a"]).partition(".")
                number = base + int(trial)
                body["a"] = f"{number}.{rest}"
            else:
                number = body["n"] = base + int(str(body["n"]))
            if number < TRIALS:
                yield replace(one, body=body)


@pytest.mark.parametrize("page", SHIPPED, ids=lambda page: page.name)
def test_a_look_again_leaves_what_was_chosen(page: PageSpec) -> None:
    """A cell that takes the refresh runs at each look, and an element that it made would fall back to its first."""
    cells = [cell for cell in ast.parse(page.file.read_text()).body if isinstance(cell, ast.FunctionDef)]
    again = [cell for cell in cells if "refresh" in {each.arg for each in cell.args.args}]
    made = [ast.unparse(each.func) for cell in again for each in ast.walk(cell) if isinstance(each, ast.Call)]
    assert [name for name in made if name in {"mo.ui.dropdown", "mo.ui.multiselect", "mo.ui.slider"}] == []


def test_every_page_of_an_empty_home_says_what_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "none"))
    assert broken() == {}
    assert not (tmp_path / "none").exists(), "a page wrote into the home"


def test_every_page_of_a_home_with_a_sweep(small: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(small[0]))
    assert broken() == {}


@pytest.mark.slow
def test_every_page_of_a_home_with_a_hundred_thousand_trials(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(large))
    assert broken() == {}


@pytest.mark.parametrize("page", SHIPPED, ids=lambda page: page.name)
def test_rubbish_in_a_home_costs_no_page(page: PageSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    for name in ("mlflow.db", "journal/s1/00000001-e0001.seg", "tables/t/_delta_log/00000000000000000000.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\x00rubbish <b>\xff")
    assert FAULT not in drawn(page.file)
