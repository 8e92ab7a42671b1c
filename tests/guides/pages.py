"""The README and the guides, and the blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "sparkml_track" / "guides").glob("*.md")))
_BLOCK = re.compile(r"^```([^\n`]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its tag, its text, the line of the page it begins at."""

    tag: str
    text: str
    line: int


def blocks(page: Path, *tags: str) -> list[Block]:
    """The blocks of a page that have one of these tags; all without tags."""
    text = page.read_text()
    made = [Block(found[1].strip(), found[2], text.count("\n", 0, found.start(2))) for found in _BLOCK.finditer(text)]
    return [block for block in made if not tags or block.tag in tags]


def run(page: Path, tag: str, given: dict[str, object]) -> None:
    """Runs the blocks of a page in order, in one namespace; a traceback has the page's own lines."""
    names: dict[str, object] = {"__name__": "__main__", **given}
    for block in blocks(page, tag):
        exec(compile("\n" * block.line + block.text, str(page), "exec"), names)
