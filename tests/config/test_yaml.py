"""YAML 1.2 values with lines; what makes objects, hides values or explodes is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkml_track.config.yaml import dotted, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1e3", 1000.0),
        ("1.0e-4", 0.0001),
        (".5", 0.5),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2013-01-01", "2013-01-01"),
        ("TRUE", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("'3'", "3"),
        ('"true"', "true"),
        ("-.inf", -math.inf),
        ("9" * 5000, math.inf),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    document = read(f"key: {text}\n")
    assert document.problems == []
    assert document.value == {"key": value}
    assert type(document.value["key"]) is type(value)  # type: ignore[index]


def test_every_value_has_its_line() -> None:
    document = read("a:\n  b: 1\n  c:\n    - x\n    - {y: 2}\n")
    assert document.lines[("a", "b")] == 2
    assert document.lines[("a", "c", 1, "y")] == 5
    assert document.line(("a", "c", 1, "missing")) == 5
    assert dotted(("a", "c", 1, "y")) == "a.c[1].y"


def test_all_duplicate_keys_are_found_at_every_level() -> None:
    document = read("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert document.problems == [
        (4, "b.c: given twice, first in line 3; remove one"),
        (5, "a: given twice, first in line 1; remove one"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: !!python/object/apply:os.system [echo]\n", 2, "tag !!python/object"),
        ("a: !!python/name:os.system ''\n", 1, "tag !!python/name"),
        ("a: !custom x\n", 1, "tag !custom"),
        ("a: &big [1, 2]\nb: [*big, *big]\n", 1, "anchor '&big'"),
        ("a: *unknown\n", 1, "alias '*unknown'"),
        ("base: {x: 1}\n<<: {y: 2}\n", 2, "'<<'"),
        ("? [a, b]\n: 1\n", 1, "a key must be a word"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("a: " + "[" * 100, 1, "nested deeper"),
        ("a:\n\t- b\n", 2, "indent with spaces"),
        ("a: [1\n", 2, "not readable as YAML"),
        ("a: \0", 1, "not readable as YAML"),
        ("x" * 1_000_001, 1, "too many"),
    ],
)
def test_what_a_config_file_must_not_have_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    document = read(text)
    assert document.problems
    assert document.problems[0][0] == line
    assert words in document.problems[0][1]


def test_an_alias_bomb_is_refused_before_it_is_built() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    document = read("\n".join(lines))
    assert document.value is None
    assert len(document.problems) > 29


@given(st.text())
def test_no_text_raises(text: str) -> None:
    document = read(text)
    assert all(line >= 1 for line, _ in document.problems)


def test_half_a_character_is_refused_with_its_line() -> None:
    problems = read('a: 1\nb: "x\\ud800"\n').problems
    assert problems == [(2, "the text 'x\\ud800' is not Unicode text; write the characters themselves")]
