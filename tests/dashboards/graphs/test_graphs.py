"""Graphs from left to right: who stands where, and the drawing."""

from __future__ import annotations

import time
from xml.etree import ElementTree

from sparkml_track.dashboards.graphs.drawing import Box, drawn
from sparkml_track.dashboards.graphs.layout import Lane, Layout, layout


def placed_of(things: str, edges: list[str]) -> Layout:
    return layout(things, [(edge[0], edge[1]) for edge in edges])


def test_what_comes_before_stands_left() -> None:
    placed = placed_of("dcba", ["ab", "bc", "cd"])
    assert placed.columns == [["a"], ["b"], ["c"], ["d"]]
    assert sorted(placed.parts) == [("a", "b"), ("b", "c"), ("c", "d")]


def test_an_edge_that_passes_columns_has_one_lane_in_each() -> None:
    placed = placed_of("abcde", ["ab", "bc", "cd", "ad", "ae", "ce"])
    lanes = [each for column in placed.columns for each in column if isinstance(each, Lane)]
    assert lanes == [Lane("a", 1), Lane("a", 2)]
    assert (Lane("a", 2), "d") in placed.parts
    assert (Lane("a", 2), "e") in placed.parts


def test_what_nothing_leads_to_stands_beside_what_it_leads_to() -> None:
    assert placed_of("abcx", ["ab", "bc", "xc"]).columns[1] in (["b", "x"], ["x", "b"])


def test_a_circle_is_cut() -> None:
    placed = placed_of("abc", ["ab", "bc", "ca", "aa"])
    assert ("a", "a") not in placed.parts
    assert placed.columns == [["a"], ["b"], ["c"]]
    assert ("c", "a") in placed.parts


def test_neighbours_are_at_one_height() -> None:
    edges = [(f"s{n}", f"t{9 - n}") for n in range(10)]
    left, right = layout([*(f"s{n}" for n in range(10)), *(f"t{n}" for n in range(10))], edges).columns
    assert [(source, target) for source, target in zip(left, right, strict=True)] == [
        (f"s{n}", f"t{9 - n}") for n in range(10)
    ]


def test_a_drawing_is_links_and_text() -> None:
    boxes = {"a": Box("<b>", "below", "title", "/lake/sql/?table=a&version=1", marked=True), "b": Box("x" * 99)}
    shown = drawn(boxes, [("a", "b"), ("a", "gone")], "Lineage of <a>")
    tree = ElementTree.fromstring(shown)  # well-formed
    texts = [each.text for each in tree.iter() if each.tag.endswith("text")]
    assert texts[0] == "<b>"
    assert len(texts[2] or "") < 40
    assert [each.attrib["href"] for each in tree.iter() if each.tag.endswith("}a")] == ["/lake/sql/?table=a&version=1"]
    assert "Lineage of &lt;a&gt;" in shown


def test_a_hundred_things_are_drawn_soon() -> None:
    boxes = {number: Box(str(number)) for number in range(100)}
    edges = [(one, other) for one in range(100) for other in range(one + 1, min(one + 12, 100))]
    started = time.process_time()
    assert "<svg" in drawn(boxes, edges, "much")
    assert time.process_time() - started < 2
