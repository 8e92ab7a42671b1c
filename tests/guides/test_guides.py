"""The guides: what they show runs, what they name exists, and the command shows them."""

from __future__ import annotations

import re
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer.main
from hatchling.builders.wheel import WheelBuilder

from sparkml_track.cli import guide as guide_cli
from sparkml_track.cli.app import app, main
from sparkml_track.config.settings import load
from tests.guides.pages import PAGES, ROOT, Block, blocks, run

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

GUIDES = PAGES[1:]
TAGS = {"python", "python spark", "yaml", "sh", "text"}
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    return tmp_path


# -------------------------------------------------------------------------------------------------- the pages


@by_page
def test_every_block_has_a_tag_that_some_check_knows(page: Path) -> None:
    assert page.read_text().count("\n```") == 2 * len(blocks(page))
    assert {block.tag for block in blocks(page)} <= TAGS


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page: Path, empty: Path) -> None:
    run(page, "python", {})


@pytest.mark.spark
def test_the_examples_that_need_spark_run(spark: SparkSession, empty: Path) -> None:
    for page in PAGES:
        run(page, "python spark", {"spark": spark})


@by_page
def test_the_config_fragments_of_a_page_are_valid(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "yaml"):
        file = tmp_path / "conf" / f"{block.line}.yaml"
        file.parent.mkdir(exist_ok=True)
        for folder in re.findall(r"^code: \[([^]]+)\]", block.text, flags=re.MULTILINE):
            (file.parent / folder).mkdir(exist_ok=True)
        file.write_text(whole(block))
        load(file)


def whole(block: Block) -> str:
    """A fragment with the keys a config file cannot do without."""
    text = block.text
    if not re.search(r"^name:", text, flags=re.MULTILINE):
        text = f"name: fragment\n{text}"
    if not re.search(r"^sweep:", text, flags=re.MULTILINE):
        text += "sweep:\n"
    needed = {"objective": "mine:train", "max_trials": "3", "space": "{x: {uniform: [0, 1]}}"}
    missing = [f"  {key}: {value}" for key, value in needed.items() if f"\n  {key}:" not in text]
    return re.sub(r"^sweep:.*\n", lambda found: found[0] + "\n".join([*missing, ""]), text, flags=re.MULTILINE)


@by_page
def test_the_commands_of_a_page_exist_with_their_options(page: Path) -> None:
    commands = typer.main.get_command(app)
    for block in blocks(page, "sh"):
        for line in re.findall(r"^sparkml-track (.+)$", block.text, flags=re.MULTILINE):
            name, *arguments = shlex.split(line, comments=True)
            command = commands.get_command(None, name)  # type: ignore[attr-defined]
            assert command is not None, line
            command.make_context(name, arguments)


@by_page
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_readme_is_short_and_links_every_guide() -> None:
    text = PAGES[0].read_text()
    assert len(text.splitlines()) < 250
    assert [page.name for page in GUIDES if f"(sparkml_track/guides/{page.name})" not in text] == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guide_has_a_heading_a_summary_and_the_length_of_a_page(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert guide_cli.summary(page.stem).endswith(".")
    assert len(guide_cli.summary(page.stem)) <= 100
    assert 30 <= len(lines) <= 150


def test_the_wheel_has_every_guide() -> None:
    shipped = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"sparkml_track/guides/{page.name}" for page in GUIDES} <= shipped


# -------------------------------------------------------------------------------------------------- the command


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as caught:
            main(["guide", *arguments])
    finally:
        signal.signal(signal.SIGTERM, before)
    out = capsys.readouterr()
    return int(caught.value.code or 0), out.out, " ".join(out.err.split())


def test_the_command_lists_every_guide_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [page.stem for page in GUIDES]


def test_a_guide_is_plain_text_where_the_output_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "sweeps") == (0, (ROOT / "sparkml_track/guides/sweeps.md").read_text(), "")


def test_a_guide_is_rendered_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    code, out, _ = call(capsys, "sweeps")
    assert code == 0
    assert "\x1b[" in out
    assert "```" not in out


def test_an_unknown_guide_is_wrong_input_with_the_nearest_and_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "sweps")
    assert (code, out) == (2, "")
    assert err.startswith("error: there is no guide 'sweps'; did you mean 'sweeps'? The guides are: ")
    assert all(page.stem in err for page in GUIDES)
