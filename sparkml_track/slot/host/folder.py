"""What the slots of one host share: a folder (mode 0700) with the blobs they fetched once, and the template."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from .lock import exclusive_lock
from .paths import HostPaths
from .share import Share

__all__ = ["Host", "package_root", "user_folder"]

_BOOT = "import sys, json, importlib; c = json.loads(sys.argv[1]); sys.path.insert(0, c['root']); "
_BOOT += "importlib.import_module(c['package'] + '.template').main(c)"
#: Longest path of a Unix socket on Linux is 107 bytes; what we add to the folder is short.
_LONGEST = 90


def user_folder() -> str:
    """Where everything of ours lies on this host; made if missing, private to this user.

    Raises:
        PermissionError: someone else made it, or could write to it.
    """
    base = tempfile.gettempdir()
    if len(base) > _LONGEST - 40:
        base = "/tmp"
    user = os.path.join(base, f"sparkml-{os.getuid()}")
    os.makedirs(user, mode=0o700, exist_ok=True)
    stat = os.stat(user, follow_symlinks=False)
    if stat.st_uid != os.getuid() or stat.st_mode & 0o077:
        raise PermissionError(f"{user} belongs to someone else or is open to others; remove it or set TMPDIR")
    return user


def package_root(file: str, package: str) -> str:
    """What must be on sys.path for ``package`` to be imported as it was here; a folder or a zip."""
    for _ in range(package.count(".") + 2):
        file = os.path.dirname(file)
    return file


class Host:
    """The shared folder of one sweep on this host, seen from one worker or from the driver, with a share in it.

    Args:
        token: names the sweep's executor; so the folder is called.
        home: for the driver, which removes the folder.
        single: for a task that is alone with its attempt.

    Raises:
        PermissionError: see ``user_folder``.
    """

    def __init__(self, token: str, *, home: bool = False, single: bool = False) -> None:
        self._single = single
        self.share = Share(os.path.join(user_folder(), token), single)
        self.folder = self.share.folder
        self._template: subprocess.Popen[bytes] | None = None
        if home:
            self.share.over()

    def blob_path(self, digest: str) -> str:
        """Where a blob lies, or will."""
        return HostPaths(self.folder).blob(digest)

    def blob(self, digest: str, fetch: Callable[[], Iterator[bytes]]) -> str:
        """The path of a blob, fetched by the first who asks on this host.

        Args:
            digest: names it.
            fetch: gives its bytes in pieces.
        """
        path = self.blob_path(digest)
        if os.path.exists(path):
            return path
        with self._lock(digest):
            if not os.path.exists(path):
                with open(path + ".part", "wb") as file:
                    for piece in fetch():
                        file.write(piece)
                os.rename(path + ".part", path)
        return path

    @property
    def apart(self) -> bool:
        """Whether each worker is to have a template of its own, since the shared one has died with all attempts."""
        return os.path.exists(HostPaths(self.folder).apart)

    def part(self) -> None:
        """From now on workers share no template."""
        with contextlib.suppress(OSError), open(HostPaths(self.folder).apart, "wb"):
            pass

    def join_template(
        self,
        work: str,
        path: Sequence[str],
        env: Mapping[str, str],
        *,
        linger: float = 0.0,
        own: str = "",
        folder: str = "",
    ) -> socket.socket:
        """Connects to the host's template; the first starts it.

        Args:
            work: file with the pickled work.
            path: entries for its sys.path.
            env: for its environment.
            linger: seconds it waits for another worker when the last has left.
            own: names one that is not shared; empty for that of the host.
            folder: in which it begins; empty for that of whoever starts it.
        """
        name = HostPaths(self.folder).template(own)
        sock = _try_connect(name)
        if sock is not None:
            return sock
        with self._lock(f"template{own}"):
            sock = _try_connect(name)
            if sock is None:
                self._start_template(name, {"work": work, "path": list(path), "linger": linger}, env, folder)
                sock = _try_connect(name)
        if sock is None:
            raise OSError("the template process left before it could be reached")
        return sock

    def _start_template(self, name: str, config: dict[str, object], env: Mapping[str, str], cwd: str) -> None:
        if os.path.exists(name):
            os.unlink(name)
        package = __package__ or ""
        root = package_root(os.path.abspath(__file__), package)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(name)
            listener.listen(1024)
            config |= {"listener": listener.fileno(), "socket": name, "folder": self.folder}
            # Taken for it, so that the folder cannot go before it is up.
            share = Share(self.folder, self._single)
            config |= {
                "root": root,
                "package": package.rpartition(".")[0],
                "share": share.fileno(),
                "single": self._single,
            }
            with open(HostPaths(self.folder).template_log, "ab") as log:
                self._template = subprocess.Popen(
                    [sys.executable, "-c", _BOOT, json.dumps(config)],
                    pass_fds=[listener.fileno(), share.fileno()],
                    env={**os.environ, **env},
                    cwd=cwd or None,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            share.hand_over()

    def _lock(self, name: str) -> AbstractContextManager[None]:
        return exclusive_lock(os.path.join(self.folder, f"{name}.lock"))

    def leave(self) -> None:
        """Gives the share up."""
        self.share.close()

    def remove(self) -> None:
        """Removes the folder; a template that was started here has left, or is ended, before."""
        if self._template is not None:
            try:
                self._template.wait(2.0)
            except subprocess.TimeoutExpired:
                self._template.kill()
                self._template.wait()
        self.share.remove()


def _try_connect(name: str) -> socket.socket | None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(name)
    except OSError:
        sock.close()
        return None
    return sock
