"""What marimo would fetch from another machine."""

from __future__ import annotations

import re
from pathlib import Path

import marimo

from sparkml_track.server.lake import NO_FORMULAS


def test_the_script_that_is_kept_away_is_the_one_that_marimo_fetches() -> None:
    scripts = (Path(marimo.__file__).parent / "_static" / "assets").glob("index-*.js")
    found = {url for script in scripts for url in re.findall(r"https://[^`\"']*mathjax[^`\"']*", script.read_text())}
    assert found == set(re.findall(r'src="([^"]*)"', NO_FORMULAS))
