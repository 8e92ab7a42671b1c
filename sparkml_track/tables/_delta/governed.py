"""How methods that make a version are asked about, recorded and followed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from sparkml_track.governance.governor import Change
from sparkml_track.refs import TableRef

Method = TypeVar("Method", bound=Callable[..., Any])


def recorded(action: str, table: str = "name") -> Callable[[Method], Method]:
    """A method that changes a table, or makes one.

    Args:
        action: what it does, as the audit calls it.
        table: the argument that names the table which is changed.
    """

    def decorate(method: Method) -> Method:
        signature = inspect.signature(method)

        @wraps(method)
        def governed(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            given, tables = bound.arguments, args[0]
            if given.get("dry_run"):
                return method(*args, **kwargs)
            if table != "name":  # which version it is made from is settled once
                given["at"] = tables.pin(given["name"], given.get("at")).version
            change = Change(action, given[table], dict(given))
            with tables.governor.around(change, tables):
                result = method(*bound.args, **bound.kwargs)
                change.made = result if isinstance(result, TableRef) else None
            return result

        return cast("Method", governed)

    return decorate
