"""The one statement of a ``.sql`` file, as Databricks has it.

    CREATE OR REFRESH MATERIALIZED VIEW late (
        CONSTRAINT known_carrier EXPECT (carrier IS NOT NULL) ON VIOLATION DROP ROW
    ) COMMENT 'flights that came late' PARTITIONED BY (month)
    AS SELECT ...

Several of them are divided by semicolons. ``CREATE TEMPORARY VIEW name AS SELECT ...`` is the other statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sparkml_track.errors import InvalidInput
from sparkml_track.pipelines.declared.registry import Registry
from sparkml_track.pipelines.declared.sql_words import Word, words_of
from sparkml_track.pipelines.declared.values import Action, Expectation, SqlQuery, Target, View

__all__ = ["declare_sql"]

_VIOLATIONS: dict[str, Action] = {"drop row": "drop", "fail update": "fail", "quarantine row": "quarantine"}
_ALLOWED = (
    "allowed is CREATE OR REFRESH MATERIALIZED VIEW name [(CONSTRAINT rule EXPECT (condition) [ON VIOLATION DROP ROW | "
    "FAIL UPDATE | QUARANTINE ROW], ...)] [COMMENT 'text'] [PARTITIONED BY (column, ...)] AS SELECT ..., or CREATE "
    "TEMPORARY VIEW name AS SELECT ..."
)


def declare_sql(text: str, file: str, registry: Registry) -> None:
    """Declares what the statements of a file say.

    Args:
        text: of the file.
        file: its name, for messages.
        registry: where it is declared.

    Raises:
        InvalidInput: a statement is another one.
    """
    statements = list(_statements(words_of(text)))
    if not statements:
        raise InvalidInput(f"{file} holds no statement; {_ALLOWED}")
    for words in statements:
        _Statement(text, words, file).declare(registry)


def _statements(words: Sequence[Word]) -> Iterator[list[Word]]:
    one: list[Word] = []
    for word in words:
        if word.text != ";":
            one.append(word)
        elif one:
            yield one
            one = []
    if one:
        yield one


class _Statement:
    """One statement, read from left to right."""

    def __init__(self, text: str, words: Sequence[Word], file: str) -> None:
        self._text = text
        self._words = words
        self._at = 0
        self._place = f"{file}:{text.count(chr(10), 0, words[0].start) + 1}"

    def declare(self, registry: Registry) -> None:
        if self._skips("create temporary view") or self._skips("create or replace temporary view"):
            name = self._name("a name after CREATE TEMPORARY VIEW")
            registry.add_view(View(name, self._query(), self._place))
            return
        self._need("create or refresh materialized view")
        name = self._name("a name after CREATE OR REFRESH MATERIALIZED VIEW")
        rules = tuple(self._rules()) if self._skips("(") else ()
        comment, columns = "", tuple[str, ...]()
        while not self._is("as"):
            if self._skips("comment"):
                comment = self._literal()
            elif self._skips("partitioned by ("):
                columns = tuple(self._columns())
            else:
                raise self._wrong("AS SELECT")
        query = self._query()
        target = Target(name, "materialized view", self._place, comment, columns, rules)
        registry.add_target(target, query)

    def _rules(self) -> Iterator[Expectation]:
        while True:
            self._need("constraint")
            name = self._name("a name after CONSTRAINT")
            self._need("expect (")
            condition = self._inside()
            action: Action = "warn"
            if self._skips("on violation"):
                found = next((word for word in _VIOLATIONS if self._skips(word)), None)
                if found is None:
                    raise self._wrong("DROP ROW, FAIL UPDATE or QUARANTINE ROW after ON VIOLATION")
                action = _VIOLATIONS[found]
            yield Expectation(name, condition, action)
            if self._skips(")"):
                return
            self._need(",")

    def _columns(self) -> Iterator[str]:
        while True:
            yield self._name("a column after PARTITIONED BY (")
            if self._skips(")"):
                return
            self._need(",")

    def _query(self) -> SqlQuery:
        self._need("as")
        if self._at == len(self._words):
            raise self._wrong("SELECT after AS")
        first, last = self._words[self._at], self._words[-1]
        if first.key not in ("select", "with", "from", "values", "("):
            raise self._wrong("SELECT after AS")
        return SqlQuery(self._text[first.start : last.end])

    def _inside(self) -> str:
        """The text up to the parenthesis that closes."""
        start, depth = self._at, 1
        while self._at < len(self._words):
            depth += {"(": 1, ")": -1}.get(self._words[self._at].text, 0)
            self._at += 1
            if depth == 0 and self._at - 1 > start:
                return self._text[self._words[start].start : self._words[self._at - 2].end]
            if depth == 0:
                break
        raise self._wrong("a condition in parentheses after EXPECT")

    def _literal(self) -> str:
        word = self._words[self._at] if self._at < len(self._words) else None
        if word is None or word.kind != "text":
            raise self._wrong("a text in quotes after COMMENT")
        self._at += 1
        return re.sub(r"\\(.)|''", lambda found: found[1] or "'", word.text[1:-1])

    def _name(self, wanted: str) -> str:
        word = self._words[self._at] if self._at < len(self._words) else None
        if word is None or word.kind != "name":
            raise self._wrong(wanted)
        self._at += 1
        return word.name

    def _is(self, phrase: str) -> bool:
        keys = phrase.split()
        return [word.key for word in self._words[self._at : self._at + len(keys)]] == keys

    def _skips(self, phrase: str) -> bool:
        found = self._is(phrase)
        self._at += len(phrase.split()) if found else 0
        return found

    def _need(self, phrase: str) -> None:
        if not self._skips(phrase):
            raise self._wrong(phrase.upper())

    def _wrong(self, wanted: str) -> InvalidInput:
        found = repr(self._words[self._at].text[:40]) if self._at < len(self._words) else "the end"
        return InvalidInput(f"{self._place}: {found} stands where {wanted} should; {_ALLOWED}")
