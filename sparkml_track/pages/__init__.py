"""HTML pages that need nothing else: readable offline and as artifacts of a run.

render  a template and its values to a page

The templates lie in ``templates/``, with one style sheet. Whatever a template shows is escaped, but for figures.
"""

from __future__ import annotations

from sparkml_track.pages.render import load, render, text_of

__all__ = ["load", "render", "text_of"]
