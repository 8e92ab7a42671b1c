"""YAML as config files may have it: the core schema of YAML 1.2, and the line of every value.

PyYAML reads YAML 1.1, where ``no`` is false, ``1e3`` is text, ``010`` is eight and ``12:30`` is 750. Here plain
words mean what YAML 1.2 says (https://yaml.org/spec/1.2.2/#103-core-schema): ``no`` is text and ``1e3`` a number.
Anchors, aliases, merge keys and tags of other types are refused, so a small file stays small and makes no objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

__all__ = ["Document", "Place", "dotted", "read"]

#: Where a value stands: keys and indices from the top.
Place = tuple[str | int, ...]

_DEEPEST = 40
_LARGEST = 1_000_000
_CORE = "tag:yaml.org,2002:"
# Python refuses to read numbers of thousands of digits; nobody writes them.
_INT = re.compile(r"[-+]?[0-9]{1,400}|0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True)
class Document:
    """What a file says.

    Attributes:
        value: plain mappings, lists, text, numbers, booleans and None; as far as it could be read.
        lines: of each value, from 1.
        problems: line and sentence of each.
    """

    value: object = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, path: Place) -> int:
        """The line of a value, or of the nearest one around it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(text: str) -> Document:
    """Reads one document. Never raises: what is wrong is in ``problems``."""
    document = Document()
    try:
        refused = list(_refused(text))
        if refused:
            return Document(problems=refused)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        return Document(problems=[_syntax(error)])
    except yaml.YAMLError as error:  # a character that no YAML file may have
        return Document(problems=[(1, f"not readable as YAML: {_one_line(error)}")])
    value = None if node is None else _value(node, (), document)
    return Document(value, document.lines, document.problems)


def _syntax(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    mark = error.problem_mark or error.context_mark
    context = f" {error.context}" if error.context else ""
    hint = "; indent with spaces" if "'\\t'" in str(error.problem) else ""
    return (1 if mark is None else mark.line + 1), f"not readable as YAML: {error.problem}{context}{hint}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _refused(text: str) -> Iterator[tuple[int, str]]:
    """What the events alone show, before anything is built of them."""
    if len(text) > _LARGEST:
        yield 1, f"{len(text):,} characters are too many for a config file; at most {_LARGEST:,}"
        return
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > _DEEPEST:
            yield line, f"nested deeper than {_DEEPEST} levels"
            return
        if documents > 1:
            yield line, "a second document begins here; a config file has one"
            return
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        yield from _half_characters(line, str(getattr(event, "value", "")))
        if isinstance(event, yaml.AliasEvent):
            yield line, f"the alias '*{anchor}' is not allowed; write the value out"
        elif anchor:
            yield line, f"the anchor '&{anchor}' is not allowed; write the value out where it is used"
        elif tag:
            yield (
                line,
                f"the tag {_short(tag)} is not allowed; text, numbers, true, false, null, lists and mappings are",
            )


def _half_characters(line: int, text: str) -> Iterator[tuple[int, str]]:
    """Half of a surrogate pair, which an escape can write and nothing can store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        yield line, f"the text {text[:80]!a} is not Unicode text; write the characters themselves"


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_CORE) if tag.startswith(_CORE) else tag


def _value(node: yaml.Node, path: Place, document: Document) -> object:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        # A quoted value is text, whatever it says.
        return str(node.value) if node.style else _plain(node.value)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    return [_value(item, (*path, index), document) for index, item in enumerate(node.value)]


def _mapping(node: yaml.MappingNode, path: Place, document: Document) -> dict[str, object]:
    made: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if not isinstance(key, str) or key == "<<":
            document.problems.append((line, "a key must be a word; lists, mappings and '<<' are not allowed"))
        elif key in made:
            first = document.lines[(*path, key)]
            document.problems.append((line, f"{dotted((*path, key))}: given twice, first in line {first}; remove one"))
        else:
            document.lines[(*path, key)] = line
            made[key] = _value(value_node, (*path, key), document)
    return made


def _plain(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def dotted(path: Place) -> str:
    """A path as a person writes it: ``sweep.points_to_evaluate[0].depth``."""
    made = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return made.removeprefix(".")
