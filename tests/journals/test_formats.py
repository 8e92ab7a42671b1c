"""Fault 57: journals of other releases open, or are refused with the reason.

``fixtures/v1`` was written by the first release: a driver that ended, and one that was killed while it wrote. It is
never written anew: a release that cannot read it has broken the format.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from sparkml_track.errors import JournalError
from sparkml_track.journals import Record, _lines, open_journal, read, sweeps

V1 = Path(__file__).parent / "fixtures" / "v1"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The home of format 1, as it was some time ago."""
    home = tmp_path / "home"
    shutil.copytree(V1, home)
    for path in home.rglob("*"):
        os.utime(path, (1.7e9, 1.7e9))
    return home


def expected() -> list[str]:
    """As text, since nan differs from itself."""
    return [json.dumps(json.loads(line)) for line in (V1 / "expected.jsonl").read_text().splitlines()]


def as_text(records: list[Record]) -> list[str]:
    return [json.dumps([record.kind, record.body]) for record in records]


def test_format_1_is_read(old: Path) -> None:
    assert len(expected()) == 11
    assert as_text(list(read(old, "flights"))) == expected()
    (entry,) = sweeps(old)
    assert (entry.sweep, entry.epoch, entry.holder, entry.modified) == ("flights", 2, None, 1.7e9)


def test_a_sweep_of_format_1_goes_on(old: Path) -> None:
    folder = old / "journal" / "flights"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    journal = open_journal(old, "flights")
    assert journal.epoch == 3
    assert "the last 41 bytes of 00000002-e0002.seg" in str(journal.repaired)
    assert as_text(list(journal.replay())) == expected()
    journal.append([Record("ended", {"finished": 2})])
    journal.close()
    assert as_text(list(read(old, "flights"))) == [*expected(), '["ended", {"finished": 2}]']
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("found", [2, 99, "2", None])
@pytest.mark.parametrize("rest", [b"", b"what another format says\n\0\xff", b"00000000 1 0 []\n"])
def test_a_newer_format_is_refused_with_the_reason(old: Path, found: object, rest: bytes) -> None:
    header = _lines.frame(0, 0, _lines.encode("segment", {"format": found}))
    (old / "journal" / "flights" / "00000003-e0003.seg").write_bytes(header + rest)
    for use in (open_journal, read):
        with pytest.raises(JournalError, match=rf"written in journal format {found}; .*up to 1. Upgrade sparkml-track"):
            use(old, "flights")
    assert [entry.holder for entry in sweeps(old)] == [None]


def test_a_newer_format_that_an_older_release_went_on_from_is_refused_too(old: Path) -> None:
    folder = old / "journal" / "flights"
    header = _lines.frame(0, 0, _lines.encode("segment", {"format": 2}))
    (folder / "00000001-e0001.seg").write_bytes(header + (folder / "00000001-e0001.seg").read_bytes())
    with pytest.raises(JournalError, match="journal format 2"):
        read(old, "flights")
