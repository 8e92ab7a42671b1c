"""One page of the dashboards: the home that it shows, where its links lead, what stands where something is wrong."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sparkml_track.adapters.mlflow.links import runs_link
from sparkml_track.dashboards.blocks import STYLE, Markup, address, link, note
from sparkml_track.dashboards.charts import on_page
from sparkml_track.dashboards.kept import Kept
from sparkml_track.dashboards.shipped import ACCOUNTS, LAKE, SHIPPED, own_pages
from sparkml_track.dashboards.stamps import Kind, Stamp, stamp
from sparkml_track.errors import SparkmlError
from sparkml_track.home import Home

__all__ = ["Page", "open_page"]

_log = logging.getLogger(__name__)
_KEPT = 64  # things that a process remembers of what its pages read


@dataclass(frozen=True, slots=True)
class Page:
    """A page that somebody looks at.

    Attributes:
        name: one of ``SHIPPED``, or of the project's own.
        home: what it shows.
        query: of its address.
        viewer: who looks at it; "" where there are no accounts.
        kept: what was made before; shared by all pages of this process that show this home.
        own: names of the pages of the project.
    """

    name: str
    home: Home
    query: Mapping[str, str] = field(default_factory=dict)
    viewer: str = ""
    kept: Kept = field(default_factory=Kept)
    own: tuple[str, ...] = ()

    def head(self, title: str = "", about: str = "") -> Any:
        """The way to the other pages, the title, and what is shown."""
        known = {page.name: page for page in SHIPPED}
        title = title or (known[self.name].title if self.name in known else self.name)
        about = about or (known[self.name].about if self.name in known else "")
        current = Markup(' aria-current="page"')
        one = Markup('<a href="{}"{}>{}</a>')
        offered = [page for page in SHIPPED if page.listed or page.name == self.name]
        links = [one.format(address(p.name), current if p.name == self.name else "", p.title) for p in offered]
        links += [one.format(address(f"own/{name}"), current if name == self.name else "", name) for name in self.own]
        links.append(one.format("/", "", "MLflow"))
        nav = Markup('<nav class="sk-nav" aria-label="Pages">{}</nav>').format(Markup().join(links))
        place = Markup("{} · {}").format(about, self.home.place)
        return html(STYLE + nav + Markup('<div class="sk-head"><h1>{}</h1><p>{}</p></div>').format(title, place))

    def shown(self, make: Callable[[], object]) -> Any:
        """What ``make`` gives, to be shown; where it raises, a sentence, so that the rest of the page goes on."""
        try:
            return shown(make())
        except SparkmlError as error:
            return html(note(str(error), "bad"))
        except Exception as error:  # noqa: BLE001  # one part of a page must not take the others with it
            _log.exception("a part of the page %s cannot be shown", self.name)
            what = f"This part cannot be shown: {type(error).__name__}: {error}"
            return html(note(f"{what}. The server's log has more.", "bad"))

    def beside(self, *makes: Callable[[], object]) -> Any:
        """Several things side by side, one below the other where there is no room."""
        import marimo as mo

        one = Markup('<div style="flex: 1 1 440px; min-width: 0">{}</div>')
        cells = [one.format(Markup(mo.as_html(self.shown(make)).text)) for make in makes]  # marimo's own
        return html(
            Markup('<div style="display: flex; flex-wrap: wrap; gap: 8px 24px">{}</div>').format(Markup().join(cells))
        )

    def stamp(self, *kinds: Kind, of: str = "") -> Stamp:
        """When what is shown was last written; see ``stamps``."""
        return stamp(self.home, *kinds, of=of)

    def choice(self, name: str, options: Iterable[str]) -> str | None:
        """What is chosen first of some options: what the address names if it is one of them, else the first."""
        offered = list(options)
        asked = self.query.get(name)
        return asked if asked in offered else next(iter(offered), None)

    def link(self, text: object, page: str, **query: object) -> Markup:
        """A link to another page."""
        return link(text, address(page, query))

    def run_link(self, text: object, experiment: str, run: str = "") -> Markup:
        """A link to a run in MLflow's UI, under the same roof; the text alone where there is no run."""
        return link(text, runs_link("", experiment, run) if experiment else "")


def open_page(name: str) -> Page:
    """The page that a marimo file is: its home from ``SPARKML_HOME``, its query from its address.

    Args:
        name: of the page.
    """
    import marimo as mo

    home = Home.find()
    if not mo.running_in_notebook():  # a script has no address, and nobody looks at it
        return Page(name, home, kept=_kept(home))
    query = {key: str(value) for key, value in mo.query_params().to_dict().items()}
    request = mo.app_meta().request
    user = request.user if request is not None and os.environ.get(ACCOUNTS) else None
    viewer = str(user.get("username") or "") if isinstance(user, dict) else ""
    return Page(name, home, query, viewer, _kept(home), own_pages(os.environ.get(LAKE, "")))


@lru_cache(maxsize=4)
def _kept(home: Home) -> Kept:  # noqa: ARG001  # by which it is found
    """One for all pages of a process: what one of them read, others show."""
    return Kept(_KEPT)


def html(text: Markup) -> Any:
    """HTML as marimo shows it."""
    import marimo as mo

    return mo.Html(str(text))


def shown(what: object) -> Any:
    """Anything as marimo shows it: HTML, a figure of plotly, a list of these, or what marimo knows itself."""
    import marimo as mo

    if isinstance(what, Markup):
        return html(what)
    if isinstance(what, (list, tuple)):
        return mo.vstack([shown(each) for each in what], gap=1)
    if type(what).__module__.startswith("plotly."):
        return mo.ui.plotly(on_page(what))
    return what
