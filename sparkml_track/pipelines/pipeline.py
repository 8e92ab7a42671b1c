"""A pipeline: what it declares, planned and updated."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sparkml_track.errors import InvalidInput, SetupError
from sparkml_track.home import Home
from sparkml_track.pipelines.declared.files import declare_files
from sparkml_track.pipelines.declared.registry import Registry, declaring
from sparkml_track.pipelines.declared.values import Declared
from sparkml_track.pipelines.planning.plan import Plan, plan_of, prepared

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkml_track.pipelines.updating.executed import FlowResult
    from sparkml_track.pipelines.updating.update import UpdateResult
    from sparkml_track.tables import Tables

__all__ = ["Pipeline"]


class Pipeline:
    """Tables made from tables.

    Args:
        name: of letters, digits, "_" and "-"; tables remember it, so that no other pipeline writes them.
        files: that end with ``.py`` or ``.sql``.
        home: the folder with the tables, or what names it; ``SPARKML_HOME`` by default.
        tables: instead of those of the home.

    Raises:
        InvalidInput: the name, or a file; names file and line.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[str | Path] = (),
        home: Home | str | Path | None = None,
        tables: Tables | None = None,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise InvalidInput(
                f"{name!r} cannot name a pipeline; allowed are 1 to 64 letters, digits, '_' or '-', like flights"
            )
        self.name = name
        self.home = home if isinstance(home, Home) else Home.find(home)
        self._given = tables
        self._files = tuple(Path(file) for file in files)
        self._from_files, self._here = Registry(), Registry()
        self._modules: list[ModuleType] = declare_files(self._files, self._from_files)
        self._with_spark = False

    @contextmanager
    def declaring(self) -> Iterator[Pipeline]:
        """Lets decorators declare into this pipeline, in a notebook or a script."""
        with declaring(self._here):
            yield self

    def declared(self) -> Declared:
        """What is declared: tables, views and flows.

        Raises:
            InvalidInput: names that repeat or cannot be, flows without a table; all at once.
        """
        return Registry.joined(self._from_files, self._here).declared()

    def plan(self, full_refresh: Collection[str] = (), *, full_refresh_all: bool = False) -> Plan:
        """Says what an update would do, and why; needs no Spark and writes nothing.

        Args:
            full_refresh: tables to build anew, from all rows of what they read.
            full_refresh_all: all tables.

        Raises:
            InvalidInput: unknown tables, cycles, and what else is wrong in the declarations; all at once.
            TableError: a table cannot be read.
        """
        tables = self._tables(None)
        ready = prepared(self.name, self.declared(), tables, full_refresh, refresh_all=full_refresh_all)
        return plan_of(self.name, ready, tables)

    def update(
        self,
        spark: SparkSession,
        full_refresh: Collection[str] = (),
        *,
        full_refresh_all: bool = False,
        shown: Callable[[FlowResult], None] = lambda _: None,
    ) -> UpdateResult:
        """Builds what has changed. What a flow reads is pinned when the update begins; each flow is one commit.

        Args:
            spark: the session; not stopped.
            full_refresh: as in ``plan``.
            full_refresh_all: as in ``plan``.
            shown: gets the result of each flow when it has ended.

        Returns:
            The result of each flow; one that failed ends those that hang on it, and no other.

        Raises:
            InvalidInput: as ``plan``; also expectations that do not parse. Nothing was started.
            LeaseHeld: another update of this pipeline is at work.
            SetupError: the session was stopped, or is one of Spark Connect.
            TableError: as ``plan``.
        """
        from sparkml_track.adapters.spark.by_value import sent_by_value
        from sparkml_track.adapters.spark.errors import check_session
        from sparkml_track.catalog.system.store import SystemTables
        from sparkml_track.pipelines.updating.lock import updating
        from sparkml_track.pipelines.updating.update import Site, Update

        check_session(spark)
        if not hasattr(spark, "_jsparkSession"):
            raise SetupError("a pipeline is updated by a classic session of Spark, and this is one of Spark Connect")
        self._read_again()
        declared, tables = self.declared(), self._tables(spark)
        with ExitStack() as stack:
            stack.enter_context(updating(self.home.pipeline_lock(self.name), self.name))
            for module in (*self._modules, *_imported(declared)):
                stack.enter_context(sent_by_value(module))
            ready = prepared(self.name, declared, tables, full_refresh, refresh_all=full_refresh_all)
            system = SystemTables(self.home.system, self._tables(None))
            site = Site(tables, spark, system, self.home.streams(self.name))
            return Update(self.name, ready, site).run(shown)

    def _read_again(self) -> None:
        """Reads the files anew once there is a session: functions for Spark were made of a stand-in without it."""
        if not self._with_spark:
            registry = Registry()
            self._modules = declare_files(self._files, registry)
            self._from_files, self._with_spark = registry, True

    def _tables(self, spark: SparkSession | None) -> Tables:
        from sparkml_track.tables import DeltaTables

        return self._given if self._given is not None else DeltaTables(self.home.tables_root, spark, lineage=False)


def _imported(declared: Declared) -> list[ModuleType]:
    """Modules of the user that flows reach; Spark's workers may not find them."""
    from sparkml_track.pipelines.planning.code import user_modules

    queries = [*(flow.query for flow in declared.flows), *(view.query for view in declared.views.values())]
    names = user_modules(queries)
    return [sys.modules[name] for name in sorted(names) if name in sys.modules]
