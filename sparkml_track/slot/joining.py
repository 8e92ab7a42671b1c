"""How a worker comes to the template of its host: what the host lacks is fetched first."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

from .config import Config
from .host.folder import Host
from .host.template_spec import TemplateSpec

__all__ = ["join", "template_spec"]


def join(host: Host, config: Config, fetch: Callable[[str], Iterator[bytes]]) -> socket.socket:
    """Gets what this host lacks and connects to its template.

    Args:
        host: of the sweep's token.
        config: of the worker.
        fetch: gives the bytes of a blob in pieces.
    """
    for digest in config.digests:
        host.blob(digest, lambda digest=digest: fetch(digest))  # type: ignore[misc]
    own = f".{config.slot}" if host.apart else ""
    return host.join_template(replace(template_spec(host, config, *sys.path), own=own))


def template_spec(host: Host, config: Config, *path: str) -> TemplateSpec:
    """The template that a worker of this host wants; ``path`` comes before that of ``config``."""
    return TemplateSpec(
        host.blob_path(config.work),
        [*map(host.blob_path, config.code), *path, *config.path],
        dict(config.env),
        config.linger,
        folder=config.folder,
        key=config.key,
        base=config.base,
        imports=config.imports,
    )
