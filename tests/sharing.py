"""Several processes of pytest share the tests of one run: each takes the next module that no other has taken.

``SPARKML_TESTS_SHARE`` names a folder for the run; ``scripts/test quick`` makes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, pairwise
from pathlib import Path

import pytest

__all__ = ["pytest_runtestloop"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """As pytest's own loop, over what is taken as it goes; without a folder, and where that does not run, its own."""
    folder = os.environ.get("SPARKML_TESTS_SHARE")
    if folder is None or session.testsfailed or session.config.option.collectonly:
        return None
    # What a test leaves for the next one to use is taken down by what comes next here, not in the list of all.
    for item, following in pairwise(chain(_taken(Path(folder), session.items), [None])):
        assert item is not None
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
    return True


def _taken(folder: Path, items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    for module, tests in groupby(items, lambda item: item.nodeid.partition("::")[0]):
        try:
            (folder / module.replace("/", ".")).touch(exist_ok=False)
        except FileExistsError:
            continue
        yield from tests
