"""What the slots of one host share: a folder (mode 0700) with the blobs they fetched once, and the template."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager

from ..wire.frames import Sealer
from ..wire.messages import Run
from .lock import exclusive_lock
from .paths import HostPaths
from .share import Share, set_aside_and_remove
from .template_spec import TemplateSpec
from .temporary import remove_temporary

__all__ = ["Host", "package_root", "user_folder"]

_BOOT = "import sys, json, importlib; c = json.loads(sys.argv[1]); sys.path.insert(0, c['root']); "
_BOOT += "importlib.import_module(c['package'] + '.{}').main(c)"
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
        self._processes: list[subprocess.Popen[bytes]] = []
        self._zygotes: dict[str, socket.socket] = {}  # the last one; a worker has one base at a time
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

    def fetch(self, run: Run, fetch: Callable[[str], Iterator[bytes]]) -> str:
        """Gets what an attempt needs and this host lacks; returns why that does not go, empty where it does."""
        try:
            for name in filter(None, (*run.blobs, run.payload)):
                self.blob(name, lambda name=name: fetch(name))  # type: ignore[misc]
        except OSError as error:
            return f"what the attempt needs cannot be kept on this host: {error}"
        return ""

    def forget_blob(self, name: str) -> None:
        """Removes a blob that no other attempt needs."""
        with contextlib.suppress(OSError):
            os.unlink(self.blob_path(name))

    @property
    def apart(self) -> bool:
        """Whether each worker is to have a template of its own, since the shared one has died with all attempts."""
        return os.path.exists(HostPaths(self.folder).apart)

    def part(self) -> None:
        """From now on workers share no template."""
        with contextlib.suppress(OSError), open(HostPaths(self.folder).apart, "wb"):
            pass

    def join_template(self, spec: TemplateSpec) -> socket.socket:
        """Connects to the host's template; the first starts it."""
        name = HostPaths(self.folder).template(spec.name)
        sock = _try_connect(name)
        if sock is not None:
            return sock
        with self._lock(f"template{spec.name}"):
            sock = _try_connect(name)
            if sock is None:
                self._start_template(name, spec)
                sock = _try_connect(name)
        if sock is None:
            raise OSError("the template process left before it could be reached")
        return sock

    def _start_template(self, name: str, spec: TemplateSpec) -> None:
        with _listening(name) as listener:
            # Taken for it, so that the folder cannot go before it is up.
            share = Share(self.folder, self._single)
            config = {"work": spec.work, "linger": spec.linger, "single": self._single} | self._process(name, spec)
            if spec.base and not spec.own:
                config["imports"] = list(spec.imports)
                zygote = self._join_zygote(spec)
                socket.send_fds(
                    zygote, [Sealer().seal(json.dumps(config).encode())], [listener.fileno(), share.fileno()]
                )
            else:
                self._start("template", config | {"share": share.fileno()}, spec, listener, share)
            share.hand_over()

    def _join_zygote(self, spec: TemplateSpec) -> socket.socket:
        """Connects to the process that templates are forked from, which stays as long as somebody is connected."""
        name = HostPaths(self.folder).zygote(spec.base)
        with self._lock("zygote"):
            sock = _try_connect(name)
            if sock is None:
                with _listening(name) as listener:
                    self._start("zygote", self._process(name, spec), spec, listener)
                    sock = _try_connect(name)
        if sock is None:
            raise OSError("the process that templates are forked from left before it could be reached")
        self._zygotes, before = {spec.base: sock}, self._zygotes
        for each in before.values():
            each.close()
        return sock

    def _process(self, name: str, spec: TemplateSpec) -> dict[str, object]:
        return {"socket": name, "folder": self.folder, "path": list(spec.path)}

    def _start(
        self, module: str, config: dict[str, object], spec: TemplateSpec, listener: socket.socket, *more: Share
    ) -> None:
        package = __package__ or ""
        root = package_root(os.path.abspath(__file__), package)
        config |= {"listener": listener.fileno(), "root": root, "package": package.rpartition(".")[0]}
        with open(HostPaths(self.folder).template_log, "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _BOOT.format(module), json.dumps(config)],
                pass_fds=[listener.fileno(), *(each.fileno() for each in more)],
                env={**os.environ, **spec.env},
                cwd=spec.folder or None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes = [*(each for each in self._processes if each.poll() is None), process]

    def keep(self, digests: Collection[str]) -> None:
        """Removes all blobs but these."""
        paths = HostPaths(self.folder)
        with contextlib.suppress(OSError):
            for name in set(os.listdir(paths.blobs)) - set(digests):
                os.unlink(paths.blob(name))

    def tidy(self) -> None:
        """Removes what the attempts of a sweep left: the next one has units and attempts of the same names."""
        paths = HostPaths(self.folder)
        for path in (paths.checkpoints, paths.all_artifacts, paths.received):
            set_aside_and_remove(path, os.path.dirname(self.folder))
        with contextlib.suppress(OSError):
            for name in os.listdir(self.folder):
                if name.startswith("template-") and name.endswith(".lock"):
                    os.unlink(os.path.join(self.folder, name))
                elif name[:1] == "t" and name[1:].isdigit() and not os.path.exists(f"/proc/{name[1:]}"):
                    remove_temporary(self.folder, int(name[1:]))

    def _lock(self, name: str) -> AbstractContextManager[None]:
        return exclusive_lock(os.path.join(self.folder, f"{name}.lock"))

    def leave(self) -> None:
        """Gives the share up."""
        self._leave_zygotes()
        self.share.close()

    def _leave_zygotes(self) -> None:
        for sock in self._zygotes.values():
            sock.close()
        self._zygotes.clear()

    def remove(self) -> None:
        """Removes the folder; processes that were started here have left, or are ended, before."""
        self._leave_zygotes()
        for process in self._processes:
            try:
                process.wait(2.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.share.remove()


@contextlib.contextmanager
def _listening(name: str) -> Iterator[socket.socket]:
    """A socket for a process that is to be started; ours is closed again."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(name)
        listener.listen(1024)
        yield listener


def _try_connect(name: str) -> socket.socket | None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(name)
    except OSError:
        sock.close()
        return None
    return sock
