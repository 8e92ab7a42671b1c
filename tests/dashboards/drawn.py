"""Pages without a browser: their cells run as a script, and what they show as text."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sparkml_track.dashboards import SHIPPED, PageSpec

__all__ = ["broken", "drawn"]

#: What a part says that raised; see `Page.shown`.
FAULT = "This part cannot be shown"


def drawn(file: Path) -> str:
    """What a page shows of the home of ``SPARKML_HOME``; raises what a cell raises."""
    spec = importlib.util.spec_from_file_location(f"page_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    outputs, _ = module.app.run()
    return "\n".join(getattr(each, "text", str(each)) for each in outputs if each is not None)


def broken(pages: tuple[PageSpec, ...] = SHIPPED) -> dict[str, str]:
    """The pages that cannot be drawn, with why."""
    found = {}
    for page in pages:
        try:
            text = drawn(page.file)
        except Exception as error:  # whatever it is, it is the page's
            found[page.name] = f"{type(error).__name__}: {error}"
            continue
        if FAULT in text:
            found[page.name] = text[text.index(FAULT) :][:300]
    return found
