from __future__ import annotations

import pytest

from sparkml_track.errors import InvalidInput
from sparkml_track.governance.names import find, full_name, parse_pin


def test_what_is_left_out_of_a_name_has_defaults() -> None:
    assert [full_name(name) for name in ("t", "air.t", "lake.air.t")] == ["main.default.t", "main.air.t", "lake.air.t"]


@pytest.mark.parametrize("parts", [("t",), ("default", "t"), ("main", "default", "t"), ("T",)])
def test_a_table_is_found_by_each_form_of_its_name(parts: tuple[str, ...]) -> None:
    assert find(parts, ("t", "air.u")) == "t"


def test_the_exact_name_comes_before_one_in_other_case() -> None:
    assert find(("T",), ("t", "T")) == "T"
    with pytest.raises(InvalidInput, match="Ab may be AB or ab, which differ only in case"):
        find(("Ab",), ("ab", "AB"))


def test_two_forms_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"t may be main\.default\.t or t"):
        find(("t",), ("t", "main.default.t"))


def test_an_unknown_table_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match=r"no table air\.flighs\. Did you mean main\.air\.flights\?"):
        find(("air", "flighs"), ("air.flights",))
    with pytest.raises(InvalidInput, match="There are: none yet"):
        find(("x",), ())


def test_a_name_that_would_break_the_line_is_quoted() -> None:
    with pytest.raises(InvalidInput, match=r"no table 'a\\nb'\."):
        find(("a\nb",), ())


def test_a_pin_is_a_name_and_a_version() -> None:
    assert parse_pin("air.t@3") == parse_pin("air.t@v3") == ("air.t", 3)


@pytest.mark.parametrize("text", ["t", "t@", "@3", "t@x", "t@-1", "t@³"])
def test_anything_else_pins_nothing(text: str) -> None:
    with pytest.raises(InvalidInput, match="write table@version"):
        parse_pin(text)
