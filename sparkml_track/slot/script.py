"""What the user's script defines, where pickles look for it: in ``__main__``, of slots and of what trials spawn.

A forked process has it. One that multiprocessing spawns reads the main module of its parent again, from its file; a
slot has no file of the script, and may run on another host, so it gets one that reads the same pickle as the slot did.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from .host.paths import HostPaths

__all__ = ["offer_script"]


def offer_script(host: str, work: str, names: Mapping[str, object]) -> None:
    """Puts the names into ``__main__``.

    Args:
        host: folder of the host.
        work: file of the pickle that has them as "main".
        names: what the script calls them, and what they are.
    """
    module = sys.modules["__main__"]
    vars(module).update(names)
    if names:
        module.__file__ = _written(HostPaths(host).script(os.path.basename(work)), work)


def _written(path: str, work: str) -> str:
    if os.path.exists(path):
        return path
    # Several templates may be on a host: each has a part of its own.
    part = f"{path}.{os.getpid()}"
    with open(part, "w") as file:
        file.write(
            f"import pickle\nwith open({work!r}, 'rb') as file:\n    globals().update(pickle.load(file)['main'])\n"
        )
    os.replace(part, path)
    return path
