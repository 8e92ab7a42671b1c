"""What queries on the command line share: the catalog of a home, an engine, values and versions as words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_track.config.settings import load
from sparkml_track.errors import InvalidInput
from sparkml_track.home import Home

if TYPE_CHECKING:
    from sparkml_track.catalog import Catalog, SavedQuery

__all__ = ["Asked", "open_catalog", "pins_of", "query_of", "values_of"]


@dataclass(frozen=True)
class Asked:
    """How queries are asked.

    Attributes:
        params: values as words, by ``name`` or ``name:type``.
        at: versions by table.
        limit: of rows, None for all.
        timeout: seconds, None for no bound.
    """

    params: dict[str, str]
    at: dict[str, int]
    limit: int | None
    timeout: float | None


def open_catalog(config: Path | None, engine: str = "duckdb") -> Catalog:
    """The catalog of the home that a config file names, else of ``SPARKML_HOME``.

    Raises:
        InvalidInput: there is no such engine.
    """
    from sparkml_track.catalog import Catalog
    from sparkml_track.sql import ENGINES, open_engine

    if engine not in ENGINES:
        raise InvalidInput(f"there is no SQL engine {engine!r}; the engines are: {', '.join(ENGINES)}")
    settings = load(config) if config else None
    home = settings.home if settings else Home.find()
    if engine == "duckdb":
        return Catalog(home, open_engine(engine))
    from sparkml_track.api.session import local_or_active

    session = local_or_active(settings.spark if settings else None, home.make(), "sparkml-track sql")
    return Catalog(home, open_engine(engine, session))


def query_of(given: str) -> SavedQuery:
    """A query that is given as text, or as the name of a file that ends with ``.sql``."""
    from sparkml_track.catalog import SavedQuery, read_saved

    name = given.strip()
    # A name may have blanks; a query may end like one, and then there is no such file.
    if name.endswith(".sql") and ("\n" not in name) and (" " not in name or Path(name).is_file()):
        return read_saved(Path(name))
    return SavedQuery("", given)


def values_of(words: Sequence[str]) -> dict[str, str]:
    """``name=value`` as a mapping.

    Raises:
        InvalidInput: a word has no ``=`` or no name.
    """
    values = dict[str, str]()
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.partition(":")[0].isidentifier():
            raise InvalidInput(f"-p {word!r} is not name=value, such as -p day=2013-11-01 or -p code:string=007")
        values[name] = value
    return values


def pins_of(words: Sequence[str]) -> dict[str, int]:
    """``table@version`` as a mapping."""
    from sparkml_track.governance.names import parse_pin

    return dict(parse_pin(word) for word in words)
