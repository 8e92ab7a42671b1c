"""Several processes of pytest share the tests of one run: each takes the next module that no other has taken.

``SPARKML_TESTS_SHARE`` names a folder for the run; ``scripts/test quick`` makes it.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

__all__ = ["pytest_runtest_protocol"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Passes over what is another process's, without a word: that one reports it."""
    folder = os.environ.get("SPARKML_TESTS_SHARE")
    return None if folder is None or _is_ours(folder, item.nodeid.partition("::")[0]) else True


@cache
def _is_ours(folder: str, module: str) -> bool:
    try:
        (Path(folder) / module.replace("/", ".")).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
