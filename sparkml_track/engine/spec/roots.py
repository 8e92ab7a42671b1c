"""What ``checkpoint_root`` and ``artifact_root`` may be."""

from __future__ import annotations

import re

__all__ = ["ALLOWED", "ROOT", "root_problems"]

#: What a root may be, as a pattern and in words.
ROOT = r"/[^\0]*"
ALLOWED = (
    "an absolute path on storage that is mounted at this path on the driver and on all hosts of slots (an object store "
    "only where it is mounted as a file system)"
)


def root_problems(failures: object, tracking: object) -> list[str]:
    """What is wrong with the text of the roots that these have, if they are of the kind."""
    roots = {"failures.checkpoint_root": getattr(failures, "checkpoint_root", None)}
    roots["tracking.artifact_root"] = getattr(tracking, "artifact_root", None)
    return [f"{name} is {root!r}; allowed is {ALLOWED}, or None" for name, root in roots.items() if not _is_root(root)]


def _is_root(value: object) -> bool:
    return value is None or (isinstance(value, str) and re.fullmatch(ROOT, value) is not None)
