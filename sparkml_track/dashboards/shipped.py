"""The pages that come with the package, in the order in which they are offered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sparkml_track.errors import InvalidInput

__all__ = ["ACCOUNTS", "LAKE", "SHIPPED", "PageSpec", "check_page", "new_page", "own_pages"]

#: In the environment of a server with pages: the folder of the project, whose ``dashboards/`` are shown too.
LAKE = "SPARKML_LAKE"
#: In the environment of a server whose visitors have accounts, by which queries of pages are asked.
ACCOUNTS = "SPARKML_ACCOUNTS"
_PAGES = Path(__file__).parent / "pages"
_TEMPLATE = Path(__file__).parent / "templates" / "page.py"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class PageSpec:
    """One page.

    Attributes:
        name: in its address.
        title: for people.
        about: what it shows, in one sentence.
        room: the folder of ``pages`` that has its file.
        listed: whether it is offered; others are reached from one that is.
    """

    name: str
    title: str
    about: str
    room: str
    listed: bool = True

    @property
    def file(self) -> Path:
        """The marimo file."""
        return _PAGES / self.room / f"{self.name}.py"


SHIPPED = (
    PageSpec("home", "Home", "What runs now, what failed, what drifted.", "runs"),
    PageSpec("sweeps", "Sweeps", "How far each sweep is, how fast, how good, and what went wrong.", "runs"),
    PageSpec("sweep", "Sweep", "One sweep: its trials, what they found, what to try next.", "runs", listed=False),
    PageSpec("compare", "Compare", "Sweeps and trials side by side; what differs is marked.", "runs", listed=False),
    PageSpec("models", "Models", "Versions, who is champion, what the gate and people decided.", "lake"),
    PageSpec("features", "Features", "Feature tables: how fresh they are, who uses them, what is published.", "lake"),
    PageSpec("monitoring", "Monitoring", "Drift of columns and scores, and quality, over all runs.", "lake"),
    PageSpec("serving", "Serving", "Requests, latency, errors, and how a canary stands.", "lake"),
    PageSpec("jobs", "Jobs", "What ran, what failed, what comes next.", "lake"),
    PageSpec("lineage", "Lineage", "What was made from what.", "lake"),
    PageSpec("sql", "SQL", "The tables of the home, asked by SELECT.", "lake"),
)


def own_pages(project: str | Path) -> tuple[str, ...]:
    """The names of the pages of a project, the files in its ``dashboards/``.

    Args:
        project: the folder; "" for none.
    """
    if not project:
        return ()
    return tuple(sorted(path.stem for path in Path(project, "dashboards").glob("[!_.]*.py")))


def new_page(name: str, project: Path) -> Path:
    """Makes a page of a project from the template; gives its file.

    Raises:
        InvalidInput: the name is not one, or is taken.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"the name is {name!r}; allowed are small letters, digits, - and _, 64 at most")
    if name in {page.name for page in SHIPPED}:
        raise InvalidInput(f"the name is {name!r}, which the package's own page has; take another one")
    path = project / "dashboards" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            file.write(_TEMPLATE.read_text().replace("NAME", name))
    except FileExistsError:
        raise InvalidInput(f"{path} is there already; it was not changed") from None
    return path


def check_page(name: str, project: Path) -> None:
    """Looks whether there is a page.

    Raises:
        InvalidInput: there is none of this name; those that there are follow.
    """
    known = [page.name for page in SHIPPED] + [f"own/{each}" for each in own_pages(project)]
    if name not in known:
        raise InvalidInput(f"there is no page {name!r}; there are {', '.join(known)}")
