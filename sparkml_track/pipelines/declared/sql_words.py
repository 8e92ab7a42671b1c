"""The words of a SELECT and the tables that it names, without a parser: what follows FROM and JOIN.

Names of common table expressions, functions that give tables, and FROM inside of functions (``extract(day FROM t)``)
are left out. Spark's own parser judges the query when it runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sparkml_track.errors import InvalidInput

__all__ = ["Word", "marked", "words_of"]

_PART = r"(?:[^\W\d]\w*|`[^`]+`)"
_WORD = re.compile(
    rf"""(?P<skip>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<text>r?'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*")
      | (?P<name>{_PART}(?:\s*\.\s*{_PART})*)
      | (?P<other>\d[\w.]*|.)""",
    re.DOTALL | re.VERBOSE,
)
#: Words after which a list of tables ends, or that cannot name one.
_ENDS = frozenset(
    {
        "where", "group", "having", "order", "sort", "cluster", "distribute", "limit", "offset", "window", "union",
        "except", "intersect", "minus", "on", "using", "select", "lateral", "values", "from", "set", "qualify",
    }
)  # fmt: skip
_NOT_ALIASES = _ENDS | frozenset(
    {
        "join", "inner", "left", "right", "full", "cross", "natural", "semi", "anti", "outer",
        "pivot", "unpivot", "tablesample", "as", "then", "when", "end",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A word of SQL with its place in the text.

    Attributes:
        kind: "name" (maybe of several parts), "text" or "other".
        text: as it is written.
        start: its place.
        end: the place after it.
    """

    kind: str
    text: str
    start: int
    end: int

    @property
    def key(self) -> str:
        """In lower case, empty for a text."""
        return "" if self.kind == "text" else self.text.lower()

    @property
    def name(self) -> str:
        """A name without quotes and blanks."""
        return ".".join(part.strip().strip("`") for part in self.text.split("."))


def words_of(text: str) -> list[Word]:
    """The words, without comments."""
    return [
        Word(str(found.lastgroup), found[0], found.start(), found.end())
        for found in _WORD.finditer(text)
        if found.lastgroup != "skip"
    ]


def marked(text: str, frames: Collection[str] = ()) -> tuple[str, dict[str, str]]:
    """A query in which each table is a mark, as ``SparkSession.sql`` takes data frames, and the names of the marks.

    Args:
        text: one SELECT.
        frames: marks that are there already, as ``{name}``.

    Raises:
        InvalidInput: it is not one SELECT.
    """
    words = words_of(text)
    if words and words[-1].text == ";":
        words = words[:-1]
    first = next((word.key for word in words if word.text != "("), "")
    if first not in ("select", "with", "from", "values") or any(word.text == ";" for word in words):
        raise InvalidInput(f"a flow in SQL is one SELECT, and this begins with {first.upper() or 'nothing'!r}")
    pieces, marks, at = [], dict[str, str](), 0
    for number in _tables(words):
        word = words[number]
        mark = next((mark for mark, name in marks.items() if name == word.name), f"sparkml_table_{len(marks)}")
        marks[mark] = word.name
        after = words[number + 1] if number + 1 < len(words) else None
        aliased = after is not None and (after.key == "as" or (after.kind == "name" and after.key not in _NOT_ALIASES))
        alias = "" if aliased else f" AS `{word.name.rpartition('.')[2]}`"
        pieces += [_braced(text[at : word.start], frames), f"{{{mark}}}{alias}"]
        at = word.end
    end = words[-1].end if words else 0
    return "".join([*pieces, _braced(text[at:end], frames)]), marks


def _braced(text: str, frames: Collection[str]) -> str:
    """Braces mean marks; those of the text stay braces."""
    text = text.replace("{", "{{").replace("}", "}}")
    for name in frames:
        text = text.replace(f"{{{{{name}}}}}", f"{{{name}}}")
    return text


def _tables(words: Sequence[Word]) -> Iterator[int]:
    """The numbers of the words that name tables."""
    known = set(_common(words))
    depth: list[_Level] = [_Level()]
    for number, word in enumerate(words):
        level = depth[-1]
        if word.text == "(":
            # FROM (a JOIN b) has tables inside, too.
            depth.append(_Level(expects=level.expects))
            level.expects = False
        elif word.text == ")" and len(depth) > 1:
            depth.pop()
        elif level.takes(words, number) and word.name.lower() not in known:
            yield number


def _common(words: Sequence[Word]) -> Iterator[str]:
    """The names of common table expressions: ``name AS (``, or ``name (columns) AS (``."""
    for number, word in enumerate(words[:-1]):
        if word.key != "as" or words[number + 1].text != "(" or number == 0:
            continue
        before = number - 1
        if words[before].text == ")":
            while before > 0 and words[before].text != "(":
                before -= 1
            before -= 1
        if before >= 0 and words[before].kind == "name":
            yield words[before].name.lower()


class _Level:
    """Where in a SELECT we are, for each level of parentheses."""

    def __init__(self, *, expects: bool = False) -> None:
        self.query = False
        self.expects = expects
        self.listing = False

    def takes(self, words: Sequence[Word], number: int) -> bool:
        """Goes on by a word; whether it names a table."""
        word = words[number]
        if word.key in ("select", "with"):
            self.query = True
        if word.key in ("from", "join"):
            before = words[number - 1].key if number else ""
            # A query may begin with FROM; inside of a function FROM means something else, and so after DISTINCT.
            clause = (self.query or word.key == "join" or number == 0) and not (
                word.key == "from" and before == "distinct"
            )
            self.expects = self.listing = clause
            self.query = self.query or clause
            return False
        if word.text == "," and self.listing:
            self.expects = True
            return False
        if self.expects and word.kind == "name" and word.key not in _ENDS:
            self.expects = False
            return not (number + 1 < len(words) and words[number + 1].text == "(")
        if word.key in _ENDS and word.key not in ("on", "using", "lateral"):
            self.listing = self.expects = False
        return False
